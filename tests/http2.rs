//! HTTP/2 with prior knowledge: floods, malformed requests, limits, slow clients and the end.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "http2/frames.rs"]
mod frames;
#[path = "harness/program.rs"]
#[cfg(target_os = "linux")]
mod program;
#[path = "harness/serving.rs"]
mod serving;

use std::io::Write;
#[cfg(target_os = "linux")]
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use frames::{
    ACK, CANCEL, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS,
    PING, PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, request,
};
#[cfg(target_os = "linux")]
use program::Example;
use serving::{PATIENCE, Serving, gated, rest, status};
use vestibule::{App, Body, app_fn, async_fn};

/// Answers with method, path, host, cookie and the length of the body, or with the body's error.
fn witness() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(10_000_000)?;
        let text = |name| environ.var(name).map(|value| String::from_utf8_lossy(&value).into_owned());
        let (host, cookie) = (text("HTTP_HOST").unwrap_or_default(), text("HTTP_COOKIE").unwrap_or_default());
        start_response.start(200, [("content-type", "text/plain")])?;
        let protocol = environ.server_protocol();
        Ok(format!("{protocol} {} {} {host} {cookie} {}", environ.method(), environ.path_info(), body.len()).into())
    })
}

fn begin(serving: &Serving) -> Connection {
    Connection::begin(serving.connect(), &[])
}

/// The server serves others as if nothing was.
fn assert_serves(serving: &Serving) {
    let answer = serving.talk("GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(status(&answer), 200);
    let mut connection = begin(serving);
    connection.get(1, "/two", &[]).unwrap();
    let (status, body, error) = connection.response(1);
    assert_eq!((status, error), (200, None));
    assert_eq!(String::from_utf8(body).unwrap(), "HTTP/2.0 GET /two a  0");
}

#[test]
fn both_protocols_are_served_on_one_address() {
    assert_serves(&Serving::with(witness(), |server| server));
}

type Flood = Box<dyn Iterator<Item = Vec<u8>>>;

/// Requests that are reset at once.
fn rapid_resets() -> impl Iterator<Item = Vec<u8>> {
    (0..20_000).map(|n| {
        let request = Frame::new(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, request("GET", "/", &[]));
        [request.bytes(), Frame::new(RST_STREAM, 0, 2 * n + 1, CANCEL.to_be_bytes()).bytes()].concat()
    })
}

/// A head that does not end.
fn endless_head() -> impl Iterator<Item = Vec<u8>> {
    let begin = Frame::new(HEADERS, END_STREAM, 1, request("GET", "/", &[]));
    let more = Frame::new(CONTINUATION, 0, 1, block(&[("x", &"x".repeat(1000))]));
    std::iter::once(begin.bytes()).chain(std::iter::repeat_n(more.bytes(), 10_000))
}

/// A body of nothing. With `expects`, an application that does not read has it; without, it is read before the call.
fn empty_frames(expects: bool) -> impl Iterator<Item = Vec<u8>> {
    let expect = [("expect", "100-continue")];
    let head = request("POST", "/", if expects { &expect } else { &[] });
    let begin = Frame::new(HEADERS, END_HEADERS, 1, head);
    std::iter::once(begin.bytes()).chain(std::iter::repeat_n(Frame::new(DATA, 0, 1, []).bytes(), 100_000))
}

/// What has to be answered, forty megabytes of it.
fn questions(frame: &Frame) -> impl Iterator<Item = Vec<u8>> + use<> {
    let bytes = frame.bytes();
    let count = 40_000_000 / bytes.len();
    std::iter::repeat_n(bytes, count)
}

/// Sends what the server takes of a flood, many frames at once, and reads nothing meanwhile.
fn flood(connection: &mut Connection, frames: impl Iterator<Item = Vec<u8>>) {
    let mut frames = frames.peekable();
    while frames.peek().is_some() {
        let batch: Vec<u8> = frames.by_ref().take(500).flatten().collect();
        if connection.0.write_all(&batch).is_err() {
            return;
        }
    }
}

#[test]
fn a_flood_of_resets_or_of_continuations_or_of_empty_frames_ends_its_connection() {
    let (app, gate, _has_begun) = gated();
    let serving = Serving::with(app, |server| server);
    let held = gate.lock().unwrap();
    let ended_with = |name: &str, frames: Flood| {
        let mut connection = begin(&serving);
        flood(&mut connection, frames);
        assert_eq!(connection.goaway(), Some(ENHANCE_YOUR_CALM), "{name}");
    };
    ended_with("resets", Box::new(rapid_resets()));
    ended_with("a head without an end", Box::new(endless_head()));
    ended_with("empty frames that nobody reads", Box::new(empty_frames(true)));
    ended_with("empty frames that are read", Box::new(empty_frames(false)));
    drop(held);
    let mut connection = begin(&serving);
    connection.get(1, "/", &[]).unwrap();
    assert_eq!(connection.response(1), (200, b"done".to_vec(), None));
}

#[test]
#[cfg(target_os = "linux")]
fn floods_take_no_memory_and_others_are_served() {
    // A process of its own, whose memory is nobody else's.
    let example = Example::start("hello", |command| command.arg("--quiet"));
    let connect = || {
        let stream = TcpStream::connect(example.address).unwrap();
        // A server that takes no more of what it has to answer, while nobody reads the answers, does well.
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        Connection::begin(stream, &[])
    };
    let floods: [(&str, Flood); 6] = [
        ("resets", Box::new(rapid_resets())),
        ("a head without an end", Box::new(endless_head())),
        ("empty frames that nobody reads", Box::new(empty_frames(true))),
        ("empty frames that are read", Box::new(empty_frames(false))),
        ("pings", Box::new(questions(&Frame::new(PING, 0, 0, [0; 8])))),
        ("settings", Box::new(questions(&Frame::new(SETTINGS, 0, 0, [])))),
    ];
    for (name, frames) in floods {
        assert_eq!(example.get("/").status, 200);
        let before = example.memory_kib();
        let mut connection = connect();
        flood(&mut connection, frames);
        assert_eq!(example.get("/").status, 200, "{name}");
        let grown = example.memory_kib().saturating_sub(before);
        println!("{name}: {grown} KiB more");
        assert!(grown < 2 * 1024, "{name}: {grown} KiB more");
    }
}

#[test]
fn malformed_requests_are_refused_each_on_its_stream() {
    let serving = Serving::with(witness(), |server| server);
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    let with = |more: (&'static str, &'static str)| [&pseudo[..], &[more]].concat();
    let without = |name: &str| pseudo.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
    let rows = [
        ("an empty path", vec![pseudo[0], pseudo[1], (":path", ""), pseudo[3]]),
        ("no path", without(":path")),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no authority and no Host", without(":authority")),
        ("a name in capitals", with(("X-Name", "a"))),
        ("Connection", with(("connection", "close"))),
        ("Transfer-Encoding", with(("transfer-encoding", "chunked"))),
        ("Keep-Alive", with(("keep-alive", "timeout=5"))),
        ("Upgrade", with(("upgrade", "h2c"))),
        ("TE that is not trailers", with(("te", "gzip"))),
        ("an unknown pseudo-header", with((":x", "a"))),
        ("a pseudo-header twice", with((":path", "/x"))),
        ("a pseudo-header that comes late", [&[("x", "a")][..], &pseudo].concat()),
        ("another Host", with(("host", "b"))),
        ("a value with NUL", with(("x", "a\0b"))),
        ("a value with a line end", with(("x", "a\r\nb"))),
        ("an authority that is none", vec![pseudo[0], pseudo[1], pseudo[2], (":authority", "a/b@c")]),
        ("a path with an escape that is none", vec![pseudo[0], pseudo[1], (":path", "/%zz"), pseudo[3]]),
    ];
    for (name, lines) in rows {
        let mut connection = begin(&serving);
        connection.send(&Frame::new(HEADERS, END_HEADERS | END_STREAM, 1, block(&lines))).unwrap();
        let (status, _, error) = connection.response(1);
        let is_refused = (400..=501).contains(&status) || matches!(error, Some(PROTOCOL_ERROR | u32::MAX));
        assert!(is_refused && status != 200, "{name}: {status} {error:?}");
    }
    assert_serves(&serving);
}

#[test]
fn a_body_that_is_not_as_long_as_announced_is_an_error_and_never_a_short_body() {
    let serving = Serving::with(witness(), |server| server);
    for (announced, sent, execution_sees_all) in
        [("5", &b"123"[..], false), ("5", b"1234567", false), ("5", b"12345", true)]
    {
        let mut connection = begin(&serving);
        let head = request("POST", "/", &[("content-length", announced)]);
        connection.send(&Frame::new(HEADERS, END_HEADERS, 1, head)).unwrap();
        connection.send(&Frame::new(DATA, END_STREAM, 1, sent)).unwrap();
        let (status, _, error) = connection.response(1);
        assert_eq!(status == 200, execution_sees_all, "{announced} {sent:?}: {status} {error:?}");
    }
}

#[test]
fn cookies_are_joined_as_one() {
    let serving = Serving::with(witness(), |server| server);
    let mut connection = begin(&serving);
    connection.get(1, "/", &[("cookie", "a=1"), ("cookie", "b=2")]).unwrap();
    assert_eq!(connection.response(1).1, b"HTTP/2.0 GET / a a=1; b=2 0");
}

#[test]
fn an_application_that_speaks_of_the_connection_is_told_so() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("connection", "close")])?;
        Ok("never".into())
    });
    let serving = Serving::with(app, |server| server);
    let mut connection = begin(&serving);
    connection.get(1, "/", &[]).unwrap();
    assert_eq!(connection.response(1).0, 500);
}

#[test]
fn the_limits_of_heads_and_bodies_hold() {
    let serving = Serving::with(witness(), |server| server.body_limit(1000));
    let status = |lines: &[(&str, &str)]| {
        let mut connection = begin(&serving);
        let block = block(lines);
        // A frame has at most 16 KiB.
        let (first, rest) = block.split_at(block.len().min(16_000));
        let flags = if rest.is_empty() { END_HEADERS } else { 0 } | END_STREAM;
        let _ = connection.send(&Frame::new(HEADERS, flags, 1, first));
        let pieces = rest.chunks(16_000).collect::<Vec<_>>();
        for (at, piece) in pieces.iter().enumerate() {
            let flags = if at + 1 == pieces.len() { END_HEADERS } else { 0 };
            let _ = connection.send(&Frame::new(CONTINUATION, flags, 1, *piece));
        }
        connection.response(1).0
    };
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    let names: Vec<String> = (0..110).map(|n| format!("x-{n}")).collect();
    for (lines, expected) in [(99, 200), (100, 200), (101, 431)] {
        let more: Vec<(&str, &str)> = names[..lines].iter().map(|name| (&**name, "x")).collect();
        assert_eq!(status(&[&pseudo[..], &more].concat()), expected, "{lines} lines");
    }
    for (bytes, expected) in [(31_000, 200), (33_000, 431)] {
        assert_eq!(status(&[&pseudo[..], &[("x", &*"x".repeat(bytes))]].concat()), expected, "{bytes} bytes");
    }
    for (bytes, expected) in [(63, 200), (64, 200), (65, 501)] {
        let method = "M".repeat(bytes);
        assert_eq!(status(&[&[(":method", &*method)], &pseudo[1..]].concat()), expected, "a method of {bytes} bytes");
    }
    for (bytes, expected) in [(999, 200), (1000, 200), (1001, 413)] {
        for announced in [true, false] {
            let mut connection = begin(&serving);
            let length = bytes.to_string();
            let more = [("content-length", &*length)];
            let head = request("POST", "/", if announced { &more } else { &[] });
            connection.send(&Frame::new(HEADERS, END_HEADERS, 1, head)).unwrap();
            let _ = connection.send(&Frame::new(DATA, END_STREAM, 1, vec![b'x'; bytes]));
            assert_eq!(connection.response(1).0, expected, "{bytes} bytes, announced: {announced}");
        }
    }
}

/// An endless body, and how many blocks of 64 KiB were pulled from all of them.
fn endless() -> (App, Arc<AtomicUsize>) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pulled);
    let app = app_fn(move |environ, start_response| {
        let counted = Arc::clone(&counted);
        start_response.start(200, ())?;
        Ok(match environ.path_info() == "/endless" {
            false => format!("HTTP/2.0 GET {} a  0", environ.path_info()).into(),
            true => Body::iter(std::iter::repeat_with(move || {
                counted.fetch_add(1, Ordering::Relaxed);
                vec![b'x'; 64 * 1024]
            })),
        })
    });
    (app, pulled)
}

const INITIAL_WINDOW_SIZE: u16 = 4;

#[test]
fn readers_that_take_nothing_hold_little_and_no_thread() {
    let (app, pulled) = endless();
    let serving = Serving::with(app, |server| server);
    for window in [0, 1] {
        let mut connection = Connection::begin(serving.connect(), &[(INITIAL_WINDOW_SIZE, window)]);
        for stream in (0..200).map(|n| 2 * n + 1) {
            connection.get(stream, "/endless", &[]).unwrap();
        }
        // Others are served, also on the pool's threads, when all of them have begun.
        while pulled.load(Ordering::Relaxed) < 200 {
            std::thread::yield_now();
        }
        let answer = serving.talk("GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(status(&answer), 200);
        // A window of 256 KiB each, and what is with hyper.
        assert!(pulled.swap(0, Ordering::Relaxed) < 200 * 8);
        // One stream more than there may be is refused.
        connection.get(401, "/endless", &[]).unwrap();
        let refused = std::iter::from_fn(|| connection.next()).find(|frame| frame.stream == 401).unwrap();
        assert_eq!(refused.kind, RST_STREAM);
    }
}

#[test]
fn a_stream_that_nobody_takes_is_given_up_and_its_connection_goes_on() {
    let (closed, is_closed) = mpsc::channel();
    let app = app_fn(move |environ, start_response| {
        start_response.start(200, ())?;
        let closed = closed.clone();
        Ok(match environ.path_info() == "/endless" {
            false => "quick".into(),
            true => {
                Body::iter(std::iter::repeat_with(|| vec![b'x'; 64 * 1024])).on_close(move || closed.send(()).unwrap())
            }
        })
    });
    let serving = Serving::with(app, |server| server.write_timeout(Duration::from_millis(400)));
    let mut connection = begin(&serving);
    connection.get(1, "/endless", &[]).unwrap();
    is_closed.recv_timeout(PATIENCE).unwrap();
    connection.0.write_all(&Frame::new(PING, ACK, 0, [0; 8]).bytes()).unwrap();
    let window = Frame::new(WINDOW_UPDATE, 0, 0, 1_000_000_u32.to_be_bytes());
    connection.send(&window).unwrap();
    connection.get(3, "/", &[]).unwrap();
    assert_eq!(connection.response(3), (200, b"quick".to_vec(), None));
}

#[test]
fn an_idle_connection_is_told_goodbye() {
    let serving = Serving::with(witness(), |server| server.keep_alive_timeout(Duration::from_millis(300)));
    let mut connection = begin(&serving);
    connection.get(1, "/", &[]).unwrap();
    assert_eq!(connection.response(1).0, 200);
    assert_eq!(connection.goaway(), Some(0));
}

#[test]
fn a_beginning_that_is_none_is_closed() {
    let serving = Serving::with(witness(), |server| server.head_timeout(Duration::from_millis(500)));
    for bytes in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense and more of it"[..], b"PRI * HTTP/2.0\r\n\r\nS"] {
        let mut stream = serving.connect();
        stream.write_all(bytes).unwrap();
        let _ = rest(&mut stream);
    }
    assert_serves(&serving);
}

#[test]
fn a_stop_lets_streams_finish_and_says_goodbye() {
    let (app, gate, has_begun) = gated();
    let mut serving = Serving::with(app, |server| server);
    let held = gate.lock().unwrap();
    let mut connection = begin(&serving);
    connection.get(1, "/", &[]).unwrap();
    has_begun.recv_timeout(PATIENCE).unwrap();
    serving.handle.shutdown();
    let goodbye = connection.next().unwrap();
    assert_eq!((goodbye.kind, goodbye.error()), (GOAWAY, 0));
    drop(held);
    assert_eq!(connection.response(1), (200, b"done".to_vec(), None));
    serving.join();
}

#[test]
fn a_client_that_resets_its_stream_is_seen_to_leave() {
    let (began, has_begun) = mpsc::channel();
    let app = async_fn(move |environ, _start_response| {
        began.send(environ.cancellation()).unwrap();
        std::future::pending()
    });
    let serving = Serving::with(app, |server| server);
    let mut connection = begin(&serving);
    connection.get(1, "/", &[]).unwrap();
    let cancellation = has_begun.recv_timeout(PATIENCE).unwrap();
    connection.send(&Frame::new(RST_STREAM, 0, 1, CANCEL.to_be_bytes())).unwrap();
    futures::executor::block_on(cancellation);
}
