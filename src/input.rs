//! `Input`: the request body, which always ends.

mod pipe;

use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufRead, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use futures::Stream;
use http::HeaderMap;

use crate::body::Body;
use crate::error::{Fault, Result};
use crate::input::pipe::{Pipe, SharedPipe};
use crate::lifecycle::{Cancellation, Record};
use crate::waiting;

/// The most that `read_to_end`, `read_to_string`, `read_line` and `read_until` take, in bytes, unless it is changed.
const DEFAULT_WHOLE_READ_LIMIT: u64 = 16 * 1024 * 1024;

/// The request body: [`Read`] and [`BufRead`] for blocking code, a [`Stream`] for async code.
///
/// It always ends, and in one of three ways that cannot be confused: data, a clean end (`Ok(0)`, again and again),
/// or an `Err` for a client that left or sent less than it promised. A short upload is never a short body.
///
/// Whole reads have a limit: [`read_text`](Input::read_text) and its sisters take one, and those of [`Read`] and
/// [`BufRead`] stop at 16 MiB with a 413, unless [`limit_whole_reads`](Input::limit_whole_reads) says otherwise.
///
/// ```
/// use vestibule::{Environ, Result, StartResponse, testing::TestServer};
///
/// fn echo(mut environ: Environ, start_response: StartResponse) -> Result {
///     let text = environ.input_mut().read_text(1024)?; // 413 for more than 1024 bytes
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(text.into())
/// }
/// let server = TestServer::new(echo);
/// assert_eq!(server.post("/").body("hello").send().text(), "hello");
/// assert_eq!(server.post("/").body(vec![b'x'; 1025]).send().status(), 413);
/// ```
pub struct Input {
    /// `None` where there is nothing to read, which most requests have: it costs nothing.
    held: Option<Box<Held>>,
}

struct Held {
    handle: Mutex<Handle>,
    /// What `fill_buf` has shown, and where in the input that begins.
    shown: Bytes,
    shown_at: u64,
    whole_read_limit: u64,
}

/// A request has one input; [`Environ::duplicate`](crate::Environ::duplicate) makes two handles of it.
#[expect(clippy::large_enum_variant, reason = "it stands in a box")]
enum Handle {
    Own(Pipe),
    Shared(Arc<SharedPipe>),
}

impl Held {
    fn new(handle: Handle) -> Self {
        Self {
            handle: Mutex::new(handle),
            shown: Bytes::new(),
            shown_at: 0,
            whole_read_limit: DEFAULT_WHOLE_READ_LIMIT,
        }
    }

    fn handle(&mut self) -> &mut Handle {
        self.handle.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Input {
    /// An input of no bytes.
    pub fn empty() -> Self {
        Self { held: None }
    }

    /// An input of the blocks of a stream, which is polled on whatever thread reads.
    pub fn stream<S, B>(blocks: S) -> Self
    where
        S: Stream<Item = Result<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        Self::of(Body::stream(blocks))
    }

    /// An input of what a blocking reader gives, up to its end.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::of(Body::reader(reader))
    }

    /// Declares how many bytes there are, as Content-Length does.
    ///
    /// Bytes beyond it are never read; an end before it is an `Err`.
    ///
    /// ```
    /// use std::io::Read;
    /// use vestibule::Input;
    ///
    /// let mut bytes = Vec::new();
    /// Input::from("12345").with_length(3).read_to_end(&mut bytes).unwrap();
    /// assert_eq!(bytes, b"123");
    /// let error = Input::from("12").with_length(3).read_to_end(&mut bytes).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    /// ```
    #[must_use]
    pub fn with_length(mut self, bytes: u64) -> Self {
        self.with(|pipe| pipe.expect(bytes));
        self
    }

    /// An input of a body, with what it knows of its length.
    #[inline]
    pub(crate) fn of(source: Body) -> Self {
        match source.is_nothing() {
            true => Self::empty(),
            false => Self::own(Pipe::of(source)),
        }
    }

    fn own(pipe: Pipe) -> Self {
        Self { held: Some(Box::new(Held::new(Handle::Own(pipe)))) }
    }

    fn whole_read_limit(&self) -> u64 {
        self.held.as_ref().map_or(DEFAULT_WHOLE_READ_LIMIT, |held| held.whole_read_limit)
    }

    /// The bytes that are left to be read, where that is known: `None` for a chunked body.
    #[expect(clippy::len_without_is_empty, reason = "whether it is empty is known only by reading")]
    pub fn len(&self) -> Option<u64> {
        self.held.as_ref().map_or(Some(0), |_| {
            self.peek(|pipe| match pipe.end {
                Some(_) => Some(pipe.front.len() as u64),
                None => pipe.expected.map(|expected| expected.saturating_sub(pipe.position)),
            })
        })
    }

    /// The trailer fields, once the end was read and if the client sent any.
    pub fn trailers(&self) -> Option<HeaderMap> {
        self.peek(|pipe| pipe.trailers.clone())
    }

    /// Changes the limit of the whole reads of [`Read`] and [`BufRead`], in bytes; 16 MiB by default.
    ///
    /// Longer ones answer 413. Reading block by block has no limit here.
    pub fn limit_whole_reads(&mut self, bytes: u64) {
        // An empty input has one too: a length may be declared of it later.
        let held = self.held.get_or_insert_with(|| Box::new(Held::new(Handle::Own(Pipe::ended()))));
        held.whole_read_limit = bytes;
    }

    /// Makes it an error with status 413 when the whole body has more than so many bytes, however it is read.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.with(|pipe| pipe.limit(bytes));
    }

    /// Reads the rest, at most `limit` bytes, and blocks the thread while it comes.
    ///
    /// # Errors
    ///
    /// With status 413 when there is more, 400 when there is less than was promised or the client left; and where the
    /// wait would never end, on the thread that receives the body.
    pub fn read_bytes(&mut self, limit: u64) -> Result<Bytes> {
        waiting::wait(READ_CURE, |cx| self.poll_whole(cx, limit))?
    }

    /// Reads the rest as UTF-8 text; as [`read_bytes`](Input::read_bytes).
    ///
    /// # Errors
    ///
    /// As [`read_bytes`](Input::read_bytes), and with status 400 when it is not UTF-8.
    pub fn read_text(&mut self, limit: u64) -> Result<String> {
        text(self.read_bytes(limit)?)
    }

    /// Awaits the rest, at most `limit` bytes; as [`read_bytes`](Input::read_bytes).
    ///
    /// # Errors
    ///
    /// With status 413 when there is more, 400 when there is less than was promised or the client left.
    pub async fn read_bytes_async(&mut self, limit: u64) -> Result<Bytes> {
        poll_fn(|cx| self.poll_whole(cx, limit)).await
    }

    /// Awaits the rest as UTF-8 text; as [`read_text`](Input::read_text).
    ///
    /// # Errors
    ///
    /// As [`read_bytes_async`](Input::read_bytes_async), and with status 400 when it is not UTF-8.
    pub async fn read_text_async(&mut self, limit: u64) -> Result<String> {
        text(self.read_bytes_async(limit).await?)
    }

    /// Ends its waits when the client has left.
    pub(crate) fn watch(&mut self, record: &Arc<Record>) {
        let Some(held) = &mut self.held else { return };
        let hang_up = Cancellation::new(Arc::clone(record));
        match held.handle() {
            Handle::Own(pipe) => pipe.watch(hang_up),
            Handle::Shared(shared) => shared.pipe().watch(hang_up),
        }
    }

    /// A second handle of the same input: what one reads, the other does not.
    pub(crate) fn share(&self) -> Self {
        let Some(held) = &self.held else { return Self::empty() };
        let mut handle = held.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = match std::mem::replace(&mut *handle, Handle::Own(Pipe::ended())) {
            Handle::Own(pipe) => Arc::new(SharedPipe::new(pipe)),
            Handle::Shared(shared) => shared,
        };
        *handle = Handle::Shared(Arc::clone(&shared));
        let second = Held { whole_read_limit: held.whole_read_limit, ..Held::new(Handle::Shared(shared)) };
        Self { held: Some(Box::new(second)) }
    }

    /// Looks at the pipe without reading.
    fn peek<T>(&self, look: impl FnOnce(&Pipe) -> T) -> T {
        let Some(held) = &self.held else { return look(&Pipe::ended()) };
        match &*held.handle.lock().unwrap_or_else(PoisonError::into_inner) {
            Handle::Own(pipe) => look(pipe),
            Handle::Shared(shared) => look(&shared.pipe()),
        }
    }

    /// Works on the pipe.
    fn with<T>(&mut self, work: impl FnOnce(&mut Pipe) -> T) -> T {
        let Some(held) = &mut self.held else {
            let mut pipe = Pipe::ended();
            let result = work(&mut pipe);
            // What was declared of an empty input is kept.
            if pipe.end.is_none() {
                *self = Self::own(pipe);
            }
            return result;
        };
        match held.handle() {
            Handle::Own(pipe) => work(pipe),
            Handle::Shared(shared) => work(&mut shared.pipe()),
        }
    }

    /// Polls the pipe. Where two handles may wait for it, both are woken.
    fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Pipe, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(held) = &mut self.held else { return poll(&mut Pipe::ended(), cx) };
        match held.handle() {
            Handle::Own(pipe) => poll(pipe, cx),
            Handle::Shared(shared) => {
                let waker = Waker::from(Arc::clone(shared));
                let mut all = Context::from_waker(&waker);
                if let Poll::Ready(result) = poll(&mut shared.pipe(), &mut all) {
                    return Poll::Ready(result);
                }
                // Asked for again, now that a wake-up would find this one waiting.
                shared.waits(cx.waker());
                poll(&mut shared.pipe(), &mut all)
            }
        }
    }

    /// Waits for bytes at the front: true when there are some, false at the clean end.
    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        self.poll_with(cx, |pipe, cx| pipe.poll_front(cx))
    }

    /// Gathers all that is left, and takes it when it is whole: a future that is dropped and made again loses nothing.
    fn poll_whole(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<Bytes>> {
        self.poll_with(cx, |pipe, cx| pipe.poll_whole(cx, limit))
    }
}

fn text(bytes: Bytes) -> Result<String> {
    String::from_utf8(bytes.into())
        .map_err(|_| Fault::Malformed("the request body is not UTF-8 text".to_owned()).into())
}

const READ_CURE: &str = "a blocking read of the request body on the thread that receives it would never end: \
                         read it with `read_bytes_async`, `read_text_async` or as a stream, or let a pool call the application";

impl Read for Input {
    /// Reads some bytes; `Ok(0)` is the clean end, and an early one is an `Err`.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let taken = waiting::wait(READ_CURE, |cx| {
            self.poll_with(cx, |pipe, cx| pipe.poll_front(cx).map_ok(|_| pipe.take(buffer.len())))
        })??;
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }

    /// Reads the rest, up to the limit of whole reads.
    fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let rest = self.read_bytes(self.whole_read_limit())?;
        buffer.extend_from_slice(&rest);
        Ok(rest.len())
    }

    /// Reads the rest as UTF-8, up to the limit of whole reads.
    fn read_to_string(&mut self, buffer: &mut String) -> io::Result<usize> {
        let rest = self.read_text(self.whole_read_limit())?;
        buffer.push_str(&rest);
        Ok(rest.len())
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        waiting::wait(READ_CURE, |cx| self.poll_front(cx))??;
        let (front, position) = self.with(|pipe| (pipe.front.clone(), pipe.position));
        let Some(held) = &mut self.held else { return Ok(&[]) };
        (held.shown, held.shown_at) = (front, position);
        Ok(&held.shown)
    }

    fn consume(&mut self, bytes: usize) {
        let Some(held) = &mut self.held else { return };
        let until = held.shown_at + bytes.min(held.shown.len()) as u64;
        held.shown.advance(bytes.min(held.shown.len()));
        held.shown_at = until;
        // Another handle may have read on meanwhile; then there is nothing left to consume.
        self.with(|pipe| {
            let more = until.saturating_sub(pipe.position);
            pipe.take(usize::try_from(more).unwrap_or(usize::MAX));
        });
    }

    /// Reads up to the byte, or the end; at most as much as the limit of whole reads, which answers 413.
    fn read_until(&mut self, byte: u8, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let limit = self.whole_read_limit();
        let line = waiting::wait(READ_CURE, |cx| self.poll_with(cx, |pipe, cx| pipe.poll_until(cx, byte, limit)))??;
        buffer.extend_from_slice(&line);
        Ok(line.len())
    }

    /// Reads a line of UTF-8; at most as much as the limit of whole reads, which answers 413.
    fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let read = self.read_until(b'\n', &mut bytes)?;
        line.push_str(&text(bytes.into())?);
        Ok(read)
    }
}

impl Stream for Input {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let block =
            self.poll_with(cx, |pipe, cx| pipe.poll_front(cx).map_ok(|some| some.then(|| pipe.take(usize::MAX))));
        block.map(Result::transpose)
    }
}

impl Default for Input {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> From<T> for Input
where
    Body: From<T>,
{
    /// From everything that a [`Body`] is made of, and from a `Body` itself.
    fn from(body: T) -> Self {
        Self::of(body.into())
    }
}
