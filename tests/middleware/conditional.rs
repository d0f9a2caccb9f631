//! `conditional_get`.

use http::{Method, Request};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Head, HeaderMap, app_fn, middleware};

use crate::all;
use crate::harness::play::{Item, KINDS, Kind, Play};
use crate::harness::{Pull, Seen, run};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// The page that all of this is about.
fn page() -> Head {
    Head::new(200)
        .header("content-type", "text/plain")
        .header("content-language", "en")
        .header("content-location", "/page.en")
        .header("cache-control", "max-age=60")
        .header("vary", "Accept-Language")
        .header("set-cookie", "a=1")
        .header("etag", "\"v1\"")
        .header("last-modified", MODIFIED)
}

fn request(method: Method, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri("/path");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn answer(head: impl Fn() -> Head + Send + Sync + 'static, method: Method, headers: &[(&str, &str)]) -> Seen {
    let app = Play::new(head, &["one ", "two"]).app(Kind::Eager).wrap(middleware::conditional_get);
    run(&app, request(method, headers), Pull::Blocking)
}

fn status(head: impl Fn() -> Head + Send + Sync + 'static, headers: &[(&str, &str)]) -> u16 {
    let get = answer(head, Method::GET, headers);
    assert_eq!(get.text() == "one two", get.status.is_success(), "{headers:?}");
    get.status.as_u16()
}

#[test]
fn a_client_that_has_it_gets_304_from_every_kind_of_application() {
    for (kind, pull) in all() {
        for method in [Method::GET, Method::HEAD] {
            let play = Play::new(page, &["", "one ", "two"]);
            let app = play.app(kind).wrap(middleware::conditional_get);
            let conditions = [("if-none-match", "\"v1\""), ("accept", "text/plain")];
            let seen = run(&app, request(method.clone(), &conditions), pull);
            let what = format!("{kind:?} {pull:?} {method}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str(), seen.aborted), (304, "", false), "{what}");
            assert_eq!(play.drops.all(), 1, "{what}: the body is closed");
            assert!(play.pulled() <= 2, "{what}: the body is not pulled further");
            let mut kept: Vec<&str> = seen.headers.keys().map(|name| name.as_str()).collect();
            kept.sort_unstable();
            assert_eq!(kept, ["cache-control", "content-location", "etag", "set-cookie", "vary"], "{what}");
            if matches!(kind, Kind::File | Kind::Iterator | Kind::Lazy | Kind::Channel) {
                assert_eq!(play.drops.on_reactor(), 0, "{what}: what may block is not closed on the reactor");
            }
        }
    }
}

#[test]
fn other_requests_see_the_response_as_it_was() {
    for (kind, pull) in all() {
        for headers in [&[][..], &[("if-none-match", "\"v0\"")]] {
            let play = Play::new(page, &["one ", "two"]);
            let bare = run(&play.app(kind), request(Method::GET, headers), pull);
            let seen = run(&play.app(kind).wrap(middleware::conditional_get), request(Method::GET, headers), pull);
            assert_eq!((seen.status, &seen.headers, seen.text()), (bare.status, &bare.headers, bare.text()));
            assert_eq!((&seen.blocks, seen.length), (&bare.blocks, bare.length), "{kind:?} {pull:?}");
            assert_eq!(seen.threads_asked_for, bare.threads_asked_for, "{kind:?} {pull:?}: the mode is kept");
        }
    }
}

#[test]
fn if_none_match_compares_weakly() {
    let weak = || Head::new(200).header("etag", "W/\"v1\"");
    let none = || Head::new(200);
    for (list, strong_tag, weak_tag, no_tag) in [
        ("\"v1\"", 304, 304, 200),
        ("W/\"v1\"", 304, 304, 200),
        ("v1", 304, 304, 200),
        ("\"v0\", \"v1\"", 304, 304, 200),
        ("*", 304, 304, 304),
        ("\"v0\"", 200, 200, 200),
        ("\"V1\"", 200, 200, 200),
        ("", 200, 200, 200),
        ("\"v1", 200, 200, 200),
    ] {
        let conditions = [("if-none-match", list)];
        let seen = (status(page, &conditions), status(weak, &conditions), status(none, &conditions));
        assert_eq!(seen, (strong_tag, weak_tag, no_tag), "{list}");
    }
    assert_eq!(status(page, &[("if-none-match", "\"v0\""), ("if-none-match", "\"v1\"")]), 304, "the second line");
}

#[test]
fn if_match_compares_strongly() {
    let weak = || Head::new(200).header("etag", "W/\"v1\"");
    let none = || Head::new(200);
    for (list, strong_tag, weak_tag, no_tag) in [
        ("\"v1\"", 200, 412, 412),
        ("\"v0\", \"v1\"", 200, 412, 412),
        ("W/\"v1\"", 412, 412, 412),
        ("v1", 412, 412, 412),
        ("*", 200, 200, 200),
        ("\"v0\"", 412, 412, 412),
    ] {
        let conditions = [("if-match", list)];
        let seen =
            (status_or_text(page, &conditions), status_or_text(weak, &conditions), status_or_text(none, &conditions));
        assert_eq!(seen, (strong_tag, weak_tag, no_tag), "{list}");
    }
}

/// As `status`, where a 412 has a text of its own and nothing of the page.
fn status_or_text(head: impl Fn() -> Head + Send + Sync + 'static, conditions: &[(&str, &str)]) -> u16 {
    let seen = answer(head, Method::GET, conditions);
    if seen.status == 412 {
        assert_eq!(seen.text(), "412 Precondition Failed\n");
        assert_eq!(seen.headers.len(), 2, "{:?}", seen.headers);
        assert!(seen.headers.contains_key("content-type") && seen.header("content-length") == Some("24"));
    }
    seen.status.as_u16()
}

#[test]
fn dates_are_read_in_their_three_forms_and_otherwise_ignored() {
    for (date, modified_since, unmodified_since) in [
        (MODIFIED, 304, 200),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 304, 200),
        ("Sun Nov  6 08:49:37 1994", 304, 200),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 304, 200),
        ("Sat, 29 Oct 2044 19:43:31 GMT", 304, 200),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200, 412),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 200, 412),
        ("Mon, 06 Nov 1994 08:49:37 GMT", 200, 200),
        ("Sun, 31 Feb 1999 08:49:37 GMT", 200, 200),
        ("06 Nov 1994 08:49:37 GMT", 200, 200),
        ("784111777", 200, 200),
        ("", 200, 200),
        ("yesterday", 200, 200),
    ] {
        assert_eq!(status_or_text(page, &[("if-modified-since", date)]), modified_since, "{date}");
        assert_eq!(status_or_text(page, &[("if-unmodified-since", date)]), unmodified_since, "{date}");
    }
    let twice = [("if-modified-since", MODIFIED), ("if-modified-since", MODIFIED)];
    assert_eq!(status(page, &twice), 200, "there is one date or none");
    for last_modified in ["", "today", "Sun, 06 Nov 1994"] {
        let head = move || Head::new(200).header("last-modified", last_modified);
        for name in ["if-modified-since", "if-unmodified-since"] {
            assert_eq!(status(head, &[(name, MODIFIED)]), 200, "{last_modified:?}: it is not known when");
            assert_eq!(status(|| Head::new(200), &[(name, MODIFIED)]), 200);
        }
    }
}

#[test]
fn conditions_are_asked_in_the_order_of_the_rfc() {
    let (old, new) = ("Thu, 01 Jan 1970 00:00:00 GMT", "Sat, 29 Oct 2044 19:43:31 GMT");
    for (conditions, expected) in [
        (&[("if-none-match", "\"v0\""), ("if-modified-since", new)][..], 200),
        (&[("if-none-match", "\"v1\""), ("if-modified-since", old)], 304),
        (&[("if-none-match", ""), ("if-modified-since", new)], 200),
        (&[("if-match", "\"v1\""), ("if-unmodified-since", old)], 200),
        (&[("if-match", "\"v0\""), ("if-unmodified-since", new)], 412),
        (&[("if-match", "\"v0\""), ("if-none-match", "\"v1\"")], 412),
        (&[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")], 304),
        (&[("if-unmodified-since", old), ("if-none-match", "\"v1\"")], 412),
        (&[("if-unmodified-since", new), ("if-modified-since", new)], 304),
    ] {
        assert_eq!(status_or_text(page, conditions), expected, "{conditions:?}");
    }
}

#[test]
fn last_modified_stays_where_it_is_all_that_there_is() {
    let head = || Head::new(200).header("content-type", "text/plain").header("last-modified", MODIFIED);
    let seen = answer(head, Method::GET, &[("if-modified-since", MODIFIED)]);
    let expected = HeaderMap::from_iter([(vestibule::header::LAST_MODIFIED, MODIFIED.parse().unwrap())]);
    assert_eq!((seen.status.as_u16(), seen.headers), (304, expected));
}

#[test]
fn only_answers_with_a_representation_are_held_against_conditions() {
    for (code, expected) in
        [(200, 304), (206, 304), (201, 201), (204, 204), (301, 301), (304, 304), (404, 404), (500, 500)]
    {
        let head = move || Head::new(code).header("etag", "\"v1\"");
        let play = Play::new(head, if code == 204 || code == 304 { &[] } else { &["text"] });
        let app = play.app(Kind::Eager).wrap(middleware::conditional_get);
        let seen = run(&app, request(Method::GET, &[("if-none-match", "\"v1\"")]), Pull::Blocking);
        assert_eq!(seen.status.as_u16(), expected, "{code}");
        let seen = run(&app, request(Method::GET, &[("if-match", "\"v0\"")]), Pull::Blocking);
        assert_eq!(seen.status.as_u16(), if expected == code { code } else { 412 }, "{code}");
    }
    let part = || Head::new(206).header("etag", "\"v1\"").header("content-range", "bytes 0-6/9");
    let seen = answer(part, Method::GET, &[("if-none-match", "\"v1\""), ("range", "bytes=0-6")]);
    assert_eq!((seen.status.as_u16(), seen.header("content-range")), (304, None));
}

#[test]
fn other_methods_pass() {
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        for condition in [("if-none-match", "*"), ("if-match", "\"v0\""), ("if-modified-since", MODIFIED)] {
            let seen = answer(page, method.clone(), &[condition]);
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "one two"), "{method} {condition:?}");
        }
    }
}

#[test]
fn errors_pass() {
    for kind in KINDS {
        let broken = Play::items(page, [Item::Fail("no disk")]).app(kind).wrap(middleware::conditional_get);
        let seen = run(&broken, request(Method::GET, &[("if-none-match", "*")]), Pull::Blocking);
        assert_eq!(seen.status.as_u16(), 500, "{kind:?}");
    }
}

#[test]
fn what_belongs_to_the_body_is_gone_and_what_travels_with_the_head_stays() {
    #[derive(Debug, Clone, PartialEq)]
    struct Route(&'static str);
    let app = app_fn(|_, start_response| {
        let mut head = Head::new(200)
            .reason("Here you are")?
            .header("etag", "\"v1\"")
            .header("content-length", 4)
            .header("content-encoding", "gzip")
            .header("content-digest", "sha-256=:x:")
            .header("trailer", "x-sum");
        head.extensions_mut().insert(Route("/page"));
        start_response.send(head)?;
        Ok(Body::from("text")
            .with_trailers(|| HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())])))
    });
    let route = middleware::map_response(|_| {
        |head: Head, body| {
            assert_eq!(head.extension::<Route>(), Some(&Route("/page")));
            Ok((head, body))
        }
    });
    let app = app.wrap(middleware::conditional_get).wrap(route);
    let seen = run(&app, request(Method::GET, &[("if-none-match", "\"v1\"")]), Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.reason, seen.trailers), (304, None, None));
    assert_eq!(seen.headers.keys().collect::<Vec<_>>(), ["etag"]);
}

#[test]
fn ten_thousand_tags_are_read_in_one_walk() {
    let app = Play::new(page, &["one ", "two"]).app(Kind::Eager).wrap(middleware::conditional_get);
    let ask = |list: String| {
        let request = Request::get("/").header("if-none-match", list).body(()).unwrap();
        run(&app, request, Pull::Blocking).status.as_u16()
    };
    assert_eq!(ask("W/\"x\", ".repeat(10_000) + "\"v1\""), 304);
    assert_eq!(ask("W/\"x\", ".repeat(10_000)), 200);
    assert_eq!(ask(",".repeat(100_000)), 200);
    assert_eq!(ask("\"".repeat(99_999)), 200);
    assert_eq!(ask("W/".repeat(50_000)), 200);
}

#[test]
fn with_etag_inside_a_client_is_sent_nothing_twice() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok("hello".into())
    });
    let layers: [fn(App) -> App; 2] = [middleware::etag, middleware::weak_etag];
    for layer in layers {
        let server = TestServer::new(app.clone().wrap(layer).wrap(middleware::conditional_get));
        let first = server.get("/").send();
        let tag = first.header("etag").unwrap();
        let second = server.get("/").header("if-none-match", tag).send();
        assert_eq!((second.status().as_u16(), second.header("etag"), second.bytes().len()), (304, Some(tag), 0));
        assert!(second.lint().is_empty(), "{:?}", second.lint());
        let failed = server.get("/").header("if-match", "\"other\"").send();
        assert!(failed.status() == 412 && failed.lint().is_empty(), "{:?}", failed.lint());
    }
}
