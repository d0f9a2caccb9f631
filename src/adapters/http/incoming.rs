//! The request body as it comes from hyper.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::StatusCode;
use hyper::body::{Body as _, Incoming};
use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::link::{InFlight, Link};
use crate::body::{Body, Source, Step};
use crate::error::{Error, Fault};
use crate::input::Input;

/// How many bytes of a body that nobody reads are read and thrown away, so that the connection can be kept.
const DRAINED: u64 = 64 * 1024;

/// The body of a request, with the limits of its server.
pub(super) struct Received {
    /// Taken when it is dropped.
    incoming: Option<Incoming>,
    limits: Option<BodyLimits>,
    /// The client waits for `100 Continue`, which hyper sends at the first poll.
    expects: bool,
    has_failed: bool,
}

struct BodyLimits {
    link: Weak<Link>,
    /// How many bytes more may come.
    left: Option<u64>,
    limit: u64,
    timeout: Duration,
    /// An application may read on a thread of its own.
    runtime: Handle,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Received {
    pub(super) fn new(incoming: Incoming, link: Option<&Arc<Link>>, expects: bool) -> Self {
        let limits = link.map(|link| BodyLimits {
            link: Arc::downgrade(link),
            left: link.running.limits.request.body,
            limit: link.running.limits.request.body.unwrap_or(u64::MAX),
            timeout: link.running.limits.body_timeout,
            runtime: Handle::current(),
            waiting_since: None,
            timer: None,
        });
        Self { incoming: Some(incoming), limits, expects, has_failed: false }
    }

    pub(super) fn into_input(self) -> Input {
        Input::of(self.into_body())
    }

    pub(super) fn into_body(self) -> Body {
        Body::source(self)
    }
}

impl BodyLimits {
    /// Counts what has come.
    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.waiting_since = None;
        let Some(left) = &mut self.left else { return Ok(()) };
        *left = left.checked_sub(bytes as u64).ok_or(Fault::OverLimit { limit: self.limit })?;
        Ok(())
    }

    /// Nothing has come: fails when that was so for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let until = tokio::time::Instant::from_std(since + self.timeout);
        loop {
            let timer = self.timer.get_or_insert_with(|| {
                let _inside = self.runtime.enter();
                Box::pin(tokio::time::sleep_until(until))
            });
            if timer.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            if timer.deadline() >= until {
                let text = format!("no byte of the request body came for {:?}", self.timeout);
                // RFC 9110, section 15.5.9.
                return Err(Error::with_status(StatusCode::REQUEST_TIMEOUT, text));
            }
            // It was set for an earlier block. Setting it for each would cost more than the block.
            timer.as_mut().reset(until);
        }
    }
}

impl Source for Received {
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        let Some(incoming) = &mut self.incoming else { return Step::End };
        self.expects = false;
        let step = match Pin::new(incoming).poll_frame(cx) {
            Poll::Pending => match self.limits.as_mut().map_or(Ok(()), |limits| limits.wait(cx)) {
                Ok(()) => Step::Pending,
                Err(error) => Step::Failed(error),
            },
            Poll::Ready(None) => Step::End,
            Poll::Ready(Some(Err(error))) => Step::Failed(failure(&error)),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(block) => match self.limits.as_mut().map_or(Ok(()), |limits| limits.count(block.len())) {
                    Ok(()) => Step::Block(block),
                    Err(error) => Step::Failed(error),
                },
                Err(frame) => frame.into_trailers().map_or(Step::End, Step::Trailers),
            },
        };
        self.has_failed |= matches!(step, Step::Failed(_));
        step
    }

    fn len(&self) -> Option<u64> {
        self.incoming.as_ref().and_then(|incoming| incoming.size_hint().exact())
    }

    fn may_block(&self) -> bool {
        false
    }
}

impl Drop for Received {
    /// What nobody has read is read here when it is little: the next request must not be looked for in it. Else hyper
    /// closes the connection.
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else { return };
        if incoming.is_end_stream() {
            return;
        }
        let Some(limits) = self.limits.as_ref() else { return };
        let Some(link) = limits.link.upgrade() else { return };
        let is_small = incoming.size_hint().lower() <= DRAINED;
        // In HTTP/2 hyper asks the client by RST_STREAM(NO_ERROR) to send no more (RFC 9113, section 8.1).
        if self.expects || self.has_failed || !is_small || link.speaks_h2() {
            link.linger();
            return;
        }
        let (in_flight, timeout) = (InFlight::again(&link), limits.timeout);
        limits.runtime.spawn(async move {
            if tokio::time::timeout(timeout, drain(incoming)).await != Ok(true) {
                link.linger();
            }
            drop(in_flight);
            link.wake();
        });
    }
}

/// Whether the rest was short enough.
async fn drain(mut incoming: Incoming) -> bool {
    let mut left = DRAINED;
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |block| block.len() as u64);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => return false,
                }
            }
        }
    }
}

/// Whose fault it is that no more of the body comes: hyper tells a client that left from one that sent nonsense.
fn failure(error: &hyper::Error) -> Error {
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
