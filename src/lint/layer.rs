//! One lint in one request: what it has seen, what that breaks, and where it is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

use super::{Faults, Finding, Findings, Side, head, rule};
use crate::environ::{Environ, Errors};
use crate::error::Error;
use crate::head::Head;
use crate::lifecycle::{End, Outcome};
use crate::start_response::{Name, StartResponse};

/// What the parts of a lint share: the start, the hook on the head, the body, and the hook on the end.
pub(super) struct Layer {
    label: Arc<str>,
    /// Where findings go: the request's list, where it has one.
    findings: Option<Findings>,
    errors: Errors,
    /// The faults that this lint sees and need not tell of again.
    told: Mutex<Vec<Finding>>,
    /// The next lint outside. What is between the two is the middleware that this one's body is given to.
    outer: Option<Arc<Self>>,
    /// Whether the request is HEAD, whose body nobody wants.
    is_head: bool,
    seen: Mutex<Seen>,
    /// The start that the gateway gave, where the body is gone and somebody still holds the one that lint gave.
    parked: Mutex<Parked>,
}

#[derive(Default)]
struct Parked {
    start_response: Option<StartResponse>,
    is_over: bool,
}

/// The layer in an environ's extensions, for the next lint inside.
#[derive(Clone)]
struct Link(Arc<Layer>);

/// What has passed so far.
#[derive(Default)]
struct Seen {
    start: Start,
    committed: Option<Committed>,
    body: BodyIs,
    /// The bytes and the blocks that were given out, and of these the blocks that had bytes.
    bytes: u64,
    blocks: u64,
    full_blocks: u64,
    /// The bytes that are left in the body, where that is known.
    left: Option<u64>,
    /// Whether Content-Length and the known length were found to differ, which says it all.
    length_differs: bool,
    /// The blocks with bytes that middleware took from bodies of the next lint inside, up to their end.
    taken: u64,
}

/// What has become of the start that the application was given.
#[derive(Default)]
pub(super) enum Start {
    #[default]
    Waiting,
    Started,
    /// The head was not allowed.
    Refused,
    Dropped(Name),
}

/// What was committed at this lint: the head after all hooks inside.
struct Committed {
    status: StatusCode,
    declared: Option<u64>,
    has_type: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum BodyIs {
    #[default]
    NotHere,
    /// One block, or none, which needs no watch.
    Whole,
    Open,
    Ended,
    Failed,
    /// Dropped before its end: by a gateway that has enough, or by middleware that replaces it.
    Dropped,
}

impl Layer {
    /// Begins to watch a request.
    pub(super) fn enter(label: &Arc<str>, environ: &mut Environ) -> Arc<Self> {
        let outer = environ.extensions().get::<Link>().map(|link| Arc::clone(&link.0));
        let layer = Arc::new(Self {
            label: Arc::clone(label),
            findings: environ.extensions().get().cloned(),
            errors: environ.errors(),
            told: Mutex::default(),
            outer,
            is_head: environ.method() == Method::HEAD,
            seen: Mutex::default(),
            parked: Mutex::default(),
        });
        environ.extensions_mut().insert(Link(Arc::clone(&layer)));
        let at_the_end = Arc::clone(&layer);
        environ.on_finished(move |outcome| at_the_end.finished(outcome));
        layer
    }

    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Tells of a fault, unless a lint that is nearer to it has done so: one further in for the application's side, one
    /// further out for the gateway's.
    pub(super) fn report(&self, id: &str, side: Side, message: String) {
        // `tests/lint.rs` triggers every rule that is named in here, so none is missing from the table.
        let Some(rule) = rule(id) else { return };
        let finding = Finding::new(rule, &self.label, side, &message);
        if self.has_told(&finding) || (side == Side::Gateway && self.outside().any(|layer| layer.has_told(&finding))) {
            return;
        }
        self.told().push(finding.clone());
        if side == Side::Application {
            self.outside().for_each(|layer| layer.told().push(finding.clone()));
        }
        match &self.findings {
            Some(findings) => findings.add(finding),
            None => self.errors.line(format_args!("vestibule: lint: {finding}")),
        }
    }

    fn told(&self) -> MutexGuard<'_, Vec<Finding>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_told(&self, finding: &Finding) -> bool {
        self.told().iter().any(|other| other.is_same_fault(finding))
    }

    /// The lints outside, the next one first.
    fn outside(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(self.outer.as_deref(), |layer| layer.outer.as_deref())
    }

    fn report_all(&self, faults: Faults) {
        for (id, message) in faults {
            self.report(id, Side::Application, message);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The start that the application was given is no longer waiting.
    pub(super) fn started(&self, start: Start) {
        self.seen().start = start;
    }

    /// The head is committed at this lint.
    pub(super) fn head(&self, head: &Head) {
        let mut faults = head::faults(head);
        let mut seen = self.seen();
        seen.committed = Some(Committed {
            status: head.status,
            declared: head.content_length().ok().flatten(),
            has_type: head.headers.contains_key(CONTENT_TYPE),
        });
        faults.extend(seen.faults_at_commit(self.is_head));
        faults.extend(seen.faults_of_response(self.is_head));
        drop(seen);
        self.report_all(faults);
    }

    /// The application returned one block, or none.
    pub(super) fn whole(&self, length: u64) {
        let mut seen = self.seen();
        seen.body = BodyIs::Whole;
        seen.left = Some(length);
        seen.blocks = u64::from(length > 0);
        let mut faults = seen.faults_of_start(length > 0);
        faults.extend(seen.faults_of_blocks());
        drop(seen);
        self.report_all(faults);
    }

    /// The application returned a body that is to be watched.
    pub(super) fn opened(&self, length: Option<u64>) {
        let mut seen = self.seen();
        seen.body = BodyIs::Open;
        seen.left = length;
    }

    /// The body gave a block; `left` bytes are known to follow.
    pub(super) fn block(&self, length: usize, left: Option<u64>) {
        let mut seen = self.seen();
        seen.blocks += 1;
        seen.bytes += length as u64;
        seen.left = left;
        if length == 0 {
            return;
        }
        seen.full_blocks += 1;
        let mut faults = seen.faults_of_start(true);
        faults.extend(seen.faults_of_response(self.is_head));
        drop(seen);
        self.report_all(faults);
    }

    /// The body ended cleanly. Trailers are an end too, and the end may be asked for again.
    pub(super) fn ended(&self) {
        let mut seen = self.seen();
        if matches!(seen.body, BodyIs::Ended) {
            return;
        }
        seen.body = BodyIs::Ended;
        let mut faults = if seen.full_blocks == 0 { seen.faults_of_start(false) } else { Faults::new() };
        faults.extend(seen.faults_of_response(self.is_head));
        faults.extend(seen.faults_of_blocks());
        let taken = seen.full_blocks;
        drop(seen);
        self.report_all(faults);
        if let Some(outer) = &self.outer {
            outer.seen().taken += taken;
        }
    }

    /// The body failed.
    pub(super) fn failed(&self, error: &Error) {
        let is_committed = {
            let mut seen = self.seen();
            seen.body = BodyIs::Failed;
            seen.committed.is_some()
        };
        // An upload that breaks off while it is echoed is nobody's fault in here.
        if is_committed && !error.is_client() {
            let message = format!("the body failed after the head was committed: {}", error.one_line());
            self.report("B5", Side::Application, message);
        }
    }

    /// The body was dropped.
    pub(super) fn closed(&self) {
        let mut seen = self.seen();
        if seen.body == BodyIs::Open {
            seen.body = BodyIs::Dropped;
        }
    }

    /// Keeps the start of the gateway until the request has finished, so that it is not taken for dropped.
    pub(super) fn park(&self, start_response: StartResponse) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if !parked.is_over {
            parked.start_response = Some(start_response);
        }
    }

    /// The request has finished.
    fn finished(&self, outcome: &Outcome) {
        let over = Parked { start_response: None, is_over: true };
        drop(std::mem::replace(&mut *self.parked.lock().unwrap_or_else(PoisonError::into_inner), over));
        // A thread that pulls the body for a response that needed no more of it learns of that only at its next block.
        // So only where all was wanted is a body that is still there one that somebody keeps.
        let is_whole_wanted = match &self.outer {
            Some(outer) => matches!(outer.seen().body, BodyIs::Whole | BodyIs::Ended),
            None => true,
        };
        let is_kept = is_whole_wanted && !self.is_head && outcome.end() == End::Complete && self.seen().is_kept();
        if is_kept {
            self.report("B4", Side::Gateway, "the body is still there, and the request has finished".to_owned());
        }
    }
}

impl Seen {
    /// What is wrong with a body that goes on, or ends, before the response was started.
    fn faults_of_start(&self, has_bytes: bool) -> Faults {
        let who = match &self.start {
            Start::Started | Start::Refused => return Faults::new(),
            Start::Waiting => "its StartResponse is still held somewhere".to_owned(),
            Start::Dropped(layer) => format!("{layer} dropped its StartResponse"),
        };
        match has_bytes {
            true => vec![("S2", format!("a block came and nobody had started the response: {who}"))],
            false => vec![("S3", format!("the body ended and nobody had started the response: {who}"))],
        }
    }

    /// Whether the body is there and has not given what its head promised.
    fn is_kept(&self) -> bool {
        let is_enough =
            |head: &Committed| head.is_bodyless() || head.declared.is_some_and(|declared| declared <= self.bytes);
        self.body == BodyIs::Open && !self.committed.as_ref().is_some_and(is_enough)
    }

    /// The head of a response that is this body's, and not one of an error that came instead.
    fn of_this_body(&self) -> Option<&Committed> {
        let is_here = matches!(self.body, BodyIs::Whole | BodyIs::Open | BodyIs::Ended);
        self.committed.as_ref().filter(|_| is_here && matches!(self.start, Start::Started))
    }

    /// The bytes of the whole body, where they are known.
    fn length(&self) -> Option<u64> {
        match self.body {
            BodyIs::Ended => Some(self.bytes),
            _ => self.left.map(|left| left + self.bytes),
        }
    }

    /// What the head says of the body against what is known of it when the head goes out.
    fn faults_at_commit(&mut self, is_head: bool) -> Faults {
        let mut faults = Faults::new();
        let Some(head) = self.of_this_body() else { return faults };
        let status = head.status.as_u16();
        if matches!(status, 204 | 304) && head.has_type {
            faults.push(("H10", format!("a {status} has a content-type")));
        }
        match (status, head.declared) {
            (204, Some(_)) => faults.push(("F11", "a 204 has a content-length".to_owned())),
            (205, Some(declared @ 1..)) => faults.push(("F11", format!("a 205 has a content-length of {declared}"))),
            _ => {}
        }
        if let (Some(declared), Some(known)) = (head.promised(is_head), self.length()) {
            if declared != known {
                faults.push(("F2", format!("content-length says {declared} bytes, the body has {known}")));
                self.length_differs = true;
            }
        }
        faults
    }

    /// What the head says of the body against what has come of it.
    fn faults_of_response(&self, is_head: bool) -> Faults {
        let mut faults = Faults::new();
        let Some(head) = self.of_this_body() else { return faults };
        let has_body = self.bytes > 0 || self.length().is_some_and(|length| length > 0);
        match (has_body, head.is_bodyless()) {
            (true, true) => faults.push(("F10", format!("a {} has a body", head.status.as_str()))),
            (true, false) if !head.has_type => {
                faults.push(("H9", "there is a body and no content-type".to_owned()));
            }
            _ => {}
        }
        let Some(declared) = head.promised(is_head).filter(|_| !self.length_differs) else { return faults };
        if self.bytes > declared {
            faults.push(("F3", format!("content-length says {declared} bytes, the body is longer")));
        } else if self.body == BodyIs::Ended && self.bytes < declared {
            let bytes = self.bytes;
            faults.push(("F4", format!("content-length says {declared} bytes, the body ended after {bytes}")));
        }
        faults
    }

    /// Whether each block that was taken inside has come out. Empty ones inside are not counted: they are a pause and
    /// no data, and a channel passes none on. Nor are those of a body that was dropped before its end: it was replaced.
    fn faults_of_blocks(&self) -> Faults {
        match self.taken > self.blocks {
            true => {
                vec![("M7", format!("{} blocks were taken from the body inside, {} came out", self.taken, self.blocks))]
            }
            false => Faults::new(),
        }
    }
}

impl Committed {
    fn is_bodyless(&self) -> bool {
        matches!(self.status.as_u16(), 204 | 205 | 304)
    }

    /// The bytes that the body must have: what a 304, or an answer to HEAD, says is the length of another body
    /// (RFC 9110, section 8.6).
    fn promised(&self, is_head: bool) -> Option<u64> {
        self.declared.filter(|_| !is_head && !self.is_bodyless())
    }
}
