//! `CommittedHead`: what a gateway is given to send first.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use crate::head::Head;

/// A head that is committed: it passed all checks and will not change.
#[derive(Debug)]
pub struct CommittedHead {
    pub(super) head: Head,
    pub(super) has_body: bool,
}

impl CommittedHead {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The headers, without a Content-Length that was only computed: see [`length`](CommittedHead::length).
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The bytes of body that will follow, where that is known. Gateways that frame by it must write it as
    /// Content-Length; [`into_head_with_length`](CommittedHead::into_head_with_length) has it already.
    pub fn length(&self) -> Option<u64> {
        self.head.length()
    }

    /// Whether the response may have a body at all: not to HEAD, and not with 204 or 304 (RFC 9110, section 6.4.1).
    pub fn has_body(&self) -> bool {
        self.has_body
    }

    /// The head as it is, for gateways that write Content-Length themselves.
    pub fn into_head(self) -> Head {
        self.head
    }

    /// The head with the computed Content-Length, where there is one.
    pub fn into_head_with_length(self) -> Head {
        let mut head = self.head;
        if let (true, Some(length)) = (self.has_body, head.length()) {
            head.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        head
    }
}
