//! What socket adapters share: listening, limits, stopping, execution on a pool or in place, the checks of requests.

#[cfg(feature = "http")]
pub(crate) mod access_log;
mod begin;
mod checks;
mod completions;
mod drive;
mod execution;
#[cfg(feature = "http")]
mod limits;
#[cfg(feature = "http")]
mod listener;
mod pool;
mod read_ahead;
#[cfg(feature = "http")]
mod running;
#[cfg(feature = "http")]
mod runtime;
#[cfg(feature = "http")]
mod stream;
mod watchdog;

pub(crate) use begin::{Begun, Driving, Place, begin};
pub(crate) use checks::check;
pub(crate) use drive::Pulled;
pub use execution::Execution;
#[cfg(feature = "http")]
pub(crate) use limits::Limits;
#[cfg(feature = "http")]
pub(crate) use listener::{Ends, Listener};
pub(crate) use pool::Pool;
pub(crate) use read_ahead::{Ahead, ReadAhead};
#[cfg(feature = "http")]
pub use running::Handle;
#[cfg(feature = "http")]
pub(crate) use running::{Busy, Member, Phase, Running, serve};
#[cfg(feature = "http")]
pub(crate) use runtime::{Signals, block_on};
#[cfg(feature = "http")]
pub(crate) use stream::{Seen, Stream};
