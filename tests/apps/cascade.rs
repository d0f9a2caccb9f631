//! `cascade`: who is asked, what becomes of the answers that are passed over, and of the request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use vestibule::apps::{cascade, cascade_when};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Error, Head, app_fn, async_fn, middleware};

use super::{all, get, harness, named, quick};
use harness::play::{Item, KINDS, Play};
use harness::{Drops, PULLS, Pull, run};

fn answering(status: u16) -> App {
    app_fn(move |_, start_response| {
        start_response.start(status, [("x-from", status.to_string())])?;
        Ok(format!("this is {status}").into())
    })
}

fn missing() -> Play {
    Play::new(|| Head::new(404).header("x-passed", "over"), &["", "not ", "here"])
}

fn found() -> Play {
    Play::new(|| Head::new(201).header("x-found", "yes"), &["", "it is ", "here"])
}

#[test]
fn the_first_answer_that_is_no_404_or_405_stands() {
    for (statuses, answer) in [
        (&[200, 201][..], 200),
        (&[404, 201, 202], 201),
        (&[405, 404, 202], 202),
        (&[403, 200], 403),
        (&[410, 200], 410),
        (&[500, 200], 500),
        (&[404, 405], 405),
        (&[405, 404], 404),
        (&[404], 404),
    ] {
        let server = TestServer::new(cascade(statuses.iter().map(|status| answering(*status))));
        let response = server.get("/").send();
        assert_eq!(response.status().as_u16(), answer, "{statuses:?}");
        assert_eq!(response.text(), format!("this is {answer}"), "{statuses:?}");
        assert_eq!(response.header("x-from"), Some(&*answer.to_string()), "{statuses:?}");
    }
    let nobody = TestServer::new(cascade(Vec::<App>::new())).get("/").send();
    assert_eq!((nobody.status().as_u16(), nobody.text().as_str()), (404, "404 Not Found\n"));
}

#[test]
fn every_kind_passes_over_to_every_kind() {
    for (first, pull) in all() {
        for second in KINDS {
            let (missing, found) = (missing(), found());
            let app = cascade([missing.app(first), found.app(second)]);
            for request in [get("/"), http::Request::head("/").body(()).unwrap()] {
                let what = format!("{first:?} {second:?} {pull:?} {}", request.method());
                let is_head = request.method() == http::Method::HEAD;
                let before = (missing.drops.all(), found.drops.all());
                let seen = run(&app, request, pull);
                assert_eq!(seen.status.as_u16(), 201, "{what}: {}", seen.log);
                assert_eq!(seen.text(), if is_head { "" } else { "it is here" }, "{what}");
                assert_eq!((seen.header("x-passed"), seen.header("x-found")), (None, Some("yes")), "{what}");
                assert!(!seen.aborted, "{what}: {}", seen.log);
                assert_eq!(missing.drops.all() - before.0, 1, "{what}: what is passed over is closed once");
                assert_eq!(found.drops.all() - before.1, 1, "{what}");
            }
        }
    }
}

#[test]
fn an_answer_that_stands_is_sent_in_its_blocks_and_mode() {
    for (kind, pull) in all() {
        let bare = run(&found().app(kind), get("/"), pull);
        for place in [vec![found().app(kind), answering(200)], vec![quick_missing(), found().app(kind)]] {
            let seen = run(&cascade(place), get("/"), pull);
            assert_eq!((seen.blocks, seen.length), (bare.blocks.clone(), bare.length), "{kind:?} {pull:?}");
        }
    }
}

fn quick_missing() -> App {
    async_fn(|_, start_response| async move {
        start_response.start(404, ())?;
        Ok("no".into())
    })
}

#[test]
fn what_is_passed_over_is_closed_unread_before_the_next_is_called() {
    for pull in PULLS {
        let events: Arc<Mutex<Vec<&str>>> = Arc::default();
        let (closed, called, pulled) = (Arc::clone(&events), Arc::clone(&events), Arc::clone(&events));
        let first = app_fn(move |_, start_response| {
            start_response.start(404, ())?;
            let (closed, pulled) = (Arc::clone(&closed), Arc::clone(&pulled));
            let blocks = ["", "a", "b"].into_iter().inspect(move |block| {
                if *block == "b" {
                    pulled.lock().unwrap().push("pulled");
                }
            });
            Ok(Body::iter(blocks).on_close(move || closed.lock().unwrap().push("closed")))
        });
        let second = app_fn(move |_, start_response| {
            called.lock().unwrap().push("called");
            start_response.start(200, ())?;
            Ok("here".into())
        });
        assert_eq!(run(&cascade([first, second]), get("/"), pull).text(), "here");
        assert_eq!(*events.lock().unwrap(), ["closed", "called"], "{pull:?}");
    }
}

#[test]
fn a_blocking_one_is_never_called_on_the_reactor_and_a_blocking_body_never_closed_there() {
    for first in KINDS {
        let (calls, closes) = (Drops::default(), Drops::default());
        let (called, closed) = (calls.clone(), closes.clone());
        let blocking = app_fn(move |_, start_response| {
            called.note();
            start_response.start(200, ())?;
            Ok("here".into())
        });
        let blocking_close = middleware::map_body(move |body| {
            let closed = closed.clone();
            body.on_close(move || closed.note())
        });
        let app = cascade([missing().app(first).wrap(blocking_close), blocking]);
        assert_eq!(run(&app, get("/"), Pull::Async).text(), "here", "{first:?}");
        assert_eq!((calls.all(), calls.on_reactor()), (1, 0), "{first:?}");
        assert_eq!((closes.all(), closes.on_reactor()), (1, 0), "{first:?}");
    }
}

#[test]
fn without_a_blocking_one_no_thread_is_asked_for() {
    let app = cascade([quick_missing(), quick_missing(), quick("here")]);
    assert!(!app.may_block());
    let seen = run(&app, get("/"), Pull::Async);
    assert_eq!((seen.text().as_str(), seen.threads_asked_for), ("here", 0));
    assert!(cascade([quick("a"), named("b")]).may_block());
}

#[test]
fn nested_cascades_lose_no_late_answer() {
    for (kind, pull) in all() {
        let inner = cascade([missing().app(kind), missing().app(kind)]);
        let app = cascade([inner.clone(), cascade([inner, found().app(kind)]), answering(200)]);
        let seen = run(&app, get("/"), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.text().as_str()),
            (201, "it is here"),
            "{kind:?} {pull:?}: {}",
            seen.log
        );
    }
}

#[test]
fn the_next_one_gets_the_request_as_it_was_and_the_input_unread() {
    let vandal = app_fn(|mut environ, start_response| {
        environ.set_path(b"/elsewhere", b"/x")?;
        environ.set_method(http::Method::DELETE);
        environ.headers_mut().clear();
        environ.extensions_mut().insert(7_u8);
        start_response.start(404, ())?;
        Ok("".into())
    });
    let echo = app_fn(|mut environ, start_response| {
        assert!(environ.extension::<u8>().is_err());
        let text = environ.input_mut().read_text(100)?;
        start_response.start(200, ())?;
        let tea = environ.headers()["x-tea"].to_str()?.to_owned();
        Ok(format!("{} {} {tea} {text}", environ.method(), environ.path_info()).into())
    });
    for length in [None, Some(5)] {
        let blocks = Body::iter(["he", "llo"]);
        let mut input = vestibule::Input::from(blocks);
        if let Some(length) = length {
            input = input.with_length(length);
        }
        let request = http::Request::post("/a").header("x-tea", "green").body(input).unwrap();
        let seen = run(&cascade([vandal.clone(), vandal.clone(), echo.clone()]), request, Pull::Blocking);
        assert_eq!(seen.text(), "POST /a green hello", "{}", seen.log);
    }
}

#[test]
fn what_one_reads_the_next_does_not() {
    let greedy = app_fn(|mut environ, start_response| {
        assert_eq!(environ.input_mut().read_text(100)?, "hello");
        start_response.start(404, ())?;
        Ok("".into())
    });
    let rest = app_fn(|mut environ, start_response| {
        let text = environ.input_mut().read_text(100)?;
        start_response.start(200, ())?;
        Ok(format!("rest: {text:?}").into())
    });
    assert_eq!(TestServer::new(cascade([greedy, rest])).post("/").body("hello").send().text(), "rest: \"\"");
}

#[test]
fn errors_and_panics_do_not_fall_through() {
    for (kind, pull) in all() {
        for item in [Item::Fail("broken"), Item::Panic("broken")] {
            let broken = Play::items(|| Head::new(404), [item.clone()]);
            let seen = run(&cascade([broken.app(kind), answering(200)]), get("/"), pull);
            // A thread that fails drops its sender, which is an error as well.
            assert_eq!(seen.status.as_u16(), 500, "{kind:?} {pull:?} {item:?}");
        }
    }
    let error = app_fn(|_, _| Err(Error::with_status(404, "no such user")));
    let server = TestServer::new(cascade([error, answering(200)]));
    let response = server.get("/").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (404, "404 Not Found\n"));
}

#[test]
fn the_hooks_of_those_that_are_passed_over_see_no_head_that_is_sent() {
    for (kind, pull) in all() {
        let mark =
            middleware::map_head(|head| drop(head.headers.insert("x-first", http::HeaderValue::from_static("1"))));
        let outer = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&outer);
        let count = middleware::map_head(move |head| {
            assert_eq!(head.status.as_u16(), 201);
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let app = cascade([missing().app(kind).wrap(mark), found().app(kind)]).wrap(count);
        let seen = run(&app, get("/"), pull);
        assert_eq!((seen.header("x-first"), outer.load(Ordering::SeqCst)), (None, 1), "{kind:?} {pull:?}");
    }
}

#[test]
fn any_head_can_be_let_through() {
    let wanted = |head: &Head| head.headers.contains_key("x-pass");
    let passing = app_fn(|_, start_response| {
        start_response.start(200, [("x-pass", "yes")])?;
        Ok("passed".into())
    });
    let server = TestServer::new(cascade_when(wanted, [passing.clone(), answering(404), answering(200)]));
    assert_eq!(server.get("/").send().status(), 404);
    // Of the last one too: its answer stands.
    assert_eq!(TestServer::new(cascade_when(wanted, [passing])).get("/").send().text(), "passed");
}

#[test]
fn an_application_that_waits_for_its_own_body_is_told_so_wherever_it_is_asked() {
    let filling = || {
        app_fn(|_, start_response| {
            start_response.start(200, ())?;
            let (mut sender, body) = Body::channel(1);
            // Nobody pulls the body before it is returned.
            sender.blocking_send("one")?;
            sender.blocking_send("two")?;
            sender.finish()?;
            Ok(body)
        })
    };
    let async_missing = async_fn(|_, start_response| async move {
        start_response.start(404, ())?;
        Ok("".into())
    });
    for apps in [vec![filling()], vec![answering(404), filling()], vec![async_missing, filling()]] {
        let (sender, seen) = std::sync::mpsc::channel();
        let app = cascade(apps);
        std::thread::spawn(move || sender.send(run(&app, get("/"), Pull::Async)).unwrap());
        let seen = seen.recv_timeout(std::time::Duration::from_secs(30)).expect("the wait is refused");
        assert_eq!(seen.status, 500);
        assert!(seen.log.contains("the channel is full"), "{}", seen.log);
    }
}
