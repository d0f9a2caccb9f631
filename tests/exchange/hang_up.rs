//! What happens when the client leaves: rules X10 and X11.

use std::io::Read;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use futures::stream;
use vestibule::{App, Body, End, Environ, Head, Input, StartResponse, Step, app_fn, async_fn};

use super::{all, stepwise};
use crate::harness::play::Play;
use crate::harness::{Drops, PULLS, Pull, Running, ends, get, post};

/// Runs a blocking application whose client leaves when the application says so; where that is before it waits or while it
/// does, it must end.
fn run_until_the_client_leaves(
    app: &App,
    request: http::Request<impl Into<Input>>,
    says_so: mpsc::Receiver<()>,
) -> Running {
    let mut running = Running::new(app, request, Pull::Blocking);
    let hang_up = running.exchange.hang_up();
    let leaver = std::thread::spawn(move || {
        says_so.recv().unwrap();
        hang_up.hang_up();
    });
    while running.step() {}
    leaver.join().unwrap();
    running
}

#[test]
fn a_client_that_leaves_aborts_at_the_next_step_and_closes_the_body_once() {
    for (kind, pull) in stepwise() {
        let play = Play::new(|| Head::new(200), &["a", "b", "c", "d"]);
        let mut running = Running::new(&play.app(kind), get(), pull);
        while running.blocks.is_empty() {
            assert!(running.step());
        }
        running.exchange.hang_up().hang_up();
        while running.step() {}
        let seen = running.finish(false);
        let what = format!("{kind:?} {pull:?}");
        assert_eq!((seen.blocks.len(), seen.aborted, seen.outcome.end()), (1, true, End::Disconnected), "{what}");
        assert_eq!(play.drops.all(), 1, "{what}");
        assert!(play.pulled() <= 2, "{what}: no block is made that nobody wants");
        assert_eq!(seen.log, "", "{what}: that a client left is no fault");
    }
}

#[test]
fn a_client_that_leaves_before_the_call_is_not_called_for() {
    for (kind, pull) in all() {
        let play = Play::new(|| Head::new(200), &["a"]);
        let mut running = Running::new(&play.app(kind), get(), pull);
        running.exchange.hang_up().hang_up();
        assert!(!running.step(), "{kind:?} {pull:?}");
        assert_eq!(play.pulled(), 0, "{kind:?} {pull:?}");
    }
}

#[test]
fn an_async_application_is_dropped_where_it_waits() {
    let drops = Drops::default();
    let app = {
        let drops = drops.clone();
        async_fn(move |_, start_response| {
            let probe = drops.probe();
            async move {
                std::future::pending::<()>().await;
                drop(probe);
                start_response.start(200, ())?;
                Ok("never".into())
            }
        })
    };
    let mut exchange = vestibule::Exchange::new(&app, http::Request::new(()).into());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(exchange.poll_step(&mut cx, false).is_pending());
    assert_eq!(drops.all(), 0);
    exchange.hang_up().hang_up();
    assert!(matches!(exchange.poll_step(&mut cx, false), Poll::Ready(Step::Abort)));
    exchange.finish(false);
    assert_eq!(drops.all(), 1);
}

struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn cancellation_wakes_all_who_wait_for_it() {
    let app = app_fn(|_, _| Ok(Body::empty()));
    let exchange = vestibule::Exchange::new(&app, http::Request::new(()).into());
    let mut first = exchange.cancellation();
    let mut second = first.clone();
    let third = first.clone();
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut first).poll(&mut cx).is_pending());
    assert!(Pin::new(&mut first).poll(&mut cx).is_pending(), "asking twice is one place in the queue");
    assert!(Pin::new(&mut second).poll(&mut cx).is_pending());
    assert!(!third.is_cancelled());
    let hang_up = exchange.hang_up();
    std::thread::spawn(move || hang_up.hang_up()).join().unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 2);
    assert!(third.is_cancelled());
    assert!(Pin::new(&mut first).poll(&mut cx).is_ready());
    exchange.hang_up().hang_up();
    assert_eq!(counter.0.load(Ordering::SeqCst), 2, "leaving twice is leaving once");
}

#[test]
fn a_blocking_call_that_looks_at_its_cancellation_can_stop() {
    ends(|| {
        let (started, wait) = mpsc::channel();
        let app = app_fn(move |environ: Environ, _start_response: StartResponse| {
            started.send(()).unwrap();
            let cancellation = environ.cancellation();
            while !cancellation.is_cancelled() {
                std::thread::yield_now();
            }
            Err("nobody waits for this any more".into())
        });
        drop(run_until_the_client_leaves(&app, get(), wait));
    });
}

#[test]
fn a_blocking_read_of_the_input_ends_with_an_error_when_the_client_leaves() {
    ends(|| {
        let (reading, wait) = mpsc::channel();
        let (read, result) = mpsc::channel();
        let app = app_fn(move |mut environ: Environ, _start_response: StartResponse| {
            reading.send(()).unwrap();
            let got = environ.input_mut().read(&mut [0; 8]);
            read.send(got.map_err(|error| error.to_string())).unwrap();
            Err("the client left".into())
        });
        // Nothing ever comes from this input, not even an end.
        let input = Input::stream(stream::pending::<vestibule::Result<&str>>());
        let _running = run_until_the_client_leaves(&app, post(input), wait);
        assert!(result.recv().unwrap().is_err());
    });
}

#[test]
fn a_sender_learns_that_the_client_left() {
    for pull in PULLS {
        let (failed, told) = mpsc::channel();
        let app = app_fn(move |_, start_response: StartResponse| {
            start_response.start(200, ())?;
            let (mut sender, body) = Body::channel(1);
            let failed = failed.clone();
            std::thread::spawn(move || {
                while sender.blocking_send("block").is_ok() {}
                let error = sender.blocking_send("more").unwrap_err();
                failed.send((error.to_string(), error.is_client(), sender.finish().is_err())).unwrap();
            });
            Ok(body)
        });
        let mut running = Running::new(&app, get(), pull);
        while running.blocks.len() < 3 {
            assert!(running.step());
        }
        running.finish(false);
        let (text, is_client, finish_fails) = told.recv().unwrap();
        assert_eq!((text.as_str(), is_client, finish_fails), ("the client left", true, true), "{pull:?}");
    }
}

#[test]
fn the_body_of_a_blocking_pull_is_dropped_when_that_pull_returns() {
    let drops = Drops::default();
    let pulling = Arc::new(AtomicBool::new(false));
    let app = {
        let (drops, pulling) = (drops.clone(), Arc::clone(&pulling));
        app_fn(move |environ: Environ, start_response: StartResponse| {
            start_response.start(200, ())?;
            let (probe, pulling, cancellation) = (drops.probe(), Arc::clone(&pulling), environ.cancellation());
            Ok(Body::iter((0..).map(move |number: u32| {
                let _ = &probe;
                if number > 0 {
                    pulling.store(true, Ordering::SeqCst);
                    while !cancellation.is_cancelled() {
                        std::thread::yield_now();
                    }
                }
                "block"
            })))
        })
    };
    let seen = ends(move || {
        let mut running = Running::new(&app, get(), Pull::Blocking);
        while running.blocks.is_empty() {
            assert!(running.step());
        }
        let hang_up = running.exchange.hang_up();
        let leaver = std::thread::spawn(move || {
            while !pulling.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            hang_up.hang_up();
        });
        while running.step() {}
        leaver.join().unwrap();
        running.finish(false)
    });
    assert_eq!(seen.outcome.end(), End::Disconnected);
    assert_eq!(drops.all(), 1);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in a drop");
        }
    }
}

#[test]
fn what_panics_when_a_request_is_given_up_does_not_reach_the_gateway_and_the_hooks_run() {
    use std::task::{Context, Waker};
    use vestibule::{Body, Environ, Exchange, app_fn};

    let mut nobody = Context::from_waker(Waker::noop());
    let (ended, has_ended) = std::sync::mpsc::channel();

    // Dropped before its call, with an environ that panics.
    let mut environ = Environ::from(http::Request::new(()));
    environ.extensions_mut().insert(std::sync::Arc::new(Bomb));
    let tell = ended.clone();
    environ.on_finished(move |outcome| tell.send(outcome.end()).unwrap());
    drop(Exchange::new(&app_fn(|_, _| Ok(Body::empty())), environ));

    // Hung up after its start, before its commit, with a hook that panics.
    let app = app_fn(|_, start_response| {
        let bomb = Bomb;
        start_response.on_head(move |_| drop(bomb)).start(200, ())?;
        Ok(Body::stream(futures::stream::pending::<vestibule::Result<&str>>()))
    });
    let mut environ = Environ::from(http::Request::new(()));
    environ.on_finished(move |outcome| ended.send(outcome.end()).unwrap());
    let mut exchange = Exchange::new(&app, environ);
    assert!(exchange.poll_step(&mut nobody, true).is_pending());
    exchange.hang_up().hang_up();
    assert!(exchange.poll_step(&mut nobody, true).is_ready());
    exchange.finish(false);

    let ends: Vec<_> = has_ended.try_iter().collect();
    assert_eq!(ends, [vestibule::End::Disconnected; 2]);
}
