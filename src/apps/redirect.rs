//! `redirect`: sends the client elsewhere.

use std::fmt;
use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::{answer, endpoint};
use crate::application::App;
use crate::environ::Environ;
use crate::error::{Error, Result};
use crate::head::Head;

/// Answers every request with 301, 302, 303, 307 or 308 and a [`Location`].
///
/// 301 and 308 are for good, 302 and 307 for now; 307 and 308 keep the method and the body of the request, 303 asks for a
/// GET (RFC 9110, section 15.4). A location is a text, or a [`Location`] with its settings.
///
/// # Errors
///
/// For another status, and for a location that is none; see [`Location::to`].
///
/// ```
/// use vestibule::{apps::{Location, redirect}, testing::TestServer};
///
/// let server = TestServer::new(redirect(302, "https://example.org/")?);
/// assert_eq!(server.get("/").send().header("location"), Some("https://example.org/"));
///
/// let app = redirect(301, Location::to("/new").keep_query())?;
/// let response = TestServer::new(app).mounted_at("/mnt").get("/old?page=2").send();
/// assert_eq!((response.status().as_u16(), response.header("location")), (301, Some("/mnt/new?page=2")));
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn redirect(status: u16, location: impl Into<Location>) -> Result<App> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Err(format!("redirect: {status} is none of 301, 302, 303, 307 and 308").into());
    }
    let (status, location) = (StatusCode::from_u16(status)?, location.into());
    if let To::Fixed(text) = &location.to {
        Target::parse(text)?;
    }
    let may_block = matches!(location.to, To::Computed(_));
    Ok(endpoint(
        || "redirect",
        may_block,
        move |environ, start_response| {
            let head = Head::new(status).header(LOCATION, location.value(&environ)?);
            answer(head, start_response)
        },
    ))
}

/// Where a [`redirect`] leads.
#[derive(Clone)]
pub struct Location {
    to: To,
    keeps_query: bool,
}

#[derive(Clone)]
enum To {
    Fixed(String),
    Computed(Arc<Compute>),
}

type Compute = dyn Fn(&Environ) -> Result<String> + Send + Sync;

impl Location {
    /// A location that is always the same: a whole URL of http or https, or a path of this site.
    ///
    /// A path that begins with a slash is one of the application: SCRIPT_NAME is put before it. An application that
    /// [`url_map`](super::url_map) mounts has its own place there, so a redirect to another place of the map is a route
    /// of a router (`routes`), or has a relative reference, such as `../new`, which the client resolves. Spaces and letters
    /// outside of ASCII are percent-encoded; what is encoded stays so.
    ///
    /// [`redirect`] refuses what could be taken for another host: `//host`, a URL with a user in it, another scheme, a
    /// backslash, a control character.
    pub fn to(location: impl Into<String>) -> Self {
        Self { to: To::Fixed(location.into()), keeps_query: false }
    }

    /// A location that is made of each request; as [`to`](Location::to), and an `Err` is answered as any other.
    ///
    /// The text is taken as encoded. What begins with a slash is a path of this site whatever follows: a second slash, as
    /// it may come from the path of a request, is encoded, and so are backslashes and control characters. The function
    /// counts as one that may block; where it does not, `redirect(..)?.nonblocking()` says so.
    ///
    /// ```
    /// use vestibule::{Error, apps::{Location, redirect}, testing::TestServer};
    ///
    /// let article = Location::by(|environ| match environ.query_string().strip_prefix("id=") {
    ///     Some(id) => Ok(format!("/articles/{id}")),
    ///     None => Err(Error::with_status(404, "no id in the query")),
    /// });
    /// let server = TestServer::new(redirect(301, article)?);
    /// assert_eq!(server.get("/article.cgi?id=7").send().header("location"), Some("/articles/7"));
    /// assert_eq!(server.get("/article.cgi").send().status(), 404);
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn by(location: impl Fn(&Environ) -> Result<String> + Send + Sync + 'static) -> Self {
        Self { to: To::Computed(Arc::new(location)), keeps_query: false }
    }

    /// Adds the query of the request to that of the location.
    #[must_use]
    pub fn keep_query(self) -> Self {
        Self { keeps_query: true, ..self }
    }

    fn value(&self, environ: &Environ) -> Result<HeaderValue> {
        let query = if self.keeps_query { environ.query_string() } else { "" };
        let value = match &self.to {
            To::Fixed(text) => Target::parse(text)?.written(environ, query),
            To::Computed(location) => {
                let text = location(environ)?;
                match text.starts_with('/') {
                    true => Target::Path(&text).written(environ, query),
                    false => Target::parse(&text)?.written(environ, query),
                }
            }
        };
        Ok(HeaderValue::try_from(value)?)
    }
}

impl<T: Into<String>> From<T> for Location {
    /// As [`Location::to`].
    fn from(location: T) -> Self {
        Self::to(location)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.to {
            To::Fixed(text) => text,
            To::Computed(_) => "(computed)",
        };
        f.debug_struct("Location").field("to", &to).field("keeps_query", &self.keeps_query).finish()
    }
}

/// A location that was looked at.
enum Target<'a> {
    /// One of the application.
    Path(&'a str),
    /// A URL, or a reference that the client resolves.
    AsItIs(&'a str),
}

impl<'a> Target<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let fault = |what: &str| Err(Error::from(format!("redirect: {text:?} {what}")));
        if text.is_empty() {
            return fault("is no location");
        }
        // Browsers take a backslash for a slash, and leave out tabs and line breaks: WHATWG URL, section 4.4.
        if text.chars().any(|character| character == '\\' || character.is_control()) {
            return fault("has a character that browsers read as another");
        }
        if text.starts_with("//") {
            return fault("is another host: write its scheme too, if it is meant");
        }
        if text.starts_with('/') {
            return Ok(Self::Path(text));
        }
        // RFC 3986, section 4.2: what has a colon in its first segment is a URL.
        let first = text.split(['/', '?', '#']).next().unwrap_or(text);
        let Some((scheme, _)) = first.split_once(':') else { return Ok(Self::AsItIs(text)) };
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let Some(rest) = text[scheme.len()..].strip_prefix("://").filter(|_| is_web) else {
            return fault("is no URL of http or https");
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        match !host.is_empty() && host.bytes().all(is_host) {
            true => Ok(Self::AsItIs(text)),
            false => fault("has no host, or more than a host and a port before its path"),
        }
    }

    /// As the header says it.
    fn written(&self, environ: &Environ, query: &str) -> String {
        let mut location = String::new();
        match self {
            Self::AsItIs(text) => encode(text, &mut location),
            Self::Path(path) => {
                encode(&environ.raw_path()[..environ.mounted()], &mut location);
                encode(path, &mut location);
                // Two slashes begin a host: RFC 3986, section 4.2.
                if location.starts_with("//") {
                    location.replace_range(1..2, "%2F");
                }
            }
        }
        if !query.is_empty() {
            let at = location.find('#').unwrap_or(location.len());
            let separator = if location[..at].contains('?') { "&" } else { "?" };
            let mut more = separator.to_owned();
            encode(query, &mut more);
            location.insert_str(at, &more);
        }
        location
    }
}

/// Percent-encodes all that a URL cannot have: RFC 3986, section 2. What is encoded already stays so.
fn encode(text: &str, location: &mut String) {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_kept = match byte {
            b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
        };
        match is_kept {
            true => location.push(*byte as char),
            false => location.push_str(&format!("%{byte:02X}")),
        }
    }
}
