//! The gateway of the test server that is only memory.

use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::{TestRequest, TestResponse};
use crate::environ::{Environ, Errors};
use crate::exchange::{Exchange, Step};
use crate::lifecycle::Outcome;
use crate::lint::Findings;
use crate::waiting;

/// Runs a request to its end on this thread.
pub(super) fn send(request: TestRequest) -> TestResponse {
    let mut running = Running::start(request);
    while running.wait_step() {}
    running.into_response()
}

/// Runs a request to its end as a future; a blocking application blocks it.
pub(super) async fn send_async(request: TestRequest) -> TestResponse {
    let mut running = Running::start(request);
    while poll_fn(|cx| running.poll_step(cx)).await {}
    running.into_response()
}

/// Runs a request until its head is there.
pub(super) fn stream(request: TestRequest) -> TestStream {
    let allowed = request.allowed.clone();
    let mut running = Running::start(request);
    while running.head.is_none() && running.wait_step() {}
    TestStream { running: Some(running), allowed, taken: 0 }
}

/// A response whose blocks are pulled one at a time: each step of the iterator is one step of the application.
///
/// Dropping it, like [`hang_up`](TestStream::hang_up), is a client that leaves.
///
/// ```
/// use vestibule::{Body, app_fn, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(Body::iter((1..).map(|n| format!("{n}\n")))) // it never ends
/// });
/// let mut stream = TestServer::new(app).get("/").stream();
/// assert_eq!(stream.next().unwrap(), "1\n");
/// assert_eq!(stream.next().unwrap(), "2\n");
/// assert!(!stream.hang_up().is_complete());
/// ```
#[derive(Debug)]
pub struct TestStream {
    running: Option<Running>,
    allowed: Vec<String>,
    taken: usize,
}

impl TestStream {
    /// The status.
    ///
    /// # Panics
    ///
    /// When the response was aborted before its head, which no exchange does.
    pub fn status(&self) -> http::StatusCode {
        self.running().head().status()
    }

    /// The headers.
    ///
    /// # Panics
    ///
    /// As [`status`](TestStream::status).
    pub fn headers(&self) -> &HeaderMap {
        self.running().head().headers()
    }

    /// Leaves before the end, as a client does that closes its connection.
    #[track_caller]
    pub fn hang_up(mut self) -> TestResponse {
        self.end(true)
    }

    /// Pulls the rest and returns the whole response.
    #[track_caller]
    pub fn finish(mut self) -> TestResponse {
        self.end(false)
    }

    #[track_caller]
    fn end(&mut self, hang_up: bool) -> TestResponse {
        let Some(mut running) = self.running.take() else { unreachable!("it is taken only by those who take self") };
        match hang_up {
            true => running.hang_up(),
            false => while running.wait_step() {},
        }
        let response = running.into_response();
        response.assert_lint(&self.allowed);
        response
    }

    fn running(&self) -> &Running {
        match &self.running {
            Some(running) => running,
            None => unreachable!("it is taken only by those who take self"),
        }
    }
}

impl Iterator for TestStream {
    type Item = Bytes;

    /// The next block, or `None` at the end; [`finish`](TestStream::finish) tells whether that was a clean one.
    fn next(&mut self) -> Option<Bytes> {
        let running = self.running.as_mut()?;
        while running.chunks.len() == self.taken && running.wait_step() {}
        let block = running.chunks.get(self.taken)?.clone();
        self.taken += 1;
        Some(block)
    }
}

/// A request on its way.
#[derive(Debug)]
struct Running {
    exchange: Option<Exchange>,
    head: Option<crate::CommittedHead>,
    chunks: Vec<Bytes>,
    trailers: HeaderMap,
    complete: bool,
    hang_up_after: Option<usize>,
    watched: Watched,
    /// An application that never blocks is polled as on a reactor, where it may not wait.
    on_reactor: bool,
}

impl Running {
    fn start(mut request: TestRequest) -> Self {
        let server = request.server.clone();
        let input = request.take_input();
        let (remote_addr, hang_up_after) = (request.remote_addr, request.hang_up_after);
        let mut environ = Environ::from(http::Request::from_parts(request.parts, input));
        environ.set_remote_addr(remote_addr.or(Some(([127, 0, 0, 1], 49152).into())));
        // `OPTIONS *` is for the whole server, wherever the application is.
        environ.mount_at(&server.0.mount);
        let watched = Watched::default();
        watched.watch(&mut environ);
        let app = server.served();
        Self {
            on_reactor: !app.may_block(),
            exchange: Some(Exchange::new(&app, environ)),
            head: None,
            chunks: Vec::new(),
            trailers: HeaderMap::new(),
            complete: false,
            hang_up_after,
            watched,
        }
    }

    fn head(&self) -> &crate::CommittedHead {
        match &self.head {
            Some(head) => head,
            None => panic!("the response was aborted before its head"),
        }
    }

    /// One step on this thread, which sleeps while there is none. False at the end.
    fn wait_step(&mut self) -> bool {
        let cure = "TestRequest::send() inside an async application: use .await";
        match waiting::wait(cure, |cx| self.poll_step(cx)) {
            Ok(more) => more,
            Err(error) => panic!("{error}"),
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(false) };
        let mut step = exchange.poll_step(cx, !self.on_reactor);
        if matches!(step, Poll::Ready(Step::NeedsThread)) {
            step = exchange.poll_step(cx, true);
        }
        match step {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Step::Head(head)) => {
                self.head = Some(head);
                self.hang_up_if(0);
            }
            Poll::Ready(Step::Block(block)) => {
                self.chunks.push(block);
                self.hang_up_if(self.chunks.len());
            }
            Poll::Ready(Step::Trailers(trailers)) => self.trailers = trailers,
            Poll::Ready(Step::End) => {
                self.complete = true;
                self.finish(true);
            }
            Poll::Ready(Step::Abort | Step::NeedsThread) => self.finish(true),
        }
        Poll::Ready(self.exchange.is_some())
    }

    fn hang_up_if(&mut self, blocks: usize) {
        if self.hang_up_after == Some(blocks) {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.hang_up().hang_up();
        }
        self.finish(false);
    }

    fn finish(&mut self, delivered: bool) {
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(delivered);
        }
    }

    fn into_response(mut self) -> TestResponse {
        let Some(head) = self.head.take() else { panic!("the response was aborted before its head") };
        let head = head.into_head_with_length();
        let reason = head.reason_phrase().or(head.status.canonical_reason()).map(str::to_owned);
        self.watched.response(head.status, reason, head.headers, self.chunks, self.trailers, self.complete)
    }
}

/// What a test learns from the server's side of a request: what was logged, what lint found, how it ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    log: Log,
    findings: Findings,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Watched {
    /// Makes the environ tell of itself.
    pub(crate) fn watch(&self, environ: &mut Environ) {
        environ.set_errors(Errors::writer(self.log.clone()));
        environ.extensions_mut().insert(self.findings.clone());
        let outcome = Arc::clone(&self.outcome);
        environ.on_finished(move |ended| {
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended.clone());
        });
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was written to the log so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    pub(crate) fn response(
        &self,
        status: http::StatusCode,
        reason: Option<String>,
        headers: HeaderMap,
        chunks: Vec<Bytes>,
        trailers: HeaderMap,
        complete: bool,
    ) -> TestResponse {
        let (errors, findings) = (self.log(), self.findings.all());
        TestResponse { status, reason, headers, chunks, trailers, errors, findings, outcome: self.outcome(), complete }
    }
}

/// A log in memory.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
