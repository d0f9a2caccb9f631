//! A connection from its first byte to its last: which protocol it speaks, how long it may wait, and how it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::link::{Link, Wire};
use super::service::Service;
use super::streams::Streams;
use crate::server::{Limits, Member, Peer, Phase, Seen, ServerLimits, Stream, Timer};

/// How long a client that sends no more has to get an answer. One that has closed the connection looks the same as one
/// that has only closed its half of it, until something is written to it.
const HALF_CLOSED: Duration = Duration::from_millis(500);

/// How long a connection is read from after its last response.
const LINGER: Duration = Duration::from_secs(2);

/// The answer to a head that did not come to its end (RFC 9110, section 15.5.9).
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How many bytes of a response hyper may hold in HTTP/1.1, beside those that the pool has ready; and how many of a request
/// it reads at once.
const BUFFER: usize = 128 * 1024;

/// RFC 9113, section 5.1.2: how many streams a client may have open at once.
const STREAMS: u32 = 200;

/// How many bytes of all request bodies of a connection may be under way, and of each one of them.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAM_WINDOW: u32 = 256 * 1024;

/// How many bytes of each response may wait for its client to take them, beside those that the pool has ready.
const SEND_BUFFER: usize = 64 * 1024;

/// What each header line counts in RFC 9113, section 6.5.2, beyond its name and value.
const FIELD_OVERHEAD: usize = 32;

/// What is spawned for each connection.
pub(super) struct Connection {
    member: Member,
    link: Arc<Link>,
    service: Service,
    protocol: Protocol,
    timer: Timer,
    accepted: Instant,
    calls: u64,
    was_idle: bool,
    idle_since: Instant,
    head_since: Option<Instant>,
    half_closed: Option<HalfClosed>,
    /// When so many bytes had been read there were more, of which hyper wants none yet: what comes behind them cannot be
    /// seen.
    sees_bytes_at: Option<u64>,
    /// Before it closes without a request, it has looked once more whether there is one.
    looks_again: bool,
}

#[expect(clippy::large_enum_variant, reason = "most connections are the large one")]
enum Protocol {
    Http1(http1::Connection<TokioIo<Wire>, Service>),
    Http2 {
        connection: Pin<Box<http2::Connection<TokioIo<Wire>, Service, Streams>>>,
        /// The client was told to open no more streams.
        says_goodbye: Option<Instant>,
    },
    /// It is over: what the client still sends is thrown away, until then.
    Lingering(Instant),
}

/// The client has sent its last byte, and this much was written to it by then.
struct HalfClosed {
    at: Instant,
    written: u64,
    /// It has taken something since.
    receives: bool,
}

/// What a connection does after its protocol has done what it could.
enum Next {
    Wait,
    /// The protocol may get further now.
    Poll,
    Close,
}

impl Connection {
    pub(super) fn new(service: &Service, member: Member, stream: Stream, peer: Peer) -> Self {
        let link = Link::new(stream, &member.running, &member.waker);
        let service = service.on(peer, &link);
        let protocol = Protocol::Http1(http1(&member.running.limits, &link, &service));
        let now = Instant::now();
        Self {
            member,
            link,
            service,
            protocol,
            timer: Timer::default(),
            accepted: now,
            calls: 0,
            was_idle: true,
            idle_since: now,
            head_since: None,
            half_closed: None,
            sees_bytes_at: None,
            looks_again: false,
        }
    }

    fn limits(&self) -> &ServerLimits {
        &self.member.running.limits
    }

    /// Polls the protocol; true when it has come to its end.
    fn poll_protocol(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.protocol {
            Protocol::Http1(connection) => {
                let Poll::Ready(end) = Pin::new(connection).poll(cx) else { return false };
                // What goes wrong with a connection is the client's doing or its loss; the exchange has told of what is
                // ours. After nonsense there may be more of it.
                if end.is_err_and(|error| error.is_parse()) {
                    self.link.linger();
                }
                true
            }
            Protocol::Http2 { connection, .. } => connection.as_mut().poll(cx).is_ready(),
            Protocol::Lingering(_) => self.link.io().poll_discard(cx).is_ready(),
        }
    }

    /// Does what the time, the server and the client's end of the connection ask for.
    fn attend(&mut self, cx: &mut Context<'_>) -> Next {
        let phase = self.member.running.phase();
        if phase == Phase::Ended {
            return Next::Close;
        }
        if let Protocol::Http2 { connection, says_goodbye: says_goodbye @ None } = &mut self.protocol {
            if phase > Phase::Serving {
                connection.as_mut().graceful_shutdown();
                *says_goodbye = Some(Instant::now());
                return Next::Poll;
            }
        }
        let calls = self.link.calls();
        let is_idle = self.link.in_flight() == 0;
        let is_another = calls != self.calls;
        if is_another {
            self.calls = calls;
            (self.head_since, self.half_closed, self.sees_bytes_at, self.looks_again) = (None, None, None, false);
        }
        // A request may have come and gone since the last look.
        if is_idle && (is_another || !self.was_idle) {
            self.idle_since = Instant::now();
        }
        self.was_idle = is_idle;
        if !is_idle {
            if let Some(next) = self.watch(cx) {
                return next;
            }
        }
        loop {
            let Some(deadline) = self.deadline(is_idle, phase) else { return Next::Wait };
            let now = Instant::now();
            if now >= deadline.at {
                match self.expire(deadline.of) {
                    Next::Wait => continue,
                    next => return next,
                }
            }
            if self.timer.poll(deadline.at, now, cx).is_pending() {
                return Next::Wait;
            }
        }
    }

    /// Sees a client leave while its request is in flight and nobody reads from it.
    fn watch(&mut self, cx: &mut Context<'_>) -> Option<Next> {
        let io = self.link.io();
        let sees_bytes = self.sees_bytes_at == Some(io.read());
        if !matches!(self.protocol, Protocol::Http1(_)) || sees_bytes || self.half_closed.is_some() {
            return None;
        }
        match io.stream().poll_seen(cx) {
            Poll::Pending => {}
            Poll::Ready(Seen::Bytes) => self.sees_bytes_at = Some(io.read()),
            Poll::Ready(Seen::End) => {
                self.half_closed = Some(HalfClosed { at: Instant::now(), written: io.written(), receives: false });
            }
            Poll::Ready(Seen::Broken) => return Some(Next::Close),
        }
        None
    }

    /// The first moment at which something has to be done if nothing happens.
    fn deadline(&mut self, is_idle: bool, phase: Phase) -> Option<Deadline> {
        if let Protocol::Lingering(until) = self.protocol {
            return Some(Deadline { at: until, of: Wait::Linger });
        }
        let (blocked_since, limits) = (self.link.io().blocked_since(), &self.member.running.limits);
        if let Some(since) = blocked_since {
            return Some(Deadline { at: since + limits.write_timeout, of: Wait::Write });
        }
        if !is_idle {
            let half_closed = self.half_closed.as_ref()?;
            return Some(Deadline { at: half_closed.at + HALF_CLOSED, of: Wait::HalfClosed });
        }
        if let Protocol::Http2 { says_goodbye: Some(since), .. } = &self.protocol {
            return Some(Deadline { at: *since + limits.head_timeout, of: Wait::Goodbye });
        }
        let is_http1 = matches!(self.protocol, Protocol::Http1(_));
        if is_http1 && self.link.head_bytes() > 0 {
            let at = *self.head_since.get_or_insert_with(Instant::now) + limits.head_timeout;
            return Some(Deadline { at, of: Wait::Head });
        }
        let at = match self.calls {
            0 => self.accepted + limits.head_timeout,
            _ => self.idle_since + limits.keep_alive_timeout,
        };
        match phase {
            Phase::Closing => {
                let at = at.min(self.member.running.closes_idle_at(self.accepted));
                Some(Deadline { at, of: Wait::Closing })
            }
            _ => Some(Deadline { at, of: Wait::Idle }),
        }
    }

    /// What happens when a wait was too long.
    fn expire(&mut self, wait: Wait) -> Next {
        match wait {
            Wait::Head => {
                let io = self.link.io();
                let _ = io.stream().write_now(TOO_SLOW);
                io.stream().end();
                drop(io);
                self.begin_linger()
            }
            Wait::Idle | Wait::Closing => {
                // A request that has just come is not lost.
                if !self.looks_again && self.link.io().looks_again() {
                    self.looks_again = true;
                    return Next::Poll;
                }
                match &mut self.protocol {
                    Protocol::Http2 { connection, says_goodbye: says_goodbye @ None } => {
                        connection.as_mut().graceful_shutdown();
                        *says_goodbye = Some(Instant::now());
                        Next::Poll
                    }
                    _ => Next::Close,
                }
            }
            Wait::Write => {
                // The runtime hears only of large steps; the last word is the kernel's.
                match self.link.io().insist() {
                    true => Next::Poll,
                    false => Next::Close,
                }
            }
            Wait::HalfClosed => {
                let io = self.link.io();
                let Some(half_closed) = &mut self.half_closed else { return Next::Wait };
                // What is written to a client that has left comes back as a reset.
                if (!half_closed.receives && io.written() == half_closed.written) || io.stream().is_broken() {
                    return Next::Close;
                }
                (half_closed.receives, half_closed.at) = (true, Instant::now());
                Next::Wait
            }
            Wait::Linger | Wait::Goodbye => Next::Close,
        }
    }

    /// Whether the client may still be sending, after its last response.
    fn must_linger(&self) -> bool {
        if matches!(self.protocol, Protocol::Lingering(_)) {
            return false;
        }
        let is_stopping = self.member.running.phase() > Phase::Serving;
        self.link.lingers() || (is_stopping && self.link.io().stream().seen_now() == Some(Seen::Bytes))
    }

    fn begin_linger(&mut self) -> Next {
        self.protocol = Protocol::Lingering(Instant::now() + LINGER);
        Next::Poll
    }

    /// Changes over to HTTP/2, which begins with what was read already.
    fn change_over(&mut self) {
        let connection = Box::pin(http2(self.limits(), &self.link, &self.service));
        self.protocol = Protocol::Http2 { connection, says_goodbye: None };
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.member.waker.register(cx.waker());
        loop {
            let has_ended = this.poll_protocol(cx);
            let is_lost = this.link.io().end_of_turn(cx).is_err();
            if has_ended {
                if is_lost || !this.must_linger() {
                    return Poll::Ready(());
                }
                this.begin_linger();
                continue;
            }
            if is_lost {
                return Poll::Ready(());
            }
            if this.link.speaks_h2() && matches!(this.protocol, Protocol::Http1(_)) {
                this.change_over();
                continue;
            }
            match this.attend(cx) {
                Next::Wait => return Poll::Pending,
                Next::Poll => {}
                Next::Close => return Poll::Ready(()),
            }
        }
    }
}

struct Deadline {
    at: Instant,
    of: Wait,
}

/// What a connection may wait for.
enum Wait {
    Head,
    Idle,
    Closing,
    Write,
    HalfClosed,
    Linger,
    Goodbye,
}

fn http1(limits: &ServerLimits, link: &Arc<Link>, service: &Service) -> http1::Connection<TokioIo<Wire>, Service> {
    let Limits { head, header_count, .. } = limits.request;
    let mut builder = http1::Builder::new();
    // hyper's own watch for a client that leaves costs a buffer of 8 KiB a request, and leaves half-closed ones alone.
    builder.half_close(true).max_header_size(head).max_buf_size(head.max(BUFFER));
    if header_count != Limits::default().header_count {
        builder.max_headers(header_count);
    }
    builder.serve_connection(TokioIo::new(Wire(Arc::clone(link))), service.clone())
}

fn http2(
    limits: &ServerLimits,
    link: &Arc<Link>,
    service: &Service,
) -> http2::Connection<TokioIo<Wire>, Service, Streams> {
    let list_size = limits.request.head + limits.request.header_count * FIELD_OVERHEAD;
    http2::Builder::new(Streams { write_timeout: limits.write_timeout })
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(list_size).unwrap_or(u32::MAX))
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(Wire(Arc::clone(link))), service.clone())
}
