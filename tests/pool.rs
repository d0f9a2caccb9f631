//! Blocking applications on the pool: they may do what they may do on any thread.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/serving.rs"]
mod serving;

use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serving::{PATIENCE, Serving, hello, rest, status};
use vestibule::{Execution, app_fn};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

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
