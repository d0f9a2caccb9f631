//! A request body on its way from a connection, which reads it, to the application, which may be on another thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;
use futures::task::AtomicWaker;

use crate::body::{Source, Step};
use crate::error::{Error, Fault};

/// How much of a body may wait for the application, in bytes, each block with what it takes itself. When it is so much,
/// nothing more is read.
const WINDOW: usize = 256 * 1024;

/// The end that the application reads.
pub(crate) struct Feed(Arc<Shared>);

/// The end of the connection. Dropped before [`end`](Feeder::end), it says that the client has left.
pub(crate) struct Feeder {
    shared: Arc<Shared>,
    /// How many bytes more may come, by the limit on bodies.
    left: Option<u64>,
    limit: u64,
}

struct Shared {
    state: Mutex<State>,
    /// The task of the connection.
    connection: Arc<AtomicWaker>,
}

struct State {
    blocks: VecDeque<Bytes>,
    waiting: usize,
    /// How many bytes are still to be given out, where the length was announced.
    left: Option<u64>,
    /// How many bytes were given out.
    received: u64,
    ending: Option<Ending>,
    reader: Option<Waker>,
    /// Since when the application waits for what does not come.
    wanted_since: Option<Instant>,
    is_dropped: bool,
}

enum Ending {
    Cleanly,
    With(Option<Error>),
}

/// A body of this length, if it is known, which may have so many bytes by the limit on bodies.
pub(crate) fn feed(length: Option<u64>, limit: Option<u64>, connection: &Arc<AtomicWaker>) -> (Feeder, Feed) {
    let state = State {
        blocks: VecDeque::new(),
        waiting: 0,
        left: length,
        received: 0,
        ending: None,
        reader: None,
        wanted_since: None,
        is_dropped: false,
    };
    let shared = Arc::new(Shared { state: Mutex::new(state), connection: Arc::clone(connection) });
    (Feeder { shared: Arc::clone(&shared), left: limit, limit: limit.unwrap_or(u64::MAX) }, Feed(shared))
}

impl Feeder {
    /// Gives the application a block; what comes after the end, or behind one that nobody reads, is thrown away.
    pub(crate) fn give(&mut self, block: Bytes) {
        if let Some(left) = &mut self.left {
            match left.checked_sub(block.len() as u64) {
                Some(less) => *left = less,
                None => return self.fail(Fault::OverLimit { limit: self.limit }.into()),
            }
        }
        let mut state = self.shared.state();
        if state.ending.is_some() || state.is_dropped || block.is_empty() {
            return;
        }
        state.waiting += weight(&block);
        state.wanted_since = None;
        state.blocks.push_back(block);
        wake(state);
    }

    /// That was all.
    pub(crate) fn end(self) {
        self.finish(Ending::Cleanly);
    }

    /// No more comes, for this reason. What came before is still read.
    pub(crate) fn fail(&self, error: Error) {
        self.finish(Ending::With(Some(error)));
    }

    fn finish(&self, ending: Ending) {
        let mut state = self.shared.state();
        if state.ending.is_none() {
            state.ending = Some(ending);
            wake(state);
        }
    }

    /// Nothing more is to be read for now.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.shared.state();
        state.waiting >= WINDOW && !state.is_dropped
    }

    /// Since when the application waits for what does not come.
    pub(crate) fn wanted_since(&self) -> Option<Instant> {
        self.shared.state().wanted_since
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.finish(Ending::With(Some(Fault::Disconnected.into())));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(block: &Bytes) -> usize {
    size_of::<Bytes>() + block.len()
}

/// Wakes the reader without the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Source for Feed {
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        let mut state = self.0.state();
        if let Some(block) = state.blocks.pop_front() {
            let was_full = state.waiting >= WINDOW;
            state.waiting -= weight(&block);
            let has_room = was_full && state.waiting < WINDOW;
            state.received += block.len() as u64;
            if let Some(left) = &mut state.left {
                match left.checked_sub(block.len() as u64) {
                    Some(less) => *left = less,
                    None => return Step::Failed(longer()),
                }
            }
            drop(state);
            if has_room {
                self.0.connection.wake();
            }
            return Step::Block(block);
        }
        let (received, left) = (state.received, state.left.unwrap_or(0));
        match &mut state.ending {
            // Whoever gathers it is told, not only who knows the length.
            Some(Ending::Cleanly) if left > 0 => {
                Step::Failed(Fault::Truncated { got: received, expected: Some(received + left) }.into())
            }
            Some(Ending::Cleanly) => Step::End,
            Some(Ending::With(error)) => Step::Failed(error.take().unwrap_or_else(|| Fault::Disconnected.into())),
            None => {
                match &mut state.reader {
                    Some(reader) => reader.clone_from(cx.waker()),
                    None => state.reader = Some(cx.waker().clone()),
                }
                if state.wanted_since.is_none() {
                    state.wanted_since = Some(Instant::now());
                    drop(state);
                    // It counts the time.
                    self.0.connection.wake();
                }
                Step::Pending
            }
        }
    }

    fn len(&self) -> Option<u64> {
        self.0.state().left
    }

    fn may_block(&self) -> bool {
        false
    }
}

fn longer() -> Error {
    Fault::Malformed("the body is longer than its CONTENT_LENGTH".to_owned()).into()
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_dropped = true;
        state.blocks.clear();
        drop(state);
        self.0.connection.wake();
    }
}
