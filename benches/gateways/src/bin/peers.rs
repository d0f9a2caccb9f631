//! The application that `run` measures, on other servers: `peers hyper|hyper-multi|tokio-fastcgi SOCKET`.
//!
//! hyper is the floor: HTTP/1.1 over the same kind of socket, the application called on the reactor, on one thread or on
//! all cores. tokio-fastcgi has one thread, which is what costs it least.

use std::convert::Infallible;
use std::io::Read;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio_fastcgi::{RequestResult, Requests};

const BLOCK: usize = 64 * 1024;
const HELLO: &[u8] = b"Hello, World!";

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (peer, socket) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let runtime = match &*peer {
        "hyper-multi" => Runtime::new()?,
        _ => Builder::new_current_thread().enable_all().build()?,
    };
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            match &*peer {
                "tokio-fastcgi" => drop(tokio::spawn(serve_fastcgi(stream))),
                _ => drop(tokio::spawn(
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer_http)),
                )),
            }
        }
    })
}

async fn answer_http(mut request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let body = match request.uri().path() {
        "/upload" => {
            let mut received = 0;
            while let Some(Ok(frame)) = request.frame().await {
                received += frame.data_ref().map_or(0, Bytes::len);
            }
            Full::from(received.to_string()).boxed()
        }
        "/stream" => {
            let length = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
            let block = |_| Ok(Frame::data(Bytes::from_static(&[b'x'; BLOCK])));
            StreamBody::new(stream::iter((0..length / BLOCK).map(block))).boxed()
        }
        _ => Full::from(HELLO).boxed(),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", "text/plain".parse().expect("a header value"));
    Ok(response)
}

async fn serve_fastcgi(mut stream: UnixStream) {
    let mut requests = Requests::from_split_socket(stream.split(), 64, 64);
    while let Ok(Some(request)) = requests.next().await {
        let answered = request.process(|request| async move {
            let text = match request.get_str_param("document_uri") {
                Some("/upload") => {
                    let (mut body, mut block, mut received) = (request.get_stdin(), vec![0; BLOCK], 0);
                    while let Ok(length @ 1..) = body.read(&mut block) {
                        received += length;
                    }
                    received.to_string()
                }
                _ => "Hello, World!".to_owned(),
            };
            let length = text.len();
            let answer =
                format!("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}");
            match request.get_stdout().write(answer.as_bytes()).await {
                Ok(_) => RequestResult::Complete(0),
                Err(_) => RequestResult::Complete(1),
            }
        });
        if answered.await.is_err() {
            return;
        }
    }
}
