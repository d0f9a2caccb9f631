//! `body_limit`: request bodies of no more than so many bytes.

use crate::application::App;
use crate::error::Fault;

/// Refuses request bodies of more than `bytes` bytes with 413 (RFC 9110, section 15.5.14).
///
/// One that is declared to be longer, by Content-Length, is refused before the application is called, and none of it is
/// read. Of one that is not declared the application can read `bytes` bytes; the read after that is an error with
/// status 413, whether it blocks or is async. The rest is never read. What else the input does stays as it is: trailers,
/// a client that leaves, a second handle.
///
/// The limit is on what the client sends: a compressed body may become longer in an application that decompresses it.
/// Of several limits the least one counts.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|mut environ, start_response| {
///     let text = environ.input_mut().read_text(u64::MAX)?;
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(text.into())
/// });
/// let server = TestServer::new(app.wrap(middleware::body_limit(5)));
/// assert_eq!(server.post("/").body("hello").send().text(), "hello");
/// assert_eq!(server.post("/").body("hello!").send().status(), 413);
/// ```
pub fn body_limit(bytes: u64) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    move |inner| {
        App::around(inner, move |inner, mut environ, start_response| {
            let length = environ.input().len();
            let declared = environ.content_length().max(length);
            if declared.is_some_and(|declared| declared > bytes) {
                return Err(Fault::OverLimit { limit: bytes }.into());
            }
            // Of nothing there is never too much.
            if length != Some(0) {
                environ.input_mut().limit(bytes);
            }
            inner.call(environ, start_response)
        })
    }
}
