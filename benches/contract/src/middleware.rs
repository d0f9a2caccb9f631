//! Each middleware of vestibule around a bare application, and the endpoints that are made of applications.

use std::hint::black_box;
use std::time::Duration;

use http::header::{CONTENT_TYPE, ETAG, HeaderValue, SERVER};
use http::{Method, StatusCode};
use vestibule::apps::{cascade, url_map};
use vestibule::middleware::{self, Coding, Compression, Cors, ErrorDocuments, SecurityHeaders, TrustedProxies};
use vestibule::{App, Body, Environ, Head, Result, StartResponse, app_fn, async_fn};

use crate::connection::Client;
use crate::gateway::{Gateway, hello};
use crate::hello::TEXT;
use crate::rows::page;
use crate::serving::Variant;

pub const VARIANTS: &[Variant] = &[
    ("vestibule_hello", |client| serve(client, Ok(app_fn(hello)))),
    ("vestibule_async", |client| serve(client, Ok(asynchronous()))),
    ("vestibule_untyped", |client| serve(client, Ok(app_fn(untyped)))),
    ("vestibule_tagged", |client| serve(client, Ok(app_fn(tagged)))),
    ("vestibule_page", |client| serve(client, Ok(app_fn(paged)))),
    ("vestibule_access_log", |client| {
        let log = middleware::AccessLog::common().to(|line| {
            black_box(line);
        });
        around(client, middleware::access_log(log));
    }),
    ("vestibule_allowed_hosts", |client| try_around(client, middleware::allowed_hosts(["localhost", ".example.org"]))),
    ("vestibule_basic_auth", |client| {
        let check = middleware::credentials([("ada", "sesame")]);
        try_around(client, check.and_then(|check| middleware::basic_auth("staff", check)));
    }),
    ("vestibule_body_limit", |client| around(client, middleware::body_limit(1024))),
    ("vestibule_compression", |client| around(client, compression())),
    ("vestibule_compression_gzip", |client| serve(client, Ok(compression()(app_fn(paged))))),
    ("vestibule_concurrency_limit", |client| around(client, middleware::concurrency_limit(64, 0))),
    ("vestibule_conditional_get", |client| serve(client, Ok(middleware::conditional_get(app_fn(tagged))))),
    ("vestibule_conditional_get_met", |client| serve(client, Ok(middleware::conditional_get(app_fn(tagged))))),
    ("vestibule_cors", |client| try_around(client, cors())),
    ("vestibule_cors_actual", |client| try_around(client, cors())),
    ("vestibule_cors_preflight", |client| try_around(client, cors())),
    ("vestibule_default_content_type", |client| {
        serve(client, middleware::default_content_type("text/plain").map(|middleware| middleware(app_fn(untyped))));
    }),
    ("vestibule_error_documents", |client| {
        let pages = ErrorDocuments::new().other_page("text/plain", |status| format!("Sorry: {status}\n"));
        try_around(client, pages.map(middleware::error_documents));
    }),
    ("vestibule_etag", |client| around(client, middleware::etag)),
    ("vestibule_head_from_get", |client| around(client, middleware::head_from_get)),
    ("vestibule_internal_redirect", |client| around(client, middleware::internal_redirect(3))),
    ("vestibule_metrics", |client| around(client, middleware::metrics)),
    ("vestibule_on_finished", |client| {
        around(
            client,
            middleware::on_finished(|_environ| {
                |outcome| {
                    black_box(outcome);
                }
            }),
        );
    }),
    ("vestibule_recover", |client| {
        around(client, middleware::recover(|_error| (Head::new(StatusCode::INTERNAL_SERVER_ERROR), Body::empty())));
    }),
    ("vestibule_remove_header", |client| try_around(client, middleware::remove_header(CONTENT_TYPE))),
    ("vestibule_request_id", |client| around(client, middleware::request_id())),
    ("vestibule_response_time", |client| around(client, middleware::response_time)),
    ("vestibule_security_headers", |client| around(client, middleware::security_headers(SecurityHeaders::new()))),
    ("vestibule_set_header", |client| try_around(client, middleware::set_header(SERVER, "v"))),
    ("vestibule_timeout", |client| serve(client, Ok(middleware::timeout(Duration::from_secs(30))(asynchronous())))),
    ("vestibule_trace", |client| around(client, middleware::trace)),
    ("vestibule_trusted_proxies", |client| around(client, middleware::trusted_proxies(TrustedProxies::new()))),
    ("vestibule_trusted_proxies_hop", |client| {
        // A client of this gateway has no address.
        let proxies = TrustedProxies::new().unix_sockets().x_forwarded_for();
        serve(client, Ok(middleware::trusted_proxies(proxies)(app_fn(addressed))));
    }),
    ("vestibule_url_map", |client| {
        let app = app_fn(hello);
        serve(client, url_map(["/", "/static", "/api/v1", "//example.org"].map(|place| (place, app.clone()))));
    }),
    ("vestibule_cascade", |client| serve(client, Ok(cascade([app_fn(absent), app_fn(hello)])))),
];

fn compression() -> impl Fn(App) -> App {
    middleware::compression(Compression::new().codings([Coding::GZIP]))
}

fn cors() -> Result<impl Fn(App) -> App> {
    let cors = Cors::new().origin("https://a.example")?.methods([Method::GET, Method::POST]);
    Ok(middleware::cors(cors))
}

fn around(client: &mut Client, middleware: impl Fn(App) -> App) {
    serve(client, Ok(middleware(app_fn(hello))));
}

fn try_around(client: &mut Client, middleware: Result<impl Fn(App) -> App>) {
    serve(client, middleware.map(|middleware| middleware(app_fn(hello))));
}

fn serve(client: &mut Client, app: Result<App>) {
    client.talk_to(Gateway(app.expect("the settings are right")));
}

fn asynchronous() -> App {
    async_fn(|environ, start_response| async move { hello(environ, start_response) })
}

fn untyped(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, ())?;
    Ok("Hello, World!".into())
}

fn tagged(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [(CONTENT_TYPE, TEXT), (ETAG, HeaderValue::from_static(r#""v1""#))])?;
    Ok("Hello, World!".into())
}

fn paged(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [(CONTENT_TYPE, TEXT)])?;
    Ok(page().into())
}

fn absent(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(404, [(CONTENT_TYPE, TEXT)])?;
    Ok("not here".into())
}

/// Hello to clients whose address is known.
fn addressed(environ: Environ, start_response: StartResponse) -> Result {
    match environ.remote_addr() {
        Some(_) => hello(environ, start_response),
        None => Err("the client has no address".into()),
    }
}
