//! `User`: the name of who has been authenticated.

use std::fmt;
use std::sync::Arc;

use crate::environ::Environ;
use crate::start_response::StartResponse;

/// The name of the user that a middleware has authenticated.
///
/// An application finds it in the environ's extensions, and middleware further out in those of the head. `basic_auth` puts
/// it there, and so should a middleware of yours that knows users otherwise: by [`introduce`](User::introduce).
///
/// ```
/// use vestibule::{App, Environ, Result, StartResponse, middleware, middleware::User, testing::TestServer};
///
/// fn hello(environ: Environ, start_response: StartResponse) -> Result {
///     let hello = format!("hello, {}", environ.extension::<User>()?);
///     start_response.start(200, ())?;
///     Ok(hello.into())
/// }
/// let app = App::new(hello).wrap(middleware::map_environ(|environ| {
///     environ.extensions_mut().insert(User::new("ada"));
/// }));
/// assert_eq!(TestServer::new(app).get("/").send().text(), "hello, ada");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User(Arc<str>);

impl User {
    /// A user of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Tells of the user: the application, by the environ's extensions; middleware further out, by the head's; and access
    /// logs, also where the application fails and a page of errors, a time limit or the gateway answers in its place.
    ///
    /// ```
    /// use vestibule::{App, app_fn, testing::TestServer};
    /// use vestibule::middleware::{AccessLog, ErrorDocuments, User, access_log, error_documents};
    ///
    /// fn by_certificate(inner: App) -> App {
    ///     app_fn(move |mut environ, start_response| {
    ///         let name = environ.var("SSL_CLIENT_S_DN_CN").map(|name| String::from_utf8_lossy(&name).into_owned());
    ///         let start_response = match name {
    ///             Some(name) => User::new(name).introduce(&mut environ, start_response),
    ///             None => start_response,
    ///         };
    ///         inner.call(environ, start_response)
    ///     })
    /// }
    /// let app = app_fn(|_environ, _start_response| Err("no disk".into())).wrap(by_certificate);
    /// let pages = ErrorDocuments::new().other_page("text/plain", |status| status.to_string())?;
    /// let app = app.wrap(error_documents(pages)).wrap(access_log(AccessLog::format("%u %>s")?));
    /// # let app = app.wrap(vestibule::middleware::map_environ(|environ| environ.set_var("SSL_CLIENT_S_DN_CN", "ada").unwrap()));
    /// assert!(TestServer::new(app).get("/").send().errors().ends_with("\nada 500\n"));
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn introduce(self, environ: &mut Environ, start_response: StartResponse) -> StartResponse {
        environ.introduce(&self.0);
        environ.extensions_mut().insert(self.clone());
        start_response.on_head(move |head| {
            head.extensions_mut().insert(self);
        })
    }

    /// The name, which may be whatever a client sent that was let in: escape it in a log or a page.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
