//! What only the application sees, noted down for the client to ask for.
//!
//! A server may close after the client has its response, on another thread, or after the client has left. So the
//! application notes what happens, under the token of the request, and a later request reads it. The other way round,
//! a note of the client lets an application go on that waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;

use super::talk::TOKEN;
use crate::environ::Environ;
use crate::error::Result;

/// The most that is kept; a server of the suite may run for long.
const MAX_TOKENS: usize = 4096;
const MAX_NOTES: usize = 1024;
const MAX_NOTE: usize = 1024;

/// How long an application waits to be told to go on. Only a failing case waits so long.
const PATIENCE: Duration = Duration::from_secs(15);

type Log = VecDeque<(Arc<str>, Vec<String>)>;

static LOG: Mutex<Log> = Mutex::new(VecDeque::new());
static CHANGED: Condvar = Condvar::new();

fn log() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The notes of one request.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    token: Arc<str>,
}

impl Notes {
    /// The notes of the request that the environ is of.
    pub(super) fn of(environ: &Environ) -> Self {
        let token = environ.headers().get(TOKEN).and_then(|token| token.to_str().ok()).unwrap_or_default();
        Self { token: token.into() }
    }

    /// Adds a note.
    pub(super) fn add(&self, note: impl AsRef<str>) {
        let mut note = note.as_ref().replace('\n', " ");
        while note.len() > MAX_NOTE {
            note.pop();
        }
        let mut log = log();
        match log.iter_mut().find(|(token, _)| *token == self.token) {
            Some((_, notes)) if notes.len() < MAX_NOTES => notes.push(note),
            Some(_) => {}
            None => {
                if log.len() >= MAX_TOKENS {
                    log.pop_front();
                }
                log.push_back((Arc::clone(&self.token), vec![note]));
            }
        }
        drop(log);
        CHANGED.notify_all();
    }

    /// All notes so far, in their order.
    pub(super) fn all(&self) -> Vec<String> {
        self.look(&log()).to_vec()
    }

    fn look<'a>(&self, log: &'a Log) -> &'a [String] {
        log.iter().find(|(token, _)| *token == self.token).map_or(&[], |(_, notes)| notes)
    }

    /// Blocks the thread until the note is there: an `Err` when it does not come.
    pub(super) fn wait_for(&self, note: &str) -> Result<()> {
        let lacks = |log: &mut Log| !self.look(log).iter().any(|other| other == note);
        let (_log, waited) = CHANGED.wait_timeout_while(log(), PATIENCE, lacks).unwrap_or_else(PoisonError::into_inner);
        match waited.timed_out() {
            true => Err(format!("nobody noted {note:?}").into()),
            false => Ok(()),
        }
    }

    /// Awaits the note; another thread waits for it, since no gateway promises a timer.
    pub(super) async fn wait_for_async(&self, note: &'static str) -> Result<()> {
        let (done, waiting) = oneshot::channel();
        let notes = self.clone();
        std::thread::spawn(move || done.send(notes.wait_for(note)));
        waiting.await?
    }

    /// Notes, when the request has ended, how it did: `finished Complete 200 5`.
    pub(super) fn note_the_end(&self, environ: &mut Environ) {
        let notes = self.clone();
        environ.on_finished(move |outcome| {
            notes.add(format!("finished {:?} {} {}", outcome.end(), outcome.status().as_u16(), outcome.body_bytes()));
        });
    }
}
