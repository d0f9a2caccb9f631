//! `Body`: the blocks of a response, from whatever makes them.

mod channel;
mod combine;
mod source;

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::ops::RangeBounds;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http::HeaderMap;

pub use channel::Sender;
pub(crate) use combine::of_the_inner_body;
pub(crate) use source::{Source, Step};

use crate::error::{Error, Result};
use crate::waiting;

/// The body of a response: blocks of bytes, with a length where that is known.
///
/// It is made from strings, bytes and files by `into()`, from iterators ([`Body::iter`], [`Body::try_iter`]),
/// streams ([`Body::stream`]), futures ([`Body::deferred`]) and by pushing ([`Body::channel`]). Each non-empty
/// block is sent before the next is asked for (PEP 3333, "Buffering and Streaming"). Dropping it is its
/// `close()`: see [`Body::on_close`].
///
/// Every kind can be pulled both ways: as a [`Stream`], and, by `into_iter()`, as a blocking iterator. A body that
/// may block its thread (an iterator, a file) is pulled on a thread that may wait, by gateways that have some.
///
/// ```
/// use vestibule::Body;
///
/// let body = Body::iter(["one\n", "two\n"]);
/// assert_eq!(body.len(), None); // known only by counting
/// let blocks = body.into_iter().collect::<vestibule::Result<Vec<_>>>()?;
/// assert_eq!(blocks, ["one\n", "two\n"]);
/// assert_eq!(Body::from("hello").len(), Some(5));
/// # Ok::<(), vestibule::Error>(())
/// ```
#[must_use = "a body that is dropped is not sent"]
pub struct Body(Repr);

enum Repr {
    /// All that is left, as one block.
    Full(Bytes),
    /// A body that is not known yet. It is a source that needs no second box.
    Deferred(source::Deferred),
    /// A block that was pulled already and put back, then a source.
    Source { front: Bytes, source: Box<dyn Source> },
    /// A source that has ended or failed. It is kept until the body is dropped, which is what closes it.
    Ended(Box<dyn Source>),
}

impl Body {
    /// A body of no bytes.
    pub const fn empty() -> Self {
        Self(Repr::Full(Bytes::new()))
    }

    /// A body of the blocks of an iterator, which is pulled on a thread that may wait.
    pub fn iter<I, B>(blocks: I) -> Self
    where
        I: IntoIterator<Item = B>,
        I::IntoIter: Send + 'static,
        B: Into<Bytes>,
    {
        Self::source(source::Iter(blocks.into_iter().map(|block| Ok(block.into()))))
    }

    /// A body of the blocks of an iterator that can fail; an `Err` ends it and aborts the response.
    ///
    /// There is one error type, so that it can be inferred: `.map(|line| Ok(line?))`.
    ///
    /// ```
    /// use std::io::BufRead;
    /// use vestibule::Body;
    ///
    /// let lines = std::io::Cursor::new("one\ntwo").lines();
    /// let body = Body::try_iter(lines.map(|line| Ok(line? + "\n")));
    /// assert_eq!(body.into_iter().count(), 2);
    /// ```
    pub fn try_iter<I, B>(blocks: I) -> Self
    where
        I: IntoIterator<Item = Result<B>>,
        I::IntoIter: Send + 'static,
        B: Into<Bytes>,
    {
        Self::source(source::Iter(blocks.into_iter().map(|block| block.map(Into::into))))
    }

    /// A body of the blocks of a stream, which is polled on the reactor and must not block.
    ///
    /// ```
    /// use futures::stream;
    /// use vestibule::Body;
    ///
    /// let body = Body::stream(stream::iter([Ok("a"), Ok("b")]));
    /// assert_eq!(body.into_iter().count(), 2);
    /// ```
    pub fn stream<S, B>(blocks: S) -> Self
    where
        S: Stream<Item = Result<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        Self::source(source::Streamed(Box::pin(blocks)))
    }

    /// The part `range` of a file, in bytes from its beginning. The file is closed when the body is dropped.
    ///
    /// A range that reaches past the end of the file stops there. A file that cannot be sought, such as a
    /// pipe, is sent from where it stands, with an unknown length. One that shrinks while it is sent aborts
    /// the response.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("vestibule-doc-{}", std::process::id()));
    /// # std::fs::write(&path, "0123456789")?;
    /// let body = vestibule::Body::file(std::fs::File::open(&path)?, 5..);
    /// assert_eq!(body.len(), Some(5));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn file(file: File, range: impl RangeBounds<u64>) -> Self {
        Self::source(source::FileBlocks::new(file, range))
    }

    /// A body that is not known yet: a future of it, which is awaited before the head is committed.
    ///
    /// It may resolve to a blocking body. [`async_fn`](crate::async_fn) is made of it.
    pub fn deferred(body: impl Future<Output = Result> + Send + 'static) -> Self {
        Self(Repr::Deferred(source::Deferred(Box::pin(body))))
    }

    /// A body whose blocks are pushed by a [`Sender`]; at most `blocks` of them wait to be sent.
    ///
    /// When so many wait, the sender waits. When the sender is dropped without
    /// [`finish`](Sender::finish), the response is aborted, so that a truncated one never looks complete.
    ///
    /// ```
    /// use vestibule::{Body, Environ, Result, StartResponse, testing::TestServer};
    ///
    /// fn app(_environ: Environ, start_response: StartResponse) -> Result {
    ///     let (mut sender, body) = Body::channel(4);
    ///     std::thread::spawn(move || -> Result<()> {
    ///         for n in 1..=3 {
    ///             sender.blocking_send(format!("{n}\n"))?;
    ///         }
    ///         sender.finish()
    ///     });
    ///     start_response.start(200, ())?;
    ///     Ok(body)
    /// }
    /// assert_eq!(TestServer::new(app).get("/").send().text(), "1\n2\n3\n");
    /// ```
    pub fn channel(blocks: usize) -> (Sender, Self) {
        let (sender, receiver) = channel::channel(blocks);
        (sender, Self::source(receiver))
    }

    /// A body that fails at the first pull.
    pub(crate) fn failing(error: Error) -> Self {
        Self::source(source::Failing(Some(error)))
    }

    /// A body of what a blocking reader gives.
    pub(crate) fn reader(reader: impl std::io::Read + Send + 'static) -> Self {
        Self::source(source::Reader(reader))
    }

    pub(crate) fn source(source: impl Source + 'static) -> Self {
        Self(Repr::Source { front: Bytes::new(), source: Box::new(source) })
    }

    /// The number of bytes that are left, where that is known without pulling.
    #[expect(clippy::len_without_is_empty, reason = "whether a stream is empty is known only by pulling it")]
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Repr::Full(block) => Some(block.len() as u64),
            Repr::Deferred(_) => None,
            Repr::Source { front, source } => Some(source.len()? + front.len() as u64),
            Repr::Ended(_) => Some(0),
        }
    }

    /// Whether the next pull may block its thread.
    pub(crate) fn may_block(&self) -> bool {
        match &self.0 {
            Repr::Source { front, source } => front.is_empty() && source.may_block(),
            _ => false,
        }
    }

    /// Whether dropping it may run code of the application that blocks.
    pub(crate) fn drop_may_block(&self) -> bool {
        match &self.0 {
            Repr::Full(_) | Repr::Deferred(_) => false,
            Repr::Source { source, .. } | Repr::Ended(source) => source.drop_may_block(),
        }
    }

    /// Whether it is a future of a body that is not known yet.
    pub(crate) fn is_deferred(&self) -> bool {
        match &self.0 {
            Repr::Deferred(_) => true,
            Repr::Source { source, .. } => source.is_deferred(),
            _ => false,
        }
    }

    /// Whether it is in memory and empty.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.0, Repr::Full(block) if block.is_empty())
    }

    /// The one block that the body consists of, if that is known: no pull can fail or wait then.
    pub(crate) fn as_full(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Full(block) => Some(block),
            _ => None,
        }
    }

    /// That one block, or the body as it was.
    pub(crate) fn into_full(self) -> Result<Bytes, Self> {
        match self.0 {
            Repr::Full(block) => Ok(block),
            _ => Err(self),
        }
    }

    /// Takes that one block, which leaves nothing.
    pub(crate) fn take_full(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Repr::Full(block) => Some(std::mem::take(block)),
            _ => None,
        }
    }

    /// The step of a source that only watches this body, given the step of the body itself: one that has become a body in
    /// memory needs no watching any more, and takes the place of the source.
    pub(crate) fn unwatched(&mut self, step: Step) -> Step {
        match step {
            Step::Block(block) if self.as_full().is_some() => {
                self.put_back(block);
                Step::Become(std::mem::take(self))
            }
            Step::End if self.as_full().is_some() => Step::Become(Self::empty()),
            step => step,
        }
    }

    /// Puts a block back that was pulled, so that it has not ended.
    pub(crate) fn put_back(&mut self, block: Bytes) {
        self.0 = match std::mem::take(self).0 {
            Repr::Full(rest) => Repr::Full(joined(block, rest)),
            Repr::Source { front, source } => Repr::Source { front: joined(block, front), source },
            Repr::Deferred(deferred) => Repr::Source { front: block, source: Box::new(deferred) },
            Repr::Ended(source) => Repr::Source { front: block, source },
        };
    }

    /// Pulls once. `may_block` tells whether this thread may wait; where it may not, a body that could
    /// block answers [`Step::NeedsThread`]. A body that has ended or failed is empty from then on.
    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        loop {
            let source: &mut dyn Source = match &mut self.0 {
                Repr::Full(block) if block.is_empty() => return Step::End,
                Repr::Full(block) => return Step::Block(std::mem::take(block)),
                Repr::Ended(_) => return Step::End,
                Repr::Source { front, .. } if !front.is_empty() => return Step::Block(std::mem::take(front)),
                Repr::Source { source, .. } => &mut **source,
                Repr::Deferred(deferred) => deferred,
            };
            match source.poll_step(cx, may_block) {
                Step::Become(body) => *self = body,
                Step::Failed(error) => {
                    self.end();
                    return Step::Failed(error);
                }
                Step::End => {
                    self.end();
                    return Step::End;
                }
                step => return step,
            }
        }
    }

    fn end(&mut self) {
        self.0 = match std::mem::replace(&mut self.0, Repr::Full(Bytes::new())) {
            Repr::Source { source, .. } => Repr::Ended(source),
            Repr::Deferred(deferred) => Repr::Ended(Box::new(deferred)),
            ended => ended,
        };
    }

    /// Changes each block; the length is unknown afterwards, unless the body is one block, which is changed at once.
    ///
    /// The mode of the body, blocking or async, is kept, and each block in gives one block out.
    pub fn map_chunks(self, mut f: impl FnMut(Bytes) -> Bytes + Send + 'static) -> Self {
        match self.0 {
            Repr::Full(block) if !block.is_empty() => f(block).into(),
            Repr::Full(_) => self,
            _ => Self::source(combine::MapChunks { body: self, f }),
        }
    }

    /// Changes each block, and at the end, with `None`, gives what is left: a compressor, a rewriter.
    ///
    /// An empty result is no block. The mode of the body, blocking or async, is kept. An `Err` ends the body and
    /// aborts the response.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use vestibule::Body;
    ///
    /// let body = Body::iter(["a", "b"]).transform(|block| {
    ///     Ok(block.unwrap_or(Bytes::from_static(b"the end")))
    /// });
    /// let blocks = body.into_iter().collect::<vestibule::Result<Vec<_>>>()?;
    /// assert_eq!(blocks, ["a", "b", "the end"]);
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn transform(self, f: impl FnMut(Option<Bytes>) -> Result<Bytes> + Send + 'static) -> Self {
        match self.0 {
            Repr::Full(block) => combine::transform_full(block, f).unwrap_or_else(Self::failing),
            _ => Self::source(combine::Transform { body: self, f, ended: false, trailers: None }),
        }
    }

    /// Calls `f` once when the body is closed, which is when it is dropped: after the last block was given to the
    /// connection, or when the client has left, or when the body is replaced.
    pub fn on_close(self, f: impl FnOnce() + Send + 'static) -> Self {
        Self::source(combine::OnClose { body: self, f: Some(f) })
    }

    /// The body in place of another, which is closed with it where that may block, and else at once.
    pub(crate) fn in_place_of(self, replaced: Self) -> Self {
        match replaced.drop_may_block() {
            true => self.on_close(move || drop(replaced)),
            false => self,
        }
    }

    /// Adds trailer fields, which `f` makes when the last block was pulled.
    ///
    /// HTTP/1.1 sends them only with chunked coding, to a client that said `TE: trailers`, and only those that
    /// the head announced by `Trailer` (RFC 9110, section 6.5).
    pub fn with_trailers(self, f: impl FnOnce() -> HeaderMap + Send + 'static) -> Self {
        Self::source(combine::WithTrailers { body: self, f: Some(f), inner: None })
    }
}

fn joined(block: Bytes, rest: Bytes) -> Bytes {
    if rest.is_empty() { block } else { [block, rest].concat().into() }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl Stream for Body {
    type Item = Result<Bytes>;

    /// The next block. A body that may block does so here: pull it on a thread of its own.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return match self.poll_step(cx, true) {
                Step::Block(block) => Poll::Ready(Some(Ok(block))),
                Step::Failed(error) => Poll::Ready(Some(Err(error))),
                Step::Trailers(_) => continue,
                Step::Pending => Poll::Pending,
                // A source that may block never asks for a thread when it is given one.
                Step::End | Step::NeedsThread | Step::Become(_) => Poll::Ready(None),
            };
        }
    }
}

impl IntoIterator for Body {
    type Item = Result<Bytes>;
    type IntoIter = Blocks;

    /// The blocks, pulled by this thread, which sleeps while an async body has none.
    fn into_iter(self) -> Blocks {
        Blocks(self)
    }
}

/// The blocks of a [`Body`], pulled by the current thread.
#[derive(Debug)]
pub struct Blocks(Body);

impl Iterator for Blocks {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let cure = "this thread would wait for ever for a body that it must receive itself: \
                    poll the body as a stream, or pull it on another thread";
        match waiting::wait(cure, |cx| Pin::new(&mut self.0).poll_next(cx)) {
            Ok(next) => next,
            Err(error) => {
                self.0 = Body::empty();
                Some(Err(error))
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("len", &self.len()).field("may_block", &self.may_block()).finish()
    }
}

/// What is in memory is a body of one block, none of it copied.
macro_rules! from_bytes {
    ($($from:ty, $value:ident => $bytes:expr;)*) => {$(
        impl From<$from> for Body {
            fn from($value: $from) -> Self {
                Self(Repr::Full($bytes))
            }
        }
    )*};
}

from_bytes! {
    Bytes, bytes => bytes;
    &'static str, text => Bytes::from_static(text.as_bytes());
    &'static [u8], bytes => Bytes::from_static(bytes);
    String, text => Bytes::from(text);
    Vec<u8>, bytes => Bytes::from(bytes);
    (), _nothing => Bytes::new();
}

impl<const N: usize> From<&'static [u8; N]> for Body {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

impl From<Cow<'static, str>> for Body {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<File> for Body {
    /// The rest of the file, from where it stands (PEP 3333, "Optional Platform-Specific File Handling").
    fn from(file: File) -> Self {
        Self::source(source::FileBlocks::rest(file))
    }
}
