//! Blocking applications on the pool: they may do what they may do on any thread.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;
#[path = "harness/serving.rs"]
mod serving;

use std::io::{BufReader, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use program::memory_kib;
use serving::{PATIENCE, Serving, hello, response, rest, status};
use vestibule::{App, Execution, app_fn};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// An application whose calls to `/block` say that they run, and block while the gate is held.
fn gated() -> (App, Arc<Mutex<()>>, mpsc::Receiver<()>) {
    let gate = Arc::new(Mutex::new(()));
    let (began, has_begun) = mpsc::channel();
    let kept = Arc::clone(&gate);
    let app = app_fn(move |environ, start_response| {
        if environ.path_info() == "/block" {
            began.send(()).unwrap();
            drop(kept.lock());
        }
        start_response.start(200, ())?;
        Ok("done".into())
    });
    (app, gate, has_begun)
}

#[test]
fn a_task_is_spawned_on_the_runtime_of_the_server() {
    let app = app_fn(|_, start_response| {
        let (sender, receiver) = mpsc::channel();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            sender.send("from a task").unwrap();
        });
        start_response.start(200, ())?;
        Ok(receiver.recv_timeout(PATIENCE)?.into())
    });
    for threads in [1, 2] {
        let serving = Serving::with(app.clone(), |server| server.io_threads(threads));
        assert!(serving.talk(REQUEST).unwrap().ends_with("from a task"));
    }
}

#[test]
fn a_runtime_is_started_inside_of_an_application() {
    let app = app_fn(|_, start_response| {
        // As blocking clients do that are async inside, such as `postgres`.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let text = runtime.block_on(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            "from another runtime"
        });
        start_response.start(200, ())?;
        Ok(text.into())
    });
    let serving = Serving::with(app, |server| server);
    assert!(serving.talk(REQUEST).unwrap().ends_with("from another runtime"));
}

#[test]
fn a_blocking_client_asks_another_server() {
    let other = Serving::with(hello(), |server| server);
    let url = format!("http://{}/", other.address);
    let app = app_fn(move |_, start_response| {
        let text = ureq::get(&url).call()?.body_mut().read_to_string()?;
        start_response.start(200, ())?;
        Ok(format!("the other says {text}").into())
    });
    let serving = Serving::with(app, |server| server);
    for _ in 0..10 {
        assert!(serving.talk(REQUEST).unwrap().ends_with("the other says hello"));
    }
}

#[test]
fn calls_that_block_do_not_hold_up_others_as_long_as_there_may_be_threads() {
    let (app, gate, has_begun) = gated();
    // Many more than there are hot threads.
    let serving = Serving::start(app, Execution::pool().hot(1).max(32));
    let held = gate.lock().unwrap();
    let mut blocked: Vec<_> = (0..31)
        .map(|_| {
            let mut stream = serving.connect();
            stream.write_all(b"GET /block HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            has_begun.recv_timeout(PATIENCE).unwrap();
            stream
        })
        .collect();
    for _ in 0..100 {
        assert_eq!(status(&serving.talk(REQUEST).unwrap()), 200);
    }
    drop(held);
    for stream in &mut blocked {
        assert_eq!(status(&rest(stream).unwrap()), 200);
    }
}

#[test]
fn panics_cost_no_thread_and_no_other_request() {
    let app = app_fn(|environ, start_response| {
        assert!(environ.path_info() != "/panic", "asked to");
        start_response.start(200, ())?;
        Ok("done".into())
    });
    let serving = Serving::start(app, Execution::pool().max(2));
    for _ in 0..200 {
        let panicked = serving.talk(b"GET /panic HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(status(&panicked), 500);
    }
    assert_eq!(status(&serving.talk(REQUEST).unwrap()), 200);
}

#[test]
fn refused_requests_leave_nothing_behind() {
    let (app, gate, has_begun) = gated();
    let ended = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&ended);
    // With a hook, as the access log of `run` is one.
    let serving = Serving::with(app, |server| {
        server.execution(Execution::pool().hot(1).max(2).queue(0)).environ(move |environ| {
            let ended = Arc::clone(&counts);
            environ.on_finished(move |outcome| {
                if outcome.status() == 503 {
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            });
        })
    });
    let held = gate.lock().unwrap();
    let mut blocked: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = serving.connect();
            stream.write_all(b"GET /block HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            has_begun.recv_timeout(PATIENCE).unwrap();
            stream
        })
        .collect();
    let mut stream = serving.connect();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut refused = |times: usize| {
        for _ in 0..times {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let answer = response(&mut answers).unwrap();
            assert_eq!(status(&answer), 503);
            assert!(answer.to_lowercase().contains("\r\nretry-after: "), "{answer}");
        }
    };
    refused(2_000);
    let before = memory_kib(std::process::id());
    refused(10_000);
    let grown = memory_kib(std::process::id()).saturating_sub(before);
    // Each hook has run before its client was told, while all threads are held.
    assert_eq!(ended.load(Ordering::Relaxed), 12_000);
    assert!(grown < 2_048, "10,000 refused requests left {grown} KiB");
    drop(held);
    for stream in &mut blocked {
        assert_eq!(status(&rest(stream).unwrap()), 200);
    }
}

#[test]
fn clients_that_draw_out_their_uploads_hold_back_nobody_but_each_other() {
    let app = app_fn(|mut environ, start_response| {
        let read = std::io::copy(environ.input_mut(), &mut std::io::sink())?;
        start_response.start(200, ())?;
        Ok(read.to_string().into())
    });
    let serving = Serving::start(app, Execution::pool().hot(1).max(8));
    let (sent, left) = (vec![b'x'; 66_000], b"rest");
    let head = |expects: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n{expects}\r\n",
            sent.len() + 4
        )
    };
    // More of them than there are threads; some wait for 100 Continue, so that nothing of theirs is read ahead.
    let mut slow: Vec<_> = (0..20)
        .map(|number| {
            let mut stream = serving.connect();
            let expects = if number % 2 == 0 { "" } else { "Expect: 100-continue\r\n" };
            stream.write_all(head(expects).as_bytes()).unwrap();
            if expects.is_empty() {
                stream.write_all(&sent).unwrap();
            }
            stream
        })
        .collect();
    for _ in 0..100 {
        assert!(serving.talk(REQUEST).unwrap().ends_with("\r\n\r\n0"));
    }
    for (number, stream) in slow.iter_mut().enumerate() {
        if number % 2 == 1 {
            stream.write_all(&sent).unwrap();
        }
        stream.write_all(left).unwrap();
    }
    for stream in &mut slow {
        let answer = rest(stream).unwrap();
        let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
        assert_eq!(status(answer), 200);
        assert!(answer.ends_with("66004"), "{answer}");
    }
}
