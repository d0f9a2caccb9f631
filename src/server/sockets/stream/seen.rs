//! What is seen of a socket, or done with it, without the runtime.

use std::io;
use std::mem::MaybeUninit;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;

use super::Stream;

/// What there is to read, seen without reading it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Bytes,
    /// The peer sends no more; whether it still receives cannot be told.
    End,
    /// The connection is broken.
    Broken,
}

impl Stream {
    /// Looks at what has arrived, or waits until something has.
    pub(crate) fn poll_seen(&self, cx: &mut Context<'_>) -> Poll<Seen> {
        loop {
            let ready = match self {
                Self::Tcp(stream) => ready!(stream.poll_read_ready(cx)),
                Self::Unix(stream) => ready!(stream.poll_read_ready(cx)),
            };
            if ready.is_err() {
                return Poll::Ready(Seen::Broken);
            }
            // The runtime hears by WouldBlock that the socket is not ready after all.
            let seen = match self {
                Self::Tcp(stream) => stream.try_io(Interest::READABLE, || peek(SockRef::from(stream))),
                Self::Unix(stream) => stream.try_io(Interest::READABLE, || peek(SockRef::from(stream))),
            };
            match seen {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(Seen::Broken),
                Ok(0) => return Poll::Ready(Seen::End),
                Ok(_) => return Poll::Ready(Seen::Bytes),
            }
        }
    }

    /// Looks at what has arrived, whatever the runtime has heard of it; `None` when that is nothing.
    pub(crate) fn seen_now(&self) -> Option<Seen> {
        match peek(self.socket()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(Seen::Broken),
            Ok(0) => Some(Seen::End),
            Ok(_) => Some(Seen::Bytes),
        }
    }

    /// Writes what the kernel takes at once. The runtime calls a socket writable only when a good part of its buffer is
    /// free; this finds every byte.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket().send(bytes)
    }

    /// Reads what has arrived, whatever the runtime has heard of it.
    pub(crate) fn read_now(&self, bytes: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut &*self.socket(), bytes)
    }

    /// Whether the peer has answered with a reset since this was last asked.
    pub(crate) fn is_broken(&self) -> bool {
        !matches!(self.socket().take_error(), Ok(None))
    }
}

fn peek(socket: SockRef<'_>) -> io::Result<usize> {
    socket.peek(&mut [MaybeUninit::uninit(); 1])
}
