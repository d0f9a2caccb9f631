//! The other side of the protocols: requests as web servers write them, and their cuts.

#![allow(dead_code, reason = "each test file uses a part of it")]

use proptest::collection::vec;
use proptest::prelude::*;
use vestibule::wire::fastcgi::{Header, RecordType, pairs};

/// Names and values of variables.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) const RESPONDER: u8 = 1;
pub(crate) const KEEP_CONN: u8 = 1;

/// A FastCGI record.
pub(crate) fn record(record: RecordType, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let header = Header::new(record, id, length).with_padding(padding);
    [&header.to_bytes(), content, &vec![0xaa; padding.into()]].concat()
}

/// A FastCGI BEGIN_REQUEST.
pub(crate) fn begin(id: u16, role: u8, flags: u8) -> Vec<u8> {
    record(RecordType::BeginRequest, id, &[0, role, flags, 0, 0, 0, 0, 0], 0)
}

/// A FastCGI stream in records of the given sizes, the last of which repeats, with its end.
pub(crate) fn stream(kind: RecordType, id: u16, content: &[u8], sizes: &[usize], padding: u8) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for part in cut(content, sizes) {
        records.push(record(kind, id, part, padding));
    }
    records.push(record(kind, id, b"", padding));
    records
}

/// The content of a FastCGI PARAMS stream.
pub(crate) fn params(pairs: &Pairs) -> Vec<u8> {
    let mut content = Vec::new();
    for (name, value) in pairs {
        pairs::write(&mut content, name, value);
    }
    content
}

/// Bytes in pieces of the given sizes, the last of which repeats; as a socket may deliver them.
pub(crate) fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut sizes = sizes.iter().copied().chain(std::iter::repeat(*sizes.last().unwrap()));
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(sizes.next().unwrap().min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Sizes of pieces: some tiny, some as large as records can be.
pub(crate) fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..10_usize, 1..2000_usize, Just(32_768), Just(65_535)], 1..8)
}

/// Names and values around the lengths where their encoding changes.
pub(crate) fn some_pairs() -> impl Strategy<Value = Pairs> {
    let length = || prop_oneof![1..40_usize, 126..130_usize, 255..258_usize];
    let name = length().prop_flat_map(|length| vec(1..=u8::MAX, length));
    let value = prop_oneof![Just(0_usize), length()].prop_flat_map(|length| vec(1..=u8::MAX, length));
    vec((name, value), 0..20)
}
