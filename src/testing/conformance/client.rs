//! The client's side of a gateway: what its author writes so that the suite can talk to it.

use std::io::{Read, Write};
use std::ops::ControlFlow;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};

use super::Need;
use crate::error::Result;

/// Sends the suite's requests through a gateway that serves [`application()`](super::application).
///
/// [`Http1`](super::Http1) and [`Memory`](super::Memory) are two. Behind another protocol, say FastCGI, write what a
/// front end would write. What is wrong with a response is for the suite to say; an `Err` is a response that cannot
/// be read at all.
///
/// ```
/// use vestibule::Result;
/// use vestibule::testing::conformance::{self, Client, Memory, Need, Request, Response, Watch};
///
/// /// A gateway that knows neither HTTP/1.0 nor trailers; the requests travel in memory.
/// struct Mine(Memory);
///
/// impl Client for Mine {
///     fn supports(&self, need: Need) -> bool {
///         !matches!(need, Need::Http10 | Need::RequestTrailers | Need::ResponseTrailers) && self.0.supports(need)
///     }
///
///     fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
///         self.0.send(request, watch)
///     }
/// }
///
/// let client = Mine(Memory::new(conformance::application(), "/mnt"));
/// let report = conformance::run(&client, "/mnt");
/// assert!(report.skipped().iter().any(|(case, _)| case.name() == "response-trailers"));
/// report.assert_passed();
/// ```
pub trait Client: Send + Sync {
    /// Whether this client, and the gateway behind it, can do what some cases need.
    fn supports(&self, need: Need) -> bool;

    /// Sends a request and reads the whole response.
    ///
    /// `watch` is called with the body so far each time that a part of it has arrived; on `Break` the client leaves
    /// at once, and what it has is the response, not complete. A client that learns of the body only when it is whole
    /// calls it once. It must give up in bounded time, with an `Err`, so that a gateway that hangs is a failure of
    /// one case.
    ///
    /// # Errors
    ///
    /// When there is no response, or none that the protocol allows.
    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response>;

    /// Opens a connection on which the suite speaks HTTP/1.1 itself; only for clients that support [`Need::Wire`].
    ///
    /// Reading from it gives up in bounded time, with [`std::io::ErrorKind::WouldBlock`] or `TimedOut`.
    ///
    /// # Errors
    ///
    /// When there is none to be had.
    fn connect(&self) -> Result<Box<dyn Connection>> {
        Err("this client gives the suite no connection of its own".into())
    }
}

/// What a client calls with the body so far, each time that more of it has arrived; on `Break` it leaves.
pub type Watch<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// A connection to a gateway. Everything that reads and writes is one; dropping it closes it.
pub trait Connection: Read + Write + Send {}

impl<T: Read + Write + Send> Connection for T {}

/// A request of the suite, for a [`Client`] to send as it is.
///
/// The client adds what its protocol needs, such as Host (unless it is among the headers) and the framing of the body.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    version: Version,
    headers: Vec<(String, Vec<u8>)>,
    blocks: Vec<Bytes>,
    framing: Framing,
    trailers: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(u64),
    Unknown,
}

impl Request {
    pub(super) fn new(method: &str, target: String) -> Self {
        Self {
            method: method.to_owned(),
            target,
            version: Version::HTTP_11,
            headers: Vec::new(),
            blocks: Vec::new(),
            framing: Framing::None,
            trailers: Vec::new(),
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// A body whose length is declared.
    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.framing = Framing::Length(body.len() as u64);
        self.blocks = vec![body];
        self
    }

    /// A body whose length is not declared.
    pub(super) fn blocks<B: Into<Bytes>>(mut self, blocks: impl IntoIterator<Item = B>) -> Self {
        self.framing = Framing::Unknown;
        self.blocks = blocks.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Declares more than there is: the client leaves in the middle of the body.
    pub(super) fn promising(mut self, bytes: u64) -> Self {
        self.framing = Framing::Length(bytes);
        self
    }

    /// The method, any token.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The target, with the mount prefix and the query, encoded; `*` for [`Need::Asterisk`].
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The protocol version: HTTP/1.0 for [`Need::Http10`], else HTTP/1.1, for which a client may take the one that
    /// it speaks.
    pub fn protocol(&self) -> Version {
        self.version
    }

    /// The headers in their order; without those that frame the body.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The blocks of the body.
    pub fn body_blocks(&self) -> &[Bytes] {
        &self.blocks
    }

    /// The length to declare for the body; `None` for no body, and for one of unknown length.
    pub fn content_length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }

    /// Whether the body is to be sent without a length, as chunked coding does; only for [`Need::UnknownLength`].
    pub fn is_unknown_length(&self) -> bool {
        self.framing == Framing::Unknown
    }

    /// The trailer fields, only for [`Need::RequestTrailers`].
    pub fn trailers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.trailers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether the client is to leave after the body, which is shorter than it promised; only for [`Need::ShortBody`].
    ///
    /// There need be no response then; [`Response::none`] says so.
    pub fn leaves_early(&self) -> bool {
        let sent: u64 = self.blocks.iter().map(|block| block.len() as u64).sum();
        self.content_length().is_some_and(|length| length > sent)
    }
}

/// What a [`Client`] got back.
///
/// ```
/// use vestibule::testing::conformance::Response;
///
/// let mut response = Response::new(vestibule::StatusCode::OK);
/// response.headers.insert("content-type", vestibule::HeaderValue::from_static("text/plain"));
/// response.body = "hello".into();
/// response.complete = true;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The reason phrase, where the protocol has one.
    pub reason: Option<String>,
    /// The headers as they came, values byte for byte.
    pub headers: HeaderMap,
    /// The body, without its framing.
    pub body: Bytes,
    /// The trailer fields.
    pub trailers: HeaderMap,
    /// Whether the response ended as the protocol says that a whole one does.
    pub complete: bool,
    /// What the gateway wrote to its log for this request, where the client can see it: [`Need::Log`].
    pub log: String,
}

impl Response {
    /// A response with this status and nothing else, not complete.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            trailers: HeaderMap::new(),
            complete: false,
            log: String::new(),
        }
    }

    /// No response, for a client that was told to [leave early](Request::leaves_early).
    pub fn none() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT)
    }

    /// The first value of a header, escaped where it is not ASCII text.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.as_bytes().escape_ascii().to_string())
    }

    /// All values of a header, in their order.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| value.as_bytes().escape_ascii().to_string()).collect()
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
