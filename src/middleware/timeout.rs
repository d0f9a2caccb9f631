//! `timeout`: no request takes longer than this.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::timer::{self, Alarm, Due};
use crate::application::App;
use crate::body::{Body, Source, Step, of_the_inner_body};
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
            // A call that does not block is over before anybody could be told.
            let watch = inner.may_block().then(|| Watch::begin(at, &cancellation));
            match inner.call(environ, start_response) {
                Ok(body) if body.as_full().is_none() => Ok(Body::source(Timed { body, at, cancellation, watch })),
                _ if has_passed(at) => Err(Fault::TimedOut.into()),
                result => result,
            }
        })
    }
}

fn has_passed(at: Instant) -> bool {
    Instant::now() >= at
}

/// Has the request told when its time has passed, and the task woken that pulls the body.
struct Watch {
    told: Arc<Told>,
    _alarm: Alarm,
}

struct Told {
    waker: Mutex<Option<Waker>>,
    cancellation: Cancellation,
}

impl Watch {
    fn begin(at: Instant, cancellation: &Cancellation) -> Self {
        let told = Arc::new(Told { waker: Mutex::new(None), cancellation: cancellation.clone() });
        let alarm = timer::set(at, Arc::clone(&told) as Arc<dyn Due>);
        Self { told, _alarm: alarm }
    }

    fn wakes(&self, cx: &Context<'_>) {
        match &mut *self.told.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

impl Due for Told {
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
    at: Instant,
    cancellation: Cancellation,
    /// Of an async application that answers at once there is nothing to watch.
    watch: Option<Watch>,
}

impl Timed {
    fn watch(&mut self, cx: &Context<'_>) {
        self.watch.get_or_insert_with(|| Watch::begin(self.at, &self.cancellation)).wakes(cx);
    }

    /// Drops the body, where that may block on a thread that may, so that what it holds of the start is given back.
    fn give_up(&mut self, may_block: bool) -> Step {
        if !may_block && self.body.drop_may_block() {
            return Step::NeedsThread;
        }
        self.watch = None;
        self.cancellation.expire();
        drop(std::mem::take(&mut self.body));
        Step::Failed(Fault::TimedOut.into())
    }
}

impl Source for Timed {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        if has_passed(self.at) {
            return self.give_up(may_block);
        }
        // Who waits within this pull can only be told by somebody else.
        if may_block || self.body.may_block() {
            self.watch(cx);
        }
        match self.body.poll_step(cx, may_block) {
            Step::NeedsThread => {
                self.watch(cx);
                Step::NeedsThread
            }
            // What a blocking pull gives late comes too late.
            _ if has_passed(self.at) => self.give_up(may_block),
            step @ (Step::End | Step::Failed(_)) => {
                self.watch = None;
                self.body.unwatched(step)
            }
            step => match self.body.unwatched(step) {
                Step::Become(body) => Step::Become(body),
                step => {
                    self.watch(cx);
                    // The clock looks for a waker when the time has come, so one of the two sees the other.
                    if has_passed(self.at) { self.give_up(may_block) } else { step }
                }
            },
        }
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    of_the_inner_body!();
}
