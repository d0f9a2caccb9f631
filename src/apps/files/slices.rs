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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(length: usize) -> File {
        let path = std::env::temp_dir().join(format!("vestibule-slices-{}-{length}", std::process::id()));
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(&vec![b'x'; length]).unwrap();
        file
    }

    #[test]
    fn a_file_that_is_shorter_than_was_promised_fails() {
        for (there, promised) in [(0, 1), (9, 10), (BLOCK - 1, BLOCK), (BLOCK, BLOCK + 1), (BLOCK + 1, BLOCK + 2)] {
            let body = slice(file(there), Slice { at: 0, length: promised as u64 }, false);
            // One block is read at once; of more, the end is found missing when it is pulled.
            assert_eq!(body.is_err(), promised <= BLOCK, "{promised}");
            let error = body.and_then(|body| body.into_iter().collect::<Result<Vec<_>>>()).unwrap_err();
            assert!(error.to_string().starts_with("the file ended 1 bytes early"), "{error}");
        }
    }

    #[test]
    fn a_body_knows_what_is_left_and_is_read_where_it_may_wait() {
        for length in [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let mut body = slice(file(length), Slice { at: 0, length: length as u64 }, false).unwrap();
            assert_eq!((body.len(), body.may_block()), (Some(length as u64), length > BLOCK));
            let mut context = Context::from_waker(std::task::Waker::noop());
            if length > BLOCK {
                assert!(matches!(body.poll_step(&mut context, false), Step::NeedsThread));
            }
            let mut left = length;
            while let Step::Block(block) = body.poll_step(&mut context, true) {
                assert!(!block.is_empty() && block.len() <= BLOCK);
                left -= block.len();
                assert_eq!(body.len(), Some(left as u64));
            }
            assert_eq!((left, body.may_block()), (0, false));
        }
    }

    #[test]
    fn text_comes_in_front_of_the_bytes_that_it_is_about() {
        let piece = |text: &str, at, length| Piece { text: text.to_owned(), at, length };
        let body =
            pieces(file(10), VecDeque::from([piece("<", 0, 2), piece(">", 0, 0), piece("", 9, 1), piece("", 0, 0)]));
        assert_eq!(body.len(), Some(5));
        let blocks = body.into_iter().collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(blocks, ["<xx", ">", "x"]);
    }
}
