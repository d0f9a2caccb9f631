//! Errors and panics: rules X1 to X6.

use std::io::Read;

use futures::stream;
use vestibule::{Body, Environ, Error, Head, Input, Result, StartResponse, app_fn, async_fn};

use super::{all, stepwise};
use crate::harness::play::{Item, Kind, Play};
use crate::harness::{PULLS, Pull, get, post, run};

#[test]
fn an_error_before_the_commit_is_a_clean_500_without_its_text() {
    for (kind, pull) in all() {
        for (item, text) in
            [(Item::Fail("the password is 1234"), "password"), (Item::Panic("the key is 5678"), "key is")]
        {
            let play = Play::items(|| Head::new(200).header("x-started", "yes"), [Item::Block(""), item]);
            let seen = run(&play.app(kind), get(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{what}");
            assert_eq!(seen.text(), "500 Internal Server Error\n", "{what}");
            assert_eq!(seen.header("content-type"), Some("text/plain; charset=utf-8"), "{what}");
            assert_eq!(seen.header("x-started"), None, "{what}");
            assert_eq!(seen.outcome.end(), vestibule::End::Complete, "{what}");
            if kind != Kind::Channel {
                assert!(seen.log.contains(text), "{what}: {}", seen.log);
            }
        }
    }
}

#[test]
fn an_error_after_the_commit_aborts() {
    for (kind, pull) in stepwise() {
        for item in [Item::Fail("half way"), Item::Panic("half way")] {
            let play = Play::items(|| Head::new(200), [Item::Block("abc"), item, Item::Block("never")]);
            let seen = run(&play.app(kind), get(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str(), seen.aborted), (200, "abc", true), "{what}");
            assert_eq!(seen.outcome.end(), vestibule::End::Failed, "{what}");
            let text = if kind == Kind::Channel { "without finish()" } else { "half way" };
            assert!(seen.log.contains(text), "{what}: {}", seen.log);
            assert_eq!(play.drops.all(), 1, "{what}");
        }
    }
}

#[test]
fn a_body_is_not_pulled_again_after_its_error() {
    for (kind, pull) in stepwise().filter(|(kind, _)| *kind != Kind::Channel) {
        let play = Play::items(|| Head::new(200), [Item::Block("abc"), Item::Fail("x"), Item::Block("never")]);
        run(&play.app(kind), get(), pull);
        assert_eq!(play.pulled(), 2, "{kind:?} {pull:?}");
    }
}

#[test]
fn the_log_names_the_method_the_path_the_application_and_the_error() {
    for (kind, pull) in all().filter(|(kind, _)| *kind != Kind::Channel) {
        for started in [true, false] {
            let play = match started {
                true => Play::items(|| Head::new(200), [Item::Fail("no disk")]),
                false => Play::started(|_| Err("no disk".into()), []),
            };
            let request = http::Request::put("/a/b?secret").body(()).unwrap();
            let seen = run(&play.app(kind).named("the shop"), request, pull);
            let line = "vestibule: PUT /a/b: the shop: no disk\n";
            assert_eq!(seen.log, line, "{kind:?} {pull:?} {started}");
        }
    }
}

#[test]
fn a_log_line_stays_one_line() {
    let app = app_fn(|_, _| Err("a\r\nvestibule: forged\x1b[2J".into()));
    let seen = run(&app, get(), Pull::Blocking);
    assert_eq!(seen.log.lines().count(), 1, "{}", seen.log);
    assert!(!seen.log.contains('\x1b') && seen.log.contains("\\r\\nvestibule: forged"), "{}", seen.log);
}

#[test]
fn the_log_has_the_whole_chain_of_causes() {
    let app = app_fn(|_, _| {
        let error = anyhow::anyhow!("no such file").context("reading the settings").context("starting");
        Err(error.into())
    });
    let seen = run(&app, get(), Pull::Blocking);
    assert!(seen.log.contains("starting: reading the settings: no such file"), "{}", seen.log);
}

/// The status is that of the first vestibule error in the chain of sources, however it is wrapped.
#[test]
fn the_status_comes_from_the_first_error_that_has_one() {
    type Make = fn() -> Error;
    let rows: [(Make, u16); 11] = [
        (|| "plain".into(), 500),
        (|| std::io::Error::other("io").into(), 500),
        (|| Error::with_status(404, "x"), 404),
        (|| Error::with_status(http::StatusCode::CONFLICT, "x"), 409),
        (|| Error::with_status(408, "too slow"), 408),
        (|| Error::with_status(1000, "no status"), 500),
        (|| Error::with_status(102, "not a final one"), 500),
        (|| Error::with_status(503, Error::with_status(404, "inner").into_boxed()), 503),
        (|| std::io::Error::from(Error::with_status(418, "x")).into(), 418),
        (|| anyhow::Error::from(std::io::Error::from(Error::with_status(410, "x"))).context("around").into(), 410),
        (|| std::io::Error::other(std::io::Error::from(Error::with_status(451, "x"))).into(), 451),
    ];
    for (number, (make, status)) in rows.into_iter().enumerate() {
        for pull in PULLS {
            let called = app_fn(move |_, _| Err(make()));
            let pulled = app_fn(move |_, start_response: StartResponse| {
                start_response.start(200, ())?;
                Ok(Body::try_iter([Ok(""), Err(make())]))
            });
            let deferred = async_fn(move |_, _| async move { Err(make()) });
            for app in [called, pulled, deferred] {
                let seen = run(&app, get(), pull);
                assert_eq!(seen.status.as_u16(), status, "row {number} {pull:?} {app:?}");
                let reason = seen.status.canonical_reason().unwrap();
                assert_eq!(seen.text(), format!("{status} {reason}\n"), "row {number} {pull:?}");
            }
        }
    }
}

/// The way into `anyhow` that the documentation names: an upload over its limit stays a 413.
#[test]
fn the_status_survives_anyhow() {
    fn load(input: &mut Input) -> anyhow::Result<String> {
        input.read_text(4).map_err(|error| anyhow::Error::from_boxed(error.into_boxed()))
    }
    let app = app_fn(|mut environ: Environ, start_response: StartResponse| {
        let text = anyhow::Context::context(load(environ.input_mut()), "loading the upload")?;
        start_response.start(200, ())?;
        Ok(text.into())
    });
    assert_eq!(run(&app, post("1234"), Pull::Blocking).text(), "1234");
    let seen = run(&app, post("12345"), Pull::Blocking);
    assert!(seen.log.contains("loading the upload") && seen.log.contains("longer than 4 bytes"), "{}", seen.log);
    assert_eq!(seen.status, 413);
}

#[test]
fn faults_of_the_input_have_their_status() {
    fn read_whole(mut environ: Environ, _start_response: StartResponse) -> Result {
        let mut all = String::new();
        environ.input_mut().limit_whole_reads(4);
        environ.input_mut().read_to_string(&mut all)?;
        Err("unreachable".into())
    }
    fn read_text(mut environ: Environ, _start_response: StartResponse) -> Result {
        environ.input_mut().read_text(4)?;
        Err("unreachable".into())
    }
    let read_async = async_fn(|mut environ, _start_response| async move {
        environ.input_mut().read_bytes_async(4).await?;
        Err("unreachable".into())
    });
    for app in [vestibule::App::new(read_whole), vestibule::App::new(read_text), read_async] {
        let seen = run(&app, post(Input::from("12345")), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (413, "413 Payload Too Large\n"), "{app:?}");
        let seen = run(&app, post(Input::from("12").with_length(4)), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (400, "400 Bad Request\n"), "{app:?}");
    }
    let seen = run(&vestibule::App::new(read_text), post(&b"\xff\xfe"[..]), Pull::Blocking);
    assert_eq!(seen.status, 400);
}

#[test]
fn the_error_response_is_whole_also_where_the_body_had_known_another_length() {
    let head = || Head::new(200).header("content-length", 3).header("content-encoding", "gzip");
    for (kind, pull) in all().filter(|(kind, _)| kind.is_stepwise()) {
        let seen = run(&Play::items(head, [Item::Fail("x")]).app(kind), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.length), (500, Some(26)), "{kind:?} {pull:?}");
        assert_eq!(seen.header("content-encoding"), None, "{kind:?} {pull:?}");
    }
}

#[test]
fn the_next_request_is_answered_after_every_kind_of_failure() {
    for (kind, pull) in all() {
        for item in [Item::Fail("x"), Item::Panic("x")] {
            let broken = Play::items(|| Head::new(200), [Item::Block("a"), item]).app(kind);
            for _ in 0..3 {
                let seen = run(&broken, get(), pull);
                assert!(seen.status == 500 || seen.aborted, "{kind:?} {pull:?}");
            }
            let well = Play::new(|| Head::new(200), &["fine"]).app(kind);
            assert_eq!(run(&well, get(), pull).text(), "fine", "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn a_panic_with_any_value_is_caught() {
    struct Opaque;
    for pull in PULLS {
        let app = app_fn(|_, _| std::panic::panic_any(Opaque));
        let seen = run(&app, get(), pull);
        assert_eq!(seen.status, 500);
        assert!(seen.log.contains("panicked"), "{}", seen.log);
        let app = app_fn(|_, _| std::panic::panic_any(String::from("owned text")));
        assert!(run(&app, get(), pull).log.contains("owned text"));
    }
}

#[test]
fn a_panic_whose_value_panics_when_it_is_dropped_is_caught_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    for pull in PULLS {
        let app = app_fn(|_, _| std::panic::panic_any(Bomb));
        assert_eq!(run(&app, get(), pull).status, 500, "{pull:?}");
        let app = app_fn(|_, start_response: StartResponse| {
            start_response.start(200, ())?;
            Ok(Body::iter(std::iter::from_fn(|| -> Option<&str> { std::panic::panic_any(Bomb) })))
        });
        assert_eq!(run(&app, get(), pull).status, 500, "{pull:?}");
    }
}

#[test]
fn a_log_that_cannot_be_written_ends_no_request() {
    struct Broken;
    impl std::io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let app = app_fn(|mut environ: Environ, start_response: StartResponse| {
        environ.set_errors(vestibule::Errors::writer(Broken));
        drop(environ);
        start_response.start(200, [("content-length", "1")])?;
        Ok("four".into())
    });
    assert_eq!(run(&app, get(), Pull::Blocking).status, 500);
    let mut running = crate::harness::Running::with(get(), Pull::Blocking, |mut environ| {
        environ.set_errors(vestibule::Errors::writer(Broken));
        vestibule::Exchange::new(&app, environ)
    });
    while running.step() {}
    assert_eq!(running.finish(true).status, 500);
}

#[test]
fn a_future_that_fails_late_is_answered_for() {
    let app = async_fn(|_, start_response| async move {
        start_response.start(200, ())?;
        Ok(Body::stream(stream::iter([Ok(""), Err("late".into())])))
    });
    for pull in PULLS {
        assert_eq!(run(&app, get(), pull).status, 500, "{pull:?}");
    }
}

/// An error whose text, or whose drop, panics.
#[derive(Debug)]
struct Rude {
    text: bool,
    drop: bool,
}

impl std::fmt::Display for Rude {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        assert!(!self.text, "in the text");
        f.write_str("rude")
    }
}

impl std::error::Error for Rude {}

impl Drop for Rude {
    fn drop(&mut self) {
        assert!(!self.drop, "in the drop");
    }
}

#[test]
fn an_error_that_panics_when_it_is_told_or_dropped_is_answered_like_any_other() {
    for (text, drop) in [(true, false), (false, true), (true, true)] {
        let before = vestibule::app_fn(move |_, _| Err(Rude { text, drop }.into()));
        let response = vestibule::testing::TestServer::new(before).without_lint().get("/").send();
        assert_eq!(response.status(), 500, "{text} {drop}");
        assert!(response.is_complete());

        let after = vestibule::app_fn(move |_, start_response| {
            start_response.start(200, ())?;
            Ok(vestibule::Body::try_iter([Ok("a"), Err(Rude { text, drop }.into())]))
        });
        let response = vestibule::testing::TestServer::new(after).without_lint().get("/").send();
        assert_eq!((response.status().as_u16(), response.is_complete()), (200, false), "{text} {drop}");
        assert_eq!(response.end(), Some(vestibule::End::Failed));
    }
}

#[test]
fn a_chain_of_sources_that_leads_back_to_itself_ends() {
    #[derive(Debug)]
    struct Circle;
    impl std::fmt::Display for Circle {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("circle")
        }
    }
    impl std::error::Error for Circle {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(self)
        }
    }
    let error = vestibule::Error::from(Circle);
    assert_eq!(error.status(), None);
    assert!(format!("{error:?}").lines().count() < 100);
}
