//! `trace`: a span for each request, for whatever collects those of the crate `tracing`.

use std::task::Context;

use ::tracing::{Span, field, info_span};
use http::header::USER_AGENT;

use crate::application::App;
use crate::body::{Body, Source, Step, of_the_inner_body};
use crate::environ::Environ;
use crate::lifecycle::End;

/// Opens a span for each request, at the level `INFO`, which is entered while the application is called, whenever its
/// body is pulled, and when that is dropped. It closes when the request has ended.
///
/// It is named `http.server.request`, and its fields are those of OpenTelemetry's semantic conventions for HTTP:
/// `http.request.method`, `url.path` (as it was sent), `url.scheme`, `network.protocol.version`, `server.address`,
/// `client.address` and `user_agent.original` where there is one; and at the end `http.response.status_code`,
/// `http.response.body.size` in bytes, and, where the response did not go out whole, `error.type`: `disconnected`,
/// `aborted` or `timed_out`; with a status from 500 on it is the status. The query is left out, since it may have
/// secrets.
///
/// Where nobody wants the span, a request costs nothing.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_environ, start_response| {
///     tracing::info!("tea is being made"); // within the span
///     start_response.start(200, ())?;
///     Ok("".into())
/// });
/// assert_eq!(TestServer::new(app.wrap(middleware::trace)).get("/").send().status(), 200);
/// ```
pub fn trace(inner: App) -> App {
    App::around(inner, move |inner, mut environ, start_response| {
        let span = open(&environ);
        if span.is_disabled() {
            return inner.call(environ, start_response);
        }
        let ended = span.clone();
        environ.on_finished(move |outcome| {
            ended.record("http.response.status_code", outcome.status().as_u16());
            ended.record("http.response.body.size", outcome.body_bytes());
            match outcome.end() {
                End::Disconnected => drop(ended.record("error.type", "disconnected")),
                End::Failed => drop(ended.record("error.type", "aborted")),
                End::TimedOut => drop(ended.record("error.type", "timed_out")),
                End::Complete if outcome.status().is_server_error() => {
                    ended.record("error.type", outcome.status().as_str());
                }
                End::Complete => {}
            }
        });
        let body = span.in_scope(|| inner.call(environ, start_response))?;
        Ok(match body.as_full() {
            Some(_) => body,
            None => Body::source(Traced { body, span }),
        })
    })
}

fn open(environ: &Environ) -> Span {
    let span = info_span!(
        "http.server.request",
        otel.kind = "server",
        http.request.method = environ.method().as_str(),
        url.path = environ.raw_path(),
        url.scheme = environ.url_scheme().as_str(),
        network.protocol.version = environ.server_protocol().trim_start_matches("HTTP/"),
        server.address = environ.server_name(),
        client.address = field::Empty,
        user_agent.original = field::Empty,
        http.response.status_code = field::Empty,
        http.response.body.size = field::Empty,
        error.type = field::Empty,
    );
    if !span.is_disabled() {
        if let Some(address) = environ.remote_addr() {
            span.record("client.address", field::display(address.ip()));
        }
        if let Some(Ok(agent)) = environ.headers().get(USER_AGENT).map(|agent| agent.to_str()) {
            span.record("user_agent.original", agent);
        }
    }
    span
}

/// A body that is pulled and dropped within a span.
struct Traced {
    body: Body,
    span: Span,
}

impl Source for Traced {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        let _entered = self.span.enter();
        self.body.poll_step(cx, may_block)
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    of_the_inner_body!();
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        drop(std::mem::take(&mut self.body));
    }
}
