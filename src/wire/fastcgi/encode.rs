//! Records to the web server: the response, its end, and answers to management records.

use bytes::Bytes;

use super::pairs;
use super::record::{Header, ProtocolStatus, RecordType, Values};
use crate::wire::{Output, Params};

/// The most that a record carries here: the largest multiple of 8 that its length can say, so that a full one needs no
/// padding. HAProxy once wrote more with a length of which 16 bits were left, and the rest was read as records.
pub const MAX_CONTENT: usize = 65_528;

/// Adds a block of the response. A large one is cut into records and not copied; an empty one adds nothing, as an empty
/// record would be the end.
///
/// The head should come in one block: HAProxy 2.6 has crashed where the first record ended within it. Behind the last
/// block comes [`end_request`]; no front end needs an empty record before it.
pub fn stdout(output: &mut Output, id: u16, block: Bytes) {
    stream(output, RecordType::Stdout, id, block);
}

/// Adds text for the log of the web server. Only on wish: HAProxy has answered 502 for it.
pub fn stderr(output: &mut Output, id: u16, text: Bytes) {
    stream(output, RecordType::Stderr, id, text);
}

/// Adds the end of a request. `app_status` is what a CGI program would have exited with; front ends ignore it.
pub fn end_request(output: &mut Output, id: u16, app_status: u32, status: ProtocolStatus) {
    let mut content = [0; 8];
    content[..4].copy_from_slice(&app_status.to_be_bytes());
    content[4] = status.code();
    short(output, RecordType::EndRequest, id, &content);
}

/// Adds the answer to [`Event::GetValues`](super::Event::GetValues): those of the names that are known, each once.
pub fn values(output: &mut Output, names: &Params, values: Values) {
    let mut content = Vec::new();
    for (name, value) in values.all() {
        if names.get(name).is_some() {
            pairs::write(&mut content, name.as_bytes(), value.to_string().as_bytes());
        }
    }
    short(output, RecordType::GetValuesResult, 0, &content);
}

/// Adds the answer to [`Event::UnknownType`](super::Event::UnknownType). Nothing else may cause it: NGINX and Apache give
/// the connection up.
pub fn unknown_type(output: &mut Output, code: u8) {
    short(output, RecordType::UnknownType, 0, &[code, 0, 0, 0, 0, 0, 0, 0]);
}

fn stream(output: &mut Output, record: RecordType, id: u16, mut bytes: Bytes) {
    while !bytes.is_empty() {
        let content = bytes.split_to(bytes.len().min(MAX_CONTENT));
        output.put(&header(record, id, content.len()));
        output.push(content);
    }
}

fn short(output: &mut Output, record: RecordType, id: u16, content: &[u8]) {
    output.put(&header(record, id, content.len()));
    output.put(content);
}

fn header(record: RecordType, id: u16, length: usize) -> [u8; Header::LEN] {
    let length = u16::try_from(length).expect("a record is cut before it is written");
    Header::new(record, id, length).to_bytes()
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    fn written(write: impl FnOnce(&mut Output)) -> Bytes {
        let mut output = Output::new();
        write(&mut output);
        output.copy_to_bytes(output.remaining())
    }

    #[test]
    fn a_small_response_is_one_slice() {
        let mut output = Output::new();
        stdout(&mut output, 1, Bytes::from_static(b"Status: 200 OK\r\n\r\n"));
        stdout(&mut output, 1, Bytes::from_static(b"hello"));
        end_request(&mut output, 1, 0, ProtocolStatus::RequestComplete);
        assert_eq!(
            output.chunk(),
            b"\x01\x06\0\x01\0\x12\0\0Status: 200 OK\r\n\r\n\x01\x06\0\x01\0\x05\0\0hello\
              \x01\x03\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0"
        );
    }

    #[test]
    fn an_empty_block_writes_no_record() {
        assert_eq!(written(|output| stdout(output, 1, Bytes::new())), "");
        assert_eq!(written(|output| stderr(output, 1, Bytes::new())), "");
    }

    #[test]
    fn an_unknown_role_is_refused_by_the_end_alone() {
        let end = written(|output| end_request(output, 0x0102, 7, ProtocolStatus::UnknownRole));
        assert_eq!(end, &b"\x01\x03\x01\x02\0\x08\0\0\0\0\0\x07\x03\0\0\0"[..]);
    }

    #[test]
    fn an_unknown_type_is_named() {
        let answer = written(|output| unknown_type(output, 77));
        assert_eq!(answer, &b"\x01\x0b\0\0\0\x08\0\0\x4d\0\0\0\0\0\0\0"[..]);
    }

    #[test]
    fn known_values_are_given_once_and_unknown_ones_left_out() {
        let names = ["FCGI_MPXS_CONNS", "FCGI_COLOUR", "FCGI_MAX_REQS", "FCGI_MAX_REQS"];
        let names: Params = names.into_iter().map(|name| (name, "")).collect();
        let answer = written(|output| values(output, &names, Values::new(1000, 50, true)));
        assert_eq!(answer, &b"\x01\x0a\0\0\0\x23\0\0\x0d\x02FCGI_MAX_REQS50\x0f\x01FCGI_MPXS_CONNS1"[..]);
        let answer = written(|output| values(output, &Params::default(), Values::new(1, 1, false)));
        assert_eq!(answer, &b"\x01\x0a\0\0\0\0\0\0"[..]);
    }

    #[test]
    fn many_questions_do_not_overflow_the_answer() {
        let names: Params = (0..5000).map(|_| ("FCGI_MAX_CONNS", "")).collect();
        let answer = written(|output| values(output, &names, Values::new(7, 7, false)));
        assert_eq!(answer, &b"\x01\x0a\0\0\0\x11\0\0\x0e\x01FCGI_MAX_CONNS7"[..]);
    }
}
