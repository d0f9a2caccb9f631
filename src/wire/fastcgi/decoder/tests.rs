//! What a decoder makes of records, good and bad.

use super::*;
use crate::wire::fastcgi::{ParamsError, Refusal, Role};

const RESPONDER: u8 = 1;
const AUTHORIZER: u8 = 2;

fn record(code: u8, id: u16, content: &[u8]) -> Vec<u8> {
    padded(code, id, content, 0)
}

fn padded(code: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let header = Header::new(code.into(), id, u16::try_from(content.len()).unwrap()).with_padding(padding);
    [&header.to_bytes(), content, &vec![0xee; padding.into()]].concat()
}

fn begin(id: u16, role: u8, flags: u8) -> Vec<u8> {
    record(1, id, &[0, role, flags, 0, 0, 0, 0, 0])
}

fn params(id: u16, stream: &[u8]) -> Vec<u8> {
    [record(4, id, stream), record(4, id, b"")].concat()
}

/// A request that is dispatched, whose STDIN has not begun.
fn dispatched(id: u16) -> Vec<u8> {
    [begin(id, RESPONDER, 1), params(id, b"\x01\x01A1")].concat()
}

/// The events of some bytes, as short lines.
fn events(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<String>, ConnectionError> {
    let mut input = BytesMut::from(bytes);
    let mut events = Vec::new();
    while let Some(event) = decoder.decode(&mut input)? {
        events.push(line(event));
    }
    assert!(input.len() < Header::LEN, "every byte is consumed");
    Ok(events)
}

fn line(event: Event) -> String {
    match event {
        Event::Begin { id, role, keep_conn } => format!("{id} {role:?} {keep_conn}"),
        Event::Refused { id, refusal, .. } => format!("{id} refused {refusal:?}"),
        Event::Params { id, params: Ok(params) } => format!("{id} params {}", params.len()),
        Event::Params { id, params: Err(error) } => format!("{id} params {error:?}"),
        Event::Stdin { id, block } => format!("{id} stdin {}", block.len()),
        Event::StdinEnd { id } => format!("{id} stdin end"),
        Event::Abort { id } => format!("{id} abort"),
        Event::GetValues { names } => format!("values {}", names.len()),
        Event::UnknownType { code } => format!("unknown {code}"),
    }
}

/// The events of a new connection.
fn of(records: &[Vec<u8>]) -> Result<Vec<String>, ConnectionError> {
    events(&mut Decoder::new(), &records.concat())
}

#[test]
fn a_request_is_dispatched_with_its_variables_and_its_body_follows() {
    let seen = of(&[dispatched(1), record(5, 1, b"hello"), record(5, 1, b"")]).unwrap();
    assert_eq!(seen, ["1 Responder true", "1 params 1", "1 stdin 5", "1 stdin end"]);
    let seen = of(&[begin(1, RESPONDER, 0xfe)]).unwrap();
    assert_eq!(seen, ["1 Responder false"], "the other flags mean nothing");
}

#[test]
fn requests_may_interleave() {
    let seen = of(&[
        begin(1, RESPONDER, 1),
        begin(3, RESPONDER, 1),
        record(4, 1, b"\x01\x01"),
        params(3, b"\x01\x01A1\x01\x01B2"),
        record(5, 3, b"three"),
        record(4, 1, b"A1"),
        record(4, 1, b""),
        record(5, 1, b""),
        record(5, 3, b""),
    ]);
    let expected =
        ["1 Responder true", "3 Responder true", "3 params 2", "3 stdin 5", "1 params 1", "1 stdin end", "3 stdin end"];
    assert_eq!(seen.unwrap(), expected);
}

#[test]
fn padding_means_nothing_wherever_it_is() {
    let begin = padded(1, 1, &[0, 1, 0, 0, 0, 0, 0, 0], 255);
    let stream = [padded(4, 1, b"\x01\x01A1", 255), padded(4, 1, b"", 255)].concat();
    let body = [padded(5, 1, b"hello", 255), padded(5, 1, b"", 255)].concat();
    let values = padded(9, 0, b"", 255);
    let seen = of(&[begin, stream, body, values]).unwrap();
    assert_eq!(seen, ["1 Responder false", "1 params 1", "1 stdin 5", "1 stdin end", "values 0"]);
}

#[test]
fn a_request_without_variables_is_one() {
    assert_eq!(of(&[begin(1, RESPONDER, 0), record(4, 1, b"")]).unwrap()[1], "1 params 0");
}

#[test]
fn an_authorizer_has_no_body_whether_its_end_comes_or_not() {
    let mut decoder = Decoder::new();
    let request = [begin(1, AUTHORIZER, 1), params(1, b"\x01\x01A1")].concat();
    for end in [record(5, 1, b""), record(5, 1, b"stray"), Vec::new()] {
        let seen = events(&mut decoder, &[request.clone(), end].concat()).unwrap();
        assert_eq!(seen, ["1 Authorizer true", "1 params 1"]);
        decoder.end(1);
        assert!(decoder.is_idle());
    }
}

#[test]
fn an_authorizer_that_was_answered_early_is_over() {
    let mut decoder = Decoder::new();
    events(&mut decoder, &[begin(1, AUTHORIZER, 1), record(4, 1, b"\x01")].concat()).unwrap();
    decoder.end(1);
    assert!(decoder.is_idle());
}

#[test]
fn other_roles_are_refused_and_their_streams_ignored() {
    let filter = [begin(1, 3, 1), params(1, b"\x01\x01A1"), record(5, 1, b""), record(8, 1, b"data")].concat();
    assert_eq!(of(&[filter, begin(2, 0, 0)]).unwrap(), ["1 refused UnknownRole(3)", "2 refused UnknownRole(0)"]);
}

#[test]
fn the_data_stream_of_a_responder_is_ignored() {
    let seen = of(&[dispatched(1), record(8, 1, b"data"), record(8, 1, b""), record(5, 1, b"")]).unwrap();
    assert_eq!(seen[2..], ["1 stdin end"]);
}

#[test]
fn records_for_ids_that_are_not_active_are_ignored() {
    let stray = [params(7, b"\x7f\x7f"), record(5, 7, b"x"), record(5, 7, b""), record(2, 7, b""), record(8, 7, b"x")];
    assert!(of(&stray).unwrap().is_empty());
    let null: Vec<_> = [2, 3, 4, 5, 6, 7, 8, 10, 11].map(|code| record(code, 0, b"x")).into();
    assert!(of(&null).unwrap().is_empty());
}

#[test]
fn only_unknown_management_records_are_answered() {
    assert_eq!(of(&[record(77, 0, b"what?"), record(0, 0, b"")]).unwrap(), ["unknown 77", "unknown 0"]);
    // NGINX and Apache give a connection up for an UNKNOWN_TYPE that answers nothing.
    let request = [dispatched(1), record(77, 1, b"what?"), record(9, 1, b""), record(6, 1, b"x"), record(5, 1, b"")];
    assert_eq!(of(&request).unwrap()[2..], ["1 stdin end"]);
}

#[test]
fn values_are_asked_for_by_name_in_pairs() {
    let mut decoder = Decoder::new();
    let mut input = BytesMut::from(&record(9, 0, b"\x0d\0FCGI_MAX_REQS\x0f\0FCGI_MPXS_CONNS")[..]);
    let Some(Event::GetValues { names }) = decoder.decode(&mut input).unwrap() else { panic!("a question") };
    let names: Vec<_> = names.iter().collect();
    assert_eq!(names, [(&b"FCGI_MAX_REQS"[..], &b""[..]), (b"FCGI_MPXS_CONNS", b"")]);
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(of(&[record(9, 0, b"\x0d\0FCGI")]), Err(ConnectionError::MalformedValues));
}

#[test]
fn what_leaves_the_connection_without_sense_closes_it() {
    let version_2 = b"\x02\x01\0\x01\0\x08\0\0".to_vec();
    assert_eq!(of(&[version_2]), Err(ConnectionError::Version(2)));
    assert_eq!(of(&[b"GET / HTTP/1.1\r\n".to_vec()]), Err(ConnectionError::Version(b'G')));
    assert_eq!(of(&[begin(0, RESPONDER, 0)]), Err(ConnectionError::NullId));
    for length in [0, 7, 9, 65_535] {
        let seen = of(&[record(1, 1, &vec![0; length.into()])]);
        assert_eq!(seen, Err(ConnectionError::BeginLength(length)));
    }
    assert_eq!(of(&[begin(1, RESPONDER, 1), begin(1, RESPONDER, 1)]), Err(ConnectionError::IdInUse(1)));
    assert_eq!(of(&[begin(1, RESPONDER, 1), begin(1, 3, 1)]), Err(ConnectionError::IdInUse(1)));
}

#[test]
fn an_error_stays() {
    let mut decoder = Decoder::new();
    assert!(events(&mut decoder, &begin(0, RESPONDER, 0)).is_err());
    assert_eq!(events(&mut decoder, &dispatched(1)), Err(ConnectionError::NullId));
}

#[test]
fn a_pair_cut_off_by_the_end_of_its_stream_spoils_the_request_alone() {
    let seen = of(&[begin(1, RESPONDER, 1), params(1, b"\x04\x04NAME"), record(5, 1, b"x"), dispatched(2)]).unwrap();
    assert_eq!(seen, ["1 Responder true", "1 params Malformed", "2 Responder true", "2 params 1"]);
    let hostile = [begin(1, RESPONDER, 1), params(1, b"\xff\xff\xff\xff\xff\xff\xff\xff")];
    assert_eq!(of(&hostile).unwrap()[1], "1 params Malformed");
}

#[test]
fn stdin_before_the_end_of_params_spoils_the_request_alone() {
    for stdin in [&b"x"[..], b""] {
        let mut decoder = Decoder::new();
        let begun = [begin(1, RESPONDER, 1), record(4, 1, b"\x01\x01A1"), record(5, 1, stdin)].concat();
        assert_eq!(events(&mut decoder, &begun).unwrap(), ["1 Responder true", "1 params Malformed"]);
        assert!(events(&mut decoder, &[record(4, 1, b""), record(5, 1, b"x")].concat()).unwrap().is_empty());
        decoder.end(1);
        events(&mut decoder, &record(5, 1, b"")).unwrap();
        assert!(decoder.is_idle());
        assert_eq!(events(&mut decoder, &dispatched(1)).unwrap().len(), 2);
    }
}

#[test]
fn variables_over_the_limit_are_not_stored_and_can_be_answered_at_their_end() {
    let mut decoder = Decoder::new().max_params(1000);
    let mut largest = Vec::new();
    pairs::write(&mut largest, b"NAME", &[b'v'; 991]);
    assert_eq!(largest.len(), 1000);
    let at_the_limit = [begin(1, RESPONDER, 1), params(1, &largest)].concat();
    assert_eq!(events(&mut decoder, &at_the_limit).unwrap()[1], "1 params 1");

    assert_eq!(events(&mut decoder, &begin(2, RESPONDER, 1)).unwrap().len(), 1);
    for _ in 0..1000 {
        assert!(events(&mut decoder, &record(4, 2, &[b'v'; 10_000])).unwrap().is_empty());
        assert_eq!(decoder.requests.buffered(), 0);
    }
    // FastCGI 1.0, section 6.2: no STDOUT before the end of PARAMS.
    assert_eq!(events(&mut decoder, &record(4, 2, b"")).unwrap(), ["2 params TooLarge"]);
    assert!(events(&mut decoder, &record(5, 2, b"body")).unwrap().is_empty());
    assert_eq!((ParamsError::TooLarge.status().as_u16(), ParamsError::Malformed.status().as_u16()), (431, 400));
}

#[test]
fn requests_over_the_limit_are_refused_one_by_one_and_not_remembered() {
    let mut decoder = Decoder::new().max_requests(2);
    events(&mut decoder, &[dispatched(1), dispatched(3)].concat()).unwrap();
    for id in 4..5000 {
        let seen = events(&mut decoder, &dispatched(id)).unwrap();
        assert_eq!(seen, [format!("{id} refused {:?}", Refusal::TooManyRequests)]);
    }
    events(&mut decoder, &record(5, 1, b"")).unwrap();
    decoder.end(1);
    assert_eq!(events(&mut decoder, &dispatched(5000)).unwrap()[0], "5000 Responder true");
    assert!(events(&mut decoder, &dispatched(5001)).unwrap()[0].contains("refused"));
}

#[test]
fn an_id_is_over_when_its_end_was_written_and_its_stdin_has_ended_in_either_order() {
    let mut decoder = Decoder::new();
    events(&mut decoder, &dispatched(1)).unwrap();
    events(&mut decoder, &record(5, 1, b"")).unwrap();
    assert!(!decoder.is_idle());
    decoder.end(1);
    assert!(decoder.is_idle());

    events(&mut decoder, &dispatched(1)).unwrap();
    decoder.end(1);
    assert!(!decoder.is_idle());
    assert!(events(&mut decoder, &record(5, 1, b"late")).unwrap().is_empty(), "what comes late is not passed on");
    assert!(!decoder.is_idle());
    assert!(events(&mut decoder, &record(5, 1, b"")).unwrap().is_empty());
    assert!(decoder.is_idle());
}

#[test]
fn an_answer_amid_a_record_lets_the_rest_of_it_pass() {
    let mut decoder = Decoder::new();
    let stdin = record(5, 1, &[b'x'; 1000]);
    let (first, second) = stdin.split_at(500);
    let seen = events(&mut decoder, &[&dispatched(1), first].concat()).unwrap();
    assert_eq!(seen[2..], ["1 stdin 492"]);
    decoder.end(1);
    let rest = [second, &record(5, 1, b""), &dispatched(1)].concat();
    assert_eq!(events(&mut decoder, &rest).unwrap(), ["1 Responder true", "1 params 1"]);
}

#[test]
fn an_answered_id_may_begin_anew_though_its_stdin_never_ended() {
    // At least one request may be open.
    let mut decoder = Decoder::new().max_requests(0);
    for _ in 0..3 {
        assert_eq!(events(&mut decoder, &dispatched(1)).unwrap(), ["1 Responder true", "1 params 1"]);
        decoder.end(1);
    }
}

#[test]
fn answered_requests_that_never_end_their_stdin_do_not_fill_the_connection() {
    let mut decoder = Decoder::new().max_requests(3);
    for id in 1..1000 {
        assert_eq!(events(&mut decoder, &dispatched(id)).unwrap()[0], format!("{id} Responder true"));
        decoder.end(id);
    }
    // Late, for one that was forgotten.
    assert!(events(&mut decoder, &[record(5, 1, b"x"), record(5, 1, b"")].concat()).unwrap().is_empty());
}

#[test]
fn an_abort_is_told_once_and_ends_what_comes_in() {
    let mut decoder = Decoder::new();
    events(&mut decoder, &dispatched(1)).unwrap();
    let seen = events(&mut decoder, &[record(2, 1, b""), record(2, 1, b""), record(5, 1, b"x")].concat()).unwrap();
    assert_eq!(seen, ["1 abort"]);
    assert!(!decoder.is_idle(), "END_REQUEST is owed");
    decoder.end(1);
    assert!(decoder.is_idle());
}

#[test]
fn an_abort_reaches_a_request_at_any_time_before_its_answer() {
    let complete = [dispatched(1), record(5, 1, b"")].concat();
    for before in [begin(1, RESPONDER, 1), dispatched(1), complete] {
        let seen = of(&[before.clone(), record(2, 1, b"")]).unwrap();
        assert_eq!(seen.last().unwrap(), "1 abort");
        let mut decoder = Decoder::new();
        events(&mut decoder, &before).unwrap();
        decoder.end(1);
        assert!(events(&mut decoder, &record(2, 1, b"")).unwrap().is_empty(), "it was answered");
        assert!(decoder.is_idle());
    }
}

#[test]
fn an_id_that_is_not_open_ends_without_effect() {
    let mut decoder = Decoder::new();
    decoder.end(1);
    assert!(decoder.is_idle());
    let idle = Decoder::default();
    assert_eq!((idle.buffered(), idle.is_idle()), (0, true));
}

#[test]
fn a_small_block_holds_no_read_buffer_and_a_large_one_is_not_copied() {
    let mut decoder = Decoder::new();
    let mut input = BytesMut::from(&[dispatched(1), record(5, 1, b"small"), record(5, 1, &[b'x'; 5000])].concat()[..]);
    let places = input.as_ptr_range();
    let mut held = Vec::new();
    while let Some(event) = decoder.decode(&mut input).unwrap() {
        if let Event::Stdin { block, .. } = event {
            held.push(places.contains(&block.as_ptr()));
        }
    }
    assert_eq!(held, [false, true]);
}

#[test]
fn roles_are_named() {
    let mut input = BytesMut::from(&[begin(1, RESPONDER, 0), begin(2, AUTHORIZER, 0)].concat()[..]);
    let mut decoder = Decoder::new();
    for expected in [Role::Responder, Role::Authorizer] {
        let Some(Event::Begin { role, .. }) = decoder.decode(&mut input).unwrap() else { panic!("it begins") };
        assert_eq!(role, expected);
    }
}
