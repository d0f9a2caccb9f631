//! How threads of the pool wake tasks of the reactor.
//!
//! A wake-up from another thread costs a reactor of one thread a lock and a system call each. So the tasks are put on a
//! list, and one task of the reactor, which is woken only where it was not already, wakes them from there.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use futures::task::AtomicWaker;
use tokio::runtime::{Handle, RuntimeFlavor};

pub(super) struct Completions {
    /// Without it every task is woken by itself.
    is_batched: bool,
    woken: Mutex<Vec<Waker>>,
    /// The task that empties the list knows that there is something.
    is_notified: AtomicBool,
    notified: AtomicWaker,
    is_closed: AtomicBool,
}

impl Completions {
    /// The list of a reactor; one of several threads wakes its tasks well enough itself.
    pub(super) fn new(runtime: Option<&Handle>) -> Arc<Self> {
        let reactor = runtime.filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        let completions = Arc::new(Self {
            is_batched: reactor.is_some(),
            woken: Mutex::default(),
            is_notified: AtomicBool::new(false),
            notified: AtomicWaker::new(),
            is_closed: AtomicBool::new(false),
        });
        if let Some(reactor) = reactor {
            reactor.spawn(Arc::clone(&completions).run());
        }
        completions
    }

    pub(super) fn wake(&self, waker: Waker) {
        if !self.is_batched {
            return waker.wake();
        }
        self.woken().push(waker);
        if !self.is_notified.swap(true, Ordering::AcqRel) {
            self.notified.wake();
        }
    }

    /// The reactor's task ends, when it has woken the last.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.notified.wake();
    }

    async fn run(self: Arc<Self>) {
        let mut woken = Vec::new();
        poll_fn(|cx| {
            self.notified.register(cx.waker());
            self.is_notified.store(false, Ordering::Release);
            std::mem::swap(&mut *self.woken(), &mut woken);
            for waker in woken.drain(..) {
                waker.wake();
            }
            match self.is_closed.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn woken(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
