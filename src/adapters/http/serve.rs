//! The HTTP server: it gives each connection to hyper.

use std::future::Future;

use super::connection::Connection;
use super::service::Service;
use crate::application::Application;
use crate::error::Result;
use crate::server::{self, Backend, Ends, Member, Protocol, Stream};

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

/// The protocol of [`Server`].
#[derive(Debug, Default)]
pub struct Http(());

impl Protocol for Http {
    const SCHEME: &'static str = "http";

    type Shared = Service;

    fn share(self, backend: Backend) -> Service {
        Service::of(backend)
    }

    fn connect(
        service: &Service,
        member: Member,
        stream: Stream,
        ends: Ends,
    ) -> impl Future<Output = ()> + Send + 'static {
        Connection::new(service, member, stream, ends)
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
