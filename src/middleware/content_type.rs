//! `default_content_type`: a Content-Type for responses that have none.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::headers::parsed_value;
use super::map_head;
use crate::application::App;
use crate::error::Result;
use crate::head::Head;

/// Sets the Content-Type of responses that have a body and no Content-Type.
///
/// Whether there is a body is told by the head alone, so that HEAD is answered as GET is: a 204, 205 or 304 has none,
/// nor has a response that declares a Content-Length of 0.
///
/// # Errors
///
/// For a value that is not a media type with its parameters, such as `text/html; charset=utf-8` (RFC 9110, section
/// 8.3.1).
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("<h1>Tea</h1>".into())
/// });
/// let app = app.wrap(middleware::default_content_type("text/html; charset=utf-8")?);
/// assert_eq!(TestServer::new(app).get("/").send().header("content-type"), Some("text/html; charset=utf-8"));
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn default_content_type<V>(value: V) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static>
where
    HeaderValue: TryFrom<V>,
    <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
{
    let value = parsed_value("default_content_type", &CONTENT_TYPE, value)?;
    if !is_media_type(value.as_bytes()) {
        return Err(format!("default_content_type: {value:?} is no media type such as \"text/html\"").into());
    }
    Ok(map_head(move |head| {
        if may_have_content(head) {
            head.headers.entry(CONTENT_TYPE).or_insert_with(|| value.clone());
        }
    }))
}

fn may_have_content(head: &Head) -> bool {
    let is_without =
        matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    !is_without && head.headers.get(CONTENT_LENGTH).is_none_or(|length| length != "0")
}

/// RFC 9110, section 8.3.1: `type "/" subtype`, and parameters, which are not looked at.
fn is_media_type(value: &[u8]) -> bool {
    let essence = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii_end();
    let mut parts = essence.split(|&byte| byte == b'/');
    let is_token = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(is_token_byte));
    is_token(parts.next()) && is_token(parts.next()) && parts.next().is_none()
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
