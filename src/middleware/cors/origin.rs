//! An origin as browsers write it: RFC 6454, section 6.2.

use http::HeaderValue;
use http::uri::Authority;

use crate::error::{Error, Result};

/// Checks an origin of the configuration, and writes it as a browser would.
pub(super) fn parse(origin: &str) -> Result<HeaderValue> {
    let fault =
        |what: &str| Error::from(format!("CORS: {origin:?} is no origin such as \"https://shop.example\": {what}"));
    if origin == "null" {
        return Ok(HeaderValue::from_static("null"));
    }
    if origin.contains('*') {
        return Err(fault("use Cors::any_origin, or Cors::origin_if for a part of them"));
    }
    let (scheme, host) = origin.split_once("://").ok_or_else(|| fault("it has no scheme"))?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return Err(fault("its scheme is none"));
    }
    if host.contains(['/', '?', '#', '\\', '@']) {
        return Err(fault("it has a path, a query or a user, or ends with a slash"));
    }
    if !host.is_ascii() {
        return Err(fault("browsers send the host in ASCII, as in \"https://xn--tee-example\""));
    }
    let authority = Authority::try_from(host).map_err(|_| fault("its host is none"))?;
    let (scheme, name) = (scheme.to_ascii_lowercase(), authority.host().to_ascii_lowercase());
    let port = match host.get(authority.host().len()..) {
        _ if name.is_empty() => return Err(fault("it has no host")),
        None | Some("") => None,
        Some(port) => match port.strip_prefix(':').map(str::parse::<u16>) {
            Some(Ok(port)) => Some(port),
            _ => return Err(fault("its port is none")),
        },
    };
    let default = match &*scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let written = match port.filter(|_| port != default) {
        Some(port) => format!("{scheme}://{name}:{port}"),
        None => format!("{scheme}://{name}"),
    };
    HeaderValue::try_from(written).map_err(|_| fault("it has characters that no header has"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (origin, written) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.Example", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://shop.example:80", "http://shop.example"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://127.0.0.1", "https://127.0.0.1"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("null", "null"),
        ] {
            assert_eq!(parse(origin).unwrap(), written, "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_the_reason() {
        for (origin, reason) in [
            ("", "no scheme"),
            ("shop.example", "no scheme"),
            ("//shop.example", "no scheme"),
            ("https://", "host"),
            ("https://:443", "host"),
            ("://shop.example", "scheme"),
            ("1http://shop.example", "scheme"),
            ("https://shop.example/", "slash"),
            ("https://shop.example/path", "path"),
            ("https://shop.example?q", "query"),
            ("https://user@shop.example", "user"),
            ("*", "any_origin"),
            ("https://*.shop.example", "any_origin"),
            ("https://shop.example:", "port"),
            ("https://shop.example:x", "port"),
            ("https://shop.example:99999", "port"),
            ("https://shop.example:80:80", ""),
            ("https://käse.example", "ASCII"),
            ("https://shop example", "host"),
            ("https://a, https://b", ""),
            ("https://shop.example\r\nx", ""),
        ] {
            let error = parse(origin).expect_err(origin).to_string();
            assert!(error.contains(reason) && error.contains("no origin such as"), "{origin:?}: {error}");
        }
    }
}
