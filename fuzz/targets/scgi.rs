//! The beginning of a connection: SCGI's decoder.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use vestibule::wire::scgi;

const MAX_PARAMS: usize = 2000;

fuzz_target!(|connection: &[u8]| {
    let mut input = BytesMut::from(connection);
    match scgi::decode(&mut input, MAX_PARAMS) {
        Ok(Some(request)) => {
            let packet = &connection[..connection.len() - input.len()];
            assert_eq!([packet, &input].concat(), connection, "the body stays");
            let params = request.params();
            assert!(params.size() <= MAX_PARAMS);
            assert_eq!(params.iter().next().map(|(name, _)| name), Some(&b"CONTENT_LENGTH"[..]));
            assert_eq!(params.get("SCGI"), Some(&b"1"[..]));
            let block: Vec<u8> = params.iter().flat_map(|(name, value)| [name, b"\0", value, b"\0"].concat()).collect();
            assert_eq!([format!("{}:", block.len()).as_bytes(), &block, b","].concat(), packet);
            // Byte by byte, it is complete at the same byte.
            let mut early = BytesMut::from(&packet[..packet.len() - 1]);
            assert_eq!(scgi::decode(&mut early, MAX_PARAMS), Ok(None));
        }
        Ok(None) => {
            assert_eq!(input, connection, "nothing is taken");
            assert!(connection.len() <= "2000:,".len() + MAX_PARAMS);
        }
        Err(_) => {}
    }
});
