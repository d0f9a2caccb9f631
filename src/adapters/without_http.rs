//! What stands in for HTTP in a program that was built without it.

use crate::application::App;
use crate::error::{Fault, Result};

/// Says what is missing; another gateway never takes its place.
pub(crate) fn run(_program: &str, _app: &App, address: &str, _threads: Option<usize>, _logs: bool) -> Result<()> {
    Err(Fault::Gateway(format!("cannot serve HTTP on {address}: built without feature `http`")).into())
}
