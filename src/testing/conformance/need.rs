//! What a case asks of a gateway and its client beyond a request and a response.

use std::fmt;

/// Something that not every gateway or client can do.
///
/// A case whose needs are not met is listed as skipped, with the reason. A client claims what its gateway *should*
/// do, not what it does: a FastCGI gateway behind a front end that hides the raw path does without
/// [`RawTarget`](Need::RawTarget); one that loses it supports the need and fails the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// The application is mounted below the root. The suite answers for this one itself.
    Mount,
    /// All requests reach the same process, so that one request can tell what became of another. Not under CGI.
    OneProcess,
    /// A request is served while another one blocks its thread, of the server and of the client.
    Concurrency,
    /// Each block of a response is seen when it was sent, and another request can be made meanwhile.
    Blocks,
    /// The application learns that the client has left in the middle of a response.
    HangUp,
    /// A request can promise more than it sends before the client leaves.
    ShortBody,
    /// A request body can be sent without its length, as chunked coding does.
    UnknownLength,
    /// A request can have trailer fields.
    RequestTrailers,
    /// A response can have trailer fields.
    ResponseTrailers,
    /// The path reaches the gateway as it was sent: no front end decodes or merges it.
    RawTarget,
    /// `OPTIONS *` can be sent.
    Asterisk,
    /// A request can be one of HTTP/1.0.
    Http10,
    /// A request can have headers that are about its connection, such as Connection and Keep-Alive. Not one of HTTP/2.
    HopByHop,
    /// A connection can be reset, so that an aborted response that ends with it differs from a whole one. Not a unix
    /// socket.
    Reset,
    /// The protocol has reason phrases, and they reach the client.
    Reason,
    /// The client can see the gateway's log: [`Response::log`](super::Response).
    Log,
    /// The gateway speaks HTTP/1.1, and [`Client::connect`](super::Client::connect) gives connections to it.
    Wire,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mount => "an application that is mounted below the root",
            Self::OneProcess => "one process for all requests",
            Self::Concurrency => "requests that are served at the same time",
            Self::Blocks => "a client that sees each block as it is sent",
            Self::HangUp => "a client that leaves in the middle of a response",
            Self::ShortBody => "a client that leaves in the middle of its request",
            Self::UnknownLength => "request bodies of unknown length",
            Self::RequestTrailers => "trailer fields in requests",
            Self::ResponseTrailers => "trailer fields in responses",
            Self::RawTarget => "a target that arrives as it was sent",
            Self::Asterisk => "OPTIONS *",
            Self::Http10 => "requests of HTTP/1.0",
            Self::HopByHop => "headers that are about the connection",
            Self::Reset => "connections that can be reset",
            Self::Reason => "reason phrases",
            Self::Log => "a look at the log",
            Self::Wire => "a connection that speaks HTTP/1.1",
        })
    }
}
