//! `Body::channel`: a body whose blocks are pushed, with a bound on how many wait.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{Source, Step};
use crate::error::{Error, Fault, Result};
use crate::waiting;

/// The sending end of [`Body::channel`](super::Body::channel): async, blocking, or as [`io::Write`].
///
/// [`finish`](Sender::finish) ends the body. A sender that is dropped without it aborts the response, so that
/// a truncated one never looks complete.
pub struct Sender {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    capacity: usize,
    /// The `call` in which the channel was made, or 0.
    made_in: u64,
}

#[derive(Default)]
struct State {
    blocks: VecDeque<Bytes>,
    end: Option<Ended>,
    receiver_is_gone: bool,
    /// Whether anybody has begun to pull the body.
    was_pulled: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

enum Ended {
    Finished,
    Dropped,
}

pub(crate) fn channel(blocks: usize) -> (Sender, Receiver) {
    let shared =
        Arc::new(Shared { state: Mutex::default(), capacity: blocks.max(1), made_in: waiting::current_call() });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the block into the queue as soon as there is room.
    fn poll_send(&self, cx: &mut Context<'_>, block: &mut Bytes) -> Poll<Result<()>> {
        let mut state = self.state();
        if state.receiver_is_gone {
            return Poll::Ready(Err(Fault::Disconnected.into()));
        }
        // An empty block means nothing here and would only take a place.
        if block.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if state.blocks.len() >= self.capacity {
            state.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.blocks.push_back(std::mem::take(block));
        let receiver = state.receiver.take();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the body, and tells whether anybody is there to see it.
    fn end(&self, end: Ended) -> bool {
        let (receiver, is_there) = {
            let mut state = self.state();
            if state.end.is_none() {
                state.end = Some(end);
            }
            (state.receiver.take(), !state.receiver_is_gone)
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        is_there
    }
}

impl Sender {
    /// Sends a block, and waits while the channel is full.
    ///
    /// # Errors
    ///
    /// When the body is gone: the client has left, or nobody wanted it.
    pub async fn send(&mut self, block: impl Into<Bytes>) -> Result<()> {
        let mut block = block.into();
        poll_fn(|cx| self.shared.poll_send(cx, &mut block)).await
    }

    /// Sends a block, and blocks the thread while the channel is full.
    ///
    /// # Errors
    ///
    /// When the body is gone, as for [`send`](Sender::send); and where the wait could never end: on a thread of the
    /// reactor, and from inside the very `call` that made the channel and has not returned its body yet.
    pub fn blocking_send(&mut self, block: impl Into<Bytes>) -> Result<()> {
        let mut block = block.into();
        let shared = &self.shared;
        waiting::wait(
            "a full channel would block the reactor's thread for ever: use `send(..).await`, or send from another thread",
            |cx| match shared.poll_send(cx, &mut block) {
                Poll::Pending
                    if shared.made_in != 0
                        && shared.made_in == waiting::current_call()
                        && !shared.state().was_pulled =>
                {
                    Poll::Ready(Err(Error::from(Fault::EndlessWait(
                        "the channel is full, and nobody can empty it before its body is returned: return the body and send \
                         from another thread, or make the channel larger",
                    ))))
                }
                poll => poll,
            },
        )?
    }

    /// Ends the body. It never blocks.
    ///
    /// # Errors
    ///
    /// When the body is gone already, so that not everything was sent.
    pub fn finish(self) -> Result<()> {
        match self.shared.end(Ended::Finished) {
            true => Ok(()),
            false => Err(Fault::Disconnected.into()),
        }
    }
}

impl io::Write for Sender {
    /// Sends a copy of the bytes as one block; put a [`BufWriter`](io::BufWriter) around it for small writes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocking_send(Bytes::copy_from_slice(bytes))?;
        Ok(bytes.len())
    }

    /// Does nothing: a block is on its way as soon as it was written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.end(Ended::Dropped);
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        f.debug_struct("Sender").field("waiting", &state.blocks.len()).field("capacity", &self.shared.capacity).finish()
    }
}

pub(crate) struct Receiver {
    shared: Arc<Shared>,
}

impl Source for Receiver {
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        let mut state = self.shared.state();
        state.was_pulled = true;
        let Some(block) = state.blocks.pop_front() else {
            return match state.end {
                None => {
                    state.receiver = Some(cx.waker().clone());
                    Step::Pending
                }
                Some(Ended::Finished) => Step::End,
                Some(Ended::Dropped) => Step::Failed(Fault::SenderDropped.into()),
            };
        };
        let sender = state.sender.take();
        drop(state);
        if let Some(sender) = sender {
            sender.wake();
        }
        Step::Block(block)
    }

    fn may_block(&self) -> bool {
        false
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let (sender, blocks) = {
            let mut state = self.shared.state();
            state.receiver_is_gone = true;
            (state.sender.take(), std::mem::take(&mut state.blocks))
        };
        drop(blocks);
        if let Some(sender) = sender {
            sender.wake();
        }
    }
}
