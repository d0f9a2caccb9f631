//! Sockets that somebody else has bound: those of systemd, and one in the place of standard input.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use socket2::{Domain, Socket};

use super::options::Gateway;
use crate::environ::Errors;
use crate::error::{Fault, Result};

/// Where a gateway listens.
pub(super) enum Listening {
    At(String),
    Tcp(TcpListener),
    Unix(UnixListener),
    /// A socket in the place of standard input: the web server has started this program as a file of its own.
    Spawned(Box<Self>),
    /// It has nothing to listen for.
    Nowhere,
}

/// The socket that this process was started with, and the protocol that it is for.
pub(super) fn inherited() -> Result<Option<(Gateway, Listening)>> {
    if let Some(listening) = standard_input()? {
        // FastCGI 1.0, section 2.2: FCGI_LISTENSOCK_FILENO is 0.
        return Ok(Some((Gateway::FastCgi, Listening::Spawned(Box::new(listening)))));
    }
    from_systemd()
}

fn standard_input() -> Result<Option<Listening>> {
    let Ok(descriptor) = io::stdin().as_fd().try_clone_to_owned() else { return Ok(None) };
    let socket = Socket::from(descriptor);
    match socket.is_listener() {
        Ok(true) => Ok(Some(listening(socket)?)),
        // It is no socket, or one that is connected.
        _ => Ok(None),
    }
}

fn listening(socket: Socket) -> Result<Listening> {
    let is_unix = socket.domain()? == Domain::UNIX;
    let descriptor = OwnedFd::from(socket);
    Ok(match is_unix {
        true => Listening::Unix(descriptor.into()),
        false => Listening::Tcp(descriptor.into()),
    })
}

/// The first socket of socket activation: sd_listen_fds(3).
fn from_systemd() -> Result<Option<(Gateway, Listening)>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut given = ListenFd::from_env();
    if given.len() == 0 {
        return Ok(None);
    }
    if given.len() > 1 {
        let line = "sockets are given by LISTEN_FDS: the first is served, who connects to another waits for nobody";
        Errors::stderr().line(format_args!("vestibule: {} {line}", given.len()));
    }
    let gateway = match names.split(':').next() {
        Some("fastcgi") => Gateway::FastCgi,
        Some("scgi") => Gateway::Scgi,
        Some("uwsgi") => Gateway::Uwsgi,
        _ => Gateway::Http,
    };
    let cannot =
        |error: io::Error| Fault::Gateway(format!("LISTEN_FDS: the first socket cannot be listened on: {error}"));
    if let Ok(Some(listener)) = given.take_unix_listener(0) {
        return Ok(Some((gateway, Listening::Unix(listener))));
    }
    match given.take_tcp_listener(0).map_err(cannot)? {
        Some(listener) => Ok(Some((gateway, Listening::Tcp(listener)))),
        None => Ok(None),
    }
}
