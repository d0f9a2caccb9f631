//! Each limit of the servers behind a web server, just below it, at it and just above it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use vestibule::adapters::{fastcgi, scgi, uwsgi};
use vestibule::wire::fastcgi::RecordType;
use vestibule::{App, Body, Execution, app_fn};

use crate::client::{Answer, Client, Request, packet, stdin, whole};
use crate::program::{Own, until};
use crate::serving::{FASTCGI, Kind, Over, PATIENCE, Place, Serving, Stream, WAYS, Way, at_once};
use crate::web_server::{KEEP_CONN, RESPONDER, begin, params, record};

const SHORT: Duration = Duration::from_millis(400);
/// Well within `SHORT`, also on a busy machine.
const QUICK: Duration = Duration::from_millis(40);

fn hello() -> App {
    app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok("hello".into())
    })
}

fn echo() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(10_000_000)?;
        start_response.start(200, ())?;
        Ok(body.into())
    })
}

/// How long a request is when it is written as HTTP/1.1, with a header that makes it so.
fn of_head(kind: Kind, bytes: usize) -> Request {
    let least = "GET / HTTP/1.1\r\nhost: example\r\nx: \r\n\r\n".len();
    // A request of SCGI has one always.
    let least = if kind == Kind::Scgi { least + "content-length: 0\r\n".len() } else { least };
    Request::get("/").with("HTTP_X", "x".repeat(bytes - least))
}

fn assert_status(way: Way, serving: &Serving, request: &Request, status: u16, what: &str) {
    let answer = serving.ask(request);
    assert_eq!((answer.status(), answer.end), (status, whole(way.0)), "{way:?} {what}");
}

#[test]
fn a_head_may_have_so_many_bytes_and_not_one_more() {
    for way in WAYS {
        for limit in [500, 32 * 1024] {
            let serving = match limit {
                500 => serve!(way, hello(), |server| server.head_limit(500)),
                // The default.
                _ => serve!(way, hello()),
            };
            let mut rows = vec![(limit - 1, 200), (limit, 200), (limit + 1, 431)];
            // A uwsgi packet ends at 64 KiB.
            rows.push((60_000, 431));
            for (bytes, status) in rows {
                assert_status(way, &serving, &of_head(way.0, bytes), status, &format!("{bytes} of {limit}"));
            }
        }
    }
}

#[test]
fn variables_may_take_four_times_as_much_as_a_head() {
    for way in WAYS {
        let serving = serve!(way, hello(), |server| server.head_limit(1000));
        let used = match way.0 {
            Kind::FastCgi => params(Request::get("/").variables()).len() + 5 + "NOTHING".len(),
            Kind::Scgi => {
                "CONTENT_LENGTH\x000\0SCGI\x001\0".len() + packet(Request::get("/").variables()).len()
                    - 4
                    - 2 * Request::get("/").variables().len()
                    + "NOTHING\0\0".len()
            }
            Kind::Uwsgi => packet(Request::get("/").variables()).len() - 4 + 4 + "NOTHING".len(),
        };
        for (bytes, status) in [(3999, 200), (4000, 200), (4001, 431)] {
            let request = Request::get("/").with("NOTHING", "x".repeat(bytes - used));
            assert_status(way, &serving, &request, status, &format!("{bytes}"));
        }
    }
}

#[test]
fn a_head_may_have_so_many_headers_and_not_one_more() {
    for way in WAYS {
        for limit in [5, 100] {
            let serving = match limit {
                // The default.
                100 => serve!(way, hello()),
                limit => serve!(way, hello(), |server| server.header_count_limit(limit)),
            };
            for (headers, status) in [(limit - 1, 200), (limit, 200), (limit + 1, 431)] {
                let first = if way.0 == Kind::Scgi { 2 } else { 1 };
                let request =
                    (first..headers).fold(Request::get("/"), |request, n| request.with(&format!("HTTP_X{n}"), "x"));
                assert_status(way, &serving, &request, status, &format!("{headers} of {limit}"));
            }
        }
    }
}

#[test]
fn a_method_may_have_so_many_bytes_and_not_one_more() {
    for way in WAYS {
        let serving = serve!(way, hello(), |server| server.method_limit(8));
        for (bytes, status) in [(7, 200), (8, 200), (9, 501)] {
            assert_status(way, &serving, &Request::new(&"M".repeat(bytes), "/"), status, &format!("{bytes}"));
        }
    }
}

#[test]
fn a_body_may_have_so_many_bytes_and_not_one_more() {
    // Below and above what is read before the application is called.
    for limit in [1000_usize, 100_000] {
        for way in WAYS {
            for execution in [Execution::pool(), Execution::inline()] {
                let serving = serve!(way, echo(), |server| server.body_limit(limit as u64).execution(execution));
                for (bytes, status) in [(limit - 1, 200), (limit, 200), (limit + 1, 413)] {
                    let request = Request::post("/", vec![b'x'; bytes]);
                    assert_status(way, &serving, &request, status, &format!("{bytes} of {limit}"));
                    if way.0 == Kind::FastCgi {
                        // It is found out.
                        let request = request.with("CONTENT_LENGTH", "-1");
                        assert_status(way, &serving, &request, status, &format!("{bytes} of {limit}, not announced"));
                    }
                }
            }
        }
    }
}

/// A whole answer on a connection that the web server keeps open.
fn served(serving: &Serving) -> Stream {
    let mut stream = serving.connect();
    match serving.kind {
        Kind::FastCgi => {
            let mut client = Client::on(stream);
            assert_eq!(client.ask(1, &Request::get("/")).status(), 200);
            client.stream
        }
        // Only one that has not begun is kept.
        kind => {
            stream.write_all(&Request::get("/").bytes(kind)[..5]).unwrap();
            stream
        }
    }
}

#[test]
fn so_many_connections_are_served_and_the_next_waits_until_one_closes() {
    at_once(&WAYS, |way| {
        let serving = serve!(way, hello(), |server| server.connection_limit(2));
        let mut served = vec![served(&serving), served(&serving)];
        let mut third = serving.connect();
        third.write_all(&Request::get("/").bytes(way.0)).unwrap();
        third.wait(SHORT);
        assert!(third.read(&mut [0]).is_err(), "{way:?}: there is no room yet");
        third.wait(PATIENCE);
        served.pop();
        assert_eq!(Answer::read(way.0, third).status(), 200, "{way:?}");
    });
}

#[test]
fn variables_that_take_too_long_end_the_connection() {
    at_once(&WAYS, |way| {
        let serving = serve!(way, hello(), |server| server.head_timeout(SHORT));
        // Nothing, a part, and a byte now and then.
        assert_eq!(serving.connect().rest().0, b"", "{way:?}");
        let request = Request::get("/").bytes(way.0);
        for sent in [1, 30] {
            let mut stream = serving.connect();
            stream.write_all(&request[..sent]).unwrap();
            assert_eq!(stream.rest().0, b"", "{way:?} {sent}");
        }
        let mut dribbling = serving.connect();
        let sent = request.iter().take_while(|byte| {
            std::thread::sleep(QUICK);
            dribbling.write_all(&[**byte]).is_ok()
        });
        assert!(sent.count() < request.len() - 1, "{way:?}: the connection was closed");
        assert_eq!(serving.ask(&Request::get("/")).status(), 200);
    });
}

#[test]
fn variables_that_never_end_cost_no_other_request_of_the_connection_its_answer() {
    let app = app_fn(|_, start_response| {
        std::thread::sleep(SHORT * 3);
        start_response.start(200, ())?;
        Ok("slow".into())
    });
    at_once(&FASTCGI, |way| {
        let serving = serve!(way, app.clone(), |server| server.head_timeout(SHORT));
        let mut client = Client::on(serving.connect());
        client.send(begin(3, RESPONDER, KEEP_CONN));
        client.send(Request::get("/").kept(1));
        assert_eq!(client.answer(1).text(), "slow", "{way:?}");
        assert!(client.is_closed(), "nothing more is to be expected of it");
    });
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    for way in FASTCGI {
        let serving = serve!(way, hello(), |server| server.keep_alive_timeout(SHORT));
        let mut client = Client::on(serving.connect());
        for _ in 0..4 {
            assert_eq!(client.ask(1, &Request::get("/")).status(), 200);
            std::thread::sleep(QUICK);
        }
        assert!(client.is_closed());
    }
}

#[test]
fn a_body_that_stops_coming_is_answered_408_and_a_slow_one_is_read() {
    at_once(&WAYS, |way| {
        // Shorter and longer than what is read before the call.
        for length in [10, 100_000] {
            let serving = serve!(way, echo(), |server| server.body_timeout(SHORT));
            let request = Request::post("/", "").with("CONTENT_LENGTH", length.to_string());
            let part = |bytes: usize| match way.0 {
                Kind::FastCgi => stdin(1, &vec![b'x'; bytes]),
                _ => vec![b'x'; bytes],
            };
            let mut stream = serving.connect();
            stream.write_all(&request.head(way.0)).unwrap();
            stream.write_all(&part(length * 7 / 10)).unwrap();
            let answer = Answer::read(way.0, stream);
            assert_eq!((answer.status(), answer.end), (408, whole(way.0)), "{way:?} {length}");
            let mut stream = serving.connect();
            stream.write_all(&request.head(way.0)).unwrap();
            // Longer than the limit in all, and never idle for so long.
            for _ in 0..10 {
                std::thread::sleep(QUICK + QUICK / 2);
                stream.write_all(&part(length / 10)).unwrap();
            }
            if way.0 == Kind::FastCgi {
                stream.write_all(&record(RecordType::Stdin, 1, b"", 0)).unwrap();
            }
            assert_eq!(Answer::read(way.0, stream).body.len(), length, "{way:?}");
        }
    });
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    at_once(&WAYS, |way| {
        let (closed, is_closed) = mpsc::channel();
        let app = app_fn(move |_, start_response| {
            let closed = closed.clone();
            start_response.start(200, ())?;
            let blocks = std::iter::repeat(vec![b'x'; 64 * 1024]);
            Ok(Body::iter(blocks).on_close(move || closed.send(()).unwrap()))
        });
        let serving = serve!(way, app, |server| server.write_timeout(SHORT));
        let mut stalled = serving.connect();
        stalled.write_all(&Request::get("/").bytes(way.0)).unwrap();
        is_closed.recv_timeout(PATIENCE).unwrap();
    });
}

#[test]
fn a_call_for_which_there_is_no_thread_is_told_to_come_back() {
    for way in WAYS {
        let (began, has_begun) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let app = app_fn(move |_, start_response| {
            began.send(()).unwrap();
            gate.lock().unwrap().recv_timeout(PATIENCE)?;
            start_response.start(200, ())?;
            Ok("done".into())
        });
        let serving = serve!(way, app, |server| server.execution(Execution::pool().hot(1).max(1).queue(0)));
        let mut first = serving.connect();
        first.write_all(&Request::get("/").bytes(way.0)).unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        let answer = serving.ask(&Request::get("/"));
        assert_eq!((answer.status(), answer.end), (503, whole(way.0)), "{way:?}");
        assert!(answer.has("retry-after: 1"), "{answer:?}");
        open.send(()).unwrap();
        assert_eq!(Answer::read(way.0, first).status(), 200);
    }
}

#[test]
fn an_address_that_everybody_reaches_is_refused_with_the_cure() {
    let end = std::future::ready;
    for refused in [
        fastcgi::Server::bind("0.0.0.0:0").unwrap().run_until(hello(), end(())),
        scgi::Server::bind("0.0.0.0:0").unwrap().run_until(hello(), end(())),
        uwsgi::Server::bind("0.0.0.0:0").unwrap().run_until(hello(), end(())),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("allow_peers") && error.contains("0.0.0.0:"), "{error}");
    }
    let server = scgi::Server::bind("0.0.0.0:0").unwrap().allow_peers("10.0.0.0/8").unwrap();
    server.run_until(hello(), end(())).unwrap();
    for nonsense in ["", "10.0.0.0/33", "example", "10.0.0"] {
        let error = scgi::Server::bind("127.0.0.1:0").unwrap().allow_peers(nonsense).unwrap_err().to_string();
        assert!(error.contains(&format!("{nonsense:?}")), "{error}");
    }
}

/// Two servers, of which one lets nobody connect, in a process of their own.
#[test]
fn guarded() {
    let Some(address) = Own::address() else { return };
    let (network, address) = address.split_once('@').unwrap();
    let server = fastcgi::Server::bind(address).unwrap();
    server.allow_peers(network).unwrap().run(hello()).unwrap();
}

#[test]
fn a_peer_that_is_not_among_those_that_may_connect_is_closed_and_logged() {
    for (network, is_allowed) in [("10.0.0.0/8", false), ("127.0.0.0/8", true), ("127.0.0.1", true), ("::1", false)] {
        let own = Own::begin_by("limits::guarded", network);
        let place = Place::Tcp(own.address);
        until("it serves", || place.connect().is_ok());
        let mut stream = place.connect().unwrap();
        // One that is closed already cannot be written to.
        let _ = stream.write_all(&Request::get("/").bytes(Kind::FastCgi));
        if is_allowed {
            assert_eq!(Answer::read(Kind::FastCgi, stream).status(), 200, "{network}");
            continue;
        }
        assert_eq!(stream.rest().0, b"", "{network}");
        own.await_log("it is not among those that may connect: see allow_peers");
    }
}

#[test]
fn a_unix_socket_is_for_its_owner_and_group_unless_something_else_is_said() {
    for kind in [Kind::FastCgi, Kind::Scgi, Kind::Uwsgi] {
        for (asked, expected) in [(None, 0o660), (Some(0o600), 0o600), (Some(0o666), 0o666)] {
            let serving = match asked {
                None => serve!((kind, Over::Unix), hello()),
                Some(mode) => serve!((kind, Over::Unix), hello(), |server| server.unix_mode(mode).unwrap()),
            };
            let Place::Unix(path) = &serving.place else { panic!("it is one") };
            let path = path.clone();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected);
            drop(serving);
            let error = std::fs::metadata(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "nothing is left behind");
        }
    }
}
