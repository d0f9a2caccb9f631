//! The response body as hyper sends it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::link::InFlight;
use super::streams;
use crate::adapters::frames::Frames;
use crate::exchange::Aborted;

/// The body of a response, pulled as the connection takes it.
pub struct Outgoing {
    frames: Frames,
    /// It ends with the connection, so that it looks complete when it is cut.
    ends_with_connection: bool,
    /// `None` where no server looks after the connection.
    in_flight: Option<InFlight>,
}

impl Outgoing {
    pub(super) fn new(frames: Frames, ends_with_connection: bool, in_flight: Option<InFlight>) -> Self {
        Self { frames, ends_with_connection, in_flight }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let this = &mut *self;
        let polled = this.frames.poll_frame(cx);
        if let (true, Some(InFlight(link))) = (this.ends_with_connection, &this.in_flight) {
            if this.frames.is_aborting() {
                link.cut();
            }
        }
        streams::asked(matches!(polled, Poll::Ready(Some(Ok(_)))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("size_hint", &self.size_hint()).finish_non_exhaustive()
    }
}
