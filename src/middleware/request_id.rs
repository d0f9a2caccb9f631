//! `request_id`: a name for each request, by which log lines and complaints find each other.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::application::App;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest identifier that is taken from a client, in bytes.
const LONGEST: usize = 128;

/// Names each request: in the environ, as [`RequestId`], and in X-Request-Id of the request and the response.
///
/// An identifier has 128 bits, as 32 hexadecimal digits. It is unique, and it is no secret: it is made from keys that
/// std chose at random when the middleware was made, and a counter. So make the middleware in the process that serves;
/// a process that forks afterwards repeats them.
///
/// An X-Request-Id that the client sends is replaced; [`trusted_request_id`] takes it. An access log further out finds the
/// identifier in the response, by `%{X-Request-Id}o`; one further in finds it in the request, by `%{X-Request-Id}i`.
///
/// ```
/// use vestibule::{app_fn, middleware, middleware::RequestId, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     let id = environ.extension::<RequestId>()?.to_string();
///     start_response.start(200, ())?;
///     Ok(id.into())
/// });
/// let server = TestServer::new(app.wrap(middleware::request_id()));
/// let response = server.get("/").header("x-request-id", "forged").send();
/// assert_eq!(response.header("x-request-id"), Some(response.text().as_str()));
/// assert_eq!(response.text().len(), 32);
/// assert_ne!(server.get("/").send().text(), response.text());
/// ```
pub fn request_id() -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    identified(|_| None)
}

/// Names each request as [`request_id`] does, but by the X-Request-Id of the client where it sends a valid one.
///
/// For applications behind a proxy that sets the header: any other client could choose the identifiers of the log.
/// Valid is one header of 1 to 128 visible ASCII characters; for any other an identifier is made.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("tea".into())
/// });
/// let server = TestServer::new(app.wrap(middleware::trusted_request_id()));
/// let response = server.get("/").header("x-request-id", "proxy-7").send();
/// assert_eq!(response.header("x-request-id"), Some("proxy-7"));
/// ```
pub fn trusted_request_id() -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    identified(received)
}

fn identified(
    received: impl Fn(&HeaderMap) -> Option<RequestId> + Copy + Send + Sync + 'static,
) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let source = Arc::new(Source::new());
    move |inner| {
        let source = Arc::clone(&source);
        App::around(inner, move |inner, mut environ, start_response| {
            let id = received(environ.headers()).unwrap_or_else(|| source.next());
            environ.headers_mut().insert(&X_REQUEST_ID, id.0.clone());
            environ.extensions_mut().insert(id.clone());
            let start_response = start_response.on_head(move |head| {
                head.headers.insert(&X_REQUEST_ID, id.0);
            });
            inner.call(environ, start_response)
        })
    }
}

/// The identifier of a request, in its environ's extensions where [`request_id`] is wrapped around the application.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The identifier: visible ASCII.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The identifier that came with the request, if it is one.
fn received(headers: &HeaderMap) -> Option<RequestId> {
    let mut values = headers.get_all(&X_REQUEST_ID).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let is_valid = (1..=LONGEST).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    is_valid.then(|| RequestId(value.clone()))
}

/// Where identifiers come from.
struct Source {
    high: RandomState,
    low: RandomState,
    requests: AtomicU64,
}

impl Source {
    fn new() -> Self {
        Self { high: RandomState::new(), low: RandomState::new(), requests: AtomicU64::new(0) }
    }

    fn next(&self) -> RequestId {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let digits = hexadecimal(self.high.hash_one(number), self.low.hash_one(number));
        // One allocation, which the three copies share.
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(digits));
        // Not reached: digits are allowed in a header.
        RequestId(value.unwrap_or_else(|_| HeaderValue::from(number)))
    }
}

fn hexadecimal(high: u64, low: u64) -> [u8; 32] {
    let bits = (u128::from(high) << 64) | u128::from(low);
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = b"0123456789abcdef"[usize::from(nibble)];
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_all_its_digits() {
        assert_eq!(&hexadecimal(0, 0xa), b"0000000000000000000000000000000a");
        assert_eq!(&hexadecimal(0x0123_4567_89ab_cdef, u64::MAX), b"0123456789abcdefffffffffffffffff");
    }
}
