//! A thousand slow clients of each kind, by slowhttptest: others are served all the time, and the slow ones are closed.
#![cfg(all(feature = "http", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use program::{Guarded, PATIENCE, free_port, until};
use vestibule::{Body, adapters::http::Server, app_fn};

/// Set for the process that is the server.
const ADDRESS: &str = "VESTIBULE_TEST_SLOW_ADDRESS";

const CLIENTS: usize = 1000;

/// Well above the time that the server gives a slow client.
const IN_TIME: Duration = Duration::from_secs(40);

/// The server, in a process of its own so that its files and its memory can be counted. In the process of the tests it
/// has nothing to do.
#[test]
fn serves_where_it_is_told_to() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
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

struct Slow {
    process: Guarded,
    address: SocketAddr,
}

impl Slow {
    fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 8192 && exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "serves_where_it_is_told_to", "--nocapture"]).env(ADDRESS, address.to_string());
        let process = Guarded(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        let slow = Self { process, address };
        until("it listens", || slow.answers());
        slow
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200 ")
    }

    fn of(&self, what: &str) -> String {
        format!("/proc/{}/{what}", self.process.0.id())
    }

    fn open_files(&self) -> usize {
        fs::read_dir(self.of("fd")).unwrap().count()
    }

    fn threads_of_the_pool(&self) -> usize {
        let tasks = fs::read_dir(self.of("task")).unwrap().map(|task| task.unwrap().path().join("comm"));
        tasks.filter(|name| fs::read_to_string(name).is_ok_and(|name| is_of_the_pool(name.trim()))).count()
    }

    /// Attacks, and asks all the while; the most connections that were open.
    fn attack(&self, arguments: &[&str]) -> usize {
        let url = format!("http://{}/endless", self.address);
        let clients = CLIENTS.to_string();
        let mut command = Command::new("slowhttptest");
        command.args(["-c", &clients, "-r", "1000", "-l", "60", "-u", &url]).args(arguments);
        let attack = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut attack = Guarded(attack.unwrap_or_else(|error| panic!("slowhttptest: {error}: run ci/test --install")));
        let (before, mut most, begin) = (self.open_files(), 0, Instant::now());
        // Those who hardly read do not see soon that they are closed.
        while attack.0.try_wait().unwrap().is_none() && (most <= CLIENTS / 2 || self.open_files() > before + 2) {
            assert!(self.answers(), "who is not slow is served");
            assert!(begin.elapsed() < IN_TIME, "{arguments:?}: {} files are open", self.open_files());
            most = most.max(self.open_files().saturating_sub(before));
            std::thread::sleep(Duration::from_millis(20));
        }
        until("all are closed", || self.open_files() <= before + 2);
        most
    }
}

fn is_of_the_pool(name: &str) -> bool {
    name.strip_prefix("vestibule-").is_some_and(|number| number.parse::<u32>().is_ok())
}

#[test]
fn slow_heads_slow_bodies_and_slow_readers_are_closed_and_others_are_served() {
    let server = Slow::start();
    for (name, arguments) in [
        // A header line every second, for ever.
        ("slow heads", &["-H", "-i", "1", "-t", "GET"][..]),
        // A few bytes of the body every ten seconds.
        ("slow bodies", &["-B", "-i", "10", "-s", "1000000", "-t", "POST"]),
        // Next to nothing of an endless response is taken.
        ("slow readers", &["-X", "-n", "30", "-z", "1", "-w", "512", "-y", "1024", "-k", "1"]),
    ] {
        let most = server.attack(arguments);
        let threads = server.threads_of_the_pool();
        println!("{name}: {most} connections at once, {threads} threads of the pool");
        assert!(most > CLIENTS / 2, "{name}: the attack was one: {most} connections");
        assert!(server.answers());
    }
    let status = fs::read_to_string(server.of("status")).unwrap();
    let peak: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap();
    println!("{peak} KiB of memory at most");
    // A window of 256 KiB and some buffers for each client that takes nothing.
    assert!(peak < 600 * 1024, "{peak} KiB");
}
