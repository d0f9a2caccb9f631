//! Bytes in, answers out: what HTTP/1.1 forbids, what it allows, and what the server makes of the rest.
//!
//! Each row is sent whole, byte by byte, and split at random; the outcome is the same. Behind each row a last request is
//! sent: it is answered (`after`) where the connection was kept, and nowhere else.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/cut.rs"]
mod cut;
#[path = "wire/rows.rs"]
mod rows;
#[path = "harness/serving.rs"]
mod serving;

use std::io::Write;
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cut::{CUTS, Cut};
use rows::Row;
use serving::{Serving, hello, rest, status};
use vestibule::{App, app_fn};

const AFTER: &[u8] = b"GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Answers with what it was asked: method, path, query, host, bytes of body, and whether there is a `HTTP_PROXY`.
fn witness() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(1_000_000)?;
        let text = |name| environ.var(name).map(|value| String::from_utf8_lossy(&value).into_owned());
        let host = text("HTTP_HOST").unwrap_or("-".to_owned());
        let mut seen = format!("{} {} {host} {}", environ.method(), environ.uri(), body.len());
        for name in ["HTTP_PROXY", "HTTP_X", "HTTP_COOKIE"] {
            if let Some(value) = text(name) {
                seen += &format!(" {name}={value}");
            }
        }
        if environ.input().trailers().is_some() {
            seen += " trailers";
        }
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(if environ.path_info() == "/after" { "after".into() } else { seen.into() })
    })
}

fn server() -> Serving {
    let time = Duration::from_millis(1500);
    Serving::with(witness(), |server| server.head_timeout(time).body_timeout(time).body_limit(10_000_000))
}

/// The answers to a row: the text of a 200, the status of another.
fn answers(serving: &Serving, row: &Row, cut: Cut) -> String {
    let mut stream = serving.connect();
    let mut bytes = row.bytes.clone();
    if row.is_followed {
        bytes.extend_from_slice(AFTER);
    }
    for piece in cut.pieces(&bytes) {
        // A server that has answered with an error need not read on.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    if !row.is_followed {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut answer = rest(&mut stream).unwrap_or_else(|error| format!("{error}"));
    let mut answers = Vec::new();
    while let Some(at) = answer[1.min(answer.len())..].find("HTTP/1.1 ").map(|at| at + 1) {
        let next = answer.split_off(at);
        answers.push(std::mem::replace(&mut answer, next));
    }
    answers.push(answer);
    let told = |answer: &String| match answer.get(9..12) {
        None => "closed".to_owned(),
        Some("100") => "100".to_owned(),
        Some("200") => answer.split_once("\r\n\r\n").unwrap().1.to_owned(),
        Some(_) => status(answer).to_string(),
    };
    answers.iter().map(told).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_row_has_its_outcome_however_its_bytes_arrive() {
    let (serving, rows) = (server(), rows::all());
    let tasks: Vec<_> = rows.iter().flat_map(|row| CUTS.map(|cut| (row, cut))).collect();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                while let Some((row, cut)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answers = answers(&serving, row, *cut);
                    if answers != row.outcome {
                        let fault =
                            format!("{} {} ({cut:?}): {answers:?} and not {:?}", row.number, row.name, row.outcome);
                        faults.lock().unwrap().push(fault);
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    assert!(faults.is_empty(), "{} of {}:\n  {}\n", faults.len(), tasks.len(), faults.join("\n  "));
}

#[test]
fn a_half_closing_client_gets_its_answer() {
    let serving = server();
    for _ in 0..20 {
        let mut stream = serving.connect();
        stream.write_all(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(rest(&mut stream).unwrap().ends_with("GET /half a 0"));
    }
}

#[test]
fn a_half_closed_client_that_waits_long_counts_as_gone() {
    let (began, has_begun) = std::sync::mpsc::channel();
    let app = vestibule::async_fn(move |environ, _start_response| {
        began.send(environ.cancellation()).unwrap();
        std::future::pending()
    });
    let serving = Serving::with(app, |server| server);
    let mut stream = serving.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let cancellation = has_begun.recv_timeout(serving::PATIENCE).unwrap();
    futures::executor::block_on(cancellation);
    assert_eq!(rest(&mut stream).unwrap_or_default(), "");
}

#[test]
fn after_100_continue_was_not_asked_for_by_reading_there_is_none() {
    let serving = Serving::with(hello(), |server| server);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    // The body is not sent, since the answer is final.
    let answer = serving.talk(head).unwrap();
    assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), (200, 1), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}

#[test]
fn a_body_that_nobody_reads_is_skipped_when_it_is_short_and_never_read_as_a_request() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for execution in serving::executions() {
        let serving = Serving::with(hello(), |server| server.execution(execution));
        for length in [smuggled.len(), 60_000, 64 * 1024] {
            let mut body = smuggled.repeat(length / smuggled.len() + 1);
            body.truncate(length);
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            let mut request = (head + &body).into_bytes();
            request.extend_from_slice(AFTER);
            let answer = serving.talk(&request).unwrap();
            assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 2, "{length}: {answer:.300}");
        }
    }
}

#[test]
fn a_long_body_that_nobody_reads_ends_the_connection_after_a_whole_answer() {
    for execution in serving::executions() {
        let serving = Serving::with(
            vestibule::async_fn(|_, start_response| async {
                start_response.start(200, ())?;
                Ok("x".repeat(100_000).into())
            }),
            |server| server.execution(execution),
        );
        for _ in 0..10 {
            let mut stream = serving.connect();
            let length = 1_000_000;
            write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").unwrap();
            let mut sender = stream.try_clone().unwrap();
            // It goes on sending, whatever it is told.
            let sending = std::thread::spawn(move || sender.write_all(&vec![b'x'; length]).is_ok());
            let answer = rest(&mut stream).unwrap();
            assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 100_000);
            sending.join().unwrap();
        }
    }
}

#[test]
fn a_client_that_leaves_after_a_body_in_pieces_is_seen_to_leave() {
    let (began, has_begun) = std::sync::mpsc::channel();
    let app = vestibule::async_fn(move |mut environ, _start_response| {
        let began = began.clone();
        async move {
            environ.input_mut().read_bytes_async(1_000_000).await?;
            began.send(environ.cancellation()).unwrap();
            std::future::pending().await
        }
    });
    let serving = Serving::with(app, |server| server);
    let mut stream = serving.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n").unwrap();
    for _ in 0..3 {
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
    }
    let cancellation = has_begun.recv_timeout(serving::PATIENCE).unwrap();
    drop(stream);
    futures::executor::block_on(cancellation);
}
