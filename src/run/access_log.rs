//! The line that `run` writes for each request.

use std::time::{Duration, Instant};

use crate::environ::{Environ, Errors};
use crate::error::escaped;
use crate::lifecycle::{End, Outcome};

/// Has the line written when the request has ended: `GET /tea?sugar=1 200 14 0.3 ms`.
pub(super) fn log(environ: &mut Environ) {
    let began = Instant::now();
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
    let milliseconds = time.as_secs_f64() * 1000.0;
    format!("{} {} {} {milliseconds:.1} ms{end}", escaped(request), outcome.status().as_u16(), outcome.body_bytes())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_line_has_method_path_status_bytes_and_time_and_cannot_start_another_one() {
        let outcome = |end| Outcome { status: StatusCode::OK, body_bytes: 14, end };
        let time = Duration::from_micros(1250);
        assert_eq!(line("GET /tea?a=b", &outcome(End::Complete), time), "GET /tea?a=b 200 14 1.2 ms");
        assert_eq!(line("GET /\n\u{1b}[2J", &outcome(End::Failed), time), "GET /\\n\\u{1b}[2J 200 14 1.2 ms (aborted)");
        assert_eq!(line("GET /", &outcome(End::Disconnected), time), "GET / 200 14 1.2 ms (the client left)");
    }
}
