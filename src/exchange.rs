//! `Exchange`, the one state machine that runs a request: call, head, pull, close.

mod aborted;
mod commit;
mod committed_head;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};

use crate::application::App;
use crate::body::{self, Body};
use crate::environ::{Environ, Errors};
use crate::error::{Error, Fault, Result, catching, escaped};
use crate::lifecycle::{Cancellation, End, Record, Seen};
use crate::start_response::{Name, StartResponse};
use crate::waiting;

pub use aborted::Aborted;
pub(crate) use commit::{Opened, Opening};
pub use committed_head::CommittedHead;

/// How many empty blocks in a row are pulled before the gateway gets a chance to see whether the client is there.
const EMPTY_BLOCKS_IN_A_ROW: u32 = 32;

/// One request on its way through an application: every gateway, and the test server, runs this.
///
/// It calls the application, holds the head back until it is committed, pulls the body, keeps the framing true,
/// answers for errors and panics, and closes everything in order, as docs/spec.md says. A gateway makes an [`Environ`],
/// calls [`poll_step`](Exchange::poll_step) until [`Step::End`] or [`Step::Abort`], writes what it is given, and calls
/// [`finish`](Exchange::finish). One that is dropped counts as a client that left.
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use vestibule::{Environ, Exchange, Step, app_fn};
///
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// let mut exchange = Exchange::new(&app, Environ::from(http::Request::new(())));
/// let mut context = Context::from_waker(Waker::noop());
/// let mut wire = Vec::new();
/// loop {
///     match exchange.poll_step(&mut context, true) {
///         Poll::Ready(Step::Head(head)) => wire.push(format!("{} {:?}", head.status(), head.length())),
///         Poll::Ready(Step::Block(block)) => wire.push(String::from_utf8(block.into())?),
///         Poll::Ready(Step::End) => break,
///         other => panic!("not with this application: {other:?}"),
///     }
/// }
/// exchange.finish(true);
/// assert_eq!(wire, ["200 OK Some(5)", "hello"]);
/// # Ok::<(), vestibule::Error>(())
/// ```
pub struct Exchange {
    phase: Phase,
    record: Arc<Record>,
    app: App,
    method: Method,
    path: Option<PathAndQuery>,
    errors: Errors,
    in_place: bool,
    /// The application that started the response, or dropped its start.
    layer: Option<Name>,
    outcome: Seen,
    /// What the head promised of the body, in bytes.
    promised: Option<u64>,
    /// Bodies that are done with and dropped at the end: after their last block was sent, and where that may block.
    closing: Vec<Body>,
    /// Whether the transport accepted everything: known when the exchange is finished.
    delivered: bool,
    /// What ended the response after its head.
    failure: Option<Error>,
}

enum Phase {
    Calling(Environ),
    Opening(Opening),
    /// The head is committed.
    Body(Body),
    Ended,
}

/// What a gateway is to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Send this head. It comes once, before everything else.
    Head(CommittedHead),
    /// Send this block, which is not empty, before the next step is asked for.
    Block(Bytes),
    /// Send these trailer fields, where the protocol has them. [`Step::End`] follows.
    Trailers(HeaderMap),
    /// End the response cleanly, then call [`Exchange::finish`].
    End,
    /// Abort the connection in a way that the client can tell from a clean end, then call [`Exchange::finish`].
    Abort,
    /// Go on with `may_block = true`, on a thread that may wait.
    NeedsThread,
}

impl Exchange {
    /// An exchange of a request with an application; nothing happens before the first step.
    pub fn new(app: &App, mut environ: Environ) -> Self {
        let record = environ.begin();
        Self {
            app: app.clone(),
            method: environ.method().clone(),
            path: environ.uri().path_and_query().cloned(),
            errors: environ.errors(),
            phase: Phase::Calling(environ),
            record,
            in_place: false,
            layer: None,
            outcome: Seen { status: StatusCode::INTERNAL_SERVER_ERROR, body_bytes: 0, end: End::Disconnected },
            promised: None,
            closing: Vec::new(),
            delivered: false,
            failure: None,
        }
    }

    /// Calls blocking applications and pulls blocking bodies also in steps with `may_block = false`, for gateways
    /// whose applications are known to be quick. Waits for the input are refused there all the same.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// Does the next step.
    ///
    /// `may_block` tells whether this thread may wait. Where it may not, a step that could block answers
    /// [`Step::NeedsThread`] and has done nothing, and a blocking read of the input is an error. `Poll::Pending`
    /// wakes `cx` when there may be more; a thread without a reactor sleeps until then.
    pub fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Poll<Step> {
        if self.record.is_cancelled() && !matches!(self.phase, Phase::Ended) {
            return self.abort(None);
        }
        // What is in memory needs no more than this.
        if let Phase::Body(body) = &mut self.phase {
            if let Some(block) = body.take_full() {
                return if block.is_empty() { self.end_of_body() } else { self.send(block) };
            }
        }
        let may_pull = may_block || self.in_place;
        if matches!(self.phase, Phase::Calling(_)) {
            if !may_pull && self.app.may_block() {
                return Poll::Ready(Step::NeedsThread);
            }
            return self.call(cx, may_block);
        }
        let _place = waiting::enter(!may_block);
        self.pull(cx, may_pull)
    }

    /// Pulls the body, after the call.
    fn pull(&mut self, cx: &mut Context<'_>, may_pull: bool) -> Poll<Step> {
        let mut empty_blocks = 0;
        loop {
            match &mut self.phase {
                Phase::Opening(opening) => match opening.poll(cx, may_pull, self.method == Method::HEAD) {
                    Opened::Pending => return Poll::Pending,
                    Opened::NeedsThread => return Poll::Ready(Step::NeedsThread),
                    Opened::Empty => {
                        empty_blocks += 1;
                        if empty_blocks >= EMPTY_BLOCKS_IN_A_ROW {
                            return step_back(cx);
                        }
                    }
                    Opened::Committed => {
                        let body = opening.take_body();
                        // It is started: that is what this says.
                        return self.commit(body, |exchange, _| exchange.abort(None));
                    }
                    Opened::Failed(failed) => return Poll::Ready(self.commit_failure(*failed)),
                },
                Phase::Body(body) => match catching(|| body.poll_step(cx, may_pull)) {
                    Ok(body::Step::Pending) => return Poll::Pending,
                    Ok(body::Step::NeedsThread) => return Poll::Ready(Step::NeedsThread),
                    Ok(body::Step::Block(block)) if block.is_empty() => {
                        empty_blocks += 1;
                        if empty_blocks >= EMPTY_BLOCKS_IN_A_ROW {
                            return step_back(cx);
                        }
                    }
                    Ok(body::Step::Block(block)) => return self.send(block),
                    // They are the end: a gateway that has sent them need not ask for another.
                    Ok(body::Step::Trailers(trailers)) => {
                        return self.end_of_body().map(|step| match step {
                            Step::End => Step::Trailers(trailers),
                            step => step,
                        });
                    }
                    Ok(body::Step::End | body::Step::Become(_)) => return self.end_of_body(),
                    Ok(body::Step::Failed(error)) | Err(error) => return self.abort(Some(error)),
                },
                Phase::Calling(_) | Phase::Ended => {
                    return Poll::Ready(match self.outcome.end {
                        End::Complete => Step::End,
                        _ => Step::Abort,
                    });
                }
            }
        }
    }

    /// Calls the application. Where it has started its response and returned all of its body, that is the commit.
    fn call(&mut self, cx: &mut Context<'_>, may_block: bool) -> Poll<Step> {
        let Phase::Calling(environ) = std::mem::replace(&mut self.phase, Phase::Ended) else { return Poll::Pending };
        let start_response = StartResponse::new(Arc::clone(&self.record));
        let place = waiting::enter_call(!may_block);
        let result = catching(|| self.app.call(environ, start_response)).unwrap_or_else(Err);
        place.leave_call();
        let may_pull = may_block || self.in_place;
        match result {
            Ok(body) if body.as_full().is_some() => {
                self.commit(body, |exchange, body| exchange.open(Ok(body), cx, may_pull))
            }
            result => self.open(result, cx, may_pull),
        }
    }

    /// Goes on with what the application returned, up to the commit.
    fn open(&mut self, result: Result, cx: &mut Context<'_>, may_pull: bool) -> Poll<Step> {
        self.phase = Phase::Opening(Opening::new(Arc::clone(&self.record), result));
        self.pull(cx, may_pull)
    }

    /// Gives a block out, cut at the length that was promised, where the body is closed: it is not pulled further.
    fn send(&mut self, mut block: Bytes) -> Poll<Step> {
        if let Some(declared) = self.promised {
            let left = declared - self.outcome.body_bytes;
            let is_longer = block.len() as u64 > left;
            if is_longer {
                self.report(Fault::BodyTooLong { declared }.into());
                block.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            }
            let nothing_follows = matches!(&self.phase, Phase::Body(body) if body.len() == Some(0));
            if is_longer || (block.len() as u64 == left && !nothing_follows) {
                self.close_body();
                self.outcome.end = End::Complete;
            }
            if block.is_empty() {
                return Poll::Ready(Step::End);
            }
        }
        self.outcome.body_bytes += block.len() as u64;
        Poll::Ready(Step::Block(block))
    }

    fn end_of_body(&mut self) -> Poll<Step> {
        match self.promised {
            Some(declared) if self.outcome.body_bytes < declared => {
                self.abort(Some(Fault::BodyTooShort { declared, sent: self.outcome.body_bytes }.into()))
            }
            _ => {
                self.close_body();
                self.outcome.end = End::Complete;
                Poll::Ready(Step::End)
            }
        }
    }

    fn abort(&mut self, error: Option<Error>) -> Poll<Step> {
        self.outcome.end = match &error {
            None => End::Disconnected,
            Some(error) if is_of_time(error) => End::TimedOut,
            Some(_) => End::Failed,
        };
        if let Some(error) = error {
            self.log(&error);
            self.failure = Some(error);
        }
        self.close_body();
        Poll::Ready(Step::Abort)
    }

    /// After [`Step::Abort`]: an error for those whom the response was for, with what failed as its source.
    pub fn aborted(&mut self) -> Aborted {
        Aborted::by(self.failure.take())
    }

    /// Says that the gateway answers with this status in place of the application, which it does not call, as where it has
    /// no thread for it. The hooks of `on_finished` hear of it.
    pub fn answered_with(&mut self, status: StatusCode) {
        self.outcome.status = status;
    }

    /// Ends the exchange: drops the body, then calls the hooks of `on_finished`, the last added first.
    ///
    /// `delivered` tells whether the transport accepted everything that it was given. To be called on a thread that
    /// may block where [`finish_may_block`](Exchange::finish_may_block) says so.
    pub fn finish(mut self, delivered: bool) {
        // The drop at the end of this does it.
        self.delivered = delivered;
    }

    fn end(&mut self) {
        if !matches!(self.phase, Phase::Ended) {
            // A gateway need not ask for the end of a body whose length it knows.
            let is_whole = self.delivered && self.promised == Some(self.outcome.body_bytes);
            self.close_body();
            self.outcome.end = if is_whole { End::Complete } else { End::Disconnected };
        } else if !self.delivered && self.outcome.end == End::Complete {
            self.outcome.end = End::Disconnected;
        }
        if self.outcome.end != End::Complete {
            self.record.cancel();
        }
        if let Some(failure) = self.failure.take() {
            self.dropping(failure);
        }
        // The drop of a body is its `close()`; a panic in it goes no further than the log.
        while let Some(body) = self.closing.pop() {
            self.dropping(body);
        }
        // Where nobody else has the record any more and nobody wants to know, that is all.
        if Arc::get_mut(&mut self.record).is_some_and(Record::is_silent) {
            return;
        }
        let (outcome, hooks) = self.record.finish(self.outcome);
        for hook in hooks {
            if let Err(error) = catching(|| hook(&outcome)) {
                self.report(error);
            }
        }
    }

    /// Pulls no more: what there is of a body is closed at the end.
    fn close_body(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Body(body) => self.close_later(body),
            Phase::Opening(mut opening) => {
                self.close_later(opening.take_body());
                self.drop_start();
            }
            Phase::Calling(environ) => {
                self.dropping(environ);
                self.drop_start();
            }
            Phase::Ended => {}
        }
    }

    /// Drops a start that was never committed, with the hooks of the application that it holds.
    fn drop_start(&self) {
        let (_, start) = self.record.slot().close();
        self.dropping(start);
    }

    /// Drops what may hold values of the application, whose panic goes no further than the log.
    fn dropping<T>(&self, value: T) {
        if let Err(error) = catching(|| drop(value)) {
            self.report(error);
        }
    }

    fn close_later(&mut self, body: Body) {
        // What is in memory has nothing to close.
        if body.as_full().is_none() {
            self.closing.push(body);
        }
    }

    /// Whether [`finish`](Exchange::finish), or a drop, may run code of the application that blocks.
    pub fn finish_may_block(&self) -> bool {
        let drop_may_block = match &self.phase {
            Phase::Body(body) => body.drop_may_block(),
            Phase::Opening(opening) => opening.drop_may_block(),
            // What the application has not seen holds nothing of it.
            Phase::Calling(_) | Phase::Ended => false,
        };
        drop_may_block || self.closing.iter().any(Body::drop_may_block) || self.record.has_finish_hooks()
    }

    /// After [`Step::Head`]: all of the body, where it is one block in memory and nothing at the end may block.
    ///
    /// The exchange has ended cleanly with it, so that a gateway can send head and body at once, without another step.
    /// `None` says nothing more than that steps are to be taken as ever.
    pub fn take_last_block(&mut self) -> Option<Bytes> {
        if self.finish_may_block() {
            return None;
        }
        let block = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Body(body) => match body.into_full() {
                Ok(block) => block,
                Err(body) => {
                    self.phase = Phase::Body(body);
                    return None;
                }
            },
            Phase::Ended if self.outcome.end == End::Complete => Bytes::new(),
            phase => {
                self.phase = phase;
                return None;
            }
        };
        self.outcome.body_bytes += block.len() as u64;
        self.outcome.end = End::Complete;
        Some(block)
    }

    /// Whether the next pull of the body may block its thread: a gateway with threads takes that step on one of them.
    pub fn body_may_block(&self) -> bool {
        match &self.phase {
            Phase::Body(body) => body.may_block(),
            Phase::Opening(opening) => opening.may_block(),
            _ => false,
        }
    }

    /// Tells of this request's end, also from inside the application, which has the same from its environ.
    pub fn cancellation(&self) -> Cancellation {
        Cancellation::new(Arc::clone(&self.record))
    }

    /// What a gateway calls when it sees that the client has left, from any thread.
    pub fn hang_up(&self) -> HangUp {
        HangUp(Arc::clone(&self.record))
    }

    fn path(&self) -> &str {
        self.path.as_ref().map_or("/", PathAndQuery::path)
    }

    /// Logs an error and drops it; a panic in that goes no further.
    #[cold]
    fn report(&self, error: Error) {
        self.log(&error);
        let _ = catching(move || drop(error));
    }

    /// Writes a line about an error to the environ's stream for errors: the method, the path, the application, the
    /// text.
    ///
    /// What the error says and where the line goes is code of others; a panic in it goes no further.
    #[cold]
    fn log(&self, error: &Error) {
        let text = catching(|| (!Aborted::is_in(error)).then(|| error.one_line()));
        let Some(text) = text.unwrap_or_else(|_| Some("an error whose text panics".to_owned())) else { return };
        let name = escaped(&self.layer.as_ref().unwrap_or(self.app.name()).as_str());
        let (method, path) = (&self.method, escaped(self.path()));
        let _ = catching(|| self.errors.line(format_args!("vestibule: {method} {path}: {name}: {text}")));
    }
}

/// The status that an error asks for; the chain of its sources is code of others.
fn status_of(error: &Error) -> Option<StatusCode> {
    catching(|| error.status()).ok().flatten()
}

/// Whether a time limit ended the response: the client's, or the application's.
fn is_of_time(error: &Error) -> bool {
    let is_limit =
        || matches!(error.fault(), Some(Fault::TimedOut)) || error.status() == Some(StatusCode::REQUEST_TIMEOUT);
    catching(is_limit).unwrap_or(false)
}

/// Lets others run between two blocks of nothing.
fn step_back(cx: &Context<'_>) -> Poll<Step> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("app", &self.app)
            .field("method", &self.method)
            .field("path", &self.path())
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Tells an exchange that its client has left: see [`Exchange::hang_up`].
#[derive(Debug)]
pub struct HangUp(Arc<Record>);

impl HangUp {
    /// Cancels the request: [`Environ::cancellation`] says so from now on, and the exchange aborts at its next step.
    pub fn hang_up(&self) {
        self.0.cancel();
    }
}
