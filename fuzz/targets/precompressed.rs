//! The header `Accept-Encoding` of a request for a file that has compressed siblings.
#![no_main]

use std::sync::OnceLock;

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use vestibule::apps::{self, Files};
use vestibule::testing::TestServer;

const CODINGS: [(&str, &str); 3] = [("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz")];

fuzz_target!(|value: &[u8]| {
    let Ok(header) = HeaderValue::from_bytes(value) else { return };
    let response = server().get("/file").header("accept-encoding", header).send();
    assert_eq!((response.status().as_u16(), response.header("vary")), (200, Some("accept-encoding")));
    let coding = response.header("content-encoding");
    assert_eq!(response.text(), coding.unwrap_or("plain"));
    if let Some(coding) = coding {
        // None is sent that the client has not spoken of.
        let value = value.to_ascii_lowercase();
        let is_named = value.windows(coding.len()).any(|window| window == coding.as_bytes());
        assert!(CODINGS.iter().any(|(name, _)| *name == coding) && (is_named || value.contains(&b'*')));
    }
});

/// A file and its siblings, each of which holds the name of its coding; the directory is written once.
fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let root = std::env::temp_dir().join("vestibule-fuzz-precompressed");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("file"), "plain").unwrap();
        for (coding, suffix) in CODINGS {
            std::fs::write(root.join(format!("file{suffix}")), coding).unwrap();
        }
        TestServer::new(apps::files(Files::new(root).precompressed(true)).unwrap())
    })
}
