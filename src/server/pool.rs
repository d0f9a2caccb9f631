//! The pool: threads that may block.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::catching;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A pool of threads that start on demand. Jobs wait in one queue.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Owner>);

/// Tells the threads to leave when the last handle is gone and the queue is empty.
struct Owner {
    shared: Arc<Shared>,
    max: usize,
    queue: usize,
    /// The runtime that pool threads are inside of, so that `tokio::spawn` works in an application.
    runtime: Option<tokio::runtime::Handle>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    started: u64,
    closed: bool,
}

impl Pool {
    /// A pool of at most `max` threads with at most `queue` refusable jobs waiting.
    pub(crate) fn new(max: usize, queue: usize) -> Self {
        let runtime = tokio::runtime::Handle::try_current().ok();
        Self(Arc::new(Owner { shared: Arc::default(), max, queue, runtime }))
    }

    /// Runs a job on a thread; gives it back when all are busy and the queue is full.
    pub(crate) fn try_run(&self, job: Job) -> Result<(), Job> {
        self.submit(job, true)
    }

    /// Runs a job on a thread, however many wait: what was begun must be ended.
    pub(crate) fn run(&self, job: Job) {
        if let Err(job) = self.submit(job, false) {
            // No thread could be started, and there is none: better late here than never.
            job();
        }
    }

    /// Waits until no job is queued or running.
    pub(crate) async fn settled(&self) {
        while {
            let state = self.0.shared.state();
            !state.jobs.is_empty() || state.idle < state.threads
        } {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn submit(&self, job: Job, refusable: bool) -> Result<(), Job> {
        let owner = &*self.0;
        let mut state = owner.shared.state();
        if state.idle > state.jobs.len() {
            state.jobs.push_back(job);
            owner.shared.work.notify_one();
            return Ok(());
        }
        if state.threads < owner.max && owner.start_thread(&mut state) {
            state.jobs.push_back(job);
            return Ok(());
        }
        if state.threads == 0 || (refusable && state.jobs.len() >= owner.queue) {
            return Err(job);
        }
        state.jobs.push_back(job);
        Ok(())
    }
}

impl Owner {
    fn start_thread(&self, state: &mut State) -> bool {
        let (shared, runtime) = (Arc::clone(&self.shared), self.runtime.clone());
        let name = format!("vestibule-{}", state.started);
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            let _inside = runtime.as_ref().map(tokio::runtime::Handle::enter);
            shared.work();
        });
        if spawned.is_ok() {
            state.started += 1;
            state.threads += 1;
        }
        spawned.is_ok()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does: jobs, until there have been none for a while.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // Jobs catch the panics of applications; this one is for ours, so that the count of threads stays true.
                let _ = catching(job);
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.work.notify_all();
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.0.shared.state();
        f.debug_struct("Pool").field("threads", &state.threads).field("waiting", &state.jobs.len()).finish()
    }
}
