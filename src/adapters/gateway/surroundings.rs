//! What a request has from its connection and not from itself: scheme, server, client.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::Version;
use http::uri::Scheme;

use super::variables::Variables;

/// SERVER_PROTOCOL. What is absent, `INCLUDED` (a page that includes another, RFC 3875, section 4.1.16) or odd is
/// HTTP/1.0: the version that promises the least, and that needs no Host.
pub(super) fn version(variables: &Variables<'_>) -> Version {
    match variables.protocol {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/2.0" | b"HTTP/2" => Version::HTTP_2,
        b"HTTP/3.0" | b"HTTP/3" => Version::HTTP_3,
        b"HTTP/0.9" => Version::HTTP_09,
        _ => Version::HTTP_10,
    }
}

/// HTTPS, which every front end sends that uses TLS, or REQUEST_SCHEME, which some do not.
pub(super) fn scheme(variables: &Variables<'_>) -> Scheme {
    let is_off = ["", "off", "0"].iter().any(|off| variables.https.eq_ignore_ascii_case(off.as_bytes()));
    match !is_off || variables.scheme.eq_ignore_ascii_case(b"https") {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    }
}

/// SERVER_NAME without the port that HAProxy adds; or SERVER_ADDR, where NGINX has no `server_name`, or one that is a
/// pattern. "" where neither is a host.
pub(super) fn server_name<'a>(variables: &Variables<'a>) -> &'a str {
    host(variables.server_name).or_else(|| host(variables.server_addr)).unwrap_or_default()
}

/// SERVER_PORT; that of the scheme where it is none, as behind a unix socket.
pub(super) fn server_port(variables: &Variables<'_>, scheme: &Scheme) -> u16 {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    number(variables.server_port).filter(|&port| port > 0).unwrap_or(default)
}

/// REMOTE_ADDR and REMOTE_PORT; a client on a unix socket has no address.
pub(super) fn remote_addr(variables: &Variables<'_>) -> Option<SocketAddr> {
    let address: IpAddr = std::str::from_utf8(variables.remote_addr).ok()?.parse().ok()?;
    Some(SocketAddr::new(address, number(variables.remote_port).unwrap_or(0)))
}

fn number(digits: &[u8]) -> Option<u16> {
    match digits.iter().all(u8::is_ascii_digit) {
        true => std::str::from_utf8(digits).ok()?.parse().ok(),
        false => None,
    }
}

/// The host of RFC 3986, section 3.2.2, before an optional port.
fn host(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    // Only what has colons can be one.
    if text.contains(':') && text.parse::<Ipv6Addr>().is_ok() {
        return Some(text);
    }
    let (host, port) = match text.find(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        // `reg-name`, without the escapes that no name has.
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)),
    };
    (is_port && is_host && !host.is_empty()).then_some(host)
}
