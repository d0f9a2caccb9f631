//! Where a server listens: a TCP address or a unix socket.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, Socket, Type};

use super::Stream;
use crate::error::{Error, Fault, Result};

/// How many connections the kernel keeps until they are accepted; it may have a lower limit of its own.
const ACCEPT_QUEUE: i32 = 4096;

/// Who may connect to a unix socket until something else is asked for: its owner and its group.
const UNIX_MODE: u32 = 0o660;

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    /// The file is `None` for a socket that somebody else has bound. It goes first: an open socket keeps its inode from
    /// being given to another file.
    Unix(Option<SocketFile>, UnixListener),
}

/// The file of a unix socket, which is removed when the listener goes: it is of no use to anybody without it.
///
/// By then a successor may have put its own in this place, so it is known by more than its name.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// The address of a connection's other end; a unix socket has none.
pub(crate) type Peer = Option<SocketAddr>;

impl Listener {
    /// Binds `host:port`, where port 0 picks a free one, or `unix:PATH`.
    pub(crate) fn bind(address: &str) -> Result<Self> {
        let bound = match address.strip_prefix("unix:") {
            Some(path) => bind_unix(Path::new(path)),
            None => bind_tcp(address),
        };
        bound.map_err(|error| cannot_listen(address, &error))
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Changes who may connect to a unix socket.
    pub(crate) fn set_mode(&self, mode: u32) -> Result<()> {
        let path = self.path_to("mode")?;
        Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| cannot("set the mode of", path, &error))?)
    }

    pub(crate) fn set_owner(&self, user: Option<u32>, group: Option<u32>) -> Result<()> {
        let path = self.path_to("owner")?;
        Ok(chown(path, user, group).map_err(|error| cannot("set the owner of", path, &error))?)
    }

    fn path_to(&self, what: &str) -> Result<&Path> {
        match self {
            Self::Unix(Some(file), _) => Ok(&file.path),
            _ => Err(Fault::Gateway(format!("{self} has no {what}: only a unix socket that it has bound does")).into()),
        }
    }

    /// The listener inside of the runtime that this is called in.
    pub(crate) fn start(self) -> io::Result<Started> {
        Ok(match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Started { accepting: Accepting::Tcp(tokio::net::TcpListener::from_std(listener)?), file: None }
            }
            Self::Unix(file, listener) => {
                listener.set_nonblocking(true)?;
                Started { accepting: Accepting::Unix(tokio::net::UnixListener::from_std(listener)?), file }
            }
        })
    }
}

/// For a person: `http://127.0.0.1:8000` or `unix:/run/app.sock`.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(Some(file), _) => write!(f, "unix:{}", file.path.display()),
            Self::Unix(None, listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname()).unwrap_or(Path::new(""));
                write!(f, "unix:{}", path.display())
            }
            Self::Tcp(_) => match self.local_addr() {
                Some(address) => write!(f, "http://{address}"),
                None => f.write_str("http://"),
            },
        }
    }
}

/// A listener that accepts.
pub(crate) struct Started {
    file: Option<SocketFile>,
    accepting: Accepting,
}

enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Started {
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.accepting {
            Accepting::Tcp(listener) => listener.accept().await.map(|(stream, peer)| tcp(stream, peer)),
            Accepting::Unix(listener) => listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), None)),
        }
    }

    /// Takes the file of a unix socket away: who comes later finds nobody, and does not wait in a queue that is about to
    /// be closed.
    pub(crate) fn withdraw(&mut self) {
        self.file = None;
    }

    /// What waits in the kernel's queue right now: it would be reset when the listener closes.
    pub(crate) fn accept_now(&self) -> io::Result<(Stream, Peer)> {
        match &self.accepting {
            Accepting::Tcp(listener) => {
                let (socket, peer) = socket2::SockRef::from(listener).accept()?;
                socket.set_nonblocking(true)?;
                let peer = peer.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
                Ok(tcp(tokio::net::TcpStream::from_std(socket.into())?, peer))
            }
            Accepting::Unix(listener) => {
                let (socket, _) = socket2::SockRef::from(listener).accept()?;
                socket.set_nonblocking(true)?;
                Ok((Stream::Unix(tokio::net::UnixStream::from_std(socket.into())?), None))
            }
        }
    }
}

fn tcp(stream: tokio::net::TcpStream, peer: SocketAddr) -> (Stream, Peer) {
    // Responses are written whole; waiting for more to send with them only delays them.
    let _ = stream.set_nodelay(true);
    (Stream::Tcp(stream), Some(peer))
}

fn bind_tcp(address: &str) -> io::Result<Listener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in address.to_socket_addrs()? {
        match bind_tcp_to(address) {
            Ok(listener) => return Ok(Listener::Tcp(listener)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_tcp_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started again must not wait for the connections of its predecessor to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_QUEUE)?;
    Ok(socket.into())
}

/// A socket that nobody listens on any more is replaced. The new one is made beside it and renamed, so that it never
/// stands there with rights that it should not have.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        // What is no socket at all is not ours to replace.
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of this name that is no socket"));
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        },
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(&beside)?)?;
    let mut file = SocketFile::at(beside)?;
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(UNIX_MODE))?;
    socket.listen(ACCEPT_QUEUE)?;
    std::fs::rename(&file.path, path)?;
    path.clone_into(&mut file.path);
    Ok(Listener::Unix(Some(file), socket.into()))
}

impl SocketFile {
    fn at(path: PathBuf) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(&path)?;
        Ok(Self { path, device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let stands_there = std::fs::symlink_metadata(&self.path);
        // That it is gone already is no harm.
        if stands_there.is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode)) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Names the address, the cause and what can be done.
fn cannot_listen(address: &str, error: &io::Error) -> Error {
    let cure = match error.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: end it, or choose another address",
        io::ErrorKind::NotFound if address.starts_with("unix:") => "; the directory of a socket has to be there",
        io::ErrorKind::InvalidInput => "; an address is host:port, such as 127.0.0.1:8000, or unix:PATH",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 and most directories need rights: choose another address"
        }
        _ => "",
    };
    Fault::Gateway(format!("cannot listen on {address}: {error}{cure}")).into()
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Gateway(format!("cannot {what} {}: {error}", path.display()))
}
