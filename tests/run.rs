//! `vestibule::run`: the lines that it writes, and the signals that end it.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use program::{Answer, Example, until};

/// The lines that a program has written until it ended.
fn log(example: &Example) -> Vec<String> {
    example.log.iter().collect()
}

#[test]
fn each_request_has_a_line_with_method_path_status_bytes_and_time() {
    let mut example = Example::start("middleware", |command| command);
    assert_eq!(example.get("/tea?sugar=1").status, 200);
    assert_eq!(example.get("/broken").status, 500);
    assert_eq!(example.ask("HEAD /", "", "").status, 200);
    example.signal("TERM");
    assert!(example.end().success());
    let log = log(&example);
    for (begin, end) in [("GET /tea?sugar=1 200 14 ", " ms"), ("GET /broken 500 40 ", " ms"), ("HEAD / 200 0 ", " ms")]
    {
        let found = log.iter().filter(|line| line.starts_with(begin) && line.ends_with(end)).count();
        assert_eq!(found, 1, "{begin:?} in {log:#?}");
    }
}

#[test]
fn a_request_that_the_server_refuses_has_its_line_with_the_reason() {
    let mut example = Example::start("hello", |command| command);
    assert_eq!(example.get("/%zz?a=b").status, 400);
    assert_eq!(example.ask("HEAD /%zz", "", "").status, 400);
    assert_eq!(example.get("/\u{e9}").status, 400);
    assert_eq!(example.ask("CONNECT a:80", "", "").status, 501);
    assert_eq!(example.ask("GET /", "Expect: tea\r\n", "").status, 417);
    // Bodies that fail while they are read before the call.
    assert_eq!(example.ask("POST /chunks", "Transfer-Encoding: chunked\r\n", "2\r\nteapot").status, 400);
    let mut short = example.send("POST /short", "Content-Length: 10\r\n", "half");
    short.shutdown(Shutdown::Write).unwrap();
    let _ = short.read_to_end(&mut Vec::new());
    assert_eq!(example.get("/").status, 200);
    example.signal("TERM");
    assert!(example.end().success());
    let log = log(&example);
    for (begin, end) in [
        ("GET /%zz?a=b 400 16 ", " ms (half an escape in the path)"),
        ("HEAD /%zz 400 0 ", " ms (half an escape in the path)"),
        ("GET /\\u{e9} 400 16 ", " ms (a byte beyond ASCII in the target)"),
        ("CONNECT a:80 501 20 ", " ms (CONNECT is for proxies)"),
        ("GET / 417 23 ", " ms (an Expect other than 100-continue)"),
        ("POST /chunks 400 16 ", ")"),
        ("POST /short 400 16 ", ")"),
        ("GET / 200 14 ", " ms"),
    ] {
        let found = log.iter().filter(|line| line.starts_with(begin) && line.ends_with(end)).count();
        assert_eq!(found, 1, "{begin:?} in {log:#?}");
    }
}

#[test]
fn quiet_leaves_the_lines_out_and_not_the_errors() {
    let mut example = Example::start("testing", |command| command.arg("--quiet"));
    assert_eq!(example.ask("POST /", "Content-Length: 3\r\n", "tea").status, 400);
    assert_eq!(example.get("/%zz").status, 400);
    example.signal("INT");
    assert!(example.end().success());
    let log = log(&example);
    assert!(!log.iter().any(|line| line.starts_with("POST ") || line.starts_with("GET ")), "{log:#?}");
    // Who is at fault and where: the method, the path, and the application's name.
    let error = log.iter().find(|line| line.starts_with("vestibule: POST /: ")).unwrap_or_else(|| panic!("{log:#?}"));
    assert!(error.contains("testing::"), "{error}");
}

#[test]
fn a_log_that_nobody_reads_any_more_ends_no_request_and_no_stop() {
    let mut example = Example::start_unread("hello");
    let mut stream = example.send("POST /", "Content-Length: 4\r\n", "ha");
    // The line of this one goes nowhere too. The first was read when it is answered.
    assert_eq!(example.get("/").status, 200);
    example.signal("TERM");
    until("the address is closed", || TcpStream::connect(example.address).is_err());
    stream.write_all(b"lf").unwrap();
    assert_eq!(Answer::read(stream).status, 200);
    assert!(example.end().success());
}

#[test]
fn what_is_beside_the_mount_point_is_refused_and_told() {
    let mut example = Example::start("hello", |command| command.args(["--mount", "/app"]));
    for (target, status) in [("/app", 200), ("/app/tea", 200), ("/apple", 404), ("/", 404)] {
        assert_eq!(example.get(target).status, status, "{target}");
    }
    example.signal("TERM");
    assert!(example.end().success());
    let log = log(&example);
    for begin in ["GET /apple 404 14 ", "GET / 404 14 "] {
        let is_line = |line: &String| line.starts_with(begin) && line.ends_with(" ms (not below the mount point /app)");
        assert!(log.iter().any(is_line), "{begin}: {log:?}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_tells_how_much_it_gives_up() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT")] {
        let mut example = Example::start("hello", |command| command);
        // A request that never comes to its end is in flight.
        let mut stream = example.send("POST /", "Content-Length: 10\r\n", "half");
        // It was read when a later one was answered.
        assert_eq!(example.get("/").status, 200);
        example.signal(first);
        example.await_log("stopping when the requests that run have ended");
        until("the address is closed", || TcpStream::connect(example.address).is_err());
        assert!(example.process.0.try_wait().unwrap().is_none(), "it waits for the request");
        example.signal(second);
        assert!(example.end().success());
        let mut answer = String::new();
        // Cut or reset: there was no answer to give.
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(answer, "");
        let log = log(&example);
        assert!(log.iter().any(|line| line == "vestibule: 1 request was given up"), "{log:#?}");
        let line = log.iter().find(|line| line.starts_with("POST / 400 0 ")).unwrap_or_else(|| panic!("{log:#?}"));
        assert!(line.ends_with(" ms (the client left)"), "{line}");
    }
}
