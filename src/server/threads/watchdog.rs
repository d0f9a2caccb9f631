//! The watchdog of the pool: it sees jobs that wait while all threads are busy.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::pool::{Shared, Tick};

/// How often it looks.
const TICK: Duration = Duration::from_millis(1);

/// After how many ticks without work it sleeps until there is some.
const QUIET_TICKS: u32 = 100;

/// A thread that is started with the first job. While there is work it ticks; else it sleeps.
#[derive(Default)]
pub(super) struct Watchdog {
    is_awake: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Watchdog {
    /// There is work, or the pool is gone.
    pub(super) fn watch(&self, pool: &Arc<Shared>) {
        if self.is_awake.load(Ordering::Relaxed) || self.is_awake.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match &*thread {
            Some(thread) => thread.unpark(),
            None => {
                let pool = Arc::clone(pool);
                // Without it the hot threads still do all work; the next job tries again.
                match thread::Builder::new().name("vestibule-watch".to_owned()).spawn(move || tick(&pool)) {
                    Ok(started) => *thread = Some(started.thread().clone()),
                    Err(_) => self.is_awake.store(false, Ordering::Release),
                }
            }
        }
    }

    fn is_awake(&self) -> bool {
        self.is_awake.load(Ordering::Acquire)
    }
}

fn tick(pool: &Arc<Shared>) {
    let (mut quiet, mut last) = (0, Tick::default());
    while !pool.is_closed() {
        thread::sleep(TICK);
        quiet = if pool.tick(&mut last) { 0 } else { quiet + 1 };
        if quiet < QUIET_TICKS {
            continue;
        }
        quiet = 0;
        pool.watchdog().is_awake.store(false, Ordering::Release);
        // A job that came before that was not announced.
        if pool.tick(&mut last) {
            pool.watchdog().is_awake.store(true, Ordering::Release);
        }
        while !pool.watchdog().is_awake() && !pool.is_closed() {
            thread::park();
        }
    }
}
