//! `Refusal`: why variables make no request, for the client a status and for the log a text.

use std::fmt;

use http::StatusCode;

/// What is not served: the status to answer with, and the text for the log. The client gets no more than the status.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(in crate::adapters) status: StatusCode,
    side: Side,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Configuration,
}

impl Refusal {
    /// The client has sent what no request may have.
    pub(super) fn client(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, side: Side::Client, text: text.into() }
    }

    /// The front end leaves out, or twists, what a gateway needs.
    pub(super) fn configuration(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, side: Side::Configuration, text: text.into() }
    }
}

/// What, where and whose fault, on one line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "the client's fault",
            Side::Configuration => "the front end's configuration",
        };
        write!(f, "request refused with {} ({side}): {}", self.status.as_str(), self.text)
    }
}

/// Bytes of a request for a log: quoted, so that they start no line of their own, and cut.
pub(super) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 200;
    match bytes.get(..MOST) {
        None => format!("{:?}", String::from_utf8_lossy(bytes)),
        Some(begin) => format!("{:?}...", String::from_utf8_lossy(begin)),
    }
}
