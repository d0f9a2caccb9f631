//! A body of `http-body` as what a [`Body`](crate::Body) or an [`Input`](crate::Input) is pulled from.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http::StatusCode;
use http_body_util::LengthLimitError;

use crate::body::{Source, Step};
use crate::error::{Error, Fault};

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// The frames of another body.
pub(super) struct Frames<B> {
    body: Pin<Box<B>>,
    /// The bytes that are left of the length that it told at first; later it may tell nonsense.
    left: Option<u64>,
    explain: fn(Boxed) -> Error,
}

impl<B: http_body::Body> Frames<B> {
    /// Of a request: what goes wrong is the client's fault.
    pub(super) fn of_request(body: B) -> Self {
        let left = body.size_hint().exact();
        Self { body: Box::pin(body), left, explain: failed_request }
    }

    /// Of a response of a service, of which so many bytes are left: what goes wrong is the service's fault.
    pub(super) fn of_response(body: Pin<Box<B>>, left: Option<u64>) -> Self {
        Self { body, left, explain: failed_service }
    }
}

impl<B> Source for Frames<B>
where
    B: http_body::Body + Send,
    B::Error: Into<Boxed>,
{
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        match self.body.as_mut().poll_frame(cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(None) => Step::End,
            Poll::Ready(Some(Err(error))) => Step::Failed((self.explain)(error.into())),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                // Without a copy where it is `Bytes`.
                Ok(mut data) => {
                    let block = data.copy_to_bytes(data.remaining());
                    self.left = self.left.map(|left| left.saturating_sub(block.len() as u64));
                    Step::Block(block)
                }
                Err(frame) => frame.into_trailers().map_or(Step::End, Step::Trailers),
            },
        }
    }

    fn len(&self) -> Option<u64> {
        self.left
    }

    fn may_block(&self) -> bool {
        false
    }
}

/// Whose fault it is that no more of a request body comes. An error that says so itself is kept.
fn failed_request(error: Boxed) -> Error {
    let error = failed_service(error);
    if error.status().is_some() {
        return error;
    }
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let status = match kind {
        Some(ErrorKind::TimedOut) => StatusCode::REQUEST_TIMEOUT,
        Some(ErrorKind::InvalidInput | ErrorKind::InvalidData) => StatusCode::BAD_REQUEST,
        // Of other failures of a connection its client hears nothing.
        _ => return Fault::Disconnected.into(),
    };
    Error::with_status(status, error.into_boxed())
}

/// An error of a service. That a limit on request bodies was reached is the client's fault.
pub(super) fn failed_service(error: Boxed) -> Error {
    let error = Error::from(error);
    if error.status().is_none() && error.chain().any(|cause| cause.is::<LengthLimitError>()) {
        return Error::with_status(StatusCode::PAYLOAD_TOO_LARGE, error.into_boxed());
    }
    error
}
