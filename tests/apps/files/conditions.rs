//! Conditional requests for files, and what their validators are worth.

use std::fs;
use std::time::{Duration, SystemTime};

use super::place::{Place, WRITTEN, WRITTEN_SECONDS, age};

const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

#[test]
fn conditions_are_answered_in_their_order() {
    let place = Place::new();
    let server = place.server();
    let etag = place.get("/hello.txt").header("etag").unwrap().to_owned();
    let weak = format!("W/{etag}");
    let list = format!("\"x\", {weak} , \"y\"");
    for (lines, expected) in [
        (vec![("if-none-match", &*etag)], 304),
        (vec![("if-none-match", &*weak)], 304),
        (vec![("if-none-match", &*list)], 304),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-none-match", "\"x\"")], 200),
        (vec![("if-none-match", etag.trim_matches('"'))], 304),
        (vec![("if-match", etag.trim_matches('"'))], 412),
        (vec![("if-none-match", "\"x\""), ("if-modified-since", AFTER)], 200),
        (vec![("if-none-match", &*etag), ("if-modified-since", BEFORE)], 304),
        (vec![("if-modified-since", WRITTEN)], 304),
        (vec![("if-modified-since", AFTER)], 304),
        (vec![("if-modified-since", BEFORE)], 200),
        (vec![("if-modified-since", "never")], 200),
        (vec![("if-match", &*etag)], 200),
        (vec![("if-match", "*")], 200),
        (vec![("if-match", &*weak)], 412),
        (vec![("if-match", "\"x\"")], 412),
        (vec![("if-match", "\"x\""), ("if-none-match", &*etag)], 412),
        (vec![("if-match", &*etag), ("if-unmodified-since", BEFORE)], 200),
        (vec![("if-unmodified-since", WRITTEN)], 200),
        (vec![("if-unmodified-since", BEFORE)], 412),
        (vec![("if-unmodified-since", BEFORE), ("if-modified-since", AFTER)], 412),
        // The conditions come before the range.
        (vec![("if-none-match", &*etag), ("range", "bytes=0-0")], 304),
        (vec![("if-match", "\"x\""), ("range", "bytes=0-0")], 412),
        (vec![("if-match", &*etag), ("range", "bytes=0-0")], 206),
    ] {
        for head in [false, true] {
            let mut request = if head { server.head("/hello.txt") } else { server.get("/hello.txt") };
            for (name, value) in &lines {
                request = request.header(*name, *value);
            }
            let response = request.send();
            let expected = if head && expected == 206 { 200 } else { expected };
            assert_eq!(response.status(), expected, "{lines:?}, head: {head}");
            if expected == 304 {
                assert_eq!(response.header("etag"), Some(&*etag));
                assert_eq!(response.header("last-modified"), Some(WRITTEN));
                assert_eq!((response.header("content-type"), response.header("content-length")), (None, None));
                assert!(response.bytes().is_empty());
            }
        }
    }
}

#[test]
fn a_condition_on_what_is_missing_changes_nothing() {
    let place = Place::new();
    for (name, value) in
        [("if-none-match", "*"), ("if-match", "*"), ("if-modified-since", AFTER), ("range", "bytes=0-0")]
    {
        assert_eq!(place.server().get("/missing").header(name, value).send().status(), 404, "{name}");
    }
}

#[test]
fn ten_thousand_tags_are_one_answer() {
    let place = Place::new();
    let etag = place.get("/hello.txt").header("etag").unwrap().to_owned();
    let list = "\"a\", ".repeat(10_000) + &etag;
    assert_eq!(place.server().get("/hello.txt").header("if-none-match", list).send().status(), 304);
}

#[test]
fn the_tag_changes_with_every_change() {
    let place = Place::new();
    let etag = || place.get("/hello.txt").header("etag").unwrap().to_owned();
    let mut seen = vec![etag()];
    assert_eq!(etag(), seen[0]);
    // As long as before, and said to be as old as before.
    place.write("hello.txt", "Hallo, world!\n");
    seen.push(etag());
    fs::write(place.path("other"), "Hullo, world!\n").unwrap();
    age(&place.path("other"), WRITTEN_SECONDS);
    fs::rename(place.path("other"), place.path("hello.txt")).unwrap();
    seen.push(etag());
    age(&place.path("hello.txt"), WRITTEN_SECONDS + 1);
    seen.push(etag());
    place.write("hello.txt", "Hello!\n");
    seen.push(etag());
    let different: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
}

/// A file may change twice within a tick of the clock, so what was written just now has no strong validator.
#[test]
fn a_new_file_has_a_weak_tag() {
    let place = Place::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let later = now + Duration::from_secs(3600);
    for (seconds, strong) in [(now.as_secs() - 10, true), (later.as_secs(), false)] {
        age(&place.path("hello.txt"), seconds);
        let etag = place.get("/hello.txt").header("etag").unwrap().to_owned();
        assert_eq!(!etag.starts_with("W/"), strong, "{etag}");
        let with = |name: &str| place.server().get("/hello.txt").header(name, &*etag);
        assert_eq!(with("if-none-match").send().status(), 304);
        assert_eq!(with("if-match").send().status(), if strong { 200 } else { 412 });
        assert_eq!(with("if-range").header("range", "bytes=0-0").send().status(), if strong { 206 } else { 200 });
    }
}
