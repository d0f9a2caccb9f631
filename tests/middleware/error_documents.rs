//! `error_documents`: which errors get a page, what stays of them, and what happens when the page fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderValue, StatusCode};
use vestibule::middleware::{self, ErrorDocuments, error_documents};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Error, Head, app_fn, async_fn};

use super::all;
use super::passing::passes_everything;
use crate::harness::play::{Item, KINDS, Kind, Play};
use crate::harness::{Pull, Running, get, head, post, run};

fn pages() -> ErrorDocuments {
    let own = |status: StatusCode| format!("page for {}", status.as_u16());
    ErrorDocuments::new().page(404, "text/html", own).unwrap().other_page("text/plain", own).unwrap()
}

fn bare(status: u16) -> Play {
    let head = move || {
        let head =
            Head::new(status).header("allow", "GET").header("www-authenticate", "Basic").header("retry-after", 7);
        head.header("content-type", "application/json").header("etag", "\"a\"").header("content-encoding", "gzip")
    };
    Play::new(head, &["", ""])
}

#[test]
fn what_has_a_body_or_is_no_error_passes() {
    passes_everything(error_documents(pages()));
    for status in [200, 204, 302, 304, 399, 600] {
        for (kind, pull) in all() {
            let layered = run(&bare(status).app(kind).wrap(error_documents(pages())), get(), pull);
            let expected = run(&bare(status).app(kind), get(), pull);
            assert_eq!(
                (layered.status, layered.headers),
                (expected.status, expected.headers),
                "{status} {kind:?} {pull:?}"
            );
            assert!(layered.blocks.is_empty());
        }
    }
}

#[test]
fn an_error_without_a_body_gets_its_page_and_keeps_its_headers() {
    for status in [400, 401, 404, 405, 429, 500, 503, 599] {
        for (kind, pull) in all() {
            let play = bare(status);
            let seen = run(&play.app(kind).wrap(error_documents(pages())), get(), pull);
            let what = format!("{status} {kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text()), (status, format!("page for {status}")), "{what}");
            let content_type = if status == 404 { "text/html" } else { "text/plain" };
            assert_eq!(seen.header("content-type"), Some(content_type), "{what}");
            let kept = ["allow", "www-authenticate", "retry-after"].map(|name| seen.header(name));
            assert_eq!(kept, [Some("GET"), Some("Basic"), Some("7")], "{what}");
            assert_eq!((seen.header("etag"), seen.header("content-encoding")), (None, None), "{what}");
            assert_eq!((play.drops.all(), seen.log.as_str()), (1, ""), "{what}");
            if pull == Pull::Async {
                let expected = run(&bare(status).app(kind), get(), pull);
                assert_eq!(seen.threads_asked_for > 0, expected.threads_asked_for > 0, "{what}: the mode is kept");
            }
        }
    }
}

#[test]
fn errors_and_panics_get_a_page_and_are_told_of_once() {
    for (kind, pull) in all() {
        for item in [Item::Fail("no disk"), Item::Panic("no disk")] {
            let play = Play::items(|| Head::new(200).header("x-inner", "yes"), [Item::Block(""), item]);
            let seen = run(&play.app(kind).wrap(error_documents(pages())), get(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (500, "page for 500"), "{what}");
            assert_eq!(seen.header("x-inner"), None, "{what}");
            assert_eq!(seen.log.lines().count(), 1, "{what}: {}", seen.log);
            assert!(kind == Kind::Channel || seen.log.contains("no disk"), "{what}: {}", seen.log);
        }
        let missing = Play::started(|_| Err(Error::with_status(404, "x")), []);
        let seen = run(&missing.app(kind).wrap(error_documents(pages())), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (404, "page for 404"), "{kind:?} {pull:?}");
        if kind.is_stepwise() {
            let late = Play::items(|| Head::new(500), [Item::Block("half"), Item::Fail("late")]);
            let seen = run(&late.app(kind).wrap(error_documents(pages())), get(), pull);
            assert_eq!(
                (seen.text().as_str(), seen.aborted),
                ("half", true),
                "{kind:?} {pull:?}: it is too late for a page"
            );
        }
    }
}

#[test]
fn an_error_that_the_table_does_not_have_passes_by() {
    let only_404 = || ErrorDocuments::new().page(404, "text/plain", |_| "not here").unwrap();
    for (kind, pull) in all() {
        let seen = run(&bare(500).app(kind).wrap(error_documents(only_404())), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (500, ""), "{kind:?} {pull:?}");
        let fails = Play::items(|| Head::new(200), [Item::Fail("no disk")]).app(kind);
        let page = middleware::recover(|_| (Head::new(500), "recovered".into()));
        let seen = run(&fails.wrap(error_documents(only_404())).wrap(page), get(), pull);
        assert_eq!((seen.text().as_str(), seen.log.lines().count()), ("recovered", 1), "{kind:?} {pull:?}");
        let redirects = app_fn(|_, _| Err(Error::with_status(302, "an error with a status that is none")));
        assert_eq!(run(&redirects.wrap(error_documents(pages())), get(), pull).text(), "302 Found\n");
    }
}

#[test]
fn with_recover_inside_its_pages_stay_and_what_it_leaves_bare_gets_one() {
    for (kind, pull) in all() {
        let fails = || Play::items(|| Head::new(200), [Item::Panic("a bug")]).app(kind);
        let own = middleware::recover(|_| (Head::new(500), "recovered".into()));
        assert_eq!(run(&fails().wrap(own).wrap(error_documents(pages())), get(), pull).text(), "recovered");
        let none = middleware::recover(|_| (Head::new(502), Body::empty()));
        let seen = run(&fails().wrap(none).wrap(error_documents(pages())), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (502, "page for 502"), "{kind:?} {pull:?}");
    }
}

#[test]
fn the_plain_answers_of_other_middleware_get_a_page_too() {
    for (kind, pull) in all() {
        let app = Play::new(|| Head::new(200), &["ok"]).app(kind);
        let layer = middleware::concurrency_limit(1, 0);
        let runs = Play::new(|| Head::new(200), &["a", "b"]).app(Kind::Iterator).wrap(&layer);
        let mut first = Running::new(&runs, get(), pull);
        first.until_head();
        let limited = Play::new(|| Head::new(200), &["ok"]).app(kind).wrap(&layer).wrap(error_documents(pages()));
        let seen = run(&limited, get(), pull);
        assert_eq!(
            (seen.text().as_str(), seen.header("retry-after")),
            ("page for 503", Some("1")),
            "{kind:?} {pull:?}"
        );
        first.finish(false);
        let limited = app.wrap(middleware::body_limit(2)).wrap(error_documents(pages()));
        let request = http::Request::post("/").header("content-length", 3).body("tea").unwrap();
        let seen = run(&limited, request, pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (413, "page for 413"), "{kind:?} {pull:?}");
    }
    // What only looks like it is the application's.
    let own = Play::new(|| Head::new(404), &["404 Not Found"]).app(Kind::Eager);
    assert_eq!(run(&own.wrap(error_documents(pages())), get(), Pull::Blocking).text(), "404 Not Found");
}

#[test]
fn an_application_of_every_kind_makes_a_page() {
    for (kind, pull) in all() {
        for page_kind in KINDS {
            let page = Play::new(
                || Head::new(200).header("content-type", "text/html").header("retry-after", 9).header("x-page", "yes"),
                &["<h1>", "", "Sorry</h1>"],
            );
            let documents = ErrorDocuments::new().app(503, page.app(page_kind)).unwrap();
            let play = bare(503);
            let seen = run(&play.app(kind).wrap(error_documents(documents)), get(), pull);
            let what = format!("{page_kind:?} for {kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (503, "<h1>Sorry</h1>"), "{what}");
            let headers = ["allow", "retry-after", "x-page", "content-type"].map(|name| seen.header(name));
            assert_eq!(headers, [Some("GET"), Some("9"), Some("yes"), Some("text/html")], "{what}");
            assert_eq!((play.drops.all(), page.drops.all()), (1, 1), "{what}: both are closed");
            assert!(!seen.aborted, "{what}");
        }
    }
}

#[test]
fn the_application_of_a_page_sees_the_request_as_a_get_without_its_body() {
    let page = app_fn(|environ, start_response| {
        let headers: Vec<_> = environ.headers().keys().map(http::HeaderName::as_str).collect();
        let status = environ.var("REDIRECT_STATUS").map(|status| String::from_utf8_lossy(&status).into_owned());
        let text = format!("{} {} {status:?} {headers:?} {:?}", environ.method(), environ.url(), environ.input().len());
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(text.into())
    });
    let refuses = app_fn(|_, _| Err(Error::with_status(403, "no")));
    let app = refuses.wrap(error_documents(ErrorDocuments::new().other_app(page)));
    let request = http::Request::post("/a%2Fb?c")
        .header("host", "a.example")
        .header("accept-language", "de")
        .header("content-type", "text/plain")
        .header("content-length", 4)
        .header("range", "bytes=0-0")
        .header("if-none-match", "\"a\"")
        .body("tea?")
        .unwrap();
    let seen = run(&app, request, Pull::Blocking);
    let expected = r#"GET http://a.example/a%2Fb?c Some("403") ["host", "accept-language"] Some(0)"#;
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (403, expected));
}

#[test]
fn what_the_response_depends_on_is_told_beside_what_its_page_depends_on() {
    let page = |environ: vestibule::Environ, start_response: vestibule::StartResponse| {
        start_response.start(200, [("vary", "Accept-Language")])?;
        Ok(format!("page of {}", environ.path_info()).into())
    };
    let head = || Head::new(404).header("access-control-allow-origin", "https://a.example").header("vary", "Origin");
    let app = Play::new(head, &[]).app(Kind::Eager);
    let app = app.wrap(error_documents(ErrorDocuments::new().other_app(page)));
    let response = TestServer::new(app).get("/x").send();
    assert_eq!(response.text(), "page of /x");
    assert_eq!(response.header("access-control-allow-origin"), Some("https://a.example"));
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["Origin", "Accept-Language"], "or a cache would give it to every site");
}

#[test]
fn a_page_that_fails_is_the_plain_text_of_the_status() {
    let fallback = "404 Not Found\n";
    for (kind, pull) in all() {
        for page in [
            Play::items(|| Head::new(200), [Item::Fail("no template")]),
            Play::items(|| Head::new(200), [Item::Block(""), Item::Panic("no template")]),
            Play::new(|| Head::new(404), &["its own 404"]),
            Play::new(|| Head::new(302).header("location", "/"), &["elsewhere"]),
            Play::started(|_| Ok(()), []),
        ] {
            let documents = ErrorDocuments::new().app(404, page.app(kind)).unwrap();
            let seen = run(&bare(404).app(Kind::Eager).wrap(error_documents(documents)), get(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (404, fallback), "{what}");
            assert_eq!((seen.header("allow"), seen.header("location")), (Some("GET"), None), "{what}");
            assert!(seen.log.contains("there is no page: "), "{what}: {}", seen.log);
            if matches!(kind, Kind::Iterator | Kind::File | Kind::Channel) && pull == Pull::Async {
                assert_eq!(page.drops.on_reactor(), 0, "{what}: closed where that may block");
            }
        }
    }
    let documents = ErrorDocuments::new().page(404, "text/plain", |_| -> Body { panic!("a bug in the page") }).unwrap();
    let seen = run(&bare(404).app(Kind::Eager).wrap(error_documents(documents)), get(), Pull::Blocking);
    assert_eq!(seen.text(), fallback);
    assert!(seen.log.contains("a bug in the page"), "{}", seen.log);
    let late = Play::items(|| Head::new(200), [Item::Block("half"), Item::Fail("late")]).app(Kind::Iterator);
    let documents = ErrorDocuments::new().app(404, late).unwrap();
    let seen = run(&bare(404).app(Kind::Eager).wrap(error_documents(documents)), get(), Pull::Blocking);
    assert_eq!((seen.text().as_str(), seen.aborted), ("half", true), "it is too late for another");
}

#[test]
fn head_is_answered_as_get_would_be_and_hooks_see_the_page() {
    for (kind, pull) in all() {
        let mark = middleware::map_head(|head| drop(head.headers.insert("x-out", HeaderValue::from_static("yes"))));
        let app = bare(404).app(kind).wrap(error_documents(pages())).wrap(mark);
        let seen = run(&app, head(), pull);
        assert_eq!(
            (seen.header("content-length"), seen.header("x-out")),
            (Some("12"), Some("yes")),
            "{kind:?} {pull:?}"
        );
        let declared = Play::new(|| Head::new(404).header("content-length", 5), &[]).app(Kind::Eager);
        let seen = run(&declared.wrap(error_documents(pages())), head(), pull);
        assert_eq!(seen.header("content-length"), Some("5"), "that of the application's own page");
    }
}

#[test]
fn a_page_that_may_block_is_made_on_a_thread_that_may() {
    let calls = Arc::new(AtomicUsize::new(0));
    let called = Arc::clone(&calls);
    let page = app_fn(move |_, start_response| {
        called.fetch_add(1, Ordering::SeqCst);
        start_response.start(200, ())?;
        Ok("made by blocking".into())
    });
    let app = async_fn(|_, start_response| async move {
        start_response.start(404, ())?;
        Ok(Body::empty())
    });
    let documents = ErrorDocuments::new().app(404, page).unwrap();
    let app: App = app.wrap(error_documents(documents));
    assert!(!app.may_block());
    let seen = run(&app, post("x"), Pull::Async);
    assert_eq!((seen.text().as_str(), seen.threads_asked_for), ("made by blocking", 1));
    assert_eq!(run(&app, get(), Pull::Blocking).threads_asked_for, 0);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_table_that_cannot_be_is_found_out_when_it_is_made() {
    for status in [0, 99, 200, 399, 600, 1000] {
        let error = ErrorDocuments::new().page(status, "text/plain", |_| "").unwrap_err();
        assert!(error.is_gateway() && error.to_string().contains("400 to 599"), "{error}");
        assert!(ErrorDocuments::new().app(status, app_fn(|_, _| Err("x".into()))).is_err());
    }
    assert!(ErrorDocuments::new().page(404, "text/plain\r\n", |_| "").is_err());
    assert!(ErrorDocuments::new().other_page("\0", |_| "").is_err());
    let server = TestServer::new(bare(404).app(Kind::Eager).wrap(error_documents(ErrorDocuments::new())));
    assert_eq!(server.get("/").allow_lint("H9").send().text(), "");
}
