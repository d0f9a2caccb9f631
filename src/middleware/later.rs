//! A call that is made when its response is pulled: on a thread that may block, where the call may.

use std::task::Context;

use crate::body::{Body, Source, Step};
use crate::error::Result;
use crate::waiting;

/// The body that `call` returns, which is called at the first pull.
///
/// A middleware that calls an application when it is polled must not do so where it stands: that may be the reactor.
pub(super) fn later(may_block: bool, call: impl FnOnce() -> Result + Send + 'static) -> Body {
    Body::source(Later { may_block, call: Some(call) })
}

struct Later<F> {
    may_block: bool,
    call: Option<F>,
}

impl<F: FnOnce() -> Result + Send> Source for Later<F> {
    fn poll_step(&mut self, _cx: &mut Context<'_>, may_block: bool) -> Step {
        if self.may_block && !may_block {
            return Step::NeedsThread;
        }
        let Some(call) = self.call.take() else { return Step::End };
        let _place = waiting::enter_late_call();
        call().map_or_else(Step::Failed, Step::Become)
    }

    fn may_block(&self) -> bool {
        self.may_block
    }

    fn is_deferred(&self) -> bool {
        true
    }
}
