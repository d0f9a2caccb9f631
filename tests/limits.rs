//! Each limit of the HTTP server, just below it, at it and just above it. docs/limits.md lists them.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/serving.rs"]
mod serving;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serving::{PATIENCE, Serving, echo, hello, response, rest, status};
use vestibule::{App, Body, Execution, app_fn};

const SHORT: Duration = Duration::from_millis(400);
/// Well within `SHORT`, also on a busy machine.
const QUICK: Duration = Duration::from_millis(50);

/// A head of exactly so many bytes, with which the client asks for the connection to be closed.
fn head_of(bytes: usize) -> String {
    let begin = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Padding: ";
    format!("{begin}{}\r\n\r\n", "x".repeat(bytes - begin.len() - 4))
}

fn refused_with_close(serving: &Serving, request: &str, expected: u16) {
    let answer = serving.talk(request).unwrap();
    assert_eq!(status(&answer), expected, "{answer}");
    let closes = answer.to_lowercase().contains("\r\nconnection: close\r\n");
    assert!(expected == 200 || closes, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[test]
fn a_head_may_have_so_many_bytes_and_not_one_more() {
    for limit in [300, 32 * 1024] {
        let serving = Serving::with(hello(), |server| match limit {
            300 => server.head_limit(300),
            // The default.
            _ => server,
        });
        for (bytes, expected) in [(limit - 1, 200), (limit, 200), (limit + 1, 431), (limit * 4, 431)] {
            refused_with_close(&serving, &head_of(bytes), expected);
        }
    }
}

#[test]
fn a_head_that_came_with_the_request_before_it_is_measured_by_itself() {
    let serving = Serving::with(hello(), |server| server.head_limit(300));
    for (bytes, expected) in [(300, 200), (301, 431)] {
        let both = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{}", head_of(bytes));
        let answer = serving.talk(both).unwrap();
        let second = answer.rfind("HTTP/1.1 ").unwrap();
        assert_eq!((status(&answer), status(&answer[second..])), (200, expected), "{answer}");
    }
}

#[test]
fn a_head_may_have_so_many_lines_and_not_one_more() {
    for limit in [5, 100, 150] {
        let serving = Serving::with(hello(), |server| match limit {
            // The default.
            100 => server,
            limit => server.header_count_limit(limit),
        });
        for (lines, expected) in [(limit - 1, 200), (limit, 200), (limit + 1, 431)] {
            let padding: String = (2..lines).map(|n| format!("X-{n}: x\r\n")).collect();
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{padding}\r\n");
            refused_with_close(&serving, &request, expected);
        }
    }
}

#[test]
fn a_method_may_have_so_many_bytes_and_not_one_more() {
    for limit in [8, 64] {
        let serving = Serving::with(hello(), |server| match limit {
            // The default.
            64 => server,
            limit => server.method_limit(limit),
        });
        for (bytes, expected) in [(limit - 1, 200), (limit, 200), (limit + 1, 501)] {
            let request = format!("{} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "M".repeat(bytes));
            refused_with_close(&serving, &request, expected);
        }
    }
}

/// Echoes, and counts its calls.
fn counting() -> (App, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let app = app_fn(move |mut environ, start_response| {
        counted.fetch_add(1, Ordering::Relaxed);
        let mut body = Vec::new();
        while let Some(block) = std::io::BufRead::fill_buf(environ.input_mut()).map(|block| Some(block.to_vec()))? {
            if block.is_empty() {
                break;
            }
            body.extend_from_slice(&block);
            std::io::BufRead::consume(environ.input_mut(), block.len());
        }
        start_response.start(200, ())?;
        Ok(body.into())
    });
    (app, calls)
}

#[test]
fn a_body_may_have_so_many_bytes_and_not_one_more() {
    // Below and above what is read before the application is called.
    for limit in [1000, 100_000] {
        for execution in serving::executions() {
            let (app, calls) = counting();
            let serving = Serving::with(app, |server| server.body_limit(limit as u64).execution(execution));
            for (bytes, expected) in [(limit - 1, 200), (limit, 200), (limit + 1, 413)] {
                let body = "x".repeat(bytes);
                let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
                let before = calls.load(Ordering::Relaxed);
                let sized = format!("{head}Content-Length: {bytes}\r\n\r\n{body}");
                refused_with_close(&serving, &sized, expected);
                let was_called = calls.load(Ordering::Relaxed) > before;
                assert_eq!(was_called, expected == 200, "a length that is too long is refused without a call");
                let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n");
                refused_with_close(&serving, &chunked, expected);
            }
        }
    }
}

#[test]
fn a_whole_read_may_have_so_many_bytes_and_not_one_more() {
    let app = app_fn(|mut environ, start_response| {
        let mut text = String::new();
        environ.input_mut().read_to_string(&mut text)?;
        start_response.start(200, ())?;
        Ok(text.into())
    });
    let serving = Serving::with(app, |server| server.whole_read_limit(1000));
    for (bytes, expected) in [(999, 200), (1000, 200), (1001, 413)] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
        let answer = serving.talk(head + &"x".repeat(bytes)).unwrap();
        assert_eq!(status(&answer), expected, "{answer:.200}");
    }
}

#[test]
fn so_many_calls_run_and_so_many_wait_and_one_more_is_told_to_come_back() {
    for queue in [0, 1, 3] {
        let gate = Arc::new(Mutex::new(()));
        let (began, has_begun) = mpsc::channel();
        let (held, kept) = (gate.lock().unwrap(), Arc::clone(&gate));
        let app = app_fn(move |_, start_response| {
            began.send(()).unwrap();
            drop(kept.lock());
            start_response.start(200, ())?;
            Ok("done".into())
        });
        let serving = Serving::start(app, Execution::pool().max(2).queue(queue));
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut served: Vec<_> = (0..2)
            .map(|_| {
                let mut stream = serving.connect();
                stream.write_all(request).unwrap();
                has_begun.recv_timeout(PATIENCE).unwrap();
                stream
            })
            .collect();
        // Those that wait say nothing, so more are sent until one is refused.
        let mut refused = 0;
        while refused == 0 {
            let mut stream = serving.connect();
            stream.write_all(request).unwrap();
            stream.set_read_timeout(Some(SHORT)).unwrap();
            match rest(&mut stream) {
                Ok(answer) => {
                    assert_eq!(status(&answer), 503);
                    assert!(answer.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{answer}");
                    refused += 1;
                }
                Err(_) => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    served.push(stream);
                }
            }
        }
        assert_eq!(served.len(), 2 + queue);
        drop(held);
        for mut stream in served {
            assert_eq!(status(&rest(&mut stream).unwrap()), 200);
        }
    }
}

#[test]
fn so_many_connections_are_served_and_the_next_waits_until_one_closes() {
    let serving = Serving::with(hello(), |server| server.connection_limit(2));
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut served: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = serving.connect();
            stream.write_all(request).unwrap();
            assert_eq!(status(&response(&mut stream).unwrap()), 200);
            stream
        })
        .collect();
    let mut third = serving.connect();
    third.write_all(request).unwrap();
    third.set_read_timeout(Some(SHORT)).unwrap();
    assert!(third.read(&mut [0]).is_err(), "there is no room yet");
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    served.pop();
    assert_eq!(status(&response(&mut third).unwrap()), 200);
}

#[test]
fn a_head_that_takes_too_long_is_answered_408_and_one_that_never_begins_is_closed() {
    let serving = Serving::with(hello(), |server| server.head_timeout(SHORT));
    let mut stream = serving.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let answer = rest(&mut stream).unwrap();
    assert_eq!(status(&answer), 408);
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(rest(&mut serving.connect()).unwrap(), "");
    // The time is for the whole head: a byte now and then does not help.
    let mut dribbling = serving.connect();
    let mut sent = 0;
    dribbling.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
    while dribbling.write_all(b"x").is_ok() && sent < 1000 {
        thread::sleep(QUICK);
        sent += 1;
    }
    assert!(sent < 1000, "the connection was closed");
    // One that is quick enough is served, also the second on its connection.
    let mut stream = serving.connect();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        thread::sleep(QUICK);
        stream.write_all(b"Host: a\r\n\r\n").unwrap();
        assert_eq!(status(&response(&mut stream).unwrap()), 200);
    }
    stream.write_all(b"GET /again").unwrap();
    assert_eq!(status(&rest(&mut stream).unwrap()), 408);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let serving = Serving::with(hello(), |server| server.keep_alive_timeout(SHORT));
    let mut stream = serving.connect();
    for _ in 0..4 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(status(&response(&mut stream).unwrap()), 200);
        thread::sleep(QUICK);
    }
    assert_eq!(rest(&mut stream).unwrap(), "");
}

#[test]
fn a_body_that_stops_coming_is_answered_408_and_a_slow_one_is_read() {
    let (called, calls) = mpsc::channel();
    let echo = echo();
    let app = app_fn(move |environ, start_response| {
        called.send(()).unwrap();
        echo.call(environ, start_response)
    });
    // Shorter and longer than what is read before the call.
    for length in [10, 100_000] {
        let serving = Serving::with(app.clone(), |server| server.body_timeout(SHORT));
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let mut stream = serving.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; length * 7 / 10]).unwrap();
        let answer = rest(&mut stream).unwrap();
        assert_eq!(status(&answer), 408, "{length}: {answer}");
        assert_eq!(calls.try_recv().is_ok(), length > 10, "a short one is not called for");
        let mut stream = serving.connect();
        stream.write_all(head.as_bytes()).unwrap();
        // Longer than the limit in all, and never idle for so long.
        for _ in 0..10 {
            thread::sleep(QUICK);
            stream.write_all(&vec![b'x'; length / 10]).unwrap();
        }
        assert_eq!(status(&rest(&mut stream).unwrap()), 200);
        calls.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_response_that_nobody_takes_is_given_up_and_a_slow_reader_is_served() {
    let (closed, is_closed) = mpsc::channel();
    let app = app_fn(move |environ, start_response| {
        let closed = closed.clone();
        start_response.start(200, ())?;
        let blocks = environ.query_string().parse().unwrap();
        let blocks = std::iter::repeat_n(vec![b'x'; 64 * 1024], blocks);
        Ok(Body::iter(blocks).on_close(move || closed.send(()).unwrap()))
    });
    let serving = Serving::with(app, |server| server.write_timeout(SHORT));
    let mut stalled = serving.connect();
    stalled.write_all(b"GET /?100000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    is_closed.recv_timeout(PATIENCE).unwrap();
    let mut slow = serving.connect();
    slow.write_all(b"GET /?200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let (mut buffer, mut received) = (vec![0; 512 * 1024], 0);
    loop {
        match slow.read(&mut buffer).unwrap() {
            0 => break,
            length => received += length,
        }
        thread::sleep(QUICK / 5);
    }
    assert!(received > 200 * 64 * 1024);
    is_closed.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_connection_is_idle_from_the_end_of_a_long_request_on() {
    let app = app_fn(|_, start_response| {
        thread::sleep(SHORT * 2);
        start_response.start(200, ())?;
        Ok("done".into())
    });
    let serving = Serving::with(app, |server| server.keep_alive_timeout(SHORT));
    let mut stream = serving.connect();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(status(&response(&mut stream).unwrap()), 200);
        thread::sleep(QUICK);
    }
}
