//! Vary: the request headers that a response depends on, one of which a middleware adds.

use bytes::Bytes;
use http::header::{Entry, VARY};
use http::{HeaderMap, HeaderValue};

/// Names a request header in Vary, unless it is there already or `*` is (RFC 9110, section 12.5.5).
pub(super) fn vary_by(headers: &mut HeaderMap, name: &'static str) {
    let mut vary = match headers.entry(VARY) {
        Entry::Vacant(vacant) => {
            vacant.insert(HeaderValue::from_static(name));
            return;
        }
        Entry::Occupied(vary) => vary,
    };
    if vary.iter().any(|value| lists(value.as_bytes(), name)) {
        return;
    }
    // Into the first line, since some who read the header read no other.
    let first = vary.get().as_bytes();
    let merged = match first.trim_ascii() {
        [] => Bytes::from_static(name.as_bytes()),
        first => [first, b", ", name.as_bytes()].concat().into(),
    };
    // A value and a name are a value.
    if let Ok(merged) = HeaderValue::from_maybe_shared(merged) {
        *vary.get_mut() = merged;
    }
}

fn lists(value: &[u8], name: &str) -> bool {
    let mut members = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    members.any(|member| member == b"*" || member.eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_added_once_and_beside_what_is_there() {
        for (before, after) in [
            (&[][..], &["Origin"][..]),
            (&["Accept"], &["Accept, Origin"]),
            (&["Accept", "Cookie"], &["Accept, Origin", "Cookie"]),
            (&["accept,ORIGIN "], &["accept,ORIGIN "]),
            (&["Accept", "Origin"], &["Accept", "Origin"]),
            (&["*"], &["*"]),
            (&["X-Origin"], &["X-Origin, Origin"]),
            (&[""], &["Origin"]),
        ] {
            let mut headers = HeaderMap::new();
            for value in before {
                headers.append(VARY, HeaderValue::from_static(value));
            }
            vary_by(&mut headers, "Origin");
            vary_by(&mut headers, "Origin");
            assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), after, "{before:?}");
        }
    }
}
