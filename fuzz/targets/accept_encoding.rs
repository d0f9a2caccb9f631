//! The codings that a client accepts: Accept-Encoding.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vestibule::middleware::{Compression, compression};
use vestibule::testing::TestServer;
use vestibule::{HeaderValue, app_fn};

static SERVER: LazyLock<TestServer> = LazyLock::new(|| {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok("content".into())
    });
    TestServer::new(app.wrap(compression(Compression::new().min_size(1)))).without_lint()
});

/// The coding that the lines lead to.
fn coding(lines: &[&[u8]]) -> Option<String> {
    let mut request = SERVER.get("/");
    for line in lines {
        request = request.header("accept-encoding", HeaderValue::from_bytes(line).expect("parts of values are values"));
    }
    let response = request.send();
    assert_eq!((response.status().as_u16(), response.header("vary")), (200, Some("Accept-Encoding")));
    let coding = response.header("content-encoding").map(str::to_owned);
    match coding.as_deref() {
        None => assert_eq!(response.text(), "content"),
        Some(coding) => assert!(matches!(coding, "gzip" | "br" | "zstd"), "{coding}"),
    }
    coding
}

fuzz_target!(|list: &[u8]| {
    if HeaderValue::from_bytes(list).is_err() {
        return;
    }
    let chosen = coding(&[list]);
    // A coding that is chosen is named, or all are.
    let lower = list.to_ascii_lowercase();
    let has = |part: &[u8]| lower.windows(part.len()).any(|window| window == part);
    assert!(chosen.as_deref().is_none_or(|coding| has(coding.as_bytes()) || has(b"*")));
    // A list is the same on two lines.
    if let Some(comma) = list.iter().position(|&byte| byte == b',') {
        assert_eq!(coding(&[&list[..comma], &list[comma + 1..]]), chosen);
    }
    // The last word counts.
    assert_eq!(coding(&[list, b"gzip;q=0, br;q=0, zstd;q=0"]), None);
    assert_eq!(coding(&[list, b"gzip;q=0, br, zstd;q=0.9"]).as_deref(), Some("br"));
});
