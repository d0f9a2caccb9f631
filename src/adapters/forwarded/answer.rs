//! A request of a gateway, and its answer as it is made.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures::task::AtomicWaker;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderValue, RETRY_AFTER};

use super::codec::{Codec, Request};
use super::{Gateway, Log};
use crate::adapters::gateway::BodyLength;
use crate::body::Body;
use crate::environ::Environ;
use crate::error::Error;
use crate::exchange::{CommittedHead, Step};
use crate::head::Head;
use crate::input::Input;
use crate::server::{Ahead, Begun, Driving, Feed, Feeder, Peer, Place, Pulled, ReadAhead, feed};
use crate::wire::Output;
use crate::wire::cgi::{HeadForm, write_head};

/// Up to this a block goes out with the head, in one record. In bytes.
const WITH_HEAD: usize = 4 * 1024;

/// What most heads fit in. In bytes.
const HEAD: usize = 512;

pub(crate) struct Answer {
    id: u16,
    form: HeadForm,
    is_head: bool,
    /// Gone when the body has come to its end.
    feeder: Option<Feeder>,
    making: Making,
    /// The head of an answer without a body, until its end: they go out at once, since a web server that has all it wants
    /// may leave.
    head: Option<CommittedHead>,
    gateway: Arc<Gateway>,
    /// What the application writes to the web server's log, where that is asked for.
    log: Option<Log>,
    /// When the request came, where the access log is to tell.
    began: Option<Instant>,
}

enum Making {
    ReadingAhead(Box<ReadingAhead>),
    Begun(Box<Begun>),
    Running(Box<Driving>),
    /// What no application answers.
    Plain(StatusCode),
    Ended,
}

/// A request whose body is read, or the beginning of it, before a blocking application is called.
struct ReadingAhead {
    environ: Environ,
    body: ReadAhead<Feed>,
}

/// How far an answer has come.
pub(crate) enum State {
    Goes,
    /// It is written, but for the end.
    Ended,
    /// It cannot be written to its end.
    Aborted,
}

impl Answer {
    pub(crate) fn begin(request: Request, gateway: &Arc<Gateway>, peer: Peer, waker: &Arc<AtomicWaker>) -> Self {
        let Request { id, params, form, has_body, .. } = request;
        let method = params.as_ref().ok().and_then(|params| params.get("REQUEST_METHOD"));
        let mut answer = Self {
            id,
            form,
            is_head: method == Some(b"HEAD"),
            feeder: None,
            making: Making::Ended,
            head: None,
            gateway: Arc::clone(gateway),
            log: None,
            began: gateway.backend.began(),
        };
        answer.making = match gateway.environ(params, peer) {
            Err(status) => Making::Plain(status),
            Ok((environ, body)) => answer.start(environ, if has_body { body } else { BodyLength::Nothing }, waker),
        };
        answer
    }

    fn start(&mut self, mut environ: Environ, body: BodyLength, waker: &Arc<AtomicWaker>) -> Making {
        if self.gateway.writes_errors {
            let log = Log::new(waker);
            environ.set_errors(log.errors());
            self.log = Some(log);
        }
        let backend = &self.gateway.backend;
        let length = match body {
            // What comes all the same is thrown away.
            BodyLength::Nothing => return self.call(environ, backend.place),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        };
        let (feeder, body) = feed(length, backend.limits.request.body, waker);
        self.feeder = Some(feeder);
        match backend.app.may_block() {
            true => Making::ReadingAhead(Box::new(ReadingAhead { environ, body: ReadAhead::new(body) })),
            false => self.call_with(environ, Input::of(Body::source(body)), Place::Receiving),
        }
    }

    fn call_with(&self, mut environ: Environ, input: Input, place: Place) -> Making {
        environ.set_input(input);
        self.call(environ, place)
    }

    fn call(&self, environ: Environ, place: Place) -> Making {
        match self.gateway.backend.begin(environ, place, self.began) {
            Ok(begun) => Making::Begun(Box::new(begun)),
            Err(status) => Making::Plain(status),
        }
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    pub(crate) fn give(&mut self, block: Bytes) {
        if let Some(feeder) = &mut self.feeder {
            feeder.give(block);
        }
    }

    pub(crate) fn end_body(&mut self) {
        if let Some(feeder) = self.feeder.take() {
            feeder.end();
        }
    }

    /// No more of the body comes.
    pub(crate) fn fail_body(&mut self, error: Error) {
        if let Some(feeder) = self.feeder.take() {
            feeder.fail(error);
        }
    }

    pub(crate) fn receives(&self) -> bool {
        self.feeder.is_some()
    }

    /// Whether no application is asked.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.making, Making::Plain(_))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.feeder.as_ref().is_some_and(Feeder::is_full)
    }

    pub(crate) fn wanted_since(&self) -> Option<Instant> {
        self.feeder.as_ref().and_then(Feeder::wanted_since)
    }

    /// Writes what there is of the answer, as long as less than `most` bytes wait to go out.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        codec: &mut impl Codec,
        output: &mut Output,
        most: usize,
    ) -> State {
        let state = self.advance(cx, codec, output, most);
        // Behind the last step: what the application has written in it belongs before the end.
        if let Some(text) = self.log.as_ref().and_then(Log::take) {
            codec.write_error(output, self.id, text);
        }
        state
    }

    fn advance(&mut self, cx: &mut Context<'_>, codec: &mut impl Codec, output: &mut Output, most: usize) -> State {
        loop {
            if bytes::Buf::remaining(output) >= most {
                return State::Goes;
            }
            match std::mem::replace(&mut self.making, Making::Ended) {
                Making::ReadingAhead(mut reading) => match reading.body.poll(cx) {
                    Poll::Pending => {
                        self.making = Making::ReadingAhead(reading);
                        return State::Goes;
                    }
                    Poll::Ready(ahead) => {
                        let environ = reading.environ;
                        self.making = match ahead {
                            Ahead::Whole(input) => self.call_with(environ, input, self.gateway.backend.place),
                            Ahead::Part(input) => self.call_with(environ, input, Place::Receiving),
                            // No call: what is malformed is told, to one that has left nothing can be.
                            Ahead::Failed(error) => Making::Plain(error.status().unwrap_or(StatusCode::BAD_REQUEST)),
                        };
                    }
                },
                Making::Begun(begun) => match *begun {
                    Begun::Whole(head, block) => {
                        return match self.write_head(codec, output, head, block) {
                            true => State::Ended,
                            false => State::Aborted,
                        };
                    }
                    Begun::Head(head, driving) => {
                        if !self.begin_body(codec, output, head) {
                            driving.finish(false);
                            return State::Aborted;
                        }
                        self.making = Making::Running(Box::new(driving));
                    }
                    Begun::Running(driving) => self.making = Making::Running(Box::new(driving)),
                },
                Making::Running(mut driving) => match driving.poll_step(cx) {
                    Poll::Pending => {
                        self.making = Making::Running(driving);
                        return State::Goes;
                    }
                    Poll::Ready(Pulled::Whole(head, block)) => {
                        return match self.write_head(codec, output, head, block) {
                            true => State::Ended,
                            false => State::Aborted,
                        };
                    }
                    Poll::Ready(Pulled::Refused) => {
                        self.write_plain(codec, output, StatusCode::SERVICE_UNAVAILABLE);
                        return State::Ended;
                    }
                    Poll::Ready(Pulled::Step(Step::Head(head))) => {
                        let is_written = self.begin_body(codec, output, head);
                        self.making = Making::Running(driving);
                        if !is_written {
                            return State::Aborted;
                        }
                    }
                    Poll::Ready(Pulled::Step(Step::Block(block))) => {
                        codec.write(output, self.id, block);
                        self.making = Making::Running(driving);
                    }
                    // No gateway has a place for them.
                    Poll::Ready(Pulled::Step(Step::Trailers(_))) => self.making = Making::Running(driving),
                    Poll::Ready(Pulled::Step(Step::End)) => {
                        let is_written = self.write_held(codec, output);
                        self.making = Making::Running(driving);
                        return if is_written { State::Ended } else { State::Aborted };
                    }
                    Poll::Ready(Pulled::Step(_)) => {
                        self.write_held(codec, output);
                        driving.finish(false);
                        return State::Aborted;
                    }
                },
                Making::Plain(status) => {
                    self.write_plain(codec, output, status);
                    return State::Ended;
                }
                Making::Ended => return State::Ended,
            }
        }
    }

    /// What is left to be finished when the answer has gone out.
    pub(crate) fn take_ending(&mut self) -> Option<Driving> {
        match std::mem::replace(&mut self.making, Making::Ended) {
            Making::Running(driving) => Some(*driving),
            _ => None,
        }
    }

    /// Writes the head of what follows, or holds it where nothing does; false when it cannot be written.
    fn begin_body(&mut self, codec: &impl Codec, output: &mut Output, head: CommittedHead) -> bool {
        if !head.has_body() {
            self.head = Some(head);
            return true;
        }
        self.write_head(codec, output, head, Bytes::new())
    }

    fn write_held(&mut self, codec: &impl Codec, output: &mut Output) -> bool {
        self.head.take().is_none_or(|head| self.write_head(codec, output, head, Bytes::new()))
    }

    /// Writes the head, with a small block behind it in the same record; false when it cannot be written.
    fn write_head(&self, codec: &impl Codec, output: &mut Output, head: CommittedHead, block: Bytes) -> bool {
        write(codec, output, self.id, self.form, &head.into_head_with_length(), block)
    }

    fn write_plain(&self, codec: &impl Codec, output: &mut Output, status: StatusCode) {
        let (head, text) = plain_parts(status);
        // RFC 9110, section 9.3.2; HAProxy answers 502 where HEAD has a body.
        let text = if self.is_head { Bytes::new() } else { text };
        write(codec, output, self.id, self.form, &head, text);
    }
}

fn write(codec: &impl Codec, output: &mut Output, id: u16, form: HeadForm, head: &Head, block: Bytes) -> bool {
    let goes_along = block.len() <= WITH_HEAD;
    // Mostly all of it fits, so that it is allocated once.
    let mut bytes = BytesMut::with_capacity(HEAD + if goes_along { block.len() } else { 0 });
    if write_head(&mut bytes, form, head.status, head.reason_phrase(), &head.headers).is_err() {
        return false;
    }
    match goes_along {
        true => {
            bytes.extend_from_slice(&block);
            codec.write(output, id, bytes.freeze());
        }
        false => {
            codec.write(output, id, bytes.freeze());
            codec.write(output, id, block);
        }
    }
    true
}

/// An answer that no application gave.
fn plain_parts(status: StatusCode) -> (Head, Bytes) {
    let (mut head, text) = Head::plain(status);
    head.headers.insert(CONTENT_LENGTH, text.len().into());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    (head, text)
}

/// The whole of such an answer, to a request of which nothing is known. Also where there are too many requests:
/// OVERLOADED would be an empty 200 to the clients of Apache.
pub(crate) fn plain(codec: &mut impl Codec, output: &mut Output, id: u16, form: HeadForm, status: StatusCode) {
    let (head, text) = plain_parts(status);
    write(codec, output, id, form, &head, text);
    codec.end(output, id);
}
