//! What a body can be pulled from: iterators, streams, files, futures.

use std::fs::File;
use std::future::Future;
use std::io::{ErrorKind, Read, Seek};
use std::ops::{Bound, RangeBounds};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::HeaderMap;

use super::Body;
use crate::error::{Error, Fault, Result};

/// What one pull gives.
pub(crate) enum Step {
    /// Nothing yet; the waker will be called.
    Pending,
    /// A block, perhaps empty, which means "nothing yet, but ask again" (PEP 3333, "Middleware Handling of Block
    /// Boundaries").
    Block(Bytes),
    /// The trailer fields; the end follows.
    Trailers(HeaderMap),
    End,
    Failed(Error),
    /// The body is another one from here on.
    Become(Body),
    /// The pull may block, and this thread may not.
    NeedsThread,
}

impl Step {
    /// What a read gives, where no bytes are the end.
    fn or_end(block: Bytes) -> Self {
        match block.is_empty() {
            true => Self::End,
            false => Self::Block(block),
        }
    }
}

/// Something that gives blocks.
pub(crate) trait Source: Send {
    /// Pulls once. Where `may_block` is false and the pull could block, it answers [`Step::NeedsThread`].
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step;

    /// The bytes that are left, where that is known.
    fn len(&self) -> Option<u64> {
        None
    }

    /// Whether a pull may block.
    fn may_block(&self) -> bool;

    /// Whether it is not known yet what the body is.
    fn is_deferred(&self) -> bool {
        false
    }

    /// Whether dropping it runs code of the application that may block.
    fn drop_may_block(&self) -> bool {
        self.may_block()
    }
}

pub(crate) struct Iter<I>(pub(crate) I);

impl<I: Iterator<Item = Result<Bytes>> + Send> Source for Iter<I> {
    fn poll_step(&mut self, _cx: &mut Context<'_>, may_block: bool) -> Step {
        match may_block {
            false => Step::NeedsThread,
            true => self.0.next().map_or(Step::End, |block| block.map_or_else(Step::Failed, Step::Block)),
        }
    }

    fn may_block(&self) -> bool {
        true
    }
}

pub(crate) struct Streamed<S>(pub(crate) Pin<Box<S>>);

impl<S, B> Source for Streamed<S>
where
    S: Stream<Item = Result<B>> + Send,
    B: Into<Bytes>,
{
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        match self.0.as_mut().poll_next(cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(None) => Step::End,
            Poll::Ready(Some(Ok(block))) => Step::Block(block.into()),
            Poll::Ready(Some(Err(error))) => Step::Failed(error),
        }
    }

    fn may_block(&self) -> bool {
        false
    }
}

pub(crate) struct Deferred(pub(crate) Pin<Box<dyn Future<Output = Result> + Send>>);

impl Source for Deferred {
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        match self.0.as_mut().poll(cx) {
            Poll::Pending => Step::Pending,
            Poll::Ready(Ok(body)) => Step::Become(body),
            Poll::Ready(Err(error)) => Step::Failed(error),
        }
    }

    fn may_block(&self) -> bool {
        false
    }

    fn is_deferred(&self) -> bool {
        true
    }
}

pub(crate) struct Failing(pub(crate) Option<Error>);

impl Source for Failing {
    fn poll_step(&mut self, _cx: &mut Context<'_>, _may_block: bool) -> Step {
        self.0.take().map_or(Step::End, Step::Failed)
    }

    fn may_block(&self) -> bool {
        false
    }
}

/// The bytes that one read of a file or a reader asks for.
const READ: usize = 64 * 1024;

pub(crate) struct Reader<R>(pub(crate) R);

impl<R: Read + Send> Source for Reader<R> {
    fn poll_step(&mut self, _cx: &mut Context<'_>, may_block: bool) -> Step {
        match may_block {
            false => Step::NeedsThread,
            true => read_block(&mut self.0, READ).map_or_else(Step::Failed, Step::or_end),
        }
    }

    fn may_block(&self) -> bool {
        true
    }
}

fn read_block(reader: &mut impl Read, most: usize) -> Result<Bytes> {
    let mut block = BytesMut::zeroed(most);
    loop {
        match reader.read(&mut block) {
            Ok(n) => {
                block.truncate(n);
                return Ok(block.freeze());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) struct FileBlocks {
    file: File,
    place: Place,
}

/// Which part of a file is still to be sent, in bytes.
enum Place {
    /// Of a file that can be read anywhere: other handles of it, and their cursors, do not matter.
    At { at: u64, left: u64 },
    /// Of a pipe or a device: what comes, until it ends.
    Cursor,
}

impl FileBlocks {
    /// A range of the file, cut at its end.
    pub(crate) fn new(file: File, range: impl RangeBounds<u64>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => u64::MAX,
        };
        let place = match size(&file) {
            Some(size) => Place::At { at: start, left: size.min(end).saturating_sub(start) },
            None => Place::Cursor,
        };
        Self { file, place }
    }

    /// The file from where it stands to its end.
    pub(crate) fn rest(mut file: File) -> Self {
        match file.stream_position() {
            Ok(at) => Self::new(file, at..),
            Err(_) => Self { file, place: Place::Cursor },
        }
    }
}

/// The size of a regular file; what a pipe or a device says of it means nothing.
fn size(file: &File) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// A file, read at a place of its own.
struct ReadAt<'a>(&'a File, u64);

impl Read for ReadAt<'_> {
    #[cfg(unix)]
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self.0, buffer, self.1)
    }

    #[cfg(not(unix))]
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.seek(std::io::SeekFrom::Start(self.1))?;
        self.0.read(buffer)
    }
}

impl Source for FileBlocks {
    fn poll_step(&mut self, _cx: &mut Context<'_>, may_block: bool) -> Step {
        match &mut self.place {
            Place::At { left: 0, .. } => Step::End,
            _ if !may_block => Step::NeedsThread,
            Place::Cursor => read_block(&mut self.file, READ).map_or_else(Step::Failed, Step::or_end),
            Place::At { at, left } => {
                let most = READ.min(usize::try_from(*left).unwrap_or(READ));
                match read_block(&mut ReadAt(&self.file, *at), most) {
                    Err(error) => Step::Failed(error),
                    Ok(block) if block.is_empty() => Step::Failed(Fault::FileTruncated { missing: *left }.into()),
                    Ok(block) => {
                        *at += block.len() as u64;
                        *left -= block.len() as u64;
                        Step::Block(block)
                    }
                }
            }
        }
    }

    fn len(&self) -> Option<u64> {
        match self.place {
            Place::At { left, .. } => Some(left),
            Place::Cursor => None,
        }
    }

    fn may_block(&self) -> bool {
        !matches!(self.place, Place::At { left: 0, .. })
    }
}
