//! The moment at which a head is committed: what happens before it, and what is decided at it.

use std::sync::Arc;
use std::task::Context;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};

use super::{CommittedHead, Exchange, Phase, Step};
use crate::body::{self, Body};
use crate::error::{Error, Fault, Result, catching};
use crate::head::Head;
use crate::lifecycle::{End, Record};
use crate::start_response::{Hooks, Name, Slot};

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
    Committed(Started, Body),
    /// An error, with the hooks of the start that it came instead of.
    Failed(Failed),
}

/// Why there is no head, with what its start had gathered.
pub(crate) struct Failed {
    pub(crate) error: Error,
    hooks: Option<Hooks>,
    /// The application that held the start, where that is known.
    layer: Option<Name>,
}

/// A head on its way out, before its hooks.
pub(crate) struct Started {
    head: Head,
    hooks: Option<Hooks>,
    /// The application that started it.
    layer: Name,
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
        if let Some(error) = self.failed.take() {
            return self.fail(error);
        }
        if head_only && matches!(*self.record.slot(), Slot::Started { .. }) {
            return self.start(true);
        }
        // A body in memory commits at once; it is not taken apart and put together again.
        if self.body.as_full().is_some() {
            return match self.body.is_ended() {
                true => self.start(false),
                false => self.start(true),
            };
        }
        let body = &mut self.body;
        match catching(|| body.poll_step(cx, may_block)) {
            Ok(body::Step::Pending) => Opened::Pending,
            Ok(body::Step::NeedsThread) => Opened::NeedsThread,
            Ok(body::Step::Block(block)) if block.is_empty() => Opened::Empty,
            Ok(body::Step::Block(block)) => {
                self.body.put_back(block);
                self.start(true)
            }
            Ok(body::Step::Trailers(trailers)) => {
                self.body = Body::empty().with_trailers(|| trailers);
                self.start(false)
            }
            Ok(body::Step::End | body::Step::Become(_)) => self.start(false),
            Ok(body::Step::Failed(error)) | Err(error) => self.fail(error),
        }
    }

    pub(crate) fn may_block(&self) -> bool {
        self.failed.is_none() && self.body.may_block()
    }

    pub(crate) fn drop_may_block(&self) -> bool {
        self.body.drop_may_block()
    }

    /// Whether the next look commits, or fails, without a pull that could wait or run code of the application.
    pub(crate) fn is_decided(&self) -> bool {
        self.failed.is_some() || self.body.as_full().is_some()
    }

    /// The commit: takes the head out of the slot, where it must be by now.
    fn start(&mut self, has_block: bool) -> Opened {
        let body = std::mem::take(&mut self.body);
        let never = |layer: Option<&Name>| {
            let layer = layer.cloned().unwrap_or_default().to_string();
            match has_block {
                true => Fault::BlockBeforeStart { layer },
                false => Fault::NeverStarted { layer },
            }
        };
        let (fault, hooks, layer) = match std::mem::replace(&mut *self.record.slot(), Slot::Closed) {
            Slot::Started { head, hooks, layer } => return Opened::Committed(Started { head, hooks, layer }, body),
            Slot::Failed { fault, hooks, layer } => (fault, hooks, Some(layer)),
            Slot::Dropped { hooks, layer } => (never(Some(&layer)), hooks, Some(layer)),
            // Somebody still holds the start; it comes too late from here on.
            Slot::Waiting => (never(None), None, None),
            Slot::Unused | Slot::Closed => (Fault::StartedTooLate, None, None),
        };
        let error = catching(|| drop(body)).err().unwrap_or_else(|| fault.into());
        Opened::Failed(Failed { error, hooks, layer })
    }

    fn fail(&mut self, error: Error) -> Opened {
        let body = std::mem::take(&mut self.body);
        // The first error is the one to tell of.
        let _ = catching(|| drop(body));
        let (hooks, layer) = match std::mem::replace(&mut *self.record.slot(), Slot::Closed) {
            Slot::Started { hooks, layer, .. } | Slot::Failed { hooks, layer, .. } | Slot::Dropped { hooks, layer } => {
                (hooks, Some(layer))
            }
            _ => (None, None),
        };
        Opened::Failed(Failed { error, hooks, layer })
    }
}

impl Started {
    /// Runs the hooks, innermost first, and checks again what they made of the head.
    pub(crate) fn into_head(self) -> Result<Head> {
        let Self { mut head, hooks, .. } = self;
        if let Some(hooks) = hooks {
            catching(|| hooks.run(&mut head))?;
            head.check()?;
        }
        Ok(head)
    }
}

impl Exchange {
    /// Decides the head, the framing and what is left of the body.
    pub(super) fn commit(&mut self, opened: Result<(Started, Body), Failed>) -> Step {
        let decided = match opened {
            Ok((started, body)) => {
                self.layer = Some(started.layer.clone());
                started.into_head().and_then(|head| self.frame(head, body))
            }
            Err(Failed { error, hooks, layer }) => {
                self.layer = layer;
                self.log(&error);
                Ok(self.error_response(&error, hooks))
            }
        };
        let (head, body) = match decided {
            Ok(decided) => decided,
            // The hooks have run, so the response that replaces the faulty one goes out without them.
            Err(error) => {
                self.log(&error);
                self.error_response(&error, None)
            }
        };
        self.outcome.status = head.status();
        self.phase = Phase::Body(body);
        if matches!(&self.phase, Phase::Body(body) if body.is_ended()) {
            self.outcome.end = End::Complete;
            self.phase = Phase::Ended;
        }
        Step::Head(head)
    }

    /// The framing of a head that the application made: docs/spec.md, section "6. Framing".
    fn frame(&mut self, mut head: Head, mut body: Body) -> Result<(CommittedHead, Body)> {
        let status = head.status;
        let declared = head.content_length()?;
        if self.method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            let known = body.len().filter(|&length| length > 0);
            self.discard(body);
            if status == StatusCode::NO_CONTENT {
                // RFC 9110, section 8.6: no Content-Length in a response with status 204.
                head.headers.remove(CONTENT_LENGTH);
            } else if let (true, None, Some(known)) = (status != StatusCode::NOT_MODIFIED, declared, known) {
                // To HEAD, the length that GET would have; of a length of 0 nobody knows whether GET would have it too.
                head.headers.insert(CONTENT_LENGTH, known.into());
            }
            return Ok((CommittedHead { head, length: Some(0), has_body: false }, Body::empty()));
        }
        if status == StatusCode::RESET_CONTENT {
            // RFC 9110, section 15.3.6: a server MUST NOT generate content in a 205 response.
            self.discard(std::mem::take(&mut body));
            head.headers.remove(CONTENT_LENGTH);
            return Ok((CommittedHead { head, length: Some(0), has_body: true }, body));
        }
        let length = match (declared, body.len()) {
            (Some(declared), Some(known)) if declared != known => {
                return Err(Fault::LengthMismatch { declared, known }.into());
            }
            (declared, known) => declared.or(known),
        };
        self.promised = length;
        Ok((CommittedHead { head, length, has_body: true }, body))
    }

    /// The clean answer to an error before the commit: the client gets the status and its reason, never the text.
    fn error_response(&mut self, error: &Error, hooks: Option<Hooks>) -> (CommittedHead, Body) {
        let status =
            error.status().filter(|status| !status.is_informational()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (mut head, mut body) = plain(status);
        if let Some(hooks) = hooks {
            let started = Started { head, hooks: Some(hooks), layer: Name::default() };
            (head, body) = match started.into_head() {
                Ok(head) => (head, body),
                Err(error) => {
                    self.log(&error);
                    plain(StatusCode::INTERNAL_SERVER_ERROR)
                }
            };
        }
        // The body is ours, so its length is; a hook may have set one for another body.
        head.headers.remove(CONTENT_LENGTH);
        match self.frame(head, body) {
            Ok(framed) => framed,
            Err(_) => (CommittedHead { head: Head::new(status), length: Some(0), has_body: false }, Body::empty()),
        }
    }

    fn discard(&mut self, body: Body) {
        if let Err(error) = catching(|| drop(body)) {
            self.log(&error);
        }
    }
}

/// `NNN Reason` as text.
fn plain(status: StatusCode) -> (Head, Body) {
    let mut head = Head::new(status);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    (head, Body::from(format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or("Error"))))
}
