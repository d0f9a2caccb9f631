//! `User`: the name of who has been authenticated.

use std::fmt;
use std::sync::Arc;

/// The name of the user that a middleware has authenticated.
///
/// `basic_auth` puts it into the environ's extensions for the application, and into the head's for middleware further
/// out, such as an access log. So should a middleware of yours that knows users otherwise.
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
