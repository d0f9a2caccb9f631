//! `concurrency_limit`: who runs, who waits, who is sent away, and that every place is given back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::stream;
use vestibule::{App, Body, End, Head, StartResponse, app_fn, async_fn, middleware};

use super::passing::passes_everything;
use super::{all, play};
use crate::harness::play::{Item, Kind, Play, Yield};
use crate::harness::{PULLS, Pull, Running, ends, get, head, run};

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls until there is nothing to do but to wait, or the head is there. True when it waits.
fn waits(running: &mut Running, bell: &Arc<Bell>) -> bool {
    let waker = Waker::from(Arc::clone(bell));
    for _ in 0..100 {
        let before = bell.0.load(Ordering::SeqCst);
        match running.poll(&mut Context::from_waker(&waker)) {
            Poll::Pending if bell.0.load(Ordering::SeqCst) == before => return true,
            _ if !running.blocks.is_empty() => return false,
            _ => {}
        }
    }
    panic!("it neither waits nor answers");
}

/// A response of three blocks with this kind of application, behind a limit.
fn limited(kind: Kind, layer: impl Fn(App) -> App) -> App {
    Play::new(|| Head::new(200), &["one", "two", "three"]).app(kind).wrap(layer)
}

#[test]
fn concurrency_limit_lets_everything_pass() {
    passes_everything(middleware::concurrency_limit(1, 0));
    passes_everything(middleware::concurrency_limit(0, 0));
}

#[test]
fn a_place_is_given_back_however_a_request_ends() {
    for (kind, pull) in all() {
        let layer = middleware::concurrency_limit(1, 0);
        let what = format!("{kind:?} {pull:?}");
        let ends: [(&str, Vec<Item>); 4] = [
            ("a failure", vec![Item::Fail("x")]),
            ("a panic", vec![Item::Panic("x")]),
            ("a late failure", vec![Item::Block("a"), Item::Fail("x")]),
            ("a late panic", vec![Item::Block("a"), Item::Panic("x")]),
        ];
        let free = |end: &str| assert_eq!(run(&limited(kind, &layer), get(), pull).status, 200, "{what} after {end}");
        for (end, items) in ends {
            run(&Play::items(|| Head::new(200), items).app(kind).wrap(&layer), get(), pull);
            free(end);
        }
        run(&Play::started(|_| Ok(()), []).app(kind).wrap(&layer), get(), pull);
        free("no start");
        run(&limited(kind, &layer), head(), pull);
        free("HEAD");
        let mut leaves = Running::new(&limited(kind, &layer), get(), pull);
        leaves.until_head();
        leaves.finish(false);
        free("a client that leaves behind the head");
        let mut hangs_up = Running::new(&limited(kind, &layer), get(), pull);
        hangs_up.until_head();
        hangs_up.exchange.hang_up().hang_up();
        while hangs_up.step() {}
        hangs_up.finish(false);
        free("a hang-up");
        drop(Running::new(&limited(kind, &layer), get(), pull).exchange);
        free("no call");
    }
}

#[test]
fn those_beyond_the_queue_are_sent_away_and_the_others_come_in_their_order() {
    for kind in [Kind::Iterator, Kind::Lazy, Kind::Stream, Kind::LazyStream, Kind::AsyncIterator, Kind::Channel] {
        for pull in PULLS {
            let what = format!("{kind:?} {pull:?}");
            let app = limited(kind, middleware::concurrency_limit(1, 2));
            let start = || (Running::new(&app, get(), pull), Arc::new(Bell::default()));
            let (mut first, _) = start();
            first.until_head();
            let ((mut second, bell2), (mut third, bell3)) = (start(), start());
            assert!(waits(&mut second, &bell2) && waits(&mut third, &bell3), "{what}");
            let seen = run(&app, get(), pull);
            assert_eq!((seen.status.as_u16(), seen.header("retry-after")), (503, Some("1")), "{what}");
            assert_eq!(seen.text(), "503 Service Unavailable\n", "{what}");

            while first.step() {}
            assert!(waits(&mut second, &bell2), "{what}: a body counts until it is dropped");
            assert_eq!(first.finish(true).text(), "onetwothree", "{what}");
            assert_eq!((bell2.0.load(Ordering::SeqCst), bell3.0.load(Ordering::SeqCst)), (1, 0), "{what}");
            assert!(waits(&mut third, &bell3), "{what}: it is not its turn");
            // A newcomer does not overtake.
            let (mut fourth, bell4) = start();
            assert!(waits(&mut fourth, &bell4), "{what}");
            for waiting in [second, third, fourth] {
                let mut running = waiting;
                while running.step() {}
                let seen = running.finish(true);
                assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "onetwothree"), "{what}");
                if pull == Pull::Async {
                    let bare = run(&limited(kind, |inner| inner), get(), pull);
                    assert_eq!(seen.threads_asked_for > 0, bare.threads_asked_for > 0, "{what}: the mode is kept");
                }
            }
        }
    }
}

#[test]
fn who_leaves_the_queue_frees_a_place_in_it_and_who_leaves_at_its_turn_passes_it_on() {
    let app = limited(Kind::Iterator, middleware::concurrency_limit(1, 2));
    let start = || (Running::new(&app, get(), Pull::Async), Arc::new(Bell::default()));
    let (mut first, _) = start();
    first.until_head();
    let ((mut second, bell2), (mut third, bell3)) = (start(), start());
    assert!(waits(&mut second, &bell2) && waits(&mut third, &bell3));
    drop(second.exchange);
    let (mut fourth, bell4) = start();
    assert!(waits(&mut fourth, &bell4), "there is room in the queue again");
    assert_eq!(run(&app, get(), Pull::Async).status, 503);
    while first.step() {}
    first.finish(true);
    assert_eq!((bell2.0.load(Ordering::SeqCst), bell3.0.load(Ordering::SeqCst)), (0, 1));
    // The third has been woken and leaves before it is polled.
    third.exchange.hang_up().hang_up();
    drop(third.exchange);
    assert_eq!(bell4.0.load(Ordering::SeqCst), 1, "the turn is the next one's");
    while fourth.step() {}
    assert_eq!(fourth.finish(true).text(), "onetwothree");
    assert_eq!(run(&app, get(), Pull::Async).status, 200);
}

#[test]
fn what_is_in_memory_holds_no_place() {
    for pull in PULLS {
        let app = limited(Kind::Eager, middleware::concurrency_limit(1, 0));
        let mut slow = Running::new(&app, get(), pull);
        slow.until_head();
        assert_eq!(run(&app, get(), pull).status, 200, "{pull:?}: its client only has not taken it");
        while slow.step() {}
        slow.finish(true);
    }
}

#[test]
fn applications_of_one_middleware_share_its_limit() {
    let layer = middleware::concurrency_limit(1, 0);
    let clone = layer.clone();
    let (one, other) = (limited(Kind::Iterator, layer), limited(Kind::Stream, clone));
    let mut first = Running::new(&one, get(), Pull::Blocking);
    first.until_head();
    assert_eq!(run(&other, get(), Pull::Blocking).status, 503);
    while first.step() {}
    first.finish(true);
    assert_eq!(run(&other, get(), Pull::Blocking).status, 200);
}

#[test]
fn a_limit_of_time_around_it_bounds_the_wait() {
    ends(|| {
        let app = limited(Kind::Iterator, middleware::concurrency_limit(1, 1));
        let mut first = Running::new(&app, get(), Pull::Async);
        first.until_head();
        let patient = app.clone().wrap(middleware::timeout(Duration::from_millis(20)));
        let seen = run(&patient, get(), Pull::Async);
        assert_eq!((seen.status.as_u16(), seen.header("retry-after"), seen.outcome.end()), (503, None, End::Complete));
        while first.step() {}
        first.finish(true);
        assert_eq!(run(&app, get(), Pull::Async).status, 200);
    });
}

/// A call that is made late is a call like any other: it cannot wait for itself.
#[test]
fn a_call_from_the_queue_that_fills_its_own_channel_is_an_error_and_no_hang() {
    ends(|| {
        let full = app_fn(|environ, start_response: StartResponse| {
            start_response.start(200, ())?;
            if environ.query_string() == "ok" {
                return Ok(Body::iter(["ok"]));
            }
            let (mut sender, body) = Body::channel(1);
            sender.blocking_send("one")?;
            sender.blocking_send("two")?;
            Ok(body)
        });
        let app = full.wrap(middleware::concurrency_limit(1, 1));
        let ok = http::Request::get("/?ok").body(()).unwrap();
        let mut first = Running::new(&app, ok, Pull::Async);
        first.until_head();
        let (mut second, bell) = (Running::new(&app, get(), Pull::Async), Arc::new(Bell::default()));
        assert!(waits(&mut second, &bell));
        while first.step() {}
        first.finish(true);
        while second.step() {}
        let seen = second.finish(true);
        assert_eq!(seen.status, 500);
        assert!(seen.log.contains("the channel is full"), "{}", seen.log);
    });
}

#[test]
fn many_threads_never_run_more_than_allowed_and_all_get_their_turn() {
    ends(|| {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
        let enter = move || {
            let at_once = now.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(at_once, Ordering::SeqCst);
            let now = Arc::clone(&now);
            move || {
                now.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let enter = Arc::new(enter);
        let (blocking, polled) = (Arc::clone(&enter), enter);
        let blocking = app_fn(move |_, start_response: StartResponse| {
            let leave = blocking();
            start_response.start(200, ())?;
            Ok(Body::iter(["a", "b"]).on_close(leave))
        });
        let polled = async_fn(move |_, start_response| {
            let leave = polled();
            async move {
                Yield::default().await;
                start_response.start(200, ())?;
                Ok(Body::stream(stream::iter([Ok("a"), Ok("b")])).on_close(leave))
            }
        });
        let layer = middleware::concurrency_limit(3, 1000);
        let apps = [blocking.wrap(&layer), polled.wrap(&layer)];
        let statuses = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (app, statuses) = (&apps[number % 2], &statuses);
                let pull = PULLS[number / 2 % 2];
                scope.spawn(move || {
                    for _ in 0..200 {
                        let status = run(app, get(), pull).status.as_u16();
                        statuses.lock().unwrap().push(status);
                    }
                });
            }
        });
        let statuses = statuses.into_inner().unwrap();
        assert_eq!((statuses.len(), statuses.iter().all(|status| *status == 200)), (1600, true));
        let most = most.load(Ordering::SeqCst);
        assert!((1..=3).contains(&most), "{most} at once");
        assert_eq!(running.load(Ordering::SeqCst), 0);
        assert_eq!(run(&play().app(Kind::Iterator).wrap(layer), get(), Pull::Blocking).status, 200);
    });
}

#[cfg(feature = "http")]
#[test]
fn over_sockets_those_in_the_queue_hold_no_thread() {
    use std::sync::mpsc;
    use vestibule::testing::TestServer;
    ends(|| {
        let (opens, open) = mpsc::channel::<()>();
        let open = Mutex::new(open);
        let app = app_fn(move |environ, start_response| {
            start_response.start(200, [("content-type", "text/plain")])?;
            if environ.path_info() == "/slow" {
                open.lock().unwrap().recv()?;
            }
            Ok(Body::iter(["done"]))
        });
        let limit =
            middleware::only_if(|environ| environ.path_info() == "/slow", middleware::concurrency_limit(1, 200));
        let server = TestServer::http(app.wrap(limit));
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..100).map(|_| scope.spawn(|| server.get("/slow").send().text())).collect();
            // A hundred blocking calls would hold all threads of the pool; one does.
            for _ in 0..20 {
                assert_eq!(server.get("/").send().text(), "done");
            }
            for _ in 0..100 {
                opens.send(()).unwrap();
            }
            for one in asking {
                assert_eq!(one.join().unwrap(), "done");
            }
        });
    });
}

#[test]
fn a_body_in_memory_holds_no_place_while_it_is_sent() {
    for kind in [Kind::Eager, Kind::Async] {
        for (pull, blocks) in PULLS.into_iter().flat_map(|pull| [(pull, &["hello"][..]), (pull, &[])]) {
            let layer = middleware::concurrency_limit(1, 0);
            let app = Play::new(|| Head::new(200), blocks).app(kind).wrap(&layer);
            let mut first = Running::new(&app, get(), pull);
            first.until_head();
            while first.blocks.len() < blocks.len() {
                first.step();
            }
            assert_eq!(run(&limited(kind, &layer), get(), pull).status, 200, "{kind:?} {pull:?}");
            while first.step() {}
            assert_eq!(first.finish(true).text(), blocks.concat(), "{kind:?} {pull:?}");
        }
    }
}

/// A waker that ends a request when it is dropped, as that of a task may.
struct Last(#[expect(dead_code, reason = "it is there to be dropped")] Mutex<Option<Running>>);

impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_may_end_another_request_when_it_is_dropped() {
    let (sender, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let app = limited(Kind::Stream, middleware::concurrency_limit(1, 2));
        let [mut runs, mut leaves, mut stays] = [(); 3].map(|()| Running::new(&app, get(), Pull::Async));
        runs.until_head();
        assert!(waits(&mut leaves, &Arc::default()) && waits(&mut stays, &Arc::default()));
        let last = Waker::from(Arc::new(Last(Mutex::new(Some(leaves)))));
        assert!(stays.poll(&mut Context::from_waker(&last)).is_pending());
        drop(last);
        assert!(waits(&mut stays, &Arc::default()));
        runs.finish(false);
        stays.until_head();
        sender.send(stays.finish(false).status).unwrap();
    });
    assert_eq!(done.recv_timeout(Duration::from_secs(30)).map(|status| status.as_u16()), Ok(200));
}
