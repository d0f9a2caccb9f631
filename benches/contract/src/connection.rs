//! One connection of hyper's HTTP/1.1 server, without a socket and without a runtime.
//!
//! The client hands over one request a read, is not ready once between two, and throws away what
//! it is sent, so that only hyper and the service are left to count.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::Service;

/// The other end of the connection: sends some requests in turn, `count` in all, then hangs up.
pub struct Client {
    requests: &'static [Vec<u8>],
    count: usize,
    sent: usize,
    pausing: bool,
    received: usize,
    first_response: Vec<u8>,
}

impl Client {
    /// Returns a client that will send so many requests, the first of these again after the last.
    pub fn new(requests: &'static [Vec<u8>], count: usize) -> Client {
        Client { requests, count, sent: 0, pausing: false, received: 0, first_response: Vec::with_capacity(1024) }
    }

    /// Lets `service` answer every request of this client.
    ///
    /// # Panics
    ///
    /// If the connection fails, or waits for anything but the client: nothing else would wake it.
    pub fn talk_to<S, B>(&mut self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // The client pauses once a request; the rest is room for a service that yields.
        let most_polls = 16 * self.count + 64;
        let mut connection = pin!(http1::Builder::new().serve_connection(self, service));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..most_polls {
            if let Poll::Ready(end) = connection.as_mut().poll(&mut context) {
                return end.expect("the connection ends when the client hangs up");
            }
        }
        panic!("the service waits for something that is not the client");
    }

    /// Says what is wrong with what the client was sent; `with_layers` if a `server` header is due.
    pub fn complaint(&self, with_layers: bool) -> Option<String> {
        let response = String::from_utf8_lossy(&self.first_response);
        let head = response.strip_suffix("\r\n\r\nHello, World!");
        let has = |line: &str| head.is_some_and(|head| head.split("\r\n").any(|l| l == line));
        let fault = if self.received != self.count * self.first_response.len() {
            "not every response is as long as the first"
        } else if !has("HTTP/1.1 200 OK") {
            "not a 200 with the body Hello, World!"
        } else if !has("content-type: text/plain") || !has("content-length: 13") {
            "Content-Type or Content-Length is missing"
        } else if !response.contains("\r\ndate: ") {
            "Date is missing"
        } else if has("server: v") != with_layers {
            "the layers' Server header is missing, or is there without layers"
        } else {
            return None;
        };
        Some(format!("{fault}; the first response:\n{response}"))
    }
}

impl Read for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pausing {
            self.pausing = false;
            return Poll::Pending;
        }
        if self.sent < self.count {
            buffer.put_slice(&self.requests[self.sent % self.requests.len()]);
            self.sent += 1;
            self.pausing = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Client {
    fn poll_write(mut self: Pin<&mut Self>, _context: &mut Context<'_>, block: &[u8]) -> Poll<io::Result<usize>> {
        self.received += block.len();
        if self.sent == 1 {
            self.first_response.extend_from_slice(block);
        }
        Poll::Ready(Ok(block.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
