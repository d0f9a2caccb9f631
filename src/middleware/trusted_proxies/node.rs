//! The addresses and hosts that proxies write.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An address with or without a port, which is 0 then: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
///
/// `None` for everything else, also for `unknown` and `_name` (RFC 7239, section 6).
pub(super) fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    let (address, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let (address, rest) = inside.split_once(']')?;
            (IpAddr::V6(address.parse().ok()?), rest)
        }
        None => {
            let (address, _) = text.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), &text[address.len()..])
        }
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => 0,
        None => return None,
        // An obfuscated port hides nothing of the address.
        Some(hidden) if hidden.len() > 1 && hidden.starts_with('_') => 0,
        Some(port) => number(port.as_bytes())?,
    };
    Some(SocketAddr::new(address.to_canonical(), port))
}

/// A host as the Host header has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host<'a> {
    /// An IPv6 address is in brackets.
    pub(super) name: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Host<'a> {
    /// A name of letters, digits, `-`, `.` and `_`, or an address; and a port. It is narrower than RFC 3986 has it: no
    /// name of a server has more, and what an application does with it is not known.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let end = match text.strip_prefix('[') {
            Some(inside) => {
                let (address, _) = inside.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                address.len() + 2
            }
            None => text.find(':').unwrap_or(text.len()),
        };
        let (name, rest) = text.split_at(end);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !(name.starts_with('[') || name.bytes().all(is_name)) {
            return None;
        }
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            None => return None,
            Some("") => None,
            Some(port) => Some(number(port.as_bytes()).filter(|&port| port > 0)?),
        };
        Some(Self { name, port })
    }
}

/// A number of digits alone, up to 65535.
pub(super) fn number(digits: &[u8]) -> Option<u16> {
    crate::head::decimal(digits)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_brackets_and_ports_or_not() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("::ffff:192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:_hidden", "192.0.2.1:0"),
        ] {
            assert_eq!(address(text.as_bytes()), Some(expected.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.01",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:-1",
            "192.0.2.1:_",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[2001:db8::1]x",
            "[::1]80",
            "2001:db8::1]",
            "fe80::1%eth0",
            "a.example",
            "192.0.2.1 ",
            "192.0.2.1:80:80",
            "\u{e9}",
        ] {
            assert_eq!(address(text.as_bytes()), None, "{text}");
        }
        assert_eq!(address(b"\xff"), None);
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        let host = |name, port| Some(Host { name, port });
        assert_eq!(Host::parse(b"a.example"), host("a.example", None));
        assert_eq!(Host::parse(b"a_b-c.example:8080"), host("a_b-c.example", Some(8080)));
        assert_eq!(Host::parse(b"a.example:"), host("a.example", None));
        assert_eq!(Host::parse(b"[2001:db8::1]:443"), host("[2001:db8::1]", Some(443)));
        for text in [
            "",
            ":80",
            "a/b",
            "a b",
            "a@b",
            "a;proto=https",
            "a,b",
            "a:0",
            "a:65536",
            "a:x",
            "a:80:80",
            "[::1",
            "[a]",
            "[::1]x",
            "a\\b",
            "a?b",
            "a#b",
            "a%00",
            "\u{e9}",
        ] {
            assert_eq!(Host::parse(text.as_bytes()), None, "{text}");
        }
    }
}
