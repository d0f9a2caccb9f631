//! The lines that `run` has written, one for each request.

use std::time::{Duration, Instant};

use http::StatusCode;
use http::request::Parts;

use crate::environ::{Environ, Errors};
use crate::error::{Error, escaped};
use crate::lifecycle::{End, Outcome};

/// Has the line written when the request has ended: `GET /tea?sugar=1 200 14 0.3 ms`.
pub(crate) fn log(environ: &mut Environ, began: Instant) {
    let query = environ.query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    let request = format!("{} {}{mark}{query}", environ.method(), environ.raw_path());
    environ.on_finished(move |outcome| {
        Errors::stderr().line(format_args!("{}", line(&request, outcome, began.elapsed())));
    });
}

/// Writes the line of a request that no application gets: `GET /%zz 400 16 0.1 ms (half an escape in the path)`.
///
/// `why` is `None` for a client that has left; the bytes are those of the body that it is answered with.
pub(crate) fn refused(parts: &Parts, status: StatusCode, bytes: u64, began: Instant, why: Option<&Error>) {
    let why = why.map_or("the client left".to_owned(), Error::one_line);
    let line = of_parts(&target(parts), status, bytes, began.elapsed(), &format!(" ({why})"));
    Errors::stderr().line(format_args!("{line}"));
}

/// What was asked for, as it came: it may be what the request is refused for.
fn target(parts: &Parts) -> String {
    let Parts { method, uri, .. } = parts;
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    // RFC 9112, section 3.2.3: CONNECT names an authority.
    let authority = uri.authority().filter(|_| target.is_empty()).map_or("", |authority| authority.as_str());
    let mut line = format!("{method} ");
    for character in [authority, target].concat().chars() {
        match character.is_ascii() {
            true => line.push(character),
            false => line.extend(character.escape_default()),
        }
    }
    line
}

fn line(request: &str, outcome: &Outcome, time: Duration) -> String {
    let end = match outcome.end() {
        End::Complete => "",
        End::Disconnected => " (the client left)",
        End::Failed => " (aborted)",
        End::TimedOut => " (timed out)",
    };
    of_parts(request, outcome.status(), outcome.body_bytes(), time, end)
}

fn of_parts(request: &str, status: StatusCode, bytes: u64, time: Duration, end: &str) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    format!("{} {} {bytes} {milliseconds:.1} ms{end}", escaped(request), status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_method_path_status_bytes_and_time_and_cannot_start_another_one() {
        let outcome = |end| Outcome { status: StatusCode::OK, body_bytes: 14, end };
        let time = Duration::from_micros(1250);
        assert_eq!(line("GET /tea?a=b", &outcome(End::Complete), time), "GET /tea?a=b 200 14 1.2 ms");
        assert_eq!(line("GET /\n\u{1b}[2J", &outcome(End::Failed), time), "GET /\\n\\u{1b}[2J 200 14 1.2 ms (aborted)");
        assert_eq!(line("GET /", &outcome(End::Disconnected), time), "GET / 200 14 1.2 ms (the client left)");
    }

    #[test]
    fn the_target_of_a_refused_request_is_ascii_and_never_empty() {
        for (asked, logged) in [
            (http::Request::get("/\u{202e}?\u{e9}"), "GET /\\u{202e}?\\u{e9}"),
            (http::Request::connect("a:80"), "CONNECT a:80"),
            (http::Request::options("*"), "OPTIONS *"),
            (http::Request::get("http://x/y"), "GET /y"),
        ] {
            assert_eq!(target(&asked.body(()).unwrap().into_parts().0), logged);
        }
    }
}
