//! What adapters with sockets share: listening, connections, stopping, the log of requests.

pub(crate) mod access_log;
mod backend;
#[cfg(any(feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod feed;
mod limits;
mod listener;
mod running;
mod runtime;
mod serving;
mod stream;
mod timer;

pub(crate) use backend::Backend;
#[cfg(any(feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub(crate) use feed::{Feed, Feeder, feed};
pub(crate) use limits::ServerLimits;
pub(crate) use listener::{Listener, Peer};
pub use running::Handle;
#[cfg(feature = "http")]
pub(crate) use running::Running;
pub(crate) use running::{Busy, Member, Phase};
pub(crate) use runtime::{Signals, block_on};
pub(crate) use serving::Protocol;
pub use serving::Server;
#[cfg(feature = "http")]
pub(crate) use stream::Seen;
pub(crate) use stream::Stream;
pub(crate) use timer::Timer;
