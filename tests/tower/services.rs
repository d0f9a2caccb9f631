//! Services and bodies that misbehave in one way each.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::Service;
use vestibule::adapters::tower::RequestBody;
use vestibule::bytes::Bytes;

pub(crate) type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// An error with a source.
#[derive(Debug, thiserror::Error)]
#[error("the outer error")]
pub(crate) struct Outer(#[from] pub(crate) Inner);

#[derive(Debug, Clone, thiserror::Error)]
#[error("the inner error")]
pub(crate) struct Inner;

pub(crate) fn failure() -> Boxed {
    Box::new(Outer(Inner))
}

/// What a body does next.
pub(crate) enum Item {
    Data(&'static str),
    Trailers(HeaderMap),
    Error,
    Panic,
    Never,
}

/// A body of a script, which may lie about its length.
pub(crate) struct Script {
    pub(crate) items: VecDeque<Item>,
    pub(crate) length: Option<u64>,
}

pub(crate) fn script(items: impl IntoIterator<Item = Item>) -> Script {
    Script { items: items.into_iter().collect(), length: None }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Boxed;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Boxed>>> {
        Poll::Ready(match self.items.pop_front() {
            None => None,
            Some(Item::Data(text)) => Some(Ok(Frame::data(text.into()))),
            Some(Item::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Item::Error) => Some(Err(failure())),
            Some(Item::Panic) => panic!("a body that panics"),
            Some(Item::Never) => {
                self.items.push_front(Item::Never);
                return Poll::Pending;
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A service that may be called only when this very value has said that it is ready; its clones have to say so anew.
pub(crate) struct Strict {
    is_ready: bool,
}

impl Strict {
    pub(crate) fn new() -> Self {
        // Ready, so that a clone that is taken for ready is noticed.
        Self { is_ready: true }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { is_ready: false }
    }
}

impl Service<Request<RequestBody>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<RequestBody>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        ready(Ok(Response::new("ready".to_owned())))
    }
}

/// A service that goes wrong at one place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Broken {
    NeverReady,
    ErrorInReady,
    PanicInReady,
    PanicInCall,
    ErrorInFuture,
    PanicInFuture,
}

impl Service<Request<RequestBody>> for Broken {
    type Response = Response<String>;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Boxed>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        match self {
            Self::NeverReady => Poll::Pending,
            Self::ErrorInReady => Poll::Ready(Err(failure())),
            Self::PanicInReady => panic!("a service that panics"),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _request: Request<RequestBody>) -> Self::Future {
        match self {
            Self::PanicInCall => panic!("a service that panics"),
            Self::ErrorInFuture => Box::pin(ready(Err(failure()))),
            Self::PanicInFuture => Box::pin(async { panic!("a service that panics") }),
            _ => Box::pin(pending()),
        }
    }
}
