//! What socket adapters share: execution on a pool or in place, and the checks of requests.

mod checks;
mod drive;
mod execution;
mod pool;

pub(crate) use checks::check;
pub(crate) use drive::{Driven, READ_AHEAD, Refused, finish};
pub use execution::Execution;
pub(crate) use pool::Pool;
