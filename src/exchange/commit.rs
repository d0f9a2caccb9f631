//! The moment at which a head is committed: what happens before it, and what is decided at it.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};

use super::{CommittedHead, Exchange, Phase, Step, status_of};
use crate::body::{self, Body};
use crate::error::{Error, Fault, Result, catching};
use crate::head::Head;
use crate::lifecycle::{End, Record};
use crate::start_response::{Hooks, Name, Start, State};

/// A response whose head is not committed yet: by the first non-empty block, or the end of the body (PEP 3333, "The
/// start_response() Callable"), never by an empty block and never by the start. The exchange and `capture` share it.
pub(crate) struct Opening {
    record: Arc<Record>,
    body: Body,
    failed: Option<Error>,
}

/// What a look at it gives.
pub(crate) enum Opened {
    Pending,
    NeedsThread,
    /// An empty block came; ask again.
    Empty,
    /// The head was started and is to be [taken](Opening::take).
    Committed,
    Failed(Box<Failed>),
}

/// Why there is no head, with what its start had gathered.
pub(crate) struct Failed {
    pub(crate) error: Error,
    start: Option<Start>,
    /// What is still to be closed.
    pub(crate) body: Body,
}

impl Opening {
    /// What an application returned.
    pub(crate) fn new(record: Arc<Record>, result: Result) -> Self {
        match result {
            Ok(body) => Self { record, body, failed: None },
            Err(error) => Self { record, body: Body::empty(), failed: Some(error) },
        }
    }

    /// `head_only`: nobody wants the body, so a head that was started is committed without a pull.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, may_block: bool, head_only: bool) -> Opened {
        // A body in memory commits at once; it is not taken apart and put together again.
        if let (Some(block), None) = (self.body.as_full(), &self.failed) {
            let has_block = !block.is_empty();
            return self.open(has_block);
        }
        if let Some(error) = self.failed.take() {
            return self.fail(error);
        }
        if head_only && !self.body.is_deferred() && matches!(self.record.slot().state, State::Started) {
            return Opened::Committed;
        }
        let body = &mut self.body;
        match catching(|| body.poll_step(cx, may_block)) {
            Ok(body::Step::Pending) => Opened::Pending,
            Ok(body::Step::NeedsThread) => Opened::NeedsThread,
            Ok(body::Step::Block(block)) if block.is_empty() => Opened::Empty,
            Ok(body::Step::Block(block)) => {
                self.body.put_back(block);
                self.open(true)
            }
            Ok(body::Step::Trailers(trailers)) => {
                self.body = std::mem::take(&mut self.body).with_trailers(|| trailers);
                self.open(false)
            }
            Ok(body::Step::End | body::Step::Become(_)) => self.open(false),
            Ok(body::Step::Failed(error)) | Err(error) => self.fail(error),
        }
    }

    pub(crate) fn may_block(&self) -> bool {
        self.failed.is_none() && self.body.may_block()
    }

    pub(crate) fn drop_may_block(&self) -> bool {
        self.body.drop_may_block()
    }

    /// The commit, where the head must be in the slot by now.
    fn open(&mut self, has_block: bool) -> Opened {
        if matches!(self.record.slot().state, State::Started) {
            return Opened::Committed;
        }
        let never = |layer: Option<&Name>| {
            let layer = layer.cloned().unwrap_or_default().to_string();
            match has_block {
                true => Fault::BlockBeforeStart { layer },
                false => Fault::NeverStarted { layer },
            }
        };
        let (state, start) = self.record.slot().close();
        let fault = match state {
            State::Failed(fault) => *fault,
            // Dropped; or somebody still holds the start, which comes too late from here on.
            State::Dropped | State::Waiting => never(start.as_ref().map(|start| &start.layer)),
            State::Unused | State::Closed | State::Started => Fault::StartedTooLate,
        };
        Opened::Failed(Box::new(Failed { error: fault.into(), start, body: self.take_body() }))
    }

    fn fail(&mut self, error: Error) -> Opened {
        let (_, start) = self.record.slot().close();
        Opened::Failed(Box::new(Failed { error, start, body: self.take_body() }))
    }

    /// Takes the head that was started, after [`Opened::Committed`].
    pub(crate) fn take(&mut self) -> Option<Start> {
        self.record.slot().take_started()
    }

    pub(crate) fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

impl Start {
    /// The head after its hooks.
    pub(crate) fn into_head(mut self) -> Result<Head> {
        run_hooks(self.hooks, &mut self.head)?;
        Ok(self.head)
    }
}

/// Runs the hooks, innermost first, and checks again what they made of the head.
#[inline]
fn run_hooks(hooks: Option<Hooks>, head: &mut Head) -> Result<()> {
    match hooks {
        None => Ok(()),
        Some(hooks) => {
            catching(|| hooks.run(head))?;
            Ok(head.check()?)
        }
    }
}

impl Exchange {
    /// Commits the head that the application started; where it has started none, `otherwise` goes on with the body.
    #[inline]
    pub(super) fn commit(
        &mut self,
        mut body: Body,
        otherwise: impl FnOnce(&mut Self, Body) -> Poll<Step>,
    ) -> Poll<Step> {
        let started = self.record.slot().take_started();
        let Some(Start { mut head, hooks, layer }) = started else { return otherwise(self, body) };
        self.layer = Some(layer);
        match run_hooks(hooks, &mut head).and_then(|()| self.frame(&mut head, &mut body)) {
            Ok(has_body) => {
                self.begin_body(head.status, body);
                Poll::Ready(Step::Head(CommittedHead { head, has_body }))
            }
            Err(error) => Poll::Ready(self.refuse(error, body)),
        }
    }

    /// Commits the response that replaces a faulty one. The hooks have run, so it goes out without them.
    #[cold]
    fn refuse(&mut self, error: Error, body: Body) -> Step {
        self.close_later(body);
        self.answer(error, None)
    }

    /// Commits the response to an error that came before the head.
    pub(super) fn commit_failure(&mut self, Failed { error, start, body }: Failed) -> Step {
        let (hooks, layer) = start.map_or((None, None), |start| (start.hooks, Some(start.layer)));
        self.layer = layer;
        self.close_later(body);
        self.answer(error, hooks)
    }

    #[inline(always)]
    fn begin_body(&mut self, status: StatusCode, body: Body) {
        self.outcome.status = status;
        self.phase = match body.is_nothing() {
            false => Phase::Body(body),
            true => {
                self.outcome.end = End::Complete;
                Phase::Ended
            }
        };
    }

    /// The framing of a head that the application made: docs/spec.md, section "6. Framing". It settles the length, and
    /// tells whether the response has a body at all.
    #[inline(always)]
    fn frame(&mut self, head: &mut Head, body: &mut Body) -> Result<bool> {
        let status = head.status;
        let declared = head.length();
        if status == StatusCode::RESET_CONTENT {
            // RFC 9110, section 15.3.6: a server MUST NOT generate content in a 205 response.
            self.close_later(std::mem::take(body));
            head.remove_content_length();
            head.settle_length(Some(0));
            return Ok(self.method != Method::HEAD);
        }
        if self.method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            let known = body.len().filter(|&length| length > 0);
            self.close_later(std::mem::take(body));
            if status == StatusCode::NO_CONTENT {
                // RFC 9110, section 8.6: no Content-Length in a response with status 204.
                head.remove_content_length();
            } else if let (true, None, Some(known)) = (status != StatusCode::NOT_MODIFIED, declared, known) {
                // To HEAD, the length that GET would have; of a length of 0 nobody knows whether GET would have it too.
                head.headers.insert(CONTENT_LENGTH, known.into());
            }
            head.settle_length(Some(0));
            return Ok(false);
        }
        let length = match (declared, body.len()) {
            (Some(declared), Some(known)) if declared != known => {
                return Err(Fault::LengthMismatch { declared, known }.into());
            }
            (declared, known) => declared.or(known),
        };
        self.promised = length;
        head.settle_length(length);
        Ok(true)
    }

    /// The clean answer to an error before the commit: the client gets the status and its reason, never the text.
    #[cold]
    fn answer(&mut self, error: Error, hooks: Option<Hooks>) -> Step {
        let status = status_of(&error).filter(|status| !status.is_informational());
        self.report(error);
        let (mut head, text) = Head::plain(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        let mut body = Body::from(text);
        if hooks.is_some() {
            let started = Start { head, hooks, layer: Name::default() };
            head = started.into_head().unwrap_or_else(|error| {
                self.report(error);
                let (head, text) = Head::plain(StatusCode::INTERNAL_SERVER_ERROR);
                body = text.into();
                head
            });
        }
        // The body is ours, so its length is; a hook may have set one for another body.
        head.remove_content_length();
        let has_body = self.frame(&mut head, &mut body).unwrap_or_else(|_| {
            // Not reached: a length that is not declared is not wrong.
            head.settle_length(body.len());
            true
        });
        self.begin_body(head.status, body);
        Step::Head(CommittedHead { head, has_body })
    }
}
