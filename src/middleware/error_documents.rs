//! `error_documents`: pages for errors, from functions and applications.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::asked::Asked;
use super::internal_redirect::as_get;
use super::later::later;
use crate::application::{App, Application};
use crate::body::Body;
use crate::capture::capture;
use crate::environ::Environ;
use crate::error::{Error, Fault, Result, catching};
use crate::head::Head;
use crate::input::Input;
use crate::start_response::StartResponse;

/// Which errors have which page: the table of [`error_documents`].
#[derive(Debug, Clone, Default)]
pub struct ErrorDocuments {
    pages: BTreeMap<StatusCode, Page>,
    others: Option<Page>,
}

#[derive(Clone)]
enum Page {
    Function { content_type: HeaderValue, make: Arc<dyn Fn(StatusCode) -> Body + Send + Sync> },
    App(App),
}

impl ErrorDocuments {
    /// A table without pages.
    pub fn new() -> Self {
        Self::default()
    }

    /// A page for one status, of a content type, made by a function. It must not block: use an application for what
    /// does.
    ///
    /// # Errors
    ///
    /// For a status that is not one of 400 to 599, and a content type that no header can have.
    pub fn page<S, B>(
        mut self,
        status: S,
        content_type: &str,
        make: impl Fn(StatusCode) -> B + Send + Sync + 'static,
    ) -> Result<Self>
    where
        StatusCode: TryFrom<S>,
        B: Into<Body>,
    {
        self.pages.insert(error_status(status)?, Page::function(content_type, make)?);
        Ok(self)
    }

    /// A page for one status that an application makes.
    ///
    /// It gets the request as a GET (or HEAD) without a body, without the headers that make a request conditional or ask
    /// for a part, and with the variable `REDIRECT_STATUS`, the status, as Apache has it. Its headers and its body are
    /// sent, its status is not. Where it answers with anything but 2xx, it has no page.
    ///
    /// # Errors
    ///
    /// For a status that is not one of 400 to 599.
    pub fn app<S>(mut self, status: S, app: impl Application) -> Result<Self>
    where
        StatusCode: TryFrom<S>,
    {
        self.pages.insert(error_status(status)?, Page::App(App::new(app)));
        Ok(self)
    }

    /// A page for all errors that have none of their own, made by a function.
    ///
    /// # Errors
    ///
    /// For a content type that no header can have.
    pub fn other_page<B: Into<Body>>(
        mut self,
        content_type: &str,
        make: impl Fn(StatusCode) -> B + Send + Sync + 'static,
    ) -> Result<Self> {
        self.others = Some(Page::function(content_type, make)?);
        Ok(self)
    }

    /// A page for all errors that have none of their own, made by an application.
    #[must_use]
    pub fn other_app(mut self, app: impl Application) -> Self {
        self.others = Some(Page::App(App::new(app)));
        self
    }

    fn find(&self, status: StatusCode) -> Option<&Page> {
        match is_error(status) {
            true => self.pages.get(&status).or(self.others.as_ref()),
            false => None,
        }
    }

    fn asks_apps(&self) -> bool {
        self.pages.values().chain(&self.others).any(|page| matches!(page, Page::App(_)))
    }
}

impl Page {
    fn function<B: Into<Body>>(
        content_type: &str,
        make: impl Fn(StatusCode) -> B + Send + Sync + 'static,
    ) -> Result<Self> {
        let content_type = HeaderValue::try_from(content_type)
            .map_err(|_| Fault::Gateway(format!("{content_type:?} is no content type of an error page")))?;
        Ok(Self::Function { content_type, make: Arc::new(move |status| make(status).into()) })
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function { content_type, .. } => write!(f, "Function({content_type:?})"),
            Self::App(app) => app.fmt(f),
        }
    }
}

fn error_status<S>(status: S) -> Result<StatusCode>
where
    StatusCode: TryFrom<S>,
{
    let shown = match StatusCode::try_from(status) {
        Ok(status) if is_error(status) => return Ok(status),
        Ok(status) => status.as_u16().to_string(),
        Err(_) => "what is no status".to_owned(),
    };
    Err(Fault::Gateway(format!("error_documents: a page for {shown}: errors have a status from 400 to 599")).into())
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Gives errors a page: those that the application returned or panicked with, and responses with a status from 400 to
/// 599 that have no body, or only the `NNN Reason` by which the gateway and the middleware of this crate answer.
///
/// A response that has another body is the application's own page and is left alone, as Apache's ErrorDocument leaves those of
/// programs behind it; Plack's ErrorDocument would replace it. An error that the table has no page for passes by.
///
/// The status stays, and so do the headers of the response, such as Allow, WWW-Authenticate and Retry-After, but for
/// those that describe a body; to them come those of the page. An `Err` and a panic have no headers, and what middleware
/// inside would have added at the commit is not there: put outside what every response needs, such as CORS. Where a page
/// cannot be made it is `NNN Reason` as plain text. Errors are written to the environ's stream for errors, as the gateway
/// would do.
///
/// ```
/// use vestibule::middleware::{ErrorDocuments, error_documents};
/// use vestibule::{Body, app_fn, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| match &*environ.path_info() {
///     "/broken" => Err("no disk".into()),
///     _ => {
///         start_response.start(405, [("allow", "GET")])?;
///         Ok(Body::empty())
///     }
/// });
/// let pages = ErrorDocuments::new()
///     .page(405, "text/html; charset=utf-8", |_status| "<h1>Not like this</h1>")?
///     .other_page("text/plain; charset=utf-8", |status| format!("Sorry: {status}\n"))?;
/// let server = TestServer::new(app.wrap(error_documents(pages)));
/// let response = server.get("/").send();
/// assert_eq!((response.header("allow"), response.text().as_str()), (Some("GET"), "<h1>Not like this</h1>"));
/// assert_eq!(server.get("/broken").send().text(), "Sorry: 500 Internal Server Error\n");
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn error_documents(documents: ErrorDocuments) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let documents = Arc::new(documents);
    move |inner| {
        let documents = Arc::clone(&documents);
        App::around(inner, move |inner, environ, start_response| {
            let request = Request::of(&environ, documents.asks_apps());
            let documents = Arc::clone(&documents);
            capture(inner, environ, start_response, move |response, start_response| {
                let status = match &response {
                    Ok((head, body)) if !is_error(head.status) || has_page(head, body) => None,
                    Ok((head, _)) => Some(head.status),
                    Err(error) => Some(error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
                };
                let page = status.and_then(|status| Some((status, documents.find(status)?)));
                let Some((status, page)) = page else {
                    let (head, body) = response?;
                    start_response.send(head)?;
                    return Ok(body);
                };
                let (mut head, replaced) = response.unwrap_or_else(|error| {
                    request.log(status, &error);
                    (Head::new(status), Body::empty())
                });
                for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, ETAG, LAST_MODIFIED] {
                    head.headers.remove(name);
                }
                Ok(request.answer(page, head, start_response)?.in_place_of(replaced))
            })
        })
    }
}

/// Whether a response has a body of its own, as far as is known when its head is committed.
fn has_page(head: &Head, body: &Body) -> bool {
    match (body.as_full(), body.len()) {
        (Some(text), Some(1..)) => *text != Head::plain(head.status).1,
        (_, Some(0)) => matches!(head.content_length(), Ok(Some(1..))),
        _ => true,
    }
}

/// What is kept of a request for its page.
struct Request {
    asked: Asked,
    /// For the pages that are applications.
    environ: Option<Environ>,
}

impl Request {
    fn of(environ: &Environ, whole: bool) -> Self {
        Self { asked: Asked::of(environ), environ: whole.then(|| environ.copy(Input::empty())) }
    }

    fn log(&self, status: StatusCode, error: &Error) {
        let (status, error) = (status.as_u16(), error.one_line());
        self.asked.log(format_args!("answered with the page for {status}: {error}"));
    }

    fn answer(mut self, page: &Page, head: Head, start_response: StartResponse) -> Result {
        match (page, self.environ.take()) {
            (Page::Function { content_type, make }, _) => {
                let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.clone())]);
                let made = catching(|| make(head.status)).map(|body| (headers, body));
                self.send(head, start_response, made)
            }
            (Page::App(app), Some(environ)) => {
                let app = app.clone();
                Ok(later(app.may_block(), move || self.ask(&app, environ, head, start_response)))
            }
            // Not reached: where there are applications the environ is kept.
            (Page::App(_), None) => self.send(head, start_response, Err("the request was not kept".into())),
        }
    }

    /// Has an application make the page.
    fn ask(self, app: &App, mut environ: Environ, head: Head, start_response: StartResponse) -> Result {
        as_get(&mut environ);
        for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE] {
            environ.headers_mut().remove(name);
        }
        environ.set_var("REDIRECT_STATUS", head.status.as_str())?;
        capture(app, environ, start_response, move |page, start_response| {
            let (page, refused) = match page {
                Ok((page, body)) if page.status.is_success() => (Ok((page.headers, body)), Body::empty()),
                Ok((page, body)) => (Err(format!("its status is {}", page.status).into()), body),
                Err(error) => (Err(error), Body::empty()),
            };
            Ok(self.send(head, start_response, page)?.in_place_of(refused))
        })
    }

    /// Sends the head with what the page adds to it; without a page, with the plain text of the status.
    fn send(&self, mut head: Head, start_response: StartResponse, page: Result<(HeaderMap, Body)>) -> Result {
        let (headers, body) = page.unwrap_or_else(|error| {
            self.log(head.status, &Error::from(format!("there is no page: {}", error.one_line())));
            let (plain, text) = Head::plain(head.status);
            (plain.headers, text.into())
        });
        // What the response depends on it depends on with another page too.
        for name in headers.keys().filter(|&name| name != SET_COOKIE && name != VARY) {
            head.headers.remove(name);
        }
        for (name, value) in &headers {
            head.headers.append(name, value.clone());
        }
        start_response.send(head)?;
        Ok(body)
    }
}
