//! `metrics`: numbers of all requests, for whatever collects those of the crate `metrics`.

use std::time::Instant;

use ::metrics::{counter, gauge, histogram};
use http::Method;

use crate::application::App;
use crate::lifecycle::{End, Outcome};

/// Counts the requests, how many run, and how long they take.
///
/// | name | what it is | labels |
/// |---|---|---|
/// | `http_server_requests_total` | a counter of requests that have ended | `method`, `status`, `end` |
/// | `http_server_requests_in_flight` | a gauge of those that run | |
/// | `http_server_request_duration_seconds` | a histogram of their times, from the call to the end of the response | `method`, `status` |
///
/// `method` is one of the nine of RFC 9110 and RFC 5789, or `_OTHER`; `status` is `2xx` to `5xx`, or `other`; `end` is
/// `complete`, `client_left`, `aborted` or `timed_out`. So no client can make more than some hundreds of series, and the
/// path is no label: count by route in the application.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// // metrics_exporter_prometheus::PrometheusBuilder::new().install()?; // or another recorder
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(200, ())?;
///     Ok("".into())
/// });
/// assert_eq!(TestServer::new(app.wrap(middleware::metrics)).get("/").send().status(), 200);
/// ```
pub fn metrics(inner: App) -> App {
    App::around(inner, move |inner, mut environ, start_response| {
        let (method, began) = (method(environ.method()), Instant::now());
        let running = gauge!("http_server_requests_in_flight");
        running.increment(1);
        environ.on_finished(move |outcome| {
            running.decrement(1);
            let status = status(outcome);
            let labels = [("method", method), ("status", status)];
            histogram!("http_server_request_duration_seconds", &labels).record(began.elapsed());
            let labels = [("method", method), ("status", status), ("end", end(outcome))];
            counter!("http_server_requests_total", &labels).increment(1);
        });
        inner.call(environ, start_response)
    })
}

/// The name of a method that is known: a client can send any word.
fn method(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::HEAD, "HEAD"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::PATCH, "PATCH"),
        (Method::CONNECT, "CONNECT"),
        (Method::TRACE, "TRACE"),
    ];
    // OpenTelemetry's name for the others.
    KNOWN.iter().find(|(known, _)| known == method).map_or("_OTHER", |(_, name)| name)
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome.status().as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

fn end(outcome: &Outcome) -> &'static str {
    match outcome.end() {
        End::Complete => "complete",
        End::Disconnected => "client_left",
        End::Failed => "aborted",
        End::TimedOut => "timed_out",
    }
}
