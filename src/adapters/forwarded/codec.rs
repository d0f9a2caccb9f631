//! What a connection of FastCGI, SCGI and uwsgi have in common: a request comes as events, an answer goes as parts.

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::server::ServerLimits;
use crate::wire::cgi::HeadForm;
use crate::wire::{Output, Params};

/// A protocol by which a web server forwards requests.
pub(crate) trait Codec: Send + Unpin + 'static {
    /// What it is called, and what addresses begin with.
    const NAME: &'static str;

    /// Whether it shows where a body ends, so that one may be of unknown length.
    const ENDS_BODIES: bool = false;

    /// Whether it can [`spoil`](Self::spoil) an answer, so that one which is cut shows it even where the connection cannot
    /// be reset.
    const SPOILS: bool = false;

    fn new(limits: &ServerLimits) -> Self;

    /// The next event in what has come, which is taken from `input`; `None` when more is needed. What the protocol itself
    /// answers goes to `output`.
    fn decode(&mut self, input: &mut BytesMut, output: &mut Output) -> Result<Option<Event>, Lost>;

    /// The web server has sent its last byte. An event that only that completes.
    fn decode_end(&mut self) -> Option<Event> {
        None
    }

    /// Writes a part of the answer to a request: the head, or a block of the body.
    fn write(&self, output: &mut Output, id: u16, block: Bytes);

    /// Writes to the web server's log.
    fn write_error(&self, _output: &mut Output, _id: u16, _text: Bytes) {}

    /// Writes the end of the answer, after which the id may be used again.
    fn end(&mut self, output: &mut Output, id: u16);

    /// Writes what no web server takes for the end of an answer.
    fn spoil(&self, _output: &mut Output) {}

    /// Whether nothing of a request is still to come, so that the connection can be closed or wait for the next one.
    fn is_idle(&self) -> bool;
}

/// What has come from the web server.
#[allow(dead_code, reason = "FastCGI alone has all of them")]
pub(crate) enum Event {
    /// A request has begun; its variables follow.
    Begun {
        id: u16,
    },
    /// The variables of a request are complete.
    Request(Request),
    Body {
        id: u16,
        block: Bytes,
    },
    BodyEnd {
        id: u16,
    },
    /// The client has left; what was begun is over with its end.
    Abort {
        id: u16,
        keep: bool,
    },
    /// The protocol has answered itself, and the connection closes behind that.
    Last,
    /// There are as many requests on this connection as there may be.
    Refused {
        id: u16,
        keep: bool,
    },
}

pub(crate) struct Request {
    pub(crate) id: u16,
    /// Or the status that it is to be refused with.
    pub(crate) params: Result<Params, StatusCode>,
    /// In which form the head is written.
    pub(crate) form: HeadForm,
    /// Whether a body may follow.
    pub(crate) has_body: bool,
    /// Whether the connection stays open behind the answer.
    pub(crate) keep: bool,
}

/// The connection makes no sense any more.
pub(crate) struct Lost {
    /// For the log.
    pub(crate) text: String,
    /// What the web server is answered, if it can be.
    pub(crate) answer: Option<(StatusCode, HeadForm)>,
}
