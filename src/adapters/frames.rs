//! The body of a response as `http-body` has it: what is left of an exchange, pulled as the connection takes it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::clock::sleep;
use crate::exchange::{Aborted, Step};
use crate::server::{Driving, Pulled};

/// The frames of a response.
pub(super) struct Frames {
    state: State,
    /// hyper is not told that there is nothing, for a 304 whose Content-Length it would leave out.
    hides_its_end: bool,
    speaks_h2: bool,
}

enum State {
    /// All of it; empty when it is sent.
    Full(Bytes),
    Steps(Box<Steps>),
}

struct Steps {
    /// What of a block has not been given.
    rest: Bytes,
    /// Gone when it was finished.
    driving: Option<Driving>,
    /// The bytes that are left, where the length is known.
    left: Option<u64>,
    /// It fails when what was given before has had the time to go out.
    aborts: Option<Aborting>,
}

impl Frames {
    pub(super) fn full(block: Bytes, speaks_h2: bool) -> Self {
        Self { state: State::Full(block), hides_its_end: false, speaks_h2 }
    }

    pub(super) fn steps(driving: Driving, length: Option<u64>, speaks_h2: bool) -> Self {
        let steps = Steps { rest: Bytes::new(), driving: Some(driving), left: length, aborts: None };
        Self { state: State::Steps(Box::new(steps)), hides_its_end: false, speaks_h2 }
    }

    /// The body of a 304 that keeps its Content-Length (RFC 9110, section 8.6).
    pub(super) fn hide_end(&mut self) {
        self.hides_its_end = true;
    }

    /// It has failed, and says so at the next chance.
    pub(super) fn is_aborting(&self) -> bool {
        matches!(&self.state, State::Steps(steps) if steps.aborts.is_some())
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut self.state {
            State::Full(block) if block.is_empty() => Poll::Ready(None),
            State::Full(block) => Poll::Ready(Some(Ok(Frame::data(piece(block, self.speaks_h2))))),
            State::Steps(steps) => steps.poll_frame(cx, self.speaks_h2),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match &self.state {
            _ if self.hides_its_end => false,
            State::Full(block) => block.is_empty(),
            State::Steps(steps) => steps.driving.is_none() || (steps.left == Some(0) && !self.is_aborting()),
        }
    }

    /// Always the truth: release builds of hyper trust it.
    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.state {
            _ if self.hides_its_end => SizeHint::default(),
            State::Full(block) => SizeHint::with_exact(block.len() as u64),
            State::Steps(steps) => steps.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Steps {
    fn poll_frame(&mut self, cx: &mut Context<'_>, speaks_h2: bool) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if let Some(aborting) = &mut self.aborts {
            return match aborting.poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    let aborted = self.driving.as_mut().map(Driving::aborted);
                    self.finish(false);
                    Poll::Ready(aborted.map(Err))
                }
            };
        }
        let Some(driving) = &mut self.driving else { return Poll::Ready(None) };
        if !self.rest.is_empty() {
            return self.give_rest(speaks_h2);
        }
        match driving.poll_step(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Pulled::Step(Step::Block(block))) => {
                self.rest = block;
                self.give_rest(speaks_h2)
            }
            Poll::Ready(Pulled::Step(Step::Trailers(trailers))) => {
                // Nothing follows, and hyper does not ask whether something does.
                self.left = Some(0);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Poll::Ready(Pulled::Step(Step::End)) => {
                self.finish(true);
                Poll::Ready(None)
            }
            Poll::Ready(_) => {
                self.aborts = Some(Aborting::new(speaks_h2));
                self.poll_frame(cx, speaks_h2)
            }
        }
    }

    fn give_rest(&mut self, speaks_h2: bool) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let piece = piece(&mut self.rest, speaks_h2);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn finish(&mut self, delivered: bool) {
        if let Some(driving) = self.driving.take() {
            driving.finish(delivered);
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        // hyper does not ask for the end of a body whose length it knows.
        self.finish(self.left == Some(0) && self.aborts.is_none());
    }
}

/// hyper drops what it has not flushed when a body fails, so it gets the chance to do so before it hears of it: in
/// HTTP/1.1 until the connection is polled again, in HTTP/2 a moment, since another task writes there.
enum Aborting {
    AtOnce { was_polled: bool },
    Soon(Pin<Box<Sleep>>),
}

/// How many bytes of a stream of HTTP/2 are given to hyper at once: as many as a frame has, so that it is seen how the
/// client takes them (RFC 9113, section 4.2).
const STREAM_PIECE: usize = 16 * 1024;

/// How long a stream that is reset gets to send what it has.
const BEFORE_RESET: Duration = Duration::from_millis(20);

impl Aborting {
    fn new(speaks_h2: bool) -> Self {
        match speaks_h2 {
            true => Self::Soon(sleep(BEFORE_RESET)),
            false => Self::AtOnce { was_polled: false },
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Soon(time) => time.as_mut().poll(cx),
            Self::AtOnce { was_polled: true } => Poll::Ready(()),
            Self::AtOnce { was_polled } => {
                *was_polled = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// As much of a block as hyper is given at once.
fn piece(block: &mut Bytes, speaks_h2: bool) -> Bytes {
    match speaks_h2 {
        true => block.split_to(block.len().min(STREAM_PIECE)),
        false => std::mem::take(block),
    }
}
