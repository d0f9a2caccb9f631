//! A clock for what may be polled outside of a runtime that has one.

use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Sleep;

/// A timer of the crate's own thread, which begins with the first one.
pub(super) fn sleep(time: Duration) -> Pin<Box<Sleep>> {
    static CLOCK: LazyLock<Runtime> = LazyLock::new(|| {
        match Builder::new_multi_thread().worker_threads(1).thread_name("vestibule-clock").enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("no thread for the clock: {error}"),
        }
    });
    let _inside = CLOCK.enter();
    Box::pin(tokio::time::sleep(time))
}
