//! The combinators of `middleware`, each around every kind of application.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

#[path = "middleware/access_log.rs"]
mod access_log;
#[path = "middleware/body_limit.rs"]
mod body_limit;
#[path = "middleware/concurrency_limit.rs"]
mod concurrency_limit;
#[path = "middleware/error_documents.rs"]
mod error_documents;
#[path = "middleware/internal_redirect.rs"]
mod internal_redirect;
#[cfg(feature = "metrics")]
#[path = "middleware/metrics.rs"]
mod metrics;
#[path = "middleware/passing.rs"]
mod passing;
#[path = "middleware/timeout.rs"]
mod timeout;
#[cfg(feature = "tracing")]
#[path = "middleware/trace.rs"]
mod trace;
#[cfg(feature = "trusted-proxies")]
#[path = "middleware/trusted_proxies.rs"]
mod trusted_proxies;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use harness::play::{Item, KINDS, Kind, Play};
use harness::{PULLS, Pull, Seen, get, run};
use http::{HeaderValue, StatusCode};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Bytes, Environ, Head, StartResponse, app_fn, async_fn, middleware};

fn all() -> impl Iterator<Item = (Kind, Pull)> {
    KINDS.into_iter().flat_map(|kind| PULLS.into_iter().map(move |pull| (kind, pull)))
}

fn play() -> Play {
    Play::new(|| Head::new(200).header("x-inner", "yes"), &["one ", "", "two ", "three"])
}

/// Runs a middleware around every kind of application, in both ways, and keeps the mode in mind.
fn around(layer: impl Fn(App) -> App, check: impl Fn(&str, Seen)) {
    for (kind, pull) in all() {
        let seen = run(&play().app(kind).wrap(&layer), get(), pull);
        if pull == Pull::Async {
            let bare = run(&play().app(kind), get(), pull);
            assert_eq!(seen.threads_asked_for > 0, bare.threads_asked_for > 0, "{kind:?}: the mode is kept");
        }
        assert!(!seen.aborted, "{kind:?} {pull:?}: {}", seen.log);
        check(&format!("{kind:?} {pull:?}"), seen);
    }
}

#[test]
fn map_environ_changes_the_request() {
    let seen_by_app: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = Arc::clone(&seen_by_app);
    let note = middleware::map_environ(move |environ| notes.lock().unwrap().push(environ.path_info().into_owned()));
    let change = middleware::map_environ(|environ| environ.set_path(b"", b"/changed").unwrap());
    around(|app| app.wrap(&note).wrap(&change), |what, seen| assert_eq!(seen.text(), "one two three", "{what}"));
    let paths = seen_by_app.lock().unwrap();
    assert!(paths.len() >= KINDS.len() * 2 && paths.iter().all(|path| path == "/changed"), "{paths:?}");
}

#[test]
fn map_head_changes_the_head() {
    let layer = middleware::map_head(|head| {
        head.status = StatusCode::CREATED;
        head.headers.insert("x-outer", HeaderValue::from_static("yes"));
    });
    around(layer, |what, seen| {
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (201, "one two three"), "{what}");
        assert_eq!((seen.header("x-inner"), seen.header("x-outer")), (Some("yes"), Some("yes")), "{what}");
    });
}

#[test]
fn map_body_changes_the_body() {
    let shout = middleware::map_body(|body| body.map_chunks(|block| block.to_ascii_uppercase().into()));
    around(shout, |what, seen| assert_eq!(seen.text(), "ONE TWO THREE", "{what}"));
    let sign = middleware::map_body(|body| {
        body.transform(|block| Ok(block.unwrap_or_else(|| Bytes::from_static(b" signed"))))
    });
    around(sign, |what, seen| assert_eq!(seen.text(), "one two three signed", "{what}"));
}

#[test]
fn map_response_changes_both_and_knows_the_request() {
    let layer = middleware::map_response(|environ: &mut Environ| {
        let path = environ.raw_path().to_owned();
        move |head: Head, body: Body| {
            assert_eq!(head.headers["x-inner"], "yes");
            let body = body.transform(move |block| Ok(block.unwrap_or_else(|| path.clone().into())));
            Ok((head.header("x-outer", "yes"), body))
        }
    });
    around(layer, |what, seen| {
        assert_eq!((seen.text().as_str(), seen.header("x-outer")), ("one two three/path", Some("yes")), "{what}");
    });
    let replace = middleware::map_response(|_| |_, _| Ok((Head::new(410), Body::from("gone"))));
    around(replace, |what, seen| {
        assert_eq!((seen.status.as_u16(), seen.text().as_str(), seen.length), (410, "gone", Some(4)), "{what}");
    });
}

#[test]
fn map_response_lets_errors_pass() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let layer = middleware::map_response(move |_| {
        let counted = Arc::clone(&counted);
        move |head, body| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok((head, body))
        }
    });
    for (kind, pull) in all() {
        let app = Play::items(|| Head::new(200), [Item::Fail("broken")]).app(kind).wrap(&layer);
        let seen = run(&app, get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.text().as_str()),
            (500, "500 Internal Server Error\n"),
            "{kind:?} {pull:?}"
        );
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let failing = middleware::map_response(|_| |_, _| Err(vestibule::Error::with_status(406, "nothing fits")));
    for (kind, pull) in all() {
        assert_eq!(run(&play().app(kind).wrap(&failing), get(), pull).status, 406, "{kind:?} {pull:?}");
    }
}

#[test]
fn only_if_picks_requests() {
    let mark = middleware::map_head(|head| drop(head.headers.insert("x-marked", HeaderValue::from_static("yes"))));
    let layer = middleware::only_if(|environ| environ.query_string() == "mark", mark);
    for (kind, pull) in all() {
        let app = play().app(kind).wrap(&layer);
        for (target, marked) in [("/path", None), ("/path?mark", Some("yes"))] {
            let request = http::Request::get(target).body(()).unwrap();
            let seen = run(&app, request, pull);
            assert_eq!((seen.text().as_str(), seen.header("x-marked")), ("one two three", marked), "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn only_if_makes_its_middleware_once_and_asks_once_a_request() {
    let (made, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (making, asking) = (Arc::clone(&made), Arc::clone(&asked));
    let layer = middleware::only_if(
        move |_| asking.fetch_add(1, Ordering::SeqCst) % 2 == 0,
        move |inner: App| {
            making.fetch_add(1, Ordering::SeqCst);
            inner
        },
    );
    let app = play().app(Kind::Eager).wrap(layer);
    for _ in 0..4 {
        run(&app, get(), Pull::Blocking);
    }
    assert_eq!((made.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (1, 4));
}

#[test]
fn only_if_blocks_where_one_of_its_two_ways_does() {
    let quick = || async_fn(|_, start_response| async move { start_response.start(200, ()).map(|()| "quick".into()) });
    let blocking = |inner: App| app_fn(move |environ, start_response| inner.call(environ, start_response));
    assert!(!quick().may_block());
    assert!(quick().wrap(middleware::only_if(|_| true, blocking)).may_block());
    assert!(!quick().wrap(middleware::only_if(|_| true, |inner| inner)).may_block());
    assert!(blocking(quick()).wrap(middleware::only_if(|_| true, move |_| quick())).may_block());
}

#[test]
fn the_crates_own_middleware_passes_on_whether_it_blocks() {
    let layers: [Box<dyn Fn(App) -> App>; 6] = [
        Box::new(middleware::map_environ(|_| {})),
        Box::new(middleware::map_head(|_| {})),
        Box::new(middleware::map_body(|body| body)),
        Box::new(middleware::map_response(|_| |head, body| Ok((head, body)))),
        Box::new(middleware::only_if(|_| true, |inner| inner)),
        Box::new(middleware::recover(|_| (Head::new(500), Body::empty()))),
    ];
    for (number, layer) in layers.iter().enumerate() {
        for kind in KINDS {
            let app = play().app(kind).named("the shop");
            let wrapped = layer(app.clone());
            assert_eq!(wrapped.may_block(), app.may_block(), "layer {number} around {kind:?}");
            assert_eq!(format!("{wrapped:?}"), "App(\"the shop\")", "layer {number}: logs name the application");
        }
    }
}

#[test]
fn recover_makes_a_page_of_errors_and_panics() {
    let layer = middleware::recover(|error| {
        let status = error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (Head::new(status).header("x-page", "ours"), Body::from("Something broke.\n"))
    });
    for (kind, pull) in all() {
        for item in [Item::Fail("no disk"), Item::Panic("no disk")] {
            let play = Play::items(|| Head::new(200).header("x-inner", "yes"), [Item::Block(""), item]);
            let seen = run(&play.app(kind).wrap(&layer), get(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (500, "Something broke.\n"), "{what}");
            assert_eq!((seen.header("x-page"), seen.header("x-inner")), (Some("ours"), None), "{what}");
            assert!(kind == Kind::Channel || seen.log.contains("recovered from: "), "{what}: {}", seen.log);
            assert_eq!(seen.log.lines().count(), 1, "{what}: it is told of once: {}", seen.log);
        }
        let seen = run(&play().app(kind).wrap(&layer), get(), pull);
        assert_eq!((seen.text().as_str(), seen.header("x-page")), ("one two three", None), "{kind:?} {pull:?}");
        let missing = Play::started(|_| Err(vestibule::Error::with_status(404, "x")), []);
        assert_eq!(run(&missing.app(kind).wrap(&layer), get(), pull).status, 404, "{kind:?} {pull:?}");
        let never = Play::started(|_| Ok(()), []);
        assert_eq!(run(&never.app(kind).wrap(&layer), get(), pull).header("x-page"), Some("ours"), "{kind:?} {pull:?}");
    }
    for (kind, pull) in all().filter(|(kind, _)| kind.is_stepwise()) {
        let late = Play::items(|| Head::new(200), [Item::Block("half"), Item::Fail("late")]);
        let seen = run(&late.app(kind).wrap(&layer), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.aborted), (200, true), "{kind:?} {pull:?}: it is too late for a page");
    }
}

#[test]
fn a_page_that_cannot_be_sent_is_a_500() {
    for page in [
        |_: &vestibule::Error| (Head::new(100), Body::empty()),
        |_: &vestibule::Error| (Head::new(500).header("connection", "close"), Body::empty()),
        |_: &vestibule::Error| panic!("in the page"),
    ] {
        let app = app_fn(|_, _| Err("broken".into())).wrap(middleware::recover(page));
        let seen = run(&app, get(), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (500, "500 Internal Server Error\n"));
    }
}

/// A factory's result is Clone + Send + Sync, whatever it is made of; none of these closures is Clone.
#[test]
fn what_a_factory_gives_can_be_cloned_and_shared() {
    fn is_shared<M: Fn(App) -> App + Clone + Send + Sync + 'static>(layer: M) -> impl Fn(App) -> App + Send + Sync {
        let second = layer.clone();
        move |inner| second(layer(inner))
    }
    struct NotClone(&'static str);
    let value = || NotClone("x");
    let (a, b, c, d, e, f, g) = (value(), value(), value(), value(), value(), value(), value());
    let layers: Vec<Box<dyn Fn(App) -> App + Send + Sync>> = vec![
        Box::new(is_shared(middleware::map_environ(move |environ| environ.set_var("x.y", a.0).unwrap()))),
        Box::new(is_shared(middleware::map_head(move |head| {
            assert_eq!(b.0, head.headers["x-inner"].to_str().map_or("", |_| "x"));
        }))),
        Box::new(is_shared(middleware::map_body(move |body| if c.0.is_empty() { Body::empty() } else { body }))),
        Box::new(is_shared(middleware::map_response(move |_| {
            let text = d.0;
            move |head, body| Ok((head.header("x-response", text), body))
        }))),
        Box::new(is_shared(middleware::only_if(move |_| !e.0.is_empty(), move |inner| inner.named(f.0)))),
        Box::new(is_shared(middleware::recover(move |_| (Head::new(500), g.0.into())))),
    ];
    // A list of middleware is folded like any other list; the first is outermost.
    for (kind, pull) in all() {
        let app = layers.iter().rfold(play().app(kind), |app, layer| layer(app));
        let seen = run(&app, get(), pull);
        assert_eq!(
            (seen.text().as_str(), seen.header("x-response")),
            ("one two three", Some("x")),
            "{kind:?} {pull:?}"
        );
    }
    std::thread::scope(|scope| {
        for layer in &layers {
            scope.spawn(move || {
                assert_eq!(run(&play().app(Kind::Eager).wrap(layer), get(), Pull::Blocking).status, 200);
            });
        }
    });
}

#[test]
fn the_last_wrap_is_outermost() {
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let layer = |name: &'static str| {
        let notes = Arc::clone(&notes);
        move |inner: App| {
            let notes = Arc::clone(&notes);
            app_fn(move |environ: Environ, start_response: StartResponse| {
                notes.lock().unwrap().push(format!("{name} in"));
                let notes = Arc::clone(&notes);
                inner.call(environ, start_response.on_head(move |_| notes.lock().unwrap().push(format!("{name} out"))))
            })
        }
    };
    let app = play().app(Kind::Eager).wrap(layer("first")).wrap(layer("second")).wrap(layer("third"));
    run(&app, get(), Pull::Blocking);
    let expected = ["third in", "second in", "first in", "first out", "second out", "third out"];
    assert_eq!(*notes.lock().unwrap(), expected);
}

#[test]
fn a_middleware_that_answers_itself_runs_neither_the_inner_application_nor_its_hooks() {
    let inner_calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&inner_calls);
    let app = app_fn(move |_, start_response| {
        counted.fetch_add(1, Ordering::SeqCst);
        start_response.start(200, ())?;
        Ok("secret".into())
    });
    let mark = |name: &'static str| {
        middleware::map_head(move |head| drop(head.headers.insert(name, HeaderValue::from_static("yes"))))
    };
    let guard = |inner: App| {
        app_fn(move |environ, start_response| match environ.headers().contains_key("authorization") {
            true => inner.call(environ, start_response),
            false => {
                start_response.start(401, [("www-authenticate", "Basic"), ("content-type", "text/plain")])?;
                Ok("who are you?".into())
            }
        })
    };
    let server = TestServer::new(app.wrap(mark("x-inner")).wrap(guard).wrap(mark("x-outer")));
    let response = server.get("/").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (401, "who are you?"));
    assert_eq!((response.header("x-inner"), response.header("x-outer")), (None, Some("yes")));
    assert_eq!(inner_calls.load(Ordering::SeqCst), 0);
}
