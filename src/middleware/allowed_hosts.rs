//! `allowed_hosts`: answers only requests for hosts that are ours.

use std::net::Ipv6Addr;
use std::sync::Arc;

use http::StatusCode;
use http::header::HOST;

use crate::application::App;
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;

/// Lets requests pass whose host is in the list; others do not reach the application.
///
/// A host is a name, `example.org`; a domain with all its names, `.example.org`, which `example.org` is one of; or an
/// address, `127.0.0.1` or `[::1]`. Names are compared as DNS does, without regard to case and a dot at the end, and
/// every port is right. A name beyond ASCII is written as it travels, `xn--bcher-kva.example`.
///
/// What is compared is the host that [`Environ::url`] is made of: the Host header, and where it is absent or empty the
/// server's name. So what an application makes of its own URL, such as a link in a mail, leads to one of these hosts.
/// X-Forwarded-Host is not looked at: what trusts a proxy has to be wrapped around this.
///
/// A request for another host is answered with 421, by which an origin server rejects "a target URI that does not match
/// an origin for which the server has been configured" (RFC 9110, section 15.5.20), and which lets a client that shares
/// one connection between hosts come back on another. More than one Host, one that is no host name, or none where the
/// server's own name is not in the list, is answered with 400 (RFC 9112, section 3.2).
///
/// # Errors
///
/// For a host that is none, has a port or is not ASCII, and for an empty list.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     start_response.start(200, ())?;
///     Ok(environ.url().into())
/// });
/// let server = TestServer::new(app.wrap(middleware::allowed_hosts(["localhost", ".example.org"])?));
/// assert_eq!(server.get("/").header("host", "www.example.org:8000").send().status(), 200);
/// assert_eq!(server.get("/").header("host", "evilexample.org").send().status(), 421);
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn allowed_hosts<I>(hosts: I) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let allowed = hosts.into_iter().map(|host| Allowed::parse(host.as_ref())).collect::<Result<Arc<[_]>>>()?;
    if allowed.is_empty() {
        return Err("allowed_hosts: the list is empty, so every request would be refused".into());
    }
    Ok(move |inner| {
        let allowed = Arc::clone(&allowed);
        App::around(inner, move |inner, environ, start_response| match refusal(&environ, &allowed) {
            None => inner.call(environ, start_response),
            Some(status) => {
                let (head, text) = Head::plain(status);
                start_response.send(head)?;
                Ok(text.into())
            }
        })
    })
}

/// The status for a request that is not for one of the hosts.
fn refusal(environ: &Environ, allowed: &[Allowed]) -> Option<StatusCode> {
    let mut values = environ.headers().get_all(HOST).iter();
    let (value, second) = (values.next().filter(|value| !value.is_empty()), values.next());
    let (host, otherwise) = match (value, second) {
        (_, Some(_)) => (None, StatusCode::BAD_REQUEST),
        (Some(value), None) => (Host::of_header(value.as_bytes()), StatusCode::MISDIRECTED_REQUEST),
        (None, None) => (Host::of_server(environ.server_name()), StatusCode::BAD_REQUEST),
    };
    match host {
        None => Some(StatusCode::BAD_REQUEST),
        Some(host) if allowed.iter().any(|allowed| allowed.has(&host)) => None,
        Some(_) => Some(otherwise),
    }
}

/// A host of the list.
#[derive(Debug)]
enum Allowed {
    /// Without a dot at the end.
    Name(Box<str>),
    /// Without the dot before it.
    Domain(Box<str>),
    Address(Ipv6Addr),
}

impl Allowed {
    fn parse(text: &str) -> Result<Self> {
        if let Some(address) = address(text) {
            return Ok(Self::Address(address));
        }
        let (name, is_domain) = match text.strip_prefix('.') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_name = host_name(name.as_bytes()).is_some();
        match (is_name, is_domain) {
            (true, false) => Ok(Self::Name(without_dot(name).into())),
            (true, true) => Ok(Self::Domain(without_dot(name).into())),
            (false, _) => {
                let cure = match text {
                    _ if !text.is_ascii() => "write it as DNS does, beginning with xn--",
                    _ if text.contains('*') => "a domain with all its names begins with a dot",
                    _ if text.contains(':') => "a host is without its port, every port is right",
                    _ => "it is like example.org, .example.org, 127.0.0.1 or [::1]",
                };
                Err(format!("allowed_hosts: {text:?} is no host: {cure}").into())
            }
        }
    }

    fn has(&self, host: &Host<'_>) -> bool {
        match (self, host) {
            (Self::Name(allowed), Host::Name(name)) => name.eq_ignore_ascii_case(allowed.as_bytes()),
            (Self::Domain(allowed), Host::Name(name)) => is_within(name, allowed.as_bytes()),
            (Self::Address(allowed), Host::Address(address)) => allowed == address,
            _ => false,
        }
    }
}

/// Whether a name is a domain or ends in it behind a dot: `evilexample.org` is not within `example.org`.
fn is_within(name: &[u8], domain: &[u8]) -> bool {
    match name.len().checked_sub(domain.len()).map(|at| name.split_at(at)) {
        Some((before, end)) => end.eq_ignore_ascii_case(domain) && matches!(before, [] | [.., b'.']),
        None => false,
    }
}

/// The host of a request.
enum Host<'a> {
    /// Without a dot at the end. An IPv4 address is one, too.
    Name(&'a [u8]),
    Address(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// RFC 9110, section 7.2: `Host = uri-host [ ":" port ]`.
    fn of_header(value: &'a [u8]) -> Option<Self> {
        let end = match value.first() {
            Some(b'[') => value.iter().position(|&byte| byte == b']')? + 1,
            _ => value.iter().position(|&byte| byte == b':').unwrap_or(value.len()),
        };
        let (host, port) = value.split_at(end);
        if !matches!(port, [] | [b':', ..]) || !port.iter().skip(1).all(u8::is_ascii_digit) {
            return None;
        }
        match host.first() {
            Some(b'[') => std::str::from_utf8(host).ok().and_then(address).map(Self::Address),
            _ => host_name(host).map(Self::Name),
        }
    }

    /// SERVER_NAME; an address may be without its brackets.
    fn of_server(name: &'a str) -> Option<Self> {
        address(name).map(Self::Address).or_else(|| host_name(name.as_bytes()).map(Self::Name))
    }
}

/// An IPv6 address with its brackets (RFC 3986, section 3.2.2) or without.
fn address(text: &str) -> Option<Ipv6Addr> {
    let inside = text.strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']'))?;
    inside.parse().ok()
}

/// A name of labels of letters, digits, `-` and `_`, without the dot at its end.
///
/// A `reg-name` of RFC 3986 may have more in it, but no host of ours has; and what reads a URL made of it might read
/// another host.
fn host_name(name: &[u8]) -> Option<&[u8]> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_label = |label: &[u8]| {
        !label.is_empty() && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.split(|&byte| byte == b'.').all(is_label).then_some(name)
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}
