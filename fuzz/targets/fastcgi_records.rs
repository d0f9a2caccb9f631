//! Bytes of a connection, cut and answered as the first bytes of the input say: FastCGI's decoder.
#![no_main]

use std::collections::BTreeSet;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use vestibule::wire::fastcgi::{Decoder, Event, Header};

const MAX_PARAMS: usize = 500;
const MAX_REQUESTS: usize = 3;

fuzz_target!(|input: &[u8]| {
    let [cut, answers, connection @ ..] = input else { return };
    let whole = seen(connection, connection.len().max(1), *answers);
    let in_pieces = seen(connection, usize::from(*cut).max(1), *answers);
    assert_eq!(whole, in_pieces, "a cut changes nothing");
});

/// What an adapter would have seen, as text without the cuts of a body. It answers at once the requests whose ids are
/// set in `answers`.
fn seen(connection: &[u8], piece: usize, answers: u8) -> Vec<String> {
    let mut decoder = Decoder::new().max_params(MAX_PARAMS).max_requests(MAX_REQUESTS);
    let (mut input, mut active, mut seen) = (BytesMut::new(), BTreeSet::new(), Vec::new());
    let mut body: Option<(u16, usize)> = None;
    for piece in connection.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            let event = match decoder.decode(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut input), Err(error), "an error stays");
                    seen.push(format!("{body:?} {error}"));
                    return seen;
                }
            };
            if let Event::Stdin { id, block } = &event {
                assert!(active.contains(id) && !block.is_empty());
                match &mut body {
                    Some((of, size)) if of == id => *size += block.len(),
                    other => seen.extend(other.replace((*id, block.len())).map(|before| format!("{before:?}"))),
                }
                continue;
            }
            seen.push(format!("{body:?} {event:?}"));
            body = None;
            match event {
                Event::Begin { id, .. } => {
                    assert!(active.insert(id) && active.len() <= MAX_REQUESTS);
                }
                Event::Params { id, params } => {
                    assert!(active.contains(&id));
                    assert!(params.is_err() || params.is_ok_and(|params| params.size() <= MAX_PARAMS));
                    if answers >> (id % 8) & 1 == 1 {
                        decoder.end(id);
                        active.remove(&id);
                    }
                }
                Event::StdinEnd { id } | Event::Abort { id } => {
                    assert!(active.remove(&id));
                    decoder.end(id);
                }
                Event::Refused { id, .. } => assert!(!active.contains(&id)),
                _ => {}
            }
        }
        assert!(input.len() < Header::LEN, "all but a header is consumed");
        assert!(decoder.buffered() <= 2 * MAX_PARAMS * MAX_REQUESTS + 2 * connection.len() + 8);
    }
    seen.push(format!("{body:?} {}", active.len()));
    seen
}
