//! How a request ends: its outcome, the hooks that learn of it, and its cancellation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use http::StatusCode;

use crate::error::Fault;
use crate::start_response::{Slot, State};

/// What has become of a request, as [`Environ::on_finished`](crate::Environ::on_finished) is told.
///
/// ```
/// use vestibule::{End, Environ, Result, StartResponse, testing::TestServer};
///
/// fn app(mut environ: Environ, start_response: StartResponse) -> Result {
///     environ.on_finished(|outcome| {
///         assert_eq!((outcome.status().as_u16(), outcome.body_bytes()), (200, 5));
///         assert_eq!(outcome.end(), End::Complete);
///     });
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// }
/// TestServer::new(app).get("/").send();
/// ```
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(crate) seen: Seen,
    /// Who was authenticated, as a middleware has told whoever waits for the end.
    pub(crate) user: Option<Arc<str>>,
}

/// The part of an outcome that the exchange sees itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) body_bytes: u64,
    pub(crate) end: End,
}

impl Outcome {
    /// The status that was sent, or that would have been: 500 where nothing was committed.
    pub fn status(&self) -> StatusCode {
        self.seen.status
    }

    /// The bytes of the response body that were given to the transport, without framing.
    pub fn body_bytes(&self) -> u64 {
        self.seen.body_bytes
    }

    /// Whether the response went out whole, and what stopped it where it did not.
    pub fn end(&self) -> End {
        self.seen.end
    }
}

/// The ways in which a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The transport accepted every byte of the response.
    Complete,
    /// The client left before the end.
    Disconnected,
    /// The application or its body failed after the head was committed; the connection was aborted.
    Failed,
    /// A time limit ended the request.
    TimedOut,
}

/// Tells whether the client has left or the request's deadline has passed.
///
/// It is cheap to clone and a future: `select!` on it beside what takes long, or ask
/// [`is_cancelled`](Cancellation::is_cancelled) between two steps of blocking work. Get it from
/// [`Environ::cancellation`](crate::Environ::cancellation).
///
/// ```
/// # use vestibule::{Environ, Result, StartResponse};
/// fn app(environ: Environ, start_response: StartResponse) -> Result {
///     let cancellation = environ.cancellation();
///     for _step in 0..1000 {
///         if cancellation.is_cancelled() {
///             return Err("nobody waits for this any more".into());
///         }
///         // a bit of the work
///     }
///     start_response.start(200, ())?;
///     Ok("done".into())
/// }
/// ```
pub struct Cancellation {
    record: Arc<Record>,
    /// Tells the wakers of clones apart; 0 until it is polled.
    key: u64,
}

impl Cancellation {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Self { record, key: 0 }
    }

    /// Whether the client has left or the deadline has passed.
    pub fn is_cancelled(&self) -> bool {
        self.record.is_cancelled() || self.record.expired.load(Ordering::Acquire)
    }

    /// Says that the deadline has passed: the application is told, and the client is still to be answered.
    pub(crate) fn expire(&self) {
        self.record.tell(&self.record.expired);
    }

    /// What a wait ends with that it has ended.
    pub(crate) fn fault(&self) -> Fault {
        match self.record.is_cancelled() {
            true => Fault::Disconnected,
            false => Fault::TimedOut,
        }
    }
}

impl Clone for Cancellation {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.record))
    }
}

impl Future for Cancellation {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cancelled() {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut events = this.record.events();
        if this.key == 0 {
            events.last_key += 1;
            this.key = events.last_key;
        }
        match events.wakers.iter_mut().find(|(key, _)| *key == this.key) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => events.wakers.push((this.key, cx.waker().clone())),
        }
        // The flag is set before the wakers are taken, so one of the two is seen.
        drop(events);
        match this.is_cancelled() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        if self.key != 0 {
            let key = self.key;
            self.record.events().wakers.retain(|(other, _)| *other != key);
        }
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

type Finished = Box<dyn FnOnce(&Outcome) + Send>;

/// What an exchange, its `Environ` and its `StartResponse` share: one allocation a request.
pub(crate) struct Record {
    slot: Mutex<Slot>,
    /// The client has left: the exchange aborts.
    cancelled: AtomicBool,
    /// The deadline has passed: the exchange goes on with what the middleware answers that set it.
    expired: AtomicBool,
    /// Made by the first that needs them: most requests have none and every request has a record.
    events: OnceLock<Box<Mutex<Events>>>,
}

#[derive(Default)]
struct Events {
    finished: Vec<Finished>,
    wakers: Vec<(u64, Waker)>,
    last_key: u64,
    ended: Option<Outcome>,
    user: Option<Arc<str>>,
}

impl Record {
    pub(crate) fn new(state: State) -> Arc<Self> {
        Arc::new(Self {
            slot: Mutex::new(Slot { state, start: None }),
            cancelled: AtomicBool::new(false),
            expired: AtomicBool::new(false),
            events: OnceLock::new(),
        })
    }

    pub(crate) fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the record for an exchange, if none has it.
    pub(crate) fn begin(&self) -> bool {
        let mut slot = self.slot();
        let is_free = matches!(slot.state, State::Unused);
        if is_free {
            slot.state = State::Waiting;
        }
        is_free
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.events.get_or_init(Box::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cancel(&self) {
        self.tell(&self.cancelled);
    }

    fn tell(&self, flag: &AtomicBool) {
        flag.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut self.events().wakers);
        for (_, waker) in wakers {
            waker.wake();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Adds a hook; one that comes after the end is called at once.
    pub(crate) fn on_finished(&self, hook: Finished) {
        let mut events = self.events();
        match events.ended.clone() {
            None => events.finished.push(hook),
            Some(outcome) => {
                drop(events);
                hook(&outcome);
            }
        }
    }

    /// Notes the user for those who wait for the end; where nobody does, nothing.
    pub(crate) fn introduce(&self, user: &Arc<str>) {
        if self.events.get().is_some() {
            self.events().user = Some(Arc::clone(user));
        }
    }

    pub(crate) fn has_finish_hooks(&self) -> bool {
        self.events.get().is_some() && !self.events().finished.is_empty()
    }

    /// Whether nobody waits to hear of the end.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.events.get().is_none()
    }

    /// The outcome, and the hooks, the last added first; from now on the outcome is for those that come too late.
    pub(crate) fn finish(&self, seen: Seen) -> (Outcome, Vec<Finished>) {
        let mut events = self.events();
        let outcome = Outcome { seen, user: events.user.take() };
        events.ended = Some(outcome.clone());
        let mut hooks = std::mem::take(&mut events.finished);
        hooks.reverse();
        (outcome, hooks)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}
