//! A body on its way through an encoder.

use std::task::Context;

use bytes::Bytes;
use http::HeaderMap;

use super::Coding;
use super::coding::Encode;
use crate::body::{Body, Source, Step};
use crate::error::{Error, Fault, Result};

/// The bytes that are encoded in one step, and so the longest body that is encoded whole.
pub(super) const PIECE: usize = 64 * 1024;

/// A body in memory, encoded whole.
pub(super) fn whole(block: &[u8], coding: Coding) -> Result<Body> {
    let mut encoder = coding.encoder(Some(block.len()))?;
    let mut out = room_for(block.len());
    encoder.write(block, &mut out)?;
    encoder.end(&mut out)?;
    Ok(out.into())
}

/// A body that is encoded block by block; nothing of a block is held back when the next is asked for.
pub(super) struct Encoded {
    body: Body,
    /// Whether to encode on threads that may block, whatever the body does.
    on_thread: bool,
    encoder: Encoder,
    /// Of a block that was taken, what is not encoded yet.
    rest: Bytes,
    /// The Content-Length that the application declared, and what came of it.
    declared: Option<u64>,
    taken: u64,
    has_ended: bool,
    trailers: Option<HeaderMap>,
}

/// It is made by the first block: the answer to HEAD needs none.
enum Encoder {
    Unmade(Coding, Option<usize>),
    Made(Box<dyn Encode>),
}

impl Encoded {
    pub(super) fn new(body: Body, coding: Coding, declared: Option<u64>, on_thread: bool) -> Self {
        // Of a body in memory the length is certain.
        let length = body.as_full().map(Bytes::len);
        Self {
            body,
            on_thread,
            encoder: Encoder::Unmade(coding, length),
            rest: Bytes::new(),
            declared,
            taken: 0,
            has_ended: false,
            trailers: None,
        }
    }

    /// Takes the next block. Where there is none, the step that says so is the result.
    fn take(&mut self, cx: &mut Context<'_>, may_block: bool) -> Option<Step> {
        match self.body.poll_step(cx, may_block) {
            Step::Block(block) if !block.is_empty() => {
                self.taken += block.len() as u64;
                self.rest = block;
                match self.declared {
                    Some(declared) if self.taken > declared => Some(failed(Fault::BodyTooLong { declared })),
                    _ => None,
                }
            }
            Step::Trailers(trailers) => {
                self.trailers = Some(trailers);
                Some(Step::Block(Bytes::new()))
            }
            // The length is not sent, so nobody else would see that the body is cut short.
            Step::End => match self.declared.filter(|&declared| self.taken < declared) {
                Some(declared) => Some(failed(Fault::BodyTooShort { declared, sent: self.taken })),
                None => Some(self.encode(|encoder, out| encoder.end(out), 0)).inspect(|_| self.has_ended = true),
            },
            step => Some(step),
        }
    }

    /// Encodes a piece of the block that was taken, and flushes behind its last.
    fn encode_piece(&mut self) -> Step {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        let is_last = self.rest.is_empty();
        // The end, which follows at once, is a flush too.
        self.has_ended = is_last && self.body.is_nothing() && self.declared.is_none_or(|length| length == self.taken);
        let has_ended = self.has_ended;
        self.encode(
            |encoder, out| {
                encoder.write(&piece, out)?;
                match (is_last, has_ended) {
                    (_, true) => encoder.end(out),
                    (true, false) => encoder.flush(out),
                    (false, false) => Ok(()),
                }
            },
            piece.len(),
        )
    }

    fn encode(&mut self, f: impl FnOnce(&mut dyn Encode, &mut Vec<u8>) -> Result<()>, length: usize) -> Step {
        let mut out = room_for(length);
        match self.encoder.made().and_then(|encoder| f(encoder, &mut out)) {
            Ok(()) => Step::Block(out.into()),
            Err(error) => Step::Failed(error),
        }
    }
}

impl Encoder {
    fn made(&mut self) -> Result<&mut dyn Encode> {
        if let Self::Unmade(coding, length) = self {
            *self = Self::Made(coding.encoder(*length)?);
        }
        match self {
            Self::Made(encoder) => Ok(&mut **encoder),
            Self::Unmade(..) => Err("the encoder was made just now".into()),
        }
    }
}

impl Source for Encoded {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        if !may_block && self.may_block() {
            return Step::NeedsThread;
        }
        if self.has_ended {
            return self.trailers.take().map_or(Step::End, Step::Trailers);
        }
        if self.rest.is_empty() {
            if let Some(step) = self.take(cx, may_block) {
                return step;
            }
        }
        self.encode_piece()
    }

    fn may_block(&self) -> bool {
        self.on_thread || self.body.may_block()
    }

    fn drop_may_block(&self) -> bool {
        self.body.drop_may_block()
    }
}

fn failed(fault: Fault) -> Step {
    Step::Failed(Error::from(fault))
}

/// Most of what is worth compressing fits in, and the rest grows it.
fn room_for(length: usize) -> Vec<u8> {
    Vec::with_capacity(length / 2 + 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at the call with this number.
    struct Failing(usize);

    impl Failing {
        fn call(&mut self, out: &mut Vec<u8>) -> Result<()> {
            self.0 = self.0.checked_sub(1).ok_or("the encoder broke")?;
            out.push(b'x');
            Ok(())
        }
    }

    impl Encode for Failing {
        fn write(&mut self, _bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
            self.call(out)
        }

        fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
            self.call(out)
        }

        fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
            self.call(out)
        }
    }

    #[test]
    fn an_encoder_that_fails_fails_the_body() {
        // Two blocks are four calls, and the end is a fifth.
        for calls in 0..6 {
            let coding = Compressing::any();
            let mut encoded = Encoded::new(Body::iter(["a", "b"]), coding, None, false);
            encoded.encoder = Encoder::Made(Box::new(Failing(calls)));
            let blocks: Vec<Result<Bytes>> = Body::source(encoded).into_iter().collect();
            let is_broken = blocks.last().is_some_and(Result::is_err);
            assert_eq!(is_broken, calls < 5, "{calls}: {blocks:?}");
        }
    }

    use super::super::Compression as Compressing;

    impl Compressing {
        fn any() -> Coding {
            Self::new().codings[0]
        }
    }

    #[test]
    fn a_long_block_is_encoded_in_pieces() {
        let encoded = Encoded::new(Body::iter([vec![b'x'; 3 * PIECE]]), Compressing::any(), None, false);
        let mut body = Body::source(encoded);
        let mut steps = 0;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while !matches!(body.poll_step(&mut cx, true), Step::End) {
            steps += 1;
        }
        assert_eq!(steps, 4, "three pieces and the end");
    }
}
