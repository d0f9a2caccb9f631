//! An application behind a gateway, on a unix socket or on TCP, for as long as a test runs.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use vestibule::Result;
use vestibule::adapters::http::Handle;

use crate::client::Request;

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    FastCgi,
    Scgi,
    Uwsgi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Unix,
    Tcp,
}

pub(crate) type Way = (Kind, Over);

pub(crate) const FASTCGI: [Way; 2] = [(Kind::FastCgi, Over::Unix), (Kind::FastCgi, Over::Tcp)];

/// Each protocol over each kind of socket.
pub(crate) const WAYS: [Way; 6] = [
    FASTCGI[0],
    FASTCGI[1],
    (Kind::Scgi, Over::Unix),
    (Kind::Scgi, Over::Tcp),
    (Kind::Uwsgi, Over::Unix),
    (Kind::Uwsgi, Over::Tcp),
];

/// Runs a test that mostly waits for each of the ways at the same time.
pub(crate) fn at_once(ways: &[Way], test: impl Fn(Way) + Sync) {
    std::thread::scope(|scope| {
        for way in ways {
            scope.spawn(|| test(*way));
        }
    });
}

/// Where a server is bound.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Place {
    /// What a server is to bind for this.
    pub(crate) fn new(over: Over) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        match over {
            Over::Tcp => Self::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))),
            // Short: a unix socket's path has an end.
            Over::Unix => {
                let name = format!("vestibule-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                Self::Unix(std::env::temp_dir().join(name))
            }
        }
    }

    pub(crate) fn connect(&self) -> io::Result<Stream> {
        let stream = match self {
            Self::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Self::Tcp(address) => Stream::Tcp(TcpStream::connect(address)?),
        };
        stream.wait(PATIENCE);
        Ok(stream)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// Serves an application until it is dropped; [`serve`] makes it.
pub(crate) struct Serving {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<Result<()>>>,
}

/// Serves an application by a protocol, with what the last argument makes of the server.
macro_rules! serve {
    ($way:expr, $app:expr) => {
        serve!($way, $app, |server| server)
    };
    ($way:expr, $app:expr, |$server:ident| $configured:expr) => {{
        let (kind, over): $crate::serving::Way = $way;
        let (app, place) = ($app, $crate::serving::Place::new(over));
        match kind {
            $crate::serving::Kind::FastCgi => serve!(@ fastcgi, kind, place, app, |$server| $configured),
            $crate::serving::Kind::Scgi => serve!(@ scgi, kind, place, app, |$server| $configured),
            $crate::serving::Kind::Uwsgi => serve!(@ uwsgi, kind, place, app, |$server| $configured),
        }
    }};
    (@ $protocol:ident, $kind:ident, $place:ident, $app:ident, |$server:ident| $configured:expr) => {{
        let $server = vestibule::adapters::$protocol::Server::bind($place.to_string()).unwrap();
        let server = $configured;
        let place = server.local_addr().map_or($place, $crate::serving::Place::Tcp);
        let handle = server.handle();
        let thread = std::thread::spawn(move || server.run_until($app, std::future::pending()));
        $crate::serving::Serving::new($kind, place, handle, thread)
    }};
}

impl Serving {
    pub(crate) fn new(kind: Kind, place: Place, handle: Handle, thread: JoinHandle<Result<()>>) -> Self {
        Self { kind, place, handle, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Stream {
        self.place.connect().unwrap()
    }

    /// Sends a request on a connection of its own and reads the answer.
    pub(crate) fn ask(&self, request: &Request) -> crate::client::Answer {
        let stream = self.connect();
        let mut other = stream.again();
        let bytes = request.bytes(self.kind);
        // A server may answer before it has read everything.
        let writing = std::thread::spawn(move || other.write_all(&bytes));
        let answer = crate::client::Answer::read(self.kind, stream);
        let _ = writing.join().unwrap();
        answer
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

/// The web server's end of a connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    /// Sets how long a read waits.
    pub(crate) fn wait(&self, time: Duration) {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(Some(time)).unwrap(),
            Self::Tcp(stream) => {
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(time)).unwrap();
            }
        }
    }

    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone().unwrap()),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().unwrap()),
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn end(&self) {
        // A server that has closed already is told nothing.
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// What comes until the server closes; whether it was cut by a reset.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let ended = self.read_to_end(&mut bytes);
        if let Err(error) = &ended {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}, after {} bytes", bytes.len());
        }
        (bytes, ended.is_err())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write_vectored(bytes),
            Self::Tcp(stream) => stream.write_vectored(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
