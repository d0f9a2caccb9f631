//! A timer that is set rarely.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// One timer for all waits of a task. It is set again only when it has gone off or has to go off sooner, so that
/// it costs a request nothing.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it goes off; it has been polled since it was set.
    at: Option<Instant>,
}

impl Timer {
    /// Ready when it has gone off, which may be sooner than asked for.
    pub(crate) fn poll(&mut self, at: Instant, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.at.is_some_and(|set| now < set && set <= at) {
            return Poll::Pending;
        }
        self.at = Some(at);
        let at = tokio::time::Instant::from_std(at);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}
