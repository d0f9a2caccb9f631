//! `TestResponse`: what a test gets back.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::lifecycle::{End, Outcome};
use crate::lint::{Finding, Level};

/// The response to a [`TestRequest`](super::TestRequest), with what the server wrote and what lint found.
#[derive(Debug)]
pub struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) trailers: HeaderMap,
    pub(crate) errors: String,
    pub(crate) findings: Vec<Finding>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) complete: bool,
}

impl TestResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase beside the status, where one was sent.
    pub fn reason_phrase(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The headers as they would be on the wire, with a computed Content-Length.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header; `None` where there is none or it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The body.
    pub fn bytes(&self) -> Bytes {
        match &self.chunks[..] {
            [] => Bytes::new(),
            [only] => only.clone(),
            many => many.concat().into(),
        }
    }

    /// The body in the blocks in which it came. Over HTTP the client may have received them cut otherwise.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// The trailer fields.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// What the application and the gateway wrote to the environ's stream for errors.
    pub fn errors(&self) -> &str {
        &self.errors
    }

    /// What lint found, warnings included.
    pub fn lint(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether the response ended cleanly: not when it was aborted or the client hung up.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How the server says that the request ended; `None` where it had not said so in time.
    pub fn end(&self) -> Option<End> {
        self.outcome.as_ref().map(Outcome::end)
    }

    /// Panics on errors that lint found, but for rules that are allowed to be broken.
    #[track_caller]
    pub(crate) fn assert_lint(&self, allowed: &[String]) {
        let errors: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.rule().level() == Level::Must)
            .filter(|finding| !allowed.iter().any(|id| id == finding.rule().id()))
            .map(|finding| format!("  {finding}"))
            .collect();
        if !errors.is_empty() {
            let log = if self.errors.is_empty() { String::new() } else { format!("\nthe log says:\n{}", self.errors) };
            panic!("lint found errors (allow one by `.allow_lint(id)`):\n{}{log}", errors.join("\n"));
        }
    }
}
