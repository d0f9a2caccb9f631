//! With lint and without it, a gateway is told the same, and an application sees the same.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use http::{Method, Request};
use vestibule::lint::{Findings, lint};
use vestibule::testing::TestServer;
use vestibule::{
    App, Body, Environ, Errors, Exchange, HeaderMap, HeaderValue, StartResponse, Step, app_fn, async_fn, capture,
    middleware,
};

use super::correct::{applications, fit, wrappers};
use super::gateway::Log;
use super::{hello, set_header};

/// What a gateway is told, step by step, and what is logged. Lint tells a list of its own, not the log.
fn steps(app: &App, method: Method, may_block: bool) -> (Vec<String>, String) {
    let log = Log::default();
    let mut environ = Environ::from(Request::builder().method(method).uri("/").body(()).unwrap());
    environ.extensions_mut().insert(Findings::default());
    environ.set_errors(Errors::writer(log.clone()));
    let mut exchange = Exchange::new(app, environ);
    let mut steps = Vec::new();
    let mut thread = may_block;
    loop {
        let Poll::Ready(step) = exchange.poll_step(&mut Context::from_waker(Waker::noop()), thread) else {
            thread::yield_now();
            continue;
        };
        steps.push(format!("{step:?}"));
        match step {
            Step::End | Step::Abort => break,
            Step::NeedsThread => thread = true,
            _ => thread = may_block,
        }
    }
    exchange.finish(true);
    (steps, log.text())
}

#[test]
fn the_steps_and_the_log_are_the_same() {
    for (name, app) in applications() {
        for (wrapper, wrap) in wrappers().into_iter().filter(|(wrapper, _)| fit(name, wrapper)) {
            let bare = wrap(app.clone());
            let linted = wrap(app.clone().wrap(lint("inner")).wrap(lint("again"))).wrap(lint("outer"));
            for method in [Method::GET, Method::HEAD] {
                for may_block in [true, false] {
                    assert_eq!(
                        steps(&linted, method.clone(), may_block),
                        steps(&bare, method.clone(), may_block),
                        "{name} in {wrapper}: {method}, on a thread that may block: {may_block}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_marks_of_an_application_pass_through() {
    let app = async_fn(|_, _| async { Ok(Body::empty()) }).named("the shop");
    let linted = app.clone().wrap(lint("here"));
    assert!(!linted.may_block());
    assert_eq!(format!("{linted:?}"), format!("{app:?}"));
    assert!(hello().wrap(lint("here")).may_block());
}

/// A list of what happened, in its order.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn note(&self, event: impl Into<String>) {
        self.0.lock().unwrap().push(event.into());
    }

    /// A middleware that notes when it is called, when the call is over, and when it sees the head and the end.
    fn noting(&self, name: &'static str) -> impl Fn(App) -> App {
        let events = self.clone();
        move |inner| {
            let events = events.clone();
            app_fn(move |mut environ, start_response| {
                events.note(format!("{name} called"));
                let (at_head, at_end) = (events.clone(), events.clone());
                environ.on_finished(move |outcome| at_end.note(format!("{name} finished: {outcome:?}")));
                let result = inner
                    .call(environ, start_response.on_head(move |head| at_head.note(format!("{name} head: {head:?}"))));
                events.note(format!("{name} returned: {result:?}"));
                result
            })
        }
    }

    /// A middleware that notes when it is given the whole response.
    fn capturing(&self) -> impl Fn(App) -> App {
        let events = self.clone();
        middleware::map_response(move |_| {
            let events = events.clone();
            move |head, body| {
                events.note(format!("captured {head:?} {body:?}"));
                Ok((head, body))
            }
        })
    }

    /// An application whose body notes each pull and its drop.
    fn app(&self, is_lazy: bool) -> App {
        let events = self.clone();
        app_fn(move |_, start_response| {
            let mut start_response = Some(start_response);
            let mut start = move || start_response.take().map_or(Ok(()), |start: StartResponse| start.start(200, ()));
            if !is_lazy {
                start()?;
            }
            let (at_pull, at_close, at_trailers) = (events.clone(), events.clone(), events.clone());
            let blocks = ["", "a", "", "b"].into_iter().map(move |block| {
                at_pull.note(format!("pulled {block:?}"));
                start().map(|()| block)
            });
            let trailers = move || {
                at_trailers.note("trailers");
                HeaderMap::from_iter([(http::header::AGE, HeaderValue::from_static("1"))])
            };
            Ok(Body::try_iter(blocks).on_close(move || at_close.note("closed")).with_trailers(trailers))
        })
    }
}

#[test]
fn everything_happens_in_the_same_order() {
    for is_lazy in [false, true] {
        for method in [Method::GET, Method::HEAD] {
            let [bare, linted] = [false, true].map(|is_linted| {
                let here = |label: &'static str| {
                    move |app: App| match is_linted {
                        true => app.wrap(lint(label)),
                        false => app,
                    }
                };
                let events = Events::default();
                let app = events.app(is_lazy).wrap(here("1")).wrap(events.noting("inner")).wrap(here("2"));
                let app = app.wrap(events.capturing()).wrap(here("3")).wrap(events.noting("outer")).wrap(here("4"));
                let (steps, _) = steps(&app, method.clone(), true);
                (steps, events.0.lock().unwrap().clone())
            });
            assert!(bare.1.len() > 8, "{bare:#?}");
            assert_eq!(linted, bare, "lazy: {is_lazy}, {method}");
        }
    }
}

#[test]
fn capture_of_what_is_in_memory_is_done_inside_the_call() {
    let app = hello().wrap(lint("inner")).wrap(|inner| {
        app_fn(move |environ, start_response| {
            let is_captured = Arc::new(Mutex::new(false));
            let captured = Arc::clone(&is_captured);
            let body = capture(&inner, environ, start_response, move |response, start_response| {
                *captured.lock().unwrap() = true;
                let (head, body) = response?;
                start_response.send(head)?;
                Ok(body)
            });
            assert!(*is_captured.lock().unwrap());
            body
        })
    });
    assert_eq!(TestServer::new(app).get("/").send().text(), "hello");
}

/// An application whose start is held by somebody else, in a list that the test can look into.
fn keeping(kept: &Arc<Mutex<Vec<StartResponse>>>, body: impl Fn() -> Body + Send + Sync + 'static) -> App {
    let kept = Arc::clone(kept);
    app_fn(move |_, start_response| {
        kept.lock().unwrap().push(start_response.on_head(|head| drop(head.headers.insert("x-inside", 1.into()))));
        Ok(body())
    })
}

#[test]
fn a_start_after_the_end_is_refused() {
    for body in [Body::empty, || Body::iter(["a"]), || Body::deferred(async { Err("no".into()) })] {
        let kept = Arc::default();
        let response = |app: App| steps(&app.wrap(set_header("x-outside", "1")), Method::GET, true);
        let bare = response(keeping(&kept, body));
        assert_eq!(response(keeping(&kept, body).wrap(lint("here"))), bare);
        for start_response in kept.lock().unwrap().drain(..) {
            assert!(start_response.start(200, ()).is_err());
        }
    }
}

#[test]
fn a_head_that_another_thread_starts_is_committed_to_head_without_a_pull() {
    let [bare, linted] = [false, true].map(|is_linted| {
        let kept = Arc::default();
        let pulls = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&pulls);
        let app = keeping(&kept, move || {
            let counted = Arc::clone(&counted);
            Body::stream(futures::stream::poll_fn(move |_| {
                *counted.lock().unwrap() += 1;
                Poll::<Option<vestibule::Result<&str>>>::Pending
            }))
        });
        let app = if is_linted { app.wrap(lint("here")) } else { app };
        let mut exchange = Exchange::new(&app, Environ::from(Request::head("/").body(()).unwrap()));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(exchange.poll_step(&mut nobody, true).is_pending());
        kept.lock().unwrap().pop().unwrap().start(200, ()).unwrap();
        let head = format!("{:?}", exchange.poll_step(&mut nobody, true));
        exchange.finish(true);
        let pulls = *pulls.lock().unwrap();
        (head, pulls)
    });
    assert_eq!(linted, bare);
    assert_eq!(bare.1, 1);
}

#[test]
fn nothing_is_kept_when_the_request_has_ended() {
    let guard = Arc::new(());
    for body in [Body::empty, || Body::iter(["a"]), || Body::iter(["", ""])] {
        let held = Arc::clone(&guard);
        let kept = Arc::default();
        let app = keeping(&kept, body).wrap(lint("inner")).wrap(move |inner: App| {
            let held = Arc::clone(&held);
            app_fn(move |environ, start_response| {
                let held = Arc::clone(&held);
                inner.call(environ, start_response.on_head(move |_| drop(held)))
            })
        });
        steps(&app.wrap(lint("outer")), Method::GET, true);
    }
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[test]
fn nothing_is_kept_of_a_body_that_outlives_its_request() {
    let guard = Arc::new(());
    let (held, starts, bodies) = (Arc::clone(&guard), Arc::default(), Arc::new(Mutex::new(Vec::new())));
    let hoarded = Arc::clone(&bodies);
    let app = keeping(&starts, || Body::iter(["a"])).wrap(lint("inner")).wrap(move |inner: App| {
        app_fn(move |environ, start_response| {
            let held = Arc::clone(&held);
            let body = inner.call(environ, start_response.on_head(move |_| drop(held)))?;
            hoarded.lock().unwrap().push(body);
            Err("busy".into())
        })
    });
    steps(&app, Method::GET, true);
    assert_eq!(bodies.lock().unwrap().drain(..).count(), 1);
    drop(app);
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[test]
fn a_body_in_memory_may_be_started_after_the_call() {
    let kept = Arc::default();
    let starter = Arc::clone(&kept);
    let app = keeping(&kept, || "hello".into()).wrap(lint("inner")).wrap(move |inner: App| {
        app_fn(move |environ, start_response| {
            let body = inner.call(environ, start_response)?;
            let start_response = starter.lock().unwrap().pop().unwrap();
            Ok(Body::deferred(async {
                start_response.start(200, [("content-type", "text/plain")])?;
                Ok(body)
            }))
        })
    });
    let response = TestServer::new(app).get("/").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "hello"));
    assert!(response.lint().is_empty(), "{:#?}", response.lint());
}

#[test]
fn a_body_looks_the_same() {
    let looks = |app: &App| {
        let seen = Arc::new(Mutex::new(None));
        let look = Arc::clone(&seen);
        let looking = move |inner: App| {
            app_fn(move |environ, start_response| {
                let result = inner.call(environ, start_response);
                *look.lock().unwrap() = Some(format!("{result:?}"));
                result
            })
        };
        steps(&app.clone().wrap(looking), Method::GET, true);
        seen.lock().unwrap().take()
    };
    for (name, app) in applications() {
        assert_eq!(looks(&app.clone().wrap(lint("here"))), looks(&app), "{name}");
    }
}
