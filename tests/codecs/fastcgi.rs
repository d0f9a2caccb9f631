//! FastCGI: requests in.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use vestibule::wire::Params;
use vestibule::wire::fastcgi::{ConnectionError, Decoder, Event, Header, RecordType, Role};

use super::web_server::{KEEP_CONN, Pairs, RESPONDER, begin, cut, params, record, sizes, some_pairs, stream};

/// The events of bytes that arrive in pieces; the blocks of a body that follow each other are joined.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, ConnectionError> {
    let (mut decoder, mut input, mut events) = (Decoder::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(event) = decoder.decode(&mut input)? {
            match (events.last_mut(), event) {
                (Some(Event::Stdin { id, block }), Event::Stdin { id: next, block: more }) if *id == next => {
                    *block = [&block[..], &more].concat().into();
                }
                (_, event) => events.push(event),
            }
        }
        assert!(input.len() < Header::LEN, "all but a header is consumed");
    }
    Ok(events)
}

/// A request as it is meant.
#[derive(Debug, Clone)]
struct Request {
    pairs: Pairs,
    body: Vec<u8>,
    record_sizes: Vec<usize>,
    padding: u8,
}

impl Request {
    fn records(&self, id: u16) -> Vec<Vec<u8>> {
        let params = params(&self.pairs);
        let mut records = vec![begin(id, RESPONDER, KEEP_CONN)];
        records.extend(stream(RecordType::Params, id, &params, &self.record_sizes, self.padding));
        records.extend(stream(RecordType::Stdin, id, &self.body, &self.record_sizes, self.padding));
        records
    }
}

fn request() -> impl Strategy<Value = Request> {
    let body = prop_oneof![vec(any::<u8>(), 0..100), vec(any::<u8>(), 0..1500)];
    (some_pairs(), body, sizes(), any::<u8>()).prop_map(|(pairs, body, record_sizes, padding)| Request {
        pairs,
        body,
        record_sizes,
        padding,
    })
}

/// Records of several requests, each request's in order, taken in turns.
fn interleaved(requests: &[Request], turns: &[usize]) -> Vec<u8> {
    let records = |(at, request): (usize, &Request)| request.records(u16::try_from(2 * at + 1).unwrap());
    let mut left: Vec<_> = requests.iter().enumerate().map(|item| records(item).into_iter()).collect();
    let mut bytes = Vec::new();
    let mut turns = turns.iter().cycle();
    while !left.is_empty() {
        let at = turns.next().unwrap() % left.len();
        match left[at].next() {
            Some(record) => bytes.extend(record),
            None => drop(left.remove(at)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn multiplexed_requests_arrive_as_they_were_meant_however_they_are_cut(
        requests in vec(request(), 1..5),
        turns in vec(0..100_usize, 1..20),
        pieces in sizes(),
    ) {
        let bytes = interleaved(&requests, &turns);
        let mut seen: BTreeMap<u16, (Params, Vec<u8>, bool)> = BTreeMap::new();
        for event in events(cut(&bytes, &pieces)).unwrap() {
            match event {
                Event::Begin { id, .. } => drop(seen.insert(id, (Params::default(), Vec::new(), false))),
                Event::Params { id, params } => seen.get_mut(&id).unwrap().0 = params.unwrap(),
                Event::Stdin { id, block } => seen.get_mut(&id).unwrap().1.extend_from_slice(&block),
                Event::StdinEnd { id } => seen.get_mut(&id).unwrap().2 = true,
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(seen.len(), requests.len());
        for ((params, body, has_ended), meant) in seen.into_values().zip(requests) {
            prop_assert!(params.iter().eq(meant.pairs.iter().map(|(name, value)| (&name[..], &value[..]))));
            prop_assert!(body == meant.body && has_ended);
        }
    }

    /// What the events of any records, with answers at any time, promise an adapter.
    #[test]
    fn events_come_in_order_for_active_ids_alone(
        steps in vec((0..13_u8, 0..4_u16, vec(any::<u8>(), 0..12), any::<bool>()), 0..200),
        max_requests in 1..4_usize,
    ) {
        #[derive(PartialEq)]
        enum Phase { Params, Stdin, Complete }
        let mut decoder = Decoder::new().max_requests(max_requests).max_params(20);
        let mut active: BTreeMap<u16, (Role, Phase)> = BTreeMap::new();
        let mut aborted = BTreeSet::new();
        for (code, id, content, is_answer) in steps {
            // Mostly an id is answered before it begins anew, or the connection would soon end.
            if is_answer || (code == 1 && !content.is_empty()) {
                decoder.end(id);
                active.remove(&id);
                aborted.remove(&id);
            }
            let (id, content) = match code {
                1 => (id.max(1), vec![0, 1 + content.len() as u8 % 3, 1, 0, 0, 0, 0, 0]),
                _ => (id, content),
            };
            let mut input = BytesMut::from(&record(code.into(), id, &content, code)[..]);
            loop {
                let event = match decoder.decode(&mut input) {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(ConnectionError::IdInUse(id)) => {
                        prop_assert!(active.contains_key(&id));
                        return Ok(());
                    }
                    Err(_) => return Ok(()),
                };
                match event {
                    Event::Begin { id, role, .. } => {
                        prop_assert!(active.insert(id, (role, Phase::Params)).is_none());
                        prop_assert!(active.len() <= max_requests);
                    }
                    Event::Refused { id, .. } => prop_assert!(!active.contains_key(&id)),
                    Event::Params { id, params } => {
                        let (role, phase) = active.get_mut(&id).unwrap();
                        prop_assert!(*phase == Phase::Params && !aborted.contains(&id));
                        let has_body = params.is_ok() && *role == Role::Responder;
                        *phase = if has_body { Phase::Stdin } else { Phase::Complete };
                    }
                    Event::Stdin { id, block } => {
                        prop_assert!(active[&id].1 == Phase::Stdin && !aborted.contains(&id) && !block.is_empty());
                    }
                    Event::StdinEnd { id } => {
                        let phase = &mut active.get_mut(&id).unwrap().1;
                        prop_assert!(*phase == Phase::Stdin && !aborted.contains(&id));
                        *phase = Phase::Complete;
                    }
                    Event::Abort { id } => prop_assert!(active.contains_key(&id) && aborted.insert(id)),
                    _ => {}
                }
            }
            prop_assert!(input.is_empty());
            prop_assert!(!decoder.is_idle() || active.is_empty());
        }
    }

    #[test]
    fn arbitrary_bytes_take_no_more_than_the_limits(
        bytes in vec(prop_oneof![0..12_u8, any::<u8>()], 0..600),
        pieces in sizes(),
    ) {
        let mut decoder = Decoder::new().max_requests(2).max_params(100);
        let mut input = BytesMut::new();
        for piece in cut(&bytes, &pieces) {
            input.extend_from_slice(piece);
            while let Ok(Some(_)) = decoder.decode(&mut input) {}
            // The two streams, and one GET_VALUES of the bytes that are there.
            prop_assert!(decoder.buffered() <= 2 * 2 * 100 + 2 * bytes.len().max(8));
        }
    }
}

/// A connection on which much happens.
fn connection() -> Vec<u8> {
    let pairs: Pairs = vec![
        (b"REQUEST_METHOD".to_vec(), b"POST".to_vec()),
        (b"HTTP_COOKIE".to_vec(), vec![b'c'; 300]),
        (vec![b'N'; 130], vec![]),
    ];
    let first = Request { pairs, body: b"one body".repeat(10), record_sizes: vec![7, 300, 1, 40], padding: 3 };
    let second = Request { pairs: vec![], body: vec![], record_sizes: vec![1], padding: 0 };
    let mut bytes = record(RecordType::GetValues, 0, b"\x0e\0FCGI_MAX_CONNS\x0d\0FCGI_MAX_REQS", 5);
    bytes.extend(interleaved(&[first, second], &[0, 0, 1]));
    bytes.extend(record(RecordType::Other(99), 0, b"unknown", 1));
    bytes.extend([begin(7, RESPONDER, 0), record(RecordType::AbortRequest, 7, b"", 8), begin(9, 3, 0)].concat());
    bytes
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let bytes = connection();
    let expected = events([&bytes[..]]).unwrap();
    assert_eq!(expected.len(), 12, "{expected:?}");
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(events([first, second]).unwrap(), expected, "split at {at}");
    }
    assert_eq!(events(bytes.chunks(1)).unwrap(), expected, "byte by byte");
}

#[test]
fn a_pair_split_over_two_records_at_any_byte_is_the_same_pair() {
    let mut content = params(&vec![(b"SHORT".to_vec(), b"value".to_vec()), (vec![b'L'; 200], vec![b'v'; 200])]);
    content.extend_from_slice(b"\x80\0\0\x01\x80\0\0\x01XY");
    let parsed = |sizes: &[usize]| {
        let records = stream(RecordType::Params, 1, &content, sizes, 0).concat();
        let events = events([&begin(1, RESPONDER, 0)[..], &records]).unwrap();
        let Some(Event::Params { params: Ok(params), .. }) = events.into_iter().nth(1) else { panic!("parsed") };
        params
    };
    let expected = parsed(&[65_535]);
    assert_eq!(expected.get("X"), Some(&b"Y"[..]));
    for at in 1..content.len() {
        assert_eq!(parsed(&[at, 65_535]), expected, "split at {at}");
    }
    assert_eq!(parsed(&[1]), expected, "byte by byte");
}

#[test]
fn hostile_lengths_take_no_memory() {
    for length in [[0xff; 4], [0x80, 0, 0, 0], [0xff, 0xff, 0xff, 0xfe], [0x80, 0xff, 0xff, 0xff]] {
        for content in [[length, length].concat(), [&length[..], b"\x01NAME"].concat(), [b"\x01", &length[..]].concat()]
        {
            let mut decoder = Decoder::new();
            let mut input = BytesMut::from(&begin(1, RESPONDER, 0)[..]);
            input.extend_from_slice(&record(RecordType::Params, 1, &content, 0));
            while decoder.decode(&mut input).unwrap().is_some() {}
            assert!(decoder.buffered() <= 64, "{content:x?}: {}", decoder.buffered());
            input.extend_from_slice(&record(RecordType::Params, 1, b"", 0));
            let event = decoder.decode(&mut input).unwrap();
            assert!(matches!(event, Some(Event::Params { params: Err(_), .. })), "{content:x?}: {event:?}");
        }
    }
}

#[test]
fn ten_mebibytes_of_variables_are_stopped_at_the_limit() {
    let (mut decoder, mut input) = (Decoder::new(), BytesMut::from(&begin(1, RESPONDER, 0)[..]));
    let megabytes = record(RecordType::Params, 1, &[b'x'; 65_535], 1);
    for _ in 0..160 {
        input.extend_from_slice(&megabytes);
        while decoder.decode(&mut input).unwrap().is_some() {}
        assert!(decoder.buffered() <= 2 * 256 * 1024);
    }
}

/// The first request of each connection as Apache, HAProxy, lighttpd and NGINX cut it.
#[test]
fn what_front_ends_do_with_records_is_understood() {
    let pairs: Pairs = (0..200).map(|n| (format!("HTTP_X_{n}").into_bytes(), vec![b'v'; 100])).collect();
    let body = vec![b'b'; 100_000];
    // Apache cuts PARAMS at about 14 KB; NGINX pads; STDIN comes in 8,192, 16,320, 32,768 or 65,535.
    for (record_size, padding) in [(8192, 0), (14_000, 0), (16_320, 0), (32_768, 7), (65_535, 0), (65_500, 255)] {
        let request = Request { pairs: pairs.clone(), body: body.clone(), record_sizes: vec![record_size], padding };
        let bytes = request.records(1).concat();
        let events = events(cut(&bytes, &[8192])).unwrap();
        let [
            Event::Begin { keep_conn: true, .. },
            Event::Params { params: Ok(params), .. },
            stdin,
            Event::StdinEnd { .. },
        ] = &events[..]
        else {
            panic!("{record_size}: {events:?}")
        };
        assert_eq!(params.len(), 200);
        assert!(matches!(stdin, Event::Stdin { block, .. } if *block == body));
    }
}
