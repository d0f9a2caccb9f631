//! Parts of files: row 128 of what attackers send, and that what is sent is what is in the file.

use proptest::prelude::*;
use vestibule::apps;
use vestibule::testing::{TestResponse, TestServer};

use super::place::{Place, WRITTEN, bytes};

const LENGTH: usize = 200_000;

fn place() -> (Place, TestServer) {
    let place = Place::new();
    place.write("file.bin", bytes(LENGTH));
    place.write("empty", "");
    let server = place.server();
    (place, server)
}

fn get(server: &TestServer, range: &str) -> TestResponse {
    server.get("/file.bin").header("range", range).send()
}

#[test]
fn one_range_is_a_part_of_the_file() {
    let (_place, server) = place();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99999", 0, 100_000),
        ("bytes=100000-", 100_000, LENGTH),
        ("bytes=-1", LENGTH - 1, LENGTH),
        ("bytes=-70000", LENGTH - 70_000, LENGTH),
        ("bytes=0-18446744073709551615", 0, LENGTH),
        ("bytes=7-7, 900000-", 7, 8),
        ("BYTES=1-2", 1, 3),
    ] {
        let response = get(&server, range);
        assert_eq!(response.status(), 206, "{range}");
        assert!(response.bytes() == bytes(LENGTH)[from..to], "{range}");
        let content_range = format!("bytes {from}-{}/{LENGTH}", to - 1);
        assert_eq!(response.header("content-range"), Some(&*content_range), "{range}");
        assert_eq!(response.header("content-length"), Some(&*(to - from).to_string()), "{range}");
        assert_eq!(response.header("content-type"), Some("application/octet-stream"), "{range}");
        assert!(response.header("etag").is_some() && response.header("last-modified") == Some(WRITTEN), "{range}");
    }
}

#[test]
fn what_no_byte_is_in_is_416() {
    let (_place, server) = place();
    for range in ["bytes=200000-", "bytes=-0", "bytes=18446744073709551615-", "bytes=200000-200001,-0,300000-"] {
        let response = get(&server, range);
        assert_eq!(response.status(), 416, "{range}");
        assert_eq!(response.header("content-range"), Some("bytes */200000"), "{range}");
        assert_eq!(response.text(), "416 Range Not Satisfiable\n");
    }
}

#[test]
fn what_is_malformed_foreign_or_too_much_is_as_if_it_were_not_there() {
    let (_place, server) = place();
    let list = |count: usize| (0..count).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(",");
    for range in [
        "bytes=5-2".to_owned(),
        "bytes=".to_owned(),
        "bytes=a-b".to_owned(),
        "bytes=0-0,x".to_owned(),
        "items=0-0".to_owned(),
        "0-0".to_owned(),
        format!("bytes={}", list(1000)),
        format!("bytes={}", list(17)),
        format!("bytes={}", "0-,".repeat(100)),
        format!("bytes={}", "0-0,".repeat(100)),
        "bytes=0-,0-".to_owned(),
        "bytes=0-9,5-14,8-20".to_owned(),
        format!("bytes={}", ",".repeat(50_000)),
        format!("bytes={}-", "9".repeat(0)),
    ] {
        let response = get(&server, &range);
        assert_eq!(response.status(), 200, "{range}");
        assert!(response.bytes().len() == LENGTH && response.header("content-range").is_none(), "{range}");
    }
    let twice = server.get("/file.bin").header("range", "bytes=0-0").header("range", "bytes=1-1").send();
    assert_eq!((twice.status().as_u16(), twice.bytes().len()), (200, LENGTH));
    let empty = server.get("/empty").header("range", "bytes=0-").send();
    assert_eq!((empty.status().as_u16(), empty.header("content-length")), (200, Some("0")));
}

#[test]
fn as_many_ranges_as_were_chosen_are_served() {
    let (place, _) = place();
    for most in [0, 1, 2, 40] {
        let server = TestServer::new(apps::files(place.settings().max_ranges(most)).unwrap());
        for count in [1, most.saturating_sub(1), most, most + 1] {
            let list: Vec<_> = (0..count.max(1)).map(|n| format!("{}-{}", n * 9, n * 9)).collect();
            let response = get(&server, &format!("bytes={}", list.join(",")));
            let expected = if count.max(1) <= most { 206 } else { 200 };
            assert_eq!(response.status(), expected, "{count} of {most}");
            let units = if most == 0 { "none" } else { "bytes" };
            assert_eq!(response.header("accept-ranges"), Some(units));
        }
    }
}

#[test]
fn if_range_asks_for_the_same_file_or_the_whole_of_it() {
    let (_place, server) = place();
    let etag = server.get("/file.bin").send().header("etag").unwrap().to_owned();
    let weak = format!("W/{etag}");
    for (value, expected) in [
        (&*etag, 206),
        (WRITTEN, 206),
        (&*weak, 200),
        ("\"x\"", 200),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 200),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("x", 200),
    ] {
        let response = server.get("/file.bin").header("range", "bytes=0-9").header("if-range", value).send();
        let length = if expected == 206 { 10 } else { LENGTH };
        assert_eq!((response.status().as_u16(), response.bytes().len()), (expected, length), "{value}");
        let unsatisfiable = server.get("/file.bin").header("range", "bytes=200000-").header("if-range", value).send();
        assert_eq!(unsatisfiable.status(), if expected == 206 { 416 } else { 200 }, "{value}");
    }
    assert_eq!(server.get("/file.bin").header("if-range", "\"x\"").send().status(), 200);
}

/// The parts of a response, each with its place: RFC 9110, section 14.6, and RFC 2046, section 5.1.1.
fn parts(response: &TestResponse) -> Vec<(String, Vec<u8>)> {
    let content_type = response.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let body = response.bytes();
    let mut rest = &body[..];
    let mut parts = Vec::new();
    let delimiter = format!("--{boundary}");
    rest = rest.strip_prefix(delimiter.as_bytes()).unwrap();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = part.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(part[..end].to_vec()).unwrap();
        let delimiter = format!("\r\n--{boundary}");
        let content = &part[end + 4..];
        let length = content.windows(delimiter.len()).position(|window| window == delimiter.as_bytes()).unwrap();
        parts.push((head, content[..length].to_vec()));
        rest = &content[length + delimiter.len()..];
    }
    assert_eq!(rest, b"--\r\n");
    parts
}

#[test]
fn several_ranges_are_several_parts() {
    let (place, server) = place();
    let response = get(&server, "bytes=100-199,0-0,-70000");
    assert_eq!((response.status().as_u16(), response.header("content-range")), (206, None));
    assert_eq!(response.header("content-length"), Some(&*response.bytes().len().to_string()));
    let content = bytes(LENGTH);
    let part = |from: usize, to: usize| {
        let head = format!("Content-Type: application/octet-stream\r\nContent-Range: bytes {from}-{}/{LENGTH}", to - 1);
        (head, content[from..to].to_vec())
    };
    assert!(parts(&response) == [part(100, 200), part(0, 1), part(130_000, LENGTH)]);
    let boundary = |response: &TestResponse| response.header("content-type").unwrap().to_owned();
    assert_ne!(boundary(&response), boundary(&get(&server, "bytes=0-0,2-2")), "nobody can know it before");
    let text = place.server().get("/hello.txt").header("range", "bytes=0-4,7-11").send();
    let expected: Vec<Vec<u8>> = vec![b"Hello".to_vec(), b"world".to_vec()];
    assert_eq!(parts(&text).into_iter().map(|(_, content)| content).collect::<Vec<_>>(), expected);
}

#[test]
fn a_file_that_is_cut_between_two_parts_aborts_the_response() {
    let (place, server) = place();
    let mut stream = server.get("/file.bin").header("range", "bytes=0-9,100000-199999").stream();
    stream.next().unwrap();
    std::fs::File::options().write(true).open(place.path("file.bin")).unwrap().set_len(100_000).unwrap();
    let response = stream.finish();
    assert!(!response.is_complete() && response.errors().contains("truncated"), "{}", response.errors());
}

#[cfg(feature = "http")]
#[test]
fn parts_arrive_over_http_as_in_memory() {
    let (place, _) = place();
    let server = TestServer::http(apps::files(place.settings()).unwrap());
    let response = get(&server, "bytes=0-99999,150000-");
    let content = bytes(LENGTH);
    let seen: Vec<Vec<u8>> = parts(&response).into_iter().map(|(_, content)| content).collect();
    assert!(seen == [content[..100_000].to_vec(), content[150_000..].to_vec()]);
    assert!(get(&server, "bytes=10-99").bytes() == content[10..100]);
    assert_eq!(get(&server, "bytes=200000-").status(), 416);
}

/// Ranges in any order, as a client writes them, and what they are in a file of some length.
fn any_ranges(length: u64) -> impl Strategy<Value = Vec<(String, u64, u64)>> {
    let one = (0..length, 0..length, 0..3_usize).prop_map(move |(a, b, form)| {
        let (first, last) = (a.min(b), a.max(b));
        match form {
            0 => (format!("{first}-{last}"), first, last + 1),
            1 => (format!("{first}-"), first, length),
            _ => (format!("-{}", length - first), first, length),
        }
    });
    prop::collection::vec(one, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_comes_together_is_what_was_asked_for(asked in any_ranges(100_000)) {
        let place = Place::new();
        let content = bytes(100_000);
        place.write("file.bin", &content);
        let list: Vec<&str> = asked.iter().map(|(text, _, _)| text.as_str()).collect();
        let response = get(&place.server(), &format!("bytes={}", list.join(", ")));
        let slices: Vec<Vec<u8>> =
            asked.iter().map(|&(_, from, to)| content[from as usize..to as usize].to_vec()).collect();
        let sum: usize = slices.iter().map(Vec::len).sum();
        match response.status().as_u16() {
            200 => prop_assert!(response.bytes() == content && (sum > content.len() || asked.len() > 2)),
            206 if asked.len() == 1 => prop_assert!(response.bytes() == slices[0]),
            206 => {
                let seen: Vec<Vec<u8>> = parts(&response).into_iter().map(|(_, content)| content).collect();
                prop_assert!(seen == slices);
            }
            other => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn pieces_side_by_side_make_the_whole_file(cuts in prop::collection::btree_set(1..100_000_usize, 1..15)) {
        let place = Place::new();
        let content = bytes(100_000);
        place.write("file.bin", &content);
        let begins = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([content.len()]);
        let list: Vec<String> = begins.zip(ends).map(|(from, to)| format!("{from}-{}", to - 1)).collect();
        let response = get(&place.server(), &format!("bytes={}", list.join(",")));
        prop_assert_eq!(response.status().as_u16(), 206);
        let seen: Vec<u8> = parts(&response).into_iter().flat_map(|(_, content)| content).collect();
        prop_assert!(seen == content);
    }
}
