//! The rules of a request: docs/spec.md, section "1. The environ".

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use http::header::HOST;
use http::{HeaderMap, Method};

use super::Faults;
use crate::environ::Environ;

/// What is wrong with an environ that a gateway, or a middleware outside, gives.
pub(super) fn faults(environ: &Environ) -> Faults {
    let mut faults = Faults::new();
    paths(environ, &mut faults);
    names(environ, &mut faults);
    hosts(environ, &mut faults);
    let method = environ.method().as_str();
    if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        faults.push(("E14", format!("the method is `{method}`")));
    }
    ambiguous(environ.headers(), &mut faults);
    faults
}

fn paths(environ: &Environ, faults: &mut Faults) {
    let (script_name, path_info) = (environ.script_name(), environ.path_info());
    let begins_well = |path: &str| path.is_empty() || path.starts_with('/');
    // A shift of the slash at the end, such as that of "/", leaves it in SCRIPT_NAME.
    let ends_well = !script_name.ends_with('/') || path_info.is_empty();
    if !begins_well(&script_name) || !ends_well {
        faults.push(("E4", format!("SCRIPT_NAME is {script_name:?} and PATH_INFO {path_info:?}")));
    }
    let is_asterisk = path_info == "*" && environ.method() == Method::OPTIONS;
    if !(begins_well(&path_info) || is_asterisk) {
        faults.push(("E5", format!("PATH_INFO of a {} is {path_info:?}", environ.method())));
    } else if path_info.is_empty() && script_name.is_empty() {
        faults.push(("E5", "SCRIPT_NAME and PATH_INFO are both empty".to_owned()));
    }
}

/// The names of the variables. Those that are computed are well named, and those of headers have names of their own.
fn names(environ: &Environ, faults: &mut Faults) {
    for (name, _) in environ.vars() {
        if !name.starts_with("HTTP_") && !is_of_cgi(&name) && !is_namespaced(&name) {
            faults.push(("E12", format!("there is a variable {name:?}")));
        }
    }
}

fn is_of_cgi(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// PEP 3333, "environ Variables": "lower-case letters, numbers, dots, and underscores".
fn is_namespaced(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    name.contains('.') && name.split('.').all(is_word)
}

fn hosts(environ: &Environ, faults: &mut Faults) {
    let server_name = environ.server_name();
    // RFC 3875, section 4.1.14, has brackets around IPv6; those who leave them out are understood by `Environ::url`.
    if server_name.is_empty() || !(is_host(server_name) || server_name.parse::<Ipv6Addr>().is_ok()) {
        faults.push(("E13", format!("SERVER_NAME is {server_name:?}")));
    }
    let mut values = environ.headers().get_all(HOST).iter();
    if let (Some(_), Some(_)) = (values.next(), values.next()) {
        faults.push(("E13", "there is more than one Host".to_owned()));
    }
    for value in environ.headers().get_all(HOST) {
        if !value.is_empty() && !value.to_str().is_ok_and(is_host_and_port) {
            faults.push(("E13", format!("Host is {value:?}")));
        }
    }
}

/// RFC 9110, section 7.2: `Host = uri-host [ ":" port ]`.
fn is_host_and_port(value: &str) -> bool {
    let (host, port) = match value.rfind(']') {
        Some(end) => value.split_at(end + 1),
        None => value.split_at(value.find(':').unwrap_or(value.len())),
    };
    let is_port = match port.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    !host.is_empty() && is_host(host) && is_port
}

/// RFC 3986, section 3.2.2: `host = IP-literal / IPv4address / reg-name`; an IPv4 address is a reg-name, too.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|literal| literal.parse::<Ipv6Addr>().is_ok() || is_address_of_the_future(literal)),
        None => is_registered_name(host),
    }
}

/// `IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`
fn is_address_of_the_future(literal: &str) -> bool {
    let Some((version, address)) = literal.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_version && !address.is_empty() && address.bytes().all(|byte| is_plain(byte) || byte == b':')
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )`
fn is_registered_name(name: &str) -> bool {
    let mut rest = name.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_plain(*byte) => rest,
            _ => return false,
        };
    }
}

/// `unreserved` or `sub-delims` of RFC 3986, section 2.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// Names that differ only in `-` and `_` are one variable for whoever maps them as CGI does.
fn ambiguous(headers: &HeaderMap, faults: &mut Faults) {
    if !headers.keys().any(|name| name.as_str().contains('_')) {
        return;
    }
    let mut spellings = BTreeMap::<String, &str>::new();
    for name in headers.keys() {
        if let Some(other) = spellings.insert(name.as_str().replace('_', "-"), name.as_str()) {
            faults.push(("E15", format!("there are headers `{other}` and `{name}`")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for host in ["a", "example.com", "127.0.0.1", "[::1]", "[v1.a:b]", "a%20b", "my_host", "a:80", "[::1]:80", "a:"]
        {
            assert!(is_host_and_port(host), "{host}");
        }
        for host in
            [":80", "a b", "a/b", "a@b", "::1", "[::1", "[::1]x", "[a]", "a:b", "a:1:2", "a%2", "a,b:1 ", "[v.a]"]
        {
            assert!(!is_host_and_port(host), "{host}");
        }
    }

    #[test]
    fn a_variable_is_in_capitals_or_has_a_namespace() {
        for name in ["DOCUMENT_ROOT", "SSL_CIPHER2", "my_auth.user", "a.b.c", "x2.y_z"] {
            assert!(is_of_cgi(name) || is_namespaced(name), "{name}");
        }
        for name in ["", "user", "Mixed_Case", "A-B", "_A", ".a", "a.", "a..b", "my.User", "2A"] {
            assert!(!(is_of_cgi(name) || is_namespaced(name)), "{name}");
        }
    }
}
