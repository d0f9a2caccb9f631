//! Entity tags, and the lists of them that requests carry: RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2.

use http::{HeaderMap, HeaderName, HeaderValue};

/// How two tags are compared: RFC 9110, section 8.8.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same bytes: neither of the two may be weak.
    Strong,
    /// The same content, for the purpose of a cache.
    Weak,
}

/// The lines of If-None-Match or If-Match, which outlive the request that they came with.
#[derive(Debug)]
pub(crate) struct EntityTags {
    first: HeaderValue,
    /// Nearly always empty, and then nothing is allocated.
    more: Vec<HeaderValue>,
}

impl EntityTags {
    /// The lines of this name, if there are any.
    pub(crate) fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).iter().cloned();
        Some(Self { first: lines.next()?, more: lines.collect() })
    }

    /// Whether they are met by a representation that is there and has this ETag, or none: they list it, or are `*`.
    ///
    /// It takes one walk over the lines and no memory, however many tags they list. What is no tag matches nothing.
    pub(crate) fn match_etag(&self, etag: Option<&HeaderValue>, comparison: Comparison) -> bool {
        let etag = etag.map(|etag| Tag::whole(etag.as_bytes()));
        std::iter::once(&self.first).chain(&self.more).any(|line| {
            let line = line.as_bytes();
            line.trim_ascii() == b"*" || etag.is_some_and(|etag| tags(line).any(|tag| tag.matches(etag, comparison)))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag<'a> {
    is_weak: bool,
    is_quoted: bool,
    opaque: &'a [u8],
}

impl<'a> Tag<'a> {
    /// The tag of a response; one without quotes is taken as it is.
    fn whole(value: &'a [u8]) -> Self {
        let value = value.trim_ascii();
        let (is_weak, value) = without_weakness(value);
        match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
            Some(opaque) => Self { is_weak, is_quoted: true, opaque },
            None => Self { is_weak, is_quoted: false, opaque: value },
        }
    }

    fn matches(self, etag: Self, comparison: Comparison) -> bool {
        let may_match = match comparison {
            // A client that has lost the quotes may have lost the `W/` too.
            Comparison::Strong => !self.is_weak && self.is_quoted && !etag.is_weak,
            Comparison::Weak => true,
        };
        may_match && self.opaque == etag.opaque
    }
}

/// `W/` is in upper case (RFC 9110, section 8.8.3); what means the same is never taken for strong.
fn without_weakness(value: &[u8]) -> (bool, &[u8]) {
    match value {
        [b'W' | b'w', b'/', rest @ ..] => (true, rest),
        _ => (false, value),
    }
}

/// The tags of a list. They may lack their quotes, as some clients send them, and then go to the next comma; a tag
/// whose quotes are never closed ends the list.
fn tags(mut list: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    std::iter::from_fn(move || {
        let start = list.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
        let (is_weak, rest) = without_weakness(&list[start..]);
        let (is_quoted, rest, end) = match rest.strip_prefix(b"\"") {
            Some(inside) => (true, inside, inside.iter().position(|&byte| byte == b'"')?),
            None => (false, rest, rest.iter().position(|&byte| byte == b',').unwrap_or(rest.len())),
        };
        let (opaque, after) = rest.split_at(end);
        list = after.strip_prefix(b"\"").unwrap_or(after);
        Some(Tag { is_weak, is_quoted, opaque: if is_quoted { opaque } else { opaque.trim_ascii_end() } })
    })
}

#[cfg(test)]
mod tests {
    use http::header::IF_NONE_MATCH;
    use proptest::prelude::*;

    use super::*;

    fn matches(lines: &[&str], etag: &str, comparison: Comparison) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let etag = HeaderValue::from_bytes(etag.as_bytes()).unwrap();
        EntityTags::of(&headers, &IF_NONE_MATCH).unwrap().match_etag(Some(&etag), comparison)
    }

    #[test]
    fn the_two_comparisons_are_those_of_the_table_in_section_8_8_3_2() {
        for (one, other, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
            (r#""1""#, r#"W/"1""#, false, true),
        ] {
            assert_eq!(matches(&[one], other, Comparison::Strong), strong, "{one} {other}");
            assert_eq!(matches(&[one], other, Comparison::Weak), weak, "{one} {other}");
        }
    }

    #[test]
    fn lists_are_read_as_clients_write_them() {
        for list in [
            r#""a""#,
            r#"  "a"  "#,
            r#""x","a""#,
            r#"W/"x" ,	"a""#,
            r#",, ,"a","#,
            r#""x" "a""#,
            r#""x,y", "a""#,
            r#"x, "a""#,
            r#""a"garbage"#,
            "*",
            " * ",
        ] {
            assert!(matches(&[list], r#""a""#, Comparison::Weak), "{list}");
            assert!(matches(&[list], r#""a""#, Comparison::Strong), "{list}");
            assert!(matches(&[r#""x""#, list], r#""a""#, Comparison::Strong), "{list} on the second line");
        }
        for list in ["a", "x, a ,y", "W/a", r#"w/"a""#] {
            assert!(matches(&[list], r#""a""#, Comparison::Weak), "{list}");
            assert!(!matches(&[list], r#""a""#, Comparison::Strong), "{list}");
        }
        for list in
            ["", ",", r#"""#, r#""a"#, r#""x, "a""#, r#""A""#, r#"" a""#, r#""a ""#, "ab", "W/", r#""x", *"#, "**"]
        {
            assert!(!matches(&[list], r#""a""#, Comparison::Weak), "{list}");
        }
    }

    #[test]
    fn an_etag_may_be_empty_or_without_quotes_or_hold_a_comma() {
        for etag in [r#""""#, r#""a,b""#, r#"W/"a,b""#, r#""*""#, "abc"] {
            assert!(matches(&[etag], etag, Comparison::Weak), "{etag}");
        }
        assert!(matches(&[r#""abc""#], "abc", Comparison::Weak));
    }

    #[test]
    fn where_there_is_no_etag_only_the_star_matches() {
        for (line, is_met) in [("*", true), (r#""a""#, false), (r#""""#, false)] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(line))]);
            let tags = EntityTags::of(&headers, &IF_NONE_MATCH).unwrap();
            assert_eq!(tags.match_etag(None, Comparison::Weak), is_met, "{line}");
        }
        assert!(EntityTags::of(&HeaderMap::new(), &IF_NONE_MATCH).is_none());
    }

    fn opaque() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just('a'), Just('b'), Just(','), Just('*'), Just('/'), Just('W')], 0..4)
            .prop_map(String::from_iter)
    }

    proptest! {
        /// A well-formed list has exactly the tags that were put into it.
        #[test]
        fn a_list_gives_back_what_it_is_made_of(
            tags_in in proptest::collection::vec((any::<bool>(), opaque()), 0..6),
            etag in opaque(),
            separator in prop_oneof![Just(","), Just(", "), Just(" ,\t"), Just(",,")],
        ) {
            let written: Vec<String> =
                tags_in.iter().map(|(weak, opaque)| format!("{}\"{opaque}\"", if *weak { "W/" } else { "" })).collect();
            let list = written.join(separator);
            let read: Vec<(bool, String)> =
                tags(list.as_bytes()).map(|tag| (tag.is_weak, String::from_utf8(tag.opaque.to_vec()).unwrap())).collect();
            prop_assert_eq!(&read, &tags_in);
            let quoted = format!("\"{etag}\"");
            let weak = tags_in.iter().any(|(_, opaque)| *opaque == etag);
            let strong = tags_in.iter().any(|(is_weak, opaque)| !is_weak && *opaque == etag);
            prop_assert_eq!(matches(&[&list], &quoted, Comparison::Weak), weak);
            prop_assert_eq!(matches(&[&list], &quoted, Comparison::Strong), strong);
        }

        /// Whatever comes, the tags lie in the list one after the other, so that each byte is looked at once.
        #[test]
        fn any_bytes_are_read_once(list in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b' '), any::<u8>()], 0..60)) {
            let mut at = 0;
            for tag in tags(&list) {
                let start = tag.opaque.as_ptr() as usize - list.as_ptr() as usize;
                prop_assert!(start >= at && start + tag.opaque.len() <= list.len());
                at = start + tag.opaque.len();
            }
        }
    }
}
