//! The body on its way through a lint: looked at, block by block, and passed on as it is.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;

use super::layer::Layer;
use super::relay::Relay;
use crate::body::{Body, Source, Step};
use crate::error::Fault;

/// The body as the gateway gets it.
pub(super) fn watch(body: Body, mut relay: Relay, layer: Arc<Layer>) -> Body {
    relay.pass_on();
    match body.as_full() {
        // What is in memory is passed on as that: `capture` and the exchange take it at once, without a pull.
        Some(block) if relay.is_settled() => {
            layer.whole(block.len() as u64);
            body
        }
        _ => {
            layer.opened(body.len());
            Body::source(Watched { body, relay, _closed: Closed(Arc::clone(&layer)), layer })
        }
    }
}

struct Watched {
    // They are dropped in this order: a start that the body holds is dropped with it, and then passed on as dropped.
    body: Body,
    relay: Relay,
    _closed: Closed,
    layer: Arc<Layer>,
}

impl Source for Watched {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        // Another thread has started the response. To HEAD, its head is committed without another pull.
        if self.relay.pass_on() && self.layer.is_head() {
            return Step::Block(Bytes::new());
        }
        let pulled = catch_unwind(AssertUnwindSafe(|| self.body.poll_step(cx, may_block)));
        self.relay.pass_on();
        let step = match pulled {
            Ok(step) => step,
            Err(payload) => {
                self.layer.failed(&Fault::from_panic(&*payload).into());
                resume_unwind(payload)
            }
        };
        match &step {
            Step::Block(block) => self.layer.block(block.len(), self.body.len()),
            Step::Trailers(_) | Step::End => self.layer.ended(),
            Step::Failed(error) => self.layer.failed(error),
            Step::Pending | Step::NeedsThread | Step::Become(_) => {}
        }
        step
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    fn may_block(&self) -> bool {
        self.body.may_block()
    }

    fn drop_may_block(&self) -> bool {
        self.body.drop_may_block()
    }
}

/// Notes that the body is gone, also when its drop panics.
struct Closed(Arc<Layer>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.closed();
    }
}
