//! `response_time`: how long the application took, for who looks at the response.

use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};

use crate::application::App;

static X_RUNTIME: HeaderName = HeaderName::from_static("x-runtime");

/// Sets X-Runtime to the time from the call of the application to its head, in seconds with six decimals: `0.002140`.
///
/// The head goes out with the first block, so of a body that is streamed the rest is not in it. X-Runtime is what Plack,
/// Rack and Rails call it, and what the logs of proxies are set up to read; Server-Timing is a list that applications
/// fill themselves. One that the application sets is replaced: the outermost `response_time` has measured the most.
///
/// The time may tell a stranger whether a name exists or a secret was nearly right. Where that matters,
/// [remove](super::remove_header) it at the edge.
///
/// ```
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("tea".into())
/// });
/// let response = TestServer::new(app.wrap(middleware::response_time)).get("/").send();
/// let seconds: f64 = response.header("x-runtime").unwrap().parse().unwrap();
/// assert!(seconds >= 0.0);
/// ```
pub fn response_time(inner: App) -> App {
    App::around(inner, |inner, environ, start_response| {
        let began = Instant::now();
        let start_response = start_response.on_head(move |head| {
            head.headers.insert(&X_RUNTIME, seconds(began.elapsed()));
        });
        inner.call(environ, start_response)
    })
}

fn seconds(time: Duration) -> HeaderValue {
    // Room for the longest `Duration`, 20 digits, the point and 6 more; filled from the end.
    let mut text = [0; 27];
    let mut begin = text.len();
    let mut put = |byte| {
        begin -= 1;
        text[begin] = byte;
    };
    let (mut seconds, mut micros) = (time.as_secs(), time.subsec_micros());
    for _ in 0..6 {
        put(b'0' + (micros % 10) as u8);
        micros /= 10;
    }
    put(b'.');
    loop {
        put(b'0' + (seconds % 10) as u8);
        seconds /= 10;
        if seconds == 0 {
            break;
        }
    }
    // Not reached: digits are allowed in a header.
    HeaderValue::from_bytes(&text[begin..]).unwrap_or_else(|_| HeaderValue::from(time.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_with_six_decimals() {
        for (time, text) in [
            (Duration::ZERO, "0.000000"),
            (Duration::from_nanos(999), "0.000000"),
            (Duration::from_micros(2140), "0.002140"),
            (Duration::from_millis(61_500), "61.500000"),
            (Duration::MAX, "18446744073709551615.999999"),
        ] {
            assert_eq!(seconds(time), text);
        }
    }
}
