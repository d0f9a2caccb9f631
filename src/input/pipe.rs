//! What an input reads from: the bytes that came, the source of more, and the end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::body::{Body, Step};
use crate::error::{Error, Fault, Result};
use crate::lifecycle::Cancellation;

/// The input itself: what was received and not read yet, and where more comes from.
pub(super) struct Pipe {
    pub(super) front: Bytes,
    /// What a whole read has gathered and still waits for the rest of. While there is some, the front is empty; it is
    /// kept here, so that a read that is given up and begun again loses nothing and copies nothing twice.
    gathered: BytesMut,
    /// How much of it was searched for the end of a line.
    searched: usize,
    /// How many bytes were taken from the front so far.
    pub(super) position: u64,
    /// How many bytes have come from the source.
    pub(super) received: u64,
    pub(super) source: Body,
    pub(super) expected: Option<u64>,
    /// The most bytes that may come; one more is an error.
    limit: u64,
    pub(super) end: Option<Ended>,
    pub(super) trailers: Option<HeaderMap>,
    /// Ends the wait for a client that has left.
    hang_up: Option<Cancellation>,
}

pub(super) enum Ended {
    Cleanly,
    With(Fault),
}

impl Pipe {
    pub(super) fn of(source: Body) -> Self {
        Self {
            front: Bytes::new(),
            gathered: BytesMut::new(),
            searched: 0,
            position: 0,
            received: 0,
            expected: source.len(),
            limit: u64::MAX,
            source,
            end: None,
            trailers: None,
            hang_up: None,
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

    /// Lets no more come than so many bytes.
    pub(super) fn limit(&mut self, bytes: u64) {
        self.limit = self.limit.min(bytes);
    }

    /// Ends the wait for more when the client has left.
    pub(super) fn watch(&mut self, hang_up: Cancellation) {
        self.hang_up = Some(hang_up);
    }

    /// Waits for bytes at the front: true when there are some, false at the clean end.
    pub(super) fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        self.settle();
        while self.front.is_empty() {
            match ready!(self.poll_source(cx))? {
                None => return Poll::Ready(Ok(false)),
                Some(block) => self.front = block,
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Puts what was gathered to the front.
    fn settle(&mut self) {
        if !self.gathered.is_empty() {
            self.front = self.gathered.split().freeze();
        }
    }

    /// Gathers one more block behind what is there; false at the clean end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        let Some(block) = ready!(self.poll_source(cx))? else { return Poll::Ready(Ok(false)) };
        match self.held().is_empty() {
            // A body of one block is not copied.
            true => self.front = block,
            false => {
                self.gathered.extend_from_slice(&std::mem::take(&mut self.front));
                self.gathered.extend_from_slice(&block);
            }
        }
        Poll::Ready(Ok(true))
    }

    fn held(&self) -> &[u8] {
        match self.gathered.is_empty() {
            true => &self.front,
            false => &self.gathered,
        }
    }

    /// The next block of the source, cut at the length that was promised.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            match &self.end {
                Some(Ended::Cleanly) => return Poll::Ready(Ok(None)),
                Some(Ended::With(fault)) => return Poll::Ready(Err(fault.clone().into())),
                None if self.expected == Some(self.received) => {
                    self.finish_at_length(cx);
                    continue;
                }
                None => {}
            }
            match self.source.poll_step(cx, true) {
                Step::Pending => {
                    let Some(hang_up) = &mut self.hang_up else { return Poll::Pending };
                    ready!(Pin::new(&mut *hang_up).poll(cx));
                    self.end = Some(Ended::With(hang_up.fault()));
                }
                Step::Block(mut block) => {
                    if let Some(expected) = self.expected {
                        let room = usize::try_from(expected - self.received).unwrap_or(usize::MAX);
                        block.truncate(room);
                    }
                    let room = usize::try_from(self.limit.saturating_sub(self.received)).unwrap_or(usize::MAX);
                    if block.len() > room {
                        block.truncate(room);
                        self.source = Body::empty();
                        self.end = Some(Ended::With(Fault::OverLimit { limit: self.limit }));
                        if block.is_empty() {
                            continue;
                        }
                    }
                    self.received += block.len() as u64;
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
                    self.end = Some(Ended::With(error.repeated()));
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// All promised bytes are here: the end is clean, whatever the source does afterwards. Trailers may be there too.
    fn finish_at_length(&mut self, cx: &mut Context<'_>) {
        if let Step::Trailers(trailers) = self.source.poll_step(cx, false) {
            self.trailers = Some(trailers);
        }
        self.source = Body::empty();
        self.end = Some(Ended::Cleanly);
    }

    /// Gathers all that is left, and takes it when it is whole.
    pub(super) fn poll_whole(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<Bytes>> {
        let over = || Poll::Ready(Err(Error::from(Fault::OverLimit { limit })));
        if self.expected.is_some_and(|expected| expected.saturating_sub(self.position) > limit) {
            return over();
        }
        loop {
            if self.held().len() as u64 > limit {
                return over();
            }
            if !ready!(self.poll_more(cx))? {
                self.settle();
                return Poll::Ready(Ok(self.take(usize::MAX)));
            }
        }
    }

    /// Gathers up to and with a byte, or to the end. It is taken at once, so that two handles never share a line.
    pub(super) fn poll_until(&mut self, cx: &mut Context<'_>, byte: u8, limit: u64) -> Poll<Result<Bytes>> {
        loop {
            let found = self.held()[self.searched..].iter().position(|&other| other == byte);
            let length = found.map_or(self.held().len(), |at| self.searched + at + 1);
            self.searched = length;
            if length as u64 > limit {
                return Poll::Ready(Err(Fault::OverLimit { limit }.into()));
            }
            if found.is_some() || !ready!(self.poll_more(cx))? {
                self.settle();
                return Poll::Ready(Ok(self.take(length)));
            }
        }
    }

    pub(super) fn take(&mut self, most: usize) -> Bytes {
        let taken = self.front.split_to(self.front.len().min(most));
        self.position += taken.len() as u64;
        self.searched = 0;
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
