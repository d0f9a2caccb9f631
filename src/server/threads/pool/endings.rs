//! A thread for the ends of requests, when all others are held by calls.
//!
//! The hooks of a request that was answered, or refused, must run however long the calls of others take, and what waits
//! for them must not pile up.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::thread;

use tokio::runtime::Handle;

use super::{Job, Shared};
use crate::error::catching;

#[derive(Default)]
pub(super) struct Endings {
    jobs: VecDeque<Job>,
    is_running: bool,
    pub(super) has_thread: bool,
}

impl Endings {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && !self.is_running
    }
}

impl Shared {
    /// Runs a job on the thread for the ends; gives it back where the other threads have time for it.
    pub(super) fn end(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let mut state = self.state();
        if state.running < self.size.max {
            return Err(job);
        }
        if !state.endings.has_thread {
            let shared = Arc::clone(self);
            let spawned = thread::Builder::new().name("vestibule-end".to_owned()).spawn(move || {
                let runtime = shared.runtime.clone();
                let _inside = runtime.as_ref().map(Handle::enter);
                shared.work_endings();
            });
            if spawned.is_err() {
                return Err(job);
            }
            state.endings.has_thread = true;
        }
        state.endings.jobs.push_back(job);
        drop(state);
        self.ends.notify_one();
        Ok(())
    }

    fn work_endings(&self) {
        let mut state = self.state();
        loop {
            while let Some(job) = state.endings.jobs.pop_front() {
                state.endings.is_running = true;
                drop(state);
                let _ = catching(|| job.run());
                state = self.state();
                state.endings.is_running = false;
            }
            state.tell_settled();
            if state.is_closed {
                break;
            }
            let waited = self.ends.wait_timeout(state, self.idle);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = now;
            if timeout.timed_out() && state.endings.jobs.is_empty() {
                break;
            }
        }
        state.endings.has_thread = false;
    }
}
