//! The rules of a head: docs/spec.md, section "4. The head".

use http::HeaderName;
use http::header::ETAG;

use super::Faults;
use crate::error::Fault;
use crate::head::{Head, is_hop_by_hop};

/// What is wrong with a head, whatever body follows.
pub(super) fn faults(head: &Head) -> Faults {
    let mut faults = Faults::new();
    if head.status.is_informational() {
        faults.push(informational(head.status.as_str()));
    }
    if head.reason_phrase().is_some_and(|reason| reason.trim().is_empty()) {
        faults.push(("H6", "the reason phrase is empty".to_owned()));
    }
    for name in head.headers.keys() {
        if is_hop_by_hop(name) {
            faults.push(hop_by_hop(name));
        }
        if name == "status" {
            faults.push(("H7", "there is a header `status`".to_owned()));
        }
        if name.as_str().ends_with(['-', '_']) {
            faults.push(("H8", format!("the header name `{name}` ends with a mark")));
        }
    }
    for value in head.headers.get_all(ETAG) {
        if !is_entity_tag(value.as_bytes()) {
            faults.push(("H11", format!("the etag is {value:?}")));
        }
    }
    if let Err(Fault::InvalidContentLength(what)) = head.content_length() {
        faults.push(content_length(&what));
    }
    faults
}

/// The rule that a head has broken which was refused at its start.
pub(super) fn fault_of_start(fault: &Fault) -> Option<(&'static str, String)> {
    match fault {
        Fault::InvalidStatus(status) if status.len() == 3 && status.starts_with('1') => Some(informational(status)),
        Fault::HopByHop(name) => Some(hop_by_hop(name)),
        Fault::InvalidContentLength(what) => Some(content_length(what)),
        _ => None,
    }
}

fn informational(status: &str) -> (&'static str, String) {
    ("H2", format!("the status of a final response is {status}"))
}

fn hop_by_hop(name: &HeaderName) -> (&'static str, String) {
    ("H3", format!("the header `{name}` is hop-by-hop"))
}

fn content_length(what: &str) -> (&'static str, String) {
    ("F5", format!("the content-length is not one number: {what}"))
}

/// RFC 9110, section 8.8.3: `entity-tag = [ weak ] opaque-tag`, and `weak = %s"W/"`, so in upper case.
fn is_entity_tag(value: &[u8]) -> bool {
    let opaque = value.strip_prefix(b"W/").unwrap_or(value);
    let inside = opaque.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    // etagc = %x21 / %x23-7E / obs-text: no space, no quote.
    inside.is_some_and(|tag| tag.iter().all(|&byte| byte > b' ' && byte != b'"' && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::is_entity_tag;

    #[test]
    fn an_entity_tag_is_quoted() {
        for tag in [r#""""#, r#""a""#, r#"W/"a/b""#, "\"caf\u{e9}\""] {
            assert!(is_entity_tag(tag.as_bytes()), "{tag}");
        }
        for tag in ["", "a", r#"w/"a""#, r#"W/a"#, r#"""#, r#""a"b""#, r#""a b""#, r#" "a""#] {
            assert!(!is_entity_tag(tag.as_bytes()), "{tag}");
        }
    }
}
