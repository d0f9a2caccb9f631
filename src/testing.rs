//! Testing without a socket: [`TestServer`], and the [conformance suite](conformance).
//!
//! The test server runs the same [`Exchange`](crate::Exchange) as every gateway, with [`lint`](crate::lint) around the
//! application, so what passes here behaves the same behind a real server. One switch,
//! `TestServer::http`, runs the same test over a loopback socket.

pub mod conformance;

mod client;
#[cfg(feature = "http")]
mod loopback;
mod memory;
mod response;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Method, Version};

pub use client::TestRequest;
pub use memory::TestStream;
pub use response::TestResponse;

use crate::application::{App, Application};

/// Serves an application in memory, for tests: no socket, no thread, no runtime.
///
/// [`lint`](crate::lint) is wrapped around the application, and [`send`](TestRequest::send) panics on what it finds,
/// naming the layer and the fault. An `Err` or a panic of the application is a 500 with the text in
/// [`errors()`](TestResponse::errors), as on a server.
///
/// What a server refuses before any application sees it, such as a path with `%zz`, is refused over a socket only: in
/// memory there is no server to do so.
///
/// The server can be shared by threads; a clone is another handle of it, with the same cookies.
///
/// ```
/// use vestibule::{app_fn, testing::TestServer};
///
/// let server = TestServer::new(app_fn(|mut environ, start_response| {
///     let name = environ.input_mut().read_text(100)?;
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(format!("hello, {name}").into())
/// }));
/// let response = server.post("/").header("x-trace", "7").body("you").send();
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.header("content-length"), Some("10"));
/// assert_eq!(response.text(), "hello, you");
/// assert!(response.is_complete());
/// ```
#[derive(Clone)]
pub struct TestServer(Arc<Inner>);

struct Inner {
    app: App,
    transport: Transport,
    lint: bool,
    mount: String,
    cookies: Option<Mutex<Vec<(String, String)>>>,
}

#[derive(Clone)]
enum Transport {
    Memory,
    #[cfg(feature = "http")]
    Http(Arc<loopback::Loopback>),
}

impl TestServer {
    /// A test server in memory.
    pub fn new(application: impl Application) -> Self {
        Self::over(App::new(application), Transport::Memory)
    }

    /// A test server over HTTP/1.1 on a loopback socket: the same tests, with a real server and client.
    ///
    /// What only memory can do, such as another address of the client, panics here and says so.
    ///
    /// # Panics
    ///
    /// When no loopback socket can be had.
    #[cfg(feature = "http")]
    pub fn http(application: impl Application) -> Self {
        let app = App::new(application);
        let transport = Transport::Http(loopback::Loopback::start(app.may_block()));
        Self::over(app, transport)
    }

    fn over(app: App, transport: Transport) -> Self {
        Self::of(Inner { app, transport, lint: true, mount: String::new(), cookies: None })
    }

    fn of(inner: Inner) -> Self {
        let server = Self(Arc::new(inner));
        match &server.0.transport {
            Transport::Memory => {}
            #[cfg(feature = "http")]
            Transport::Http(loopback) => server.announce(loopback),
        }
        server
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let inner = &self.0;
        let mut changed = Inner {
            app: inner.app.clone(),
            transport: inner.transport.clone(),
            lint: inner.lint,
            mount: inner.mount.clone(),
            cookies: inner.cookies.as_ref().map(|_| Mutex::default()),
        };
        change(&mut changed);
        Self::of(changed)
    }

    /// The server without lint around the application.
    #[must_use]
    pub fn without_lint(self) -> Self {
        self.with(|inner| inner.lint = false)
    }

    /// The server with the application mounted at a prefix, such as `/mnt`: targets are relative to it.
    ///
    /// `get("/x")` then asks for `/mnt/x`, with SCRIPT_NAME `/mnt` and PATH_INFO `/x`; `get("")` asks for `/mnt`.
    ///
    /// # Panics
    ///
    /// For a prefix that does not begin with a slash, ends with one, or has a character that a path does not have as
    /// it is.
    #[must_use]
    #[track_caller]
    pub fn mounted_at(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
        let is_prefix = prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/'));
        assert!(is_prefix && prefix.bytes().all(is_plain), "mounted_at: {prefix:?} is no prefix such as \"/mnt\"");
        self.with(|inner| inner.mount = prefix)
    }

    /// The server with cookies: what `Set-Cookie` sets is sent with the requests that follow.
    ///
    /// Names and values only: no paths, domains or dates, but an empty value or `Max-Age=0` removes one.
    ///
    /// ```
    /// use vestibule::{app_fn, testing::TestServer};
    ///
    /// let app = app_fn(|environ, start_response| {
    ///     let seen = environ.headers().contains_key("cookie");
    ///     start_response.start(200, [("set-cookie", "id=7; HttpOnly")])?;
    ///     Ok(if seen { "welcome back" } else { "welcome" }.into())
    /// });
    /// let server = TestServer::new(app).with_cookies();
    /// assert_eq!(server.get("/").send().text(), "welcome");
    /// assert_eq!(server.get("/").send().text(), "welcome back");
    /// ```
    #[must_use]
    pub fn with_cookies(self) -> Self {
        self.with(|inner| inner.cookies = Some(Mutex::default()))
    }

    /// A GET request.
    pub fn get(&self, target: impl AsRef<str>) -> TestRequest {
        self.request(Method::GET, target)
    }

    /// A HEAD request.
    pub fn head(&self, target: impl AsRef<str>) -> TestRequest {
        self.request(Method::HEAD, target)
    }

    /// A POST request.
    pub fn post(&self, target: impl AsRef<str>) -> TestRequest {
        self.request(Method::POST, target)
    }

    /// A PUT request.
    pub fn put(&self, target: impl AsRef<str>) -> TestRequest {
        self.request(Method::PUT, target)
    }

    /// A DELETE request.
    pub fn delete(&self, target: impl AsRef<str>) -> TestRequest {
        self.request(Method::DELETE, target)
    }

    /// A request with any method, to a path and query such as `/search?q=tea`, encoded.
    ///
    /// # Panics
    ///
    /// For a method or a target that no request can have.
    #[track_caller]
    pub fn request<M>(&self, method: M, target: impl AsRef<str>) -> TestRequest
    where
        Method: TryFrom<M>,
        <Method as TryFrom<M>>::Error: Into<http::Error>,
    {
        TestRequest::new(self.clone(), method, target.as_ref())
    }

    /// The address that the server listens on; `None` in memory.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0.transport {
            Transport::Memory => None,
            #[cfg(feature = "http")]
            Transport::Http(loopback) => Some(loopback.local_addr()),
        }
    }

    /// The application as it is served: linted, unless that is off.
    fn served(&self) -> App {
        match self.0.lint {
            true => self.0.app.clone().wrap(crate::lint::lint("the application")),
            false => self.0.app.clone(),
        }
    }

    /// The Cookie header for the next request, where cookies are kept.
    fn cookie_header(&self) -> Option<String> {
        let cookies = self.0.cookies.as_ref()?.lock().ok()?;
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep_cookies(&self, response: &TestResponse) {
        let Some(Ok(mut cookies)) = self.0.cookies.as_ref().map(Mutex::lock) else { return };
        for set in response.headers().get_all(http::header::SET_COOKIE) {
            let set = String::from_utf8_lossy(set.as_bytes()).into_owned();
            let mut parts = set.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            cookies.retain(|(other, _)| other != name);
            let removed = value.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
            if !removed {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// A test may catch the panic of a request; the server is as before then.
impl std::panic::UnwindSafe for TestServer {}
impl std::panic::RefUnwindSafe for TestServer {}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("app", &self.0.app)
            .field("address", &self.local_addr())
            .finish_non_exhaustive()
    }
}

/// The version that test requests have, unless told otherwise.
const VERSION: Version = Version::HTTP_11;
