//! What adapters share: the checks and the limits of requests, threads, sockets.

mod checks;
#[cfg(any(feature = "http", feature = "tower", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod hook;
#[cfg(any(feature = "http", feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod limits;
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod sockets;
#[cfg(any(feature = "http", feature = "tower", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod threads;

pub(crate) use checks::check;
#[cfg(any(feature = "http", feature = "tower", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub(crate) use hook::Hook;
#[cfg(any(feature = "http", feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub(crate) use limits::Limits;
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub use sockets::*;
#[cfg(any(feature = "http", feature = "tower", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub use threads::*;
