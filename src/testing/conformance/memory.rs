//! A client of the test server in memory.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Version};

use super::{Client, Need, Request, Response, Watch};
use crate::application::Application;
use crate::body::Body;
use crate::error::Result;
use crate::testing::{TestRequest, TestResponse, TestServer, TestStream};

/// Runs the suite in memory, over [`TestServer`].
///
/// ```
/// use vestibule::testing::conformance::{self, Memory};
///
/// conformance::run(&Memory::new(conformance::application(), "/mnt"), "/mnt").assert_passed();
/// ```
#[derive(Debug, Clone)]
pub struct Memory {
    server: TestServer,
    mount: String,
}

impl Memory {
    /// Serves the application below a mount point, or at the root for "".
    pub fn new(application: impl Application, mount: &str) -> Self {
        // Lint is part of the cases, and half of these are faulty by intention.
        let server = TestServer::new(application).without_lint().mounted_at(mount);
        Self { server, mount: mount.to_owned() }
    }
}

impl Client for Memory {
    fn supports(&self, need: Need) -> bool {
        need != Need::Wire
    }

    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
        // The test server adds the mount point itself.
        let target = request.target().strip_prefix(&*self.mount).unwrap_or(request.target());
        let mut sent = self.server.request(Method::from_bytes(request.method().as_bytes())?, target);
        for (name, value) in request.headers() {
            sent = sent.header(name, value);
        }
        if request.protocol() == Version::HTTP_10 {
            sent = sent.version(Version::HTTP_10);
        }
        let mut trailers = HeaderMap::new();
        for (name, value) in request.trailers() {
            trailers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        sent = match (request.content_length(), request.is_unknown_length()) {
            (Some(length), _) => {
                let body: Bytes = request.body_blocks().concat().into();
                let sent = sent.body(body);
                if request.leaves_early() { sent.promising(length) } else { sent }
            }
            (None, true) => sent.body_with_trailers(Body::iter(request.body_blocks().to_vec()), trailers),
            (None, false) => sent,
        };
        let mut running = Running::start(sent);
        let mut body = Vec::new();
        while let Answer::Block(block) = running.ask(Ask::Block)? {
            body.extend_from_slice(&block);
            if watch(&body).is_break() {
                running.ask(Ask::HangUp)?;
                break;
            }
        }
        match running.ask(Ask::End)? {
            Answer::Ended(ended) => Ok(Response { body: body.into(), ..response(&ended) }),
            _ => Err("the response does not end".into()),
        }
    }
}

/// How long an application may take for a block. Only a failing case waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request on a thread of its own: one that never ends is to fail a case, not to hold up all of them.
struct Running {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

enum Ask {
    Block,
    HangUp,
    End,
}

enum Answer {
    Block(Bytes),
    NoMore,
    Ended(Box<TestResponse>),
}

impl Running {
    fn start(request: TestRequest) -> Self {
        let (asks, asked) = channel();
        let (answer, answers) = channel();
        let thread = std::thread::spawn(move || {
            let mut stream = Some(request.stream());
            let mut left = None;
            for ask in asked {
                let answered = match (ask, &mut stream) {
                    (Ask::Block, Some(stream)) => stream.next().map_or(Answer::NoMore, Answer::Block),
                    (Ask::HangUp, _) => {
                        left = stream.take().map(TestStream::hang_up);
                        Answer::NoMore
                    }
                    (Ask::End, _) => match left.take().or_else(|| stream.take().map(TestStream::finish)) {
                        Some(ended) => Answer::Ended(Box::new(ended)),
                        None => Answer::NoMore,
                    },
                    (Ask::Block, None) => Answer::NoMore,
                };
                // Nobody listens any more after a wait that took too long.
                let _ = answer.send(answered);
            }
        });
        Self { asks, answers, thread: Some(thread) }
    }

    fn ask(&mut self, ask: Ask) -> Result<Answer> {
        let _ = self.asks.send(ask);
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err("there was no answer in time".into()),
            Err(RecvTimeoutError::Disconnected) => match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => resume_unwind(panic),
                _ => Err("the request was given up".into()),
            },
        }
    }
}

fn response(ended: &TestResponse) -> Response {
    Response {
        status: ended.status(),
        reason: ended.reason_phrase().map(str::to_owned),
        headers: ended.headers().clone(),
        body: Bytes::new(),
        trailers: ended.trailers().clone(),
        complete: ended.is_complete(),
        log: ended.errors().to_owned(),
    }
}
