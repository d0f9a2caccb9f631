//! A client of HTTP/2 with prior knowledge, by hyper.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderValue, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Client, Need, Request, Response, Watch};
use crate::error::{Error, Result};

/// How long a gateway may say nothing. Only a failing case waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client that leaves lets its connection send what there is.
const BEFORE_LEAVING: Duration = Duration::from_millis(300);

/// Runs the suite against whatever speaks HTTP/2 without TLS and without an upgrade (RFC 9113, section 3.3).
///
/// It opens a connection for each request. What HTTP/2 has not is left out: reason phrases, headers of the connection,
/// HTTP/1.0, and the cases that write HTTP/1.1 by hand.
///
/// ```
/// use vestibule::adapters::http::Server;
/// use vestibule::testing::conformance::{self, Http2};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let (address, handle) = (server.local_addr().unwrap(), server.handle());
/// let thread = std::thread::spawn(move || server.run_until(conformance::application(), std::future::pending()));
/// conformance::run(&Http2::tcp(address), "").assert_passed();
/// handle.shutdown();
/// thread.join().unwrap()?;
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Http2 {
    address: SocketAddr,
    lacks: Vec<Need>,
}

impl Http2 {
    /// A client that connects to an address.
    pub fn tcp(address: SocketAddr) -> Self {
        Self { address, lacks: vec![Need::Log, Need::Wire, Need::Http10, Need::Reason, Need::HopByHop] }
    }

    /// Leaves out the cases that need something which this gateway cannot do.
    #[must_use]
    pub fn without(mut self, need: Need) -> Self {
        self.lacks.push(need);
        self
    }
}

impl Client for Http2 {
    fn supports(&self, need: Need) -> bool {
        !self.lacks.contains(&need)
    }

    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
        let (sent, is_sent) = translated(request, self.address)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let received = runtime.block_on(exchange(self.address, sent, request.leaves_early(), is_sent))?;
        let Some(mut incoming) = received else { return Ok(Response::none()) };
        // What watches may talk to the gateway itself, so it is not called inside of the runtime.
        while let Some(body) = runtime.block_on(incoming.more())? {
            if watch(body).is_break() {
                break;
            }
        }
        incoming.response.body = incoming.body.into();
        Ok(incoming.response)
    }
}

/// Sends a request; no response is waited for where the client leaves.
async fn exchange(
    address: SocketAddr,
    sent: http::Request<Sent>,
    leaves: bool,
    is_sent: Arc<Notify>,
) -> Result<Option<Receiving>> {
    let stream = in_time(TcpStream::connect(address)).await??;
    let (mut sender, connection) = in_time(http2::handshake(TokioExecutor::new(), TokioIo::new(stream))).await??;
    tokio::spawn(connection);
    let received = sender.send_request(sent);
    if leaves {
        let received = tokio::spawn(received);
        in_time(is_sent.notified()).await?;
        // It is with hyper, which does not tell when the server has taken it.
        tokio::time::sleep(BEFORE_LEAVING).await;
        received.abort();
        return Ok(None);
    }
    let (head, incoming) = in_time(received).await??.into_parts();
    let mut response = Response::new(head.status);
    response.headers = head.headers;
    Ok(Some(Receiving { response, body: Vec::new(), incoming, _sender: sender }))
}

/// A response on its way.
struct Receiving {
    response: Response,
    body: Vec<u8>,
    incoming: Incoming,
    /// The connection ends with it.
    _sender: http2::SendRequest<Sent>,
}

impl Receiving {
    /// The body with what has come next; `None` at its end, or where it was cut.
    async fn more(&mut self) -> Result<Option<&[u8]>> {
        loop {
            match in_time(poll_fn(|cx| Pin::new(&mut self.incoming).poll_frame(cx))).await? {
                None => {
                    self.response.complete = true;
                    return Ok(None);
                }
                Some(Err(_)) => return Ok(None),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(block) if block.is_empty() => {}
                    Ok(block) => {
                        self.body.extend_from_slice(&block);
                        return Ok(Some(&self.body));
                    }
                    Err(frame) => self.response.trailers = frame.into_trailers().unwrap_or_default(),
                },
            }
        }
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> Result<T> {
    timeout(PATIENCE, future).await.map_err(|_| Error::from("the gateway says nothing"))
}

/// The request, and what tells that its body was taken.
fn translated(request: &Request, address: SocketAddr) -> Result<(http::Request<Sent>, Arc<Notify>)> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        headers.append(HeaderName::try_from(name)?, HeaderValue::from_bytes(value)?);
    }
    // RFC 9113, section 8.3.1: clients SHOULD use `:authority` instead of Host.
    let authority = match headers.remove(HOST) {
        Some(host) => Authority::try_from(host.as_bytes())?,
        None => Authority::try_from(address.to_string())?,
    };
    if let Some(length) = request.content_length() {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    let mut uri = http::uri::Parts::default();
    (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(authority));
    uri.path_and_query = Some(PathAndQuery::try_from(request.target())?);
    let mut trailers = HeaderMap::new();
    for (name, value) in request.trailers() {
        trailers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    let is_sent = Arc::new(Notify::new());
    let body = Sent {
        blocks: request.body_blocks().iter().filter(|block| !block.is_empty()).cloned().collect(),
        trailers: Some(trailers).filter(|trailers| !trailers.is_empty()),
        breaks_off: request.leaves_early().then(|| Arc::clone(&is_sent)),
        is_empty: request.content_length().is_none() && !request.is_unknown_length(),
    };
    let mut sent = http::Request::new(body);
    *sent.method_mut() = http::Method::from_bytes(request.method().as_bytes())?;
    (*sent.version_mut(), *sent.uri_mut(), *sent.headers_mut()) = (Version::HTTP_2, Uri::from_parts(uri)?, headers);
    Ok((sent, is_sent))
}

/// The body of a request.
struct Sent {
    blocks: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    /// It does not end, and tells when it has given all that there is.
    breaks_off: Option<Arc<Notify>>,
    is_empty: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        if let Some(block) = self.blocks.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(block))));
        }
        if let Some(is_sent) = &self.breaks_off {
            is_sent.notify_one();
            return Poll::Pending;
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
