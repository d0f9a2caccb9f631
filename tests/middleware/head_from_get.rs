//! `head_from_get`.

use http::Method;
use vestibule::testing::TestServer;
use vestibule::{Body, Head, app_fn, middleware};

use super::across::across;
use crate::harness::play::{KINDS, Play};
use crate::harness::{PULLS, head, run};

#[test]
fn every_kind_of_answer_stays_as_it_is() {
    across(middleware::head_from_get, |_, _, _| {});
}

#[test]
fn the_application_sees_get_and_what_is_around_sees_head() {
    let echo = || {
        app_fn(|environ, start_response| {
            start_response.send(Head::new(200).header("x-method", environ.method().as_str()))?;
            Ok("tea".into())
        })
    };
    let methods = [("HEAD", "GET"), ("GET", "GET"), ("POST", "POST"), ("OPTIONS", "OPTIONS"), ("head", "head")];
    for (sent, seen) in methods {
        let response = TestServer::new(echo().wrap(middleware::head_from_get)).without_lint().request(sent, "/").send();
        assert_eq!(response.header("x-method"), Some(seen), "{sent}");
        assert_eq!(response.text(), if sent == "HEAD" { "" } else { "tea" });
    }
    let outside = middleware::map_environ(|environ| assert_eq!(environ.method(), Method::HEAD));
    let app = echo().wrap(middleware::head_from_get).wrap(outside);
    assert_eq!(TestServer::new(app).head("/").send().header("x-method"), Some("GET"));
}

#[test]
fn the_body_is_closed_unread_and_its_length_is_told() {
    for kind in KINDS {
        for pull in PULLS {
            let play = Play::new(|| Head::new(200), &["one ", "two ", "three"]);
            let seen = run(&play.app(kind).wrap(middleware::head_from_get), head(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str(), seen.aborted), (200, "", false), "{what}");
            assert_eq!(seen.header("content-length"), kind.knows_its_length().then_some("13"), "{what}");
            // A body that starts its response in its first pull has to be pulled once.
            assert!(play.pulled() <= 1, "{what}: {} pulls", play.pulled());
            assert_eq!(seen.outcome.body_bytes(), 0, "{what}");
        }
    }
}

#[test]
fn a_body_without_an_end_is_dropped() {
    let (sender, closed) = std::sync::mpsc::channel();
    let app = app_fn(move |_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        let sender = sender.clone();
        Ok(Body::iter(std::iter::repeat("for ever ")).on_close(move || sender.send("closed").unwrap()))
    });
    let response = TestServer::new(app.wrap(middleware::head_from_get)).head("/").send();
    assert_eq!((response.text().as_str(), response.header("content-length")), ("", None));
    assert_eq!(closed.try_iter().collect::<Vec<_>>(), ["closed"]);
}
