//! What a web server says, in the application's terms.

use bytes::Bytes;

use super::ParamsError;
use crate::wire::Params;

/// What has arrived on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request begins; the id is its own until [`Decoder::end`](super::Decoder::end).
    Begin {
        /// Tells the requests of a connection apart.
        id: u16,
        /// What the application is to be.
        role: Role,
        /// Whether the connection stays open behind the response.
        keep_conn: bool,
    },
    /// A request that is not opened. Answer it: nothing else will come of it.
    Refused {
        /// Its id, which is still free.
        id: u16,
        /// Whether the connection stays open behind the answer.
        keep_conn: bool,
        /// Why, and so what to answer.
        refusal: Refusal,
    },
    /// The variables of a request are complete, and it can be dispatched; or it has to be answered by
    /// [`ParamsError::status`], and its STDIN will not be passed on.
    Params {
        /// The id of a request that has begun.
        id: u16,
        /// The variables.
        params: Result<Params, ParamsError>,
    },
    /// A part of the body of a responder's request, not empty. How the web server cut it means nothing.
    Stdin {
        /// The id of a request whose variables are complete.
        id: u16,
        /// The next bytes.
        block: Bytes,
    },
    /// The body of a responder's request is complete. Without this, a body was cut short.
    StdinEnd {
        /// The id of a request whose variables are complete.
        id: u16,
    },
    /// A request is to end early: nobody waits for it. Nothing more will come for it; END_REQUEST is still owed.
    Abort {
        /// The id of a request that has begun and was not answered yet.
        id: u16,
    },
    /// A question about limits: answer by [`encode::values`](super::encode::values).
    GetValues {
        /// The variables asked for, without values.
        names: Params,
    },
    /// A management record of an unknown type: answer by [`encode::unknown_type`](super::encode::unknown_type).
    UnknownType {
        /// Its type.
        code: u8,
    },
}

/// What an application is to be for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It answers requests: FastCGI 1.0, section 6.2.
    Responder,
    /// It decides whether a request may pass: FastCGI 1.0, section 6.3. There is no body, and Apache does not even send
    /// its end, so dispatch at the end of PARAMS.
    Authorizer,
}

/// Why a request was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A role that is not played here, such as filter (3): answer
    /// [`UnknownRole`](super::ProtocolStatus::UnknownRole).
    UnknownRole(u16),
    /// The connection has [`max_requests`](super::Decoder::max_requests) open: answer a whole 503.
    TooManyRequests,
}
