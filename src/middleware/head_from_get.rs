//! `head_from_get`: HEAD for applications that know only GET.

use http::Method;

use crate::application::App;

/// Lets the application see GET in place of HEAD, so that it need not know HEAD at all.
///
/// The head that it makes is sent, with the Content-Length that GET has where that is known, and its body is closed
/// without being pulled: that is what every gateway does to a HEAD request (RFC 9110, section 9.3.2). What is wrapped
/// around this still sees HEAD.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     match *environ.method() {
///         http::Method::GET => start_response.start(200, [("content-type", "text/plain")])?,
///         _ => start_response.start(405, [("allow", "GET")])?,
///     }
///     Ok("tea".into())
/// });
/// let response = TestServer::new(app.wrap(middleware::head_from_get)).head("/").send();
/// assert_eq!((response.status().as_u16(), response.header("content-length")), (200, Some("3")));
/// assert_eq!(response.text(), "");
/// ```
pub fn head_from_get(inner: App) -> App {
    App::around(inner, |inner, mut environ, start_response| {
        if environ.method() == Method::HEAD {
            environ.set_method(Method::GET);
        }
        inner.call(environ, start_response)
    })
}
