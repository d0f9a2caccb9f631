//! Entity tags for responses that are in memory.

mod digest;

use http::header::ETAG;
use http::{HeaderValue, Method, StatusCode};

use crate::application::App;
use crate::body::Body;
use crate::capture::capture;
use crate::head::Head;
use crate::start_response::StartResponse;

/// The longest body that is hashed, in bytes: it takes some milliseconds.
const LONGEST: usize = 16 * 1024 * 1024;

/// Gives responses a strong ETag of their bytes, so that a client need not be sent what it has.
///
/// It answers no conditional request itself: put `conditional_get`, by feature `conditional`, around it. A response gets a
/// tag if it answers GET or HEAD with status 200, has none, and its body is in memory and of at most 16 MiB: text, bytes,
/// or what an async application returns whole. A stream has none, since it would have to be read to its end first, nor
/// has a file, whose endpoint knows better ([`apps`](crate::apps)), nor an empty body, which in answer to HEAD may stand
/// for one that was not made. An application that makes the same body for HEAD as for GET has
/// the same tag for both.
///
/// The tag is the length and a hash of 128 bits (MurmurHash3), the same in every process and on every machine. Two
/// bodies that differ by accident have different tags, but for a chance of 2⁻¹²⁸ for each pair. It is no signature:
/// who can choose the content of both may make two of the same tag. Hashing takes about a microsecond for 5 KB on the
/// thread that has the response.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("hello".into())
/// });
/// let response = TestServer::new(app.wrap(middleware::etag)).get("/").send();
/// assert_eq!(response.header("etag"), Some("\"5-cbd8a7b341bd9b025b1e906a48ae1d19\""));
/// ```
pub fn etag(inner: App) -> App {
    tagged(inner, "")
}

/// As [`etag`], with a weak tag, for bodies whose bytes may differ where they mean the same.
///
/// A weak tag does for If-None-Match, but not for If-Match or If-Range (RFC 9110, section 8.8.1). It is for an
/// application whose bytes are changed further out in a way that keeps their meaning.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("hello".into())
/// });
/// let response = TestServer::new(app.wrap(middleware::weak_etag)).get("/").send();
/// assert_eq!(response.header("etag"), Some("W/\"5-cbd8a7b341bd9b025b1e906a48ae1d19\""));
/// ```
pub fn weak_etag(inner: App) -> App {
    tagged(inner, "W/")
}

fn tagged(inner: App, prefix: &'static str) -> App {
    App::around(inner, move |inner, environ, start_response| {
        if environ.method() != Method::GET && environ.method() != Method::HEAD {
            return inner.call(environ, start_response);
        }
        capture(inner, environ, start_response, move |response, start_response: StartResponse| {
            let (mut head, body) = response?;
            tag(&mut head, &body, prefix);
            start_response.send(head)?;
            Ok(body)
        })
    })
}

fn tag(head: &mut Head, body: &Body, prefix: &str) {
    let Some(block) = body.as_full().filter(|block| (1..=LONGEST).contains(&block.len())) else { return };
    // To HEAD, a body of another length than was declared is not the one that GET would have.
    let is_whole = head.length().is_none_or(|declared| declared == block.len() as u64);
    if head.status != StatusCode::OK || !is_whole || head.headers.contains_key(ETAG) {
        return;
    }
    let (first, second) = digest::murmur3(block);
    // Hex digits are always a value.
    if let Ok(value) = HeaderValue::try_from(format!("{prefix}\"{:x}-{first:016x}{second:016x}\"", block.len())) {
        head.headers.insert(ETAG, value);
    }
}
