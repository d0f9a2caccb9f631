//! The runtime of a server that brings its own, and the signals that end it.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Fault, Result};

/// Runs a future on a runtime of its own with this many threads, and waits for it.
pub(crate) fn block_on<F>(threads: usize, future: F) -> Result<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let run = || {
        let mut builder = match threads {
            0 | 1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(threads.max(1)).thread_name("vestibule-io").enable_all().build();
        let runtime = runtime.map_err(|error| Fault::Gateway(format!("cannot start a runtime: {error}")))?;
        let output = runtime.block_on(future);
        // A pool thread that is still inside of an application is left alone; its server has ended.
        runtime.shutdown_background();
        Ok(output)
    };
    if Handle::try_current().is_err() {
        return run();
    }
    // A runtime cannot be started on a thread of another one, but on a thread of its own it can.
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes them over for the rest of the process, as its runtime does.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
