//! Middleware: functions from application to application, and the combinators that make them.
//!
//! A middleware is any `Fn(App) -> App`. It can be named, stored in a `Vec`, returned from a factory and folded. The
//! factories here take plain functions and return one; [`App::wrap`] applies it. None of them touches a body but by
//! [`Body::map_chunks`], [`Body::transform`](crate::Body::transform) or [`capture`], which keep
//! its mode, so a stack of them streams whatever streams inside.
//!
//! ```
//! use http::header::{HeaderName, HeaderValue, SERVER};
//! use vestibule::{App, app_fn, middleware, testing::TestServer};
//!
//! fn header(name: HeaderName, value: HeaderValue) -> impl Fn(App) -> App {
//!     middleware::map_head(move |head| {
//!         head.headers.insert(name.clone(), value.clone());
//!     })
//! }
//!
//! let app = app_fn(|_, start_response| {
//!     start_response.start(200, ())?;
//!     Ok("hello".into())
//! });
//! let app = app.wrap(header(SERVER, HeaderValue::from_static("vestibule")));
//! assert_eq!(TestServer::new(app).get("/").send().header("server"), Some("vestibule"));
//! ```

mod access_log;
mod body_limit;
mod concurrency_limit;
mod error_documents;
mod internal_redirect;
mod later;
#[cfg(feature = "metrics")]
mod metrics;
mod timeout;
mod timer;
#[cfg(feature = "tracing")]
mod trace;
#[cfg(feature = "trusted-proxies")]
mod trusted_proxies;
mod user;

use std::sync::Arc;

pub use access_log::{AccessLog, access_log};
pub use body_limit::body_limit;
pub use concurrency_limit::concurrency_limit;
pub use error_documents::{ErrorDocuments, error_documents};
pub use internal_redirect::{InternalRedirect, internal_redirect};
#[cfg(feature = "metrics")]
pub use metrics::metrics;
pub use timeout::timeout;
#[cfg(feature = "tracing")]
pub use trace::trace;
#[cfg(feature = "trusted-proxies")]
pub use trusted_proxies::{TrustedProxies, trusted_proxies};
pub use user::User;

use crate::application::App;
use crate::body::Body;
use crate::capture::capture;
use crate::environ::Environ;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::start_response::SharedHook;

/// Changes each request before the application sees it.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     start_response.start(200, ())?;
///     Ok(environ.method().to_string().into())
/// });
/// let app = app.wrap(middleware::map_environ(|environ| environ.set_method(http::Method::PUT)));
/// assert_eq!(TestServer::new(app).get("/").send().text(), "PUT");
/// ```
pub fn map_environ(
    f: impl Fn(&mut Environ) + Send + Sync + 'static,
) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let f = Arc::new(f);
    move |inner| {
        let f = Arc::clone(&f);
        App::around(inner, move |inner, mut environ, start_response| {
            f(&mut environ);
            inner.call(environ, start_response)
        })
    }
}

/// Changes each head when it is committed, also that of a response that the gateway makes for an error.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, _| Err("broken".into()));
/// let app = app.wrap(middleware::map_head(|head| {
///     head.headers.insert("x-frame-options", http::HeaderValue::from_static("DENY"));
/// }));
/// let response = TestServer::new(app).get("/").send();
/// assert_eq!((response.status().as_u16(), response.header("x-frame-options")), (500, Some("DENY")));
/// ```
pub fn map_head(f: impl Fn(&mut Head) + Send + Sync + 'static) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let f: SharedHook = Arc::new(f);
    move |inner| {
        let f = Arc::clone(&f);
        App::around(inner, move |inner, environ, start_response| inner.call(environ, start_response.on_head_shared(&f)))
    }
}

/// Changes each body that the application returns, by [`Body::map_chunks`] and its sisters.
///
/// The head may have been started already; a change of the length of the body must be one that the head does not
/// declare. To change both, use [`map_response`].
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("quiet".into())
/// });
/// let app = app.wrap(middleware::map_body(|body| body.map_chunks(|block| block.to_ascii_uppercase().into())));
/// assert_eq!(TestServer::new(app).get("/").send().text(), "QUIET");
/// ```
pub fn map_body(
    f: impl Fn(Body) -> Body + Send + Sync + 'static,
) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let f = Arc::new(f);
    move |inner| {
        let f = Arc::clone(&f);
        App::around(inner, move |inner, environ, start_response| Ok(f(inner.call(environ, start_response)?)))
    }
}

/// Changes whole responses: `f` sees the request and returns the function that changes its response.
///
/// That function gets the head and the body when the head would be committed; errors pass by. It is [`capture`]
/// in its everyday form.
///
/// ```
/// use vestibule::{Body, app_fn, middleware, testing::TestServer};
///
/// let not_found_page = middleware::map_response(|environ| {
///     let path = environ.raw_path().to_owned();
///     move |head, body| match head.status.as_u16() {
///         404 => Ok((head, Body::from(format!("there is no {path}\n")))),
///         _ => Ok((head, body)),
///     }
/// });
/// let app = app_fn(|_, start_response| {
///     start_response.start(404, ())?;
///     Ok(Body::empty())
/// });
/// assert_eq!(TestServer::new(app.wrap(not_found_page)).get("/x").send().text(), "there is no /x\n");
/// ```
pub fn map_response<F, G>(f: F) -> impl Fn(App) -> App + Clone + Send + Sync + 'static
where
    F: Fn(&mut Environ) -> G + Send + Sync + 'static,
    G: FnOnce(Head, Body) -> Result<(Head, Body)> + Send + 'static,
{
    let f = Arc::new(f);
    move |inner| {
        let f = Arc::clone(&f);
        App::around(inner, move |inner, mut environ, start_response| {
            let change = f(&mut environ);
            capture(inner, environ, start_response, move |response, start_response| {
                let (head, body) = response?;
                let (head, body) = change(head, body)?;
                start_response.send(head)?;
                Ok(body)
            })
        })
    }
}

/// Applies a middleware to those requests that the predicate picks; the others see the application bare.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let mark = middleware::map_head(|head| {
///     head.headers.insert("x-api", http::HeaderValue::from_static("1"));
/// });
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// let server = TestServer::new(app.wrap(middleware::only_if(|environ| environ.path_info().starts_with("/api/"),
/// mark))); assert_eq!(server.get("/api/x").send().header("x-api"), Some("1"));
/// assert_eq!(server.get("/").send().header("x-api"), None);
/// ```
pub fn only_if(
    predicate: impl Fn(&Environ) -> bool + Send + Sync + 'static,
    middleware: impl Fn(App) -> App + Send + Sync + 'static,
) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let shared = Arc::new((predicate, middleware));
    move |bare| {
        let shared = Arc::clone(&shared);
        let wrapped = (shared.1)(bare.clone());
        App::either(wrapped, bare, move |environ| (shared.0)(environ))
    }
}

/// Makes a page of every error and panic that comes before the head is committed.
///
/// `page` gets the error and returns the head and the body to send. An error after the commit aborts the connection,
/// as it does without this. The error is written to the environ's stream for errors, as the gateway would do.
///
/// ```
/// use vestibule::{Body, Head, StatusCode, app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, _| panic!("a bug"));
/// let app = app.wrap(middleware::recover(|error| {
///     let status = error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
///     (Head::new(status).header("content-type", "text/plain"), Body::from("Something broke. We were told.\n"))
/// }));
/// let response = TestServer::new(app).get("/").send();
/// assert_eq!((response.status().as_u16(), response.text().as_str()), (500, "Something broke. We were told.\n"));
/// assert!(response.errors().contains("a bug"));
/// ```
pub fn recover(
    page: impl Fn(&Error) -> (Head, Body) + Send + Sync + 'static,
) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let page = Arc::new(page);
    move |inner| {
        let page = Arc::clone(&page);
        App::around(inner, move |inner, environ, start_response| {
            let (page, errors) = (Arc::clone(&page), environ.errors());
            let line = format!("{} {}", environ.method(), crate::error::escaped(environ.raw_path()));
            capture(inner, environ, start_response, move |response, start_response| {
                let (head, body) = response.unwrap_or_else(|error| {
                    errors.line(format_args!("vestibule: {line}: recovered from: {}", error.one_line()));
                    page(&error)
                });
                start_response.send(head)?;
                Ok(body)
            })
        })
    }
}
