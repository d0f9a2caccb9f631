//! `timeout`: no request takes longer than this.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::timer::{self, Alarm, Due};
use crate::application::App;
use crate::body::{Body, Source, Step};
use crate::error::Fault;
use crate::lifecycle::Cancellation;

/// Gives each request so much time, from the call to the end of its response.
///
/// When it has passed, [`Environ::cancellation`](crate::Environ::cancellation) says so, and a read of the input that
/// waits is an error. Before the head is committed the client gets a 503; after it the response is aborted, with
/// [`End::TimedOut`](crate::End::TimedOut) as its outcome. An event stream has no end: use
/// [`only_if`](super::only_if) to except it.
///
/// - An async application or body is dropped where it awaits.
/// - **A blocking application cannot be interrupted**: Rust has no way to stop a thread. Its call, or the pull of its
///   body, runs on until it returns, holds its thread so long, and what it returns late is replaced by the 503 or the
///   abort; the client waits until then. One that takes long should ask `is_cancelled()` between its steps, and give its
///   own calls of databases and other servers a time limit.
///
/// A client that is slow to take what is there is the gateway's to deal with: it has limits of its own.
///
/// The time is kept by one thread of the crate, which is shared by all and started with the first need. A duration that
/// no clock can count is no limit.
///
/// ```
/// use std::time::Duration;
/// use vestibule::{async_fn, middleware, testing::TestServer};
///
/// let app = async_fn(|_environ, start_response| async move {
///     std::future::pending::<()>().await; // a server that never answers
///     start_response.start(200, ())?;
///     Ok("".into())
/// });
/// let app = app.wrap(middleware::timeout(Duration::from_millis(10)));
/// assert_eq!(TestServer::new(app).get("/").send().status(), 503);
/// ```
pub fn timeout(duration: Duration) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    move |inner| {
        App::around(inner, move |inner, environ, start_response| {
            let Some(at) = Instant::now().checked_add(duration) else { return inner.call(environ, start_response) };
            let cancellation = environ.cancellation();
            let deadline = Arc::new(Deadline { at, waker: Mutex::new(None), cancellation });
            // A call that does not block is over before anybody could be told.
            let alarm = inner.may_block().then(|| deadline.alarm());
            match inner.call(environ, start_response) {
                Ok(body) if body.as_full().is_none() => {
                    let alarm = Some(alarm.unwrap_or_else(|| deadline.alarm()));
                    Ok(Body::source(Timed { body, deadline, alarm }))
                }
                _ if deadline.has_passed() => Err(Fault::TimedOut.into()),
                result => result,
            }
        })
    }
}

/// The end of a request's time, and who is to be told of it.
struct Deadline {
    at: Instant,
    /// The task that pulls the body.
    waker: Mutex<Option<Waker>>,
    cancellation: Cancellation,
}

impl Deadline {
    fn alarm(self: &Arc<Self>) -> Alarm {
        timer::set(self.at, Arc::clone(self) as Arc<dyn Due>)
    }

    fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Whether it has passed; if not, the task is woken when it does.
    fn has_passed_or_wakes(&self, cx: &Context<'_>) -> bool {
        if self.has_passed() {
            return true;
        }
        match &mut *self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        // The alarm looks for a waker when the time has come, so one of the two sees the other.
        self.has_passed()
    }
}

impl Due for Deadline {
    fn due(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.cancellation.expire();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A body that ends when its time has passed.
struct Timed {
    body: Body,
    deadline: Arc<Deadline>,
    alarm: Option<Alarm>,
}

impl Timed {
    /// Drops the body, where that may block on a thread that may, so that what it holds of the start is given back.
    fn give_up(&mut self, may_block: bool) -> Step {
        if !may_block && self.body.drop_may_block() {
            return Step::NeedsThread;
        }
        self.alarm = None;
        drop(std::mem::take(&mut self.body));
        Step::Failed(Fault::TimedOut.into())
    }
}

impl Source for Timed {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        if self.deadline.has_passed_or_wakes(cx) {
            return self.give_up(may_block);
        }
        match self.body.poll_step(cx, may_block) {
            Step::NeedsThread => Step::NeedsThread,
            // What a blocking pull gives late comes too late.
            _ if self.deadline.has_passed() => self.give_up(may_block),
            step => {
                if matches!(step, Step::End | Step::Failed(_)) {
                    self.alarm = None;
                }
                self.body.unwatched(step)
            }
        }
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    fn may_block(&self) -> bool {
        self.body.may_block()
    }

    fn drop_may_block(&self) -> bool {
        self.body.drop_may_block()
    }

    fn is_deferred(&self) -> bool {
        self.body.is_deferred()
    }
}
