//! A small client of HTTP/1.1 that writes exact bytes and reads strictly.

mod read;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use http::Version;

use super::{Client, Connection, Need, Request, Response, Watch};
use crate::error::Result;

pub(super) use read::{Reader, Received, Sized};

/// How long a gateway may say nothing. Only a failing case waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the suite against whatever speaks HTTP/1.1: a server of its own, or a front end before another gateway.
///
/// It opens a connection for each request, sends exactly what the case says, and takes nothing from the server that
/// RFC 9112 does not allow. It is a client for tests: it remembers a whole response, up to a limit, and speaks no TLS.
///
/// ```no_run
/// use vestibule::testing::conformance::{self, Http1, Need};
///
/// // A front end that serves conformance::application() at "/mnt", and that decodes the path.
/// let client = Http1::tcp(([127, 0, 0, 1], 8080).into()).without(Need::RawTarget);
/// conformance::run(&client, "/mnt").assert_passed();
/// ```
#[derive(Clone)]
pub struct Http1 {
    connect: Arc<Connect>,
    lacks: Vec<Need>,
}

type Connect = dyn Fn() -> io::Result<Box<dyn Connection>> + Send + Sync;

impl Http1 {
    /// A client that connects in any way; reading from such a connection must give up in bounded time.
    pub fn new<C: Connection + 'static>(connect: impl Fn() -> io::Result<C> + Send + Sync + 'static) -> Self {
        Self { connect: Arc::new(move || Ok(Box::new(connect()?))), lacks: vec![Need::Log] }
    }

    /// A client that connects to an address.
    pub fn tcp(address: SocketAddr) -> Self {
        Self::new(move || {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        })
    }

    /// A client that connects to a unix socket, which knows no reset: [`Need::Reset`] is not supported.
    #[cfg(unix)]
    pub fn unix(path: impl Into<std::path::PathBuf>) -> Self {
        let path = path.into();
        Self::new(move || {
            let stream = std::os::unix::net::UnixStream::connect(&path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        })
        .without(Need::Reset)
    }

    /// Leaves out the cases that need something which this gateway cannot do.
    #[must_use]
    pub fn without(mut self, need: Need) -> Self {
        self.lacks.push(need);
        self
    }
}

impl Client for Http1 {
    fn supports(&self, need: Need) -> bool {
        !self.lacks.contains(&need)
    }

    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
        let mut connection = (self.connect)()?;
        // A server may answer, and close, before it has read the whole request; then there is a response all the same.
        let written = write_request(&mut connection, request);
        if request.leaves_early() {
            written?;
            return Ok(Response::none());
        }
        match (Reader::new(connection).response(request.method(), watch), written) {
            (Ok(received), _) => Ok(received.response),
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(writing)) => {
                Err(format!("{error}, after the request could not be written: {writing}").into())
            }
        }
    }

    fn connect(&self) -> Result<Box<dyn Connection>> {
        Ok((self.connect)()?)
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").field("lacks", &self.lacks).finish_non_exhaustive()
    }
}

fn write_request(connection: &mut dyn Connection, request: &Request) -> io::Result<()> {
    let is_10 = request.protocol() == Version::HTTP_10;
    let mut head = format!("{} {} HTTP/1.{}\r\n", request.method(), request.target(), u8::from(!is_10)).into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    if !is_10 && !request.headers().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        field("host", b"localhost");
    }
    for (name, value) in request.headers() {
        field(name, value);
    }
    if let Some(length) = request.content_length() {
        field("content-length", length.to_string().as_bytes());
    }
    if request.is_unknown_length() {
        field("transfer-encoding", b"chunked");
        let announced: Vec<&str> = request.trailers().map(|(name, _)| name).collect();
        if !announced.is_empty() {
            field("trailer", announced.join(", ").as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    connection.write_all(&head)?;
    for block in request.body_blocks().iter().filter(|block| !block.is_empty()) {
        match request.is_unknown_length() {
            false => connection.write_all(block)?,
            true => {
                write!(connection, "{:x}\r\n", block.len())?;
                connection.write_all(block)?;
                connection.write_all(b"\r\n")?;
            }
        }
    }
    if request.is_unknown_length() {
        connection.write_all(b"0\r\n")?;
        for (name, value) in request.trailers() {
            write!(connection, "{name}: {value}\r\n")?;
        }
        connection.write_all(b"\r\n")?;
    }
    connection.flush()
}
