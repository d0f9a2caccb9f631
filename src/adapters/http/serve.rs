//! The HTTP server: it listens, accepts, and gives each connection to hyper.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outgoing::Reset;
use super::service::{Connection, Prepare, Service};
use crate::application::{App, Application};
use crate::environ::Environ;
use crate::error::{Error, Fault, Result};
use crate::server::Execution;

/// How long a client may take to send the head of a request, and to begin the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server waits when it cannot accept, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves an application over HTTP/1.1 on an address, until the process ends.
///
/// The address is `host:port` or `unix:PATH`. It is the short form of [`Server`]. It blocks the thread; inside of an
/// async runtime, call it by `spawn_blocking`.
///
/// # Errors
///
/// When the address cannot be bound.
///
/// ```no_run
/// use vestibule::{Environ, Result, StartResponse};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("Hello, world!\n".into())
/// }
///
/// fn main() -> Result<()> {
///     vestibule::serve("127.0.0.1:8000", hello)
/// }
/// ```
pub fn serve(address: impl AsRef<str>, application: impl Application) -> Result<()> {
    Server::bind(address)?.run(application)
}

/// Serves for [`run`](crate::run), and says where.
pub(crate) fn run(program: &str, app: &App, address: &str, threads: Option<usize>) -> Result<()> {
    let execution = threads.map_or_else(Execution::pool, |threads| Execution::pool().max(threads));
    let server = Server::bind(address)?.execution(execution);
    eprintln!("{program} is served at {} (Ctrl-C ends it)", server.url());
    server.run(app.clone())
}

/// An HTTP/1.1 server, bound to its address.
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
/// let (stop, stopped) = futures::channel::oneshot::channel::<()>();
/// let thread = std::thread::spawn(move || server.run_until(app, async { _ = stopped.await }));
/// // .. requests are answered ..
/// stop.send(()).unwrap();
/// thread.join().unwrap()?;
/// # Ok::<(), vestibule::Error>(())
/// ```
pub struct Server {
    listener: Listener,
    execution: Execution,
    environ: Option<Prepare>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket, which is removed when the listener goes: it is of no use to anybody without it.
struct SocketFile(PathBuf);

impl Server {
    /// Binds `host:port`, where port 0 picks a free one, or `unix:PATH`.
    ///
    /// A unix socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    ///
    /// When the address is not valid, in use, or not allowed.
    pub fn bind(address: impl AsRef<str>) -> Result<Self> {
        let address = address.as_ref();
        let listener = match address.strip_prefix("unix:") {
            Some(path) => bind_unix(Path::new(path)),
            None => TcpListener::bind(address).map(Listener::Tcp),
        };
        let listener = listener.map_err(|error| cannot_listen(address, &error))?;
        Ok(Self { listener, execution: Execution::default(), environ: None })
    }

    /// Sets on which threads applications are called; [`Execution::pool`] by default.
    #[must_use]
    pub fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Calls `f` with the environ of each request before the application gets it: for variables of the deployer, a
    /// stream of its own for errors, a mount point.
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
        self.environ = Some(Arc::new(f));
        self
    }

    /// The address that it is bound to; `None` for a unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// Where it listens, for a person: `http://127.0.0.1:8000` or `unix:/run/app.sock`.
    pub fn url(&self) -> String {
        match &self.listener {
            Listener::Unix(_, file) => format!("unix:{}", file.0.display()),
            Listener::Tcp(_) => match self.local_addr() {
                Some(address) => format!("http://{address}"),
                None => "http://".to_owned(),
            },
        }
    }

    /// Serves until the process ends. It blocks the thread; inside of an async runtime, call it by `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// When no runtime can be started.
    pub fn run(self, application: impl Application) -> Result<()> {
        self.run_until(application, std::future::pending())
    }

    /// Serves until `stop` is done; connections are closed then, whatever they are at. It blocks the thread, as
    /// [`run`](Server::run) does, and brings a runtime of its own.
    ///
    /// # Errors
    ///
    /// When no runtime can be started.
    pub fn run_until(self, application: impl Application, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let app = App::new(application);
        if tokio::runtime::Handle::try_current().is_err() {
            return self.block_on(app, stop);
        }
        // A runtime cannot be started on a thread of another one, but on a thread of its own it can.
        std::thread::scope(|scope| match scope.spawn(|| self.block_on(app, stop)).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    fn block_on(self, app: App, stop: impl Future<Output = ()>) -> Result<()> {
        // In place, applications use all cores; else they have threads of their own, and one thread can feed these.
        let threads = match self.execution.is_in_place() {
            true => std::thread::available_parallelism().map_or(1, usize::from),
            false => 1,
        };
        let mut builder = match threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(threads).thread_name("vestibule-io").enable_all().build();
        let runtime = runtime.map_err(|error| cannot("start a runtime", &error))?;
        runtime.block_on(async {
            tokio::select! {
                result = self.accept(app) => result,
                () = stop => Ok(()),
            }
        })
    }

    async fn accept(self, app: App) -> Result<()> {
        let service = Service::with(app, &self.execution, self.environ);
        match self.listener {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                let name: Arc<str> = address.ip().to_string().into();
                let listener = tokio::net::TcpListener::from_std(listener)?;
                loop {
                    let Some((stream, peer)) = accepted(listener.accept().await).await else { continue };
                    // Responses are written whole; waiting for more to send with them only delays them.
                    let _ = stream.set_nodelay(true);
                    serve_connection(stream, &service, (&name, address.port()), Some(peer));
                }
            }
            Listener::Unix(listener, _file) => {
                listener.set_nonblocking(true)?;
                let listener = tokio::net::UnixListener::from_std(listener)?;
                let name: Arc<str> = "localhost".into();
                loop {
                    let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
                    serve_connection(stream, &service, (&name, 80), None);
                }
            }
        }
    }
}

/// An accepted connection, or a pause: an error here is of one connection or of a shortage, and passes.
async fn accepted<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Ok(connection) => Some(connection),
        Err(error) => {
            let is_of_one_connection =
                matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
            if !is_of_one_connection {
                eprintln!("vestibule: cannot accept connections for a moment: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

fn serve_connection<S: Socket>(stream: S, service: &Service, server: (&Arc<str>, u16), peer: Option<SocketAddr>) {
    let aborted = Arc::new(AtomicBool::new(false));
    let connection = Connection {
        server_name: Arc::clone(server.0),
        server_port: server.1,
        remote_addr: peer,
        reset: Reset(Some(Arc::clone(&aborted))),
    };
    let service = service.on(connection);
    tokio::spawn(async move {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        // What goes wrong with a connection is the client's doing or its loss; the exchange has told of what is ours.
        let _ = builder.serve_connection(TokioIo::new(Resettable { stream, aborted }), service).await;
    });
}

/// A stream that can be reset, so that a response without a length that was cut does not look complete.
trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn reset_on_close(&self);
}

impl Socket for tokio::net::TcpStream {
    fn reset_on_close(&self) {
        let _ = self.set_zero_linger();
    }
}

impl Socket for tokio::net::UnixStream {
    /// A unix socket cannot be reset: closed with an unread request it tells the client, else not.
    fn reset_on_close(&self) {}
}

struct Resettable<S: Socket> {
    stream: S,
    aborted: Arc<AtomicBool>,
}

impl<S: Socket> Drop for Resettable<S> {
    fn drop(&mut self) {
        if self.aborted.load(Ordering::Relaxed) {
            self.stream.reset_on_close();
        }
    }
}

impl<S: Socket> AsyncRead for Resettable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: Socket> AsyncWrite for Resettable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.aborted.load(Ordering::Relaxed) {
            // A clean shutdown would tell the client that this was all.
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    if UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path)?;
    }
    Ok(Listener::Unix(UnixListener::bind(path)?, SocketFile(path.to_owned())))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // That it is gone already is no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Names the address, the cause and what can be done.
fn cannot_listen(address: &str, error: &io::Error) -> Error {
    let cure = match error.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: end it, or choose another address",
        io::ErrorKind::InvalidInput => "; an address is host:port, such as 127.0.0.1:8000, or unix:PATH",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 and most directories need rights: choose another address"
        }
        _ => "",
    };
    Fault::Gateway(format!("cannot listen on {address}: {error}{cure}")).into()
}

fn cannot(what: &str, error: &dyn fmt::Display) -> Error {
    Fault::Gateway(format!("cannot {what}: {error}")).into()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url()).field("execution", &self.execution).finish_non_exhaustive()
    }
}
