//! On which threads applications are called and bodies pulled: a pool, or the reactor.

mod begin;
mod completions;
mod drive;
mod execution;
mod pool;
mod read_ahead;
mod watchdog;

pub(crate) use begin::{Begun, Driving, Place, begin};
pub(crate) use drive::Pulled;
pub use execution::Execution;
pub(crate) use pool::Pool;
pub(crate) use read_ahead::{Ahead, ReadAhead};
