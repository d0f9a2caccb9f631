//! The transport of `TestServer::http`: a real server on a loopback socket, and hyper's client.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::channel::oneshot;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;

use super::memory::Watched;
use super::{TestRequest, TestResponse, TestServer};
use crate::adapters::http::Server;
use crate::application::{App, app_fn};
use crate::environ::Environ;
use crate::error::Error;
use crate::input::Input;

/// Names the test that a request belongs to.
const TEST: HeaderName = HeaderName::from_static("x-vestibule-test");

/// How long the client waits for a response, and for the server to end a request whose response it has.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a loopback socket that stops when the last handle is gone.
pub(super) struct Loopback {
    address: SocketAddr,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    runtime: tokio::runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    tests: Mutex<HashMap<u64, Test>>,
    /// What requests get that belong to no test, as those of another client.
    fallback: Mutex<Option<(App, String)>>,
}

/// A request under way: what the server needs of it.
struct Test {
    app: App,
    mount: String,
    watched: Watched,
    ended: oneshot::Sender<()>,
}

/// The application of a request, on its way from the hook to the server's application.
#[derive(Clone)]
struct Chosen(App);

impl Loopback {
    /// `may_block`: whether the applications of this server may, so that they are called as behind any server.
    pub(super) fn start(may_block: bool) -> Arc<Self> {
        let shared = Arc::<Shared>::default();
        let server = match Server::bind("127.0.0.1:0") {
            Ok(server) => server,
            Err(error) => panic!("TestServer::http: {error}"),
        };
        let Some(address) = server.local_addr() else { panic!("TestServer::http: no address") };
        let preparing = Arc::clone(&shared);
        let server = server.environ(move |environ| preparing.choose(environ));
        let (stop, stopped) = oneshot::channel();
        let (send_runtime, receive_runtime) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let stopped = async move {
                let _ = send_runtime.send(tokio::runtime::Handle::current());
                let _ = stopped.await;
            };
            let app = app_fn(|environ, start_response| {
                let Chosen(app) = environ.extension::<Chosen>()?.clone();
                app.call(environ, start_response)
            });
            let app = if may_block { app } else { app.nonblocking() };
            if let Err(error) = server.run_until(app, stopped) {
                eprintln!("TestServer::http: {error}");
            }
        });
        let Ok(runtime) = receive_runtime.recv() else { panic!("TestServer::http: the server did not start") };
        Arc::new(Self { address, shared, next_id: AtomicU64::new(1), runtime, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What other clients than the test's own get.
    pub(super) fn serve(&self, app: App, mount: String) {
        *self.shared.fallback.lock().unwrap_or_else(PoisonError::into_inner) = Some((app, mount));
    }

    /// Sends a request by the server's runtime, so that any thread can wait for it, a runtime's too.
    pub(super) fn send(self: &Arc<Self>, request: TestRequest) -> impl Future<Output = TestResponse> + Send + use<> {
        let (server, id) = (request.server.clone(), self.next_id.fetch_add(1, Ordering::Relaxed));
        let watched = Watched::default();
        let (ended, has_ended) = oneshot::channel();
        let test = Test { app: server.served(), mount: server.0.mount.clone(), watched: watched.clone(), ended };
        self.shared.tests().insert(id, test);
        let loopback = Arc::clone(self);
        let sending = self.runtime.spawn(async move {
            let received = tokio::time::timeout(PATIENCE, receive(loopback.address, request, id)).await;
            // A request that never reached the application has no end to wait for.
            if loopback.shared.tests().remove(&id).is_none() {
                let _ = tokio::time::timeout(PATIENCE, has_ended).await;
            }
            match received {
                Ok(Ok(received)) => Ok(received),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no response within {} s", PATIENCE.as_secs())),
            }
        });
        async move {
            let received = match sending.await {
                Ok(Ok(received)) => received,
                Ok(Err(error)) => panic!("TestServer::http: {error}; the log says:\n{}", watched.log()),
                Err(error) => panic!("TestServer::http: {error}"),
            };
            let Received { parts, chunks, trailers, complete } = received;
            let reason = match parts.extensions.get::<ReasonPhrase>() {
                Some(reason) => Some(String::from_utf8_lossy(reason.as_bytes()).into_owned()),
                None => parts.status.canonical_reason().map(str::to_owned),
            };
            watched.response(parts.status, reason, parts.headers, chunks, trailers, complete)
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // The last handle may be dropped by the server itself, which cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|_| tokio::runtime::Handle::try_current().is_err()) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn tests(&self) -> MutexGuard<'_, HashMap<u64, Test>> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the test of a request and prepares its environ.
    fn choose(&self, environ: &mut Environ) {
        let id = environ.headers_mut().remove(TEST).and_then(|id| id.to_str().ok()?.parse().ok());
        let test = id.and_then(|id: u64| self.tests().remove(&id));
        let (app, mount) = match test {
            Some(Test { app, mount, watched, ended }) => {
                // Hooks run last first, so the outcome is known when the end is told.
                environ.on_finished(|_| {
                    let _ = ended.send(());
                });
                watched.watch(environ);
                (app, mount)
            }
            None => match self.fallback.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                Some(fallback) => fallback,
                None => return,
            },
        };
        environ.mount_at(&mount);
        environ.extensions_mut().insert(Chosen(app));
    }
}

struct Received {
    parts: http::response::Parts,
    chunks: Vec<Bytes>,
    trailers: HeaderMap,
    complete: bool,
}

/// One request on a connection of its own.
async fn receive(address: SocketAddr, mut request: TestRequest, id: u64) -> Result<Received, Error> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let hang_up_after = request.hang_up_after;
    let body = Outgoing(request.take_input(), false);
    let mut parts = request.parts;
    parts.headers.insert(TEST, HeaderValue::from(id));
    let response = sender.send_request(http::Request::from_parts(parts, body)).await?;
    let (parts, mut body) = response.into_parts();
    let mut received = Received { parts, chunks: Vec::new(), trailers: HeaderMap::new(), complete: false };
    loop {
        if hang_up_after == Some(received.chunks.len()) {
            connection.abort();
            break;
        }
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            None => {
                received.complete = true;
                break;
            }
            Some(Err(_)) => break,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(block) => received.chunks.push(block),
                Err(frame) => received.trailers = frame.into_trailers().unwrap_or_default(),
            },
        }
    }
    Ok(received)
}

/// The request's body as the client sends it, and whether it has sent the trailers.
struct Outgoing(Input, bool);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match Pin::new(&mut self.0).poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(block)) => Poll::Ready(Some(block.map(Frame::data).map_err(Into::into))),
            Poll::Ready(None) => {
                let trailers = self.0.trailers().filter(|_| !std::mem::replace(&mut self.1, true));
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.0.len().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl TestServer {
    /// Tells the loopback server what requests of other clients get.
    pub(super) fn announce(&self, loopback: &Loopback) {
        loopback.serve(self.served(), self.0.mount.clone());
    }
}
