//! A thousand slow clients of each kind, by slowhttptest: others are served all the time, and the slow ones are closed.
#![cfg(all(feature = "http", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use program::{Guarded, Own, until};
use vestibule::{Body, adapters::http::Server, app_fn};

const CLIENTS: usize = 1000;

/// Well above the time that the server gives a slow client.
const IN_TIME: Duration = Duration::from_secs(40);

/// The server of the slow clients, in a process of its own.
#[test]
fn serves_where_it_is_told_to() {
    let Some(address) = Own::address() else { return };
    let app = app_fn(|mut environ, start_response| {
        let upload = environ.input_mut().read_bytes(1_000_000)?;
        start_response.start(200, [("content-type", "text/plain")])?;
        match environ.path_info().as_ref() {
            "/endless" => Ok(Body::iter(std::iter::repeat_with(|| vec![b'x'; 64 * 1024]))),
            _ => Ok(format!("{} bytes\n", upload.len()).into()),
        }
    });
    let time = Duration::from_secs(3);
    let server = Server::bind(address).unwrap();
    server.head_timeout(time).body_timeout(time).write_timeout(time).keep_alive_timeout(time).run(app).unwrap();
}

/// Attacks, and asks all the while; the most connections that were open.
fn attack(server: &Own, arguments: &[&str]) -> usize {
    let url = format!("http://{}/endless", server.address);
    let clients = CLIENTS.to_string();
    let mut command = Command::new("slowhttptest");
    command.args(["-c", &clients, "-r", "1000", "-l", "60", "-u", &url]).args(arguments);
    let attack = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut attack = Guarded(attack.unwrap_or_else(|error| panic!("slowhttptest: {error}: run ci/test --install")));
    let (before, mut most, begin) = (server.open_files(), 0, Instant::now());
    // Those who hardly read do not see soon that they are closed.
    while attack.0.try_wait().unwrap().is_none() && (most <= CLIENTS / 2 || server.open_files() > before + 2) {
        assert!(server.answers(), "who is not slow is served");
        assert!(begin.elapsed() < IN_TIME, "{arguments:?}: {} files are open", server.open_files());
        most = most.max(server.open_files().saturating_sub(before));
        std::thread::sleep(Duration::from_millis(20));
    }
    until("all are closed", || server.open_files() <= before + 2);
    most
}

#[test]
fn slow_heads_slow_bodies_and_slow_readers_are_closed_and_others_are_served() {
    let server = Own::start("serves_where_it_is_told_to");
    for (name, arguments) in [
        // A header line every second, for ever.
        ("slow heads", &["-H", "-i", "1", "-t", "GET"][..]),
        // A few bytes of the body every ten seconds.
        ("slow bodies", &["-B", "-i", "10", "-s", "1000000", "-t", "POST"]),
        // Next to nothing of an endless response is taken.
        ("slow readers", &["-X", "-n", "30", "-z", "1", "-w", "512", "-y", "1024", "-k", "1"]),
    ] {
        let most = attack(&server, arguments);
        let threads = server.threads_of_the_pool();
        println!("{name}: {most} connections at once, {threads} threads of the pool");
        assert!(most > CLIENTS / 2, "{name}: the attack was one: {most} connections");
        assert!(server.answers());
    }
    let peak = server.peak_of_memory_kib();
    println!("{peak} KiB of memory at most");
    // A window of 256 KiB and some buffers for each client that takes nothing.
    assert!(peak < 600 * 1024, "{peak} KiB");
}
