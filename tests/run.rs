//! `vestibule::run`: the lines that it writes, and the signals that end it.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;

use std::io::{Read, Write};

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
fn quiet_leaves_the_lines_out_and_not_the_errors() {
    let mut example = Example::start("testing", |command| command.arg("--quiet"));
    assert_eq!(example.ask("POST /", "Content-Length: 3\r\n", "tea").status, 400);
    example.signal("INT");
    assert!(example.end().success());
    let log = log(&example);
    assert!(!log.iter().any(|line| line.starts_with("POST ")), "{log:#?}");
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
    until("the address is closed", || std::net::TcpStream::connect(example.address).is_err());
    stream.write_all(b"lf").unwrap();
    assert_eq!(Answer::read(stream).status, 200);
    assert!(example.end().success());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT")] {
        let mut example = Example::start("hello", |command| command);
        // A request that never comes to its end is in flight.
        let mut stream = example.send("POST /", "Content-Length: 10\r\n", "half");
        // It was read when a later one was answered.
        assert_eq!(example.get("/").status, 200);
        example.signal(first);
        example.await_log("stopping when the requests that run have ended");
        until("the address is closed", || std::net::TcpStream::connect(example.address).is_err());
        assert!(example.process.0.try_wait().unwrap().is_none(), "it waits for the request");
        example.signal(second);
        assert!(example.end().success());
        let mut answer = String::new();
        // Cut or reset: there was no answer to give.
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(answer, "");
    }
}
