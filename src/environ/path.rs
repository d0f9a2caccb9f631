//! Paths: percent-coding, the split at the mount point, and the shift of a segment.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;

use super::Environ;
use crate::error::{Fault, Result};

impl Environ {
    /// The raw path in two: SCRIPT_NAME and PATH_INFO, both encoded.
    pub(crate) fn raw_parts(&self) -> (&str, &str) {
        self.raw_path().split_at(self.0.beyond.mounted)
    }

    /// Replaces the path by an encoded one, and keeps the query.
    pub(crate) fn set_raw(&mut self, script_name: &str, path_info: &str) -> Result<()> {
        self.0.parts.uri = with_path(self.uri(), &format!("{script_name}{path_info}"))?;
        self.0.beyond.mounted = script_name.len();
        Ok(())
    }

    /// PATH_INFO with its percent-encoding.
    pub(crate) fn raw_path_info(&self) -> &str {
        &self.raw_path()[self.0.beyond.mounted..]
    }

    /// How many bytes of the raw path are SCRIPT_NAME.
    pub(crate) fn mounted(&self) -> usize {
        self.0.beyond.mounted
    }

    /// Moves as many bytes of PATH_INFO to SCRIPT_NAME: those of whole segments.
    pub(crate) fn mount(&mut self, bytes: usize) {
        self.0.beyond.mounted += bytes;
    }
}

/// The longest path and query that `http::Uri` holds, in bytes.
const MAX_URI: usize = (u16::MAX - 1) as usize;

/// Undoes percent-encoding once. What is not `%` and two hexadecimal digits stays as it is.
pub(crate) fn decode(raw: &str) -> Cow<'_, [u8]> {
    let bytes = raw.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// Percent-encodes all that a path cannot hold as it is.
pub(crate) fn encode(decoded: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut raw = String::with_capacity(decoded.len());
    for &byte in decoded {
        match is_plain(byte) {
            true => raw.push(byte as char),
            false => raw.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]].map(char::from)),
        }
    }
    raw
}

/// What a path can hold as it is: RFC 3986, section 3.3, `pchar` and the slash.
pub(crate) const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&'..=b';' | b'=' | b'@'..=b'Z' | b'_' | b'a'..=b'z' | b'~')
}

pub(crate) fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        },
    }
}

/// Where the raw path divides into these two, if it is the two of them encoded.
pub(crate) fn split_agrees(raw: &str, script_name: &[u8], path_info: &[u8]) -> Option<usize> {
    let decoded = decode(raw);
    if decoded.len() != script_name.len() + path_info.len()
        || !decoded.starts_with(script_name)
        || !decoded.ends_with(path_info)
    {
        return None;
    }
    // The length of the raw text that gives as many bytes as SCRIPT_NAME has.
    let (mut at, mut left) = (0, script_name.len());
    let bytes = raw.as_bytes();
    while left > 0 {
        let escaped = matches!(&bytes[at..], [b'%', high, low, ..] if hex(*high).is_some() && hex(*low).is_some());
        at += if escaped { 3 } else { 1 };
        left -= 1;
    }
    raw.is_char_boundary(at).then_some(at)
}

/// The URI with another path.
pub(crate) fn with_path(uri: &Uri, path: &str) -> Result<Uri> {
    // A request has a path: where both SCRIPT_NAME and PATH_INFO are empty, that is the root.
    let path = if path.is_empty() { "/" } else { path };
    replace(uri, path, uri.query())
}

/// The URI with another query; "" is none.
pub(crate) fn with_query(uri: &Uri, query: &str) -> Result<Uri> {
    if query.contains('#') {
        return Err(Fault::Malformed("a query has no `#`: it would begin the fragment".to_owned()).into());
    }
    replace(uri, uri.path(), Some(query).filter(|query| !query.is_empty()))
}

fn replace(uri: &Uri, path: &str, query: Option<&str>) -> Result<Uri> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if text.len() > MAX_URI {
        return Err(Fault::UriTooLong { limit: MAX_URI }.into());
    }
    let malformed = |error: &dyn std::fmt::Display| Fault::Malformed(format!("path or query: {error}"));
    let path_and_query = PathAndQuery::try_from(text).map_err(|error| malformed(&error))?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    Ok(Uri::from_parts(parts).map_err(|error| malformed(&error))?)
}

/// What a shift makes of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shifted {
    /// `None` where the segment was `.`, which names nothing.
    pub(crate) name: Option<String>,
    pub(crate) script_name: String,
    pub(crate) path_info: String,
}

/// The algorithm of `wsgiref.util.shift_path_info`, on raw segments, so that `%2F` stays in its own.
/// `None` where there is no segment.
pub(crate) fn shift(script_name: &str, path_info: &str) -> Option<Shifted> {
    if path_info.is_empty() {
        return None;
    }
    let is = |segment: &str, name: &[u8]| *decode(segment) == *name;
    let mut segments: Vec<&str> = path_info.split('/').collect();
    let last = segments.len() - 1;
    let mut index = 0;
    segments.retain(|segment| {
        let inner = index != 0 && index != last;
        index += 1;
        !inner || !(segment.is_empty() || is(segment, b"."))
    });
    // What does not begin with a slash, such as `*`, has no segment to shift.
    let name = if segments.len() > 1 { segments.remove(1) } else { return None };
    let path_info = segments.join("/");

    let joined = format!("{script_name}/{name}");
    let mut normal: Vec<&str> = Vec::new();
    for segment in joined.split('/').filter(|segment| !segment.is_empty() && !is(segment, b".")) {
        match is(segment, b"..") {
            true => drop(normal.pop()),
            false => normal.push(segment),
        }
    }
    let mut script_name: String = normal.iter().flat_map(|segment| ["/", segment]).collect();
    if name.is_empty() {
        script_name.push('/');
    }
    let name = (!is(name, b".")).then(|| lossy(decode(name)).into_owned());
    Some(Shifted { name, script_name, path_info })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_encoded_slash_stays_in_its_segment() {
        let shifted = shift("", "/a%2Fb/c").unwrap();
        assert_eq!(shifted.name.as_deref(), Some("a/b"));
        assert_eq!((&*shifted.script_name, &*shifted.path_info), ("/a%2Fb", "/c"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_to_the_same(bytes: Vec<u8>) {
            let raw = encode(&bytes);
            prop_assert!(raw.is_ascii());
            prop_assert_eq!(&*decode(&raw), &bytes[..]);
        }

        #[test]
        fn decoding_never_panics_and_never_grows(raw: String) {
            prop_assert!(decode(&raw).len() <= raw.len());
        }

        #[test]
        fn a_split_that_agrees_gives_both_parts(script: Vec<u8>, path: Vec<u8>) {
            let raw = format!("{}{}", encode(&script), encode(&path));
            let at = split_agrees(&raw, &script, &path).unwrap();
            prop_assert_eq!(&*decode(&raw[..at]), &script[..]);
            prop_assert_eq!(&*decode(&raw[at..]), &path[..]);
        }

        #[test]
        fn a_shift_never_panics_and_always_shortens(script in "(/[a-z.%]{0,3}){0,3}", path in "(/[a-z.%2Ff]{0,4}){0,6}") {
            if let Some(shifted) = shift(&script, &path) {
                prop_assert!(shifted.path_info.len() < path.len());
            }
        }
    }
}
