//! `Fn(Environ, StartResponse) -> Result<Body>`: a web application. This crate is the interface between such
//! functions and web servers, modelled on Python's WSGI ([PEP 3333]).
//!
//! An application is written once, blocking or async, and runs unchanged wherever there is a gateway: over HTTP, and
//! in memory in a test. Middleware is any function from application to application.
//!
//! This is not a web framework, though frameworks can stand on it: there is a router, there are static files and the
//! middleware that every site has, all of them applications and functions; there is no template, no form, no session and
//! no cookie jar. It is not an HTTP parser either: bytes are [hyper](https://hyper.rs)'s business, and
//! types are those of the crate `http`.
//!
//! [PEP 3333]: https://peps.python.org/pep-3333/
//!
//! # Hello
//!
//! ```no_run
//! use vestibule::{Environ, Result, StartResponse};
//!
//! fn hello(_environ: Environ, start_response: StartResponse) -> Result {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok("Hello, world!\n".into())
//! }
//!
//! fn main() -> Result<()> {
//!     vestibule::run(hello)
//! }
//! ```
//!
//! [`Environ`] is the request, [`StartResponse`] starts the response and [`Body`] is what follows. [`run`] serves it at
//! `127.0.0.1:8000`, or where the command line says.
//!
//! # Middleware
//!
//! An [`App`] is an application as a value. Middleware takes one and gives one:
//!
//! ```
//! # use vestibule::{App, app_fn};
//! fn logged(inner: App) -> App {
//!     app_fn(move |environ, start_response| {
//!         let line = format!("{} {}", environ.method(), environ.path_info());
//!         inner.call(environ, start_response.on_head(move |head| eprintln!("{line} {}", head.status)))
//!     })
//! }
//! # let hello = app_fn(|_, start_response| { start_response.start(200, ())?; Ok("".into()) });
//! # vestibule::testing::TestServer::new(hello.wrap(logged)).get("/").send();
//! ```
//!
//! [`App::wrap`] applies it: `App::new(hello).wrap(logged)`. The last one wrapped is outermost.
//!
//! # Factories
//!
//! Middleware with settings is a function that returns middleware. [`middleware`] has combinators for the common kinds:
//!
//! ```
//! # use vestibule::{App, HeaderName, HeaderValue, app_fn, middleware};
//! fn header(name: HeaderName, value: HeaderValue) -> impl Fn(App) -> App {
//!     middleware::map_head(move |head| {
//!         head.headers.insert(name.clone(), value.clone());
//!     })
//! }
//! # let app = app_fn(|_, start_response| { start_response.start(200, ())?; Ok("".into()) });
//! # let app = app.wrap(header(vestibule::header::SERVER, HeaderValue::from_static("tea")));
//! # assert_eq!(vestibule::testing::TestServer::new(app).get("/").send().header("server"), Some("tea"));
//! ```
//!
//! Both are ordinary values, so a stack of middleware can lie in a `Vec`. [`capture`] replaces whole responses.
//!
//! # What is ready made
//!
//! [`middleware`] has what most sites put around an application, from the access log to compression, and [`apps`] has
//! applications that are ready or pick another one: a router, files, a cascade. [The guide](guide::middleware) has them
//! all in a table, beside what they are called in Plack, Rack, werkzeug, Ring and tower-http.
//!
//! ```
//! # #[cfg(all(feature = "router", feature = "gzip"))]
//! # fn main() -> vestibule::Result<()> {
//! # use vestibule::{Environ, Result, StartResponse};
//! use std::time::Duration;
//! use vestibule::apps::{Params, routes};
//! use vestibule::middleware::{self, AccessLog, Compression};
//!
//! fn user(environ: Environ, start_response: StartResponse) -> Result {
//!     let id: u32 = Params::of(&environ).get("id")?;
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(format!("user {id}\n").into())
//! }
//!
//! let app = routes().get("/users/{id}", user).into_app()?
//!     .wrap(middleware::compression(Compression::new()))
//!     .wrap(middleware::timeout(Duration::from_secs(30)))
//!     .wrap(middleware::access_log(AccessLog::combined()));
//! # assert_eq!(vestibule::testing::TestServer::new(app).get("/users/7").send().text(), "user 7\n");
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "router", feature = "gzip")))]
//! # fn main() {}
//! ```
//!
//! # Streaming
//!
//! A body is made of text, bytes, a file, an iterator, a stream or a channel. Each block is sent before the next is
//! asked for.
//!
//! ```
//! # use vestibule::{Body, Environ, Result, StartResponse};
//! fn countdown(_environ: Environ, start_response: StartResponse) -> Result {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(Body::iter((1..=3).rev().map(|n| format!("{n}\n"))))
//! }
//! # assert_eq!(vestibule::testing::TestServer::new(countdown).get("/").send().chunks().len(), 3);
//! ```
//!
//! # Async
//!
//! There is no second trait. An async application starts its response when its body is first polled; [`async_fn`]
//! makes one.
//!
//! ```
//! # use vestibule::{App, Environ, Result, async_fn};
//! # async fn find(environ: &Environ) -> Result<String> { Ok(environ.query_string().to_owned()) }
//! let user: App = async_fn(|environ, start_response| async move {
//!     let user = find(&environ).await?;
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(user.into())
//! });
//! # assert_eq!(vestibule::testing::TestServer::new(user).get("/?7").send().text(), "7");
//! ```
//!
//! # Tests
//!
//! [`testing::TestServer`] calls an application without a socket, through the same state machine as every gateway, with
//! [`lint`](mod@lint) around it.
//!
//! ```
//! # use vestibule::{Environ, Result, StartResponse, testing::TestServer};
//! # fn hello(_environ: Environ, start_response: StartResponse) -> Result {
//! #     start_response.start(200, [("content-type", "text/plain")])?;
//! #     Ok("Hello, world!\n".into())
//! # }
//! let response = TestServer::new(hello).get("/").send();
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.header("content-length"), Some("14"));
//! assert_eq!(response.text(), "Hello, world!\n");
//! ```
//!
//! # Where it runs
//!
//! | gateway | feature | |
//! |---|---|---|
//! | in memory: [`testing::TestServer`] | always | |
//! | HTTP/1.1 and HTTP/2: [`run`], `serve`, `adapters::http` | `http`, on by default | TCP and unix sockets |
//! | a service in tower, axum or hyper; and the other way round: `adapters::tower` | `tower` | [the guide](guide::tower) |
//! | FastCGI, SCGI, uwsgi, CGI, behind NGINX, Apache, lighttpd, HAProxy: [`run`], `adapters` | `fastcgi`, `scgi`, `uwsgi`, `cgi` | [the guide](guide::gateways) |
//! | Python | | not yet |
//! | your own: [`Exchange`] | always | with a [conformance suite](testing::conformance) |
//!
//! The HTTP server has [limits](guide::limits) on sizes, counts and times, calls blocking applications on a pool of
//! threads, and [stops](guide::serving) without losing a request that it has accepted.
//!
//! # Features
//!
//! A feature adds items and never changes behaviour.
//!
//! - **`http`** (default): HTTP/1.1 and HTTP/2 by hyper and tokio, and the test server over a real socket.
//! - **`fastcgi`**, **`scgi`**, **`uwsgi`**, **`cgi`**: the protocols by which web servers ask and start applications, in
//!   `adapters`; and their codecs, in `wire`, for authors of adapters.
//! - **`tower`**: an application as a service of tower, and a service, such as a router of axum, as an application.
//! - **`middleware`**: all middleware and endpoints that need a crate of their own, each by a feature too: `basic-auth`,
//!   `brotli`, `conditional`, `files`, `gzip`, `metrics`, `router`, `tracing`, `trusted-proxies`, `zstd`. The others are
//!   always there.
//! - **`full`**: everything.
//!
//! Without features the crate needs `http`, `bytes`, `futures` and `thiserror`, and no runtime.
//!
//! # What it does not do yet
//!
//! - Python's WSGI, as server and as application.
//! - TLS: put the HTTP server behind a proxy.
//! - WebSocket and other upgrades: [`StartResponse::upgrade`] is a reserved name.
//! - Windows: the HTTP server needs unix; only Linux is tested.
//!
//! # Oldest Rust
//!
//! Rust 1.85 builds the crate. A newer one is asked for only in a minor release, and is at least six months old then.
//!
//! # More
//!
//! - [The guide](guide): one idea a page, from the first application to an adapter of one's own.
//! - [The specification](guide::spec): the rules, numbered, and how they differ from PEP 3333.
//! - [The design](guide::design): why it is as it is.
//! - [Compiler messages](guide::compiler_messages): what they mean here, and the cure.
#![forbid(unsafe_code)]

#[cfg(any(feature = "files", feature = "gzip", feature = "brotli", feature = "zstd"))]
mod accept_encoding;
mod application;
mod body;
mod capture;
#[cfg(any(feature = "conditional", feature = "files", feature = "gzip", feature = "brotli", feature = "zstd"))]
mod entity_tag;
mod environ;
mod error;
mod exchange;
mod head;
mod input;
mod lifecycle;
mod run;
#[cfg(any(
    feature = "http",
    feature = "tower",
    feature = "cgi",
    feature = "fastcgi",
    feature = "scgi",
    feature = "uwsgi"
))]
mod server;
mod start_response;
mod waiting;

pub mod adapters;
pub mod apps;
#[cfg(all(doc, any(feature = "full", not(doctest))))]
pub mod guide;
pub mod lint;
pub mod middleware;
pub mod testing;
#[cfg(any(feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub mod wire;

// The public interface is:
#[cfg(feature = "http")]
pub use adapters::http::serve;
pub use application::{App, Application, app_fn, async_fn, async_handler_fn, handler_fn};
pub use body::{Blocks, Body, Sender};
pub use capture::capture;
pub use environ::{Environ, Errors};
pub use error::{Error, Result};
pub use exchange::{Aborted, CommittedHead, Exchange, HangUp, Step};
pub use head::{Head, IntoHeaders};
pub use input::Input;
pub use lifecycle::{Cancellation, End, Outcome};
pub use run::run;
#[cfg(any(feature = "http", feature = "tower", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub use server::Execution;
pub use start_response::{StartResponse, Upgraded};

pub use {bytes, http};
#[doc(no_inline)]
pub use {
    bytes::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};

/// The examples of the README are tests.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../README.md")]
mod readme {}
