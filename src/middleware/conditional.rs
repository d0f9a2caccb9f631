//! Conditional requests: 304 for a client that has the response already.

use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, TRAILER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httpdate::HttpDate;
use std::time::SystemTime;

use crate::application::App;
use crate::body::Body;
use crate::capture::capture;
use crate::entity_tag::{Comparison, EntityTags};
use crate::environ::Environ;
use crate::head::Head;
use crate::start_response::StartResponse;

/// Answers conditional GET and HEAD requests by the ETag and Last-Modified of the application's response.
///
/// The application answers as ever; what it answers with 200, or 206, is then held against the request's conditions,
/// in the order of RFC 9110, section 13.2.2:
///
/// - If-Match does not list the ETag, by strong comparison, and is not `*`: 412. Without If-Match, a Last-Modified
///   later than If-Unmodified-Since: 412.
/// - If-None-Match lists the ETag, by weak comparison, or is `*`: 304. Without If-None-Match, a Last-Modified no later
///   than If-Modified-Since: 304.
///
/// A date that is none of the three forms of section 5.6.7, or is there twice, is ignored. A 304 keeps the headers but
/// for those that describe a body it does not have: Content-Type, Content-Length, Content-Encoding, Content-Language,
/// Content-Range, Content-Digest, Repr-Digest, Trailer, and Last-Modified where there is an ETag (section 15.4.5). The
/// body is not pulled beyond its first block, and closed. A 412 is plain text and has nothing of the application's.
///
/// It saves the transfer and not the work; an application that finds its ETag cheaply can look at the request itself.
/// For bodies in memory [`etag`](crate::middleware::etag), inside of this, makes one.
///
/// Other methods pass: when their response is there, what they were to do is done, and a 412 would deny it. An
/// application that changes things must look at If-Match before.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain"), ("etag", "\"v1\"")])?;
///     Ok("hello".into())
/// });
/// let server = TestServer::new(app.wrap(middleware::conditional_get));
/// let response = server.get("/").header("if-none-match", "\"v0\", W/\"v1\"").send();
/// assert_eq!((response.status().as_u16(), response.text().as_str()), (304, ""));
/// assert_eq!((response.header("etag"), response.header("content-type")), (Some("\"v1\""), None));
/// assert_eq!(server.get("/").header("if-none-match", "\"v0\"").send().text(), "hello");
/// ```
pub fn conditional_get(inner: App) -> App {
    App::around(inner, |inner, environ, start_response| {
        let Some(conditions) = Conditions::of(&environ) else { return inner.call(environ, start_response) };
        capture(inner, environ, start_response, move |response, start_response: StartResponse| {
            let (head, body) = response?;
            let (head, instead) = match conditions.verdict(&head) {
                Verdict::Met => {
                    start_response.send(head)?;
                    return Ok(body);
                }
                Verdict::NotModified => (not_modified(head), Body::empty()),
                Verdict::Failed => {
                    let (head, text) = Head::plain(StatusCode::PRECONDITION_FAILED);
                    (head, text.into())
                }
            };
            start_response.send(head)?;
            Ok(instead.in_place_of(body))
        })
    })
}

/// The conditions of a request, of which there is at least one.
struct Conditions {
    matching: Option<EntityTags>,
    unmodified_since: Option<SystemTime>,
    none_matching: Option<EntityTags>,
    modified_since: Option<SystemTime>,
}

enum Verdict {
    Met,
    NotModified,
    Failed,
}

impl Conditions {
    fn of(environ: &Environ) -> Option<Self> {
        if environ.method() != Method::GET && environ.method() != Method::HEAD {
            return None;
        }
        let headers = environ.headers();
        let matching = EntityTags::of(headers, &IF_MATCH);
        let none_matching = EntityTags::of(headers, &IF_NONE_MATCH);
        // Sections 13.1.3 and 13.1.4: a date is ignored beside the tags that say the same more precisely.
        let unmodified_since = if matching.is_some() { None } else { date(headers, &IF_UNMODIFIED_SINCE) };
        let modified_since = if none_matching.is_some() { None } else { date(headers, &IF_MODIFIED_SINCE) };
        let is_conditional =
            matching.is_some() || unmodified_since.is_some() || none_matching.is_some() || modified_since.is_some();
        is_conditional.then_some(Self { matching, unmodified_since, none_matching, modified_since })
    }

    /// RFC 9110, section 13.2.2.
    fn verdict(&self, head: &Head) -> Verdict {
        // Section 13.2.1: conditions are for what would be answered with success. Of the others of that class no
        // answer to GET is of a representation.
        if head.status != StatusCode::OK && head.status != StatusCode::PARTIAL_CONTENT {
            return Verdict::Met;
        }
        let etag = head.headers.get(ETAG);
        let is_later_than = |since: SystemTime| date(&head.headers, &LAST_MODIFIED).is_some_and(|date| date > since);
        let is_matched = match (&self.matching, self.unmodified_since) {
            (Some(tags), _) => tags.match_etag(etag, Comparison::Strong),
            (None, Some(since)) => !is_later_than(since),
            (None, None) => true,
        };
        if !is_matched {
            return Verdict::Failed;
        }
        let is_modified = match (&self.none_matching, self.modified_since) {
            (Some(tags), _) => !tags.match_etag(etag, Comparison::Weak),
            (None, Some(since)) => date(&head.headers, &LAST_MODIFIED).is_none_or(|date| date > since),
            (None, None) => true,
        };
        if is_modified { Verdict::Met } else { Verdict::NotModified }
    }
}

/// The one valid date of a header.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let date: HttpDate = values.next().map(HeaderValue::to_str)?.ok()?.parse().ok()?;
    values.next().is_none().then(|| date.into())
}

/// What a 304 keeps: RFC 9110, section 15.4.5.
fn not_modified(mut head: Head) -> Head {
    let mut kept = Head::new(StatusCode::NOT_MODIFIED);
    if let Some(extensions) = head.take_extensions() {
        *kept.extensions_mut() = extensions;
    }
    kept.headers = head.headers;
    const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
    const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
    for name in [
        CONTENT_TYPE,
        CONTENT_LENGTH,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_RANGE,
        CONTENT_DIGEST,
        REPR_DIGEST,
        TRAILER,
    ] {
        kept.headers.remove(name);
    }
    if kept.headers.contains_key(ETAG) {
        kept.headers.remove(LAST_MODIFIED);
    }
    kept
}
