//! The header `Range` of a request for a file: the first byte picks the length of the file, the rest is the value.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use vestibule::apps;
use vestibule::testing::{TestResponse, TestServer};

const LENGTHS: [usize; 5] = [0, 1, 10, 1_000, 100_000];

fuzz_target!(|input: &[u8]| {
    let Some((&pick, value)) = input.split_first() else { return };
    let length = LENGTHS[usize::from(pick) % LENGTHS.len()];
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let response = server().get(format!("/{length}")).header("range", value).send();
    let content = content(length);
    match response.status().as_u16() {
        200 => assert_eq!(response.bytes(), content),
        206 => match response.header("content-range") {
            Some(content_range) => assert_eq!(response.bytes(), content[place(content_range, length)]),
            None => check_parts(&response, &content),
        },
        416 => assert_eq!(response.header("content-range"), Some(&*format!("bytes */{length}"))),
        other => panic!("{other}"),
    }
});

/// Files of these lengths, served from a directory that is written once.
fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let root: PathBuf = std::env::temp_dir().join("vestibule-fuzz-range");
        std::fs::create_dir_all(&root).unwrap();
        for length in LENGTHS {
            std::fs::write(root.join(length.to_string()), content(length)).unwrap();
        }
        TestServer::new(apps::files(root).unwrap())
    })
}

fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// `bytes FIRST-LAST/LENGTH` as the range of Rust.
fn place(content_range: &str, length: usize) -> std::ops::Range<usize> {
    let (range, whole) = content_range.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    assert_eq!(whole, length.to_string());
    let (first, last) = range.split_once('-').unwrap();
    first.parse().unwrap()..last.parse::<usize>().unwrap() + 1
}

/// Two to sixteen parts, no more bytes in all than the file has, each what its place says.
fn check_parts(response: &TestResponse, content: &[u8]) {
    let content_type = response.header("content-type").unwrap();
    let delimiter = format!("\r\n--{}", content_type.strip_prefix("multipart/byteranges; boundary=").unwrap());
    let body = [b"\r\n", &response.bytes()[..]].concat();
    let (mut rest, mut parts, mut sum) = (body.strip_prefix(delimiter.as_bytes()).unwrap(), 0, 0);
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = part.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&part[..end]).unwrap();
        let range = place(head.rsplit_once("Content-Range: ").unwrap().1, content.len());
        let (bytes, after) = part[end + 4..].split_at(range.len());
        (parts, sum) = (parts + 1, sum + range.len());
        assert_eq!(bytes, &content[range]);
        rest = after.strip_prefix(delimiter.as_bytes()).unwrap();
    }
    assert_eq!(rest, b"--\r\n");
    assert!((2..=16).contains(&parts) && sum <= content.len());
}
