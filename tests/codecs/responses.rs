//! FastCGI: responses out, read back as a web server reads them.

use bytes::{Buf, Bytes};
use proptest::collection::vec;
use proptest::prelude::*;
use vestibule::wire::Output;
use vestibule::wire::fastcgi::encode::{self, MAX_CONTENT};
use vestibule::wire::fastcgi::{Header, ProtocolStatus, RecordType};

/// The records of an output.
fn records(mut output: Output) -> Vec<(RecordType, u16, Bytes)> {
    let mut bytes = output.copy_to_bytes(output.remaining());
    let mut records = Vec::new();
    while bytes.has_remaining() {
        let mut header = [0; Header::LEN];
        bytes.copy_to_slice(&mut header);
        let header = Header::parse(header).unwrap();
        let content = bytes.split_to(header.length().into());
        bytes.advance(header.padding().into());
        records.push((header.record_type(), header.id(), content));
    }
    records
}

/// The bytes that a web server takes out of the records of one stream.
fn stream(records: &[(RecordType, u16, Bytes)], kind: RecordType, id: u16) -> Vec<u8> {
    let of_it = records.iter().filter(|record| (record.0, record.1) == (kind, id));
    of_it.flat_map(|record| record.2.iter().copied()).collect()
}

/// A body in which every place has its own bytes.
fn body(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_body_of_any_size_is_read_back_whole_from_records_that_hold_it() {
    let sizes = [0, 1, 65_527, 65_528, 65_529, 65_534, 65_535, 65_536, 65_537, 70_000, 131_056, 131_071, 1_000_000];
    for size in sizes {
        let mut output = Output::new();
        encode::stdout(&mut output, 1, body(size).into());
        encode::end_request(&mut output, 1, 0, ProtocolStatus::RequestComplete);
        let records = records(output);
        assert_eq!(stream(&records, RecordType::Stdout, 1), body(size), "{size}");
        assert_eq!(records.len(), size.div_ceil(MAX_CONTENT) + 1, "{size}");
        assert!(records.iter().all(|(_, _, content)| (1..=MAX_CONTENT).contains(&content.len())), "{size}");
        assert_eq!(records.last().unwrap(), &(RecordType::EndRequest, 1, Bytes::from_static(&[0; 8])));
    }
}

#[test]
fn a_full_record_needs_no_padding() {
    assert_eq!((MAX_CONTENT + Header::LEN) % 8, 0);
}

#[test]
fn a_large_block_is_not_copied() {
    let block = Bytes::from(body(200_000));
    let place = block.as_ptr_range();
    let mut output = Output::new();
    encode::stdout(&mut output, 1, block);
    let mut in_place = 0;
    while output.has_remaining() {
        let chunk = output.chunk().len();
        in_place += if place.contains(&output.chunk().as_ptr()) { chunk } else { 0 };
        output.advance(chunk);
    }
    // The last block is 3,416 bytes long, which are copied to spare a slice.
    assert_eq!(in_place, 3 * MAX_CONTENT);
}

proptest! {
    // Each writes up to a megabyte.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn responses_that_take_turns_are_read_back_each_whole(
        blocks in vec((1..4_u16, any::<bool>(), prop_oneof![0..200_usize, 4000..5000_usize, 65_500..66_000_usize]), 0..20),
    ) {
        let mut output = Output::new();
        let mut meant: [[Vec<u8>; 2]; 4] = Default::default();
        for (id, is_error, size) in blocks {
            meant[usize::from(id)][usize::from(is_error)].extend(body(size));
            let write = if is_error { encode::stderr } else { encode::stdout };
            write(&mut output, id, body(size).into());
        }
        let records = records(output);
        prop_assert!(records.iter().all(|(_, _, content)| !content.is_empty()));
        for id in 1..4 {
            prop_assert!(stream(&records, RecordType::Stdout, id) == meant[usize::from(id)][0]);
            prop_assert!(stream(&records, RecordType::Stderr, id) == meant[usize::from(id)][1]);
        }
    }
}
