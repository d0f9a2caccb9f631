//! What those hear whom a response was for, when it fails after its head.

use super::Driven;
use crate::exchange::{Aborted, Exchange};
use crate::server::Driving;

impl Driving {
    /// After [`Step::Abort`](crate::exchange::Step::Abort): the error to end the body with.
    pub(crate) fn aborted(&mut self) -> Aborted {
        match self {
            Self::InPlace(exchange, _) => exchange.aborted(),
            Self::Pooled(driven) => driven.aborted(),
        }
    }
}

impl Driven {
    fn aborted(&self) -> Aborted {
        self.0.state().exchange.as_mut().map(Exchange::aborted).unwrap_or_default()
    }
}
