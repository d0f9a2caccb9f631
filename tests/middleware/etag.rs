//! `etag` and `weak_etag`.

use http::{Method, Request};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Head, app_fn, middleware};

use crate::harness::play::{Item, KINDS, Kind, Play};
use crate::harness::{Pull, get, head, post, run};
use crate::{all, play};

const TAG: &str = "\"d-6ab4a6aedd51b364132fb7565c7f89b6\"";

/// An application that answers with this head and this text, whatever is asked.
fn answers(head: impl Fn() -> Head + Send + Sync + 'static, text: &'static str) -> App {
    app_fn(move |_, start_response| {
        start_response.send(head())?;
        Ok(text.into())
    })
}

fn tag_of(app: App, request: Request<()>) -> Option<String> {
    run(&app.wrap(middleware::etag), request, Pull::Blocking).header("etag").map(str::to_owned)
}

#[test]
fn what_is_in_memory_gets_the_same_tag_however_it_was_made() {
    for (kind, pull) in all() {
        for (layer, prefix) in [(middleware::etag as fn(App) -> App, ""), (middleware::weak_etag, "W/")] {
            let seen = run(&play().app(kind).wrap(layer), get(), pull);
            let bare = run(&play().app(kind), get(), pull);
            assert_eq!(seen.text(), "one two three", "{kind:?} {pull:?}");
            assert_eq!(seen.length, bare.length, "{kind:?} {pull:?}");
            assert_eq!(seen.threads_asked_for, bare.threads_asked_for, "{kind:?} {pull:?}: the mode is kept");
            let is_in_memory = matches!(kind, Kind::Eager | Kind::Async);
            let expected = is_in_memory.then(|| format!("{prefix}{TAG}"));
            assert_eq!(seen.header("etag").map(str::to_owned), expected, "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn the_tag_tells_bodies_apart() {
    let tag = |text| tag_of(answers(|| Head::new(200), text), get()).unwrap();
    assert_eq!(tag("one two three"), TAG);
    assert_ne!(tag("one two threE"), TAG);
    assert_ne!(tag("one two three\0"), TAG);
    assert_eq!(tag("one two three"), tag("one two three"));
}

#[test]
fn what_would_take_long_to_hash_has_no_tag() {
    let has_tag = |length: usize| {
        let app = app_fn(move |_, start_response| {
            start_response.start(200, ())?;
            Ok(vec![b'x'; length].into())
        });
        tag_of(app, get()).is_some()
    };
    let most = 16 * 1024 * 1024;
    assert_eq!([most - 1, most, most + 1].map(has_tag), [true, true, false]);
}

#[test]
fn head_gets_the_tag_of_get_where_the_body_is_made() {
    let app = answers(|| Head::new(200), "one two three");
    assert_eq!(tag_of(app.clone(), head()).as_deref(), Some(TAG));
    let seen = run(&app.wrap(middleware::etag), head(), Pull::Blocking);
    assert_eq!((seen.header("content-length"), seen.text().as_str()), (Some("13"), ""));
    for (declared, text) in [("13", ""), ("13", "one two"), ("0", "")] {
        let app = answers(move || Head::new(200).header("content-length", declared), text);
        let seen = run(&app.wrap(middleware::etag), head(), Pull::Blocking);
        assert_eq!((seen.header("etag"), seen.header("content-length")), (None, Some(declared)), "{text:?}");
    }
}

#[test]
fn only_get_and_head_with_200_get_one() {
    for status in [200, 201, 203, 204, 205, 206, 301, 304, 404, 500] {
        let tag = tag_of(answers(move || Head::new(status), if status == 204 { "" } else { "text" }), get());
        assert_eq!(tag.is_some(), status == 200, "{status}: {tag:?}");
    }
    let app = answers(|| Head::new(200), "text").wrap(middleware::etag);
    assert_eq!(run(&app, post(()), Pull::Blocking).header("etag"), None);
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let request = Request::builder().method(method).uri("/").body(()).unwrap();
        assert_eq!(run(&app, request, Pull::Blocking).header("etag"), None);
    }
}

#[test]
fn a_tag_that_is_there_stays_and_nothing_has_none() {
    let own = answers(|| Head::new(200).header("etag", "\"own\""), "text");
    assert_eq!(tag_of(own, get()).as_deref(), Some("\"own\""));
    assert_eq!(tag_of(answers(|| Head::new(200), ""), get()), None);
}

#[test]
fn errors_pass() {
    for kind in KINDS {
        let broken = Play::items(|| Head::new(200), [Item::Fail("no disk")]).app(kind).wrap(middleware::etag);
        let seen = run(&broken, get(), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.header("etag")), (500, None), "{kind:?}");
    }
    let wrong = answers(|| Head::new(200).header("content-length", 5), "text").wrap(middleware::etag);
    assert_eq!(run(&wrong, get(), Pull::Blocking).status, 500, "a wrong length stays wrong");
}

#[test]
fn lint_has_nothing_to_say() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(Body::from("text"))
    });
    let response = TestServer::new(app.wrap(middleware::weak_etag)).get("/").send();
    assert!(response.header("etag").is_some_and(|tag| tag.starts_with("W/\"4-")) && response.lint().is_empty());
}
