//! How threads of the pool wake tasks of the reactor.
//!
//! A wake-up from another thread costs a reactor of one thread a lock and a system call each, and often the way into
//! sleep and out of it. So the tasks are put on a list, and one task of the reactor wakes them from there. It is woken only
//! where it was not already; and while jobs are running that have only just begun, it looks a few times by itself before
//! the reactor sleeps, since most calls of an application are over by then.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use futures::task::AtomicWaker;
use tokio::runtime::{Handle, RuntimeFlavor};

/// How often the reactor looks, and lets other threads run in between, before it sleeps. Measured at 1 to 64 connections:
/// fewer make it sleep too often, more cost more than they save where calls take longer.
const LOOKS: u32 = 20;

pub(super) struct Completions {
    /// Without it every task is woken by itself.
    is_batched: bool,
    woken: Mutex<Vec<Waker>>,
    /// How many jobs are queued or running whose end wakes a task.
    due: AtomicUsize,
    /// The task that empties the list looks at it again by itself.
    is_notified: AtomicBool,
    notified: AtomicWaker,
    is_closed: AtomicBool,
    /// Nobody empties the list any more: the pool is gone, or the runtime is.
    is_gone: AtomicBool,
}

/// What empties the list has ended, perhaps with its runtime.
struct Gone(Arc<Completions>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.is_gone.store(true, Ordering::Release);
        self.0.wake_all(&mut Vec::new());
    }
}

impl Completions {
    /// The list of a reactor; one of several threads wakes its tasks well enough itself.
    pub(super) fn new(runtime: Option<&Handle>) -> Arc<Self> {
        let reactor = runtime.filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        let completions = Arc::new(Self {
            is_batched: reactor.is_some(),
            woken: Mutex::default(),
            due: AtomicUsize::new(0),
            is_notified: AtomicBool::new(false),
            notified: AtomicWaker::new(),
            is_closed: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
        });
        if let Some(reactor) = reactor {
            reactor.spawn(Self::run(Gone(Arc::clone(&completions))));
        }
        completions
    }

    pub(super) fn wake(&self, waker: Waker) {
        if !self.is_batched {
            return waker.wake();
        }
        self.woken().push(waker);
        self.notify();
        // The flag is set before the list is emptied for the last time, so one of the two sees this.
        if self.is_gone.load(Ordering::Acquire) {
            self.wake_all(&mut Vec::new());
        }
    }

    /// A job begins that will wake a task.
    pub(super) fn begin(&self) {
        if self.is_batched {
            self.due.fetch_add(1, Ordering::Relaxed);
            self.notify();
        }
    }

    pub(super) fn end(&self) {
        if self.is_batched {
            self.due.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn notify(&self) {
        if !self.is_notified.swap(true, Ordering::AcqRel) {
            self.notified.wake();
        }
    }

    /// The reactor's task ends, when it has woken the last.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.notified.wake();
    }

    async fn run(list: Gone) {
        let this = &*list.0;
        let (mut looks, mut woken) = (0, Vec::new());
        poll_fn(|cx| {
            this.notified.register(cx.waker());
            if this.wake_all(&mut woken) {
                looks = 0;
            }
            if this.is_closed.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            if this.due.load(Ordering::Relaxed) > 0 && looks < LOOKS {
                // The first time, other tasks may have something to do.
                if looks > 0 {
                    thread::yield_now();
                }
                looks += 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            looks = 0;
            this.is_notified.store(false, Ordering::Release);
            // What came before that was not announced.
            this.wake_all(&mut woken);
            Poll::Pending
        })
        .await;
    }

    /// Wakes the tasks of the list; false when there is none. The vector is kept for its memory.
    fn wake_all(&self, woken: &mut Vec<Waker>) -> bool {
        std::mem::swap(&mut *self.woken(), woken);
        let some = !woken.is_empty();
        woken.drain(..).for_each(Waker::wake);
        some
    }

    fn woken(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
