//! A real server on a loopback port, for as long as a test runs, and a client that speaks in bytes.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use vestibule::adapters::http::{Handle, Server};
use vestibule::{App, Execution, Result, app_fn};

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Serves an application until it is dropped.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Serving {
    pub(crate) fn start(app: App, execution: Execution) -> Self {
        Self::with(app, |server| server.execution(execution))
    }

    /// Serves on a free port, with what `configure` sets.
    pub(crate) fn with(app: App, configure: impl FnOnce(Server) -> Server) -> Self {
        Self::on(configure(Server::bind("127.0.0.1:0").unwrap()), app)
    }

    pub(crate) fn on(server: Server, app: App) -> Self {
        let (address, handle) = (server.local_addr().unwrap(), server.handle());
        let thread = std::thread::spawn(move || server.run_until(app, std::future::pending()));
        Self { address, handle, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) fn talk(&self, bytes: impl AsRef<[u8]>) -> io::Result<String> {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref())?;
        rest(&mut stream)
    }

    /// Waits until the server has stopped.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.handle.shutdown();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// What comes until the server closes.
pub(crate) fn rest(stream: &mut TcpStream) -> io::Result<String> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// One response with a Content-Length, or with none and no body.
pub(crate) fn response(stream: &mut impl Read) -> io::Result<String> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(byte(stream)?);
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    for _ in 0..length {
        answer.push(byte(stream)?);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn byte(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// The status of a response, which there has to be.
pub(crate) fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no response: {answer:?}"))
}

/// Answers with the body that it got.
pub(crate) fn echo() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(10_000_000)?;
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(body.into())
    })
}

/// Answers at once, whatever it is asked.
pub(crate) fn hello() -> App {
    app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok("hello".into())
    })
}

/// An application that says that it runs, and runs until it is let go.
pub(crate) fn gated() -> (App, Arc<Mutex<()>>, mpsc::Receiver<()>) {
    let gate = Arc::new(Mutex::new(()));
    let (began, has_begun) = mpsc::channel();
    let kept = Arc::clone(&gate);
    let app = app_fn(move |_, start_response| {
        began.send(()).unwrap();
        drop(kept.lock());
        start_response.start(200, ())?;
        Ok("done".into())
    });
    (app, gate, has_begun)
}

pub(crate) fn executions() -> [Execution; 2] {
    [Execution::pool(), Execution::inline()]
}
