//! SCGI and uwsgi: one packet of variables, and the body behind it.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use vestibule::wire::{Params, scgi, uwsgi};

use super::web_server::{Pairs, cut, sizes, some_pairs};

fn scgi_request(pairs: &Pairs, body: &[u8]) -> Vec<u8> {
    let mut block = format!("CONTENT_LENGTH\0{}\0SCGI\x001\0", body.len()).into_bytes();
    for (name, value) in pairs {
        block.extend([&name[..], b"\0", value, b"\0"].concat());
    }
    [format!("{}:", block.len()).as_bytes(), &block, b",", body].concat()
}

fn uwsgi_request(pairs: &Pairs, body: &[u8]) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    let vars: Vec<u8> = pairs.iter().flat_map(|(name, value)| [sized(name), sized(value)].concat()).collect();
    let [size0, size1] = u16::try_from(vars.len()).unwrap().to_le_bytes();
    [&[0, size0, size1, 0][..], &vars, body].concat()
}

/// The variables of a request that arrives in pieces, and the body that is left. Before they are complete, nothing is
/// taken.
fn received<E: std::fmt::Debug>(
    pieces: &[&[u8]],
    decode: impl Fn(&mut BytesMut) -> Result<Option<Params>, E>,
) -> (Params, BytesMut) {
    let (mut input, mut params) = (BytesMut::new(), None);
    for piece in pieces {
        input.extend_from_slice(piece);
        if params.is_none() {
            let before = input.clone();
            params = decode(&mut input).unwrap();
            assert!(params.is_some() || input == before);
        }
    }
    (params.unwrap(), input)
}

fn decode_scgi(input: &mut BytesMut) -> Result<Option<Params>, scgi::Error> {
    Ok(scgi::decode(input, 65_536)?.map(scgi::Request::into_params))
}

fn decode_uwsgi(input: &mut BytesMut) -> Result<Option<Params>, uwsgi::Error> {
    uwsgi::decode(input, 65_535)
}

fn same(params: &Params, skipped: usize, pairs: &Pairs) -> bool {
    params.iter().skip(skipped).eq(pairs.iter().map(|(name, value)| (&name[..], &value[..])))
}

/// Variables but those that SCGI wants to see once.
fn free_pairs() -> impl Strategy<Value = Pairs> {
    some_pairs().prop_map(|pairs| pairs.into_iter().map(|(name, value)| ([b"X_", &name[..]].concat(), value)).collect())
}

proptest! {
    #[test]
    fn an_scgi_request_arrives_as_it_was_meant_however_it_is_cut(
        pairs in free_pairs(), body in vec(any::<u8>(), 0..500), pieces in sizes(),
    ) {
        let request = scgi_request(&pairs, &body);
        let (params, left) = received(&cut(&request, &pieces), decode_scgi);
        prop_assert!(same(&params, 2, &pairs) && left == body);
    }

    #[test]
    fn a_uwsgi_request_arrives_as_it_was_meant_however_it_is_cut(
        pairs in free_pairs().prop_filter("some", |pairs| !pairs.is_empty()),
        body in vec(any::<u8>(), 0..500),
        pieces in sizes(),
    ) {
        let request = uwsgi_request(&pairs, &body);
        let (params, left) = received(&cut(&request, &pieces), decode_uwsgi);
        prop_assert!(same(&params, 0, &pairs) && left == body);
    }

    #[test]
    fn arbitrary_bytes_are_taken_whole_or_not_at_all(
        bytes in vec(prop_oneof![Just(0_u8), Just(b':'), Just(b','), b'0'..=b'9', any::<u8>()], 0..100),
    ) {
        for decode in [|input: &mut BytesMut| decode_scgi(input).ok(), |input: &mut BytesMut| decode_uwsgi(input).ok()] {
            let mut input = BytesMut::from(&bytes[..]);
            if let Some(None) = decode(&mut input) {
                prop_assert_eq!(&input[..], &bytes[..]);
            }
        }
    }

    /// One byte is changed: it may mean something else, but every part that is given lies within the packet.
    #[test]
    fn damaged_requests_give_no_more_than_was_there(
        pairs in free_pairs(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for (mut request, is_scgi) in [(scgi_request(&pairs, b""), true), (uwsgi_request(&pairs, b""), false)] {
            let at = at.index(request.len());
            request[at] = byte;
            let mut input = BytesMut::from(&request[..]);
            let decoded = if is_scgi { decode_scgi(&mut input).ok() } else { decode_uwsgi(&mut input).ok() };
            if let Some(Some(params)) = decoded {
                prop_assert!(params.size() < request.len());
            }
        }
    }
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let pairs: Pairs = vec![(b"PATH_INFO".to_vec(), b"/caf\xe9".to_vec()), (b"HTTP_X_EMPTY".to_vec(), vec![])];
    let (scgi, uwsgi) = (scgi_request(&pairs, b"body"), uwsgi_request(&pairs, b"body"));
    for at in 0..scgi.len() {
        let (params, left) = received(&[&scgi[..at], &scgi[at..]], decode_scgi);
        assert!(same(&params, 2, &pairs) && left == "body", "scgi, split at {at}");
    }
    for at in 0..uwsgi.len() {
        let (params, left) = received(&[&uwsgi[..at], &uwsgi[at..]], decode_uwsgi);
        assert!(same(&params, 0, &pairs) && left == "body", "uwsgi, split at {at}");
    }
}

#[test]
fn headers_of_70_kilobytes_are_answered_and_values_of_60_pass() {
    let large = |size| vec![(b"HTTP_COOKIE".to_vec(), vec![b'c'; size])];
    let error = decode_scgi(&mut BytesMut::from(&scgi_request(&large(70_000), b"")[..])).unwrap_err();
    assert_eq!(error.status().unwrap(), 431);
    let params = decode_scgi(&mut BytesMut::from(&scgi_request(&large(60_000), b"")[..])).unwrap().unwrap();
    assert_eq!(params.get("HTTP_COOKIE").unwrap().len(), 60_000);
    let params = decode_uwsgi(&mut BytesMut::from(&uwsgi_request(&large(60_000), b"")[..])).unwrap().unwrap();
    assert_eq!(params.get("HTTP_COOKIE").unwrap().len(), 60_000);
}
