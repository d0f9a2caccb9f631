//! An application inside of axum, axum inside of an application, and layers of both kinds around all of it.
//! `cargo run --example axum_inside --features tower`, then <http://127.0.0.1:8000/>, `/tea/green` (an application in a
//! router) and `/axum/count` (a router in an application). Next: `docs/guide/tower.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::{Router, routing::get};
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;
use vestibule::adapters::tower::{from_service, into_service};
use vestibule::{App, Environ, HeaderValue, Result, StartResponse, app_fn, header, middleware};

/// A plain application, which may block.
fn tea(environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(format!("tea {} of {}\n", environ.path_info(), environ.script_name()).into())
}

/// A handler of axum, with state.
async fn count(State(count): State<Arc<AtomicU32>>) -> String {
    format!("axum has counted to {}\n", count.fetch_add(1, Ordering::Relaxed) + 1)
}

/// An application in an axum router, where a handler could be.
fn site() -> Router {
    let page = || async { "Tea is at /tea/green, axum at /axum/count.\n" };
    Router::new().route("/", get(page)).nest_service("/tea", into_service(tea).mounted_at("/tea"))
}

/// An axum router in an application: what is below `/axum` goes to it.
fn mounted(inner: App) -> App {
    let router = Router::new().route("/count", get(count)).with_state(Arc::<AtomicU32>::default());
    let below = from_service(router);
    app_fn(move |mut environ, start_response| {
        if environ.path_info().strip_prefix("/axum").is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            environ.shift_path_info();
            return below.call(environ, start_response);
        }
        inner.call(environ, start_response)
    })
}

fn main() -> Result<()> {
    // A layer of tower-http and a middleware of ours, around both.
    let served_by = SetResponseHeaderLayer::overriding(header::SERVER, HeaderValue::from_static("tea"));
    let app = from_service(site()).wrap(mounted);
    let app = from_service(ServiceBuilder::new().layer(served_by).service(into_service(app)));
    vestibule::run(app.wrap(middleware::map_head(|head| {
        head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    })))
}
