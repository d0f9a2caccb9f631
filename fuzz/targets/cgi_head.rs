//! A head of a response from two bytes of status, a line of reason and lines of headers; and a content length.
#![no_main]

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use vestibule::wire::cgi::{ContentLength, HeadForm, write_head};

fuzz_target!(|input: &[u8]| {
    if let Ok(ContentLength::Known(length)) = ContentLength::parse(Some(input)) {
        let digits = std::str::from_utf8(input).unwrap();
        assert_eq!(digits.parse(), Ok(length));
    }
    let [code1, code0, rest @ ..] = input else { return };
    let Ok(status) = StatusCode::from_u16(u16::from_be_bytes([*code1, *code0])) else { return };
    let mut lines = rest.split(|byte| *byte == b'\n');
    let reason = lines.next().and_then(|reason| std::str::from_utf8(reason).ok());
    let mut headers = HeaderMap::new();
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        let value = value.strip_prefix(b":").unwrap_or_default();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    for form in [HeadForm::Cgi, HeadForm::Authorizer, HeadForm::Http] {
        let mut head = BytesMut::new();
        match write_head(&mut head, form, status, reason, &headers) {
            Ok(()) => check(&head, form, status, &headers),
            Err(_) => assert!(head.is_empty()),
        }
    }
});

/// One line for the status, one for each header, an empty one, and no other.
fn check(head: &[u8], form: HeadForm, status: StatusCode, headers: &HeaderMap) {
    assert!(!status.is_informational());
    let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
    let [first, headers_written @ .., b"\r", b""] = &lines[..] else { panic!("{lines:?}") };
    assert!(
        lines[..lines.len() - 1].iter().all(|line| line.iter().position(|byte| *byte == b'\r') == Some(line.len() - 1))
    );
    assert!(!head.contains(&0));
    let begin = if form == HeadForm::Http { "HTTP/1.1 " } else { "Status: " };
    assert!(first.starts_with(format!("{begin}{} ", status.as_str()).as_bytes()));
    assert_eq!(headers_written.len(), headers.len() - headers.get_all("status").iter().count());
}
