//! A service as an application.

use std::any::type_name;
use std::future::{Future as _, poll_fn};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::context::Reason;
use super::source::{Frames, failed_service};
use super::{RequestBody, RequestContext};
use crate::adapters::clock::sleep;
use crate::application::{App, app_fn};
use crate::body::Body;
use crate::environ::Environ;
use crate::error::{Error, Fault, Result};
use crate::head::{Head, is_hop_by_hop};
use crate::start_response::StartResponse;

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// How long a service may take to become ready.
const READY: Duration = Duration::from_secs(10);

/// A service of tower, such as a router of axum, as an application.
///
/// It is cloned for each request, as hyper and axum do, and the clone is called once it is ready. When that takes longer
/// than ten seconds, the client gets 503 with Retry-After: see [`from_service_within`]. It sees the path below the mount
/// point, and a [`RequestContext`] among the request's extensions. The application does not block: the service is polled
/// on the reactor.
///
/// An error of the service is that of an application: 500, or what
/// [`Error::with_status`] says anywhere in the chain of its sources. Headers that belong to a connection are left out. A
/// 101, an upgrade, becomes a 501.
///
/// ```
/// use axum::{Router, routing::get};
/// use vestibule::adapters::tower::from_service;
/// use vestibule::testing::TestServer;
///
/// let router = Router::new().route("/tea", get("tea"));
/// let server = TestServer::new(from_service(router));
/// assert_eq!(server.get("/tea").send().text(), "tea");
/// assert_eq!(server.get("/coffee").send().status(), 404);
/// ```
///
/// A service that needs a tokio runtime, as for its timers, is to be served by one, such as
/// [`adapters::http`](crate::adapters::http); or the test is a `#[tokio::test]` and says `.await` where this one says
/// `.send()`.
pub fn from_service<S, B>(service: S) -> App
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Boxed>,
    B: HttpBody + Send + 'static,
    B::Error: Into<Boxed>,
{
    from_service_within(READY, service)
}

/// As [`from_service`], for a service that may take so long to become ready.
///
/// ```
/// use std::time::Duration;
/// use tower::limit::GlobalConcurrencyLimitLayer;
/// use tower::{Layer, service_fn};
/// use vestibule::adapters::tower::{RequestBody, from_service_within};
///
/// let hello = service_fn(|_request: http::Request<RequestBody>| async {
///     Ok::<_, std::convert::Infallible>(http::Response::new("hello".to_owned()))
/// });
/// let limited = GlobalConcurrencyLimitLayer::new(100).layer(hello);
/// let app = from_service_within(Duration::from_millis(500), limited);
/// # assert_eq!(vestibule::testing::TestServer::new(app).get("/").send().text(), "hello");
/// ```
pub fn from_service_within<S, B>(time: Duration, service: S) -> App
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Boxed>,
    B: HttpBody + Send + 'static,
    B::Error: Into<Boxed>,
{
    // Not every service is `Sync`; each request takes a clone of its own.
    let service = Mutex::new(service);
    let app = app_fn(move |environ, start_response| {
        let service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        call(service, time, environ, start_response)
    });
    app.nonblocking().named(type_name::<S>())
}

/// Takes each step once at once: most services are ready, and answer, without a wait. What has to wait is polled again,
/// with a waker, by whoever pulls the body.
fn call<S, B>(mut service: S, time: Duration, environ: Environ, start_response: StartResponse) -> Result
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Boxed>,
    B: HttpBody + Send + 'static,
    B::Error: Into<Boxed>,
{
    let mut nobody = Context::from_waker(Waker::noop());
    match service.poll_ready(&mut nobody) {
        Poll::Ready(ready) => ready.map_err(Error::from)?,
        Poll::Pending => {
            return Ok(Body::deferred(async move {
                match ready(&mut service, time).await? {
                    true => answer(service.call(request(environ)).await, start_response),
                    false => busy(start_response),
                }
            }));
        }
    }
    let mut responding = Box::pin(service.call(request(environ)));
    match responding.as_mut().poll(&mut nobody) {
        Poll::Ready(response) => answer(response, start_response),
        Poll::Pending => Ok(Body::deferred(async move { answer(responding.await, start_response) })),
    }
}

/// Waits until this very clone of the service is ready: false when that takes too long.
async fn ready<S, R>(service: &mut S, time: Duration) -> Result<bool>
where
    S: Service<R>,
    S::Error: Into<Boxed>,
{
    let mut timer = sleep(time);
    poll_fn(|cx| match service.poll_ready(cx) {
        Poll::Ready(ready) => Poll::Ready(ready.map(|()| true).map_err(Error::from)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| Ok(false)),
    })
    .await
}

fn busy(start_response: StartResponse) -> Result {
    start_response.send(Head::new(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", "1"))?;
    Ok(Body::empty())
}

fn request(environ: Environ) -> Request<RequestBody> {
    let (parts, input) = RequestContext::split(environ);
    Request::from_parts(parts, RequestBody::new(input))
}

fn answer<B, E>(response: Result<Response<B>, E>, start_response: StartResponse) -> Result
where
    E: Into<Boxed>,
    B: HttpBody + Send + 'static,
    B::Error: Into<Boxed>,
{
    let (parts, body) = response.map_err(|error| failed_service(error.into()))?.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Fault::Upgrade.into());
    }
    let mut head = Head::from(parts);
    Reason::take_back(&mut head);
    strip_hop_by_hop(&mut head.headers);
    start_response.send(head)?;
    Ok(into_body(body))
}

/// RFC 9110, section 7.6.1: those that are named by Connection, and those that always are about one.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(',')).map(str::trim);
    let mut names: Vec<HeaderName> = named.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    names.extend(headers.keys().filter(|name| is_hop_by_hop(name)).cloned());
    for name in names {
        headers.remove(name);
    }
}

/// The body of a service as ours. One that is all there, in one block, is taken at once.
fn into_body<B>(body: B) -> Body
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Boxed>,
{
    if body.is_end_stream() {
        return Body::empty();
    }
    let length = body.size_hint().exact();
    let mut body = Box::pin(body);
    let block = match body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => return Body::source(Frames::of_response(body, length)),
        Poll::Ready(None) => {
            return match length {
                Some(declared @ 1..) => Body::failing(Fault::BodyTooShort { declared, sent: 0 }.into()),
                _ => Body::empty(),
            };
        }
        Poll::Ready(Some(Err(error))) => return Body::failing(failed_service(error.into())),
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(mut data) => data.copy_to_bytes(data.remaining()),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                return Body::empty().with_trailers(|| trailers);
            }
        },
    };
    let left = length.map(|length| length.saturating_sub(block.len() as u64));
    if body.is_end_stream() && left.unwrap_or(0) == 0 {
        return block.into();
    }
    let mut rest = Body::source(Frames::of_response(body, left));
    rest.put_back(block);
    rest
}
