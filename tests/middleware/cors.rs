//! `cors`.

use std::time::Duration;

use http::{Method, Request};
use vestibule::middleware::{Cors, cors};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Head, app_fn, header};

use crate::all;
use crate::harness::play::{Item, KINDS, Play};
use crate::harness::{Pull, Seen, run};

const SHOP: &str = "https://shop.example";
const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

fn shop() -> Cors {
    Cors::new().origin(SHOP).unwrap()
}

fn request(method: Method, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri("/path");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// An application that says by which method it was reached.
fn reached() -> App {
    app_fn(|environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(environ.method().to_string().into())
    })
}

fn ask(layer: Cors, method: Method, headers: &[(&str, &str)]) -> Seen {
    run(&reached().wrap(cors(layer)), request(method, headers), Pull::Blocking)
}

fn preflight(layer: Cors, origin: &str) -> Seen {
    ask(
        layer,
        Method::OPTIONS,
        &[
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type,x-token"),
        ],
    )
}

/// The headers that begin with `access-control-`, and what they say.
fn said(seen: &Seen) -> Vec<(&str, &str)> {
    let mut said: Vec<_> = seen
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix("access-control-")?, value.to_str().unwrap())))
        .collect();
    said.sort_unstable();
    said
}

#[test]
fn every_kind_of_application_gets_the_headers_and_keeps_its_mode() {
    for (kind, pull) in all() {
        for status in [200, 204, 206, 304, 404] {
            let blocks: &[&'static str] = if status == 204 || status == 304 { &[] } else { &["one ", "", "two"] };
            for method in [Method::GET, Method::HEAD, Method::POST] {
                let app = Play::new(move || Head::new(status).header("vary", "Accept"), blocks).app(kind);
                let bare = run(&app, request(method.clone(), &[("origin", SHOP)]), pull);
                let seen = run(&app.wrap(cors(shop())), request(method.clone(), &[("origin", SHOP)]), pull);
                let what = format!("{kind:?} {pull:?} {status} {method}");
                assert_eq!((seen.status, seen.text(), seen.length), (bare.status, bare.text(), bare.length), "{what}");
                assert_eq!(seen.threads_asked_for, bare.threads_asked_for, "{what}");
                assert_eq!(said(&seen), [("allow-origin", SHOP)], "{what}");
                assert_eq!(seen.header("vary"), Some("Accept, Origin"), "{what}");
            }
        }
    }
}

#[test]
fn errors_have_the_headers_too() {
    for kind in KINDS {
        let app = Play::items(|| Head::new(200), [Item::Fail("no disk")]).app(kind).wrap(cors(shop()));
        let seen = run(&app, request(Method::GET, &[("origin", SHOP)]), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), said(&seen)), (500, vec![("allow-origin", SHOP)]), "{kind:?}");
    }
}

#[test]
fn only_the_very_origin_is_allowed() {
    for origin in [
        "https://evilshop.example",
        "https://shop.example.evil.example",
        "https://shop.example:8443",
        "https://shop.example/",
        "https://a.shop.example",
        "http://shop.example",
        "HTTPS://SHOP.EXAMPLE",
        "https://shop.exampl",
        "shop.example",
        "null",
        "*",
        "",
        "https://shop.example, https://evil.example",
        "https://shop.example https://evil.example",
    ] {
        let seen = ask(shop(), Method::GET, &[("origin", origin)]);
        assert_eq!((seen.text().as_str(), said(&seen)), ("GET", vec![]), "{origin}");
        assert_eq!(seen.header("vary"), Some("Origin"), "{origin}");
        let seen = preflight(shop(), origin);
        assert_eq!((seen.status.as_u16(), said(&seen)), (204, vec![]), "{origin}");
        assert_eq!(seen.header("vary"), Some(PREFLIGHT_VARY), "{origin}");
    }
    let twice = ask(shop(), Method::GET, &[("origin", SHOP), ("origin", "https://evil.example")]);
    assert_eq!(said(&twice), []);
    let bytes = Request::get("/").header("origin", &b"https://\xff.example"[..]).body(()).unwrap();
    let layer = shop().origin_if(|_, _| true);
    assert_eq!(said(&run(&reached().wrap(cors(layer)), bytes, Pull::Blocking)), []);
}

#[test]
fn a_request_without_an_origin_varies_by_it_where_the_answer_would() {
    let seen = ask(shop(), Method::GET, &[]);
    assert_eq!((seen.header("vary"), said(&seen)), (Some("Origin"), vec![]));
    let seen = ask(Cors::new().origin_if(|_, _| true), Method::GET, &[]);
    assert_eq!((seen.header("vary"), said(&seen)), (Some("Origin"), vec![]));
    let seen = ask(Cors::new().any_origin().unwrap(), Method::GET, &[]);
    assert_eq!((seen.header("vary"), said(&seen)), (None, vec![("allow-origin", "*")]));
}

#[test]
fn one_of_many_is_found() {
    let mut layer = Cors::new();
    for number in (0..100).rev() {
        layer = layer.origin(format!("https://shop-{number}.example")).unwrap();
    }
    let layer = cors(layer);
    for number in [0, 7, 50, 99] {
        let origin = format!("https://shop-{number}.example");
        let seen = run(&reached().wrap(&layer), request(Method::GET, &[("origin", &origin)]), Pull::Blocking);
        assert_eq!(said(&seen), [("allow-origin", &*origin)]);
    }
    let seen =
        run(&reached().wrap(&layer), request(Method::GET, &[("origin", "https://shop-100.example")]), Pull::Blocking);
    assert_eq!(said(&seen), []);
}

#[test]
fn null_is_allowed_only_if_it_is_listed() {
    let asks_all = || Cors::new().origin_if(|_, _| true);
    assert_eq!(said(&ask(asks_all(), Method::GET, &[("origin", "null")])), []);
    assert_eq!(said(&preflight(asks_all(), "null")), []);
    let listed = || shop().origin("null").unwrap();
    assert_eq!(said(&ask(listed(), Method::GET, &[("origin", "null")])), [("allow-origin", "null")]);
    assert_eq!(preflight(listed(), "null").header("access-control-allow-origin"), Some("null"));
}

#[test]
fn a_predicate_sees_the_origin_and_the_request() {
    let layer = || {
        shop().origin_if(|origin, environ| {
            assert_eq!(environ.path_info(), "/path");
            origin.ends_with(".shop.example")
        })
    };
    for (origin, is_allowed) in [
        (SHOP, true),
        ("https://a.shop.example", true),
        ("https://evilshop.example", false),
        ("https://x.example", false),
    ] {
        let seen = ask(layer(), Method::GET, &[("origin", origin)]);
        assert_eq!(said(&seen), if is_allowed { vec![("allow-origin", origin)] } else { vec![] }, "{origin}");
        assert_eq!(seen.header("vary"), Some("Origin"));
        assert_eq!(preflight(layer(), origin).header("access-control-allow-origin").is_some(), is_allowed, "{origin}");
    }
}

#[test]
fn a_preflight_is_answered_with_what_is_allowed() {
    let seen = preflight(shop(), SHOP);
    assert_eq!((seen.status.as_u16(), seen.text().as_str(), seen.length), (204, "", Some(0)));
    assert_eq!(said(&seen), [("allow-methods", "GET, HEAD, POST"), ("allow-origin", SHOP)]);
    assert_eq!((seen.header("vary"), seen.header("content-length")), (Some(PREFLIGHT_VARY), None));
    let all = shop()
        .credentials()
        .unwrap()
        .methods([Method::PUT, Method::DELETE])
        .request_headers([header::CONTENT_TYPE, "x-token".parse().unwrap()])
        .expose([header::ETAG])
        .max_age(Duration::from_millis(600_999));
    assert_eq!(
        said(&preflight(all, SHOP)),
        [
            ("allow-credentials", "true"),
            ("allow-headers", "content-type, x-token"),
            ("allow-methods", "PUT, DELETE"),
            ("allow-origin", SHOP),
            ("max-age", "600"),
        ]
    );
    let any = Cors::new().any_origin().unwrap();
    assert_eq!(said(&preflight(any, SHOP)), [("allow-methods", "GET, HEAD, POST"), ("allow-origin", "*")]);
}

#[test]
fn request_headers_are_mirrored_if_they_are_headers() {
    let ask = |asked: &[u8]| {
        let request = Request::options("/")
            .header("origin", SHOP)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", asked)
            .body(())
            .unwrap();
        let seen = run(&reached().wrap(cors(shop().any_request_headers())), request, Pull::Blocking);
        seen.header("access-control-allow-headers").map(str::to_owned)
    };
    assert_eq!(ask(b"content-type,x-token").as_deref(), Some("content-type,x-token"));
    for hostile in [&b"x\xff"[..], b"a;b", b"<script>", b"a:b", b"\"a\""] {
        assert_eq!(ask(hostile), None);
    }
}

#[test]
fn responses_tell_what_may_be_read() {
    let layer = shop().credentials().unwrap().expose([header::ETAG, header::LINK]).max_age(Duration::from_secs(5));
    let seen = ask(layer, Method::PUT, &[("origin", SHOP)]);
    assert_eq!(said(&seen), [("allow-credentials", "true"), ("allow-origin", SHOP), ("expose-headers", "etag, link")]);
    assert_eq!(seen.text(), "PUT");
}

#[test]
fn other_options_requests_reach_the_application() {
    for (headers, allowed) in [
        (&[][..], vec![]),
        (&[("origin", SHOP)], vec![("allow-origin", SHOP)]),
        (&[("access-control-request-method", "PUT")], vec![]),
    ] {
        let seen = ask(shop(), Method::OPTIONS, headers);
        assert_eq!((seen.text().as_str(), said(&seen)), ("OPTIONS", allowed), "{headers:?}");
    }
    let seen = ask(shop(), Method::GET, &[("origin", SHOP), ("access-control-request-method", "PUT")]);
    assert_eq!(seen.text(), "GET", "only OPTIONS is a preflight");
}

#[test]
fn credentials_for_any_origin_are_refused_when_it_is_built() {
    for built in [
        Cors::new().any_origin().and_then(Cors::credentials),
        Cors::new().credentials().and_then(Cors::any_origin),
        shop().credentials().and_then(Cors::any_origin),
    ] {
        let error = built.expect_err("it is refused").to_string();
        assert!(error.contains("Cors::origin"), "{error}");
    }
}

#[test]
fn what_the_application_says_of_an_allowed_origin_is_overwritten() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("access-control-allow-origin", "*"), ("vary", "origin")])?;
        Ok(Body::from("x"))
    });
    let seen = run(&app.wrap(cors(shop())), request(Method::GET, &[("origin", SHOP)]), Pull::Blocking);
    assert_eq!((said(&seen), seen.header("vary")), (vec![("allow-origin", SHOP)], Some("origin")));
}

#[test]
fn lint_has_nothing_to_say_and_the_application_keeps_its_name() {
    let server = TestServer::new(reached().wrap(cors(shop())));
    for request in [
        server.get("/").header("origin", SHOP),
        server.request("OPTIONS", "/").header("origin", SHOP).header("access-control-request-method", "PUT"),
    ] {
        let response = request.send();
        assert!(response.is_complete() && response.lint().is_empty(), "{:?}", response.lint());
    }
    for kind in KINDS {
        let app = Play::new(|| Head::new(200), &["x"]).app(kind).named("the shop");
        let wrapped = app.clone().wrap(cors(shop()));
        assert_eq!((wrapped.may_block(), format!("{wrapped:?}")), (app.may_block(), "App(\"the shop\")".to_owned()));
    }
}
