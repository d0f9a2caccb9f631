//! Vestibule doing the same work as its peers, under `inline` execution.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;

use axum::Router;
use http::Request;
use http::header::{HeaderValue, SERVER};
use hyper_util::service::TowerToHyperService;
use tower::service_fn;
use vestibule::adapters::http::Service;
use vestibule::adapters::tower::{RequestBody, from_service, into_service};
use vestibule::apps::{Params, routes};
use vestibule::{App, Application, Environ, Execution, Result, StartResponse, app_fn, middleware};

use crate::connection::Client;
use crate::gateway::{Gateway, hello};
use crate::routes::PATTERNS;

/// An application, and `depth` layers around it.
pub fn vestibule(client: &mut Client, depth: usize, layer: impl Fn(App) -> App) {
    let app = (0..depth).fold(app_fn(hello), |inner, _| inner.wrap(&layer));
    client.talk_to(Gateway(app));
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
        ready(Ok::<_, Infallible>(crate::hello::hello()))
    }))));
}

/// All of axum as an application.
pub fn from_axum(client: &mut Client) {
    client.talk_to(Gateway(from_service(crate::peers::axum_hello())));
}
