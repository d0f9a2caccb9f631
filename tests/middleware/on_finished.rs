//! `on_finished`.

use std::sync::{Arc, Mutex};

use vestibule::testing::TestServer;
use vestibule::{App, Body, End, Head, Outcome, app_fn, middleware};

use super::across::across;
use crate::harness::play::{Item, KINDS, Play};
use crate::harness::{PULLS, Running, get, run};

/// Notes of each request and of its end.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(String, Outcome)>>>);

impl Notes {
    fn layer(&self) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
        let notes = self.clone();
        middleware::on_finished(move |environ| {
            let (line, notes) = (format!("{} {}", environ.method(), environ.raw_path()), notes.clone());
            move |outcome: &Outcome| notes.0.lock().unwrap().push((line, outcome.clone()))
        })
    }

    /// The one end that was noted.
    fn only(&self, what: &str) -> (String, u16, u64, End) {
        let notes = std::mem::take(&mut *self.0.lock().unwrap());
        let [(line, outcome)] = &notes[..] else { panic!("{what}: {} ends", notes.len()) };
        (line.clone(), outcome.status().as_u16(), outcome.body_bytes(), outcome.end())
    }
}

#[test]
fn every_answer_stays_as_it_is_and_its_end_is_told_once() {
    let notes = Notes::default();
    across(notes.layer(), |what, answer, seen| {
        let expected = (format!("{} /path", answer.method), answer.status, seen.outcome.body_bytes(), End::Complete);
        assert_eq!(notes.only(what), expected, "{what}");
    });
}

#[test]
fn errors_and_panics_end_too() {
    let notes = Notes::default();
    for kind in KINDS {
        for pull in PULLS {
            for item in [Item::Fail("broken"), Item::Panic("broken")] {
                let what = format!("{kind:?} {pull:?} {item:?}");
                let play = Play::items(|| Head::new(200), [item.clone()]);
                let seen = run(&play.app(kind).wrap(notes.layer()), get(), pull);
                assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{what}");
                let expected = ("GET /path".to_owned(), 500, seen.outcome.body_bytes(), End::Complete);
                assert_eq!(notes.only(&what), expected, "{what}");
                if kind.is_stepwise() {
                    let play = Play::items(|| Head::new(200), [Item::Block("half"), item]);
                    let seen = run(&play.app(kind).wrap(notes.layer()), get(), pull);
                    assert!(seen.aborted, "{what}");
                    assert_eq!(notes.only(&what), ("GET /path".to_owned(), 200, 4, End::Failed), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_client_that_leaves_ends_the_request() {
    let notes = Notes::default();
    for kind in KINDS {
        for pull in PULLS {
            let what = format!("{kind:?} {pull:?}");
            let play = Play::new(|| Head::new(200), &["one ", "two "]);
            let mut running = Running::new(&play.app(kind).wrap(notes.layer()), get(), pull);
            running.until_head();
            assert!(notes.0.lock().unwrap().is_empty(), "{what}: it has not ended");
            running.finish(false);
            assert_eq!(notes.only(&what), ("GET /path".to_owned(), 200, 0, End::Disconnected), "{what}");
        }
    }
}

#[test]
fn the_body_is_closed_before_and_the_last_hook_runs_first() {
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |text: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(text)
    };
    let closed = note("closed");
    let app = app_fn(move |_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(Body::iter(["tea"]).on_close(closed.clone()))
    });
    let layer = |note: fn(&Mutex<Vec<&str>>)| {
        let order = Arc::clone(&order);
        middleware::on_finished(move |_| {
            let order = Arc::clone(&order);
            move |_| note(&order)
        })
    };
    let inner = layer(|order| order.lock().unwrap().push("inner"));
    let outer = layer(|order| order.lock().unwrap().push("outer"));
    TestServer::new(app.wrap(inner).wrap(outer)).get("/").send();
    assert_eq!(*order.lock().unwrap(), ["closed", "inner", "outer"]);
}

#[test]
fn a_panic_in_a_hook_is_logged_and_the_other_hooks_run() {
    let notes = Notes::default();
    let broken = middleware::on_finished(|_| |_: &Outcome| panic!("in the hook"));
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok("tea".into())
    });
    let response = TestServer::new(app.wrap(broken).wrap(notes.layer())).get("/").send();
    assert_eq!((response.text().as_str(), response.is_complete()), ("tea", true));
    assert!(response.errors().contains("in the hook"), "{}", response.errors());
    assert_eq!(notes.only("after it").1, 200);
}
