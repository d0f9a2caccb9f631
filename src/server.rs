//! What adapters share: execution on a pool or in place, the checks and the limits of requests, and what is about sockets.

mod begin;
mod checks;
mod completions;
mod drive;
mod execution;
#[cfg(any(feature = "http", feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod limits;
mod pool;
mod read_ahead;
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod sockets;
mod watchdog;

pub(crate) use begin::{Begun, Driving, Place, begin};
pub(crate) use checks::check;
pub(crate) use drive::Pulled;
pub use execution::Execution;
#[cfg(any(feature = "http", feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub(crate) use limits::Limits;
pub(crate) use pool::Pool;
pub(crate) use read_ahead::{Ahead, ReadAhead};
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub use sockets::*;
