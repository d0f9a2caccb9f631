//! `access_log`, its formats, and what cannot break out of a line.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use vestibule::middleware::{self, AccessLog, User, access_log};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Head, app_fn};

use super::passing::passes_everything;
use super::{all, play};
use crate::harness::play::{Item, Play};
use crate::harness::{Running, get, head, run};

/// A log with this format, and the lines that it has written.
fn log(format: &str) -> (AccessLog, Arc<Mutex<Vec<String>>>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&lines);
    let log = AccessLog::format(format).unwrap().to(move |line| kept.lock().unwrap().push(line.to_owned()));
    (log, lines)
}

/// The one line of a request with these headers to `/path`.
fn line(format: &str, headers: &[(&str, &[u8])]) -> String {
    let (log, lines) = log(format);
    let mut request = get();
    for (name, value) in headers {
        let (name, value) = (http::HeaderName::try_from(*name).unwrap(), http::HeaderValue::from_bytes(value).unwrap());
        request.headers_mut().append(name, value);
    }
    run(&play().app(super::Kind::Eager).wrap(access_log(log)), request, super::Pull::Blocking);
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1);
    lines[0].clone()
}

#[test]
fn access_log_lets_everything_pass() {
    passes_everything(access_log(log("%r %>s %b %u %{x}o %D").0));
}

#[test]
fn every_request_has_one_line_with_what_was_sent() {
    for (kind, pull) in all() {
        let (log, lines) = log(r#""%r" %>s %b %B %X %{outcome}X"#);
        let app = play().app(kind).wrap(access_log(log));
        run(&app, get(), pull);
        run(&app, head(), pull);
        let expected = [r#""GET /path HTTP/1.1" 200 13 13 - complete"#, r#""HEAD /path HTTP/1.1" 200 - 0 - complete"#];
        assert_eq!(*lines.lock().unwrap(), expected, "{kind:?} {pull:?}");
    }
}

#[test]
fn errors_aborts_and_clients_that_leave_have_their_line_too() {
    for (kind, pull) in all() {
        let (log, lines) = log("%>s %b %X %{outcome}X");
        let layer = access_log(log);
        let fails = Play::items(|| Head::new(200), [Item::Fail("no disk")]).app(kind).wrap(&layer);
        run(&fails, get(), pull);
        let panics = Play::items(|| Head::new(200), [Item::Panic("a bug")]).app(kind).wrap(&layer);
        run(&panics, get(), pull);
        let expected = ["500 26 - complete", "500 26 - complete"];
        assert_eq!(*lines.lock().unwrap(), expected, "{kind:?} {pull:?}");
        if !kind.is_stepwise() {
            continue;
        }
        lines.lock().unwrap().clear();
        let late = Play::items(|| Head::new(200), [Item::Block("half"), Item::Fail("late")]).app(kind).wrap(&layer);
        run(&late, get(), pull);
        let mut leaves = Running::new(&play().app(kind).wrap(&layer), get(), pull);
        while leaves.blocks.is_empty() {
            leaves.step();
        }
        leaves.finish(false);
        assert_eq!(*lines.lock().unwrap(), ["200 4 X aborted", "200 4 X client-left"], "{kind:?} {pull:?}");
    }
}

#[test]
fn the_formats_of_old_are_those_that_other_programs_read() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok("hello".into())
    });
    let date = |line: &str| {
        let (begin, rest) = line.split_once('[').unwrap();
        let (date, end) = rest.split_once(']').unwrap();
        assert!(date.len() == 26 && date.ends_with(" +0000"), "{date}");
        format!("{begin}[]{end}")
    };
    let server = TestServer::new(app.clone().wrap(access_log(AccessLog::common())));
    let response = server.get("/a%20b?c=d").send();
    assert_eq!(date(response.errors()), "127.0.0.1 - - [] \"GET /a%20b?c=d HTTP/1.1\" 200 5\n");
    let server = TestServer::new(app.wrap(access_log(AccessLog::combined())));
    let response = server.get("/").header("referer", "http://a.example/").header("user-agent", "curl/8").send();
    assert_eq!(date(response.errors()), "127.0.0.1 - - [] \"GET / HTTP/1.1\" 200 5 \"http://a.example/\" \"curl/8\"\n");
}

#[test]
fn every_directive_says_what_it_stands_for() {
    let pid = std::process::id();
    for (format, expected) in [
        ("%%%l", "%-".to_owned()),
        ("%h %a", "- -".to_owned()),
        ("%m|%U|%q|%H|%r", "GET|/path||HTTP/1.1|GET /path HTTP/1.1".to_owned()),
        ("%v:%p %V", "localhost:80 localhost".to_owned()),
        ("%s %>s %<s", "200 200 200".to_owned()),
        ("%{A}i %{b}i", "1, 2 -".to_owned()),
        ("%{X-Inner}o %{x}o", "yes -".to_owned()),
        ("%{REQUEST_METHOD}e %{DOCUMENT_ROOT}e", "GET -".to_owned()),
        ("%P", pid.to_string()),
        ("%u", "-".to_owned()),
        ("", String::new()),
    ] {
        assert_eq!(line(format, &[("a", b"1"), ("a", b"2")]), expected, "{format}");
    }
    for format in ["%D", "%T", "%{us}T", "%{ms}T", "%{s}T", "%{sec}t", "%{msec}t", "%{usec}t"] {
        let number = line(format, &[]);
        assert!(number.parse::<u64>().is_ok(), "{format}: {number}");
    }
    let (sec, usec) = (line("%{sec}t", &[]).parse::<u64>().unwrap(), line("%{usec}t", &[]).parse::<u64>().unwrap());
    assert!(sec > 1_700_000_000 && usec / 1_000_000 >= sec);
}

/// Rack CVE-2025-25184 and CVE-2022-30123.
#[test]
fn nothing_that_a_client_sends_ends_a_field_or_a_line() {
    let format = r#""%{User-Agent}i" %{Referer}i"#;
    let hostile: &[(&str, &[u8])] =
        &[("user-agent", b"\" 200 5 \"\\\t\xff\xc2\x9b2J"), ("referer", "\u{202e}\u{e9}\u{85}".as_bytes())];
    let expected = "\"\\x22 200 5 \\x22\\x5C\\x09\\xFF\\xC2\\x9B2J\" \\xE2\\x80\\xAE\u{e9}\\xC2\\x85";
    assert_eq!(line(format, hostile), expected);
    // What no HTTP server lets in, another gateway or a middleware may.
    let (log, lines) = log("%u %{EVIL}e %v");
    let layer = access_log(log);
    let evil = middleware::map_environ(|environ| {
        environ.set_var("EVIL", &b"\r\n\x1b[2J127.0.0.1\0"[..]).unwrap();
        environ.set_var("REMOTE_USER", "eve [10/Oct/2000:13:55:36 +0000]\n").unwrap();
        environ.set_server("a\nb", 80);
    });
    run(&play().app(super::Kind::Eager).wrap(layer).wrap(evil), get(), super::Pull::Blocking);
    let expected = [r"eve\x20[10/Oct/2000:13:55:36\x20+0000]\x0A \x0D\x0A\x1B[2J127.0.0.1\x00 a\x0Ab"];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn the_user_is_whom_an_authentication_inside_or_outside_has_found() {
    let user_in_head = |inner: App| {
        app_fn(move |environ, start_response| {
            let start_response = start_response.on_head(|head| drop(head.extensions_mut().insert(User::new("inside"))));
            inner.call(environ, start_response)
        })
    };
    let user_in_environ =
        middleware::map_environ(|environ| drop(environ.extensions_mut().insert(User::new("out side"))));
    let user_in_variable = middleware::map_environ(|environ| environ.set_var("REMOTE_USER", "variable").unwrap());
    for (kind, pull) in all() {
        let (log, lines) = log("%u");
        let layer = access_log(log);
        run(&play().app(kind).wrap(&layer).wrap(&user_in_variable), get(), pull);
        run(&play().app(kind).wrap(&layer).wrap(&user_in_variable).wrap(&user_in_environ), get(), pull);
        run(&play().app(kind).wrap(user_in_head).wrap(&layer).wrap(&user_in_environ), get(), pull);
        let expected = ["variable", r"out\x20side", "inside"];
        assert_eq!(*lines.lock().unwrap(), expected, "{kind:?} {pull:?}");
    }
}

#[test]
fn the_line_is_of_the_request_as_it_came() {
    let (log, lines) = log("%r %{Host}i");
    let change = middleware::map_environ(|environ| {
        environ.set_path(b"", b"/changed").unwrap();
        environ.headers_mut().clear();
    });
    let app = play().app(super::Kind::Eager).wrap(change).wrap(access_log(log));
    let request = http::Request::get("/%2F?a").header("host", "a.example").body(()).unwrap();
    run(&app, request, super::Pull::Blocking);
    assert_eq!(*lines.lock().unwrap(), ["GET /%2F?a HTTP/1.1 a.example"]);
}

#[test]
fn a_writer_gets_whole_lines_and_may_fail() {
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);
    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Err(io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let writes = Writes::default();
    let log = AccessLog::format("%m").unwrap().to_writer(writes.clone());
    let app = play().app(super::Kind::Eager).wrap(access_log(log));
    for _ in 0..2 {
        assert_eq!(run(&app, get(), super::Pull::Blocking).status, 200);
    }
    assert_eq!(*writes.0.lock().unwrap(), ["GET\n", "GET\n"]);
}

#[test]
fn a_log_that_panics_harms_no_request() {
    let log = AccessLog::common().to(|_| std::panic::resume_unwind(Box::new("a bug in the log")));
    let app = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok(Body::empty())
    });
    let seen = run(&app.wrap(access_log(log)), get(), super::Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.aborted), (200, false));
    assert!(seen.log.contains("a bug in the log"), "{}", seen.log);
}
