//! Programs that the tests run: the examples, started, asked, and ended.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::{self, BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a test waits for what must come, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An example that runs and serves, until it is dropped.
pub(crate) struct Example {
    pub(crate) process: Guarded,
    pub(crate) address: SocketAddr,
    /// The lines that it writes to its standard error.
    pub(crate) log: Receiver<String>,
}

impl Example {
    /// Starts it on a free port; it is ready when it says where it is served, which it does once it listens.
    pub(crate) fn start(name: &str, configure: impl Fn(&mut Command) -> &mut Command) -> Self {
        Self::run(name, command, configure)
    }

    /// Starts it, and closes its standard error when it is ready: nobody reads what it writes there from then on.
    pub(crate) fn start_unread(name: &str) -> Self {
        let (process, address, _log) = ready(name, command, |command| command);
        Self { process, address, log: channel().1 }
    }

    /// Starts it with at most so many open files.
    pub(crate) fn start_with_files(name: &str, files: u32, configure: impl Fn(&mut Command) -> &mut Command) -> Self {
        let limited = |name: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]).arg(path(name));
            command.stdin(Stdio::null()).stderr(Stdio::piped());
            command
        };
        Self::run(name, limited, configure)
    }

    fn run(name: &str, make: impl Fn(&str) -> Command, configure: impl Fn(&mut Command) -> &mut Command) -> Self {
        let (process, address, lines) = ready(name, make, configure);
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, address, log }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target}"), "", "")
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn ask(&self, method_and_target: &str, headers: &str, body: &str) -> Answer {
        Answer::read(self.send(method_and_target, headers, body))
    }

    pub(crate) fn send(&self, method_and_target: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time above 0");
        let head = format!("{method_and_target} HTTP/1.1\r\nHost: example\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).expect("the server reads the head");
        stream.write_all(body.as_bytes()).expect("the server reads the body");
        stream
    }

    /// Waits for a line with this text on its standard error.
    pub(crate) fn await_log(&self, text: &str) {
        await_line(&self.log, text);
    }

    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.process.end()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn peak_of_memory_kib(&self) -> u64 {
        status_kib(self.process.0.id(), "VmHWM:")
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn memory_kib(&self) -> u64 {
        memory_kib(self.process.0.id())
    }
}

/// Where a test is to serve that was started by [`Own::start`].
const ADDRESS: &str = "VESTIBULE_TEST_ADDRESS";

/// A test of this program that serves, in a process of its own: its memory, its files and its end are nobody else's.
pub(crate) struct Own {
    pub(crate) process: Guarded,
    pub(crate) address: SocketAddr,
    log: Mutex<Receiver<String>>,
}

impl Own {
    /// Starts the test of this name, and waits until it serves.
    pub(crate) fn start(test: &str) -> Self {
        let own = Self::begin(test);
        until("it serves", || own.answers());
        own
    }

    /// Starts the test of this name.
    pub(crate) fn begin(test: &str) -> Self {
        Self::begin_by(test, "")
    }

    /// Starts the test of this name, and tells it by which protocol to serve: `PROTOCOL@ADDRESS`.
    pub(crate) fn begin_by(test: &str, protocol: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let told = if protocol.is_empty() { address.to_string() } else { format!("{protocol}@{address}") };
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n 8192 && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().expect("it has a path"));
        command.args(["--exact", test, "--nocapture"]).env(ADDRESS, told);
        let mut process = Guarded(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("there is a shell"),
        );
        let lines = BufReader::new(process.0.stderr.take().expect("it is piped")).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, address, log: Mutex::new(log) }
    }

    /// Waits for a line with this text on its standard error.
    pub(crate) fn await_log(&self, text: &str) {
        await_line(&self.log.lock().expect("nobody panics with it"), text);
    }

    /// Waits until it has ended by itself; with the lines that it has written to its standard error.
    pub(crate) fn end(&mut self) -> (ExitStatus, Vec<String>) {
        let status = self.process.end();
        (status, self.log.lock().expect("nobody panics with it").iter().collect())
    }

    /// Where this test is to serve, in the process that [`Own::start`] has started. In the process of the tests it has
    /// nothing to do.
    pub(crate) fn address() -> Option<String> {
        std::env::var(ADDRESS).ok()
    }

    pub(crate) fn send(&self, path: &str) -> TcpStream {
        self.try_send(path).expect("it listens")
    }

    fn try_send(&self, path: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())?;
        Ok(stream)
    }

    /// What comes until the connection is closed or cut.
    pub(crate) fn ask(&self, path: &str) -> String {
        received(self.send(path))
    }

    pub(crate) fn answers(&self) -> bool {
        self.try_send("/").is_ok_and(|stream| received(stream).starts_with("HTTP/1.1 200 "))
    }

    pub(crate) fn of(&self, what: &str) -> String {
        format!("/proc/{}/{what}", self.process.0.id())
    }

    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(self.of("fd")).expect("it runs").count()
    }

    pub(crate) fn threads_of_the_pool(&self) -> usize {
        let is_of_the_pool =
            |name: &str| name.strip_prefix("vestibule-").is_some_and(|number| number.trim().parse::<u32>().is_ok());
        let tasks = fs::read_dir(self.of("task")).expect("it runs").flatten().map(|task| task.path().join("comm"));
        tasks.filter(|name| fs::read_to_string(name).is_ok_and(|name| is_of_the_pool(&name))).count()
    }

    pub(crate) fn memory_kib(&self) -> u64 {
        memory_kib(self.process.0.id())
    }

    pub(crate) fn peak_of_memory_kib(&self) -> u64 {
        status_kib(self.process.0.id(), "VmHWM:")
    }
}

/// The memory that a process has.
pub(crate) fn memory_kib(process: u32) -> u64 {
    status_kib(process, "VmRSS:")
}

/// Waits for a line with this text.
pub(crate) fn await_line(log: &Receiver<String>, text: &str) {
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.contains(text)) {
        match log.recv_timeout(PATIENCE) {
            Ok(line) => seen.push(line),
            Err(_) => panic!("{text:?} is not in the log:\n{}", seen.join("\n")),
        }
    }
}

fn received(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A line of what Linux tells of a process.
fn status_kib(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
    value.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Starts a program on a free port, and waits until it says where it is served; with the lines that it writes after
/// that.
fn ready(
    name: &str,
    make: impl Fn(&str) -> Command,
    configure: impl Fn(&mut Command) -> &mut Command,
) -> (Guarded, SocketAddr, Lines<BufReader<ChildStderr>>) {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = make(name);
        configure(command.args(["--http", &address.to_string()]));
        let mut process = Guarded(command.spawn().unwrap_or_else(|error| panic!("{name}: {error}")));
        let mut lines = BufReader::new(process.0.stderr.take().expect("it is piped")).lines();
        let (sender, first) = channel();
        std::thread::spawn(move || sender.send((lines.next(), lines)));
        let (line, lines) = first.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{name} says nothing"));
        let line = line.and_then(Result::ok).unwrap_or_else(|| panic!("{name} ends without a word"));
        if line.contains(&format!("is served at http://{address} ")) {
            return (process, address, lines);
        }
        // Somebody was faster.
        assert!(line.contains("Address already in use"), "{name}: {line}");
    }
}

/// A process that does not outlive its test.
pub(crate) struct Guarded(pub(crate) Child);

impl Guarded {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("there is a kill").success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program ends", || {
            status = self.0.try_wait().expect("it is our child");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // That it has ended already is no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program of an example, which `cargo test` has built beside this one.
pub(crate) fn path(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a test has a path");
    let profile = this.parent().and_then(Path::parent).expect("target/PROFILE/deps/THIS");
    let program = profile.join("examples").join(name);
    assert!(program.exists(), "{} is missing: run `cargo build --examples` first", program.display());
    program
}

pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(path(name));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What a program says that must end by itself.
pub(crate) fn run_to_its_end(command: &mut Command) -> Output {
    let mut process = Guarded(command.spawn().expect("the example starts"));
    let status = process.end();
    let mut stderr = Vec::new();
    process.0.stderr.take().expect("it is piped").read_to_end(&mut stderr).expect("it can be read");
    Output { status, stdout: Vec::new(), stderr }
}

/// A port that was free a moment ago, below those that systems give to clients.
pub(crate) fn free_port() -> u16 {
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
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    pub(crate) fn files(&self) -> usize {
        fs::read_dir(&self.0).expect("it is there").count()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Looks again and again, until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn read_until(stream: &mut TcpStream, end: &str) {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(end.as_bytes()) {
        stream.read_exact(&mut byte).expect("there is more");
        text.push(byte[0]);
    }
}

/// A response as it came, its body without the framing.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(mut stream: TcpStream) -> Self {
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

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.contains(&format!("\r\n{header}\r\n"))
    }
}

/// The chunks as one text; `None` where they were cut (RFC 9112, section 7.1).
pub(crate) fn unchunked(mut rest: &str) -> Option<String> {
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
