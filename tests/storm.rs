//! Ten thousand panics and ten thousand clients that leave: nothing is lost, nothing stays, nothing happens twice.
#![cfg(all(feature = "http", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;

use std::io::Read;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use program::{Own, until};
use vestibule::adapters::http::Server;
use vestibule::testing::TestServer;
use vestibule::{App, Body, Bytes, Execution, Result, app_fn};

const STORM: usize = 10_000;

/// How many threads the pool has, and has to have still behind a storm.
const THREADS: usize = 4;

/// Where an application may panic, and what its client gets: in the call, in the first pull of the body, in a later one,
/// when the body is dropped. In the last case everything was sent by then.
const PANICS: [(&str, u16, bool); 4] =
    [("/call", 500, true), ("/pull", 500, true), ("/later", 200, false), ("/drop", 200, true)];

/// A panic without the message that the hook prints.
fn panic() -> ! {
    resume_unwind(Box::new("a storm"))
}

struct PanicsWhenDropped;

impl PanicsWhenDropped {
    /// Called by a closure, so that it owns it.
    fn stays(&self) {}
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic();
    }
}

fn body(path: &str) -> Result {
    let after = |blocks: usize| {
        Body::iter((0..).map(move |at| match at < blocks {
            true => Bytes::from_static(b"block"),
            false => panic(),
        }))
    };
    Ok(match path {
        "/call" => panic(),
        "/pull" => after(0),
        "/later" => after(1),
        "/drop" => {
            let probe = PanicsWhenDropped;
            Body::iter(["block", "block"].into_iter().inspect(move |_| probe.stays()))
        }
        _ => "fine".into(),
    })
}

fn panics() -> App {
    app_fn(|environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        body(&environ.path_info())
    })
}

/// Runs a part of a storm on each of four threads.
fn on_threads(count: usize, run: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let run = &run;
            scope.spawn(move || (thread..count).step_by(THREADS).for_each(run));
        }
    });
}

/// The memory of this process may grow by a tenth in a storm.
fn assert_flat(before: u64, after: u64) {
    println!("{before} KiB before, {after} after");
    assert!(after <= before + before / 10, "{before} KiB before, {after} after");
}

#[test]
fn serves_panics_where_it_is_told_to() {
    let Some(address) = Own::address() else { return };
    let (panics, barrier) = (panics(), Barrier::new(THREADS));
    let app = app_fn(move |environ, start_response| {
        if environ.path_info() == "/together" {
            // Answered when there is a call on each thread, and not before.
            barrier.wait();
        }
        panics.call(environ, start_response)
    });
    Server::bind(address).unwrap().execution(Execution::pool().hot(THREADS).max(THREADS)).run(app).unwrap();
}

#[test]
fn a_storm_of_panics_over_http_costs_no_thread_and_no_memory() {
    let server = Own::start("serves_panics_where_it_is_told_to");
    let storm = |count| {
        on_threads(count, |n| {
            let (path, status, is_whole) = PANICS[n % PANICS.len()];
            let answer = server.ask(path);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
            let ends = answer.ends_with("\r\n0\r\n\r\n") || answer.ends_with("500 Internal Server Error\n");
            assert_eq!(ends, is_whole, "{path}: {answer}");
        });
    };
    storm(STORM / 5);
    let (before, files) = (server.memory_kib(), server.open_files());
    storm(STORM);
    assert_flat(before, server.memory_kib());
    assert_eq!(server.threads_of_the_pool(), THREADS);
    let together: Vec<_> = (0..THREADS).map(|_| server.send("/together")).collect();
    for mut stream in together {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("fine"), "{answer}");
    }
    until("all are closed", || server.open_files() <= files);
}

/// The storm in memory, in a process of its own.
#[test]
fn panics_in_memory_where_it_is_told_to() {
    if Own::address().is_none() {
        return;
    }
    let server = TestServer::new(panics()).without_lint();
    let storm = |count| {
        on_threads(count, |n| {
            let (path, status, is_whole) = PANICS[n % PANICS.len()];
            let response = server.get(path).send();
            assert_eq!((response.status().as_u16(), response.is_complete()), (status, is_whole), "{path}");
        });
    };
    storm(STORM / 5);
    let before = program::memory_kib(std::process::id());
    storm(STORM);
    assert_flat(before, program::memory_kib(std::process::id()));
}

#[test]
fn a_storm_of_panics_in_memory_costs_no_memory() {
    let (status, log) = Own::begin("panics_in_memory_where_it_is_told_to").end();
    assert!(status.success(), "{log:#?}");
}

#[test]
fn counts_bodies_where_it_is_told_to() {
    let Some(address) = Own::address() else { return };
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let app = app_fn(move |environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(match environ.path_info() == "/endless" {
            true => {
                begun.fetch_add(1, Ordering::SeqCst);
                let ended = Arc::clone(&ended);
                let block = Bytes::from_static(&[b'x'; 16 * 1024]);
                Body::iter(std::iter::repeat(block)).on_close(move || {
                    ended.fetch_add(1, Ordering::SeqCst);
                })
            }
            false => format!("{} {}", begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)).into(),
        })
    });
    Server::bind(address).unwrap().run(app).unwrap();
}

#[test]
fn ten_thousand_clients_that_leave_in_mid_response_leave_nothing_and_each_body_is_dropped_once() {
    let server = Own::start("counts_bodies_where_it_is_told_to");
    let files = server.open_files();
    on_threads(STORM, |_| {
        let mut beginning = [0; 1024];
        server.send("/endless").read_exact(&mut beginning).unwrap();
    });
    let all = format!("{STORM} {STORM}");
    until("all bodies are dropped", || server.ask("/").ends_with(&all));
    until("all are closed", || server.open_files() <= files);
    // None of them is dropped again.
    assert!(server.ask("/").ends_with(&all));
}
