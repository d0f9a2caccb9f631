//! The request body as it comes from hyper.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Incoming};

use crate::body::{Body, Source, Step};
use crate::error::{Error, Fault};
use crate::input::Input;

/// The rest of a request body, behind what was read of it already.
pub(super) fn input(incoming: Incoming) -> Input {
    match incoming.is_end_stream() {
        true => Input::empty(),
        false => Input::of(source(incoming)),
    }
}

/// The same as a body, which can stand behind other blocks.
pub(super) fn source(incoming: Incoming) -> Body {
    Body::source(Received(incoming))
}

struct Received(Incoming);

impl Source for Received {
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        match Pin::new(&mut self.0).poll_frame(cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(None) => Step::End,
            Poll::Ready(Some(Err(error))) => Step::Failed(failure(&error)),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(block) => Step::Block(block),
                Err(frame) => frame.into_trailers().map_or(Step::End, Step::Trailers),
            },
        }
    }

    fn len(&self) -> Option<u64> {
        self.0.size_hint().exact()
    }

    fn may_block(&self) -> bool {
        false
    }
}

/// Whose fault it is that no more of the body comes: hyper tells a client that left from one that sent nonsense.
pub(super) fn failure(error: &hyper::Error) -> Error {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let is_early_end = source.is_some_and(|source| source.kind() == std::io::ErrorKind::UnexpectedEof);
    match error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_early_end {
        true => Fault::Disconnected.into(),
        false if source.is_some_and(|source| source.kind() != std::io::ErrorKind::InvalidInput) => {
            Fault::Disconnected.into()
        }
        false => Fault::Malformed(format!("the body: {error}")).into(),
    }
}
