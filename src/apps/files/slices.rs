//! The bytes of a file on their way out: the whole of it, a range, or several with headers between them.

use std::collections::VecDeque;
use std::fs::File;
use std::task::Context;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::range::Slice;
use crate::body::{Body, Source, Step};
use crate::error::{Error, Fault, Result};

/// The bytes of a file that one block has at most.
const BLOCK: usize = 64 * 1024;

/// Some text, then some bytes of the file; each part of it may be empty.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) at: u64,
    pub(super) length: u64,
}

impl Piece {
    fn length(&self) -> u64 {
        self.length.saturating_add(self.text.len() as u64)
    }

    /// Its next block, which the text comes in front of.
    fn read(&mut self, file: &File) -> Result<Vec<u8>> {
        let most = BLOCK.min(usize::try_from(self.length).unwrap_or(BLOCK));
        let text = std::mem::take(&mut self.text).into_bytes();
        // Where there is no text, the block is read into a place of its own size, which nobody writes zeros to before.
        let mut block = text;
        block.reserve_exact(most);
        let begin = block.len();
        if most > 0 {
            let got = read_at(file, &mut block, self.at)?;
            block.truncate(begin + got.min(most));
            let got = (block.len() - begin) as u64;
            if got == 0 {
                return Err(Fault::FileTruncated { missing: self.length }.into());
            }
            self.at += got;
            self.length -= got;
        }
        Ok(block)
    }
}

/// One read into what the buffer has room for.
fn read_at(file: &File, buffer: &mut Vec<u8>, at: u64) -> Result<usize> {
    loop {
        match pread(file, spare_capacity(buffer), at) {
            Ok(read) => return Ok(read),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(std::io::Error::from(errno).into()),
        }
    }
}

/// A range of the file as a body. A small one is read here and now, since the thread that makes it may wait, and the
/// file is closed then. To a request without interest in the bytes it only has its length.
pub(super) fn slice(file: File, slice: Slice, head_only: bool) -> Result<Body> {
    let mut piece = Piece { text: String::new(), at: slice.at, length: slice.length };
    if head_only || slice.length > BLOCK as u64 {
        return Ok(pieces(file, VecDeque::from([piece])));
    }
    let mut block = piece.read(&file)?;
    while piece.length > 0 {
        // A read that was cut short, by a signal perhaps.
        block.append(&mut piece.read(&file)?);
    }
    Ok(block.into())
}

/// Several pieces as a body.
pub(super) fn pieces(file: File, pieces: VecDeque<Piece>) -> Body {
    let left = pieces.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.length()));
    Body::source(Slices { file, pieces, left })
}

struct Slices {
    file: File,
    pieces: VecDeque<Piece>,
    left: u64,
}

impl Slices {
    fn next(&mut self) -> Option<Result<Vec<u8>, Error>> {
        while let Some(piece) = self.pieces.front_mut() {
            if piece.length() > 0 {
                return Some(piece.read(&self.file));
            }
            self.pieces.pop_front();
        }
        None
    }
}

impl Source for Slices {
    fn poll_step(&mut self, _cx: &mut Context<'_>, may_block: bool) -> Step {
        if self.left > 0 && !may_block {
            return Step::NeedsThread;
        }
        match self.next() {
            None => Step::End,
            Some(Err(error)) => Step::Failed(error),
            Some(Ok(block)) => {
                self.left -= block.len() as u64;
                Step::Block(block.into())
            }
        }
    }

    fn len(&self) -> Option<u64> {
        Some(self.left)
    }

    fn may_block(&self) -> bool {
        self.left > 0
    }
}
