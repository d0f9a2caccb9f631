//! The examples, each run as the program that it is and asked over a socket.
#![cfg(feature = "http")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use vestibule::testing::conformance::{self, Http1};

/// It is how a user's file looks, with its tests inside: they are run as part of this one.
#[expect(dead_code, reason = "its main is that of the program")]
#[path = "../examples/testing.rs"]
mod testing;

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each function, and the list of what is tested.
macro_rules! tested {
    ($($example:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($example)),*];

        mod example {
            $(#[test] fn $example() { super::$example(); })*
        }
    };
}

tested! { async_app conformance factory hello inspect middleware streaming testing upload }

#[test]
fn every_example_is_tested_short_and_says_how_it_is_run() {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).expect("there are examples") {
        let path = entry.expect("the directory can be read").path();
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("an example is a file of text");
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//! ")).collect();
        assert!(text.lines().count() <= 60, "{name} has {} lines", text.lines().count());
        assert!(head.join(" ").contains(&format!("cargo run --example {name}")), "{name} does not say how it is run");
        found.insert(name);
    }
    assert_eq!(found, TESTED.iter().map(ToString::to_string).collect());
}

fn hello() {
    let hello = Example::start("hello", |command| command);
    let answer = hello.get("/");
    assert_eq!((answer.status, &*answer.body), (200, "Hello, world!\n"));
    assert!(answer.has("content-type: text/plain") && answer.has("content-length: 14"), "{}", answer.head);
}

#[test]
fn hello_says_where_it_is_when_nothing_is_said() {
    // Another program may have the port: then the message names it as well.
    let mut process = Guarded(command("hello").spawn().expect("the example starts"));
    let stderr = process.0.stderr.take().expect("it is piped");
    let line = BufReader::new(stderr).lines().next().expect("it says something").expect("in UTF-8");
    let says = ["is served at http://127.0.0.1:8000", "cannot listen on 127.0.0.1:8000: "];
    assert!(says.iter().any(|text| line.contains(text)), "{line}");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_reason() {
    let taken = TcpListener::bind(("127.0.0.1", free_port())).expect("the port was free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = run_to_its_end(command("hello").args(["--http", &address]));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.starts_with(&format!("Error: cannot listen on {address}: Address already in use")), "{message}");
}

fn middleware() {
    let example = Example::start("middleware", |command| command);
    let answer = example.get("/");
    assert_eq!((answer.status, &*answer.body), (200, "HELLO, WORLD!\n"));
    assert!(answer.has("x-visit: 1"), "{}", answer.head);
    example.await_log("GET / 200 OK");

    let answer = example.get("/broken");
    assert_eq!((answer.status, &*answer.body), (500, "Sorry, that did not work. We were told.\n"));
    assert!(answer.has("x-visit: 2"), "{}", answer.head);
    example.await_log("apologized for: the kettle is cold");
    example.await_log("GET /broken 500 Internal Server Error");
}

fn factory() {
    let example = Example::start("factory", |command| command.env_remove("WRAP"));
    let answer = example.get("/ciao");
    assert_eq!((answer.status, &*answer.body), (200, "Ciao from /ciao\n"));
    assert!(answer.has("cache-control: max-age=60"), "{}", answer.head);
    let answer = example.get("/");
    assert_eq!((answer.status, &*answer.body), (404, "There are only: ciao, hello\n"));

    // The first is outermost: what it says is shouted, or not.
    for (wrap, sold_out) in [("shouting,tickets", "SOLD OUT\n"), ("tickets,shouting", "sold out\n")] {
        let example = Example::start("factory", |command| command.env("WRAP", wrap));
        for _ in 0..3 {
            let answer = example.get("/hello");
            assert_eq!((answer.status, &*answer.body), (200, "HELLO FROM /HELLO\n"), "{wrap}");
            assert!(!answer.has("cache-control: max-age=60"), "{}", answer.head);
        }
        let answer = example.get("/hello");
        assert_eq!((answer.status, &*answer.body), (503, sold_out), "{wrap}");
    }

    let output = run_to_its_end(command("factory").env("WRAP", "whispering"));
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Error: WRAP: no middleware is called \"whispering\"\n");
}

fn streaming() {
    let example = Example::start("streaming", |command| command);
    let page = example.get("/");
    assert!(page.has("content-type: text/html; charset=utf-8"), "{}", page.head);
    assert!(page.body.contains("new EventSource(\"events\")"), "{}", page.body);
    assert_eq!(example.get("/other").status, 404);

    let answer = example.ask("GET /events", "Last-Event-ID: 2\r\n", "");
    assert!(answer.has("content-type: text/event-stream"), "{}", answer.head);
    assert_eq!(answer.body, "id: 1\ndata: 1\n\nevent: liftoff\ndata: 0\n\n");

    // An event comes as soon as it is sent, and nobody counts on when nobody listens.
    let mut stream = example.send("GET /events", "", "");
    read_until(&mut stream, "data: 10\n\n");
    drop(stream);
    example.await_log("countdown stopped: the client left");
}

fn upload() {
    const LIMIT: usize = 32 * 1024 * 1024;
    let directory = Directory::new("upload");
    let example = Example::start("upload", |command| command.env("TMPDIR", &directory.0));
    assert!(example.get("/").body.contains("<input type=\"file\""));
    assert_eq!(example.ask("DELETE /", "", "").status, 405);

    // As much as is allowed, of a known length and in chunks, and one byte more.
    let bytes: String = ('a'..='z').cycle().take(LIMIT).collect();
    let chunked = |bytes: &str| format!("{:x}\r\n{bytes}\r\n0\r\n\r\n", bytes.len());
    for answer in [
        example.ask("PUT /", &format!("Content-Length: {LIMIT}\r\n"), &bytes),
        example.ask("PUT /", "Transfer-Encoding: chunked\r\n", &chunked(&bytes)),
    ] {
        assert_eq!(answer.status, 201, "{}", answer.body);
        let path = answer.body.strip_prefix(&format!("{LIMIT} bytes are in ")).expect("it tells the size").trim_end();
        assert!(fs::read(path).expect("the file is there") == bytes.as_bytes(), "{path} is not what was sent");
        fs::remove_file(path).expect("it is ours");
    }
    let answer = example.ask("PUT /", "Transfer-Encoding: chunked\r\n", &chunked(&(bytes + "a")));
    assert_eq!(answer.status, 413, "{}", answer.body);
    // Who says so before is told so before.
    let answer = example.ask("PUT /", &format!("Content-Length: {}\r\n", LIMIT + 1), "");
    assert_eq!(answer.status, 413, "{}", answer.body);

    // Half an upload leaves nothing.
    let stream = example.send("PUT /", "Content-Length: 1000000\r\n", "half");
    until("the upload begins", || directory.files() == 1);
    drop(stream);
    until("half a file is removed", || directory.files() == 0);
    // 96 MiB went through it, and none of it was kept.
    #[cfg(target_os = "linux")]
    assert!(example.peak_of_memory_kib() < 24 * 1024, "{} KiB", example.peak_of_memory_kib());
}

fn async_app() {
    // With one thread, a call that held it while it waits would hold up the message that it waits for.
    let example = Example::start("async_app", |command| command.args(["--threads", "1"]));
    let waiting: Vec<TcpStream> = (0..20).map(|_| example.send("GET /", "", "")).collect();
    let mut reached = 0;
    until("all twenty wait", || {
        let answer = example.ask("POST /", "Content-Length: 3\r\n", "tea");
        let number = answer.body.strip_suffix(" got it\n").expect("it tells how many");
        reached += number.parse::<usize>().expect("a number");
        reached == waiting.len()
    });
    for stream in waiting {
        let answer = Answer::read(stream);
        assert_eq!((answer.status, &*answer.body), (200, "tea"));
    }
    assert_eq!(example.get("/?0").status, 204);
    assert_eq!(example.get("/?tea").status, 400);
    assert_eq!(example.ask("DELETE /", "", "").status, 405);
}

fn inspect() {
    let example = Example::start("inspect", |command| command);
    let answer = example.ask("POST /a%2Fb/%3Cb%3E?page=2", "X-Tea: <i>green</i>\r\nContent-Length: 4\r\n", "body");
    assert_eq!(answer.status, 200);
    assert!(answer.has("content-type: text/plain; charset=utf-8"), "{}", answer.head);
    assert!(answer.has("x-content-type-options: nosniff"), "{}", answer.head);
    for line in [
        "method       POST",
        "url          http://example/a%2Fb/%3Cb%3E?page=2",
        "raw_path     /a%2Fb/%3Cb%3E",
        "path_info    \"/a/b/<b>\"",
        "body         4 bytes",
        "x-tea: \"<i>green</i>\"",
        "HTTP_X_TEA = \"<i>green</i>\"",
        "CONTENT_LENGTH = \"4\"",
        "QUERY_STRING = \"page=2\"",
        "REMOTE_ADDR = \"127.0.0.1\"",
        &format!("SERVER_PORT = \"{}\"", example.address.port()),
        "it calls from many threads    true",
    ] {
        assert!(answer.body.lines().any(|found| found.trim() == line), "{line:?} is not in:\n{}", answer.body);
    }
}

/// The tests inside of the file are run by the module above.
fn testing() {
    let example = Example::start("testing", |command| command);
    let answer = example.ask("POST /", "Content-Length: 2\r\n", "21");
    assert_eq!((answer.status, &*answer.body), (200, "42\n"));
    assert_eq!(example.ask("POST /", "Content-Length: 3\r\n", "tea").status, 400);
}

fn conformance() {
    let example = Example::start("conformance", |command| command);
    let report = conformance::run(&Http1::tcp(example.address), "");
    println!("{report}");
    report.assert_passed();
}

/// An example that runs and serves, until it is dropped.
struct Example {
    process: Guarded,
    address: SocketAddr,
    /// The lines that it writes to its standard error.
    log: Receiver<String>,
}

impl Example {
    /// Starts it on a free port; it is ready when it says where it is served, which it does once it listens.
    fn start(name: &str, configure: impl Fn(&mut Command) -> &mut Command) -> Self {
        loop {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let mut command = command(name);
            configure(command.args(["--http", &address.to_string()]));
            let mut process = Guarded(command.spawn().unwrap_or_else(|error| panic!("{name}: {error}")));
            let lines = BufReader::new(process.0.stderr.take().expect("it is piped")).lines();
            let (sender, log) = channel();
            std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
            let line = log.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{name} says nothing: {error}"));
            if line.contains(&format!("is served at http://{address} ")) {
                return Self { process, address, log };
            }
            // Somebody was faster.
            assert!(line.contains("Address already in use"), "{name}: {line}");
        }
    }

    fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target}"), "", "")
    }

    /// Sends a request and reads the whole answer.
    fn ask(&self, method_and_target: &str, headers: &str, body: &str) -> Answer {
        Answer::read(self.send(method_and_target, headers, body))
    }

    fn send(&self, method_and_target: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time above 0");
        let head = format!("{method_and_target} HTTP/1.1\r\nHost: example\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).expect("the server reads the head");
        stream.write_all(body.as_bytes()).expect("the server reads the body");
        stream
    }

    /// Waits for a line with this text on its standard error.
    fn await_log(&self, text: &str) {
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| line.contains(text)) {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => seen.push(line),
                Err(_) => panic!("{text:?} is not in the log:\n{}", seen.join("\n")),
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn peak_of_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

/// A process that does not outlive its test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // That it has ended already is no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program of an example, which `cargo test` has built beside this one.
fn command(name: &str) -> Command {
    let this = std::env::current_exe().expect("a test has a path");
    let profile = this.parent().and_then(Path::parent).expect("target/PROFILE/deps/THIS");
    let program = profile.join("examples").join(name);
    assert!(program.exists(), "{} is missing: run `cargo build --examples` first", program.display());
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What a program says that must end by itself.
fn run_to_its_end(command: &mut Command) -> Output {
    let mut process = Guarded(command.spawn().expect("the example starts"));
    let mut status = None;
    until("the program ends", || {
        status = process.0.try_wait().expect("it is our child");
        status.is_some()
    });
    let mut stderr = Vec::new();
    process.0.stderr.take().expect("it is piped").read_to_end(&mut stderr).expect("it can be read");
    Output { status: status.expect("it has ended"), stdout: Vec::new(), stderr }
}

/// A port that was free a moment ago, below those that systems give to clients.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("below 10,000");
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A directory of the test's own, empty at first and gone at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).expect("it is there").count()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Looks again and again, until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read_until(stream: &mut TcpStream, end: &str) {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(end.as_bytes()) {
        stream.read_exact(&mut byte).expect("there is more");
        text.push(byte[0]);
    }
}

/// A response as it came, its body without the framing.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the connection ends cleanly");
        let text = String::from_utf8(bytes).expect("the examples answer in UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("the head ends");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("there is a status");
        let mut answer = Self { status, head: format!("{head}\r\n"), body: body.to_owned() };
        if answer.has("transfer-encoding: chunked") {
            answer.body = unchunked(body).unwrap_or_else(|| panic!("the chunks do not end: {body:?}"));
        }
        answer
    }

    fn has(&self, header: &str) -> bool {
        self.head.contains(&format!("\r\n{header}\r\n"))
    }
}

/// The chunks as one text; `None` where they were cut (RFC 9112, section 7.1).
fn unchunked(mut rest: &str) -> Option<String> {
    let mut text = String::new();
    loop {
        let (size, more) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        text.push_str(more.get(..size)?);
        rest = more.get(size..)?.strip_prefix("\r\n")?;
        if size == 0 {
            return Some(text);
        }
    }
}
