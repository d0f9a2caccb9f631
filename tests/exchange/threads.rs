//! Which code runs where, and the waits that could never end: rules M6 (in part), G11 and X12.

use std::io::{BufRead, Read};
use std::task::{Context, Poll, Waker};

use futures::stream;
use vestibule::testing::TestServer;
use vestibule::{App, Body, Environ, Exchange, Head, Input, StartResponse, Step, app_fn, async_fn};

use super::{all, stepwise};
use crate::harness::play::{Item, KINDS, Kind, Play};
use crate::harness::{Drops, Pull, Running, ends, get, head, post, run};

#[test]
fn a_blocking_application_is_called_on_a_thread_and_an_async_one_is_not() {
    for kind in KINDS {
        let seen = run(&Play::new(|| Head::new(200), &["a", "b"]).app(kind), get(), Pull::Async);
        let blocks = !matches!(kind, Kind::Async | Kind::Stream | Kind::LazyStream);
        assert_eq!(seen.threads_asked_for > 0, blocks, "{kind:?}: {}", seen.threads_asked_for);
        let seen = run(&Play::new(|| Head::new(200), &["a", "b"]).app(kind), get(), Pull::Blocking);
        assert_eq!(seen.threads_asked_for, 0, "{kind:?}");
    }
}

#[test]
fn a_step_that_needs_a_thread_has_done_nothing() {
    let play = Play::new(|| Head::new(200), &["a"]);
    let mut exchange = Exchange::new(&play.app(Kind::Lazy), http::Request::new(()).into());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..5 {
        assert!(matches!(exchange.poll_step(&mut cx, false), Poll::Ready(Step::NeedsThread)));
    }
    assert_eq!(play.pulled(), 0);
    assert!(matches!(exchange.poll_step(&mut cx, true), Poll::Ready(Step::Head(_))));
    assert_eq!(play.pulled(), 1);
    assert!(
        matches!(exchange.poll_step(&mut cx, false), Poll::Ready(Step::Block(_))),
        "a block that is there needs no thread"
    );
    for _ in 0..5 {
        assert!(matches!(exchange.poll_step(&mut cx, false), Poll::Ready(Step::NeedsThread)));
    }
    assert_eq!(play.pulled(), 1);
}

#[test]
fn in_place_calls_and_pulls_where_it_is() {
    for kind in KINDS {
        let app = Play::new(|| Head::new(200), &["a", "b"]).app(kind);
        let mut running = Running::with(get(), Pull::Async, |environ| Exchange::new(&app, environ).in_place());
        while running.step() {}
        let seen = running.finish(true);
        assert_eq!((seen.text().as_str(), seen.threads_asked_for), ("ab", 0), "{kind:?}");
    }
}

/// Bodies that may block when they are dropped are dropped on a thread that may wait, however the request ends.
#[test]
fn what_may_block_is_never_dropped_on_the_reactor() {
    type MakePlay = fn() -> Play;
    let plays: [(&str, MakePlay); 8] = [
        ("complete", || Play::new(|| Head::new(200), &["a", "b"])),
        ("with a length", || Play::new(|| Head::new(200).header("content-length", 2), &["a", "b"])),
        ("cut", || Play::new(|| Head::new(200).header("content-length", 1), &["ab", "c"])),
        ("short", || Play::new(|| Head::new(200).header("content-length", 9), &["ab", "c"])),
        ("204", || Play::new(|| Head::new(204), &["a"])),
        ("failed early", || Play::items(|| Head::new(200), [Item::Fail("x")])),
        ("failed late", || Play::items(|| Head::new(200), [Item::Block("a"), Item::Fail("x")])),
        ("never started", || Play::started(|_| Ok(()), [Item::Block("a")])),
    ];
    let mut wrong = Vec::new();
    for kind in KINDS {
        for (name, play) in plays {
            for request in [get(), head()] {
                let method = request.method().clone();
                for leaves in [false, true] {
                    let closed = Drops::default();
                    let closing = closed.clone();
                    let app = play().app(kind).wrap(vestibule::middleware::map_body(move |body| {
                        let closing = closing.clone();
                        body.on_close(move || closing.note())
                    }));
                    let mut running = Running::new(&app, request.clone(), Pull::Async);
                    running.until_head();
                    if leaves {
                        running.exchange.hang_up().hang_up();
                    }
                    while running.step() {}
                    running.finish(!leaves);
                    if closed.on_reactor() > 0 {
                        wrong
                            .push(format!("{method} {kind:?} {name}{}", if leaves { ", the client left" } else { "" }));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them were closed on the reactor:\n{}", wrong.len(), wrong.join("\n"));
}

/// An iterator body of an application that does not block when it is called: only its pulls need a thread.
#[test]
fn an_iterator_is_not_dropped_on_the_reactor_either() {
    for request in [get(), head()] {
        for status in [200_u16, 204, 304] {
            let drops = Drops::default();
            let app = {
                let drops = drops.clone();
                app_fn(move |_, start_response| {
                    start_response.start(status, ())?;
                    let probe = drops.probe();
                    Ok(Body::iter(["a", "b"].into_iter().inspect(move |_| probe.stays())))
                })
                .nonblocking()
            };
            let method = request.method().clone();
            run(&app, request.clone(), Pull::Async);
            assert_eq!((drops.all(), drops.on_reactor()), (1, 0), "{method} {status}");
        }
    }
}

#[test]
fn finish_says_whether_it_may_block() {
    let quick = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok("in memory".into())
    })
    .nonblocking();
    let mut exchange = Exchange::new(&quick, http::Request::new(()).into());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(exchange.poll_step(&mut cx, false), Poll::Ready(Step::Head(_))));
    assert!(!exchange.finish_may_block());
    let hooked = quick.wrap(vestibule::middleware::map_environ(|environ| environ.on_finished(|_| {})));
    let mut exchange = Exchange::new(&hooked, http::Request::new(()).into());
    assert!(matches!(exchange.poll_step(&mut cx, false), Poll::Ready(Step::Head(_))));
    assert!(exchange.finish_may_block(), "a hook may block");
    let closed = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok(Body::stream(stream::pending::<vestibule::Result<&str>>()).on_close(|| {}))
    })
    .nonblocking();
    let mut exchange = Exchange::new(&closed, http::Request::new(()).into());
    assert!(exchange.poll_step(&mut cx, false).is_pending());
    assert!(exchange.finish_may_block(), "so may on_close");
}

/// An input from which nothing comes on the thread that waits for it.
fn never() -> Input {
    Input::stream(stream::pending::<vestibule::Result<&str>>())
}

#[test]
fn a_blocking_read_on_the_reactor_is_an_error_that_names_the_cure() {
    type Read_ = fn(&mut Input) -> vestibule::Result<()>;
    let reads: [(&str, Read_); 7] = [
        ("read", |input| {
            let _ = input.read(&mut [0; 4])?;
            Ok(())
        }),
        ("read_to_end", |input| {
            let _ = input.read_to_end(&mut Vec::new())?;
            Ok(())
        }),
        ("read_to_string", |input| {
            let _ = input.read_to_string(&mut String::new())?;
            Ok(())
        }),
        ("fill_buf", |input| {
            let _ = input.fill_buf()?;
            Ok(())
        }),
        ("read_line", |input| {
            let _ = input.read_line(&mut String::new())?;
            Ok(())
        }),
        ("read_bytes", |input| input.read_bytes(9).map(drop)),
        ("read_text", |input| input.read_text(9).map(drop)),
    ];
    for (name, read) in reads {
        let blocking = app_fn(move |mut environ: Environ, _: StartResponse| {
            read(environ.input_mut())?;
            Err("unreachable".into())
        });
        let declared = blocking.clone().nonblocking();
        let inside = async_fn(move |mut environ, _| async move {
            read(environ.input_mut())?;
            Err("unreachable".into())
        });
        for (how, app, in_place) in
            [("in place", blocking, true), ("nonblocking", declared, false), ("async", inside, false)]
        {
            let log = ends(move || {
                let mut running = Running::with(post(never()), Pull::Async, |environ| {
                    let exchange = Exchange::new(&app, environ);
                    if in_place { exchange.in_place() } else { exchange }
                });
                while running.step() {}
                let seen = running.finish(true);
                assert_eq!(seen.status, 500);
                seen.log
            });
            assert!(log.contains("would never end") && log.contains("read_bytes_async"), "{name} {how}: {log}");
        }
    }
}

#[test]
fn a_read_of_what_is_there_is_allowed_on_the_reactor() {
    let app = app_fn(|mut environ: Environ, start_response: StartResponse| {
        let text = environ.input_mut().read_text(99)?;
        start_response.start(200, ())?;
        Ok(text.into())
    })
    .nonblocking();
    assert_eq!(run(&app, post("all of it"), Pull::Async).text(), "all of it");
}

#[test]
fn a_send_into_ones_own_full_channel_is_an_error_that_names_the_cure() {
    let app = app_fn(|_, start_response: StartResponse| {
        start_response.start(200, ())?;
        let (mut sender, body) = Body::channel(2);
        sender.blocking_send("one")?;
        sender.blocking_send("two")?;
        sender.blocking_send("three")?;
        sender.finish()?;
        Ok(body)
    });
    for pull in [Pull::Blocking, Pull::Async] {
        let app = app.clone();
        let seen = ends(move || run(&app, get(), pull));
        assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{pull:?}");
        assert!(
            seen.log.contains("the channel is full") && seen.log.contains("another thread"),
            "{pull:?}: {}",
            seen.log
        );
    }
}

#[test]
fn a_channel_with_room_may_be_filled_in_the_call() {
    let app = app_fn(|_, start_response: StartResponse| {
        start_response.start(200, ())?;
        let (mut sender, body) = Body::channel(2);
        sender.blocking_send("one ")?;
        std::io::Write::write_all(&mut sender, b"two")?;
        sender.blocking_send("")?;
        sender.finish()?;
        Ok(body)
    });
    for pull in [Pull::Blocking, Pull::Async] {
        assert_eq!(run(&app, get(), pull).text(), "one two", "{pull:?}");
    }
}

#[test]
fn a_blocking_send_on_the_reactor_is_an_error_that_names_the_cure() {
    let app = async_fn(|_, start_response| async move {
        let (mut sender, body) = Body::channel(1);
        start_response.start(200, ())?;
        sender.blocking_send("one")?;
        sender.blocking_send("two")?;
        drop(body);
        Err("unreachable".into())
    });
    let seen = ends(move || run(&app, get(), Pull::Async));
    assert_eq!(seen.status, 500);
    assert!(seen.log.contains("send(..).await"), "{}", seen.log);
}

#[test]
fn blocks_that_wait_on_the_reactor_are_an_error_that_names_the_cure() {
    let app = async_fn(|_, _| async {
        let body = Body::stream(stream::pending::<vestibule::Result<&str>>());
        for block in body {
            block?;
        }
        Err("unreachable".into())
    });
    let seen = ends(move || run(&app, get(), Pull::Async));
    assert_eq!(seen.status, 500);
    assert!(seen.log.contains("poll the body as a stream"), "{}", seen.log);
}

/// An application that asks another one, by the test server, in the middle of its own call.
#[test]
fn a_nested_send_works() {
    let server = TestServer::new(async_fn(|_, start_response| async move {
        crate::harness::play::Yield::default().await;
        start_response.start(200, [("content-type", "text/plain")])?;
        let (mut sender, body) = Body::channel(1);
        std::thread::spawn(move || sender.blocking_send("inner").and_then(|()| sender.finish()));
        Ok(body)
    }));
    let outer = app_fn(move |_, start_response: StartResponse| {
        let text = server.get("/").send().text();
        let (mut sender, body) = Body::channel(1);
        sender.blocking_send(format!("outer, {text}"))?;
        assert!(sender.blocking_send("too much").is_err(), "the place is restored after the nested call");
        sender.finish()?;
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(body)
    });
    assert_eq!(ends(move || TestServer::new(outer).get("/").send().text()), "outer, inner");
}

/// Nesting restores what the thread was doing, also on a reactor: the outer one still refuses to wait.
#[test]
fn a_nested_exchange_leaves_the_thread_as_it_was() {
    let inner = App::new(|_: Environ, start_response: StartResponse| -> vestibule::Result {
        start_response.start(200, ())?;
        Ok("inner".into())
    });
    let app = app_fn(move |mut environ: Environ, _: StartResponse| {
        assert_eq!(run(&inner, get(), Pull::Blocking).text(), "inner");
        environ.input_mut().read_text(9)?;
        Err("unreachable".into())
    })
    .nonblocking();
    let seen = ends(move || run(&app, post(never()), Pull::Async));
    assert!(seen.log.contains("would never end"), "{}", seen.log);
}

#[test]
fn one_application_serves_many_threads() {
    for (kind, pull) in all() {
        let app = Play::new(|| Head::new(200), &["a", "b"]).app(kind);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let app = app.clone();
                scope.spawn(move || {
                    for _ in 0..20 {
                        assert_eq!(run(&app, get(), pull).text(), "ab");
                    }
                });
            }
        });
    }
}

#[test]
fn an_exchange_may_move_between_threads_at_every_step() {
    for (kind, pull) in stepwise() {
        let mut running = Running::new(&Play::new(|| Head::new(200), &["a", "b", "c"]).app(kind), get(), pull);
        let mut more = true;
        while more {
            (running, more) = std::thread::spawn(move || {
                let more = running.step();
                (running, more)
            })
            .join()
            .unwrap();
        }
        assert_eq!(running.finish(true).text(), "abc", "{kind:?} {pull:?}");
    }
}
