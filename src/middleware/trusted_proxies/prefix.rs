//! The prefix that a proxy has taken off a path.

/// A prefix as SCRIPT_NAME has it, encoded: `/app`. A slash at its end is taken off.
///
/// `None` for what would make another path of it than the proxy's: `//evil.example` is a host to browsers, and `..`, a
/// backslash, an encoded slash and what is no path at all lead elsewhere.
pub(super) fn parse(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let prefix = text.strip_suffix('/').unwrap_or(text);
    let segments = prefix.strip_prefix('/')?;
    segments.split('/').all(is_segment).then_some(prefix)
}

fn is_segment(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return false };
                // Two digits make a byte.
                decoded.push(u8::try_from(high << 4 | low).unwrap_or_default());
            }
            // RFC 3986, section 3.3: `pchar`.
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) => decoded.push(byte),
            _ => return false,
        }
    }
    let is_harmless = |&byte: &u8| !byte.is_ascii_control() && byte != b'/' && byte != b'\\';
    !matches!(&decoded[..], b"" | b"." | b"..") && decoded.iter().all(is_harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_that_stays_where_it_is() {
        for (text, expected) in
            [("/app", "/app"), ("/app/", "/app"), ("/a/b", "/a/b"), ("/a%20b", "/a%20b"), ("/%C3%A9", "/%C3%A9")]
        {
            assert_eq!(parse(text.as_bytes()), Some(expected));
        }
        for text in [
            "",
            "/",
            "app",
            "//",
            "//evil",
            "/a//b",
            "/a//",
            "/..",
            "/a/../b",
            "/.",
            "/%2e%2e",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a b",
            "/%",
            "/%4",
            "/%zz",
            "/a?b",
            "/a#b",
            "/%00",
            "/%0a",
            "\\evil",
            "http://evil",
            "/\u{e9}",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
