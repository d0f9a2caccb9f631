//! A stream of name-value pairs: what is read and written again means the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vestibule::wire::fastcgi::pairs;

fuzz_target!(|stream: &[u8]| {
    let Ok(params) = pairs::parse(Bytes::copy_from_slice(stream)) else { return };
    assert!(params.size() + 2 * params.len() <= stream.len());
    let mut written = Vec::new();
    for (name, value) in params.iter() {
        assert!(!name.is_empty());
        assert_eq!(params.share(value), value);
        pairs::write(&mut written, name, value);
    }
    // Short lengths may have been written long.
    assert!(written.len() <= stream.len());
    assert_eq!(pairs::parse(written.into()), Ok(params));
});
