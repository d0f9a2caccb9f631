//! What each of the three protocols does with requests and answers: bodies of every size, and answers without one.

use std::io::{Read, Write};
use std::time::Duration;

use vestibule::{App, Body, Error, app_fn, async_fn};

use crate::client::{Answer, Client, End, Request, whole};
use crate::program::{Own, memory_kib, until};
use crate::serving::{Kind, Over, PATIENCE, Place, Stream, WAYS};

/// Sizes around what a record can carry, and around what is read before a call.
const SIZES: [usize; 8] = [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 3_000_000];

fn patterned(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn echo() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(10_000_000)?;
        start_response.start(200, [("content-type", "application/octet-stream")])?;
        Ok(body.into())
    })
}

/// Answers with each block as it comes.
fn streamed_echo() -> App {
    async_fn(|mut environ, start_response| async move {
        start_response.start(200, ())?;
        Ok(Body::stream(environ.take_input()))
    })
}

fn hello() -> App {
    app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok("hello".into())
    })
}

#[test]
fn a_request_without_a_body_is_answered() {
    for way in WAYS {
        let answer = serve!(way, hello()).ask(&Request::get("/"));
        let line = if way.0 == Kind::Uwsgi { "HTTP/1.1 200 OK" } else { "Status: 200 OK" };
        assert_eq!(answer.status_line(), line, "{way:?}");
        assert!(answer.has("content-type: text/plain") && answer.has("content-length: 5"), "{answer:?}");
        assert_eq!((answer.text(), answer.end), ("hello".to_owned(), whole(way.0)), "{way:?}");
    }
}

#[test]
fn a_body_of_any_size_comes_back_whole() {
    for way in WAYS {
        for app in [echo(), streamed_echo()] {
            let serving = serve!(way, app);
            for size in SIZES {
                let body = patterned(size);
                let answer = serving.ask(&Request::post("/", body.clone()));
                assert_eq!((answer.status(), answer.end), (200, whole(way.0)), "{way:?} {size}");
                assert!(answer.body == body, "{way:?}: {size} bytes, and {} came back", answer.body.len());
            }
        }
    }
}

#[test]
fn a_small_answer_is_one_record_with_its_head_and_a_large_one_is_cut_into_few() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(vec![b'x'; environ.query_string().parse::<usize>()?].into())
    });
    let serving = serve!((Kind::FastCgi, Over::Unix), app);
    for (size, records) in [(0, 1), (5, 1), (4096, 1), (65_528, 2), (65_529, 3), (131_071, 4), (1_000_000, 17)] {
        let answer = serving.ask(&Request::get(&format!("/?{size}")));
        assert_eq!((answer.body.len(), answer.end), (size, End::Request(0, 0)));
        assert_eq!(answer.records.len(), records, "{size}: {:?}", answer.records);
    }
}

#[test]
fn empty_blocks_are_no_records() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok(Body::iter(["", "a", "", "", "b", ""]))
    });
    for way in WAYS {
        let answer = serve!(way, app.clone()).ask(&Request::get("/"));
        assert_eq!((answer.text(), answer.end), ("ab".to_owned(), whole(way.0)), "{way:?}");
    }
}

#[test]
fn answers_that_have_no_body_have_not_a_byte_of_one() {
    let app = app_fn(|environ, start_response| {
        let status: u16 = environ.query_string().parse()?;
        start_response.start(status, [("content-type", "text/plain")])?;
        Ok(Body::iter(["some", "thing"]))
    });
    for way in WAYS {
        let serving = serve!(way, app.clone());
        for (method, status) in [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304), ("POST", 204)] {
            let answer = serving.ask(&Request::new(method, &format!("/?{status}")));
            assert_eq!((answer.status(), answer.end), (status, whole(way.0)), "{way:?} {method}");
            assert_eq!(answer.text(), "", "{way:?} {method} {status}");
        }
    }
}

#[test]
fn what_no_application_answers_has_no_body_for_head_either() {
    for way in WAYS {
        let serving = serve!(way, hello(), |server| server.header_count_limit(1));
        for (request, status) in [
            (Request::new("HEAD", "/%zz"), 400),
            (Request::new("HEAD", "/").with("HTTP_X", "more"), 431),
            (Request::new("HEAD", "/").with("CONTENT_LENGTH", "abc"), 400),
        ] {
            let answer = serving.ask(&request);
            // RFC 9110, section 9.3.2; HAProxy answers 502 for a byte of it. SCGI's own refusals know no method.
            let is_known =
                !(way.0 == Kind::Scgi && status == 400 && request.bytes(way.0).windows(3).any(|w| w == b"abc"));
            assert_eq!(answer.status(), status, "{way:?}");
            assert!(answer.body.is_empty() || !is_known, "{way:?}: {answer:?}");
        }
    }
}

#[test]
fn the_status_is_written_with_a_reason_and_hop_by_hop_headers_are_not() {
    let app = app_fn(|environ, start_response| {
        let status: u16 = environ.query_string().parse()?;
        start_response.start(status, [("location", "/elsewhere")])?;
        Ok("".into())
    });
    for way in WAYS {
        let serving = serve!(way, app.clone());
        let prefix = if way.0 == Kind::Uwsgi { "HTTP/1.1" } else { "Status:" };
        for (status, reason) in
            [(200, "OK"), (201, "Created"), (404, "Not Found"), (299, "Success"), (599, "Server Error")]
        {
            let answer = serving.ask(&Request::get(&format!("/?{status}")));
            assert_eq!(answer.status_line(), format!("{prefix} {status} {reason}"), "{way:?}");
            assert!(!answer.head.to_lowercase().contains("\r\nconnection:"), "{answer:?}");
            assert!(!answer.head.to_lowercase().contains("\r\ntransfer-encoding:"), "{answer:?}");
        }
    }
}

#[test]
fn an_application_that_fails_is_a_whole_500() {
    let app = app_fn(|environ, _| match environ.query_string() {
        "panic" => panic!("the kettle is cold"),
        _ => Err(Error::from("the kettle is cold")),
    });
    for way in WAYS {
        let serving = serve!(way, app.clone());
        for query in ["error", "panic"] {
            let answer = serving.ask(&Request::get(&format!("/?{query}")));
            assert_eq!((answer.seen(), answer.end), ((500, "500 Internal Server Error\n".to_owned()), whole(way.0)));
        }
    }
}

#[test]
fn blocks_arrive_before_the_next_is_made() {
    let (more, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let app = app_fn(move |_, start_response| {
        start_response.start(200, ())?;
        let (gate, mut made) = (gate.clone(), 0);
        Ok(Body::iter(std::iter::from_fn(move || {
            made += 1;
            if made == 2 {
                gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            (made < 3).then(|| format!("block {made}."))
        })))
    });
    for way in WAYS {
        let serving = serve!(way, app.clone());
        let mut stream = serving.connect();
        stream.write_all(&Request::get("/").bytes(way.0)).unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"block 1.") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        more.send(()).unwrap();
        let (rest, _) = stream.rest();
        assert!(rest.windows(8).any(|window| window == b"block 2."), "{way:?}");
    }
}

/// Two servers that make more than anybody reads and read less than comes, in a process of their own.
#[test]
fn endless() {
    let Some(address) = Own::address() else { return };
    let app = async_fn(|environ, start_response| async move {
        if environ.method() == "POST" {
            // The body is there and nobody reads it.
            std::future::pending::<()>().await;
        }
        start_response.start(200, ())?;
        Ok(Body::iter(std::iter::repeat(vec![b'x'; 64 * 1024])))
    });
    let (kind, address) = address.split_once('@').map_or(("fastcgi", &*address), |(kind, address)| (kind, address));
    match kind {
        "scgi" => vestibule::adapters::scgi::Server::bind(address).unwrap().run(app).unwrap(),
        "uwsgi" => vestibule::adapters::uwsgi::Server::bind(address).unwrap().run(app).unwrap(),
        _ => vestibule::adapters::fastcgi::Server::bind(address).unwrap().run(app).unwrap(),
    }
}

/// How much a server may grow by one connection that takes or brings without end, in KiB.
const GROWS: u64 = 8 * 1024;

fn endless_by(kind: &str) -> (Own, Place) {
    let own = Own::begin_by("bodies::endless", kind);
    let place = Place::Tcp(own.address);
    until("it serves", || place.connect().is_ok());
    (own, place)
}

const KINDS: [(Kind, &str); 3] = [(Kind::FastCgi, "fastcgi"), (Kind::Scgi, "scgi"), (Kind::Uwsgi, "uwsgi")];

#[test]
fn an_endless_answer_that_nobody_reads_takes_little_memory() {
    for (kind, name) in KINDS {
        let (own, place) = endless_by(name);
        // What the first request needs is there.
        let mut stream = place.connect().unwrap();
        stream.write_all(&Request::get("/").bytes(kind)).unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        drop(stream);
        let before = memory_kib(own.process.0.id());
        let mut streams = Vec::new();
        for _ in 0..4 {
            let mut stream = place.connect().unwrap();
            stream.write_all(&Request::get("/").bytes(kind)).unwrap();
            stream.read_exact(&mut [0; 1_000_000]).unwrap();
            streams.push(stream);
        }
        let grown = memory_kib(own.process.0.id()).saturating_sub(before);
        println!("{name}: four answers take {grown} KiB");
        assert!(grown < GROWS, "{name}: {grown} KiB");
    }
}

/// Sends until the server takes no more; how much that was.
fn sent_until_full(stream: &mut Stream, block: &[u8]) -> usize {
    let (mut sent, enough) = (0, 64 * 1024 * 1024);
    match &*stream {
        Stream::Unix(stream) => stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap(),
        Stream::Tcp(stream) => stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap(),
    }
    while sent < enough {
        match stream.write(block) {
            Ok(length) => sent += length,
            Err(_) => break,
        }
    }
    sent
}

#[test]
fn an_upload_that_nobody_reads_stops_being_read() {
    for (kind, name) in KINDS {
        let (own, place) = endless_by(name);
        let before = memory_kib(own.process.0.id());
        let mut stream = place.connect().unwrap();
        let request = Request::post("/", "").with("CONTENT_LENGTH", "1000000000");
        stream.write_all(&request.head(kind)).unwrap();
        let block = match kind {
            Kind::FastCgi => crate::client::stdin(1, &[b'x'; 32_768]),
            _ => vec![b'x'; 32_768],
        };
        let sent = sent_until_full(&mut stream, &block);
        let grown = memory_kib(own.process.0.id()).saturating_sub(before);
        println!("{name}: {sent} bytes were taken, {grown} KiB more");
        assert!(sent < 32 * 1024 * 1024 && grown < GROWS, "{name}: {sent} bytes, {grown} KiB");
    }
}

#[test]
fn an_upload_byte_by_byte_takes_no_buffer_for_each_byte() {
    for (kind, name) in KINDS {
        let (own, place) = endless_by(name);
        let mut stream = place.connect().unwrap();
        let request = Request::post("/", "").with("CONTENT_LENGTH", "1000000000");
        stream.write_all(&request.head(kind)).unwrap();
        let before = memory_kib(own.process.0.id());
        let piece = match kind {
            // The smallest that is not copied.
            Kind::FastCgi => crate::client::stdin(1, &[b'x'; 1025]),
            _ => vec![b'x'],
        };
        let pieces = if kind == Kind::FastCgi { 255 } else { 20_000 };
        for _ in 0..pieces {
            stream.write_all(&piece).unwrap();
            // So that each is read by itself.
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(200));
        let grown = memory_kib(own.process.0.id()).saturating_sub(before);
        println!("{name}: {pieces} pieces take {grown} KiB");
        assert!(grown < GROWS, "{name}: {grown} KiB");
    }
}

#[test]
fn an_early_answer_to_an_upload_that_nobody_reads_arrives_whole() {
    let app = app_fn(|_, start_response| {
        start_response.start(403, ())?;
        Ok(vec![b'n'; 300_000].into())
    });
    for way in WAYS {
        let serving = serve!(way, app.clone());
        for _ in 0..5 {
            let answer = serving.ask(&Request::post("/", vec![b'x'; 3_000_000]));
            assert_eq!((answer.status(), answer.body.len(), answer.end), (403, 300_000, whole(way.0)), "{way:?}");
        }
    }
}

#[test]
fn an_answer_that_fails_behind_its_head_is_seen_to_be_cut() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-length", "1000000")])?;
        Ok(Body::try_iter([Ok("some"), Err(Error::from("the kettle is cold"))]))
    });
    for way in WAYS {
        let answer = serve!(way, app.clone()).ask(&Request::get("/"));
        assert_eq!((answer.status(), answer.text()), (200, "some".to_owned()), "{way:?}");
        let expected = match way.1 {
            Over::Tcp => End::Reset,
            // A unix socket has no reset.
            Over::Unix if way.0 == Kind::FastCgi => End::Spoiled,
            // The length tells.
            Over::Unix => End::Closed,
        };
        assert_eq!(answer.end, expected, "{way:?}");
    }
}

#[test]
fn a_client_that_closes_its_half_still_gets_its_answer() {
    for way in WAYS {
        let serving = serve!(way, echo());
        for body in ["", "tea"] {
            let mut stream = serving.connect();
            stream.write_all(&Request::post("/", body).bytes(way.0)).unwrap();
            stream.end();
            let answer = match way.0 {
                Kind::FastCgi => Client::on(stream).answer(1),
                kind => Answer::read(kind, stream),
            };
            assert_eq!((answer.seen(), answer.end), ((200, body.to_owned()), whole(way.0)), "{way:?}");
        }
    }
}

#[test]
fn a_refusal_arrives_though_a_body_of_unknown_length_is_still_on_its_way() {
    for way in WAYS {
        let serving = serve!(way, hello());
        let request = Request::post("/", vec![b'x'; 3_000_000]);
        for (request, status) in [
            (request.clone().with("CONTENT_LENGTH", "abc"), 400),
            (request.clone().with("CONTENT_LENGTH", "99999999999999999999"), 413),
            // NGINX with `scgi_request_buffering off`, as Debian 12 has it.
            (request.clone().with("CONTENT_LENGTH", "9123").with("HTTP_CONTENT_LENGTH", "3000000"), 400),
        ] {
            for _ in 0..5 {
                let answer = serving.ask(&request);
                assert_eq!((answer.status(), answer.end), (status, whole(way.0)), "{way:?}");
            }
        }
    }
}
