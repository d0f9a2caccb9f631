//! The path of a request as the path of a file: segment by segment, and only those that no system reads otherwise.

use std::borrow::Cow;

/// A path below the root, decoded, without a slash at either end; empty for the root itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Relative<'a> {
    pub(super) path: Cow<'a, [u8]>,
    /// Whether the path that was asked for ends with a slash.
    pub(super) is_directory: bool,
}

/// The file that the raw path below the mount names; `None` for one that names no file, whatever is on disk.
///
/// It is cut into segments before these are decoded, so that a slash that was encoded cannot make two of one.
pub(super) fn relative(raw: &str, hidden: bool) -> Option<Relative<'_>> {
    let Some(below) = raw.strip_prefix('/') else {
        // The mount point itself, without its slash. What else has none, such as `*`, is no path.
        return raw.is_empty().then_some(Relative { path: Cow::Borrowed(b""), is_directory: false });
    };
    if below.is_empty() {
        return Some(Relative { path: Cow::Borrowed(b""), is_directory: true });
    }
    let (segments, is_directory) = match below.strip_suffix('/') {
        Some(segments) => (segments, true),
        None => (below, false),
    };
    if !segments.contains('%') {
        let sound = segments.split('/').all(|segment| is_sound(segment.as_bytes(), hidden));
        return sound.then_some(Relative { path: Cow::Borrowed(segments.as_bytes()), is_directory });
    }
    let mut path = Vec::with_capacity(segments.len());
    for segment in segments.split('/') {
        let begin = path.len();
        decode(segment, &mut path)?;
        if !is_sound(&path[begin..], hidden) {
            return None;
        }
        path.push(b'/');
    }
    path.pop();
    Some(Relative { path: Cow::Owned(path), is_directory })
}

/// Undoes percent-encoding once; `None` for what is none.
fn decode(segment: &str, decoded: &mut Vec<u8>) -> Option<()> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    Some(())
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

/// Whether a decoded segment is the name of one file, here and on a system that a directory is shared with: no way up
/// and no way elsewhere, no end that Windows drops, no letter of a drive. A name that begins with a dot is hidden, but for
/// the one that is there to be found: RFC 8615.
pub(super) fn is_sound(segment: &[u8], hidden: bool) -> bool {
    let is_plain = |&byte: &u8| byte >= b' ' && !matches!(byte, b'/' | b'\\' | 0x7f);
    let (Some(first), Some(last)) = (segment.first(), segment.last()) else { return false };
    let is_drive = segment.len() > 1 && segment[1] == b':' && first.is_ascii_alphabetic();
    // `.` and `..` end with a dot.
    segment.iter().all(is_plain)
        && !matches!(last, b'.' | b' ')
        && !is_drive
        && (hidden || *first != b'.' || segment == b".well-known")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(raw: &str) -> Option<(Vec<u8>, bool)> {
        relative(raw, false).map(|found| (found.path.into_owned(), found.is_directory))
    }

    #[test]
    fn what_names_a_file_is_its_path() {
        assert_eq!(path(""), Some((b"".to_vec(), false)));
        assert_eq!(path("/"), Some((b"".to_vec(), true)));
        assert_eq!(path("/a/b.txt"), Some((b"a/b.txt".to_vec(), false)));
        assert_eq!(path("/a/b/"), Some((b"a/b".to_vec(), true)));
        assert_eq!(path("/a%20b/%C3%A4%ff"), Some((b"a b/\xc3\xa4\xff".to_vec(), false)));
        assert_eq!(path("/100%25"), Some((b"100%".to_vec(), false)));
        assert_eq!(path("/%2541"), Some((b"%41".to_vec(), false)), "decoded once");
        assert_eq!(path("/12:30"), Some((b"12:30".to_vec(), false)));
    }

    #[test]
    fn what_names_none_is_refused() {
        for raw in [
            "*",
            "a",
            "//",
            "//etc/passwd",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/../a",
            "/a/../b",
            "/a/..",
            "/a/./b",
            "/%2e%2e/a",
            "/%2E./a",
            "/.%2e",
            "/..%2fa",
            "/a%2fb",
            "/a%2F..%2Fb",
            "/%5c..%5c",
            "/a%5Cb",
            "/a\\b",
            "/c:/x",
            "/C%3a",
            "/a%00.txt",
            "/%00",
            "/a%0a",
            "/a%7f",
            "/.git/",
            "/.git/config",
            "/a/.env",
            "/%2egit/config",
            "/a.",
            "/a%2e",
            "/a%20",
            "/a/b./c",
            "/...",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
        ] {
            assert_eq!(path(raw), None, "{raw:?}");
        }
        assert!(relative("/.git/config", true).is_some());
        assert!(relative("/../config", true).is_none() && relative("/a/%2e%2e", true).is_none());
    }

    proptest! {
        #[test]
        fn nothing_that_is_found_leads_up_or_elsewhere(raw in "/([a.%25cfCF:/\\\\ \u{0}-]|%2[eEfF]|%5c){0,24}", hidden: bool) {
            if let Some(found) = relative(&raw, hidden) {
                let segments: Vec<&[u8]> = found.path.split(|&byte| byte == b'/').collect();
                let is_root = found.path.is_empty();
                prop_assert!(is_root || segments.iter().all(|one| !one.is_empty() && *one != b"." && *one != b".."));
                prop_assert!(!found.path.contains(&0) && !found.path.contains(&b'\\') && !found.path.starts_with(b"/"));
                prop_assert_eq!(segments.len(), raw.trim_end_matches('/').matches('/').count().max(1));
            }
        }
    }
}
