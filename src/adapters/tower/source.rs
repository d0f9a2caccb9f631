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
    explain: fn(Boxed) -> Error,
}

impl<B> Frames<B> {
    /// Of a request: what goes wrong is the client's fault.
    pub(super) fn of_request(body: B) -> Self {
        Self { body: Box::pin(body), explain: failed_request }
    }

    /// Of a response of a service: what goes wrong is the service's fault.
    pub(super) fn of_response(body: Pin<Box<B>>) -> Self {
        Self { body, explain: Error::from }
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
                Ok(mut data) => Step::Block(data.copy_to_bytes(data.remaining())),
                Err(frame) => frame.into_trailers().map_or(Step::End, Step::Trailers),
            },
        }
    }

    fn len(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    fn may_block(&self) -> bool {
        false
    }
}

/// Whose fault it is that no more of a request body comes. An error that says so itself is kept.
fn failed_request(error: Boxed) -> Error {
    let error = Error::from(error);
    if error.status().is_some() {
        return error;
    }
    let mut causes = std::iter::successors(Some(&*error as &(dyn std::error::Error + 'static)), |error| error.source());
    let status = causes.find_map(|cause| {
        if cause.is::<LengthLimitError>() {
            return Some(StatusCode::PAYLOAD_TOO_LARGE);
        }
        match cause.downcast_ref::<io::Error>()?.kind() {
            ErrorKind::TimedOut => Some(StatusCode::REQUEST_TIMEOUT),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => Some(StatusCode::BAD_REQUEST),
            // Of other failures of a connection its client hears nothing.
            _ => None,
        }
    });
    match status {
        Some(status) => Error::with_status(status, error.into_boxed()),
        None => Fault::Disconnected.into(),
    }
}
