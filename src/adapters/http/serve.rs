//! The HTTP server: it gives each connection to hyper.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use super::connection::Connection;
use super::service::Service;
use crate::adapters::mount;
use crate::application::Application;
use crate::error::Result;
use crate::server::{self, Backend, Member, Peer, Protocol, Stream};

/// A server of HTTP/1.1 and HTTP/2.
///
/// HTTP/2 is for clients that begin with it ("prior knowledge", RFC 9113, section 3.3), as load balancers do.
///
/// ```no_run
/// use vestibule::{adapters::http::Server, app_fn};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// Server::bind("127.0.0.1:8000")?.run(app)?;
/// # Ok::<(), vestibule::Error>(())
/// ```
pub type Server = server::Server<Http>;

/// The protocol of [`Server`], with what a deployer says of it.
#[derive(Debug, Default)]
pub struct Http {
    /// Where the application is; `None` for the root.
    mount: Option<Arc<str>>,
}

impl Server {
    /// Says which prefix of the path the application is mounted at, such as `/app`, decoded, for a proxy that passes the
    /// whole path. It becomes SCRIPT_NAME of requests below it; others are answered 404, but for `OPTIONS *`.
    ///
    /// # Errors
    ///
    /// When the prefix does not begin with a slash, or ends with one; `/` is the root.
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// use vestibule::{adapters::http::Server, app_fn};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.mounted_at("/shop")?;
    /// let (address, handle) = (server.local_addr().unwrap(), server.handle());
    /// let app = app_fn(|environ, start_response| {
    ///     start_response.start(200, ())?;
    ///     Ok(format!("{} and {}", environ.script_name(), environ.path_info()).into())
    /// });
    /// let thread = std::thread::spawn(move || server.run_until(app, std::future::pending()));
    ///
    /// let mut client = std::net::TcpStream::connect(address)?;
    /// client.write_all(b"GET /shop/tea HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer)?;
    /// assert!(answer.ends_with("/shop and /tea"));
    /// # handle.shutdown();
    /// # thread.join().unwrap()?;
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn mounted_at(mut self, prefix: &str) -> Result<Self> {
        let point = mount::point(prefix)?;
        self.protocol.mount = Some(point.into()).filter(|point: &Arc<str>| !point.is_empty());
        Ok(self)
    }
}

impl Protocol for Http {
    const SCHEME: &'static str = "http";

    type Shared = Service;

    fn share(self, backend: Backend, address: Option<SocketAddr>) -> Service {
        Service::of(backend, address, self.mount)
    }

    fn connect(
        service: &Service,
        member: Member,
        stream: Stream,
        peer: Peer,
    ) -> impl Future<Output = ()> + Send + 'static {
        Connection::new(service, member, stream, peer)
    }
}

/// Serves an application over HTTP on an address, until SIGINT or SIGTERM.
///
/// The address is `host:port` or `unix:PATH`. It is the short form of [`Server::run`]. It blocks the thread; inside of
/// an async runtime, use [`Server::serve`].
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
