//! tower-http's middleware, and tower's, that has an equivalent in vestibule, around a bare service.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, SERVER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper_util::service::TowerToHyperService;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use crate::connection::Client;
use crate::hello::{TEXT, hello};
use crate::rows::page;
use crate::serving::Variant;

pub const VARIANTS: &[Variant] = &[
    ("tower_hello", |client| serve(client, Bare(hello))),
    // All of tower is async.
    ("tower_async", |client| serve(client, Bare(hello))),
    ("tower_untyped", |client| serve(client, Bare(untyped))),
    ("tower_page", |client| serve(client, Bare(paged))),
    ("tower_basic_auth", |client| {
        #[expect(deprecated, reason = "it is the one that there is")]
        let layer = ValidateRequestHeaderLayer::basic("ada", "sesame");
        around(client, layer, hello);
    }),
    ("tower_body_limit", |client| around(client, RequestBodyLimitLayer::new(1024), hello)),
    ("tower_compression", |client| around(client, compression(), hello)),
    ("tower_compression_gzip", |client| around(client, compression(), paged)),
    ("tower_concurrency_limit", |client| around(client, ConcurrencyLimitLayer::new(64), hello)),
    ("tower_cors", |client| around(client, cors(), hello)),
    ("tower_cors_actual", |client| around(client, cors(), hello)),
    ("tower_cors_preflight", |client| around(client, cors(), hello)),
    ("tower_default_content_type", |client| {
        around(client, SetResponseHeaderLayer::if_not_present(CONTENT_TYPE, TEXT), untyped);
    }),
    ("tower_recover", |client| around(client, CatchPanicLayer::new(), hello)),
    ("tower_request_id", |client| {
        let layers = ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(PropagateRequestIdLayer::x_request_id());
        around(client, layers, hello);
    }),
    ("tower_security_headers", |client| {
        let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
        let layers = ServiceBuilder::new()
            .layer(set(X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(set(X_FRAME_OPTIONS, "SAMEORIGIN"))
            .layer(set(REFERRER_POLICY, "strict-origin-when-cross-origin"))
            .layer(set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"));
        around(client, layers, hello);
    }),
    ("tower_set_header", |client| {
        around(client, SetResponseHeaderLayer::overriding(SERVER, HeaderValue::from_static("v")), hello);
    }),
    ("tower_timeout", |client| {
        let layer = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(30));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _entered = runtime.enter();
        around(client, layer, hello);
    }),
    ("tower_trace", |client| around(client, TraceLayer::new_for_http(), hello)),
];

fn compression() -> CompressionLayer {
    CompressionLayer::new().gzip(true).quality(CompressionLevel::Precise(6))
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list([HeaderValue::from_static("https://a.example")]))
        .allow_methods([Method::GET, Method::POST])
}

/// A layer around a bare service.
fn around<L, F, B>(client: &mut Client, layer: L, make: F)
where
    L: Layer<Bare<F>>,
    L::Service: Service<Request<Incoming>, Response = Response<B>> + Clone,
    <L::Service as Service<Request<Incoming>>>::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve(client, layer.layer(Bare(make)));
}

fn serve<S, B>(client: &mut Client, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    client.talk_to(TowerToHyperService::new(service));
}

/// A service that answers every request with what a function makes, whatever type the request's body has.
#[derive(Clone, Copy)]
struct Bare<F>(F);

impl<F, R> Service<Request<R>> for Bare<F>
where
    F: Fn() -> Response<Full<Bytes>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<R>) -> Self::Future {
        ready(Ok((self.0)()))
    }
}

fn untyped() -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(b"Hello, World!")))
}

fn paged() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(page().as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
