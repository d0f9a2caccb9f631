//! An Authorization: `basic_auth`.
#![no_main]

use std::cell::RefCell;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use vestibule::{App, Environ, Exchange, Step, app_fn, middleware};

thread_local! {
    static ASKED: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

static APP: LazyLock<App> = LazyLock::new(|| {
    let app = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok("".into())
    });
    let check = |name: &str, password: &str| {
        ASKED.replace(Some((name.to_owned(), password.to_owned())));
        true
    };
    app.wrap(middleware::basic_auth("staff", check).unwrap())
});

fuzz_target!(|authorization: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(authorization) else { return };
    let request = http::Request::get("/").header("authorization", value).body(()).unwrap();
    let mut exchange = Exchange::new(&APP, Environ::from(request));
    let step = exchange.poll_step(&mut Context::from_waker(Waker::noop()), true);
    let Poll::Ready(Step::Head(head)) = step else { panic!("{step:?}") };
    match ASKED.take() {
        None => {
            assert_eq!(head.status(), 401);
            assert!(head.headers().contains_key("www-authenticate"));
        }
        Some((name, password)) => {
            assert_eq!(head.status(), 200);
            assert!(!name.contains(':'));
            assert!(!name.contains(char::is_control) && !password.contains(char::is_control));
            let (scheme, token) = authorization.split_at(6);
            assert!(scheme.eq_ignore_ascii_case(b"basic "));
            let token = token.trim_ascii_start();
            assert!(token.len() <= 4096);
            assert_eq!(token, encode(format!("{name}:{password}").as_bytes()));
        }
    }
    exchange.finish(true);
});

/// Base64 as RFC 4648, section 4, draws it: three bytes as four digits, six bits each.
fn encode(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().chain([&0; 3]).take(3).fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let digit = |at: usize| if at <= group.len() { DIGITS[bits >> (18 - 6 * at) & 63] } else { b'=' };
        [0, 1, 2, 3].map(digit)
    };
    bytes.chunks(3).flat_map(group).collect()
}
