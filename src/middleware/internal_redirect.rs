//! `internal_redirect`: an application says which other path is to answer in its place.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use super::later::later;
use crate::application::App;
use crate::capture::capture;
use crate::environ::Environ;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::input::Input;
use crate::start_response::StartResponse;

/// The path that is to answer in place of the response that has this among its head's extensions.
///
/// It is a value and no header, so neither a client nor a server behind the application can send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalRedirect {
    target: PathAndQuery,
}

impl InternalRedirect {
    /// To a path with its percent-encoding and, where it has one, a query: `/private/report.pdf?page=2`.
    ///
    /// It is below the SCRIPT_NAME that the [`internal_redirect`] sees: that middleware's application is its root.
    ///
    /// # Errors
    ///
    /// For what does not begin with a slash, or has a character that a path cannot have.
    pub fn to(target: &str) -> Result<Self> {
        let malformed = || Error::from(format!("an internal redirect to {target:?}, which is no path"));
        if !target.starts_with('/') || target.contains('#') {
            return Err(malformed());
        }
        match PathAndQuery::try_from(target) {
            Ok(target) => Ok(Self { target }),
            Err(_) => Err(malformed()),
        }
    }

    /// The head of a response that is nothing but this.
    pub fn into_head(self) -> Head {
        let mut head = Head::new(200);
        head.extensions_mut().insert(self);
        head
    }
}

/// Calls the application again, with another path, when it answers with an [`InternalRedirect`].
///
/// The client sees only the last response: of the ones before it neither head nor body is sent, and their bodies are
/// closed before the next call. That call is a GET (or HEAD, where the request was one) of the new path with the same
/// headers and extensions, but without a body: what the first call has not read of the input stays unread. The variable
/// `REDIRECT_URL` is the path that was asked for at first.
///
/// After `hops` redirects of one request the next is an error, a 500: a loop ends. Each request costs a copy of its head,
/// so wrap only what uses it.
///
/// ```
/// use vestibule::middleware::{InternalRedirect, internal_redirect};
/// use vestibule::{Body, app_fn, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| match &*environ.path_info() {
///     "/download" => {
///         start_response.send(InternalRedirect::to("/private/tea.txt")?.into_head())?;
///         Ok(Body::empty())
///     }
///     path => {
///         start_response.start(200, [("content-type", "text/plain")])?;
///         Ok(format!("this is {path}").into())
///     }
/// });
/// let server = TestServer::new(app.wrap(internal_redirect(3)));
/// assert_eq!(server.get("/download").send().text(), "this is /private/tea.txt");
/// ```
pub fn internal_redirect(hops: usize) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    move |inner| App::around(inner, move |inner, environ, start_response| call(inner, environ, start_response, hops))
}

fn call(inner: &App, environ: Environ, start_response: StartResponse, hops: usize) -> Result {
    let next = environ.copy(Input::empty());
    let app = inner.clone();
    capture(inner, environ, start_response, move |response, start_response| {
        let (head, body) = response?;
        let Some(InternalRedirect { target }) = head.extension().cloned() else {
            start_response.send(head)?;
            return Ok(body);
        };
        Ok(later(app.may_block() || body.drop_may_block(), move || {
            drop(body);
            match hops.checked_sub(1) {
                Some(hops) => call(&app, redirected(next, &target)?, start_response, hops),
                None => Err(format!("too many internal redirects; the last was to {target}").into()),
            }
        }))
    })
}

fn redirected(mut environ: Environ, target: &PathAndQuery) -> Result<Environ> {
    if environ.var("REDIRECT_URL").is_none() {
        let asked = environ.raw_path().to_owned();
        environ.set_var("REDIRECT_URL", asked)?;
    }
    let script_name = environ.raw_parts().0.to_owned();
    environ.set_raw(&script_name, target.path())?;
    environ.set_query_string(target.query().unwrap_or_default())?;
    as_get(&mut environ);
    Ok(environ)
}

/// Makes a request that has no body.
pub(super) fn as_get(environ: &mut Environ) {
    if environ.method() != Method::HEAD {
        environ.set_method(Method::GET);
    }
    let headers: &mut HeaderMap = environ.headers_mut();
    for name in [CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}
