//! The limits of a server, a method each. docs/limits.md has them in a table.

use std::time::Duration;

use super::{Protocol, Server};

#[expect(private_bounds, reason = "it is sealed: nobody else writes one")]
impl<P: Protocol> Server<P> {
    /// Limits the request line and the header lines together, in bytes: 32 KiB by default. A longer head is answered
    /// 431, and the connection is closed.
    ///
    /// It counts what HTTP/1.1 would send without needless spaces, for HTTP/2 too.
    #[must_use]
    pub fn head_limit(mut self, bytes: usize) -> Self {
        self.limits.request.head = bytes;
        self
    }

    /// Limits the number of header lines: 100 by default. More are answered 431, and the connection is closed.
    #[must_use]
    pub fn header_count_limit(mut self, lines: usize) -> Self {
        self.limits.request.header_count = lines;
        self
    }

    /// Limits the length of a method, in bytes: 64 by default. A longer one is answered 501 (RFC 9112, section 3), and
    /// the connection is closed.
    #[must_use]
    pub fn method_limit(mut self, bytes: usize) -> Self {
        self.limits.request.method = bytes;
        self
    }

    /// Limits request bodies, in bytes; by default they have no limit, since they are streamed.
    ///
    /// A longer one whose length is announced is answered 413 without a call of the application. Of another the
    /// application gets an error where the limit is passed, which answers 413 if it is returned.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.limits.request.body = Some(bytes);
        self
    }

    /// Limits what the whole reads of [`Read`](std::io::Read) and [`BufRead`](std::io::BufRead) take of a request body,
    /// in bytes: 16 MiB by default. Longer ones are an error, which answers 413 if it is returned.
    ///
    /// An application can change it for itself: [`Input::limit_whole_reads`](crate::Input::limit_whole_reads).
    #[must_use]
    pub fn whole_read_limit(mut self, bytes: u64) -> Self {
        self.limits.whole_read = bytes;
        self
    }

    /// Limits how long a head may take from its first byte to its last, and how long a new connection may be without a
    /// request: 10 s by default. A part of a head is answered 408; then the connection is closed.
    #[must_use]
    pub fn head_timeout(mut self, time: Duration) -> Self {
        self.limits.head_timeout = time;
        self
    }

    /// Limits how long a connection may wait for its next request: 75 s by default. Then it is closed.
    #[must_use]
    pub fn keep_alive_timeout(mut self, time: Duration) -> Self {
        self.limits.keep_alive_timeout = time;
        self
    }

    /// Limits how long a client may send nothing of a request body that somebody waits for: 30 s by default.
    ///
    /// The application gets an error then, which answers 408 if it is returned; a body that is read before the
    /// application is called is answered 408 without a call.
    #[must_use]
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.limits.body_timeout = time;
        self
    }

    /// Limits how long a client may take nothing of a response: 30 s by default. Then the connection is closed.
    ///
    /// A client that takes a little again and again is not closed; its response waits without a thread.
    #[must_use]
    pub fn write_timeout(mut self, time: Duration) -> Self {
        self.limits.write_timeout = time;
        self
    }

    /// Limits how many connections are open at once: 10,000 by default. More wait in the kernel's queue.
    #[must_use]
    pub fn connection_limit(mut self, connections: usize) -> Self {
        self.limits.connections = connections.max(1);
        self
    }

    /// Limits how long a server that stops waits for what is still running: 30 s by default. Then it is given up.
    #[must_use]
    pub fn shutdown_timeout(mut self, time: Duration) -> Self {
        self.limits.shutdown_timeout = time;
        self
    }
}
