//! What people complain of in other gateways, where no other file has it: each was an issue of one of them.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use vestibule::wire::fastcgi::RecordType;
use vestibule::{App, Body, Execution, app_fn};

use crate::client::{Client, End, Request, end_of_stdin, stdin, whole};
use crate::program::{Own, memory_kib, until};
use crate::serving::{FASTCGI, Kind, PATIENCE, Place, Stream, WAYS, at_once};
use crate::web_server::{KEEP_CONN, RESPONDER, begin, record};

fn echo() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(10_000_000)?;
        start_response.start(200, ())?;
        Ok(body.into())
    })
}

/// A server of each protocol, in a process of its own.
#[test]
fn served() {
    let Some(address) = Own::address() else { return };
    let (kind, address) = address.split_once('@').unwrap();
    match kind {
        "scgi" => vestibule::adapters::scgi::Server::bind(address).unwrap().run(echo()).unwrap(),
        "uwsgi" => vestibule::adapters::uwsgi::Server::bind(address).unwrap().run(echo()).unwrap(),
        _ => vestibule::adapters::fastcgi::Server::bind(address).unwrap().run(echo()).unwrap(),
    }
}

fn served_by(kind: &str) -> (Own, Place) {
    let own = Own::begin_by("complaints::served", kind);
    let place = Place::Tcp(own.address);
    until("it serves", || place.connect().is_ok());
    (own, place)
}

/// Sends what the server takes of this within half a second; how much that was.
fn send_what_it_takes(stream: &mut Stream, bytes: &[u8]) -> usize {
    let soon = Some(Duration::from_millis(500));
    match &*stream {
        Stream::Unix(stream) => stream.set_write_timeout(soon).unwrap(),
        Stream::Tcp(stream) => stream.set_write_timeout(soon).unwrap(),
    }
    let mut sent = 0;
    while let Ok(more @ 1..) = stream.write(&bytes[sent..]) {
        sent += more;
    }
    sent
}

#[test]
fn what_a_connection_asks_without_end_takes_little_memory_whether_the_answers_are_read_or_not() {
    let (own, place) = served_by("fastcgi");
    let hello = Client::on(place.connect().unwrap()).ask(1, &Request::get("/"));
    assert_eq!(hello.status(), 200);
    let before = memory_kib(own.process.0.id());
    // Go's net/http/fcgi: each request that had begun was remembered.
    let begun: Vec<u8> = (1..=u16::MAX).flat_map(|id| begin(id, RESPONDER, KEEP_CONN)).collect();
    let asked = record(RecordType::GetValues, 0, b"\x0e\0FCGI_MAX_CONNS", 0).repeat(60_000);
    let unknown = record(RecordType::Other(99), 0, b"", 0).repeat(60_000);
    for (what, flood) in [("begun", begun), ("asked", asked), ("unknown", unknown)] {
        let mut deaf = place.connect().unwrap();
        send_what_it_takes(&mut deaf, &flood.repeat(40));
        let mut client = Client::on(place.connect().unwrap());
        let mut writing = client.stream.again();
        let sending = std::thread::spawn(move || writing.write_all(&flood));
        for n in 0..20_000 {
            assert!(client.record().unwrap().is_some(), "{what}: {n} answers");
        }
        let grown = memory_kib(own.process.0.id()).saturating_sub(before);
        println!("{what}: {grown} KiB");
        assert!(grown < 4 * 1024, "{what}: {grown} KiB");
        drop(client);
        let _ = sending.join().unwrap();
    }
}

#[test]
fn connections_that_are_kept_and_idle_hold_no_thread() {
    // PHP and libfcgi: a kept connection was a worker that had nothing else to do.
    for way in FASTCGI {
        let serving = serve!(way, echo(), |server| server.execution(Execution::pool().hot(1).max(1)));
        let mut clients: Vec<_> = (0..100).map(|_| Client::on(serving.connect())).collect();
        for _ in 0..3 {
            for client in &mut clients {
                assert_eq!(client.ask(1, &Request::post("/", "tea")).text(), "tea", "{way:?}");
            }
        }
    }
}

#[test]
fn a_request_that_has_no_body_waits_for_no_end_of_one() {
    // HAProxy: the end of STDIN did not come for an empty POST.
    for way in FASTCGI {
        let serving = serve!(way, echo());
        let mut client = Client::on(serving.connect());
        let announced = |method: &str| Request::new(method, "/").with("CONTENT_LENGTH", "0");
        for request in [Request::get("/"), Request::new("HEAD", "/"), announced("GET"), announced("POST")] {
            client.send(request.fastcgi_head(1, KEEP_CONN));
            let answer = client.answer(1);
            assert_eq!((answer.seen(), answer.end), ((200, String::new()), End::Request(0, 0)), "{request:?}");
            // It may still come; the next request has the same id.
            client.send(end_of_stdin(1));
        }
    }
}

#[test]
fn a_body_that_is_all_there_and_does_not_end_is_given_up_in_time() {
    at_once(&FASTCGI, |way| {
        let serving = serve!(way, echo(), |server| server.body_timeout(Duration::from_millis(400)));
        for length in ["3", "-1"] {
            let mut client = Client::on(serving.connect());
            client.send(Request::post("/", "").with("CONTENT_LENGTH", length).fastcgi_head(1, KEEP_CONN));
            client.send(stdin(1, b"tea"));
            let answer = client.answer(1);
            assert_eq!((answer.status(), answer.end), (408, End::Request(0, 0)), "{way:?} {length}: {answer:?}");
            // The connection is as good as before.
            client.send(end_of_stdin(1));
            assert_eq!(client.ask(2, &Request::post("/", "tea")).text(), "tea", "{way:?} {length}");
        }
    });
}

#[test]
fn an_upload_of_which_nothing_comes_is_an_error() {
    for way in WAYS {
        let (tell, told) = mpsc::channel();
        let app = vestibule::async_fn(move |mut environ, start_response| {
            let tell = tell.clone();
            async move {
                let read = environ.input_mut().read_bytes_async(100).await;
                tell.send(read.as_ref().map_or_else(|error| Err(error.is_client()), |body| Ok(body.len()))).unwrap();
                start_response.start(200, ())?;
                Ok(read?.into())
            }
        });
        let serving = serve!(way, app);
        let mut stream = serving.connect();
        stream.write_all(&Request::post("/", "").with("CONTENT_LENGTH", "5").head(way.0)).unwrap();
        stream.end();
        let _ = stream.rest();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Err(true), "{way:?}");
    }
}

#[test]
fn what_an_application_writes_to_its_log_stays_here_unless_the_web_server_is_to_have_it() {
    // HAProxy: a byte on STDERR was a 502.
    let app = app_fn(|environ, start_response| {
        writeln!(environ.errors(), "the kettle is cold")?;
        start_response.start(200, ())?;
        Ok(Body::iter(["te", "a"]))
    });
    for way in FASTCGI {
        let answer = serve!(way, app.clone()).ask(&Request::get("/"));
        assert_eq!((answer.text(), &*answer.errors), ("tea".to_owned(), ""), "{way:?}");
    }
}

#[test]
fn an_application_is_always_told_what_was_asked_for() {
    // Go's net/http/fcgi: there was no REQUEST_URI.
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(environ.var("REQUEST_URI").unwrap_or_default().into_owned().into())
    });
    for way in WAYS {
        let serving = serve!(way, app.clone());
        let sent = Request::get("/a/b?c=d");
        for request in [sent.clone(), sent.without("REQUEST_URI")] {
            assert_eq!(serving.ask(&request).text(), "/a/b?c=d", "{way:?} {request:?}");
        }
    }
}

#[test]
fn a_value_of_64_kilobytes_arrives() {
    // libfcgi: more than 4 or 8 KB of variables broke it.
    let value = "x".repeat(65_000);
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(environ.var("SSL_CLIENT_CERT").unwrap_or_default().into_owned().into())
    });
    for way in WAYS {
        let size = if way.0 == Kind::Uwsgi { 64_000 } else { value.len() };
        let answer = serve!(way, app.clone()).ask(&Request::get("/").with("SSL_CLIENT_CERT", &value[..size]));
        assert_eq!((answer.status(), answer.body.len(), answer.end), (200, size, whole(way.0)), "{way:?}");
    }
}

#[test]
fn variables_over_a_limit_are_answered_and_the_log_names_the_limit() {
    // uWSGI: "invalid request block size", and the connection was closed without a word.
    for (kind, name) in [(Kind::FastCgi, "fastcgi"), (Kind::Scgi, "scgi"), (Kind::Uwsgi, "uwsgi")] {
        let (own, place) = served_by(name);
        let ask = |bytes: usize| {
            let mut stream = place.connect().unwrap();
            // It may be answered before all of it was read.
            let _ = stream.write_all(&Request::get("/").with("HTTP_X", "x".repeat(bytes)).bytes(kind));
            let answer = crate::client::Answer::read(kind, stream);
            assert_eq!((answer.status(), answer.end), (431, whole(kind)), "{name} {bytes}");
            assert!(!answer.body.is_empty(), "{answer:?}");
        };
        ask(40_000);
        own.await_log("over the limit of 32768 bytes and 100 lines");
        if kind != Kind::Uwsgi {
            // A packet of uwsgi cannot have as much.
            ask(140_000);
            own.await_log("they may have 131072 bytes, four times head_limit");
        }
    }
}

#[test]
fn what_makes_no_sense_is_told_once_however_much_there_is_of_it() {
    for name in ["fastcgi", "scgi", "uwsgi"] {
        let (mut own, place) = served_by(name);
        let mut stream = place.connect().unwrap();
        // No record of this version, no number of bytes, no such modifier. It may be closed before all of it is sent.
        let _ = stream.write_all(&[b'x'; 4_000_000]);
        let _ = stream.rest();
        own.process.signal("TERM");
        let (_, log) = own.end();
        let told = log.iter().filter(|line| line.starts_with("vestibule: the web server at")).count();
        assert_eq!(told, 1, "{name}: {log:?}");
    }
}

#[test]
fn what_keeps_a_front_end_from_waiting_is_passed_on() {
    // NGINX: events waited in its buffers, which this header turns off.
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/event-stream"), ("x-accel-buffering", "no")])?;
        Ok(Body::iter(["data: tea\n\n"]))
    });
    for way in WAYS {
        let answer = serve!(way, app.clone()).ask(&Request::get("/"));
        assert!(answer.has("x-accel-buffering: no") && answer.has("content-type: text/event-stream"), "{answer:?}");
    }
}
