//! The pool: threads that may block.
//!
//! A few `hot` threads stay; more come when a job has waited for a tick of the [watchdog](super::watchdog), up to a
//! maximum, and leave when they have been idle. Idle threads stand in a stack, so that the one that ran last runs next
//! and those at the bottom are really idle. At most one wake-up is under way: a thread that wakes and leaves jobs behind
//! wakes the next. A wake-up costs more than most jobs, and a thread that is awake often gets to them first.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::Handle;

use super::completions::Completions;
use super::watchdog::Watchdog;
use crate::error::catching;
use endings::Endings;

mod endings;
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod settled;

/// How long a thread beyond the hot ones stays without work.
const IDLE: Duration = Duration::from_secs(10);

/// How often a thread without work lets others run, who may bring some, before it sleeps.
const YIELDS: u32 = 3;

/// Work for a thread.
pub(crate) enum Job {
    /// The next part of something that comes back again and again, and needs no box for it.
    Part(Arc<dyn Part>),
    Once(Box<dyn FnOnce() + Send>),
}

/// See [`Job::Part`].
pub(crate) trait Part: Send + Sync {
    fn run(self: Arc<Self>);

    /// Whether a slow client may draw it out. Such parts take at most half of the threads.
    fn receives(&self) -> bool;
}

/// How many threads there are, and how many jobs may wait for one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) hot: usize,
    pub(crate) max: usize,
    pub(crate) queue: usize,
}

impl Size {
    /// How many threads may wait for clients that are still sending.
    fn receiving(&self) -> usize {
        (self.max / 2).max(1)
    }
}

/// A pool of threads that start on demand. Jobs wait in one queue.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Owner>);

/// Tells the threads to leave when the last handle is gone and the queue is empty.
struct Owner {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the thread for [`Endings`].
    ends: Condvar,
    watchdog: Watchdog,
    completions: Arc<Completions>,
    size: Size,
    idle: Duration,
    /// The runtime that pool threads are inside of, so that `tokio::spawn` works in an application.
    runtime: Option<Handle>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// How many of those that are queued or running receive from a client.
    receiving: usize,
    /// More of that kind than may take part at once.
    held: VecDeque<Job>,
    endings: Endings,
    /// How many jobs were ever taken from the queue, which numbers those in it.
    taken: u64,
    running: usize,
    /// The idle threads; the one that ran last is on top.
    seats: Vec<Arc<Seat>>,
    /// A thread was woken and has not come to the queue yet.
    is_waking: bool,
    threads: usize,
    started: u64,
    is_closed: bool,
    /// Who waits until there is nothing to do.
    settled: Vec<Waker>,
}

/// What the watchdog saw at a tick: how many jobs had ended, and the number of the first that came later.
#[derive(Default)]
pub(super) struct Tick {
    ended: u64,
    until: u64,
}

/// Where a thread waits.
struct Seat {
    thread: Thread,
    is_called: AtomicBool,
}

impl Pool {
    pub(crate) fn new(size: Size) -> Self {
        Self::with_idle(size, IDLE)
    }

    fn with_idle(size: Size, idle: Duration) -> Self {
        let runtime = Handle::try_current().ok();
        let completions = Completions::new(runtime.as_ref());
        let (state, watchdog) = (Mutex::default(), Watchdog::default());
        let shared = Shared { state, ends: Condvar::new(), watchdog, completions, size, idle, runtime };
        Self(Arc::new(Owner { shared: Arc::new(shared) }))
    }

    /// Runs a job on a thread; gives it back when all are busy and the queue is full.
    pub(crate) fn try_run(&self, job: Job) -> Result<(), Job> {
        self.submit(job, true)
    }

    /// Runs a job on a thread, however many wait: what was begun must go on.
    pub(crate) fn run(&self, job: Job) {
        if let Err(job) = self.submit(job, false) {
            // No thread could be started, and there is none: better late here than never.
            job.run();
        }
    }

    /// Runs the end of a request, also when all threads are held by calls that do not end.
    pub(crate) fn end(&self, job: Job) {
        match self.0.shared.end(job) {
            Ok(()) => {}
            Err(job) => self.run(job),
        }
    }

    /// Wakes a task of the reactor, from a thread of the pool.
    pub(crate) fn wake(&self, waker: Waker) {
        self.0.shared.completions.wake(waker);
    }

    fn submit(&self, job: Job, refusable: bool) -> Result<(), Job> {
        let shared = &self.0.shared;
        let mut state = shared.state();
        let size = &shared.size;
        if refusable && state.running + state.jobs.len() + state.held.len() >= size.max + size.queue {
            return Err(job);
        }
        if job.receives() {
            if state.receiving == size.receiving() {
                state.held.push_back(job);
                return Ok(());
            }
            state.receiving += 1;
        }
        // The hot threads come with the first jobs; of the others the watchdog decides.
        if state.seats.is_empty() && state.threads < size.hot && !shared.start_thread(&mut state) && state.threads == 0
        {
            state.receiving -= usize::from(job.receives());
            return Err(job);
        }
        shared.enqueue(state, job);
        shared.watchdog.watch(shared);
        Ok(())
    }
}

impl Job {
    /// Whether a task of the reactor waits for it.
    fn wakes(&self) -> bool {
        matches!(self, Self::Part(_))
    }

    fn receives(&self) -> bool {
        matches!(self, Self::Part(part) if part.receives())
    }

    fn run(self) {
        match self {
            Self::Part(part) => part.run(),
            Self::Once(run) => run(),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job into the queue, and calls a thread for it where that is needed.
    fn enqueue(&self, mut state: MutexGuard<'_, State>, job: Job) {
        let wakes = job.wakes();
        state.jobs.push_back(job);
        let next = state.call_next();
        drop(state);
        call(next);
        if wakes {
            self.completions.begin();
        }
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> bool {
        let is_started = self.spawn(state.started);
        if is_started {
            state.started += 1;
            state.threads += 1;
        }
        is_started
    }

    fn spawn(self: &Arc<Self>, number: u64) -> bool {
        let shared = Arc::clone(self);
        let spawned = thread::Builder::new().name(format!("vestibule-{number}")).spawn(move || {
            let runtime = shared.runtime.clone();
            let _inside = runtime.as_ref().map(Handle::enter);
            shared.work();
        });
        spawned.is_ok()
    }

    /// What a thread does: jobs, until it is one too many or the pool is gone.
    fn work(&self) {
        let seat = Arc::new(Seat { thread: thread::current(), is_called: AtomicBool::new(false) });
        let (mut state, mut yields) = (self.state(), 0);
        loop {
            while let Some(job) = state.jobs.pop_front() {
                yields = 0;
                state.taken += 1;
                state.running += 1;
                let next = state.call_next();
                drop(state);
                call(next);
                // Jobs catch the panics of applications; this one is for ours, so that the counts stay true.
                let (wakes, received) = (job.wakes(), job.receives());
                let _ = catching(|| job.run());
                if wakes {
                    self.completions.end();
                }
                state = self.state();
                state.running -= 1;
                if received {
                    state = self.release(state);
                }
            }
            state.tell_settled();
            if state.is_closed {
                break;
            }
            if yields < YIELDS {
                yields += 1;
                drop(state);
                thread::yield_now();
                state = self.state();
                continue;
            }
            yields = 0;
            let is_spare = state.threads > self.size.hot;
            state.seats.push(Arc::clone(&seat));
            drop(state);
            let was_called = seat.wait(is_spare.then_some(self.idle));
            state = self.state();
            if was_called {
                state.is_waking = false;
                continue;
            }
            match state.seats.iter().position(|other| Arc::ptr_eq(other, &seat)) {
                Some(at) => {
                    state.seats.remove(at);
                    // Others may have left while this one was idle.
                    if state.threads > self.size.hot && state.jobs.is_empty() {
                        break;
                    }
                }
                // It was called in the last moment.
                None => {
                    seat.is_called.store(false, Ordering::Relaxed);
                    state.is_waking = false;
                }
            }
        }
        state.threads -= 1;
    }

    /// A job that received is over: the next one that was held back for it takes its place.
    fn release<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        match state.held.pop_front() {
            None => {
                state.receiving -= 1;
                state
            }
            Some(job) => {
                self.enqueue(state, job);
                self.state()
            }
        }
    }

    /// A tick of the watchdog: lets more threads in for the jobs that have waited since the last one. False when nothing
    /// is queued or running.
    pub(super) fn tick(self: &Arc<Self>, last: &mut Tick) -> bool {
        let mut state = self.state();
        let mut waiting = usize::try_from(last.until.saturating_sub(state.taken)).unwrap_or(usize::MAX);
        let ended = state.taken - state.running as u64;
        if waiting > 0 {
            // As many as have ended since the last tick will end before the next one: a burst needs few more threads.
            let ending = usize::try_from(ended - last.ended).unwrap_or(usize::MAX);
            waiting = waiting.saturating_sub(ending).max(1);
        }
        *last = Tick { ended, until: state.taken + state.jobs.len() as u64 };
        let (mut called, first) = (Vec::new(), state.started);
        for _ in 0..waiting {
            match state.seats.pop() {
                Some(seat) => called.push(seat),
                None if state.threads < self.size.max => {
                    state.threads += 1;
                    state.started += 1;
                }
                None => break,
            }
        }
        state.is_waking |= !called.is_empty();
        let numbers = first..state.started;
        let is_busy = state.running > 0 || !state.jobs.is_empty();
        drop(state);
        for seat in called {
            call(Some(seat));
        }
        // Not under the lock, which the reactor waits for.
        let failed = numbers.filter(|&number| !self.spawn(number)).count();
        if failed > 0 {
            self.state().threads -= failed;
        }
        is_busy
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    pub(super) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }
}

impl State {
    /// The thread to be called for what waits, if one is needed and none is on its way.
    fn call_next(&mut self) -> Option<Arc<Seat>> {
        if self.jobs.is_empty() || self.is_waking {
            return None;
        }
        let seat = self.seats.pop();
        self.is_waking = seat.is_some();
        seat
    }

    /// Nothing is left to do. What is held back waits for one that runs.
    fn is_settled(&self) -> bool {
        self.running == 0 && self.jobs.is_empty() && self.endings.is_empty()
    }

    fn tell_settled(&mut self) {
        if self.is_settled() {
            for waker in self.settled.drain(..) {
                waker.wake();
            }
        }
    }
}

impl Seat {
    /// Waits to be called; false when that took longer than the thread stays.
    fn wait(&self, patience: Option<Duration>) -> bool {
        loop {
            if self.is_called.swap(false, Ordering::Acquire) {
                return true;
            }
            match patience {
                None => thread::park(),
                Some(patience) => {
                    thread::park_timeout(patience);
                    return self.is_called.swap(false, Ordering::Acquire);
                }
            }
        }
    }
}

fn call(seat: Option<Arc<Seat>>) {
    if let Some(seat) = seat {
        seat.is_called.store(true, Ordering::Release);
        seat.thread.unpark();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.completions.close();
        let mut state = self.shared.state();
        state.is_closed = true;
        self.shared.ends.notify_one();
        let seats = std::mem::take(&mut state.seats);
        drop(state);
        for seat in seats {
            call(Some(seat));
        }
        self.shared.watchdog.watch(&self.shared);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.shared.state();
        f.debug_struct("Pool").field("threads", &state.threads).field("waiting", &state.jobs.len()).finish()
    }
}

#[cfg(test)]
mod tests;
