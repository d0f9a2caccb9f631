//! `Execution`: on which threads a gateway calls applications.

use super::Pool;

/// On which threads blocking applications are called and blocking bodies pulled.
///
/// An application that never blocks ([`App::may_block`](crate::App::may_block) says no: one of
/// [`async_fn`](crate::async_fn), or one that was declared [`nonblocking`](crate::App::nonblocking)) is called on the
/// reactor under every execution.
///
/// ```no_run
/// use vestibule::{Execution, adapters::http::Server, app_fn};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// Server::bind("127.0.0.1:8000")?.execution(Execution::pool().max(16)).run(app)?;
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Execution {
    in_place: bool,
    max: usize,
    queue: usize,
}

impl Execution {
    /// A pool of threads: the reactor parses, a pool thread calls, the reactor writes. The default.
    ///
    /// Threads start when they are needed, up to [`max`](Execution::max), and leave when they have been idle.
    pub fn pool() -> Self {
        Self { in_place: false, max: 64, queue: 1024 }
    }

    /// No thread of its own: applications are called on the reactor, for those that never block.
    ///
    /// The request body is read before the call, since it could not arrive during it. One of more than 64 KiB goes to a
    /// pool thread all the same.
    pub fn inline() -> Self {
        Self { in_place: true, ..Self::pool() }
    }

    /// Sets how many threads the pool may have: 64 by default, at least 1.
    #[must_use]
    pub fn max(mut self, threads: usize) -> Self {
        self.max = threads.max(1);
        self
    }

    /// Sets how many calls may wait for a thread: 1,024 by default. More are answered 503 with Retry-After.
    #[must_use]
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    pub(crate) fn is_in_place(&self) -> bool {
        self.in_place
    }

    /// The pool; it has no threads yet.
    pub(crate) fn start_pool(&self) -> Pool {
        Pool::new(self.max, self.queue)
    }
}

impl Default for Execution {
    fn default() -> Self {
        Self::pool()
    }
}
