//! `url_map`: applications by prefix and host.

use std::cmp::Reverse;

use http::StatusCode;
use http::header::HOST;
use http::uri::Authority;

use super::{answer, endpoint};
use crate::application::{App, Application};
use crate::environ::{Environ, decode};
use crate::error::Result;

/// Mounts applications at prefixes of the path, and at hosts: the longest prefix that fits has the request.
///
/// A place is `"/prefix"`, which is there at every host, or `"//host/prefix"`; `"/"` (or `""`) is the rest. A prefix is a
/// number of whole segments, so that `/foox` is not below `/foo`; a slash at its end says nothing. What is at the host
/// that was asked for goes before what is at every host. The application sees the prefix at the end of SCRIPT_NAME and
/// what follows in PATH_INFO: "" for the prefix itself, "/" with a slash behind it. What fits nowhere is a 404.
///
/// Segments are compared decoded, so `/%66oo` is below `/foo`, but a `%2F` divides none: `/a%2Fb` is one segment, in the
/// table as in a request. `.`, `..` and empty segments are names as any other. Hosts are compared by the Host header, or
/// SERVER_NAME where there is none, without case, port and a dot at the end.
///
/// The map blocks where one of its applications does. An async one beside a blocking one is called on a thread of the
/// pool, which only makes its future; that runs on the reactor.
///
/// It is what `Rack::URLMap`, `Plack::App::URLMap` and werkzeug's `DispatcherMiddleware` are.
///
/// # Errors
///
/// For a place that does not begin with a slash, has a scheme, a port or no valid host, and for one that is there twice.
///
/// ```
/// use vestibule::{apps::url_map, app_fn, testing::TestServer};
///
/// let app = |name: &'static str| {
///     app_fn(move |environ, start_response| {
///         start_response.start(200, ())?;
///         Ok(format!("{name}: {:?} {:?}", environ.script_name(), environ.path_info()).into())
///     })
/// };
/// let site = url_map([("/", app("home")), ("/blog", app("blog")), ("//api.example.org", app("api"))])?;
/// let server = TestServer::new(site);
/// assert_eq!(server.get("/blog/2024").send().text(), r#"blog: "/blog" "/2024""#);
/// assert_eq!(server.get("/blogs").send().text(), r#"home: "" "/blogs""#);
/// assert_eq!(server.get("/blog").header("host", "API.example.org:8000").send().text(), r#"api: "" "/blog""#);
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn url_map<P, A>(places: impl IntoIterator<Item = (P, A)>) -> Result<App>
where
    P: AsRef<str>,
    A: Application,
{
    let mut map: Vec<(Place, App)> = Vec::new();
    for (text, application) in places {
        let place = Place::parse(text.as_ref())?;
        if let Some((other, _)) = map.iter().find(|(other, _)| *other == place) {
            return Err(format!("url_map: {:?} and {:?} are the same place", other.text, place.text).into());
        }
        map.push((place, App::new(application)));
    }
    // In the order in which they are tried: a host before every host, more segments before fewer.
    map.sort_by_key(|(place, _)| (place.host.is_none(), Reverse(place.segments.len())));
    let may_block = map.iter().any(|(_, app)| app.may_block());
    Ok(endpoint(
        || "url_map",
        may_block,
        move |mut environ, start_response| match map
            .iter()
            .find_map(|(place, app)| Some((place.bytes_of(&environ)?, app)))
        {
            Some((bytes, app)) => {
                environ.mount(bytes);
                app.call(environ, start_response)
            }
            None => answer(StatusCode::NOT_FOUND.into(), start_response),
        },
    ))
}

/// Where an application is mounted.
struct Place {
    /// As it was written, for messages.
    text: String,
    /// In small letters, without a dot at its end.
    host: Option<String>,
    /// Decoded.
    segments: Vec<Vec<u8>>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host && self.segments == other.segments
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self> {
        let fault = |what: &str| Err(format!("url_map: {text:?} {what}").into());
        let (host, prefix) = match text.strip_prefix("//") {
            Some(rest) => {
                let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let Ok(authority) = host.parse::<Authority>() else { return fault("has no valid host") };
                if authority.as_str() != authority.host() {
                    return fault("has more than a host: ports and users are not compared");
                }
                (Some(bare(host).to_ascii_lowercase()), prefix)
            }
            None => (None, text),
        };
        if prefix.contains("://") {
            return fault("has a scheme, which is not compared: write \"//host/prefix\"");
        }
        if !(prefix.is_empty() || prefix.starts_with('/')) {
            return fault("does not begin with a slash");
        }
        let segments = prefix.trim_end_matches('/').split('/').skip(1).map(|segment| decode(segment).into_owned());
        Ok(Self { text: text.to_owned(), host, segments: segments.collect() })
    }

    /// How many bytes of the raw PATH_INFO lead here; `None` where it leads elsewhere.
    fn bytes_of(&self, environ: &Environ) -> Option<usize> {
        if let Some(host) = &self.host {
            let asked = match environ.headers().get(HOST) {
                Some(asked) => asked.to_str().ok()?,
                None => environ.server_name(),
            };
            bare(asked).eq_ignore_ascii_case(host).then_some(())?;
        }
        let path = environ.raw_path_info();
        let mut rest = path;
        for segment in &self.segments {
            let after = rest.strip_prefix('/')?;
            let (first, others) = after.split_at(after.find('/').unwrap_or(after.len()));
            (*decode(first) == **segment).then_some(())?;
            rest = others;
        }
        Some(path.len() - rest.len())
    }
}

/// A host without its port, the brackets of an IPv6 address and the dot that ends a full name.
fn bare(host: &str) -> &str {
    if let Some(address) = host.strip_prefix('[') {
        return address.split(']').next().unwrap_or(address);
    }
    let name = match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}
