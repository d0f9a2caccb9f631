//! What a request may be: sizes and counts.

use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::error::{Error, Fault, Result};

/// The limits of a request. Each has a builder method on the servers and a line in docs/limits.md.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The request line and the header lines, in bytes.
    pub(crate) head: usize,
    pub(crate) header_count: usize,
    /// In bytes.
    pub(crate) method: usize,
    /// The request body, in bytes.
    pub(crate) body: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 32 * 1024, header_count: 100, method: 64, body: None }
    }
}

impl Limits {
    /// Checks the size of a head, which is measured only where it is not known to be short (`bound`, in bytes).
    ///
    /// # Errors
    ///
    /// With the status to answer with; the connection is closed then.
    pub(crate) fn check_head(&self, parts: &Parts, bound: Option<u64>) -> Result<()> {
        let is_short = bound.is_some_and(|bound| bound <= self.head as u64);
        // RFC 6585, section 5: either all of them together are too large, or a single one.
        if parts.headers.len() > self.header_count || (!is_short && head_size(parts) > self.head) {
            let text = format!("a head over the limit of {} bytes and {} lines", self.head, self.header_count);
            return Err(Error::with_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text));
        }
        // RFC 9112, section 3: a method longer than any that the server implements SHOULD be answered with 501.
        match parts.method.as_str().len() > self.method {
            true => Err(Error::with_status(StatusCode::NOT_IMPLEMENTED, "a method that is over the limit")),
            false => Ok(()),
        }
    }

    /// Checks the length that a body is announced with.
    ///
    /// # Errors
    ///
    /// As [`check_head`](Limits::check_head).
    pub(crate) fn check_length(&self, parts: &Parts) -> Result<()> {
        let Some(limit) = self.body else { return Ok(()) };
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        match length.and_then(|length| length.parse::<u64>().ok()) {
            Some(length) if length > limit => Err(Fault::OverLimit { limit }.into()),
            _ => Ok(()),
        }
    }
}

/// How long a head is that is written as HTTP/1.1 without needless spaces, in bytes.
fn head_size(parts: &Parts) -> usize {
    let uri = &parts.uri;
    // A scheme stands before `://`.
    let target = uri.path().len()
        + uri.query().map_or(0, |query| "?".len() + query.len())
        + uri.authority().map_or(0, |authority| authority.as_str().len())
        + uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let line = parts.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let header = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    line + parts.headers.iter().map(header).sum::<usize>() + "\r\n".len()
}
