//! `Execution`: on which threads a gateway calls applications.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::Pool;
use super::begin::Place;
use super::pool::Size;

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
    size: Size,
}

impl Execution {
    /// A pool of threads: the reactor parses, a pool thread calls, the reactor writes. The default.
    ///
    /// A few [`hot`](Execution::hot) threads take all calls as long as these are short. When a call has waited for one to
    /// two milliseconds, more threads take part, up to [`max`](Execution::max); they leave when they have been idle for
    /// ten seconds.
    ///
    /// Code of the application may do there what it may do on any thread: block, start a runtime of its own,
    /// `tokio::spawn` on the server's.
    pub fn pool() -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self { in_place: false, size: Size { hot: cores.max(4), max: 64.max(cores), queue: 1024 } }
    }

    /// No thread of its own: applications are called on the reactor, for those that never block.
    ///
    /// The request body is read before the call, since it could not arrive during it. One of more than 64 KiB goes to a
    /// pool thread all the same.
    pub fn inline() -> Self {
        Self { in_place: true, ..Self::pool() }
    }

    /// Sets how many threads always wait for calls: 4 by default, or one for each core where there are more; at least 1.
    ///
    /// Fewer cost less where calls are short, since they share what is in the processor's caches. They start with the
    /// first calls.
    #[must_use]
    pub fn hot(mut self, threads: usize) -> Self {
        self.size.hot = threads.max(1);
        self.size.max = self.size.max.max(self.size.hot);
        self
    }

    /// Sets how many threads the pool may have: 64 by default, at least 1. It is how many calls can block at once.
    ///
    /// At most half of them take calls of which more than 64 KiB of the request body are still to come, so that clients
    /// who send slowly hold back nobody but each other.
    #[must_use]
    pub fn max(mut self, threads: usize) -> Self {
        self.size.max = threads.max(1);
        self.size.hot = self.size.hot.min(self.size.max);
        self
    }

    /// Sets how many calls may wait for a thread when all are busy: 1,024 by default. More are answered 503 with
    /// Retry-After.
    #[must_use]
    pub fn queue(mut self, calls: usize) -> Self {
        self.size.queue = calls;
        self
    }

    /// Where it calls an application whose request is there.
    pub(crate) fn place(&self) -> Place {
        if self.in_place { Place::Reactor } else { Place::Pool }
    }

    /// The pool; it has no threads yet.
    pub(crate) fn start_pool(&self) -> Pool {
        Pool::new(self.size)
    }
}

impl Default for Execution {
    fn default() -> Self {
        Self::pool()
    }
}
