//! `timeout`: what waits is ended, what blocks is told, what is late is not sent.

use std::future::pending;
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::{StreamExt, stream};
use http::HeaderValue;
use vestibule::{App, Body, Bytes, Cancellation, End, Head, Input, StartResponse, app_fn, async_fn, middleware};

use super::passing::passes_everything;
use super::{all, play};
use crate::harness::play::{Kind, Play};
use crate::harness::{Drops, PULLS, Pull, Running, Seen, ends, get, post, run};

const SOON: Duration = Duration::from_millis(20);

fn soon(app: App) -> App {
    app.wrap(middleware::timeout(SOON))
}

/// Runs what is to get as far as its first block before the time has passed: with more time, where it has not.
fn begun(app: &App, pull: Pull) -> Seen {
    let durations = [20, 200, 2_000, 20_000].map(Duration::from_millis);
    let runs = durations.map(|duration| move || run(&app.clone().wrap(middleware::timeout(duration)), get(), pull));
    let begun = runs.into_iter().map(|run| run()).find(|seen| seen.status == 200);
    begun.expect("twenty seconds are enough for a block")
}

/// Blocks until the application is told.
fn until_told(cancellation: &Cancellation) {
    while !cancellation.is_cancelled() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_ends_in_time_passes() {
    passes_everything(middleware::timeout(Duration::from_secs(3600)));
    passes_everything(middleware::timeout(Duration::MAX));
}

#[test]
fn no_time_at_all_is_too_little_for_everything() {
    for (kind, pull) in all() {
        let play = play();
        let seen = run(&play.app(kind).wrap(middleware::timeout(Duration::ZERO)), get(), pull);
        assert_eq!(seen.status, 503, "{kind:?} {pull:?}");
        // Of a future that was dropped before it ended there was nothing to close.
        let closed = usize::from(!matches!(kind, Kind::Async | Kind::AsyncIterator));
        assert_eq!(play.drops.all(), closed, "{kind:?} {pull:?}");
        if matches!(kind, Kind::Iterator | Kind::Lazy | Kind::Channel | Kind::File) {
            assert_eq!(play.drops.on_reactor(), 0, "{kind:?} {pull:?}: where it may block");
        }
    }
}

#[test]
fn an_async_application_is_dropped_where_it_awaits_and_the_client_gets_503() {
    ends(|| {
        for pull in PULLS {
            let drops = Drops::default();
            let probes = drops.clone();
            let app = async_fn(move |_, start_response| {
                let probe = probes.probe();
                async move {
                    pending::<()>().await;
                    probe.stays();
                    start_response.start(200, ())?;
                    Ok("never".into())
                }
            });
            let outside =
                middleware::map_head(|head| drop(head.headers.insert("x-out", HeaderValue::from_static("1"))));
            let seen = run(&soon(app).wrap(outside), get(), pull);
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (503, "503 Service Unavailable\n"), "{pull:?}");
            assert_eq!((seen.header("x-out"), seen.outcome.end()), (Some("1"), End::Complete), "{pull:?}");
            assert_eq!(drops.all(), 1, "{pull:?}");
            assert!(seen.log.contains("the time limit of the request has passed"), "{}", seen.log);
        }
    });
}

#[test]
fn a_stream_that_has_begun_is_aborted() {
    ends(|| {
        for pull in PULLS {
            let drops = Drops::default();
            let (probes, calls) = (drops.clone(), Arc::new(AtomicUsize::new(0)));
            let called = Arc::clone(&calls);
            let app = app_fn(move |_, start_response: StartResponse| {
                called.fetch_add(1, Ordering::SeqCst);
                start_response.start(200, ())?;
                let probe = probes.probe();
                let blocks = stream::iter([Ok("half")]).chain(stream::pending());
                Ok(Body::stream(blocks.inspect(move |_| probe.stays())))
            });
            let seen = begun(&app.nonblocking(), pull);
            assert_eq!((seen.text().as_str(), seen.aborted), ("half", true), "{pull:?}");
            assert_eq!((seen.outcome.end(), drops.all()), (End::TimedOut, calls.load(Ordering::SeqCst)), "{pull:?}");
        }
    });
}

#[test]
fn a_stream_that_has_started_but_given_nothing_gets_503() {
    ends(|| {
        let app = app_fn(|_, start_response: StartResponse| {
            start_response.start(200, [("x-late", "yes")])?;
            Ok(Body::stream(stream::iter([Ok("")]).chain(stream::pending())))
        });
        let seen = run(&soon(app.nonblocking()), get(), Pull::Async);
        assert_eq!((seen.status.as_u16(), seen.header("x-late"), seen.aborted), (503, None, false));
    });
}

#[test]
fn a_blocking_call_is_told_and_what_it_returns_late_is_replaced() {
    ends(|| {
        for pull in PULLS {
            for fails in [false, true] {
                let app = app_fn(move |environ, start_response| {
                    until_told(&environ.cancellation());
                    start_response.start(200, [("x-late", "yes")])?;
                    if fails { Err("told".into()) } else { Ok("late".into()) }
                });
                let seen = run(&soon(app), get(), pull);
                assert_eq!((seen.status.as_u16(), seen.header("x-late")), (503, None), "{pull:?}");
                assert_eq!(seen.text(), "503 Service Unavailable\n", "{pull:?}");
            }
        }
    });
}

#[test]
fn a_blocking_body_is_told_and_what_it_gives_late_is_not_sent() {
    ends(|| {
        for pull in PULLS {
            for (first, status) in [("half", 200), ("", 503)] {
                let drops = Drops::default();
                let (probes, calls) = (drops.clone(), Arc::new(AtomicUsize::new(0)));
                let called = Arc::clone(&calls);
                let app = app_fn(move |environ, start_response| {
                    called.fetch_add(1, Ordering::SeqCst);
                    start_response.start(200, ())?;
                    let (cancellation, probe) = (environ.cancellation(), probes.probe());
                    let late = std::iter::once_with(move || {
                        probe.stays();
                        until_told(&cancellation);
                        "late"
                    });
                    Ok(Body::iter(std::iter::once(first).chain(late).chain(["later"])))
                });
                let seen = if status == 200 { begun(&app, pull) } else { run(&soon(app), get(), pull) };
                let what = format!("{pull:?} {first:?}");
                assert_eq!((seen.status.as_u16(), seen.aborted), (status, status == 200), "{what}");
                assert!(!seen.text().contains("late"), "{what}");
                assert_eq!((drops.all(), drops.on_reactor()), (calls.load(Ordering::SeqCst), 0), "{what}");
                let end = if status == 200 { End::TimedOut } else { End::Complete };
                assert_eq!(seen.outcome.end(), end, "{what}");
            }
        }
    });
}

#[test]
fn a_read_of_the_input_that_waits_is_an_error() {
    ends(|| {
        for pull in PULLS {
            let (said, says) = mpsc::channel();
            let app = app_fn(move |mut environ, start_response| {
                let error = environ.input_mut().read(&mut [0; 8]).unwrap_err();
                said.send((error.kind(), error.to_string())).unwrap();
                start_response.start(200, ())?;
                Ok("handled".into())
            });
            let never = Input::stream(stream::pending::<vestibule::Result<Bytes>>());
            assert_eq!(run(&soon(app), post(never), pull).status, 503, "{pull:?}");
            let expected = (ErrorKind::TimedOut, "the time limit of the request has passed".to_owned());
            assert_eq!(says.recv().unwrap(), expected, "{pull:?}");
        }
    });
}

#[test]
fn who_awaits_the_cancellation_elsewhere_is_woken() {
    ends(|| {
        let app = async_fn(|environ, start_response| async move {
            let cancellation = environ.cancellation();
            let (told, tells) = mpsc::channel();
            std::thread::spawn(move || {
                futures::executor::block_on(cancellation);
                told.send("told").unwrap();
            });
            environ.extension::<Tells>()?.0.lock().unwrap().replace(tells);
            pending::<()>().await;
            start_response.start(200, ())?;
            Ok("never".into())
        });
        let tells = Tells::default();
        let kept = tells.clone();
        let keep = middleware::map_environ(move |environ| drop(environ.extensions_mut().insert(kept.clone())));
        assert_eq!(run(&soon(app).wrap(keep), get(), Pull::Async).status, 503);
        let told = tells.0.lock().unwrap().take().unwrap();
        assert_eq!(told.recv_timeout(Duration::from_secs(30)), Ok("told"));
    });
}

#[derive(Clone, Default)]
struct Tells(Arc<Mutex<Option<mpsc::Receiver<&'static str>>>>);

#[test]
fn who_pushes_blocks_hears_that_nobody_wants_them() {
    ends(|| {
        for pull in PULLS {
            let (said, says) = mpsc::channel();
            let app = app_fn(move |environ, start_response| {
                let (mut sender, body) = Body::channel(1);
                let (cancellation, said) = (environ.cancellation(), said.clone());
                std::thread::spawn(move || {
                    let _ = sender.blocking_send("half");
                    until_told(&cancellation);
                    while sender.blocking_send("late").is_ok() {}
                    let _ = said.send("nobody");
                });
                start_response.start(200, ())?;
                Ok(body)
            });
            let seen = begun(&app, pull);
            assert!(seen.aborted && seen.text().starts_with("half"), "{pull:?}: {seen:?}");
            assert_eq!(seen.outcome.end(), End::TimedOut, "{pull:?}");
            assert_eq!(says.recv_timeout(Duration::from_secs(30)), Ok("nobody"), "{pull:?}");
        }
    });
}

#[test]
fn what_may_block_when_it_is_dropped_is_dropped_on_a_thread() {
    ends(|| {
        for pull in PULLS {
            let drops = Drops::default();
            let probes = drops.clone();
            let app = app_fn(move |_, start_response| {
                let (probe, blocks) = (probes.probe(), stream::pending::<vestibule::Result<Bytes>>());
                // The start is in the body, and comes back with its hooks only when that is dropped.
                Ok(Body::stream(blocks.inspect(move |_| assert!(!format!("{start_response:?}").is_empty())))
                    .on_close(move || drop(probe)))
            });
            let outside =
                middleware::map_head(|head| drop(head.headers.insert("x-out", HeaderValue::from_static("1"))));
            let seen = run(&soon(app.nonblocking()).wrap(outside), get(), pull);
            assert_eq!((seen.status.as_u16(), seen.header("x-out")), (503, Some("1")), "{pull:?}");
            assert_eq!((drops.all(), drops.on_reactor()), (1, 0), "{pull:?}");
            assert_eq!(seen.threads_asked_for, usize::from(pull == Pull::Async), "{pull:?}");
        }
    });
}

#[test]
fn an_error_page_around_it_answers_for_it() {
    ends(|| {
        let page = middleware::recover(|error| (Head::new(error.status().unwrap()), "Try again.".into()));
        let app = async_fn(|_, _| async { pending().await });
        let seen = run(&soon(app).wrap(page), get(), Pull::Async);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (503, "Try again."));
    });
}

#[test]
fn of_two_limits_the_nearer_one_counts_and_many_requests_share_the_clock() {
    ends(|| {
        let app = || async_fn(|_, _| async { pending().await });
        let long = middleware::timeout(Duration::from_secs(3600));
        let inner = app().wrap(&long).wrap(middleware::timeout(SOON));
        let outer = app().wrap(middleware::timeout(SOON)).wrap(&long);
        std::thread::scope(|scope| {
            for number in 0..16 {
                let app = if number % 2 == 0 { &inner } else { &outer };
                scope.spawn(move || {
                    for _ in 0..4 {
                        assert_eq!(run(app, get(), Pull::Async).status, 503);
                    }
                });
            }
        });
    });
}

#[test]
fn what_is_in_memory_in_time_is_sent_however_slowly() {
    for (kind, pull) in [Kind::Eager, Kind::Async].into_iter().flat_map(|kind| PULLS.map(|pull| (kind, pull))) {
        let app = Play::new(|| Head::new(200), &["hello"]).app(kind);
        let begun = [100, 1_000, 10_000].into_iter().map(Duration::from_millis).find_map(|duration| {
            let mut running = Running::new(&app.clone().wrap(middleware::timeout(duration)), get(), pull);
            while running.blocks.is_empty() && running.step() {}
            (running.blocks == ["hello"]).then_some((running, duration))
        });
        let (mut running, duration) = begun.expect("ten seconds are enough for a block");
        std::thread::sleep(duration);
        while running.step() {}
        let seen = running.finish(true);
        assert_eq!((seen.aborted, seen.outcome.end()), (false, End::Complete), "{kind:?} {pull:?}: {}", seen.log);
    }
}

#[cfg(feature = "http")]
#[test]
fn over_a_socket_it_is_the_same() {
    use vestibule::testing::TestServer;
    ends(|| {
        let silent = async_fn(|_, _| async { pending().await });
        assert_eq!(TestServer::http(soon(silent)).get("/").send().status(), 503);
        let stuck = app_fn(|environ, start_response| {
            until_told(&environ.cancellation());
            start_response.start(200, ())?;
            Ok("late".into())
        });
        assert_eq!(TestServer::http(soon(stuck)).get("/").send().status(), 503);
        let half = app_fn(|_, start_response| {
            start_response.start(200, [("content-type", "text/plain")])?;
            Ok(Body::stream(stream::iter([Ok("half")]).chain(stream::pending())))
        });
        let ask = |milliseconds| {
            let limit = middleware::timeout(Duration::from_millis(milliseconds));
            TestServer::http(half.clone().wrap(limit)).get("/").send()
        };
        let response = [20, 200, 2_000, 20_000].into_iter().map(ask).find(|response| response.status() == 200);
        let response = response.expect("twenty seconds are enough for a block");
        assert_eq!((response.is_complete(), response.end()), (false, Some(End::TimedOut)));
    });
}
