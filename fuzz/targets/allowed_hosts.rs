//! A Host: `allowed_hosts`.
#![no_main]

use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use vestibule::{App, Environ, Exchange, Step, app_fn, middleware};

static APP: LazyLock<App> = LazyLock::new(|| {
    let app = app_fn(|environ, start_response| {
        check(&environ.url());
        start_response.start(200, ())?;
        Ok("".into())
    });
    app.wrap(middleware::allowed_hosts([".example.org", "127.0.0.1", "[::1]"]).unwrap())
});

fuzz_target!(|host: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(host) else { return };
    let request = http::Request::get("/").header("host", value).body(()).unwrap();
    let mut exchange = Exchange::new(&APP, Environ::from(request));
    let step = exchange.poll_step(&mut Context::from_waker(Waker::noop()), true);
    let Poll::Ready(Step::Head(head)) = step else { panic!("{step:?}") };
    assert!(matches!(head.status().as_u16(), 200 | 400 | 421), "{}", head.status());
    exchange.finish(true);
});

/// What passes is a URL of ours for another reader.
fn check(url: &str) {
    let uri: http::Uri = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    let name = uri.host().unwrap_or_default().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let is_address = name == "127.0.0.1" || name.parse() == Ok(std::net::Ipv6Addr::LOCALHOST);
    let is_address = is_address || name.trim_matches(['[', ']']).parse() == Ok(std::net::Ipv6Addr::LOCALHOST);
    if !(name == "example.org" || name.ends_with(".example.org") || is_address) || url.contains('@') {
        // A panic inside of the application would be a 500.
        eprintln!("{url} passed");
        std::process::abort();
    }
}
