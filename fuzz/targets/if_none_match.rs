//! A list of entity tags: If-None-Match and If-Match.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vestibule::testing::TestServer;
use vestibule::{HeaderValue, app_fn, middleware};

static SERVER: LazyLock<TestServer> = LazyLock::new(|| {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("etag", "\"v1\"")])?;
        Ok("content".into())
    });
    TestServer::new(app.wrap(middleware::conditional_get)).without_lint()
});

fn status(name: &str, lines: &[&HeaderValue]) -> u16 {
    let request = SERVER.get("/");
    lines.iter().fold(request, |request, line| request.header(name, *line)).send().status().as_u16()
}

fuzz_target!(|list: &[u8]| {
    let Ok(list) = HeaderValue::from_bytes(list) else { return };
    let has = |part: &[u8]| list.as_bytes().windows(part.len()).any(|window| window == part);
    let is_star = list.as_bytes().trim_ascii() == b"*";
    let (weak, strong) = (status("if-none-match", &[&list]), status("if-match", &[&list]));
    assert!(matches!(weak, 200 | 304) && matches!(strong, 200 | 412));
    // What matches is there.
    assert!(weak == 200 || is_star || has(b"v1"));
    assert!(strong == 412 || is_star || has(b"\"v1\""));
    // What is the same is the same for a cache too.
    assert!(strong == 412 || weak == 304);
    // A tag before a list is found, whatever the list; and one on a line of its own, on either side.
    let tag = HeaderValue::from_static("\"v1\"");
    let together = HeaderValue::from_bytes(&[b"\"v1\", ", list.as_bytes()].concat()).expect("both are values");
    for lines in [&[&together][..], &[&tag, &list], &[&list, &tag]] {
        assert_eq!((status("if-none-match", lines), status("if-match", lines)), (304, 200));
    }
});
