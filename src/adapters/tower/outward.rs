//! The response body that an application gives to those who called it as a service.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::adapters::frames::Frames;
use crate::exchange::Aborted;

/// The response body of an application that was called as a service.
///
/// Its blocks are pulled from the application as they are asked for. Dropped before its end, it tells the application
/// that the client has left.
pub struct ResponseBody(Frames);

impl ResponseBody {
    pub(super) fn new(frames: Frames) -> Self {
        Self(frames)
    }
}

/// Of no bytes, for layers that answer themselves.
impl Default for ResponseBody {
    fn default() -> Self {
        Self(Frames::full(Bytes::new(), false))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        self.0.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("size_hint", &self.size_hint()).finish_non_exhaustive()
    }
}
