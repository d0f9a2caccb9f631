//! What vestibule is measured against: hyper alone, tower and axum.
//!
//! All send the same response: `Hello, World!` with a Content-Type; the rest is hyper's. A layer
//! passes the response on (`pass`) or sets one header in it, the same at every depth (`header`).

use std::convert::Infallible;
use std::hint::black_box;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use tower::ServiceBuilder;
use tower::util::{BoxCloneService, MapResponse, MapResponseLayer};

use crate::connection::Client;
use crate::routes::PATTERNS;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

pub fn hello() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// A layer that does nothing.
pub fn pass<B>(response: Response<B>) -> Response<B> {
    response
}

/// A layer that sets one header.
pub fn header<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(SERVER, HeaderValue::from_static("v"));
    response
}

/// Hyper's own service, which drops the request before it answers.
pub fn hyper(client: &mut Client) {
    client.talk_to(hyper::service::service_fn(|_request| async { Ok::<_, Infallible>(hello()) }));
}

/// A bare tower service behind hyper-util's bridge.
pub fn tower(client: &mut Client) {
    client.talk_to(TowerToHyperService::new(tower_hello()));
}

/// Five layers of tower, each known to the compiler.
pub fn tower5(client: &mut Client, layer: impl Layer) {
    client.talk_to(TowerToHyperService::new(five(tower_hello(), layer)));
}

/// Ten layers of tower, each known to the compiler.
pub fn tower10(client: &mut Client, layer: impl Layer) {
    client.talk_to(TowerToHyperService::new(five(five(tower_hello(), layer), layer)));
}

/// Layers of tower, each behind a `BoxCloneService`, as the service itself is.
pub fn tower_boxed(client: &mut Client, depth: usize, layer: impl Layer) {
    let service = (0..depth)
        .fold(BoxCloneService::new(tower_hello()), |inner, _| BoxCloneService::new(MapResponse::new(inner, layer)));
    client.talk_to(TowerToHyperService::new(service));
}

pub fn axum_hello() -> Router {
    Router::new().route("/", get(|| async { ([(CONTENT_TYPE, TEXT)], "Hello, World!") }))
}

/// Axum's router with one route, and `Router::layer` for each layer.
pub fn axum<F>(client: &mut Client, depth: usize, layer: F)
where
    F: Fn(axum::response::Response) -> axum::response::Response + Copy + Send + Sync + 'static,
{
    let router = (0..depth).fold(axum_hello(), |inner, _| inner.layer(MapResponseLayer::new(layer)));
    client.talk_to(TowerToHyperService::new(router));
}

/// Axum without a route: its fallback answers.
pub fn axum_unrouted(client: &mut Client) {
    let router = Router::new().fallback(|| async { ([(CONTENT_TYPE, TEXT)], "Hello, World!") });
    client.talk_to(TowerToHyperService::new(router));
}

/// Axum with a route for each pattern.
pub fn axum_routed(client: &mut Client) {
    let hello = || async { ([(CONTENT_TYPE, TEXT)], "Hello, World!") };
    let router = PATTERNS.iter().fold(Router::new(), |router, pattern| router.route(pattern, get(hello)));
    client.talk_to(TowerToHyperService::new(router));
}

/// The same, and the handler has its parameters as strings.
pub fn axum_params(client: &mut Client) {
    let hello = |Path(params): Path<Vec<(String, String)>>| async {
        black_box(params);
        ([(CONTENT_TYPE, TEXT)], "Hello, World!")
    };
    let router = PATTERNS.iter().fold(Router::new(), |router, pattern| router.route(pattern, get(hello)));
    client.talk_to(TowerToHyperService::new(router));
}

/// What a layer does to the response.
pub trait Layer: Fn(Response<Full<Bytes>>) -> Response<Full<Bytes>> + Copy + Send + Sync + 'static {}

impl<F> Layer for F where F: Fn(Response<Full<Bytes>>) -> Response<Full<Bytes>> + Copy + Send + Sync + 'static {}

/// A tower service as hyper can serve it.
trait Hello:
    tower::Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<S> Hello for S where
    S: tower::Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static
{
}

fn tower_hello() -> impl Hello {
    tower::service_fn(|_request: Request<Incoming>| async { Ok::<_, Infallible>(hello()) })
}

fn five(inner: impl Hello, layer: impl Layer) -> impl Hello {
    ServiceBuilder::new()
        .map_response(layer)
        .map_response(layer)
        .map_response(layer)
        .map_response(layer)
        .map_response(layer)
        .service(inner)
}
