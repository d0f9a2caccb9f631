//! The response body as hyper sends it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::link::InFlight;
use super::streams;
use crate::exchange::{Exchange, Step};
use crate::server::{Driven, Pool, Pulled, finish};

/// The body of a response: what is left of an exchange, pulled as the connection takes it.
pub struct Outgoing {
    state: State,
    /// hyper is not told that there is nothing, for a 304 whose Content-Length it would leave out.
    hides_its_end: bool,
    /// `None` where no server looks after the connection.
    in_flight: Option<InFlight>,
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
    /// It ends with the connection, so that it looks complete when it is cut.
    ends_with_connection: bool,
}

/// The response failed after its head, so that its connection is aborted. What failed is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the response was aborted")]
#[non_exhaustive]
pub struct Aborted;

/// On which threads an exchange is driven.
#[expect(clippy::large_enum_variant, reason = "it stands in a box of its owner")]
pub(super) enum Driving {
    /// On the reactor; the pool is for what may block at its end.
    InPlace(Exchange, Pool),
    Pooled(Driven),
}

impl Driving {
    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Pulled> {
        match self {
            Self::InPlace(exchange, _) => exchange.poll_step(cx, false).map(Pulled::Step),
            Self::Pooled(driven) => driven.poll_step(cx),
        }
    }

    pub(super) fn finish(self, delivered: bool) {
        match self {
            Self::InPlace(exchange, pool) => finish(exchange, delivered, &pool),
            Self::Pooled(driven) => driven.finish(delivered),
        }
    }
}

impl Outgoing {
    pub(super) fn full(block: Bytes, in_flight: Option<InFlight>) -> Self {
        Self { state: State::Full(block), hides_its_end: false, in_flight }
    }

    pub(super) fn steps(
        driving: Driving,
        length: Option<u64>,
        ends_with_connection: bool,
        in_flight: Option<InFlight>,
    ) -> Self {
        let steps =
            Steps { rest: Bytes::new(), driving: Some(driving), left: length, aborts: None, ends_with_connection };
        Self { state: State::Steps(Box::new(steps)), hides_its_end: false, in_flight }
    }

    /// The body of a 304 that keeps its Content-Length (RFC 9110, section 8.6).
    pub(super) fn hiding_its_end(self) -> Self {
        Self { hides_its_end: true, ..self }
    }
}

impl Steps {
    fn poll_rest(&mut self, in_flight: Option<&InFlight>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let piece = piece(&mut self.rest, in_flight);
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

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        in_flight: Option<&InFlight>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if let Some(aborting) = &mut self.aborts {
            return match aborting.poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    self.finish(false);
                    Poll::Ready(Some(Err(Aborted)))
                }
            };
        }
        let Some(driving) = &mut self.driving else { return Poll::Ready(None) };
        if !self.rest.is_empty() {
            return self.poll_rest(in_flight);
        }
        match driving.poll_step(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Pulled::Step(Step::Block(block))) => {
                self.rest = block;
                self.poll_rest(in_flight)
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
                let link = in_flight.map(|InFlight(link)| link);
                if let (true, Some(link)) = (self.ends_with_connection, link) {
                    link.cut();
                }
                let aborting = Aborting::new(link.is_some_and(|link| link.speaks_h2()));
                self.aborts = Some(aborting);
                self.poll_frame(cx, in_flight)
            }
        }
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
            true => Self::Soon(Box::pin(tokio::time::sleep(BEFORE_RESET))),
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
fn piece(block: &mut Bytes, in_flight: Option<&InFlight>) -> Bytes {
    match in_flight.is_some_and(|InFlight(link)| link.speaks_h2()) {
        true => block.split_to(block.len().min(STREAM_PIECE)),
        false => std::mem::take(block),
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        // hyper does not ask for the end of a body whose length it knows.
        self.finish(self.left == Some(0) && self.aborts.is_none());
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let this = &mut *self;
        let polled = match &mut this.state {
            State::Full(block) if block.is_empty() => Poll::Ready(None),
            State::Full(block) => Poll::Ready(Some(Ok(Frame::data(piece(block, this.in_flight.as_ref()))))),
            State::Steps(steps) => steps.poll_frame(cx, this.in_flight.as_ref()),
        };
        streams::asked(matches!(polled, Poll::Ready(Some(Ok(_)))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            _ if self.hides_its_end => false,
            State::Full(block) => block.is_empty(),
            State::Steps(steps) => steps.driving.is_none() || (steps.left == Some(0) && steps.aborts.is_none()),
        }
    }

    /// Always the truth: release builds of hyper trust it.
    fn size_hint(&self) -> SizeHint {
        match &self.state {
            _ if self.hides_its_end => SizeHint::default(),
            State::Full(block) => SizeHint::with_exact(block.len() as u64),
            State::Steps(steps) => steps.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("size_hint", &self.size_hint()).finish_non_exhaustive()
    }
}
