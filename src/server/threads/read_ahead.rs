//! What of a request body is read before a blocking application is called.

use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::body::{Body, Source, Step};
use crate::error::Error;
use crate::input::Input;

/// How much of a request body is read before a blocking application is called, in bytes: a slow upload of so much
/// pins no thread.
const READ_AHEAD: usize = 64 * 1024;

/// A small request body, and the beginning of a large one, on its way.
pub(crate) struct ReadAhead<S> {
    /// Taken when it is known how the body goes on.
    source: Option<S>,
    read: BytesMut,
}

/// How a body goes on after what is read ahead.
pub(crate) enum Ahead {
    /// This is all of it.
    Whole(Input),
    /// There may be more.
    Part(Input),
    /// No call: of a body that is malformed the client hears, of one that is cut short nobody does.
    Failed(Error),
}

impl<S: Source + 'static> ReadAhead<S> {
    pub(crate) fn new(source: S) -> Self {
        Self { source: Some(source), read: BytesMut::new() }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ahead> {
        loop {
            let Some(source) = &mut self.source else { return Poll::Pending };
            // A long one too: who sends less than this pins no thread, whatever was announced.
            let is_full = self.read.len() == READ_AHEAD && source.len().is_some_and(|left| left > 0);
            if is_full || self.read.len() > READ_AHEAD {
                return Poll::Ready(self.part());
            }
            let trailers = match source.poll_step(cx, false) {
                Step::Pending => return Poll::Pending,
                Step::Block(block) => {
                    self.read.extend_from_slice(&block);
                    continue;
                }
                // What can only be read by blocking is left to the thread that may.
                Step::NeedsThread => return Poll::Ready(self.part()),
                Step::Failed(error) => {
                    self.source = None;
                    return Poll::Ready(Ahead::Failed(error));
                }
                Step::Trailers(trailers) => Some(trailers),
                _ => None,
            };
            self.source = None;
            let whole = Body::from(std::mem::take(&mut self.read).freeze());
            return Poll::Ready(Ahead::Whole(Input::of(match trailers {
                Some(trailers) => whole.with_trailers(|| trailers),
                None => whole,
            })));
        }
    }

    fn part(&mut self) -> Ahead {
        let mut whole = self.source.take().map_or_else(Body::empty, Body::source);
        whole.put_back(std::mem::take(&mut self.read).freeze());
        Ahead::Part(Input::of(whole))
    }
}
