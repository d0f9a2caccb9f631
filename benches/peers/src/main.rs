//! The application that `run` measures, on other servers: `vestibule-bench-peers ADDRESS PEER`.
//!
//! `hyper` and `hyper-multi` call it on the reactor, where nothing may block; `spawn-blocking` calls it on tokio's
//! blocking threads; `axum` is an async framework, and `serve-dir` in it the files beneath the directory BENCH_ROOT, by
//! tower-http.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures::{Stream, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower_http::services::ServeDir;

const BLOCK: usize = 64 * 1024;
const HELLO: &[u8] = b"Hello, World!";

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8000".to_owned());
    let peer = arguments.next().unwrap_or("hyper".to_owned());
    let runtime = match &*peer {
        "hyper" => Builder::new_current_thread().enable_all().build()?,
        _ => Runtime::new()?,
    };
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        println!("listening on http://{address}");
        match &*peer {
            "axum" => axum::serve(listener, router()).await,
            "serve-dir" => {
                let root = std::env::var("BENCH_ROOT").map_err(std::io::Error::other)?;
                // Without delay, as the others are: it writes the head apart from the file.
                let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
                axum::serve(listener, Router::new().fallback_service(ServeDir::new(root))).await
            }
            _ => serve(listener, peer == "spawn-blocking").await,
        }
    })
}

async fn serve(listener: TcpListener, blocking: bool) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| answer(request, blocking));
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(mut request: Request<Incoming>, blocking: bool) -> Result<Answer, Infallible> {
    let number = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
    let body = match request.uri().path() {
        "/stream" => StreamBody::new(blocks(number)).boxed(),
        "/upload" => {
            let mut received = 0;
            while let Some(Ok(frame)) = request.frame().await {
                received += frame.data_ref().map_or(0, Bytes::len);
            }
            Full::from(received.to_string()).boxed()
        }
        "/block" if blocking => blocked(move || std::thread::sleep(Duration::from_millis(number as u64))).await,
        _ if blocking => blocked(|| ()).await,
        _ => Full::from(HELLO).boxed(),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", "text/plain".parse().expect("a header value"));
    Ok(response)
}

async fn blocked(work: impl FnOnce() + Send + 'static) -> BoxBody<Bytes, Infallible> {
    tokio::task::spawn_blocking(work).await.expect("it does not panic");
    Full::from(HELLO).boxed()
}

fn blocks(length: usize) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    stream::iter((0..length / BLOCK).map(|_| Ok(Frame::data(Bytes::from_static(&[b'x'; BLOCK])))))
}

fn router() -> Router {
    let streamed = |uri: axum::http::Uri| async move {
        let length = uri.query().and_then(|query| query.parse().ok()).unwrap_or(0);
        axum::body::Body::new(StreamBody::new(blocks(length)))
    };
    let uploaded = |body: axum::body::Body| async move {
        let mut body = body;
        let mut received = 0;
        while let Some(Ok(frame)) = body.frame().await {
            received += frame.data_ref().map_or(0, Bytes::len);
        }
        received.to_string()
    };
    Router::new()
        .route("/", get(|| async { "Hello, World!" }))
        .route("/stream", get(streamed))
        .route("/upload", post(uploaded))
}
