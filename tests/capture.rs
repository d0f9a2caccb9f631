//! `capture`, for every kind of application, pulled by threads and by a reactor: rules M4 to M6.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use harness::play::{Item, KINDS, Kind, Play};
use harness::{Drops, PULLS, Pull, Running, get, head, run};
use http::HeaderValue;
use vestibule::{App, Body, Bytes, Head, Result, StartResponse, app_fn, capture, middleware};

fn all() -> impl Iterator<Item = (Kind, Pull)> {
    KINDS.into_iter().flat_map(|kind| PULLS.into_iter().map(move |pull| (kind, pull)))
}

/// A middleware around `capture` that blocks where the inner application does.
fn capturing(
    then: impl Fn(Result<(Head, Body)>, StartResponse) -> Result + Clone + Send + Sync + 'static,
) -> impl Fn(App) -> App {
    move |inner| {
        let (then, may_block) = (then.clone(), inner.may_block());
        let app = app_fn(move |environ, start_response| capture(&inner, environ, start_response, then.clone()));
        if may_block { app } else { app.nonblocking() }
    }
}

fn pass_on(response: Result<(Head, Body)>, start_response: StartResponse) -> Result {
    let (head, body) = response?;
    start_response.send(head)?;
    Ok(body)
}

fn teapot() -> Head {
    Head::new(418).header("x-inner", "yes").reason("Short and stout").unwrap()
}

#[test]
fn a_response_that_is_passed_on_is_the_same_response() {
    for (kind, pull) in all() {
        for request in [get(), head()] {
            for blocks in [&["a", "", "b", "c"][..], &[][..]] {
                let play = Play::new(teapot, blocks);
                let bare = run(&play.app(kind), request.clone(), pull);
                let captured = run(&play.app(kind).wrap(capturing(pass_on)), request.clone(), pull);
                let what = format!("{kind:?} {pull:?} {} {blocks:?}", request.method());
                assert_eq!(captured.status, bare.status, "{what}");
                assert_eq!(captured.reason, bare.reason, "{what}");
                assert_eq!(captured.headers, bare.headers, "{what}");
                assert_eq!(captured.blocks, bare.blocks, "{what}: in the same blocks");
                assert_eq!(captured.aborted, bare.aborted, "{what}");
            }
        }
    }
}

#[test]
fn then_runs_once_and_sees_the_head_and_the_whole_body() {
    for (kind, pull) in all() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let play = Play::new(teapot, &["", "a", "b"]);
        let app = play.app(kind).wrap(capturing(move |response, start_response| {
            counted.fetch_add(1, Ordering::SeqCst);
            let (head, body) = response?;
            assert_eq!((head.status.as_u16(), &head.headers["x-inner"]), (418, &HeaderValue::from_static("yes")));
            assert_eq!(head.reason_phrase(), Some("Short and stout"));
            start_response.start(200, ())?;
            Ok(body.transform(|block| Ok(block.unwrap_or_else(|| Bytes::from_static(b"!")))))
        }));
        let seen = run(&app, get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "ab!"), "{kind:?} {pull:?}");
        assert_eq!(seen.header("x-inner"), None, "{kind:?} {pull:?}: only what `then` gives is sent");
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{kind:?} {pull:?}");
        assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}");
    }
}

#[test]
fn a_body_that_is_replaced_is_closed_and_not_sent() {
    for (kind, pull) in all() {
        let play = Play::new(|| Head::new(404), &["the inner ", "page"]);
        let app = play.app(kind).wrap(capturing(|response, start_response| {
            let (head, body) = response?;
            drop(body);
            start_response.start(head.status, [("x-page", "ours")])?;
            Ok("our page".into())
        }));
        let seen = run(&app, get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.text().as_str(), seen.length),
            (404, "our page", Some(8)),
            "{kind:?} {pull:?}"
        );
        assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}");
        if kind.is_stepwise() && kind != Kind::Channel {
            assert_eq!(play.pulled(), 1, "{kind:?} {pull:?}: it was not pulled further");
        }
    }
}

#[test]
fn errors_and_panics_before_the_commit_reach_then() {
    for (kind, pull) in all() {
        for item in [Item::Fail("broken"), Item::Panic("broken")] {
            let play = Play::items(teapot, [Item::Block(""), item]);
            let app = play.app(kind).wrap(capturing(|response, start_response| {
                let error = response.map(drop).unwrap_err();
                start_response.start(503, [("retry-after", "1")])?;
                Ok(format!("sorry: {error}").into())
            }));
            let seen = run(&app, get(), pull);
            let what = format!("{kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.header("retry-after")), (503, Some("1")), "{what}");
            assert!(kind == Kind::Channel || seen.text().contains("broken"), "{what}: {}", seen.text());
            assert_eq!(seen.header("x-inner"), None, "{what}");
            assert_eq!(seen.log, "", "{what}: it was answered for");
        }
    }
}

#[test]
fn what_never_started_reaches_then_as_an_error() {
    for (kind, pull) in all() {
        for items in [vec![], vec![Item::Block("early")]] {
            let app = Play::started(|_| Ok(()), items).app(kind).named("the shop").wrap(capturing(
                |response, start_response| {
                    let error = response.map(drop).unwrap_err();
                    start_response.start(500, ())?;
                    Ok(error.to_string().into())
                },
            ));
            let seen = run(&app, get(), pull);
            assert!(seen.text().contains("start_response"), "{kind:?} {pull:?}: {}", seen.text());
        }
    }
}

#[test]
fn an_error_after_the_commit_passes_through_and_aborts() {
    for (kind, pull) in all().filter(|(kind, _)| kind.is_stepwise()) {
        let play = Play::items(teapot, [Item::Block("half"), Item::Fail("late")]);
        let seen = run(&play.app(kind).wrap(capturing(pass_on)), get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.text().as_str(), seen.aborted),
            (418, "half", true),
            "{kind:?} {pull:?}"
        );
    }
}

#[test]
fn an_error_or_a_panic_of_then_is_a_500() {
    for (kind, pull) in all() {
        for panics in [true, false] {
            let play = Play::new(teapot, &["a", "b"]);
            let app = play.app(kind).wrap(capturing(move |response, start_response| {
                let (head, _body) = response?;
                start_response.send(head)?;
                assert!(!panics, "in then");
                Err("in then".into())
            }));
            let seen = run(&app, get(), pull);
            assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{kind:?} {pull:?} {panics}");
            assert!(seen.log.contains("in then"), "{kind:?} {pull:?}: {}", seen.log);
            assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn then_may_forget_to_start_and_is_answered_for() {
    for (kind, pull) in all() {
        let app = Play::new(teapot, &["a"]).app(kind).wrap(capturing(|response, _start_response| Ok(response?.1)));
        let seen = run(&app, get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.text().as_str()),
            (500, "500 Internal Server Error\n"),
            "{kind:?} {pull:?}"
        );
    }
}

fn noting(name: &'static str, notes: &Arc<Mutex<Vec<String>>>) -> impl Fn(App) -> App {
    let notes = Arc::clone(notes);
    middleware::map_head(move |head| notes.lock().unwrap().push(format!("{name} {}", head.status.as_u16())))
}

#[test]
fn hooks_inside_run_before_then_and_those_outside_on_what_it_starts() {
    for (kind, pull) in all() {
        let notes: Arc<Mutex<Vec<String>>> = Arc::default();
        let in_then = Arc::clone(&notes);
        let app = Play::new(teapot, &["a"]).app(kind).wrap(noting("inner", &notes)).wrap(noting("middle", &notes));
        let app = app.wrap(capturing(move |response, start_response| {
            let (_, body) = response?;
            in_then.lock().unwrap().push("then".to_owned());
            start_response.start(201, ())?;
            Ok(body)
        }));
        let app = app.wrap(noting("outer", &notes)).wrap(noting("outermost", &notes));
        assert_eq!(run(&app, get(), pull).status, 201);
        let expected = ["inner 418", "middle 418", "then", "outer 201", "outermost 201"];
        assert_eq!(*notes.lock().unwrap(), expected, "{kind:?} {pull:?}");
    }
}

#[test]
fn hooks_inside_of_a_failure_see_no_head() {
    for (kind, pull) in all() {
        let notes: Arc<Mutex<Vec<String>>> = Arc::default();
        let app = Play::items(teapot, [Item::Fail("broken")]).app(kind).wrap(noting("inner", &notes));
        let app = app.wrap(capturing(|response, start_response| {
            assert!(response.is_err());
            start_response.start(200, ())?;
            Ok("replaced".into())
        }));
        assert_eq!(run(&app.wrap(noting("outer", &notes)), get(), pull).status, 200);
        assert_eq!(*notes.lock().unwrap(), ["outer 200"], "{kind:?} {pull:?}");
    }
}

#[test]
fn a_head_that_a_hook_inside_spoiled_reaches_then_as_an_error() {
    for (kind, pull) in all() {
        let spoil = middleware::map_head(|head| drop(head.headers.insert("te", HeaderValue::from_static("x"))));
        let app = Play::new(teapot, &["a"]).app(kind).wrap(spoil).wrap(capturing(|response, start_response| {
            assert!(response.map(drop).unwrap_err().to_string().contains("hop-by-hop"));
            start_response.start(200, ())?;
            Ok("mended".into())
        }));
        assert_eq!(run(&app, get(), pull).text(), "mended", "{kind:?} {pull:?}");
    }
}

#[test]
fn captures_nest() {
    for (kind, pull) in all() {
        let add = |text: &'static str| {
            capturing(move |response, start_response| {
                let (head, body) = response?;
                start_response.send(head.header("x-layer", text))?;
                Ok(body.transform(move |block| Ok(block.unwrap_or_else(|| text.into()))))
            })
        };
        let app = Play::new(teapot, &["0"]).app(kind).wrap(add("1")).wrap(add("2")).wrap(add("3"));
        let seen = run(&app, get(), pull);
        assert_eq!(seen.text(), "0123", "{kind:?} {pull:?}");
        assert_eq!(seen.headers.get_all("x-layer").iter().collect::<Vec<_>>(), ["1", "2", "3"], "{kind:?} {pull:?}");
    }
}

#[test]
fn the_mode_of_the_body_is_kept() {
    for kind in KINDS {
        let play = Play::new(teapot, &["a", "b"]);
        let bare = run(&play.app(kind), get(), Pull::Async).threads_asked_for > 0;
        let captured = run(&play.app(kind).wrap(capturing(pass_on)), get(), Pull::Async).threads_asked_for > 0;
        assert_eq!(captured, bare, "{kind:?}");
    }
}

#[test]
fn a_body_is_still_made_one_block_at_a_time() {
    for kind in [Kind::Iterator, Kind::Stream, Kind::Lazy, Kind::LazyStream] {
        for pull in PULLS {
            let play = Play::new(teapot, &["a", "b", "c", "d"]);
            let mut running = Running::new(&play.app(kind).wrap(capturing(pass_on)), get(), pull);
            for taken in 1..=4 {
                while running.blocks.len() < taken {
                    assert!(running.step());
                }
                assert_eq!(play.pulled(), taken, "{kind:?} {pull:?}");
            }
        }
    }
}

/// An internal redirect: a second call, from inside of `then`, of the same or another application.
#[test]
fn then_may_call_another_application() {
    for (kind, pull) in all() {
        let missing = Play::new(|| Head::new(404), &["no ", "such page"]);
        let found = Play::new(|| Head::new(200).header("x-found", "yes"), &["found ", "it"]).app(kind);
        let inner = missing.app(kind);
        let may_block = inner.may_block();
        let app = app_fn(move |environ, start_response| {
            let (again, found) = (environ.duplicate(), found.clone());
            capture(&inner, environ, start_response, move |response, start_response| {
                let (head, body) = response?;
                match head.status.as_u16() {
                    404 => found.call(again, start_response),
                    _ => {
                        start_response.send(head)?;
                        Ok(body)
                    }
                }
            })
        });
        let app = if may_block { app } else { app.nonblocking() };
        let seen = run(&app, get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "found it"), "{kind:?} {pull:?}");
        assert_eq!((seen.header("x-found"), missing.drops.all()), (Some("yes"), 1), "{kind:?} {pull:?}");
    }
}

#[test]
fn what_then_holds_is_dropped_if_the_client_leaves_first() {
    for (kind, pull) in all() {
        let drops = Drops::default();
        let (inner, held) = (Play::new(teapot, &["a"]).app(kind), drops.clone());
        let may_block = inner.may_block();
        let app = app_fn(move |environ, start_response| {
            let probe = held.probe();
            capture(&inner, environ, start_response, move |response, start_response| {
                drop(probe);
                pass_on(response, start_response)
            })
        });
        let app = if may_block { app } else { app.nonblocking() };
        let mut running = Running::new(&app, get(), pull);
        running.step();
        drop(running);
        assert!(drops.all() <= 1, "{kind:?} {pull:?}");
    }
}

#[test]
fn a_wait_of_then_that_would_never_end_is_refused_however_late_it_runs() {
    for kind in [Kind::Eager, Kind::Lazy, Kind::Iterator] {
        let (sender, seen) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let app = Play::new(teapot, &["one"]).app(kind).wrap(capturing(|_, start_response| {
                start_response.start(200, ())?;
                let (mut sender, body) = Body::channel(1);
                // Nobody pulls the body before it is returned.
                sender.blocking_send("one")?;
                sender.blocking_send("two")?;
                sender.finish()?;
                Ok(body)
            }));
            sender.send(run(&app, get(), Pull::Async)).unwrap();
        });
        let seen = seen.recv_timeout(std::time::Duration::from_secs(30)).expect("the wait is refused");
        assert_eq!(seen.status, 500, "{kind:?}");
        assert!(seen.log.contains("the channel is full"), "{kind:?}: {}", seen.log);
    }
}
