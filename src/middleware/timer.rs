//! The clock of the crate: one thread that tells when a time has come, for all who wait for one.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::catching;

/// How long the thread stays when nobody waits for a time.
const IDLE: Duration = Duration::from_secs(10);

/// Who is told that its time has come, on the thread of the clock: it must not block.
pub(super) trait Due: Send + Sync {
    fn due(&self);
}

/// A time that somebody waits for, until this is dropped.
pub(super) struct Alarm {
    key: Key,
}

/// When, and a number that tells alarms of the same time apart.
type Key = (Instant, u64);

struct Clock {
    state: Mutex<State>,
    /// There is an earlier time to look at.
    earlier: Condvar,
}

struct State {
    alarms: BTreeMap<Key, Arc<dyn Due>>,
    last: u64,
    /// When the thread looks again; `None` where there is no thread. Alarms of one duration come in the order of their
    /// times, so hardly any has to wake it.
    looks_at: Option<Instant>,
}

static CLOCK: Clock =
    Clock { state: Mutex::new(State { alarms: BTreeMap::new(), last: 0, looks_at: None }), earlier: Condvar::new() };

/// Has somebody told at a time. The thread is started with the first need, and ends when there was none for a while.
pub(super) fn set(at: Instant, due: Arc<dyn Due>) -> Alarm {
    let mut state = CLOCK.state();
    state.last += 1;
    let key = (at, state.last);
    state.alarms.insert(key, due);
    match state.looks_at {
        Some(looks_at) if looks_at <= at => {}
        Some(_) => {
            state.looks_at = Some(at);
            CLOCK.earlier.notify_one();
        }
        None => {
            let started = thread::Builder::new().name("vestibule-clock".to_owned()).spawn(run);
            // Without it the time is still seen by who looks at it; the next alarm tries again.
            state.looks_at = started.is_ok().then_some(at);
        }
    }
    Alarm { key }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // What is removed is dropped when the lock is free again.
        let _removed = CLOCK.state().alarms.remove(&self.key);
    }
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run() {
    let mut state = CLOCK.state();
    loop {
        let now = Instant::now();
        let next = state.alarms.first_key_value().map(|(key, _)| key.0);
        if next.is_some_and(|next| next <= now) {
            let later = state.alarms.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut state.alarms, later);
            state.looks_at = Some(now);
            drop(state);
            for one in due.into_values() {
                // It wakes tasks and may be the last to hold them, which is code of others: a panic must not stop the clock.
                let _ = catching(move || {
                    one.due();
                    drop(one);
                });
            }
            state = CLOCK.state();
            continue;
        }
        let wait = next.map_or(IDLE, |next| next - now);
        state.looks_at = Some(now + wait);
        let (woken, timeout) = CLOCK.earlier.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
        state = woken;
        if next.is_none() && timeout.timed_out() && state.alarms.is_empty() {
            state.looks_at = None;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    struct Told(&'static str, mpsc::Sender<&'static str>);

    impl Due for Told {
        fn due(&self) {
            match self.0 {
                "panics" => std::panic::resume_unwind(Box::new("a waker that panics")),
                name => self.1.send(name).unwrap(),
            }
        }
    }

    /// Holds the clock until it is let go.
    struct Gate(mpsc::Sender<&'static str>, Mutex<mpsc::Receiver<()>>);

    impl Due for Gate {
        fn due(&self) {
            self.0.send("held").unwrap();
            self.1.lock().unwrap().recv().unwrap();
        }
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn all_are_told_in_the_order_of_their_times_but_those_who_gave_up() {
        let (told, tells) = mpsc::channel();
        let (opens, open) = mpsc::channel();
        let now = Instant::now();
        let gate = set(now, Arc::new(Gate(told.clone(), Mutex::new(open))));
        assert_eq!(tells.recv_timeout(PATIENCE), Ok("held"));
        let alarm = |name, after| set(now + Duration::from_millis(after), Arc::new(Told(name, told.clone())));
        let alarms = [alarm("third", 4), alarm("first", 1), alarm("panics", 2), alarm("second", 3), alarm("last", 50)];
        drop(alarm("gave up", 1));
        opens.send(()).unwrap();
        for expected in ["first", "second", "third", "last"] {
            assert_eq!(tells.recv_timeout(PATIENCE), Ok(expected));
        }
        assert!(now.elapsed() >= Duration::from_millis(50), "nobody is told too early");
        drop((gate, alarms));
        assert!(tells.try_recv().is_err());
    }

    #[test]
    fn what_is_dropped_is_kept_no_longer() {
        let (told, tells) = mpsc::channel();
        let far = set(Instant::now() + Duration::from_secs(3600), Arc::new(Told("far", told)));
        let key = far.key;
        assert!(CLOCK.state().alarms.contains_key(&key));
        drop(far);
        assert!(!CLOCK.state().alarms.contains_key(&key));
        assert!(tells.recv().is_err(), "nobody is left to send");
    }

    struct Fragile;

    impl Due for Fragile {
        fn due(&self) {}
    }

    impl Drop for Fragile {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a drop that panics"));
        }
    }

    #[test]
    fn what_panics_when_it_is_dropped_does_not_stop_the_clock() {
        let (told, tells) = mpsc::channel();
        let now = Instant::now();
        let _alarms =
            [set(now, Arc::new(Fragile)), set(now + Duration::from_millis(20), Arc::new(Told("later", told)))];
        assert_eq!(tells.recv_timeout(PATIENCE), Ok("later"));
    }
}
