//! The suite's own client of HTTP/1.1: what it accepts, what it refuses, and that no bytes harm it.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::sync::{LazyLock, Mutex};

use proptest::prelude::*;
use vestibule::Result;
use vestibule::testing::conformance::{self, Client, Http1, Need, Request, Response};

/// A connection that answers with what it was given, in parts of a certain size, and then ends.
struct Canned {
    bytes: Vec<u8>,
    at: usize,
    part: usize,
    then: Option<io::ErrorKind>,
}

impl Read for Canned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.part.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..part].copy_from_slice(&self.bytes[self.at..self.at + part]);
        self.at += part;
        match (part, self.then) {
            (0, Some(kind)) => Err(kind.into()),
            _ => Ok(part),
        }
    }
}

impl Write for Canned {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static GET: LazyLock<Request> = LazyLock::new(|| request_of("GET"));
static HEAD: LazyLock<Request> = LazyLock::new(|| request_of("HEAD"));

/// A request of the suite with this method.
fn request_of(method: &str) -> Request {
    /// Keeps the first request with the method.
    struct Keeps<'a>(&'a str, Mutex<Option<Request>>);
    impl Client for Keeps<'_> {
        fn supports(&self, _: Need) -> bool {
            false
        }
        fn send(&self, request: &Request, _: conformance::Watch<'_>) -> Result<Response> {
            if request.method() == self.0 {
                self.1.lock().unwrap().get_or_insert(request.clone());
            }
            Ok(Response::none())
        }
    }
    let keeps = Keeps(method, Mutex::new(None));
    let _ = conformance::run(&keeps, "");
    keeps.1.into_inner().unwrap().expect("a case sends one")
}

fn read(method: &str, bytes: &[u8], part: usize, then: Option<io::ErrorKind>) -> Result<Response> {
    let bytes = bytes.to_vec();
    let client = Http1::new(move || Ok(Canned { bytes: bytes.clone(), at: 0, part, then }));
    client.send(if method == "HEAD" { &HEAD } else { &GET }, &mut |_| ControlFlow::Continue(()))
}

#[track_caller]
fn reads(method: &str, bytes: &[u8], body: &str, complete: bool) {
    for part in [1, 2, 3, 7, 10_000] {
        let response = read(method, bytes, part, None).unwrap();
        assert_eq!((&*response.body, response.complete), (body.as_bytes(), complete), "in parts of {part}");
    }
}

#[track_caller]
fn refuses(bytes: &[u8], why: &str) {
    for part in [1, 5, 10_000] {
        let error = read("GET", bytes, part, None).unwrap_err().to_string();
        assert!(error.contains(why), "{error:?} is not about {why:?}");
    }
}

#[test]
fn every_framing() {
    reads("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", true);
    reads("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more", "hello", true);
    reads("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true);
    reads("GET", b"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", true);
    reads("GET", b"HTTP/1.0 200 \r\n\r\n", "", true);
    reads(
        "GET",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n",
        "hello",
        true,
    );
    reads("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "", true);
    reads("GET", b"HTTP/1.1 204 No Content\r\n\r\nnot a body", "", true);
    reads("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "", true);
    reads(
        "GET",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\na",
        "a",
        true,
    );
}

#[test]
fn every_early_end() {
    reads("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", "hello", false);
    let chunked: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n";
    let head = chunked.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    for end in head..chunked.len() {
        assert!(!read("GET", &chunked[..end], 4, None).unwrap().complete, "{}", chunked[..end].escape_ascii());
    }
    let response = read("GET", chunked, 4, None).unwrap();
    assert!(response.complete);
    assert_eq!(response.trailers["x-sum"], "5");
    let until_closed = b"HTTP/1.1 200 OK\r\n\r\nhello";
    assert!(!read("GET", until_closed, 4, Some(io::ErrorKind::ConnectionReset)).unwrap().complete);
    let silent = read("GET", until_closed, 4, Some(io::ErrorKind::WouldBlock)).unwrap_err();
    assert!(silent.to_string().contains("in time"), "{silent}");
}

#[test]
fn what_is_only_nearly_a_response() {
    refuses(b"", "without a response");
    refuses(b"HTTP/1.1 200 OK\r\na: b\r\n", "middle of a head");
    refuses(b"HTTP/1.1 200\r\n\r\n", "status line");
    refuses(b"HTTP/1.1 20 OK\r\n\r\n", "status line");
    refuses(b"HTTP/2 200 OK\r\n\r\n", "status line");
    refuses(b"HTTP/1.1  200 OK\r\n\r\n", "status line");
    refuses(b"HTTP/1.1 200 OK\n\n", "CRLF");
    refuses(b"HTTP/1.1 200 O\rK\r\n\r\n", "CRLF");
    refuses(b"HTTP/1.1 200 OK\r\na : b\r\n\r\n", "header field");
    refuses(b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n", "header field");
    refuses(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header field");
    refuses(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na", "framed twice");
    refuses(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "framed twice");
    refuses(b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na", "not a length");
    refuses(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\na", "longer than");
    refuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\na", "transfer coding");
    refuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "size of a chunk");
    refuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", "size of a chunk");
    refuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n", "size of a chunk");
    refuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\na", "longer than");
    refuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "");
    refuses(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(30), "too many");
    refuses(&[&b"HTTP/1.1 200 OK\r\n"[..], &b"a: b\r\n".repeat(100_000)].concat(), "too");
    refuses(&vec![b'x'; 1 << 20], "too long");
}

#[cfg(unix)]
#[test]
fn a_unix_socket() {
    use std::os::unix::net::UnixListener;
    let path = std::env::temp_dir().join(format!("vestibule-reading-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = connection.read(&mut request).unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
        request.truncate(length);
        String::from_utf8(request).unwrap()
    });
    let response = Http1::unix(&path).send(&GET, &mut |_| ControlFlow::Continue(())).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((&*response.body, response.complete), (&b"hello"[..], true));
    let request = server.join().unwrap();
    assert!(request.starts_with("GET "), "{request}");
    assert!(request.contains("\r\nx-conformance: ") && request.ends_with("\r\n\r\n"), "{request}");
}

/// Bytes that are often close to a response.
fn nearly_a_response() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.0 100 Continue\r\n".to_vec()),
        Just(b"content-length: 3\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        Just(b"a: b\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"ffffffffffffffffff\r\n".to_vec()),
        Just(b"0\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_bytes_harm_the_reader(bytes in nearly_a_response(), part in 1..50_usize) {
        let response = read("GET", &bytes, part, None);
        if let Ok(response) = response {
            prop_assert!(response.body.len() <= bytes.len());
        }
    }

    #[test]
    fn parts_make_no_difference(bytes in nearly_a_response(), part in 1..50_usize) {
        let tell = |response: Result<Response>| match response {
            Ok(response) => Ok((response.status, response.headers, response.body, response.trailers, response.complete)),
            Err(error) => Err(error.to_string()),
        };
        prop_assert_eq!(tell(read("GET", &bytes, part, None)), tell(read("GET", &bytes, 1 << 20, None)));
    }
}
