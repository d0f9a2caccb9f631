//! Vestibule doing the same work as its peers, under `inline` execution.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll, Waker};

use axum::Router;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use tower::service_fn;
use vestibule::adapters::http::Service;
use vestibule::adapters::tower::{RequestBody, from_service, into_service};
use vestibule::apps::{Params, routes};
use vestibule::{App, Application, Environ, Exchange, Execution, Result, StartResponse, Step, app_fn, middleware};

use crate::connection::Client;
use crate::routes::PATTERNS;

/// An application, and `depth` layers around it.
pub fn vestibule(client: &mut Client, depth: usize, layer: impl Fn(App) -> App) {
    let app = (0..depth).fold(app_fn(hello), |inner, _| inner.wrap(&layer));
    client.talk_to(Gateway(app));
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

/// A route for each pattern.
pub fn routed(client: &mut Client) {
    client.talk_to(Gateway(github(hello)));
}

/// The same, and the application has its parameters as strings.
pub fn params(client: &mut Client) {
    client.talk_to(Gateway(github(|environ: Environ, start_response: StartResponse| {
        let params = Params::of(&environ).iter();
        let text = |(name, value): (&str, Cow<'_, [u8]>)| Ok((name.to_owned(), String::from_utf8(value.into_owned())?));
        black_box(params.map(text).collect::<Result<Vec<_>>>()?);
        hello(environ, start_response)
    })));
}

fn github(application: impl Application) -> App {
    let app = App::new(application);
    let table = PATTERNS.iter().fold(routes(), |table, pattern| table.get(pattern, app.clone()));
    table.into_app().expect("no two of them conflict")
}

/// The whole HTTP adapter: with the checks of requests, limits and the address of the client.
pub fn adapter(client: &mut Client) {
    client.talk_to(Service::new(app_fn(hello), Execution::inline()));
}

/// An application as a service of tower.
pub fn into_tower(client: &mut Client) {
    client.talk_to(TowerToHyperService::new(into_service(app_fn(hello)).execution(Execution::inline())));
}

/// An application inside of axum, in the place of a handler.
pub fn in_axum(client: &mut Client) {
    let service = into_service(app_fn(hello)).execution(Execution::inline());
    client.talk_to(TowerToHyperService::new(Router::new().route_service("/", service)));
}

/// A service of tower as an application.
pub fn from_tower(client: &mut Client) {
    client.talk_to(Gateway(from_service(service_fn(|_request: Request<RequestBody>| {
        ready(Ok::<_, Infallible>(crate::peers::hello()))
    }))));
}

/// All of axum as an application.
pub fn from_axum(client: &mut Client) {
    client.talk_to(Gateway(from_service(crate::peers::axum_hello())));
}

/// The contract and the exchange alone, as the author of another adapter puts them behind hyper.
struct Gateway(App);

impl hyper::service::Service<Request<Incoming>> for Gateway {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut context = Context::from_waker(Waker::noop());
        let mut exchange = Exchange::new(&self.0, Environ::from(request.map(drop)));
        let Poll::Ready(Step::Head(head)) = exchange.poll_step(&mut context, true) else { unreachable!("it is ready") };
        let Some(block) = exchange.take_last_block() else { unreachable!("it is one block") };
        exchange.finish(true);
        let head = head.into_head();
        let mut response = Response::new(Full::new(block));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        ready(Ok(response))
    }
}
