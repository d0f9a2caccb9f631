//! `Environ`: one request, as `http` types and as CGI variables.

mod cgi;
mod errors;
#[cfg(feature = "tower")]
mod passing;
mod path;
mod user;

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::uri::Scheme;
use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, Version};

pub use errors::Errors;
pub(crate) use path::decode;
#[cfg(feature = "tower")]
pub(crate) use path::with_path;
#[cfg(feature = "router")]
pub(crate) use path::{encode, is_plain};

use crate::error::{Fault, Result};
use crate::input::Input;
use crate::lifecycle::{Cancellation, Outcome, Record};
use crate::start_response::State;

/// One request: what PEP 3333 calls the environ dictionary, typed.
///
/// It holds [`http::request::Parts`] once and computes the CGI view from it, so nothing is stored twice: a setter
/// changes what every accessor says. It is owned, `Send + Sync` and one pointer wide; a middleware may change it freely
/// before it calls the inner application.
///
/// The path is there in three forms: [`path_info`](Environ::path_info) is text, decoded once and lossily;
/// [`path_info_bytes`](Environ::path_info_bytes) is decoded once and exact; [`raw_path`](Environ::raw_path) is as it
/// was sent, with the prefix that the application is mounted at, so that `%2F` survives.
///
/// ```
/// use vestibule::Environ;
///
/// let mut environ = Environ::from(http::Request::get("http://example.com/blog/a%20b?page=2").body(()).unwrap());
/// assert_eq!(environ.shift_path_info().as_deref(), Some("blog"));
/// assert_eq!(environ.script_name(), "/blog");
/// assert_eq!(environ.path_info(), "/a b");
/// assert_eq!(environ.raw_path(), "/blog/a%20b");
/// assert_eq!(environ.var("QUERY_STRING").unwrap(), &b"page=2"[..]);
/// ```
pub struct Environ(Box<Inner>);

struct Inner {
    /// Its URI's path is the whole raw path: SCRIPT_NAME, then PATH_INFO.
    parts: Parts,
    beyond: Beyond,
    input: Input,
    record: Option<Arc<Record>>,
}

/// What an environ says beyond its request.
#[derive(Clone, Default)]
pub(crate) struct Beyond {
    /// How many bytes of the raw path are SCRIPT_NAME.
    mounted: usize,
    /// `None` for those that no gateway has set: [`Surroundings::LOCAL`].
    surroundings: Option<Arc<Surroundings>>,
}

/// What an environ has not from its request. The requests of one connection may share it, which keeps an environ small;
/// what is set in one of them is set in a copy.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) scheme: Scheme,
    server_name: Option<Arc<str>>,
    server_port: u16,
    pub(crate) remote_addr: Option<SocketAddr>,
    pub(crate) vars: Vec<(Cow<'static, str>, Bytes)>,
    /// What PEP 3333 calls wsgi.multithread, wsgi.multiprocess and wsgi.run_once.
    multithread: bool,
    multiprocess: bool,
    run_once: bool,
    errors: Errors,
}

impl Surroundings {
    pub(crate) const LOCAL: Self = Self {
        scheme: Scheme::HTTP,
        server_name: None,
        server_port: 80,
        remote_addr: None,
        vars: Vec::new(),
        multithread: true,
        multiprocess: false,
        run_once: false,
        errors: Errors::stderr(),
    };

    pub(crate) fn set_server(&mut self, name: Arc<str>, port: u16) {
        self.server_name = Some(name).filter(|name| !name.is_empty());
        self.server_port = port;
    }
}

impl Environ {
    /// An environ of a request in parts, that no connection tells of: a target with a scheme has its own.
    pub(crate) fn new(parts: Parts, input: Input) -> Self {
        let scheme = parts.uri.scheme().filter(|&scheme| *scheme != Scheme::HTTP).cloned();
        let mut environ = Self::within(parts, input, None);
        if let Some(scheme) = scheme {
            let surroundings = environ.surroundings_mut();
            surroundings.server_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
            surroundings.scheme = scheme;
        }
        environ
    }

    /// An environ of a request that came by a connection with these surroundings, which a target cannot change.
    pub(crate) fn within(parts: Parts, input: Input, surroundings: Option<Arc<Surroundings>>) -> Self {
        Self(Box::new(Inner { parts, beyond: Beyond { mounted: 0, surroundings }, input, record: None }))
    }

    fn surroundings(&self) -> &Surroundings {
        static LOCAL: Surroundings = Surroundings::LOCAL;
        self.0.beyond.surroundings.as_deref().unwrap_or(&LOCAL)
    }

    fn surroundings_mut(&mut self) -> &mut Surroundings {
        Arc::make_mut(self.0.beyond.surroundings.get_or_insert_with(|| Arc::new(Surroundings::LOCAL)))
    }

    /// The request method, such as `GET`; every token of RFC 9110 is one.
    pub fn method(&self) -> &Method {
        &self.0.parts.method
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: Method) {
        self.0.parts.method = method;
    }

    /// The URI as it was sent or set; [`url`](Environ::url) is the whole URL.
    pub fn uri(&self) -> &Uri {
        &self.0.parts.uri
    }

    /// The protocol version of the request.
    pub fn version(&self) -> Version {
        self.0.parts.version
    }

    /// The request headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.parts.headers
    }

    /// The request headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.parts.headers
    }

    /// Typed values that middleware hands to what it wraps.
    pub fn extensions(&self) -> &Extensions {
        &self.0.parts.extensions
    }

    /// Typed values that middleware hands to what it wraps, to be changed.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.0.parts.extensions
    }

    /// The value of type `T` that a middleware has put into [`extensions_mut`](Environ::extensions_mut).
    ///
    /// # Errors
    ///
    /// "no T in environ: is the middleware that provides it wrapped around this application?"
    pub fn extension<T: Send + Sync + 'static>(&self) -> Result<&T> {
        self.extensions().get().ok_or_else(|| Fault::MissingExtension(type_name::<T>()).into())
    }

    /// SCRIPT_NAME: the part of the path that leads to the application, decoded; "" at the root.
    pub fn script_name(&self) -> Cow<'_, str> {
        path::lossy(path::decode(&self.raw_path()[..self.0.beyond.mounted]))
    }

    /// PATH_INFO: the rest of the path, decoded once; what is not UTF-8 is replaced by U+FFFD.
    ///
    /// "" where the URL is that of the mount point without a slash, `*` for `OPTIONS *`.
    pub fn path_info(&self) -> Cow<'_, str> {
        path::lossy(self.path_info_bytes())
    }

    /// PATH_INFO, decoded once, exact.
    pub fn path_info_bytes(&self) -> Cow<'_, [u8]> {
        path::decode(self.raw_path_info())
    }

    /// The path as it was sent, with the mount prefix and with its percent-encoding.
    ///
    /// Where a front end hides it, or a setter changed the path, it is encoded anew.
    pub fn raw_path(&self) -> &str {
        self.0.parts.uri.path()
    }

    /// Sets SCRIPT_NAME and PATH_INFO, decoded, as a front end gives them.
    ///
    /// Where the raw path agrees with them it is kept, so that `%2F` survives; else it is encoded anew.
    ///
    /// # Errors
    ///
    /// With status 414 for a path that no URI can hold (65,534 bytes, encoded), and with 400 for a SCRIPT_NAME or
    /// PATH_INFO that neither is empty nor begins with a slash (PEP 3333, "environ Variables").
    pub fn set_path(&mut self, script_name: &[u8], path_info: &[u8]) -> Result<()> {
        let malformed = |what: &str| Err(Fault::Malformed(what.to_owned()).into());
        if !(script_name.is_empty() || script_name.starts_with(b"/")) {
            return malformed("SCRIPT_NAME does not begin with a slash");
        }
        if !(path_info.is_empty() || path_info.starts_with(b"/") || (path_info == b"*" && script_name.is_empty())) {
            return malformed("PATH_INFO does not begin with a slash");
        }
        if let Some(mounted) = path::split_agrees(self.raw_path(), script_name, path_info) {
            self.0.beyond.mounted = mounted;
            return Ok(());
        }
        self.set_raw(&path::encode(script_name), &path::encode(path_info))
    }

    /// Makes the prefix SCRIPT_NAME, decoded, where the path is below it: `/foox` is not below `/foo`. Returns whether it is.
    pub(crate) fn mount_at(&mut self, prefix: &str) -> bool {
        let path = self.path_info_bytes().into_owned();
        let below = path.strip_prefix(prefix.as_bytes()).filter(|rest| rest.is_empty() || rest[0] == b'/');
        below.is_some_and(|rest| self.set_path(prefix.as_bytes(), rest).is_ok())
    }

    /// Moves the first segment of PATH_INFO to SCRIPT_NAME and returns it, decoded; `None` when there is none.
    ///
    /// Empty and `.` segments are dropped, `..` goes back, as `wsgiref.util.shift_path_info` does. A `%2F` is part of
    /// its segment.
    pub fn shift_path_info(&mut self) -> Option<String> {
        let (script_name, path_info) = self.raw_parts();
        let shifted = path::shift(script_name, path_info)?;
        // It never fails: the path is no longer than the one that it is made from.
        self.set_raw(&shifted.script_name, &shifted.path_info).ok()?;
        shifted.name
    }

    /// QUERY_STRING: what follows the `?`, as it was sent; "" where there is none.
    pub fn query_string(&self) -> &str {
        self.0.parts.uri.query().unwrap_or("")
    }

    /// Replaces the query string, encoded, without the `?`; "" removes it.
    ///
    /// # Errors
    ///
    /// With status 400 for a character that a query cannot have, 414 for one that is too long.
    pub fn set_query_string(&mut self, query: &str) -> Result<()> {
        self.0.parts.uri = path::with_query(self.uri(), query)?;
        Ok(())
    }

    /// CONTENT_TYPE, from the header alone.
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.headers().get(CONTENT_TYPE)
    }

    /// CONTENT_LENGTH, from the header alone, in bytes; `None` where there is none or it is not a number.
    pub fn content_length(&self) -> Option<u64> {
        crate::head::decimal(self.headers().get(CONTENT_LENGTH)?.as_bytes())
    }

    /// SERVER_NAME: the name or address of the server; it is never empty and does not depend on the Host header.
    pub fn server_name(&self) -> &str {
        self.surroundings().server_name.as_deref().unwrap_or("localhost")
    }

    /// SERVER_PORT: the port of the server.
    pub fn server_port(&self) -> u16 {
        self.surroundings().server_port
    }

    /// Sets SERVER_NAME and SERVER_PORT; an empty name is replaced by `localhost`.
    pub fn set_server(&mut self, name: impl Into<Arc<str>>, port: u16) {
        self.surroundings_mut().set_server(name.into(), port);
    }

    /// SERVER_PROTOCOL: the protocol of the request, such as `HTTP/1.1`.
    pub fn server_protocol(&self) -> &str {
        match self.version() {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }
    }

    /// The scheme of the URL, `http` or `https`.
    pub fn url_scheme(&self) -> &Scheme {
        &self.surroundings().scheme
    }

    /// Sets the scheme of the URL.
    pub fn set_url_scheme(&mut self, scheme: Scheme) {
        self.surroundings_mut().scheme = scheme;
    }

    /// The address of the client, where it has one; a client on a unix socket has none.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.surroundings().remote_addr
    }

    /// Sets the address of the client.
    pub fn set_remote_addr(&mut self, address: Option<SocketAddr>) {
        self.surroundings_mut().remote_addr = address;
    }

    /// Whether another thread may call the application at the same time.
    pub fn multithread(&self) -> bool {
        self.surroundings().multithread
    }

    /// Whether another process may run the same application.
    pub fn multiprocess(&self) -> bool {
        self.surroundings().multiprocess
    }

    /// Whether the process expects to serve this request alone, as under CGI.
    pub fn run_once(&self) -> bool {
        self.surroundings().run_once
    }

    /// Sets what [`multithread`](Environ::multithread), [`multiprocess`](Environ::multiprocess) and
    /// [`run_once`](Environ::run_once) say; for gateways.
    pub fn set_concurrency(&mut self, multithread: bool, multiprocess: bool, run_once: bool) {
        let surroundings = self.surroundings_mut();
        (surroundings.multithread, surroundings.multiprocess) = (multithread, multiprocess);
        surroundings.run_once = run_once;
    }

    /// The URL of the request, rebuilt as PEP 3333's section "URL Reconstruction" says.
    ///
    /// The Host header wins over SERVER_NAME and SERVER_PORT.
    pub fn url(&self) -> String {
        let mut url = self.authority();
        match self.raw_path() {
            "" => url.push('/'),
            // `OPTIONS *` asks about the server as a whole (RFC 9110, section 9.3.7), which has no path.
            "*" => {}
            path => url.push_str(path),
        }
        if !self.query_string().is_empty() {
            url.push('?');
            url.push_str(self.query_string());
        }
        url
    }

    /// The URL of the application itself: up to and with SCRIPT_NAME.
    pub fn application_url(&self) -> String {
        let mut url = self.authority();
        let script_name = &self.raw_path()[..self.0.beyond.mounted];
        url.push_str(if script_name.is_empty() { "/" } else { script_name });
        url
    }

    fn authority(&self) -> String {
        let scheme = self.url_scheme();
        let host = self.headers().get(HOST).filter(|host| !host.is_empty());
        if let Some(host) = host {
            return format!("{scheme}://{}", String::from_utf8_lossy(host.as_bytes()));
        }
        let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let name = match self.server_name() {
            // RFC 3986, section 3.2.2: an IPv6 address stands in brackets.
            name if name.contains(':') && !name.starts_with('[') => format!("[{name}]"),
            name => name.to_owned(),
        };
        match self.server_port() {
            port if port == default => format!("{scheme}://{name}"),
            port => format!("{scheme}://{name}:{port}"),
        }
    }

    /// The request body.
    pub fn input(&self) -> &Input {
        &self.0.input
    }

    /// The request body, to be read.
    pub fn input_mut(&mut self) -> &mut Input {
        &mut self.0.input
    }

    /// Takes the request body out, to read it elsewhere; an empty one stays.
    pub fn take_input(&mut self) -> Input {
        std::mem::take(&mut self.0.input)
    }

    /// Replaces the request body. The headers stay as they are.
    pub fn set_input(&mut self, input: impl Into<Input>) {
        self.0.input = input.into();
    }

    /// Where the application writes what is wrong: PEP 3333's wsgi.errors. Standard error, unless the gateway set
    /// another.
    pub fn errors(&self) -> Errors {
        self.surroundings().errors.clone()
    }

    /// Replaces the stream for errors; for gateways.
    pub fn set_errors(&mut self, errors: Errors) {
        self.surroundings_mut().errors = errors;
    }

    /// A second environ for a second call: everything but the input is copied.
    ///
    /// The input is one shared handle: what one reads, the other does not. Hooks of
    /// [`on_finished`](Environ::on_finished) stay with the request, which ends once.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        self.copy(self.0.input.share())
    }

    /// A second environ with a body of its own.
    pub(crate) fn copy(&self, input: Input) -> Self {
        let Inner { parts, beyond, record, .. } = &*self.0;
        let (parts, beyond, record) = (parts.clone(), beyond.clone(), record.clone());
        Self(Box::new(Inner { parts, beyond, input, record }))
    }

    /// Tells when the client has left or the request's deadline has passed.
    pub fn cancellation(&self) -> Cancellation {
        Cancellation::new(match &self.0.record {
            Some(record) => Arc::clone(record),
            // Of an environ that no exchange runs: never cancelled.
            None => Record::new(State::Unused),
        })
    }

    /// Calls `f` once when the request has ended, however it did: after the body was closed, the last hook first.
    ///
    /// It runs where it may block, never on a reactor, and cannot change the response any more. On an environ that no
    /// gateway made it is kept and runs once an [`Exchange`](crate::Exchange) runs the environ.
    pub fn on_finished(&mut self, f: impl FnOnce(&Outcome) + Send + 'static) {
        self.record().on_finished(Box::new(f));
    }

    /// What this environ shares with the exchange that runs it, where there is something already.
    fn record(&mut self) -> &Arc<Record> {
        self.0.record.get_or_insert_with(|| Record::new(State::Unused))
    }

    /// The record for an exchange that begins: that of the environ, unless another exchange has it already, as with a
    /// duplicate of an environ that is running.
    pub(crate) fn begin(&mut self) -> Arc<Record> {
        let record = match self.0.record.take() {
            Some(record) if record.begin() => record,
            _ => Record::new(State::Waiting),
        };
        self.0.input.watch(&record);
        self.0.record = Some(Arc::clone(&record));
        record
    }
}

impl<B: Into<Input>> From<http::Request<B>> for Environ {
    /// The request as an environ. What is not in it has these values: server `localhost`, port 80 or 443, no client
    /// address, threads yes, processes no; a target with an authority gives the scheme.
    fn from(request: http::Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        Self::new(parts, body.into())
    }
}

impl fmt::Debug for Environ {
    /// The request without the secrets that it carries: Authorization, Proxy-Authorization and Cookie are masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut headers = self.headers().clone();
        for name in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
            if headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static("(masked)"));
            }
        }
        f.debug_struct("Environ")
            .field("method", self.method())
            .field("script_name", &self.script_name())
            .field("path_info", &self.path_info())
            .field("query_string", &self.query_string())
            .field("server_protocol", &self.server_protocol())
            .field("headers", &headers)
            .field("remote_addr", &self.remote_addr())
            .finish_non_exhaustive()
    }
}
