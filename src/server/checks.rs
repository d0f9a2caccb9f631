//! What no adapter passes on: requests that HTTP forbids, or that two parties could read differently.

use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Version};

use crate::error::{Error, Result};

/// Checks a request, and lets the host of an absolute target replace the Host header.
///
/// Every look at a header costs. So what frames a body is looked at only where there is one (`has_body`).
/// `needs_host` says that the request has come over a wire, where HTTP/1.1 demands a Host.
///
/// # Errors
///
/// With the status to answer with; the connection is closed then.
pub(crate) fn check(parts: &mut Parts, has_body: bool, needs_host: bool) -> Result<()> {
    check_target(parts)?;
    check_host(parts, needs_host)?;
    if has_body {
        check_framing(parts)?;
    }
    match parts.headers.get(EXPECT) {
        // RFC 9110, section 10.1.1: another expectation MAY be answered with 417.
        Some(expect) if !expect.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Error::with_status(StatusCode::EXPECTATION_FAILED, "an Expect other than 100-continue"))
        }
        _ => Ok(()),
    }
}

fn check_target(parts: &Parts) -> Result<()> {
    if parts.method == Method::CONNECT {
        return Err(Error::with_status(StatusCode::NOT_IMPLEMENTED, "CONNECT is for proxies"));
    }
    let path = parts.uri.path().as_bytes();
    let is_asterisk = path == b"*";
    // RFC 9112, section 3.2: the asterisk-form is for OPTIONS, the authority-form for CONNECT.
    if (is_asterisk && parts.method != Method::OPTIONS) || !(is_asterisk || path.starts_with(b"/")) {
        return Err(malformed("a target that is neither path nor URI"));
    }
    let query = parts.uri.query().unwrap_or("");
    // RFC 3986, section 2: a URI is ASCII; two readers would decode other bytes differently.
    if !path.is_ascii() || !query.is_ascii() {
        return Err(malformed("a byte beyond ASCII in the target"));
    }
    match has_whole_escapes(path) {
        true => Ok(()),
        false => Err(malformed("half an escape in the path")),
    }
}

/// RFC 3986, section 2.1: `%` HEXDIG HEXDIG.
fn has_whole_escapes(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        match &rest[at + 1..] {
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = after,
            _ => return false,
        }
    }
    true
}

fn check_host(parts: &mut Parts, is_needed: bool) -> Result<()> {
    // Whether names repeat is known without a look at one, and mostly none does.
    let is_alone = parts.headers.len() == parts.headers.keys_len() || parts.headers.get_all(HOST).iter().count() < 2;
    // RFC 9112, section 3.2: 400 to a request that lacks Host, has more than one, or an invalid one.
    let is_valid = match parts.headers.get(HOST) {
        Some(host) => is_alone && is_host(host.as_bytes()),
        // RFC 9113, section 8.3.1: `:authority` stands for it.
        None if !is_needed => true,
        None if parts.version > Version::HTTP_11 => parts.uri.authority().is_some(),
        None => parts.version < Version::HTTP_11,
    };
    if !is_valid {
        return Err(malformed("a Host that is missing, repeated or invalid"));
    }
    if let Some(authority) = parts.uri.authority() {
        if !is_host(authority.as_str().as_bytes()) {
            return Err(malformed("an authority that is no host"));
        }
        // RFC 9113, section 8.3.1: a Host that differs from `:authority` SHOULD be treated as malformed.
        let differs = |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
        if parts.version == Version::HTTP_2 && parts.headers.get(HOST).is_some_and(differs) {
            return Err(malformed("a Host that differs from the authority"));
        }
        // RFC 9112, section 3.2.2: an origin server MUST ignore the received Host and use the target's.
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| malformed("an authority that is no host"))?;
        parts.headers.insert(HOST, host);
    }
    Ok(())
}

/// RFC 9110, section 7.2: `uri-host [ ":" port ]`, without the comma, by which two Hosts would be joined. Empty is
/// allowed.
fn is_host(host: &[u8]) -> bool {
    let is_name = |&byte: &u8| IS_OF_NAME[usize::from(byte)];
    let (name_is_valid, rest) = match host.split_first() {
        // RFC 3986, section 3.2.2: an IPv6 address stands in brackets.
        Some((b'[', address)) => {
            let end = address.iter().position(|&byte| byte == b']').unwrap_or(0);
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
            (end > 0 && address[..end].iter().all(is_address), address.get(end + 1..).unwrap_or_default())
        }
        _ => {
            let end = host.iter().position(|&byte| byte == b':').unwrap_or(host.len());
            (host[..end].iter().all(is_name), &host[end..])
        }
    };
    name_is_valid && (rest.is_empty() || (rest[0] == b':' && is_port(&rest[1..])))
}

/// The bytes of a `reg-name`, RFC 3986, section 3.2.2, without the comma. A table, since every byte of every Host is
/// looked up.
static IS_OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut names: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+;=";
    while let [byte, rest @ ..] = names {
        table[*byte as usize] = true;
        names = rest;
    }
    table
};

/// RFC 3986, section 3.2.3: `*DIGIT`, so it may be empty; it has to be one that there is.
fn is_port(port: &[u8]) -> bool {
    let number = port.iter().try_fold(0_u32, |number, byte| match byte {
        b'0'..=b'9' => Some(number.saturating_mul(10).saturating_add(u32::from(byte - b'0'))),
        _ => None,
    });
    number.is_some_and(|number| number <= u32::from(u16::MAX))
}

fn check_framing(parts: &Parts) -> Result<()> {
    let lengths = parts.headers.get_all(CONTENT_LENGTH).iter().count();
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if lengths > 1 || codings.next().is_some() || (coding.is_some() && lengths > 0) {
        return Err(malformed("more than one Content-Length or Transfer-Encoding"));
    }
    match coding {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Err(malformed("a Transfer-Encoding other than chunked"))
        }
        _ => Ok(()),
    }
}

/// The texts are for the log: what a request has that it must not have.
#[cold]
fn malformed(what: &'static str) -> Error {
    Error::with_status(StatusCode::BAD_REQUEST, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A method, a target, headers, and the status that they are refused with.
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);

    fn checked(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Parts, StatusCode> {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        check(&mut parts, true, true).map(|()| parts).map_err(|error| error.status().unwrap())
    }

    #[test]
    fn what_http_forbids_is_refused_with_the_right_status() {
        let host = ("host", "example.com");
        let rows: &[Row<'_>] = &[
            ("GET", "/", &[], 400),
            ("GET", "/", &[host, ("host", "other")], 400),
            ("GET", "/", &[("host", "a,b")], 400),
            ("GET", "/", &[("host", "a/b@c")], 400),
            ("GET", "/", &[("host", "a b")], 400),
            ("GET", "/", &[("host", "a:b")], 400),
            ("GET", "/", &[("host", "a:65536")], 400),
            ("GET", "/", &[("host", "a:80:80")], 400),
            ("GET", "/", &[("host", "[::1")], 400),
            ("GET", "/", &[("host", "[]:80")], 400),
            ("GET", "/", &[("host", "[::1]a")], 400),
            ("GET", "/", &[("host", "::1")], 400),
            ("GET", "*", &[host], 400),
            ("GET", "example.com:443", &[host], 400),
            ("CONNECT", "example.com:443", &[host], 501),
            ("GET", "/%zz", &[host], 400),
            ("GET", "/%", &[host], 400),
            ("GET", "/%u0041", &[host], 400),
            ("GET", "/\u{e9}", &[host], 400),
            ("GET", "/?\u{e9}", &[host], 400),
            ("POST", "/", &[host, ("content-length", "2"), ("content-length", "2")], 400),
            ("POST", "/", &[host, ("content-length", "2"), ("transfer-encoding", "chunked")], 400),
            ("POST", "/", &[host, ("transfer-encoding", "chunked, chunked")], 400),
            ("POST", "/", &[host, ("transfer-encoding", "gzip")], 400),
            ("GET", "/", &[host, ("expect", "200-maybe")], 417),
        ];
        for (method, target, headers, status) in rows {
            let refused = checked(method, target, headers).map(drop);
            assert_eq!(refused, Err(StatusCode::from_u16(*status).unwrap()), "{method} {target} {headers:?}");
        }
    }

    #[test]
    fn what_http_allows_passes() {
        let host = ("host", "example.com:8000");
        for (method, target) in [("GET", "/"), ("OPTIONS", "*"), ("BREW", "/a%20b/../c?x=%E3&y=%"), ("get", "//a///b")]
        {
            assert!(checked(method, target, &[host]).is_ok(), "{method} {target}");
        }
        assert!(checked("GET", "/", &[("host", "[::1]:8000")]).is_ok());
        for host in ["", "a:", "a:80", "[::1]", "[::ffff:1.2.3.4]:65535", "xn--a_b.example"] {
            assert!(checked("GET", "/", &[("host", host)]).is_ok(), "{host}");
        }
        assert!(checked("POST", "/", &[host, ("expect", "100-Continue"), ("transfer-encoding", "Chunked")]).is_ok());
    }

    #[test]
    fn the_host_of_an_absolute_target_replaces_the_header() {
        let parts = checked("GET", "http://target.example/x", &[("host", "header.example")]).unwrap();
        assert_eq!(parts.headers[HOST], "target.example");
    }
}
