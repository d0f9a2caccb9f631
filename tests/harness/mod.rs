//! A gateway that is only memory: it runs an application through an [`Exchange`] and records what a client would see.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod play;

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use vestibule::{App, Bytes, Environ, Errors, Exchange, HeaderMap, Input, Outcome, StatusCode, Step};

/// How the steps of an exchange are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pull {
    /// Every step on a thread that may wait.
    Blocking,
    /// Every step on a reactor, and on a thread only where the exchange asks for one.
    Async,
}

pub(crate) const PULLS: [Pull; 2] = [Pull::Blocking, Pull::Async];

/// What a client would have seen, and what the server knows of it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<String>,
    /// The headers with a computed Content-Length.
    pub(crate) headers: HeaderMap,
    /// The length that the gateway was told of.
    pub(crate) length: Option<u64>,
    pub(crate) has_body: bool,
    pub(crate) blocks: Vec<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) aborted: bool,
    pub(crate) log: String,
    pub(crate) outcome: Outcome,
    /// How many steps asked for a thread.
    pub(crate) threads_asked_for: usize,
    /// How many steps had nothing yet.
    pub(crate) pending: usize,
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.blocks.concat()).expect("the bodies of these tests are text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("the headers of these tests are text"))
    }
}

/// Runs a request to its end.
pub(crate) fn run(app: &App, request: http::Request<impl Into<Input>>, pull: Pull) -> Seen {
    let mut running = Running::new(app, request, pull);
    while running.step() {}
    running.finish(true)
}

/// A GET of `/path`.
pub(crate) fn get() -> http::Request<()> {
    http::Request::get("/path").body(()).expect("a valid request")
}

/// A HEAD of `/path`.
pub(crate) fn head() -> http::Request<()> {
    http::Request::head("/path").body(()).expect("a valid request")
}

/// A POST to `/path`.
pub(crate) fn post<B>(body: B) -> http::Request<B> {
    http::Request::post("/path").body(body).expect("a valid request")
}

/// A request on its way through an exchange.
pub(crate) struct Running {
    pub(crate) exchange: Exchange,
    pull: Pull,
    may_block: bool,
    head: Option<vestibule::CommittedHead>,
    pub(crate) blocks: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    aborted: Option<bool>,
    log: Log,
    outcome: Arc<Mutex<Option<Outcome>>>,
    threads_asked_for: usize,
    pending: usize,
}

impl Running {
    pub(crate) fn new(app: &App, request: http::Request<impl Into<Input>>, pull: Pull) -> Self {
        Self::with(request, pull, |environ| Exchange::new(app, environ))
    }

    pub(crate) fn with(
        request: http::Request<impl Into<Input>>,
        pull: Pull,
        exchange: impl FnOnce(Environ) -> Exchange,
    ) -> Self {
        let (log, outcome) = (Log::default(), Arc::new(Mutex::new(None)));
        let mut environ = Environ::from(request);
        environ.set_errors(Errors::writer(log.clone()));
        let told = Arc::clone(&outcome);
        environ.on_finished(move |outcome| {
            let before = told.lock().unwrap().replace(outcome.clone());
            assert!(before.is_none(), "a hook of on_finished runs once");
        });
        Self {
            exchange: exchange(environ),
            pull,
            may_block: pull == Pull::Blocking,
            head: None,
            blocks: Vec::new(),
            trailers: None,
            aborted: None,
            log,
            outcome,
            threads_asked_for: 0,
            pending: 0,
        }
    }

    /// One step, and the checks that hold for every response. False at the end.
    pub(crate) fn step(&mut self) -> bool {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        match self.poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => thread::park(),
            Poll::Ready(()) => {}
        }
        self.aborted.is_none()
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let may_block = std::mem::replace(&mut self.may_block, self.pull == Pull::Blocking);
        let step = on_reactor(!may_block, || self.exchange.poll_step(cx, may_block));
        let Poll::Ready(step) = step else {
            self.pending += 1;
            return Poll::Pending;
        };
        match step {
            Step::Head(head) => {
                assert!(self.head.replace(head).is_none(), "one head");
                assert!(self.blocks.is_empty() && self.trailers.is_none(), "the head comes first");
            }
            Step::Block(block) => {
                assert!(self.head.is_some(), "no block before the head");
                assert!(self.trailers.is_none(), "no block after the trailers");
                assert!(!block.is_empty(), "an empty block never reaches the wire");
                self.blocks.push(block);
            }
            Step::Trailers(trailers) => assert!(self.trailers.replace(trailers).is_none(), "trailers come once"),
            Step::End => self.aborted = Some(false),
            Step::Abort => self.aborted = Some(true),
            Step::NeedsThread => {
                assert!(!may_block, "a step on a thread needs no other");
                self.threads_asked_for += 1;
                self.may_block = true;
            }
            other => panic!("an unknown step: {other:?}"),
        }
        Poll::Ready(())
    }

    /// Runs until the head is there.
    pub(crate) fn until_head(&mut self) {
        while self.head.is_none() && self.step() {}
    }

    /// Ends the exchange where it stands.
    pub(crate) fn finish(mut self, delivered: bool) -> Seen {
        if self.aborted.is_some() {
            let again = self.exchange.poll_step(&mut Context::from_waker(Waker::noop()), true);
            match self.aborted {
                Some(true) => assert!(matches!(again, Poll::Ready(Step::Abort)), "an abort stays one: {again:?}"),
                _ => assert!(matches!(again, Poll::Ready(Step::End)), "an end stays one: {again:?}"),
            }
        }
        let on_thread = self.exchange.finish_may_block() || self.pull == Pull::Blocking;
        on_reactor(!on_thread, || self.exchange.finish(delivered));
        let outcome = self.outcome.lock().unwrap().take().expect("the hooks of on_finished ran");
        let log = String::from_utf8(self.log.0.lock().unwrap().clone()).expect("the log is text");
        let head = self.head.expect("a head comes before the end");
        let (length, has_body) = (head.length(), head.has_body());
        let head = head.into_head_with_length();
        let seen = Seen {
            status: head.status,
            reason: head.reason_phrase().map(str::to_owned),
            headers: head.headers,
            length,
            has_body,
            blocks: self.blocks,
            trailers: self.trailers,
            aborted: self.aborted.unwrap_or(true),
            log,
            outcome,
            threads_asked_for: self.threads_asked_for,
            pending: self.pending,
        };
        seen.check();
        seen
    }
}

impl Seen {
    /// What holds for every response, whatever the application did.
    fn check(&self) {
        let bytes: u64 = self.blocks.iter().map(|block| block.len() as u64).sum();
        assert_eq!(self.outcome.body_bytes(), bytes, "the outcome counts the bytes");
        assert_eq!(self.outcome.status(), self.status, "the outcome has the status that was sent");
        assert!(self.has_body || bytes == 0, "no bytes where no body is allowed");
        assert!(self.headers.get_all("content-length").iter().count() <= 1);
        if let Some(length) = self.length {
            assert!(bytes <= length, "never more than was promised");
            assert!(self.aborted || bytes == length, "a complete response has its length: {self:?}");
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A stream for errors in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

thread_local! {
    static ON_REACTOR: Cell<bool> = const { Cell::new(false) };
}

fn on_reactor<T>(reactor: bool, f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON_REACTOR.set(self.0);
        }
    }
    let _restore = Restore(ON_REACTOR.replace(reactor));
    f()
}

/// Counts how often it was dropped, and how often of these on a thread that must not block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drops {
    all: Arc<AtomicUsize>,
    on_reactor: Arc<AtomicUsize>,
}

impl Drops {
    pub(crate) fn all(&self) -> usize {
        self.all.load(Ordering::SeqCst)
    }

    pub(crate) fn on_reactor(&self) -> usize {
        self.on_reactor.load(Ordering::SeqCst)
    }

    pub(crate) fn note(&self) {
        self.all.fetch_add(1, Ordering::SeqCst);
        if ON_REACTOR.get() {
            self.on_reactor.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Something that is noted when it is dropped.
    pub(crate) fn probe(&self) -> Probe {
        Probe(self.clone())
    }
}

#[derive(Debug)]
pub(crate) struct Probe(Drops);

impl Probe {
    /// Called by a closure, so that it owns the probe.
    pub(crate) fn stays(&self) {}
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.note();
    }
}

/// Runs `f` on a thread of its own and fails where it never ends: a hang is a failure and not a run that never stops.
pub(crate) fn ends<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || drop(sender.send(f())));
    match receiver.recv_timeout(Duration::from_secs(30)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => unreachable!("the value was sent"),
        },
    }
}
