//! What an input reads from: the bytes that came, the source of more, and the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::body::{Body, Step};
use crate::error::{Error, Fault, Result};

/// The input itself: what was received and not read yet, and where more comes from.
pub(super) struct Pipe {
    pub(super) front: Bytes,
    /// How many bytes were taken from the front so far.
    pub(super) position: u64,
    /// How many bytes have come from the source.
    pub(super) received: u64,
    pub(super) source: Body,
    pub(super) expected: Option<u64>,
    pub(super) end: Option<Ended>,
    pub(super) trailers: Option<HeaderMap>,
}

pub(super) enum Ended {
    Cleanly,
    With(Fault),
}

impl Pipe {
    pub(super) fn of(source: Body) -> Self {
        Self {
            front: Bytes::new(),
            position: 0,
            received: 0,
            expected: source.len(),
            source,
            end: None,
            trailers: None,
        }
    }

    pub(super) fn ended() -> Self {
        Self { end: Some(Ended::Cleanly), expected: None, ..Self::of(Body::empty()) }
    }

    /// Declares the length, as long as nothing was read.
    pub(super) fn expect(&mut self, bytes: u64) {
        if self.received == 0 {
            self.expected = Some(bytes);
            self.end = None;
        }
    }

    pub(super) fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        while self.front.is_empty() {
            match self.poll_source(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(false)),
                Poll::Ready(Ok(Some(block))) => self.front = block,
            }
        }
        Poll::Ready(Ok(true))
    }

    /// The next block of the source, cut at the length that was promised.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            match &self.end {
                Some(Ended::Cleanly) => return Poll::Ready(Ok(None)),
                Some(Ended::With(fault)) => return Poll::Ready(Err(fault.clone().into())),
                None => {}
            }
            match self.source.poll_step(cx, true) {
                Step::Pending => return Poll::Pending,
                Step::Block(mut block) => {
                    if let Some(expected) = self.expected {
                        let room = usize::try_from(expected - self.received).unwrap_or(usize::MAX);
                        block.truncate(room);
                    }
                    self.received += block.len() as u64;
                    if self.expected == Some(self.received) && self.source.len() != Some(0) {
                        // Nothing more is wanted; what follows may be trailers, which need a look at the end.
                        self.finish_at_length(cx);
                    }
                    return Poll::Ready(Ok(Some(block)));
                }
                Step::Trailers(trailers) => self.trailers = Some(trailers),
                Step::End | Step::NeedsThread | Step::Become(_) => {
                    let fault = match self.expected {
                        Some(expected) if self.received < expected => {
                            Some(Fault::Truncated { got: self.received, expected: Some(expected) })
                        }
                        _ => None,
                    };
                    self.end = Some(fault.map_or(Ended::Cleanly, Ended::With));
                }
                Step::Failed(error) => {
                    self.source = Body::empty();
                    let kept = match error.fault() {
                        Some(fault) => fault.clone(),
                        None => Fault::InputFailed(error.one_line()),
                    };
                    self.end = Some(Ended::With(kept));
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// All promised bytes are here: the end is clean, whatever the source does afterwards.
    fn finish_at_length(&mut self, cx: &mut Context<'_>) {
        if let Step::Trailers(trailers) = self.source.poll_step(cx, false) {
            self.trailers = Some(trailers);
        }
        self.source = Body::empty();
        self.end = Some(Ended::Cleanly);
    }

    pub(super) fn poll_whole(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<Bytes>> {
        let over = || Poll::Ready(Err(Error::from(Fault::OverLimit { limit })));
        if self.expected.is_some_and(|expected| expected.saturating_sub(self.position) > limit) {
            return over();
        }
        let mut more = BytesMut::new();
        let result = loop {
            if (self.front.len() + more.len()) as u64 > limit {
                break over();
            }
            match self.poll_source(cx) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Ready(Ok(None)) => break Poll::Ready(Ok(Bytes::new())),
                // A body of one block is not copied.
                Poll::Ready(Ok(Some(block))) if self.front.is_empty() && more.is_empty() => self.front = block,
                Poll::Ready(Ok(Some(block))) => {
                    if more.is_empty() {
                        more.extend_from_slice(&self.front);
                        self.front = Bytes::new();
                    }
                    more.extend_from_slice(&block);
                }
            }
        };
        if !more.is_empty() {
            self.front = more.freeze();
        }
        match result {
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(self.take(usize::MAX))),
            other => other,
        }
    }

    pub(super) fn take(&mut self, most: usize) -> Bytes {
        let taken = self.front.split_to(self.front.len().min(most));
        self.position += taken.len() as u64;
        taken
    }
}

/// A pipe of two handles, and all who wait for it.
pub(super) struct SharedPipe {
    pipe: Mutex<Pipe>,
    waiting: Mutex<Vec<Waker>>,
}

impl SharedPipe {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self { pipe: Mutex::new(pipe), waiting: Mutex::default() }
    }

    pub(super) fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn waits(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }
}

impl Wake for SharedPipe {
    fn wake(self: Arc<Self>) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for waker in waiting {
            waker.wake();
        }
    }
}
