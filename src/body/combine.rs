//! Bodies around bodies: each keeps the mode, blocking or async, of the one that it holds.

use std::task::Context;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;

use super::{Body, Source, Step};
use crate::error::Result;

/// What a body that wraps another answers for it.
macro_rules! of_the_inner_body {
    () => {
        fn may_block(&self) -> bool {
            self.body.may_block()
        }

        fn drop_may_block(&self) -> bool {
            self.body.drop_may_block()
        }

        fn is_deferred(&self) -> bool {
            self.body.is_deferred()
        }
    };
}
pub(crate) use of_the_inner_body;

pub(crate) struct MapChunks<F> {
    pub(crate) body: Body,
    pub(crate) f: F,
}

impl<F: FnMut(Bytes) -> Bytes + Send> Source for MapChunks<F> {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        match self.body.poll_step(cx, may_block) {
            // An empty block is no data, so there is nothing to change; it is passed on (PEP 3333,
            // "Middleware Handling of Block Boundaries").
            Step::Block(block) if !block.is_empty() => Step::Block((self.f)(block)),
            step => step,
        }
    }

    of_the_inner_body!();
}

pub(crate) struct Transform<F> {
    pub(crate) body: Body,
    pub(crate) f: F,
    pub(crate) ended: bool,
    pub(crate) trailers: Option<HeaderMap>,
}

impl<F: FnMut(Option<Bytes>) -> Result<Bytes> + Send> Source for Transform<F> {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        if self.ended {
            return self.trailers.take().map_or(Step::End, Step::Trailers);
        }
        match self.body.poll_step(cx, may_block) {
            Step::Block(block) if !block.is_empty() => (self.f)(Some(block)).map_or_else(Step::Failed, Step::Block),
            Step::Trailers(trailers) => {
                self.trailers = Some(trailers);
                Step::Block(Bytes::new())
            }
            Step::End => {
                self.ended = true;
                (self.f)(None).map_or_else(Step::Failed, Step::Block)
            }
            step => step,
        }
    }

    of_the_inner_body!();
}

/// A body of one block is transformed at once, so that its length stays known.
pub(crate) fn transform_full(block: Bytes, mut f: impl FnMut(Option<Bytes>) -> Result<Bytes>) -> Result<Body> {
    let first = if block.is_empty() { Bytes::new() } else { f(Some(block))? };
    let last = f(None)?;
    Ok(match (first.is_empty(), last.is_empty()) {
        (_, true) => first.into(),
        (true, false) => last.into(),
        (false, false) => {
            let mut whole = BytesMut::with_capacity(first.len() + last.len());
            whole.put(first);
            whole.put(last);
            whole.freeze().into()
        }
    })
}

pub(crate) struct OnClose<F: FnOnce()> {
    pub(crate) body: Body,
    pub(crate) f: Option<F>,
}

impl<F: FnOnce() + Send> Source for OnClose<F> {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        self.body.poll_step(cx, may_block)
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    fn may_block(&self) -> bool {
        self.body.may_block()
    }

    fn drop_may_block(&self) -> bool {
        true
    }

    fn is_deferred(&self) -> bool {
        self.body.is_deferred()
    }
}

impl<F: FnOnce()> Drop for OnClose<F> {
    fn drop(&mut self) {
        // What is inside is closed first, as with nested `close()` calls.
        drop(std::mem::take(&mut self.body));
        if let Some(f) = self.f.take() {
            f();
        }
    }
}

pub(crate) struct WithTrailers<F> {
    pub(crate) body: Body,
    pub(crate) f: Option<F>,
    pub(crate) inner: Option<HeaderMap>,
}

impl<F: FnOnce() -> HeaderMap + Send> Source for WithTrailers<F> {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        match self.body.poll_step(cx, may_block) {
            Step::Trailers(trailers) => {
                self.inner = Some(trailers);
                Step::Block(Bytes::new())
            }
            Step::End => match self.f.take() {
                Some(f) => {
                    let mut trailers = self.inner.take().unwrap_or_default();
                    trailers.extend(f());
                    Step::Trailers(trailers)
                }
                None => Step::End,
            },
            step => step,
        }
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    of_the_inner_body!();
}
