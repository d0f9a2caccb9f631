//! The end of a request: rules X7 to X9.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use vestibule::{App, Body, End, Environ, Head, Outcome, StartResponse, app_fn};

use super::{all, stepwise};
use crate::harness::play::{Item, Kind, Play};
use crate::harness::{PULLS, Pull, Running, get, head, run};

type Notes = Arc<Mutex<Vec<String>>>;

fn note(notes: &Notes, text: impl Into<String>) {
    notes.lock().unwrap().push(text.into());
}

/// Notes when the body is closed and when each of two hooks runs.
fn noted(app: App, notes: &Notes) -> App {
    let notes = Arc::clone(notes);
    let may_block = app.may_block();
    let around = app_fn(move |mut environ: Environ, start_response: StartResponse| {
        for name in ["first", "second"] {
            let notes = Arc::clone(&notes);
            environ.on_finished(move |_| note(&notes, name));
        }
        let notes = Arc::clone(&notes);
        Ok(app.call(environ, start_response)?.on_close(move || note(&notes, "closed")))
    });
    if may_block { around } else { around.nonblocking() }
}

#[test]
fn the_body_is_closed_before_the_hooks_run_the_last_one_first() {
    for (kind, pull) in all() {
        for request in [get(), head()] {
            let notes = Notes::default();
            run(&noted(Play::new(|| Head::new(200), &["a", "b"]).app(kind), &notes), request, pull);
            assert_eq!(*notes.lock().unwrap(), ["closed", "second", "first"], "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn the_body_is_closed_after_its_last_block_was_given_to_the_connection() {
    for (kind, pull) in all() {
        // With and without a length: the end must not come earlier because it is known earlier.
        for declares in [false, true] {
            let head = move || if declares { Head::new(200).header("content-length", 2) } else { Head::new(200) };
            let notes = Notes::default();
            let app = noted(Play::new(head, &["a", "b"]).app(kind), &notes);
            let mut running = Running::new(&app, get(), pull);
            let mut bytes = 0;
            loop {
                let more = running.step();
                let now: usize = running.blocks.iter().map(|block| block.len()).sum();
                if now > bytes {
                    bytes = now;
                    let is_closed = !notes.lock().unwrap().is_empty();
                    assert!(!is_closed, "{kind:?} {pull:?} {declares}: closed with the block and not after it");
                }
                if !more {
                    break;
                }
            }
            running.finish(true);
            assert_eq!(notes.lock().unwrap().len(), 3, "{kind:?} {pull:?}");
        }
    }
}

/// However a request ends, its body is dropped once and its hooks run once.
#[test]
fn everything_is_closed_once_however_the_request_ends() {
    type MakePlay = fn() -> Play;
    let plays: [(&str, MakePlay); 9] = [
        ("complete", || Play::new(|| Head::new(200), &["a", "b"])),
        ("empty", || Play::new(|| Head::new(200), &[])),
        ("204", || Play::new(|| Head::new(204), &["a"])),
        ("cut", || Play::new(|| Head::new(200).header("content-length", 1), &["ab", "c"])),
        ("short", || Play::new(|| Head::new(200).header("content-length", 9), &["ab", "c"])),
        ("failed", || Play::items(|| Head::new(200), [Item::Block("a"), Item::Fail("x")])),
        ("panicked", || Play::items(|| Head::new(200), [Item::Block("a"), Item::Panic("x")])),
        ("never started", || Play::started(|_| Ok(()), [Item::Block("a")])),
        ("refused", || Play::started(|start_response| start_response.start(101, ()), [])),
    ];
    for (kind, pull) in all() {
        for (name, play) in plays {
            for request in [get(), head()] {
                let play = play();
                let hooks = Arc::new(AtomicUsize::new(0));
                let mut running = Running::new(&counted(play.app(kind), &hooks), request, pull);
                while running.step() {}
                running.finish(true);
                let what = format!("{kind:?} {pull:?} {name}");
                assert!(play.drops.all() <= 1 || kind == Kind::Channel, "{what}: {}", play.drops.all());
                assert_eq!(hooks.load(Ordering::SeqCst), 1, "{what}");
            }
        }
    }
}

fn counted(app: App, hooks: &Arc<AtomicUsize>) -> App {
    let hooks = Arc::clone(hooks);
    app.wrap(vestibule::middleware::map_environ(move |environ| {
        let hooks = Arc::clone(&hooks);
        environ.on_finished(move |_| {
            hooks.fetch_add(1, Ordering::SeqCst);
        });
    }))
}

#[test]
fn hooks_run_even_if_the_environ_was_dropped_early_or_kept_for_ever() {
    for pull in PULLS {
        let hooks = Arc::new(AtomicUsize::new(0));
        let kept: Arc<Mutex<Vec<Environ>>> = Arc::default();
        for keep in [true, false] {
            let kept = Arc::clone(&kept);
            let app = app_fn(move |environ, start_response: StartResponse| {
                if keep {
                    kept.lock().unwrap().push(environ);
                }
                start_response.start(200, ())?;
                Ok("body".into())
            });
            run(&counted(app, &hooks), get(), pull);
        }
        assert_eq!(hooks.load(Ordering::SeqCst), 2, "{pull:?}");
        // A hook that comes after the end is told at once.
        let late = Arc::clone(&hooks);
        kept.lock().unwrap()[0].on_finished(move |outcome| {
            assert_eq!((outcome.status().as_u16(), outcome.body_bytes(), outcome.end()), (200, 4, End::Complete));
            late.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(hooks.load(Ordering::SeqCst), 3, "{pull:?}");
    }
}

#[test]
fn a_panic_in_a_hook_or_in_a_drop_stops_neither_the_others_nor_the_response() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    for pull in PULLS {
        let notes = Notes::default();
        let noting = Arc::clone(&notes);
        let app = app_fn(move |mut environ: Environ, start_response: StartResponse| {
            let notes = Arc::clone(&noting);
            environ.on_finished(move |_| note(&notes, "first"));
            environ.on_finished(|_| panic!("in a hook"));
            let notes = Arc::clone(&noting);
            environ.on_finished(move |_| note(&notes, "third"));
            start_response.start(200, ())?;
            let bomb = Bomb;
            Ok(Body::iter(["a", "b"]).on_close(move || drop(bomb)))
        });
        let seen = run(&app, get(), pull);
        assert_eq!(seen.text(), "ab", "{pull:?}");
        assert_eq!(*notes.lock().unwrap(), ["third", "first"], "{pull:?}");
        assert!(seen.log.contains("in a hook") && seen.log.contains("in the drop"), "{pull:?}: {}", seen.log);
    }
}

fn outcome_of(app: &App, request: http::Request<()>, pull: Pull, delivered: bool) -> Outcome {
    let mut running = Running::new(app, request, pull);
    while running.step() {}
    running.finish(delivered).outcome
}

#[test]
fn the_outcome_tells_status_bytes_and_end() {
    for (kind, pull) in all() {
        let app = Play::new(|| Head::new(201), &["abc", "de"]).app(kind);
        let outcome = outcome_of(&app, get(), pull, true);
        assert_eq!(
            (outcome.status().as_u16(), outcome.body_bytes(), outcome.end()),
            (201, 5, End::Complete),
            "{kind:?} {pull:?}"
        );
        let outcome = outcome_of(&app, head(), pull, true);
        assert_eq!(
            (outcome.status().as_u16(), outcome.body_bytes(), outcome.end()),
            (201, 0, End::Complete),
            "{kind:?} {pull:?}"
        );
        // The transport did not accept it all.
        let outcome = outcome_of(&app, get(), pull, false);
        assert_eq!((outcome.body_bytes(), outcome.end()), (5, End::Disconnected), "{kind:?} {pull:?}");
    }
    for (kind, pull) in stepwise() {
        let app = Play::items(|| Head::new(200), [Item::Block("abc"), Item::Fail("x")]).app(kind);
        for delivered in [true, false] {
            let outcome = outcome_of(&app, get(), pull, delivered);
            assert_eq!((outcome.body_bytes(), outcome.end()), (3, End::Failed), "{kind:?} {pull:?} {delivered}");
        }
    }
}

#[test]
fn an_exchange_that_is_dropped_counts_as_a_client_that_left() {
    for (kind, pull) in all() {
        for steps in 0..4 {
            let play = Play::new(|| Head::new(200), &["a", "b", "c"]);
            let told: Arc<Mutex<Vec<End>>> = Arc::default();
            let tell = Arc::clone(&told);
            let app = play.app(kind).wrap(vestibule::middleware::map_environ(move |environ| {
                let tell = Arc::clone(&tell);
                environ.on_finished(move |outcome| tell.lock().unwrap().push(outcome.end()));
            }));
            let mut running = Running::new(&app, get(), pull);
            let mut ended = false;
            for _ in 0..steps {
                ended = ended || !running.step();
            }
            let cancellation = running.exchange.cancellation();
            drop(running);
            let what = format!("{kind:?} {pull:?} after {steps} steps");
            let told = told.lock().unwrap();
            assert!(told.len() <= 1 && play.drops.all() <= 1, "{what}");
            if !ended {
                assert!(cancellation.is_cancelled(), "{what}");
                assert!(!told.contains(&End::Complete) || kind.knows_its_length(), "{what}: {told:?}");
            }
        }
    }
}

#[test]
fn a_duplicate_may_be_run_by_an_exchange_of_its_own() {
    let inner = app_fn(|environ: Environ, start_response: StartResponse| {
        start_response.start(202, ())?;
        Ok(environ.path_info().into_owned().into())
    });
    let app = app_fn(move |environ: Environ, start_response: StartResponse| {
        let mut second = environ.duplicate();
        second.set_path(b"", b"/second")?;
        let mut running = Running::with(get(), Pull::Blocking, |_| vestibule::Exchange::new(&inner, second));
        while running.step() {}
        let text = running.blocks.concat();
        start_response.start(200, ())?;
        drop(environ);
        Ok(text.into())
    });
    let mut running = Running::new(&app, get(), Pull::Blocking);
    while running.step() {}
    let seen = running.finish(true);
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "/second"));
}
