//! tower and axum, both ways: an application as a [`Service`](tower_service::Service), and a service as an application.
//!
//! [`into_service`] gives an application to whatever takes a service: `nest_service` and `fallback_service` of an axum
//! router, a hyper server, the layers of tower-http. [`from_service`] makes an application of a service, such as a whole
//! axum router. So a program can move from the one to the other route by route, in either direction.
//!
//! ```
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use tower::ServiceExt;
//! use vestibule::adapters::tower::{from_service, into_service};
//! use vestibule::{app_fn, testing::TestServer};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let tea = app_fn(|environ, start_response| {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(format!("tea at {}", environ.url()).into())
//! });
//! // An application inside of axum ...
//! let router = Router::new().route("/", get("home")).nest_service("/tea", into_service(tea).mounted_at("/tea"));
//! let request = Request::get("/tea/green").header("host", "example.com").body(Body::empty())?;
//! let response = router.clone().oneshot(request).await?;
//! let body = axum::body::to_bytes(response.into_body(), 1000).await?;
//! assert_eq!(body, "tea at http://example.com/tea/green");
//!
//! // ... and all of axum inside of an application.
//! let server = TestServer::new(from_service(router));
//! assert_eq!(server.get("/").await.text(), "home");
//! # Ok::<(), vestibule::Error>(())
//! # })?;
//! # Ok::<(), vestibule::Error>(())
//! ```
//!
//! Bodies stream both ways as they are asked for, keep a length that is known, and keep their trailers. Extensions of
//! requests and responses are carried across, errors keep their source, and a client that leaves is told of as
//! everywhere: the future of a service is dropped, the [`cancellation`](crate::Environ::cancellation) of an application
//! is set. [`guide::tower`](crate::guide::tower) has the whole table.

mod context;
mod hosted;
mod outward;
mod request_body;
mod service;
mod source;

pub use context::RequestContext;
pub use hosted::{from_service, from_service_within};
pub use outward::ResponseBody;
pub use request_body::RequestBody;
pub use service::{AppService, ResponseFuture, into_service};
