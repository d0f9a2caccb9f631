//! `Output`: what is to be written next, small pieces copied together and large blocks kept as they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Up to this a block is copied behind what is there: 4 KiB are copied faster than a system call takes one more slice.
const COPIED: usize = 4 * 1024;
/// Small pieces are copied together up to this, so that none of them moves often as the buffer grows.
const TOGETHER: usize = 16 * 1024;
/// What a connection without output keeps for the next one.
const KEPT: usize = 4 * 1024;

/// Bytes on their way out: a response as few slices, in which no large block was copied.
///
/// It is a [`Buf`]: write [`chunks_vectored`](Buf::chunks_vectored) and [`advance`](Buf::advance) by what was taken, or
/// give it to a function that does. A small response is one slice, so one plain write. It has no limit of its own: stop
/// giving it more while [`remaining`](Buf::remaining) is large.
///
/// ```
/// use bytes::{Buf, Bytes};
/// use vestibule::wire::Output;
///
/// let mut output = Output::new();
/// output.put(b"head");
/// output.push(Bytes::from(vec![b'x'; 100_000]));
/// assert_eq!((output.chunk(), output.remaining()), (&b"head"[..], 100_004));
/// ```
#[derive(Debug, Default)]
pub struct Output {
    /// Before the tail.
    blocks: VecDeque<Bytes>,
    /// Small pieces, of which the first `written` bytes are gone.
    tail: Vec<u8>,
    written: usize,
    remaining: usize,
}

impl Output {
    /// No bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a copy of some bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        if self.tail.len() + bytes.len() > TOGETHER {
            self.seal();
        }
        self.tail.extend_from_slice(bytes);
        self.remaining += bytes.len();
    }

    /// Adds a block: without a copy unless it is small.
    pub fn push(&mut self, block: Bytes) {
        if block.len() <= COPIED {
            self.put(&block);
        } else {
            self.seal();
            self.remaining += block.len();
            self.blocks.push_back(block);
        }
    }

    /// Makes the tail a block, so that another can follow it.
    fn seal(&mut self) {
        let mut tail = Bytes::from(std::mem::take(&mut self.tail));
        tail.advance(std::mem::take(&mut self.written));
        if !tail.is_empty() {
            self.blocks.push_back(tail);
        }
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        match self.blocks.front() {
            Some(block) => block,
            None => &self.tail[self.written..],
        }
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "cannot advance by {count} bytes where {} remain", self.remaining);
        self.remaining -= count;
        while let Some(block) = self.blocks.front_mut() {
            if count < block.len() {
                block.advance(count);
                return;
            }
            count -= block.len();
            self.blocks.pop_front();
        }
        self.written += count;
        if self.written == self.tail.len() {
            self.tail.clear();
            self.tail.shrink_to(KEPT);
            self.written = 0;
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let blocks = self.blocks.iter().map(|block| &block[..]);
        let tail = Some(&self.tail[self.written..]).filter(|tail| !tail.is_empty());
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(blocks.chain(tail)) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(output: &Output) -> Vec<usize> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = output.chunks_vectored(&mut slices);
        slices[..filled].iter().map(|slice| slice.len()).collect()
    }

    #[test]
    fn small_pieces_are_one_slice_and_large_blocks_are_not_copied() {
        let mut output = Output::new();
        output.put(b"ab");
        output.push(Bytes::from_static(b"cd"));
        assert_eq!(slices(&output), [4]);
        let large = Bytes::from(vec![b'x'; COPIED + 1]);
        output.push(large.clone());
        output.put(b"ef");
        assert_eq!(slices(&output), [4, COPIED + 1, 2]);
        output.advance(4);
        assert_eq!(output.chunk().as_ptr(), large.as_ptr());
    }

    #[test]
    fn however_it_is_taken_the_bytes_are_the_same() {
        for step in [1, 2, 3, 100, 5000, 100_000] {
            let mut output = Output::new();
            let (mut expected, mut taken) = (Vec::new(), Vec::new());
            for (at, size) in [1, 5000, 0, 10, 4096, 9000, 9000, 3].into_iter().enumerate() {
                let block = vec![b'a' + u8::try_from(at).unwrap(); size];
                expected.extend_from_slice(&block);
                output.push(block.into());
                // In between, as a socket does.
                let count = step.min(output.chunk().len());
                taken.extend_from_slice(&output.chunk()[..count]);
                output.advance(count);
            }
            while output.has_remaining() {
                let count = step.min(output.chunk().len());
                taken.extend_from_slice(&output.chunk()[..count]);
                output.advance(count);
            }
            assert!(taken == expected, "by {step}");
        }
    }

    #[test]
    fn what_is_half_written_goes_on_when_more_follows() {
        for more in [1, COPIED + 1, TOGETHER] {
            let mut output = Output::new();
            output.put(b"abcdef");
            output.advance(3);
            output.push(vec![b'x'; more].into());
            assert_eq!(output.remaining(), 3 + more);
            assert_eq!(output.copy_to_bytes(3 + more), [&b"def"[..], &vec![b'x'; more]].concat());
        }
    }

    #[test]
    fn what_was_written_leaves_little_memory_behind() {
        let mut output = Output::new();
        for _ in 0..100 {
            output.put(&[b'x'; 3000]);
        }
        assert!(output.blocks.iter().all(|block| block.len() <= TOGETHER));
        output.advance(output.remaining());
        assert!(output.blocks.is_empty() && output.tail.capacity() <= KEPT);
        assert_eq!(output.chunk(), b"");
    }
}
