//! What proxies say of a request, a header a line behind the byte that names it, to a peer that is trusted and to one
//! that is not.
#![no_main]

use std::cell::RefCell;
use std::task::{Context, Poll, Waker};

use http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use vestibule::middleware::{TrustedProxies, trusted_proxies};
use vestibule::{App, Environ, Exchange, Step, app_fn};

const HEADERS: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-ssl",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "host",
];

thread_local! {
    static APPS: [App; 2] = [false, true].map(|forwarded| {
        let proxies = TrustedProxies::new().network("10.0.0.0/8").unwrap().x_forwarded_for().x_forwarded_proto();
        let proxies = proxies.x_forwarded_ssl().x_forwarded_host().x_forwarded_port().x_forwarded_prefix();
        let proxies = if forwarded { proxies.forwarded() } else { proxies };
        app_fn(|environ, start_response| {
            SEEN.set(Some(check(&environ)));
            start_response.start(204, ())?;
            Ok("".into())
        })
        .wrap(trusted_proxies(proxies))
    });
    static SEEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What holds of every request that the application gets, and what it says.
fn check(environ: &Environ) -> String {
    for name in &HEADERS[..7] {
        assert!(environ.headers().get_all(*name).iter().count() <= 1);
    }
    assert!(matches!(environ.url_scheme().as_str(), "http" | "https"));
    assert!(!environ.raw_path().starts_with("//") && environ.raw_path().ends_with("/a%2Fb"));
    assert_eq!(environ.path_info(), "/a/b");
    assert!(!environ.raw_path().split('/').any(|segment| segment == ".."));
    assert!(environ.server_port() > 0 && !environ.server_name().is_empty());
    let (client, name) = (environ.remote_addr().unwrap(), environ.server_name());
    assert!(!name.contains(['/', '@', ',', ';', ' ', '\\', '"']));
    format!("{client} {} {name}:{} {}", environ.url_scheme(), environ.server_port(), environ.raw_path())
}

fuzz_target!(|input: &[u8]| {
    let mut request = Request::get("/a%2Fb").body(()).unwrap();
    for line in input.split(|byte| *byte == b'\n') {
        let [header, value @ ..] = line else { continue };
        let name = HeaderName::from_static(HEADERS[usize::from(*header) % HEADERS.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(name, value);
        }
    }
    for app in 0..2 {
        // A stranger's request is that of one who says nothing.
        let stranger = "192.0.2.1:1";
        assert_eq!(seen(app, stranger, request.clone()).unwrap(), format!("{stranger} http localhost:80 /a%2Fb"));
        if let Some(seen) = seen(app, "10.0.0.1:1", request.clone()) {
            let mut with_client = request.clone();
            let (name, value) = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")][app];
            with_client.headers_mut().append(name, HeaderValue::from_static(value));
            // A proxy that adds what it has seen is believed, whatever stood there.
            if let Some(seen) = self::seen(app, "10.0.0.1:1", with_client) {
                assert!(seen.starts_with("203.0.113.7:0 "), "{seen}");
            }
            assert!(!seen.is_empty());
        }
    }
});

/// What the application says of a request by this peer; `None` where it was refused.
fn seen(app: usize, peer: &str, request: Request<()>) -> Option<String> {
    SEEN.set(None);
    let mut environ = Environ::from(request);
    environ.set_remote_addr(Some(peer.parse().unwrap()));
    environ.set_errors(vestibule::Errors::writer(std::io::sink()));
    let mut exchange = APPS.with(|apps| Exchange::new(&apps[app], environ));
    let mut nobody = Context::from_waker(Waker::noop());
    let Poll::Ready(Step::Head(head)) = exchange.poll_step(&mut nobody, true) else { panic!("no head") };
    let seen = SEEN.take();
    assert_eq!(head.status().as_u16(), if seen.is_some() { 204 } else { 400 });
    exchange.finish(true);
    seen
}
