//! The beginning of a connection: uwsgi's decoder.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use vestibule::wire::uwsgi;

const MAX_PARAMS: usize = 2000;

fuzz_target!(|connection: &[u8]| {
    let mut input = BytesMut::from(connection);
    match uwsgi::decode(&mut input, MAX_PARAMS) {
        Ok(Some(params)) => {
            let packet = &connection[..connection.len() - input.len()];
            assert_eq!([packet, &input].concat(), connection, "the body stays");
            assert!(!params.is_empty() && params.size() <= MAX_PARAMS);
            let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
            let vars: Vec<u8> = params.iter().flat_map(|(name, value)| [sized(name), sized(value)].concat()).collect();
            assert_eq!(vars, packet[4..]);
            // Byte by byte, it is complete at the same byte.
            let mut early = BytesMut::from(&packet[..packet.len() - 1]);
            assert_eq!(uwsgi::decode(&mut early, MAX_PARAMS), Ok(None));
        }
        Ok(None) => {
            assert_eq!(input, connection, "nothing is taken");
            assert!(connection.len() < 4 + MAX_PARAMS);
        }
        Err(_) => {}
    }
});
