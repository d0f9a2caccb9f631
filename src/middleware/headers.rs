//! `set_header`, `default_header` and `remove_header`: one header of every response.

use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue};

use super::map_head;
use crate::application::App;
use crate::error::Result;
use crate::head::is_hop_by_hop;

/// Sets a header on every response, also on those that the gateway makes for errors; it replaces what the application
/// set.
///
/// The name is a string or a [`HeaderName`], the value a string, a number or a [`HeaderValue`].
///
/// # Errors
///
/// For a name or value that HTTP forbids, for a hop-by-hop header, which belongs to the server (PEP 3333, "Other HTTP
/// Features"), and for Content-Length, which belongs to each body.
///
/// ```
/// use vestibule::{app_fn, header, middleware, testing::TestServer};
///
/// let app = app_fn(|_, _| Err("broken".into()));
/// let app = app.wrap(middleware::set_header(header::SERVER, "vestibule")?);
/// let response = TestServer::new(app).get("/").send();
/// assert_eq!((response.status().as_u16(), response.header("server")), (500, Some("vestibule")));
///
/// assert!(middleware::set_header("server", "two\r\nlines").is_err());
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn set_header<K, V>(name: K, value: V) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
    HeaderValue: TryFrom<V>,
    <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
{
    let name = settable("set_header", name)?;
    let value = parsed_value("set_header", &name, value)?;
    Ok(map_head(move |head| {
        head.headers.insert(&name, value.clone());
    }))
}

/// Sets a header on every response that has none of its name.
///
/// As [`set_header`], but what the application set stays. Of two around each other the inner one wins.
///
/// # Errors
///
/// As [`set_header`].
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     match environ.path_info().starts_with("/static/") {
///         true => start_response.start(200, [("cache-control", "max-age=3600")])?,
///         false => start_response.start(200, ())?,
///     }
///     Ok("tea".into())
/// });
/// let server = TestServer::new(app.wrap(middleware::default_header("cache-control", "no-cache")?));
/// assert_eq!(server.get("/").send().header("cache-control"), Some("no-cache"));
/// assert_eq!(server.get("/static/x").send().header("cache-control"), Some("max-age=3600"));
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn default_header<K, V>(name: K, value: V) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
    HeaderValue: TryFrom<V>,
    <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
{
    let name = settable("default_header", name)?;
    let value = parsed_value("default_header", &name, value)?;
    Ok(map_head(move |head| {
        head.headers.entry(&name).or_insert_with(|| value.clone());
    }))
}

/// Removes a header from every response, however often it is there.
///
/// What the server adds itself, such as Date, is added later and stays. Without its Content-Length a response has the
/// length of its body, where that is known.
///
/// # Errors
///
/// For a name that HTTP forbids.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("x-powered-by", "steam")])?;
///     Ok("tea".into())
/// });
/// let app = app.wrap(middleware::remove_header("x-powered-by")?);
/// assert_eq!(TestServer::new(app).get("/").send().header("x-powered-by"), None);
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn remove_header<K>(name: K) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
{
    let name = parsed_name("remove_header", name)?;
    Ok(map_head(move |head| {
        head.headers.remove(&name);
    }))
}

/// A name that may be set whatever the response is.
fn settable<K>(middleware: &str, name: K) -> Result<HeaderName>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
{
    let name = parsed_name(middleware, name)?;
    if is_hop_by_hop(&name) {
        return Err(format!("{middleware}: `{name}` is hop-by-hop: it belongs to the server").into());
    }
    if name == CONTENT_LENGTH {
        return Err(format!("{middleware}: `content-length` is that of each body").into());
    }
    Ok(name)
}

fn parsed_name<K>(middleware: &str, name: K) -> Result<HeaderName>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
{
    HeaderName::try_from(name).map_err(|error| format!("{middleware}: {}", error.into()).into())
}

/// The value of a setting of this middleware, for a header.
pub(super) fn parsed_value<V>(middleware: &str, name: &HeaderName, value: V) -> Result<HeaderValue>
where
    HeaderValue: TryFrom<V>,
    <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
{
    HeaderValue::try_from(value).map_err(|error| format!("{middleware}: `{name}`: {}", error.into()).into())
}
