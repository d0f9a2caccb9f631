//! Vestibule doing the same work as its peers, under `inline` execution.

use http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use vestibule::{App, Environ, Result, StartResponse, app_fn, middleware};

use crate::connection::Client;

/// An application, and `depth` layers around it.
pub fn vestibule(client: &mut Client, depth: usize, layer: impl Fn(App) -> App) {
    let app = (0..depth).fold(app_fn(hello), |inner, _| inner.wrap(&layer));
    client.talk_to(service(app));
}

fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))])?;
    Ok("Hello, World!".into())
}

/// A layer that does nothing.
pub fn pass(inner: App) -> App {
    app_fn(move |environ, start_response| inner.call(environ, start_response))
}

/// A layer that sets one header.
pub fn header(inner: App) -> App {
    middleware::map_head(|head| {
        head.headers.insert(SERVER, HeaderValue::from_static("v"));
    })(inner)
}

// COMPLETE ME: the HTTP adapter's hyper service for one application under `Execution::inline()`, without a socket.
fn service(
    app: App,
) -> impl hyper::service::Service<
    http::Request<hyper::body::Incoming>,
    Response = http::Response<impl hyper::body::Body<Error = impl Into<Box<dyn std::error::Error + Send + Sync>>>>,
    Error = std::convert::Infallible,
> {
    vestibule::adapters::http::service(app)
}
