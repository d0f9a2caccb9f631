//! A connection as its three parties share it: hyper reads and writes it, the service counts its requests, and
//! [`Connection`](super::connection::Connection) looks after its time.

use std::io::{self, IoSlice};
use std::ops::Not;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::{Phase, Running, Seen, Stream};

/// RFC 9113, section 3.4: what a client with prior knowledge of HTTP/2 sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Up to how many bytes of responses are gathered for one write, when several are made in a row.
const GATHERED: usize = 64 * 1024;

/// Writes of so many bytes are worth a system call of their own.
const LARGE: usize = 8 * 1024;

pub(super) struct Link {
    io: Mutex<Io>,
    pub(super) running: Arc<Running>,
    waker: Arc<AtomicWaker>,
    in_flight: AtomicUsize,
    /// How many requests have come.
    calls: AtomicU64,
    /// What came since the last request, while none is in flight: a part of a head. In bytes.
    head_bytes: AtomicU64,
    /// How long the next head can be at most, in bytes: what was read since the last one ended, and what was read at once
    /// with its end.
    head_bound: AtomicU64,
    last_read: AtomicU64,
    /// The client may still be sending when the connection closes.
    lingers: AtomicBool,
    /// A response was cut: the connection must not end as if it was whole.
    cut: AtomicBool,
    speaks_h2: AtomicBool,
}

/// The socket, and what was seen of it.
pub(super) struct Io {
    stream: Stream,
    /// What the first read brought, as long as it may be the preface of HTTP/2; what HTTP/2 is to read first.
    front: Vec<u8>,
    knows_protocol: bool,
    /// Responses that go out together.
    gathered: Vec<u8>,
    /// Something was written since the last [`Io::end_of_turn`].
    has_written: bool,
    /// Since when the client takes nothing.
    blocked_since: Option<Instant>,
    /// The next write asks the kernel directly whether it takes more.
    insists: bool,
    /// It was asked, and has taken nothing since.
    has_insisted: bool,
    read: u64,
    written: u64,
    /// The next read asks the kernel directly whether something has come.
    reads_now: bool,
}

impl Link {
    pub(super) fn new(stream: Stream, running: &Arc<Running>, waker: &Arc<AtomicWaker>) -> Arc<Self> {
        let io = Io {
            stream,
            front: Vec::new(),
            knows_protocol: false,
            gathered: Vec::new(),
            has_written: false,
            blocked_since: None,
            insists: false,
            has_insisted: false,
            read: 0,
            written: 0,
            reads_now: false,
        };
        Arc::new(Self {
            io: Mutex::new(io),
            running: Arc::clone(running),
            waker: Arc::clone(waker),
            in_flight: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            head_bytes: AtomicU64::new(0),
            head_bound: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
            lingers: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            speaks_h2: AtomicBool::new(false),
        })
    }

    pub(super) fn io(&self) -> MutexGuard<'_, Io> {
        self.io.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.running.phase() > Phase::Serving
    }

    pub(super) fn speaks_h2(&self) -> bool {
        self.speaks_h2.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn head_bytes(&self) -> u64 {
        self.head_bytes.load(Ordering::Relaxed)
    }

    /// The connection ends such that the client cannot take what it has for all.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Before the connection closes, what the client still sends is taken: unread bytes would make the close a reset,
    /// and the reset could overtake the response.
    pub(super) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if *self.cut.get_mut() {
            let _ = self.io().stream.reset_on_close();
        }
    }
}

/// A request in flight; it ends when this is dropped.
pub(super) struct InFlight(pub(super) Arc<Link>);

impl InFlight {
    /// Begins with a request, whose head has at most so many bytes.
    pub(super) fn begin(link: &Arc<Link>) -> (Self, u64) {
        link.in_flight.fetch_add(1, Ordering::AcqRel);
        link.calls.fetch_add(1, Ordering::Relaxed);
        link.head_bytes.store(0, Ordering::Relaxed);
        let bound = match link.speaks_h2() {
            // There, heads are compressed.
            true => u64::MAX,
            false => link.head_bound.swap(link.last_read.load(Ordering::Relaxed), Ordering::Relaxed),
        };
        (Self(Arc::clone(link)), bound)
    }

    /// The request goes on in another place too.
    pub(super) fn again(link: &Arc<Link>) -> Self {
        link.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(link))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let was_last = self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1;
        // In HTTP/1.1 it is the connection itself that drops the last one, while it is polled.
        if was_last && (self.0.speaks_h2() || self.0.is_stopping()) {
            self.0.wake();
        }
    }
}

impl Io {
    /// Whether something has come that the runtime may not have heard of; then it is read next.
    pub(super) fn looks_again(&mut self) -> bool {
        self.reads_now = self.stream.seen_now() == Some(Seen::Bytes);
        self.reads_now
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// How many bytes have come.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Lets the next write ask the kernel whether it takes anything at all; false when it was asked already.
    pub(super) fn insist(&mut self) -> bool {
        self.insists = !self.has_insisted;
        std::mem::replace(&mut self.has_insisted, true).not()
    }

    /// Sends what was gathered.
    pub(super) fn poll_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            let polled = self.poll_write_through(cx, &gathered);
            self.gathered = gathered;
            let taken = ready!(polled)?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if taken == self.gathered.len() {
                // Most connections never need it, so it is not kept.
                self.gathered = Vec::new();
            } else {
                self.gathered.drain(..taken);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The end of a poll of the connection: what was gathered in it goes out.
    pub(super) fn end_of_turn(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.has_written = false;
        match self.poll_gathered(cx) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn poll_write_through(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match std::mem::take(&mut self.insists) {
            true => match self.stream.write_now(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                done => Poll::Ready(done),
            },
            false => Pin::new(&mut self.stream).poll_write(cx, bytes),
        };
        self.noted(polled)
    }

    fn noted(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => {
                self.blocked_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(taken) => {
                (self.blocked_since, self.has_insisted) = (None, false);
                self.written += taken.as_ref().map_or(0, |&taken| taken as u64);
            }
        }
        polled
    }

    /// Writes, or gathers what is small and not the first of its turn: hyper writes each of several pipelined responses
    /// by itself.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.has_written && length < LARGE {
            if self.gathered.len() + length > GATHERED {
                ready!(self.poll_gathered(cx))?;
            }
            for slice in slices {
                self.gathered.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(length));
        }
        ready!(self.poll_gathered(cx))?;
        self.has_written = true;
        if self.insists {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return self.poll_write_through(cx, first);
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.noted(polled)
    }

    /// Reads and throws away what the client still sends; ready at its end.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 4096];
        // The runtime is given back to others after so many.
        for _ in 0..16 {
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The connection as hyper sees it.
pub(super) struct Wire(pub(super) Arc<Link>);

impl Wire {
    /// The first bytes, which tell HTTP/2 from HTTP/1.1. While they do not, hyper gets none.
    fn poll_first(&self, io: &mut Io, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut io.stream).poll_read(cx, buffer))?;
            let came = &buffer.filled()[before..];
            self.count(io, came.len());
            let at_end = came.is_empty();
            if io.front.is_empty() && !may_be_preface(came) {
                io.knows_protocol = true;
                return Poll::Ready(Ok(()));
            }
            io.front.extend_from_slice(came);
            buffer.set_filled(before);
            if io.front.starts_with(PREFACE) {
                io.knows_protocol = true;
                self.0.speaks_h2.store(true, Ordering::Relaxed);
                // The connection changes over to HTTP/2 before anybody reads again.
                return Poll::Pending;
            }
            if at_end || !may_be_preface(&io.front) {
                io.knows_protocol = true;
                return self.replay(io, buffer);
            }
        }
    }

    /// Gives out what was read to find out the protocol.
    fn replay(&self, io: &mut Io, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = io.front.len().min(buffer.remaining());
        buffer.put_slice(&io.front[..length]);
        match length == io.front.len() {
            true => io.front = Vec::new(),
            false => drop(io.front.drain(..length)),
        }
        Poll::Ready(Ok(()))
    }

    fn count(&self, io: &mut Io, bytes: usize) {
        let bytes = bytes as u64;
        io.read += bytes;
        self.0.last_read.store(bytes, Ordering::Relaxed);
        self.0.head_bound.fetch_add(bytes, Ordering::Relaxed);
        if self.0.in_flight() == 0 {
            self.0.head_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

fn may_be_preface(bytes: &[u8]) -> bool {
    let length = bytes.len().min(PREFACE.len());
    length > 0 && bytes[..length] == PREFACE[..length]
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut io = self.0.io();
        if !io.knows_protocol {
            return self.poll_first(&mut io, cx, buffer);
        }
        if !io.front.is_empty() {
            return self.replay(&mut io, buffer);
        }
        if std::mem::take(&mut io.reads_now) {
            // Nothing, or an error, is what the runtime will hear of in its time.
            if let Ok(length @ 1..) = io.stream.read_now(buffer.initialize_unfilled()) {
                buffer.advance(length);
                self.count(&mut io, length);
                return Poll::Ready(Ok(()));
            }
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut io.stream).poll_read(cx, buffer))?;
        self.count(&mut io, buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.io().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.io().poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is gathered goes out at the end of the turn.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = self.0.io();
        ready!(io.poll_gathered(cx))?;
        match self.0.cut.load(Ordering::Relaxed) {
            // A clean shutdown would tell the client that this was all.
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut io.stream).poll_shutdown(cx),
        }
    }
}
