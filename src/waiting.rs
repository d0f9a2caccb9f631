//! Waiting on a thread for what is polled, and refusing the waits that could never end.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::error::{Fault, Result};

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place { reactor: false, call: 0 }) };
}

/// What the thread is doing for the exchange that runs on it.
#[derive(Clone, Copy)]
struct Place {
    /// The thread receives what others wait for, so it may not wait itself.
    reactor: bool,
    /// Non-zero while an application's `call` runs on the thread: the number of that call.
    call: u64,
}

/// Restores the place that the thread was in, also when the application panics.
pub(crate) struct Restore(Place);

impl Drop for Restore {
    fn drop(&mut self) {
        PLACE.set(self.0);
    }
}

/// Marks the thread as one that must not wait (`reactor`), until the guard is dropped.
pub(crate) fn enter(reactor: bool) -> Restore {
    let before = PLACE.get();
    PLACE.set(Place { reactor, ..before });
    Restore(before)
}

/// As [`enter`], and marks the thread as being inside an application's `call`.
pub(crate) fn enter_call(reactor: bool) -> Restore {
    /// Numbers the calls, so that a wait inside one can tell that it waits for itself.
    static CALLS: AtomicU64 = AtomicU64::new(1);
    Restore(PLACE.replace(Place { reactor, call: CALLS.fetch_add(1, Ordering::Relaxed) }))
}

/// The same for a `call` that a middleware makes in the course of a pull; one within another call is part of that.
pub(crate) fn enter_late_call() -> Restore {
    match PLACE.get() {
        Place { reactor, call: 0 } => enter_call(reactor),
        place => Restore(place),
    }
}

impl Restore {
    /// After [`enter_call`]: the call has returned. What follows is still on a thread of that kind.
    pub(crate) fn leave_call(&self) {
        PLACE.set(Place { call: self.0.call, ..PLACE.get() });
    }
}

/// The number of the `call` that runs on this thread, or 0.
pub(crate) fn current_call() -> u64 {
    PLACE.get().call
}

/// Polls until there is a result, with this thread asleep in between.
///
/// It nests and needs no runtime: `futures::executor::block_on` panics when nested.
/// `cure` is the text of the error that a thread gets on which the wait would never end.
pub(crate) fn wait<T>(cure: &'static str, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Result<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // The first poll is for free: most waits are over at once.
    if let Poll::Ready(value) = poll(&mut Context::from_waker(Waker::noop())) {
        return Ok(value);
    }
    if PLACE.get().reactor {
        return Err(Fault::EndlessWait(cure).into());
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match poll(&mut context) {
            Poll::Ready(value) => return Ok(value),
            Poll::Pending => thread::park(),
        }
    }
}
