//! What is counted.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// After so many errors nothing more is tried.
const MOST_ERRORS: usize = 100;

pub struct Tally {
    began: Instant,
    ends: Instant,
    /// How many requests may still be begun.
    left: Cell<usize>,
    micros: RefCell<Vec<u32>>,
    errors: Cell<usize>,
    first_error: RefCell<String>,
}

impl Tally {
    pub fn new(seconds: f64, requests: usize) -> Self {
        let began = Instant::now();
        Self {
            began,
            // A number of requests is what counts, where there is one.
            ends: began + if requests < usize::MAX { NEVER } else { Duration::from_secs_f64(seconds) },
            left: Cell::new(requests),
            micros: RefCell::default(),
            errors: Cell::new(0),
            first_error: RefCell::default(),
        }
    }

    /// Now, if one more request is to be sent.
    pub fn begin(&self) -> Option<Instant> {
        let now = Instant::now();
        let goes_on = now < self.ends && self.left.get() > 0 && self.errors.get() < MOST_ERRORS;
        goes_on.then(|| {
            self.left.set(self.left.get() - 1);
            now
        })
    }

    pub fn count(&self, began: Instant, is_right: bool) {
        match is_right {
            true => self.micros.borrow_mut().push(began.elapsed().as_micros() as u32),
            false => self.fail("a response was not what it has to be"),
        }
    }

    pub fn fail(&self, text: &str) {
        if self.errors.replace(self.errors.get() + 1) == 0 {
            text.clone_into(&mut self.first_error.borrow_mut());
        }
    }

    pub fn has_errors(&self) -> bool {
        self.errors.get() > 0
    }

    pub fn json(&self) -> String {
        let (seconds, mut micros) = (self.began.elapsed().as_secs_f64(), self.micros.borrow_mut());
        micros.sort_unstable();
        let percentile = |share: usize| micros.get(micros.len() * share / 100).copied().unwrap_or(0);
        let (requests, p50, p99, errors) = (micros.len(), percentile(50), percentile(99), self.errors.get());
        let first = self.first_error.borrow().replace(['"', '\\'], "'");
        format!(
            r#"{{"requests":{requests},"seconds":{seconds:.3},"rate":{:.0},"p50_us":{p50},"p99_us":{p99},"errors":{errors},"error":"{first}"}}"#,
            requests as f64 / seconds
        )
    }
}

const NEVER: Duration = Duration::from_secs(3600);
