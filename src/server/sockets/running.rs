//! A server that runs: who is connected to it, and how it comes to its end.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use tokio::sync::Notify;

use super::Stream;
use super::limits::ServerLimits;
use super::listener::{Peer, Started};
use crate::environ::Errors;

/// How long a server that stops goes on to accept, and waits for the first byte on connections without a request.
///
/// A client that sends a request on an idle connection does not know yet that the server stops; it is answered, and
/// told by `Connection: close`.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// How long the server waits when it cannot accept, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often it says so.
const ACCEPT_REPORT: Duration = Duration::from_secs(1);

/// How many connections that have ended may be remembered, beside one for each that there is.
const SPARE: usize = 16;

/// Stops a server that runs, from anywhere; get it from [`Server::handle`](crate::adapters::Server::handle).
///
/// ```
/// use vestibule::{adapters::http::Server, app_fn};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// let ready = server.handle();
/// // An endpoint that a load balancer asks whether to send more requests.
/// let app = app_fn(move |_, start_response| {
///     start_response.start(if ready.is_stopping() { 503 } else { 200 }, ())?;
///     Ok(().into())
/// });
/// let thread = std::thread::spawn(move || server.run_until(app, std::future::pending()));
/// handle.shutdown();
/// thread.join().unwrap()?;
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle(Arc<State>);

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            phase: AtomicU8::new(Phase::Serving as u8),
            members: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// A server begins that this stops.
    pub(crate) fn start(&self, limits: ServerLimits) -> Arc<Running> {
        Arc::new(Running { limits, state: Arc::clone(&self.0) })
    }

    /// Begins to stop the server, and returns at once: what serves returns when the server has stopped.
    ///
    /// Nothing that was accepted is lost. Responses tell their clients to close; for 200 ms new connections and requests
    /// are still taken; then the address is closed, and the requests that are still running get the time that
    /// [`shutdown_timeout`](crate::adapters::Server::shutdown_timeout) grants.
    pub fn shutdown(&self) {
        self.0.enter(Phase::Leaving);
    }

    /// Whether the server has begun to stop: time to tell load balancers.
    pub fn is_stopping(&self) -> bool {
        self.0.phase() > Phase::Serving
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_stopping", &self.is_stopping()).finish_non_exhaustive()
    }
}

/// How far a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving,
    /// It still accepts; each response says that it is the last of its connection.
    Leaving,
    /// It has closed its address; connections without a request close.
    Closing,
    /// Whatever still runs is given up.
    Ended,
}

/// What the connections of a server share.
pub(crate) struct Running {
    pub(crate) limits: ServerLimits,
    state: Arc<State>,
}

struct State {
    phase: AtomicU8,
    members: Mutex<Members>,
    /// Notified when the phase changes, and when a connection ends.
    changed: Notify,
}

#[derive(Default)]
struct Members {
    wakers: HashMap<u64, Arc<AtomicWaker>>,
    /// Some of them may have ended.
    connections: Vec<Weak<dyn Busy>>,
    next: u64,
    /// When the server began to stop.
    left_at: Option<Instant>,
    /// The address is closed: nobody joins any more.
    are_all: bool,
}

/// A connection, for who counts what a stop gives up.
pub(crate) trait Busy: Send + Sync {
    /// How many requests are in flight.
    fn requests(&self) -> usize;
}

impl Running {
    pub(crate) fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// When a connection of this age may be closed for having no request, now that the server stops.
    pub(crate) fn closes_idle_at(&self, accepted: Instant) -> Instant {
        self.state.members().left_at.unwrap_or(accepted).max(accepted) + GRACE
    }

    /// Has the requests of a connection counted when the server gives up what still runs.
    pub(crate) fn watch(&self, connection: Weak<dyn Busy>) {
        let members = &mut *self.state.members();
        if members.connections.len() > 2 * members.wakers.len() + SPARE {
            members.connections.retain(|connection| connection.strong_count() > 0);
        }
        members.connections.push(connection);
    }

    fn has_room(&self) -> bool {
        self.state.count() < self.limits.connections
    }
}

impl State {
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Leaving,
            2 => Phase::Closing,
            _ => Phase::Ended,
        }
    }

    /// Goes on to a phase, never back, and tells everybody.
    fn enter(&self, phase: Phase) {
        let mut members = self.members();
        members.left_at.get_or_insert_with(Instant::now);
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        let wakers: Vec<_> = members.wakers.values().cloned().collect();
        drop(members);
        self.changed.notify_waiters();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Ends what still runs, and says how much that was.
    fn give_up(&self) {
        if self.phase() == Phase::Ended {
            return;
        }
        let connections = std::mem::take(&mut self.members().connections);
        let requests: usize =
            connections.iter().filter_map(Weak::upgrade).map(|connection| connection.requests()).sum();
        match requests {
            0 => {}
            1 => Errors::stderr().line(format_args!("vestibule: 1 request was given up")),
            requests => Errors::stderr().line(format_args!("vestibule: {requests} requests were given up")),
        }
        self.enter(Phase::Ended);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> usize {
        self.members().wakers.len()
    }

    fn is_over(&self) -> bool {
        let members = self.members();
        members.are_all && members.wakers.is_empty()
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }
}

/// A connection's place among those of its server.
pub(crate) struct Member {
    pub(crate) running: Arc<Running>,
    /// Woken when the server changes its phase.
    pub(crate) waker: Arc<AtomicWaker>,
    id: u64,
}

impl Member {
    fn new(running: &Arc<Running>) -> Self {
        let mut members = running.state.members();
        members.next += 1;
        let id = members.next;
        let waker = Arc::new(AtomicWaker::new());
        members.wakers.insert(id, Arc::clone(&waker));
        drop(members);
        Self { running: Arc::clone(running), id, waker }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.running.state.members().wakers.remove(&self.id);
        self.running.state.changed.notify_waiters();
    }
}

/// Accepts and serves until `stop` is done or somebody shuts the server down, and everything has come to its end.
///
/// `connection` makes the future of a connection, which is spawned; it ends when its member's phase says so. `settled`
/// is done when nothing that a connection began is still running.
pub(crate) async fn serve<C>(
    listener: Started,
    running: Arc<Running>,
    stop: impl Future<Output = ()>,
    connection: impl Fn(Member, Stream, Peer) -> C,
    settled: impl Future<Output = ()>,
) where
    C: Future<Output = ()> + Send + 'static,
{
    let state = &*running.state;
    let _given_up = GiveUp(state);
    let accepting = async {
        let spawn = |stream, peer| drop(tokio::spawn(connection(Member::new(&running), stream, peer)));
        accept(listener, &running, spawn).await;
        state.members().are_all = true;
        state.changed.notify_waiters();
    };
    let stopping = async {
        tokio::select! {
            () = stop => state.enter(Phase::Leaving),
            () = state.until(|state| state.phase() > Phase::Serving) => {}
        }
        let ending = async {
            tokio::time::sleep(GRACE).await;
            state.enter(Phase::Closing);
            state.until(State::is_over).await;
            settled.await;
        };
        // What is not done by then is given up.
        let _ = tokio::time::timeout(running.limits.shutdown_timeout, ending).await;
        state.give_up();
        state.until(State::is_over).await;
    };
    tokio::join!(accepting, stopping);
}

/// Ends the connections of a server whose future is dropped.
struct GiveUp<'a>(&'a State);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

async fn accept(mut listener: Started, running: &Running, spawn: impl Fn(Stream, Peer)) {
    let state = &*running.state;
    let mut reported = None;
    loop {
        // More than there is room for wait in the kernel's queue.
        state.until(|state| running.has_room() || state.phase() > Phase::Leaving).await;
        let accepted = tokio::select! {
            biased;
            () = state.until(|state| state.phase() > Phase::Leaving) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => spawn(stream, peer),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if reported.is_none_or(|at: Instant| at.elapsed() >= ACCEPT_REPORT) {
                    reported = Some(Instant::now());
                    Errors::stderr().line(format_args!("vestibule: cannot accept connections for a moment: {error}"));
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    listener.withdraw();
    // These were accepted by the kernel: closing the listener would reset them.
    while running.has_room() && state.phase() < Phase::Ended {
        match listener.accept_now() {
            Ok((stream, peer)) => spawn(stream, peer),
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => break,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
