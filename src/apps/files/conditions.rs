//! Conditional requests: whether a file is sent, given what the client has of it (RFC 9110, section 13).

use std::time::SystemTime;

use http::header::{HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderName, HeaderValue};

use crate::entity_tag::{Comparison, EntityTags};

/// By what a client tells one state of a file from another.
#[derive(Debug)]
pub(super) struct Validators {
    /// The ETag, which is weak where the file may have changed twice in what looks like one moment.
    pub(super) etag: HeaderValue,
    /// In whole seconds, as HTTP has it; `None` where it is no time that HTTP can say.
    pub(super) modified: Option<SystemTime>,
    /// Whether both are strong (section 8.8.1).
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
    let etag = Some(&validators.etag);
    // Section 13.1.1: the comparison is strong.
    let is_meant = match EntityTags::of(headers, &IF_MATCH) {
        Some(tags) => tags.match_etag(etag, Comparison::Strong),
        None => validators.is_changed_since(headers, &IF_UNMODIFIED_SINCE) != Some(true),
    };
    if !is_meant {
        return Verdict::Failed;
    }
    // Section 13.1.2: the comparison is weak.
    let has_it = match EntityTags::of(headers, &IF_NONE_MATCH) {
        Some(tags) => tags.match_etag(etag, Comparison::Weak),
        None => validators.is_changed_since(headers, &IF_MODIFIED_SINCE) == Some(false),
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
        true => value == validators.etag,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn validators(strong: bool) -> Validators {
        let modified = Some(UNIX_EPOCH + Duration::from_secs(784_111_777));
        let etag = HeaderValue::from_static(if strong { "\"a\"" } else { "W/\"a\"" });
        Validators { etag, modified, strong }
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
}
