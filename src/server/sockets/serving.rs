//! `Server`: what listens and serves, whatever protocol it speaks.

mod limits;

use std::fmt;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

use super::{Backend, Handle, Listener, Member, Peer, ServerLimits, Signals, Stream, block_on};
use crate::application::{App, Application};
use crate::environ::{Environ, Errors};
use crate::error::{Fault, Result};
use crate::server::{Execution, Hook, Place};

/// What a [`Server`] speaks.
pub(crate) trait Protocol: Default + Send + 'static {
    /// What its addresses begin with.
    const SCHEME: &'static str;

    /// What its connections share.
    type Shared: Send + Sync;

    /// Whether it can be served there.
    fn check(&self, _listener: &Listener) -> Result<()> {
        Ok(())
    }

    /// `address` is where it listens; `None` for a unix socket.
    fn share(self, backend: Backend, address: Option<SocketAddr>) -> Self::Shared;

    /// What is spawned for each connection.
    fn connect(
        shared: &Self::Shared,
        member: Member,
        stream: Stream,
        peer: Peer,
    ) -> impl Future<Output = ()> + Send + 'static;
}

/// A server, bound to its address: of [HTTP](crate::adapters::http::Server), or of a protocol by which a web server
/// forwards requests, each in [`adapters`](crate::adapters).
///
/// [`run`](Server::run) and [`run_until`](Server::run_until) block the thread and bring a runtime of their own;
/// [`serve`](Server::serve) and [`serve_until`](Server::serve_until) are futures for a tokio runtime that there is
/// already. The ones without `until` end at SIGINT or SIGTERM. All of them end gracefully:
/// [`Handle::shutdown`](Handle::shutdown) says how.
///
/// ```
/// use vestibule::{adapters::http::Server, app_fn};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// let server = Server::bind("127.0.0.1:0")?;
/// println!("listening on {}", server.url());
/// let handle = server.handle();
/// let thread = std::thread::spawn(move || server.run_until(app, std::future::pending()));
/// // .. requests are answered ..
/// handle.shutdown();
/// thread.join().unwrap()?;
/// # Ok::<(), vestibule::Error>(())
/// ```
pub struct Server<P> {
    listener: Listener,
    execution: Execution,
    hook: Hook,
    logs: bool,
    io_threads: Option<usize>,
    pub(super) limits: ServerLimits,
    handle: Handle,
    /// With the settings that it has for itself.
    pub(crate) protocol: P,
}

#[expect(private_bounds, reason = "it is sealed: nobody else writes one")]
impl<P: Protocol> Server<P> {
    /// Binds `host:port`, where port 0 picks a free one, or `unix:PATH`.
    ///
    /// A unix socket is for its owner and its group (mode 660) unless [`unix_mode`](Server::unix_mode) says otherwise.
    /// One that nobody listens on any more is replaced. The file is removed when the server ends.
    ///
    /// # Errors
    ///
    /// When the address is not valid, in use, or not allowed.
    pub fn bind(address: impl AsRef<str>) -> Result<Self> {
        Ok(Self::on(Listener::bind(address.as_ref())?))
    }

    /// A server on a TCP listener that somebody else has bound, such as one that an old process hands to a new one: while
    /// one of them has it, no connection is lost.
    pub fn from_tcp(listener: TcpListener) -> Self {
        Self::on(Listener::Tcp(listener))
    }

    /// As [`from_tcp`](Server::from_tcp), on a unix socket. Its file is left alone.
    pub fn from_unix(listener: UnixListener) -> Self {
        Self::on(Listener::Unix(None, listener))
    }

    fn on(listener: Listener) -> Self {
        Self {
            listener,
            execution: Execution::default(),
            hook: Hook::default(),
            logs: false,
            io_threads: None,
            limits: ServerLimits::default(),
            handle: Handle::new(),
            protocol: P::default(),
        }
    }

    /// Sets who may connect to the unix socket that was bound, as `chmod` does: `0o666` lets everybody.
    ///
    /// # Errors
    ///
    /// When it is no unix socket that this server has bound, or not allowed.
    pub fn unix_mode(self, mode: u32) -> Result<Self> {
        self.listener.set_mode(mode)?;
        Ok(self)
    }

    /// Sets the owner of the unix socket that was bound by their numbers, as `chown` does; `None` leaves one as it is.
    ///
    /// # Errors
    ///
    /// When it is no unix socket that this server has bound, or not allowed.
    pub fn unix_owner(self, user: Option<u32>, group: Option<u32>) -> Result<Self> {
        self.listener.set_owner(user, group)?;
        Ok(self)
    }

    /// Sets on which threads applications are called; [`Execution::pool`] by default.
    #[must_use]
    pub fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Sets how many threads [`run`](Server::run) and [`run_until`](Server::run_until) read and write on.
    ///
    /// By default it is one, which can feed many threads of a pool; with [`Execution::inline`], where applications are
    /// called on them, one for each core.
    #[must_use]
    pub fn io_threads(mut self, threads: usize) -> Self {
        self.io_threads = Some(threads.max(1));
        self
    }

    /// Calls `f` with the environ of each request before the application gets it: for variables of the deployer, or a
    /// stream of its own for errors.
    ///
    /// ```no_run
    /// # fn app(_: vestibule::Environ, _: vestibule::StartResponse) -> vestibule::Result { Ok(().into()) }
    /// vestibule::adapters::http::Server::bind("127.0.0.1:8000")?
    ///     .environ(|environ| environ.set_var("site.name", "example").unwrap())
    ///     .run(app)?;
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    #[must_use]
    pub fn environ(mut self, f: impl Fn(&mut Environ) + Send + Sync + 'static) -> Self {
        self.hook = Hook::new(f);
        self
    }

    /// The address that it is bound to; `None` for a unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where it listens, for a person: `http://127.0.0.1:8000` or `unix:/run/app.sock`.
    pub fn url(&self) -> String {
        match self.local_addr() {
            Some(address) => format!("{}://{address}", P::SCHEME),
            None => self.listener.to_string(),
        }
    }

    /// What stops it from elsewhere: another thread, or the application.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until SIGINT or SIGTERM, then stops gracefully; a second signal ends it at once. It blocks the thread.
    ///
    /// # Errors
    ///
    /// When no runtime can be started.
    pub fn run(self, application: impl Application) -> Result<()> {
        let app = App::new(application);
        block_on(self.threads(), async move { self.serve(app).await })?
    }

    /// Serves until `stop` is done, then stops gracefully. It blocks the thread, and leaves signals alone.
    ///
    /// # Errors
    ///
    /// When no runtime can be started.
    pub fn run_until(self, application: impl Application, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let app = App::new(application);
        block_on(self.threads(), async move { self.serve_until(app, stop).await })?
    }

    /// Serves in the tokio runtime of the caller until SIGINT or SIGTERM, then stops gracefully; a second signal ends it
    /// at once. Dropped, it gives up what is still running.
    ///
    /// The runtime takes both signals over for the rest of the process.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch signals or sockets.
    ///
    /// ```no_run
    /// # fn app(_: vestibule::Environ, _: vestibule::StartResponse) -> vestibule::Result { Ok(().into()) }
    /// use vestibule::adapters::http::Server;
    ///
    /// # async fn run() -> vestibule::Result<()> {
    /// Server::bind("127.0.0.1:8000")?.serve(app).await
    /// # }
    /// ```
    pub async fn serve(self, application: impl Application) -> Result<()> {
        let mut signals = Signals::new().map_err(|error| Fault::Gateway(format!("cannot watch signals: {error}")))?;
        let handle = self.handle();
        let mut serving = std::pin::pin!(self.serve_until(application, std::future::pending()));
        tokio::select! {
            result = &mut serving => return result,
            () = signals.next() => handle.shutdown(),
        }
        let line = "vestibule: stopping when the requests that run have ended; a second signal ends them";
        Errors::stderr().line(format_args!("{line}"));
        tokio::select! {
            result = serving => result,
            () = signals.next() => Ok(()),
        }
    }

    /// Serves in the tokio runtime of the caller until `stop` is done, then stops gracefully. It leaves signals alone.
    /// Dropped, it gives up what is still running.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch sockets.
    pub async fn serve_until(self, application: impl Application, stop: impl Future<Output = ()>) -> Result<()> {
        self.check()?;
        let address = self.local_addr();
        let listener = self.listener.start()?;
        let running = self.handle.start(self.limits.clone());
        let app = App::new(application);
        let backend = Backend::new(app, &self.execution, self.hook, self.limits, self.logs);
        let pool = backend.pool.clone();
        let shared = self.protocol.share(backend, address);
        let connection = |member, stream, peer| P::connect(&shared, member, stream, peer);
        super::running::serve(listener, running, stop, connection, pool.settled()).await;
        Ok(())
    }

    /// Whether it may serve where it listens.
    pub(crate) fn check(&self) -> Result<()> {
        self.protocol.check(&self.listener)
    }

    /// Has a line written for each request: see [`run`](crate::run).
    pub(crate) fn logging(mut self, logs: bool) -> Self {
        self.logs = logs;
        self
    }

    fn threads(&self) -> usize {
        self.io_threads.unwrap_or_else(|| match self.execution.place() == Place::Reactor {
            true => std::thread::available_parallelism().map_or(1, usize::from),
            false => 1,
        })
    }
}

impl<P: Protocol> fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url()).field("execution", &self.execution).finish_non_exhaustive()
    }
}
