//! Conditional requests: whether a file is sent, given what the client has of it (RFC 9110, section 13).

use std::time::SystemTime;

use http::header::{HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderName, HeaderValue};

/// By what a client tells one state of a file from another.
#[derive(Debug)]
pub(super) struct Validators {
    /// The entity tag with its quotes, without `W/`.
    pub(super) tag: String,
    /// In whole seconds, as HTTP has it; `None` where it is no time that HTTP can say.
    pub(super) modified: Option<SystemTime>,
    /// Whether they are strong: the file has not changed for longer than two changes could look like one.
    pub(super) strong: bool,
}

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it.
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: it is another one than the client wants to know of.
    Failed,
}

/// The conditions of a GET or HEAD, in the order of section 13.2.2.
pub(super) fn verdict(headers: &HeaderMap, validators: &Validators) -> Verdict {
    if headers.contains_key(IF_MATCH) {
        // Section 13.1.1: the comparison is strong.
        if !any_tag(headers, &IF_MATCH, |tag, weak| validators.strong && !weak && tag == validators.tag) {
            return Verdict::Failed;
        }
    } else if validators.is_changed_since(headers, &IF_UNMODIFIED_SINCE) == Some(true) {
        return Verdict::Failed;
    }
    let has_it = match headers.contains_key(IF_NONE_MATCH) {
        // Section 13.1.2: the comparison is weak.
        true => any_tag(headers, &IF_NONE_MATCH, |tag, _| tag == validators.tag),
        false => validators.is_changed_since(headers, &IF_MODIFIED_SINCE) == Some(false),
    };
    if has_it { Verdict::NotModified } else { Verdict::Proceed }
}

/// Whether a `Range` is to be looked at: there is no `If-Range`, or it names this very state (section 13.1.5). The
/// comparison is strong, of tags and of dates, since parts of two states would make a file that never was.
pub(super) fn range_applies(headers: &HeaderMap, validators: &Validators) -> bool {
    let mut values = headers.get_all(IF_RANGE).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return true,
        (Some(value), None) if validators.strong => value,
        (Some(_), _) => return false,
    };
    let is_tag = value.as_bytes().starts_with(b"\"") || value.as_bytes().starts_with(b"W/");
    match is_tag {
        true => value.as_bytes() == validators.tag.as_bytes(),
        false => validators.modified.is_some() && date(value) == validators.modified,
    }
}

impl Validators {
    /// Whether the file has changed since the date of a header; `None` where there is not one valid date.
    fn is_changed_since(&self, headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
        let mut values = headers.get_all(name).iter();
        let since = date(values.next()?)?;
        let modified = self.modified?;
        values.next().is_none().then_some(modified > since)
    }
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// Whether `*` stands there, or one of the listed tags is as asked for: its text with quotes, and whether it is weak.
fn any_tag(headers: &HeaderMap, name: &HeaderName, matches: impl Fn(&str, bool) -> bool) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.as_bytes() == b"*"
            || Tags(value.as_bytes()).any(|(tag, weak)| std::str::from_utf8(tag).is_ok_and(|tag| matches(tag, weak)))
    })
}

/// The entity tags of a list, section 8.8.3: one pass, which ends at what is no tag.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.0.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
        let list = std::mem::take(&mut self.0).get(begin..)?;
        let (weak, tag) = match list.strip_prefix(b"W/") {
            Some(tag) => (true, tag),
            None => (false, list),
        };
        let opaque = tag.strip_prefix(b"\"")?;
        // etagc = %x21 / %x23-7E / obs-text, so a space ends it as well; and then it is none.
        let end = opaque.iter().position(|byte| matches!(byte, b'"' | 0..=b' ' | 0x7f))?;
        let rest = opaque[end..].strip_prefix(b"\"")?;
        match rest.iter().find(|byte| !matches!(byte, b' ' | b'\t')) {
            None | Some(b',') => self.0 = rest,
            Some(_) => return None,
        }
        Some((&tag[..end + 2], weak))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn tags(list: &str) -> Vec<(String, bool)> {
        Tags(list.as_bytes()).map(|(tag, weak)| (String::from_utf8(tag.to_vec()).unwrap(), weak)).collect()
    }

    #[test]
    fn tags_are_read_as_section_8_8_3_says() {
        let tag = |text: &str, weak| (text.to_owned(), weak);
        assert_eq!(tags(r#""a""#), [tag(r#""a""#, false)]);
        assert_eq!(tags(r#" , W/"a",, "b,c"	,"""#), [tag(r#""a""#, true), tag(r#""b,c""#, false), tag(r#""""#, false)]);
        assert_eq!(tags(r#""""#), [tag(r#""""#, false)]);
        assert_eq!(tags(r#""a", b, "c""#), [tag(r#""a""#, false)], "it ends at what is none");
        for none in ["", ",", "a", "*", r#"w/"a""#, r#"W/ "a""#, r#""a"#, r#""a"b"#, r#""a b""#, "'a'"] {
            assert_eq!(tags(none), [], "{none}");
        }
    }

    #[test]
    fn ten_thousand_tags_are_looked_through() {
        let list: String = (0..10_000).map(|n| format!("W/\"{n}\", ")).collect();
        assert_eq!(tags(&list).len(), 10_000);
        assert_eq!(tags(&"\"".repeat(20_000)).len(), 0);
        assert_eq!(tags(&" ,".repeat(10_000)).len(), 0);
    }

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn validators(strong: bool) -> Validators {
        let modified = Some(UNIX_EPOCH + Duration::from_secs(784_111_777));
        Validators { tag: "\"a\"".to_owned(), modified, strong }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn conditions_come_in_their_order() {
        use Verdict::{Failed, NotModified, Proceed};
        for (lines, expected) in [
            (&[][..], Proceed),
            (&[("if-match", "\"a\"")], Proceed),
            (&[("if-match", "\"b\", \"a\"")], Proceed),
            (&[("if-match", "*")], Proceed),
            (&[("if-match", "\"b\"")], Failed),
            (&[("if-match", "W/\"a\"")], Failed),
            (&[("if-match", "a")], Failed),
            (&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)], Proceed),
            (&[("if-match", "\"b\""), ("if-unmodified-since", AFTER)], Failed),
            (&[("if-unmodified-since", BEFORE)], Failed),
            (&[("if-unmodified-since", MODIFIED)], Proceed),
            (&[("if-unmodified-since", "yesterday")], Proceed),
            (&[("if-none-match", "\"a\"")], NotModified),
            (&[("if-none-match", "W/\"a\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"b\"")], Proceed),
            (&[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")], NotModified),
            (&[("if-none-match", "\"b\""), ("if-modified-since", AFTER)], Proceed),
            (&[("if-none-match", "\"a\""), ("if-modified-since", BEFORE)], NotModified),
            (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], NotModified),
            (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Failed),
            (&[("if-modified-since", BEFORE)], Proceed),
            (&[("if-modified-since", MODIFIED)], NotModified),
            (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
            (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], NotModified),
            (&[("if-modified-since", "Sun, 06 Nov 1994 08:49:37")], Proceed),
            (&[("if-modified-since", AFTER), ("if-modified-since", AFTER)], Proceed),
        ] {
            assert_eq!(verdict(&headers(lines), &validators(true)), expected, "{lines:?}");
        }
        assert_eq!(
            verdict(&headers(&[("if-match", "\"a\"")]), &validators(false)),
            Failed,
            "a weak one matches nothing"
        );
        assert_eq!(verdict(&headers(&[("if-none-match", "\"a\"")]), &validators(false)), NotModified);
        let undated = Validators { modified: None, ..validators(true) };
        assert_eq!(verdict(&headers(&[("if-modified-since", AFTER)]), &undated), Proceed);
        assert_eq!(verdict(&headers(&[("if-unmodified-since", BEFORE)]), &undated), Proceed);
    }

    #[test]
    fn if_range_compares_strongly() {
        for (value, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("\"b\"", false),
            ("\"a\", \"a\"", false),
            ("a", false),
            ("*", false),
            ("", false),
            (MODIFIED, true),
            (BEFORE, false),
            (AFTER, false),
        ] {
            assert_eq!(range_applies(&headers(&[("if-range", value)]), &validators(true)), expected, "{value}");
            assert!(!range_applies(&headers(&[("if-range", value)]), &validators(false)), "{value}");
        }
        assert!(range_applies(&HeaderMap::new(), &validators(false)));
        assert!(!range_applies(&headers(&[("if-range", "\"a\""), ("if-range", "\"a\"")]), &validators(true)));
        let undated = Validators { modified: None, ..validators(true) };
        assert!(!range_applies(&headers(&[("if-range", "yesterday")]), &undated));
    }

    proptest! {
        #[test]
        fn a_list_gives_its_tags(list in prop::collection::vec(("[!#-~]{0,5}", prop::bool::ANY), 0..8)) {
            let written: Vec<String> =
                list.iter().map(|(tag, weak)| format!("{}\"{tag}\"", if *weak { "W/" } else { "" })).collect();
            let expected: Vec<_> = list.iter().map(|(tag, weak)| (format!("\"{tag}\""), *weak)).collect();
            prop_assert_eq!(tags(&written.join(" , ")), expected);
        }

        #[test]
        fn every_list_ends(list: Vec<u8>) {
            prop_assert!(Tags(&list).count() <= list.len());
        }
    }
}
