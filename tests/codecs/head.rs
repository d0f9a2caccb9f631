//! The head of a response, read back line by line.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::collection::vec;
use proptest::prelude::*;
use vestibule::wire::cgi::{HeadForm, write_head};

fn name() -> impl Strategy<Value = HeaderName> {
    "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}".prop_map(|name| name.parse().unwrap())
}

fn value() -> impl Strategy<Value = HeaderValue> {
    let byte = prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
    vec(byte, 0..40).prop_map(|value| HeaderValue::from_bytes(&value).unwrap())
}

proptest! {
    #[test]
    fn the_lines_of_a_head_are_its_status_and_its_headers(
        code in 200..1000_u16,
        reason in prop::option::of("[ -~]{0,20}"),
        headers in vec((name(), value()), 0..10),
        form in prop_oneof![Just(HeadForm::Cgi), Just(HeadForm::Authorizer), Just(HeadForm::Http)],
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        let mut head = BytesMut::from("before");
        write_head(&mut head, form, StatusCode::from_u16(code).unwrap(), reason.as_deref(), &map).unwrap();
        let head = head.strip_prefix(b"before").unwrap();

        let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        let [status, lines @ .., b"", b""] = &lines[..] else { panic!("{lines:?}") };
        let begin = if form == HeadForm::Http { "HTTP/1.1 " } else { "Status: " };
        let begin = format!("{begin}{code} ");
        prop_assert!(status.starts_with(begin.as_bytes()));
        let written: Vec<_> = map.iter().filter(|(name, _)| *name != "status").collect();
        prop_assert_eq!(lines.len(), written.len());
        for (line, (name, value)) in lines.iter().zip(written) {
            let (written_name, rest) = line.split_at(name.as_str().len());
            prop_assert!(written_name.eq_ignore_ascii_case(name.as_str().as_bytes()));
            prop_assert_eq!(rest, [b": ", value.as_bytes()].concat());
        }
    }

    #[test]
    fn a_reason_writes_one_line_or_nothing(reason in "[\r\n\0a-c\u{e9} ]{0,8}") {
        let mut head = BytesMut::new();
        match write_head(&mut head, HeadForm::Http, StatusCode::OK, Some(&reason), &HeaderMap::new()) {
            Ok(()) => {
                // A front end makes a status line without even the space of an empty one.
                let reason = if reason.is_empty() { "OK" } else { &reason };
                prop_assert_eq!(head, format!("HTTP/1.1 200 {reason}\r\n\r\n"));
            }
            Err(_) => prop_assert!(head.is_empty() && reason.contains(['\r', '\n', '\0'])),
        }
    }
}
