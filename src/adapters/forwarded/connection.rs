//! A connection of FastCGI, SCGI or uwsgi, from its first byte to its last.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::Answer;
use super::closing::Closing;
use super::codec::{Codec, Event, Lost};
use super::{Gateway, answer};
use crate::error::Fault;
use crate::server::{Busy, Driving, Member, Peer, Phase, Stream, Timer};
use crate::wire::Output;
use crate::wire::cgi::HeadForm;

/// How much may wait to be written before nothing more is pulled or read, in bytes.
const WRITTEN_AHEAD: usize = 256 * 1024;

/// How much is read at once: a little while a request is awaited, more while a body comes. In bytes.
const READ: usize = 8 * 1024;
const READ_BODY: usize = 64 * 1024;

thread_local! {
    /// The buffer of the connection that has waited last: the next one that reads on this thread takes it over.
    static SPARE: Cell<BytesMut> = Cell::default();
}

/// How long an answer that has not begun is waited for when the web server sends no more. One that has left looks the same
/// as one that has only closed its half of the connection, until something is written to it.
const HALF_CLOSED: Duration = Duration::from_millis(500);

/// What is spawned for each connection.
pub(crate) struct Connection<C> {
    gateway: Arc<Gateway>,
    member: Member,
    stream: Stream,
    peer: Peer,
    codec: C,
    input: BytesMut,
    output: Output,
    answers: Vec<Answer>,
    /// What is over when so many bytes are written in all; with the connection it is lost.
    endings: VecDeque<(u64, Driving)>,
    /// How many bytes were written in all, and were to be.
    written: u64,
    timer: Timer,
    accepted: Instant,
    /// Since when no request is there.
    idle_since: Instant,
    had_request: bool,
    /// The requests whose variables are on their way, and since when.
    heads: Vec<(u16, Instant)>,
    /// Since when the web server takes nothing.
    blocked_since: Option<Instant>,
    /// When the web server has sent its last byte, and how much was written by then.
    ended: Option<(Instant, u64)>,
    closing: Closing,
    /// It has carried several requests at once.
    is_shared: bool,
    /// What comes makes no sense any more.
    is_lost: bool,
    /// What was refused last may still be on its way, and nobody knows how long it is.
    lingers: bool,
    count: Arc<Count>,
}

/// How many requests a connection has under way, for a server that gives them up.
#[derive(Default)]
struct Count(AtomicUsize);

impl Busy for Count {
    fn requests(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The connection has come to its end.
struct Over;

impl<C: Codec> Connection<C> {
    pub(crate) fn new(gateway: &Arc<Gateway>, member: Member, stream: Stream, peer: Peer) -> Self {
        let codec = C::new(&member.running.limits);
        let (now, count) = (Instant::now(), Arc::<Count>::default());
        let watched: Weak<Count> = Arc::downgrade(&count);
        member.running.watch(watched);
        Self {
            gateway: Arc::clone(gateway),
            member,
            stream,
            peer,
            codec,
            input: BytesMut::new(),
            output: Output::new(),
            answers: Vec::new(),
            endings: VecDeque::new(),
            written: 0,
            timer: Timer::default(),
            accepted: now,
            idle_since: now,
            had_request: false,
            heads: Vec::new(),
            blocked_since: None,
            ended: None,
            closing: Closing::No,
            is_shared: false,
            is_lost: false,
            lingers: false,
            count,
        }
    }

    /// Reads, calls and writes as far as that goes now.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            let mut has_advanced = self.read(cx)?;
            has_advanced |= self.answer(cx);
            has_advanced |= self.write(cx)?;
            self.count.0.store(self.answers.len() + self.endings.len(), Ordering::Relaxed);
            if !has_advanced {
                return Ok(());
            }
        }
    }

    fn wants_input(&self) -> bool {
        // Behind an answer that was cut, the bodies of the others on the connection still come.
        let wants = match self.closing {
            Closing::Lingering(_) => true,
            Closing::Cut => self.answers.iter().any(Answer::receives),
            Closing::Spoiling(_) | Closing::Spoiled => false,
            _ => !self.is_lost,
        };
        wants
            && self.ended.is_none()
            && self.output.remaining() < WRITTEN_AHEAD
            && !self.answers.iter().any(Answer::is_full)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        if !self.wants_input() {
            return Ok(false);
        }
        if self.input.capacity() == 0 {
            self.input = SPARE.take();
        }
        // A block of a body holds the buffer that it was read into: it is used up before there is another, lest each
        // byte of a slow upload has one of its own.
        if self.input.capacity() - self.input.len() < READ {
            let is_receiving = self.answers.iter().any(Answer::receives);
            self.input.reserve(if is_receiving { READ_BODY } else { READ });
        }
        match pin!(self.stream.read_buf(&mut self.input)).poll(cx) {
            Poll::Pending => {
                if self.input.is_empty() && self.answers.is_empty() {
                    // A connection that waits has no buffer.
                    keep_spare(std::mem::take(&mut self.input));
                }
                Ok(false)
            }
            Poll::Ready(Err(_)) => Err(Over),
            Poll::Ready(Ok(0)) => {
                self.end_of_input();
                Ok(true)
            }
            Poll::Ready(Ok(_)) if matches!(self.closing, Closing::Lingering(_)) => {
                self.input.clear();
                Ok(true)
            }
            Poll::Ready(Ok(_)) => {
                self.decode();
                Ok(true)
            }
        }
    }

    /// Takes the events from what has come.
    fn decode(&mut self) {
        while !matches!(self.closing, Closing::Lingering(_)) {
            match self.codec.decode(&mut self.input, &mut self.output) {
                Ok(Some(event)) => self.take(event),
                Ok(None) => return,
                Err(lost) => return self.lose(lost),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Begun { id } => self.heads.push((id, Instant::now())),
            // What was begun before is answered; nothing new is.
            Event::Request(request) if !self.closing.takes_requests() => self.forget_head(request.id),
            Event::Refused { .. } if !self.closing.takes_requests() => {}
            Event::Request(request) => {
                self.forget_head(request.id);
                self.had_request = true;
                let keep = request.keep;
                let answer = Answer::begin(request, &self.gateway, self.peer, &self.member.waker);
                if !keep && self.closing == Closing::No {
                    self.closing = Closing::Soon;
                    self.lingers = answer.is_refused();
                }
                self.answers.push(answer);
                self.is_shared |= self.answers.len() > 1;
            }
            Event::Body { id, block } => {
                if let Some(answer) = self.answer_of(id) {
                    answer.give(block);
                }
            }
            Event::BodyEnd { id } => {
                if let Some(answer) = self.answer_of(id) {
                    answer.end_body();
                }
            }
            Event::Abort { id, keep } => {
                // It may come before the last of the variables. The end of the request is owed either way.
                self.forget_head(id);
                self.answers.retain(|answer| answer.id() != id);
                self.codec.end(&mut self.output, id);
                if !keep && self.closing == Closing::No {
                    self.closing = Closing::Soon;
                }
                self.look_idle();
            }
            Event::Refused { id, keep } => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                answer::plain(&mut self.codec, &mut self.output, id, HeadForm::Cgi, status);
                if !keep && self.closing == Closing::No {
                    (self.closing, self.lingers) = (Closing::Soon, true);
                }
            }
            Event::Last if self.closing == Closing::No => (self.closing, self.lingers) = (Closing::Soon, true),
            Event::Last => {}
        }
    }

    fn forget_head(&mut self, id: u16) {
        self.heads.retain(|(other, _)| *other != id);
    }

    fn answer_of(&mut self, id: u16) -> Option<&mut Answer> {
        self.answers.iter_mut().find(|answer| answer.id() == id)
    }

    /// The bytes make no sense any more: what runs is answered, if it can still be.
    fn lose(&mut self, lost: Lost) {
        let status = lost.answer.map_or(StatusCode::BAD_REQUEST, |(status, _)| status);
        self.gateway.log_variables(self.peer, status, &lost.text);
        for answer in &mut self.answers {
            answer.fail_body(Fault::Malformed(lost.text.clone()).into());
        }
        if let Some((status, form)) = lost.answer {
            answer::plain(&mut self.codec, &mut self.output, 1, form, status);
        }
        (self.input, self.is_lost) = (BytesMut::new(), true);
        self.closing = match self.answers.is_empty() {
            true => Closing::Soon,
            // Their web server will not find the end of their answers either.
            false => Closing::Cut,
        };
    }

    fn end_of_input(&mut self) {
        if let Some(event) = self.codec.decode_end() {
            self.take(event);
        }
        self.ended = Some((Instant::now(), self.written));
        for answer in &mut self.answers {
            answer.fail_body(Fault::Disconnected.into());
        }
    }

    /// Pulls the answers as far as they may go ahead of the web server.
    fn answer(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut has_advanced, mut at) = (false, 0);
        if self.answers.len() > 1 {
            // One that always has more fills the output: each is the first once.
            self.answers.rotate_left(1);
        }
        while at < self.answers.len() {
            let answer = &mut self.answers[at];
            let before = self.output.remaining();
            let state = answer.poll(cx, &mut self.codec, &mut self.output, WRITTEN_AHEAD);
            has_advanced |= self.output.remaining() != before;
            match state {
                answer::State::Goes => at += 1,
                answer::State::Ended => {
                    has_advanced = true;
                    let mut answer = self.answers.swap_remove(at);
                    // The end of the request is no part of it: NGINX closes when it has the length that was declared.
                    let delivered_at = self.written + self.output.remaining() as u64;
                    self.codec.end(&mut self.output, answer.id());
                    if let Some(ending) = answer.take_ending() {
                        self.endings.push_back((delivered_at, ending));
                        self.finish_written();
                    }
                    self.look_idle();
                }
                answer::State::Aborted => {
                    has_advanced = true;
                    drop(self.answers.swap_remove(at));
                    // What had begun to close goes on to.
                    self.closing = match self.is_shared && self.closing.takes_requests() {
                        true => Closing::CutOfMany,
                        false => Closing::Cut,
                    };
                }
            }
        }
        has_advanced
    }

    fn look_idle(&mut self) {
        if self.answers.is_empty() {
            self.idle_since = Instant::now();
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        let mut has_advanced = false;
        while self.output.has_remaining() {
            match pin!(self.stream.write_buf(&mut self.output)).poll(cx) {
                Poll::Pending => {
                    self.blocked_since.get_or_insert_with(Instant::now);
                    return Ok(has_advanced);
                }
                Poll::Ready(Ok(written @ 1..)) => {
                    self.written += written as u64;
                    self.finish_written();
                    self.blocked_since = None;
                    has_advanced = true;
                }
                Poll::Ready(_) => return Err(Over),
            }
        }
        Ok(has_advanced)
    }

    fn finish_written(&mut self) {
        while self.endings.front().is_some_and(|(at, _)| *at <= self.written) {
            if let Some((_, ending)) = self.endings.pop_front() {
                ending.finish(true);
            }
        }
    }

    /// Whether it is time to close, now that nothing can be done without waiting.
    fn close(&mut self) -> Result<bool, Over> {
        if !self.answers.is_empty() || self.output.has_remaining() {
            return Ok(false);
        }
        match self.closing {
            Closing::No if self.ended.is_none() => Ok(false),
            // A reset would take along what the kernel still has of the other answers. It is not needed where several are on
            // a connection: that the end of one is missing shows.
            Closing::CutOfMany if self.ended.is_none() && !self.heads.is_empty() => Ok(false),
            Closing::Cut | Closing::CutOfMany if self.is_shared && self.ended.is_none() => self.linger(),
            Closing::Cut | Closing::CutOfMany if self.stream.reset_on_close() || !C::SPOILS => Err(Over),
            Closing::Cut | Closing::CutOfMany => {
                self.closing = Closing::spoiling();
                Ok(true)
            }
            Closing::Spoiling(_) => Ok(false),
            Closing::Lingering(_) if self.ended.is_none() => Ok(false),
            Closing::Soon if self.ended.is_none() && (self.lingers || !self.codec.is_idle()) => {
                // A socket that is closed with something unread is reset, and the answer lost.
                self.linger()
            }
            _ => Err(Over),
        }
    }

    fn linger(&mut self) -> Result<bool, Over> {
        self.stream.end();
        self.closing = Closing::lingering();
        Ok(true)
    }

    /// Does what the time and the server ask for, and waits for the next moment at which they do.
    fn attend(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        let phase = self.member.running.phase();
        if phase == Phase::Ended {
            return Err(Over);
        }
        loop {
            let now = Instant::now();
            let Some(at) = self.deadline(phase) else { return Ok(false) };
            if now >= at {
                self.expire(now)?;
                // A body that failed wakes its reader; what waits may have changed.
                return Ok(true);
            }
            if self.timer.poll(at, now, cx).is_pending() {
                return Ok(false);
            }
        }
    }

    /// The first moment at which something has to be done if nothing happens.
    fn deadline(&self, phase: Phase) -> Option<Instant> {
        let limits = &self.member.running.limits;
        let mut first: Option<Instant> = None;
        let mut by = |at: Instant| first = Some(first.map_or(at, |first| first.min(at)));
        if let Some(since) = self.blocked_since {
            by(since + limits.write_timeout);
        }
        for (_, since) in &self.heads {
            by(*since + limits.head_timeout);
        }
        for since in self.answers.iter().filter_map(Answer::wanted_since) {
            by(since + limits.body_timeout);
        }
        match self.closing {
            Closing::Lingering(until) | Closing::Spoiling(until) => by(until),
            _ if !self.answers.is_empty() => {
                if let Some((at, written)) = self.ended {
                    if self.written == written && !self.output.has_remaining() {
                        by(at + HALF_CLOSED);
                    }
                }
            }
            _ if !self.heads.is_empty() || self.blocked_since.is_some() => {}
            _ if phase == Phase::Closing => by(self.member.running.closes_idle_at(self.accepted)),
            _ if self.had_request => by(self.idle_since + limits.keep_alive_timeout),
            _ => by(self.accepted + limits.head_timeout),
        }
        first
    }

    fn expire(&mut self, now: Instant) -> Result<(), Over> {
        let limits = &self.member.running.limits;
        if self.blocked_since.is_some_and(|since| now >= since + limits.write_timeout) {
            return Err(Over);
        }
        if matches!(self.closing, Closing::Spoiling(at) if now >= at) {
            self.codec.spoil(&mut self.output);
            self.closing = Closing::Spoiled;
            return Ok(());
        }
        let (body, head) = (limits.body_timeout, limits.head_timeout);
        let mut goes_on = false;
        for answer in &mut self.answers {
            if answer.wanted_since().is_some_and(|since| now >= since + body) {
                answer.fail_body(super::too_slow(body));
                goes_on = true;
            }
        }
        if !self.answers.is_empty() && self.heads.iter().any(|(_, since)| now >= *since + head) {
            // The others on this connection are answered.
            self.heads.clear();
            if self.closing == Closing::No {
                self.closing = Closing::Soon;
            }
            goes_on = true;
        }
        // Else its web server waits for nothing, sends nothing, or has left.
        if goes_on { Ok(()) } else { Err(Over) }
    }
}

/// Keeps a buffer for the thread's next connection, but none that has grown for a body or is still read.
fn keep_spare(mut buffer: BytesMut) {
    if buffer.capacity() < READ_BODY && buffer.try_reclaim(READ) {
        SPARE.set(buffer);
    }
}

impl<C: Codec> Future for Connection<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.member.waker.register(cx.waker());
        loop {
            let done = this.advance(cx).and_then(|()| Ok(this.close()? || this.attend(cx)?));
            match done {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(Over) => return Poll::Ready(()),
            }
        }
    }
}
