//! The request body that a service is given.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures::Stream as _;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, Limited};

use crate::error::Error;
use crate::input::Input;

/// The request body that a service of [`from_service`](super::from_service) is given: an [`Input`] as `http-body` has
/// it.
///
/// What the client did wrong is an error of it, with the text and the status that an application would see.
pub struct RequestBody {
    input: Input,
    has_ended: bool,
}

impl RequestBody {
    pub(super) fn new(input: Input) -> Self {
        Self { input, has_ended: false }
    }
}

/// Of no bytes, for layers that ask again.
impl Default for RequestBody {
    fn default() -> Self {
        Self::new(Input::empty())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(Pin::new(&mut self.input).poll_next(cx)) {
            Some(Ok(block)) => Some(Ok(Frame::data(block))),
            Some(Err(error)) => {
                self.has_ended = true;
                Some(Err(told(error)))
            }
            None => {
                self.has_ended = true;
                self.input.trailers().map(|trailers| Ok(Frame::trailers(trailers)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.input.len() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.has_ended {
            true => SizeHint::with_exact(0),
            false => self.input.len().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// An error as services know it: axum's extractors answer 413 to this one alone.
fn told(error: Error) -> Box<dyn std::error::Error + Send + Sync> {
    if error.status() != Some(StatusCode::PAYLOAD_TOO_LARGE) {
        return error.into_boxed();
    }
    let mut limited = Limited::new(Full::new(Bytes::from_static(b"x")), 0);
    match Pin::new(&mut limited).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Err(limit))) => limit,
        _ => error.into_boxed(),
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("size_hint", &self.size_hint()).finish_non_exhaustive()
    }
}
