//! What socket adapters share: listening, limits, stopping, execution on a pool or in place, the checks of requests.

mod checks;
mod completions;
mod drive;
mod execution;
mod limits;
mod listener;
mod pool;
mod running;
mod runtime;
mod stream;
mod watchdog;

pub(crate) use checks::check;
pub(crate) use drive::{Driven, Pulled, READ_AHEAD, finish};
pub use execution::Execution;
pub(crate) use limits::Limits;
pub(crate) use listener::{Ends, Listener};
pub(crate) use pool::Pool;
pub use running::Handle;
pub(crate) use running::{Member, Phase, Running, serve};
pub(crate) use runtime::{Signals, block_on};
pub(crate) use stream::{Seen, Stream};
