//! `TestRequest`: what a test sends.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;

use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::{TestResponse, TestServer, TestStream, Transport, VERSION, memory};
use crate::body::Body;
use crate::input::Input;

/// A request of a [`TestServer`], to be sent by [`send`](TestRequest::send), by `.await`, or, pulled one block at a
/// time, by [`stream`](TestRequest::stream).
#[must_use = "a request is not sent before send(), stream() or .await"]
pub struct TestRequest {
    pub(super) server: TestServer,
    pub(super) parts: Parts,
    pub(super) body: Option<Input>,
    pub(super) remote_addr: Option<SocketAddr>,
    pub(super) promised: Option<u64>,
    pub(super) hang_up_after: Option<usize>,
    pub(super) allowed: Vec<String>,
    /// The first fault of the harness' user, reported when the request is sent.
    fault: Option<String>,
}

impl TestRequest {
    #[track_caller]
    pub(super) fn new<M>(server: TestServer, method: M, target: &str) -> Self
    where
        Method: TryFrom<M>,
        <Method as TryFrom<M>>::Error: Into<http::Error>,
    {
        let target = match target {
            "*" => "*".to_owned(),
            _ if target.starts_with("http://") || target.starts_with("https://") => target.to_owned(),
            _ => format!("{}{target}", server.0.mount),
        };
        let is_target = target.starts_with(['/', '*', '?']) || target.contains(':') || target.is_empty();
        let target = if target.is_empty() || target.starts_with('?') { format!("/{target}") } else { target };
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.version = VERSION;
        let mut fault = None;
        match Method::try_from(method) {
            Ok(method) => parts.method = method,
            Err(error) => fault = Some(format!("the method is not valid: {}", error.into())),
        }
        match Uri::try_from(&target) {
            Ok(_) if !is_target => fault = Some(format!("the target {target:?} does not begin with a slash")),
            Ok(uri) => parts.uri = uri,
            Err(error) => fault = Some(format!("the target {target:?} is not valid: {error}")),
        }
        Self {
            server,
            parts,
            body: None,
            remote_addr: None,
            promised: None,
            hang_up_after: None,
            allowed: Vec::new(),
            fault,
        }
    }

    /// Adds a header; one of the same name stays beside it. A fault is reported when the request is sent.
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        let name = HeaderName::try_from(name).map_err(Into::into);
        let value = HeaderValue::try_from(value).map_err(Into::into);
        match (name, value) {
            (Ok(name), Ok(value)) => drop(self.parts.headers.append(name, value)),
            (Err(error), _) | (_, Err(error)) => self.fault = Some(format!("a header is not valid: {error}")),
        }
        self
    }

    /// Sets the body, from everything that an [`Input`] is made of.
    ///
    /// A known length is declared by Content-Length, as a client does; an unknown one is sent chunked over HTTP.
    pub fn body(mut self, body: impl Into<Input>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the body with trailer fields after it, which makes its length unknown.
    pub fn body_with_trailers(mut self, body: impl Into<Body>, trailers: HeaderMap) -> Self {
        let blocks: Body = Body::try_iter(body.into());
        self.body = Some(Input::of(blocks.with_trailers(|| trailers)));
        self
    }

    /// Sets the protocol version of the request, HTTP/1.1 by default.
    pub fn version(mut self, version: Version) -> Self {
        self.parts.version = version;
        self
    }

    /// Sets the address of the client; in memory only.
    pub fn remote_addr(mut self, address: SocketAddr) -> Self {
        self.memory_only("remote_addr");
        self.remote_addr = Some(address);
        self
    }

    /// Puts a value into the environ's extensions, as a middleware would; in memory only.
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.memory_only("extension");
        self.parts.extensions.insert(value);
        self
    }

    /// Declares a Content-Length and leaves when the body has ended before it: a client that sends less than it
    /// promised; in memory only.
    pub fn promising(mut self, bytes: u64) -> Self {
        self.memory_only("promising");
        self.promised = Some(bytes);
        self
    }

    /// Hangs up when so many blocks of the response have arrived; 0 leaves as soon as the head is there.
    pub fn hang_up_after(mut self, blocks: usize) -> Self {
        self.hang_up_after = Some(blocks);
        self
    }

    /// Lets a rule of lint be broken, such as `H9`, for a test of what happens then.
    pub fn allow_lint(mut self, rule: impl Into<String>) -> Self {
        self.allowed.push(rule.into());
        self
    }

    fn memory_only(&mut self, knob: &str) {
        if !matches!(self.server.0.transport, Transport::Memory) {
            self.fault = Some(format!("`{knob}` works only in memory: use TestServer::new"));
        }
    }

    /// Sends the request and waits for the whole response.
    ///
    /// # Panics
    ///
    /// For a request that cannot be sent, and for errors that lint found, unless they are
    /// [allowed](TestRequest::allow_lint).
    #[track_caller]
    pub fn send(self) -> TestResponse {
        let allowed = self.allowed.clone();
        let server = self.server.clone();
        let ready = self.ready();
        let response = match &server.0.transport {
            Transport::Memory => memory::send(ready),
            #[cfg(feature = "http")]
            Transport::Http(loopback) => {
                let sending = loopback.send(ready);
                let cure = "TestRequest::send() inside an async application: use .await";
                let mut sending = Box::pin(sending);
                match crate::waiting::wait(cure, |cx| sending.as_mut().poll(cx)) {
                    Ok(response) => response,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        server.keep_cookies(&response);
        response.assert_lint(&allowed);
        response
    }

    /// Sends the request and returns as soon as the head is there; the blocks are pulled one at a time. In memory only.
    ///
    /// # Panics
    ///
    /// For a request that cannot be sent.
    #[track_caller]
    pub fn stream(mut self) -> TestStream {
        self.memory_only("stream");
        memory::stream(self.ready())
    }

    /// The request as the client sends it, with the headers that every client adds.
    #[track_caller]
    fn ready(mut self) -> Self {
        if let Some(fault) = self.fault.take() {
            panic!("TestRequest: {fault}");
        }
        if !self.parts.headers.contains_key(HOST) && self.parts.version != Version::HTTP_10 {
            let host = match self.server.local_addr() {
                Some(address) => address.to_string(),
                None => self.parts.uri.authority().map_or("localhost".to_owned(), ToString::to_string),
            };
            if let Ok(host) = HeaderValue::try_from(host) {
                self.parts.headers.insert(HOST, host);
            }
        }
        if let Some(cookies) = self.server.cookie_header().and_then(|cookies| HeaderValue::try_from(cookies).ok()) {
            self.parts.headers.append(COOKIE, cookies);
        }
        let length = match (self.promised, &self.body) {
            (Some(promised), _) => Some(promised),
            (None, Some(body)) => body.len(),
            (None, None) => None,
        };
        if let Some(length) = length {
            self.parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        self
    }

    /// The body as the server will see it: one that ends before its promise is a client that left.
    pub(super) fn take_input(&mut self) -> Input {
        let input = self.body.take().unwrap_or_default();
        match self.promised {
            Some(promised) => input.with_length(promised),
            None => input,
        }
    }
}

impl IntoFuture for TestRequest {
    type Output = TestResponse;
    type IntoFuture = Pin<Box<dyn Future<Output = TestResponse> + Send>>;

    /// Sends the request and awaits the whole response; as [`send`](TestRequest::send).
    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        let allowed = self.allowed.clone();
        let server = self.server.clone();
        let ready = self.ready();
        Box::pin(async move {
            let response = match server.0.transport.clone() {
                Transport::Memory => memory::send_async(ready).await,
                #[cfg(feature = "http")]
                Transport::Http(loopback) => loopback.send(ready).await,
            };
            server.keep_cookies(&response);
            response.assert_lint(&allowed);
            response
        })
    }
}

impl std::fmt::Debug for TestRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestRequest")
            .field("method", &self.parts.method)
            .field("uri", &self.parts.uri)
            .field("headers", &self.parts.headers)
            .finish_non_exhaustive()
    }
}
