//! The lines that `run` has written, one for each request.

#[cfg(feature = "http")]
mod refused;

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::environ::{Environ, Errors};
use crate::error::escaped;
use crate::lifecycle::{End, Outcome};
#[cfg(feature = "http")]
pub(crate) use refused::refused;

/// Has the line written when the request has ended: `GET /tea?sugar=1 200 14 0.3 ms`.
pub(crate) fn log(environ: &mut Environ, began: Instant) {
    let query = environ.query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    let request = format!("{} {}{mark}{query}", environ.method(), environ.raw_path());
    environ.on_finished(move |outcome| {
        Errors::stderr().line(format_args!("{}", line(&request, outcome, began.elapsed())));
    });
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
    use crate::lifecycle::Seen;

    #[test]
    fn a_line_has_method_path_status_bytes_and_time_and_cannot_start_another_one() {
        let outcome = |end| Outcome { seen: Seen { status: StatusCode::OK, body_bytes: 14, end }, user: None };
        let time = Duration::from_micros(1250);
        assert_eq!(line("GET /tea?a=b", &outcome(End::Complete), time), "GET /tea?a=b 200 14 1.2 ms");
        assert_eq!(line("GET /\n\u{1b}[2J", &outcome(End::Failed), time), "GET /\\n\\u{1b}[2J 200 14 1.2 ms (aborted)");
        assert_eq!(line("GET /", &outcome(End::Disconnected), time), "GET / 200 14 1.2 ms (the client left)");
    }
}
