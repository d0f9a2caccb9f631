//! When the head is committed, and what the hooks of `on_head` see: rules S1 to S6, M1 to M3, H1 to H4.

use std::sync::{Arc, Mutex};

use http::header::{HeaderName, HeaderValue};
use vestibule::{App, Body, Head, StartResponse, StatusCode, app_fn, async_fn};

use super::{all, stepwise};
use crate::harness::play::{Item, Kind, Play};
use crate::harness::{PULLS, Pull, get, run};

fn created() -> Head {
    Head::new(201).header("x-set", "first").header("x-set", "second")
}

/// Wraps three layers whose hooks note their names.
fn three_hooks(app: App, seen: &Arc<Mutex<Vec<String>>>) -> App {
    ["inner", "middle", "outer"].into_iter().fold(app, |app, name| {
        let seen = Arc::clone(seen);
        app.wrap(move |inner: App| {
            let may_block = inner.may_block();
            let app = app_fn(move |environ, start_response| {
                let seen = Arc::clone(&seen);
                inner.call(
                    environ,
                    start_response.on_head(move |head| {
                        seen.lock().unwrap().push(format!("{name} {}", head.status.as_u16()));
                        head.headers.append("x-hook", HeaderValue::from_static(name));
                    }),
                )
            });
            if may_block { app } else { app.nonblocking() }
        })
    })
}

#[test]
fn every_kind_of_application_sends_its_head_and_its_blocks() {
    for (kind, pull) in all() {
        let play = Play::new(created, &["one ", "two ", "three"]);
        let seen = run(&play.app(kind), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (201, "one two three"), "{kind:?} {pull:?}");
        let values: Vec<_> = seen.headers.get_all("x-set").iter().collect();
        assert_eq!(values, ["first", "second"], "{kind:?} {pull:?}");
        assert!(!seen.aborted && seen.log.is_empty(), "{kind:?} {pull:?}: {}", seen.log);
        assert_eq!(seen.length.is_some(), kind.knows_its_length(), "{kind:?} {pull:?}");
        assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}: what the body holds is dropped once");
    }
}

#[test]
fn the_start_may_come_in_the_first_pull() {
    for (kind, pull) in all().filter(|(kind, _)| matches!(kind, Kind::Lazy | Kind::LazyStream | Kind::Async)) {
        let seen = run(&Play::new(created, &["", "", "late"]).app(kind), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (201, "late"), "{kind:?} {pull:?}");
    }
}

#[test]
fn the_start_may_come_from_another_thread() {
    let app = app_fn(|_, start_response| {
        let (mut sender, body) = Body::channel(1);
        std::thread::spawn(move || -> vestibule::Result<()> {
            start_response.start(202, ())?;
            sender.blocking_send("from afar")?;
            sender.finish()
        });
        Ok(body)
    });
    for pull in PULLS {
        let seen = run(&app, get(), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str()), (202, "from afar"), "{pull:?}");
    }
}

#[test]
fn neither_the_start_nor_empty_blocks_commit_the_head() {
    for (kind, pull) in stepwise().filter(|(kind, _)| *kind != Kind::Channel) {
        let play = Play::items(created, [Item::Block(""), Item::Block(""), Item::Fail("after two empty blocks")]);
        let seen = run(&play.app(kind), get(), pull);
        assert_eq!(seen.status, 500, "{kind:?} {pull:?}");
        assert_eq!(seen.text(), "500 Internal Server Error\n", "{kind:?} {pull:?}");
        assert_eq!(seen.header("x-set"), None, "{kind:?} {pull:?}: nothing is left of the head that was started");
        assert!(!seen.aborted, "{kind:?} {pull:?}: it is a clean response");
    }
}

#[test]
fn the_first_block_commits_the_head() {
    for (kind, pull) in stepwise() {
        let play = Play::items(created, [Item::Block(""), Item::Block("x"), Item::Fail("too late")]);
        let seen = run(&play.app(kind), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.aborted), (201, true), "{kind:?} {pull:?}");
    }
}

#[test]
fn the_end_of_the_body_commits_the_head() {
    for (kind, pull) in all() {
        for blocks in [&[][..], &["", ""][..]] {
            let seen = run(&Play::new(created, blocks).app(kind), get(), pull);
            assert_eq!((seen.status.as_u16(), seen.blocks.len(), seen.aborted), (201, 0, false), "{kind:?} {pull:?}");
            assert_eq!(seen.log, "", "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn a_block_before_the_start_is_a_500_and_is_not_sent() {
    let hold = |start_response: StartResponse| {
        // Somebody keeps it, so it was neither used nor dropped.
        std::mem::forget(start_response);
        Ok(())
    };
    for (kind, pull) in all() {
        for drops_it in [true, false] {
            let items = [Item::Block("secret")];
            let play = if drops_it { Play::started(|_| Ok(()), items) } else { Play::started(hold, items) };
            let seen = run(&play.app(kind), get(), pull);
            assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{kind:?} {pull:?}");
            assert!(!seen.text().contains("secret"), "{kind:?} {pull:?}");
            assert!(seen.log.contains("before start_response was called"), "{kind:?} {pull:?}: {}", seen.log);
        }
    }
}

#[test]
fn a_response_that_nobody_starts_is_a_500_that_names_the_layer() {
    for (kind, pull) in all() {
        let play = Play::started(|_| Ok(()), []);
        let app = play.app(kind).named("the shop").wrap(vestibule::middleware::map_head(|_| {}));
        let seen = run(&app, get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.text().as_str()),
            (500, "500 Internal Server Error\n"),
            "{kind:?} {pull:?}"
        );
        assert!(seen.log.contains("the shop never called start_response"), "{kind:?} {pull:?}: {}", seen.log);
    }
}

#[test]
fn the_layer_that_dropped_its_start_is_named_and_not_the_one_around_it() {
    let careless = app_fn(|_, start_response| {
        drop(start_response);
        Ok(Body::empty())
    })
    .named("careless");
    let outer = app_fn(move |environ, start_response| careless.call(environ, start_response)).named("outer");
    let seen = run(&outer, get(), Pull::Blocking);
    assert!(seen.log.contains("careless never called start_response"), "{}", seen.log);
}

#[test]
fn a_start_that_was_refused_leaves_the_response_a_500_even_if_the_error_is_ignored() {
    let heads: [fn() -> Head; 5] = [
        || Head::new(200).header("connection", "close"),
        || Head::new(101),
        || Head::new(42),
        || Head::new(200).header("x-a", "a\r\nx-b: b"),
        || Head::new(200).header("content-length", "+5"),
    ];
    for (kind, pull) in all() {
        for head in heads {
            let play = Play::started(
                move |start_response| {
                    assert!(start_response.send(head()).is_err());
                    Ok(())
                },
                [Item::Block("never sent")],
            );
            let seen = run(&play.app(kind), get(), pull);
            assert_eq!(
                (seen.status.as_u16(), seen.text().as_str()),
                (500, "500 Internal Server Error\n"),
                "{kind:?} {pull:?}"
            );
        }
    }
}

#[test]
fn a_start_after_the_end_is_an_error_to_the_caller_and_changes_nothing() {
    for pull in PULLS {
        let kept: Arc<Mutex<Option<StartResponse>>> = Arc::default();
        let keep = Arc::clone(&kept);
        let app = app_fn(move |_, start_response| {
            *keep.lock().unwrap() = Some(start_response);
            Ok(Body::empty())
        });
        let seen = run(&app, get(), pull);
        assert_eq!(seen.status, 500);
        let late = kept.lock().unwrap().take().unwrap();
        let error = late.start(200, ()).unwrap_err();
        assert_eq!(error.to_string(), "start_response was called after the response had ended");
        assert!(error.is_application());
    }
}

#[test]
fn hooks_run_once_innermost_first_on_the_head_that_is_sent() {
    for (kind, pull) in all() {
        let order: Arc<Mutex<Vec<String>>> = Arc::default();
        let app = three_hooks(Play::new(created, &["", "a", "b"]).app(kind), &order);
        let seen = run(&app, get(), pull);
        assert_eq!(*order.lock().unwrap(), ["inner 201", "middle 201", "outer 201"], "{kind:?} {pull:?}");
        let values: Vec<_> = seen.headers.get_all("x-hook").iter().collect();
        assert_eq!(values, ["inner", "middle", "outer"], "{kind:?} {pull:?}");
    }
}

#[test]
fn hooks_run_on_heads_that_the_exchange_makes() {
    let plays: [fn() -> Play; 5] = [
        || Play::items(created, [Item::Fail("an error")]),
        || Play::items(created, [Item::Panic("a panic")]),
        || Play::started(|_| Ok(()), []),
        || Play::started(|_| Ok(()), [Item::Block("before the start")]),
        || Play::started(|start_response| start_response.start(101, ()), []),
    ];
    for (kind, pull) in all() {
        for (number, play) in plays.iter().enumerate() {
            if number < 2 && kind == Kind::Channel {
                continue; // The sender's thread panics by itself; the body fails all the same.
            }
            let order: Arc<Mutex<Vec<String>>> = Arc::default();
            let seen = run(&three_hooks(play().app(kind), &order), get(), pull);
            let what = format!("{kind:?} {pull:?} {number}");
            assert_eq!(*order.lock().unwrap(), ["inner 500", "middle 500", "outer 500"], "{what}");
            assert_eq!((seen.status.as_u16(), seen.header("x-hook")), (500, Some("inner")), "{what}");
            assert_eq!(seen.text(), "500 Internal Server Error\n", "{what}");
        }
    }
}

#[test]
fn the_hooks_outside_of_a_router_run_on_its_404() {
    // The router answers itself; the application behind it is never called.
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let router = app_fn(|_, _| Err(vestibule::Error::with_status(404, "no such page")));
    let seen = run(&three_hooks(router, &order), get(), Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (404, "404 Not Found\n"));
    assert_eq!(order.lock().unwrap().len(), 3);
}

#[test]
fn a_hook_may_change_status_headers_and_reason() {
    let app = app_fn(|environ, start_response: StartResponse| {
        drop(environ);
        start_response
            .on_head(|head| {
                head.status = StatusCode::IM_A_TEAPOT;
                head.headers.remove("x-set");
                head.set_reason("Short and stout").unwrap();
            })
            .send(created())?;
        Ok("tea".into())
    });
    let seen = run(&app, get(), Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.reason.as_deref()), (418, Some("Short and stout")));
    assert_eq!(seen.header("x-set"), None);
}

#[test]
fn a_head_that_a_hook_spoiled_becomes_a_500_without_the_hooks() {
    let faults: [fn(&mut Head); 4] = [
        |head| drop(head.headers.insert("upgrade", HeaderValue::from_static("h2c"))),
        |head| head.status = StatusCode::EARLY_HINTS,
        |head| drop(head.headers.insert("content-length", HeaderValue::from_static("five"))),
        |head| {
            head.headers.append("content-length", 1.into());
            head.headers.append("content-length", 1.into());
        },
    ];
    for (kind, pull) in all() {
        for fault in faults {
            let play = Play::new(|| Head::new(200), &["body"]);
            let app = play.app(kind).wrap(vestibule::middleware::map_head(move |head| {
                head.headers.insert("x-hook", HeaderValue::from_static("ran"));
                fault(head);
            }));
            let seen = run(&app, get(), pull);
            assert_eq!(
                (seen.status.as_u16(), seen.text().as_str()),
                (500, "500 Internal Server Error\n"),
                "{kind:?} {pull:?}"
            );
            assert_eq!((seen.header("x-hook"), seen.header("upgrade")), (None, None), "{kind:?} {pull:?}");
            assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}: the body that is not sent is closed");
            assert!(!seen.log.is_empty(), "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn a_panic_in_a_hook_becomes_a_500() {
    for (kind, pull) in all() {
        let app =
            Play::new(created, &["body"]).app(kind).wrap(vestibule::middleware::map_head(|_| panic!("in a hook")));
        let seen = run(&app, get(), pull);
        assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{kind:?} {pull:?}");
        assert!(seen.log.contains("in a hook"), "{kind:?} {pull:?}: {}", seen.log);
    }
}

#[test]
fn heads_that_http_forbids_are_errors_of_the_start() {
    let check = |head: Head, text: &str| {
        let expected = text.to_owned();
        let head = Mutex::new(Some(head));
        let app = app_fn(move |_, start_response: StartResponse| {
            let error = start_response.send(head.lock().unwrap().take().unwrap()).unwrap_err();
            assert!(error.to_string().contains(&expected), "{error} has no {expected:?}");
            assert!(error.is_application());
            Err(error)
        });
        let seen = run(&app, get(), Pull::Blocking);
        assert_eq!(seen.status, 500);
        assert!(seen.log.contains(text), "{} has no {text:?}", seen.log);
    };
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "Connection",
        "TE",
    ] {
        check(Head::new(200).header(name, "x"), "hop-by-hop");
    }
    for status in [100_u16, 101, 102, 103, 199, 42, 1000, 0] {
        check(Head::new(status), "status");
    }
    for value in ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
        check(Head::new(200).header("x-value", value), "header number 1 is not valid");
    }
    for name in ["", "x y", "x:", "x\n", "x\r\nset-cookie: a", "\u{e9}", "(x)"] {
        check(Head::new(200).header("x-first", "1").header(name, "value"), "header number 2 is not valid");
    }
    for length in ["", "+5", "-1", " 5", "5,5", "0x5", "five", "18446744073709551616"] {
        check(Head::new(200).header("content-length", length), "content-length");
    }
    check(Head::new(200).header("content-length", 5).header("content-length", 5), "twice");
    for reason in ["a\r\nx: y", "a\nb", "a\0b", "\u{7f}"] {
        let error = Head::new(200).reason(reason).unwrap_err();
        assert!(error.to_string().contains("control character"), "{error}");
    }
}

#[test]
fn what_looks_like_a_hop_by_hop_header_and_is_none_passes() {
    for name in ["trailer", "via", "warning", "connections", "t", "upgrade-insecure-requests", "keep_alive", "x-te"] {
        let app = app_fn(move |_, start_response| {
            start_response.start(200, [(name, "x")])?;
            Ok("body".into())
        });
        let seen = run(&app, get(), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.header(name)), (200, Some("x")), "{name}");
    }
}

#[test]
fn values_reach_the_client_byte_for_byte() {
    let app = async_fn(|_, start_response| async move {
        let latin1 = HeaderValue::from_bytes(b"caf\xe9\ttab").unwrap();
        let mut head = Head::new(299).header("x-empty", "").header("x-comma", "a, b,c");
        head.headers.insert(HeaderName::from_static("x-latin1"), latin1);
        start_response.send(head.reason("Fine \u{e9}")?)?;
        Ok("a\nb\r\n\0\r\n\r\nHTTP/1.1 200 OK".into())
    });
    for pull in PULLS {
        let seen = run(&app, get(), pull);
        assert_eq!((seen.status.as_u16(), seen.reason.as_deref()), (299, Some("Fine \u{e9}")));
        assert_eq!(seen.headers["x-latin1"].as_bytes(), b"caf\xe9\ttab");
        assert_eq!((seen.header("x-empty"), seen.header("x-comma")), (Some(""), Some("a, b,c")));
        assert_eq!(seen.text(), "a\nb\r\n\0\r\n\r\nHTTP/1.1 200 OK");
    }
}

#[test]
fn the_exchange_adds_neither_date_nor_server() {
    for (kind, pull) in all() {
        let seen = run(&Play::new(|| Head::new(200), &["body"]).app(kind), get(), pull);
        let names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).collect();
        let expected = if kind.knows_its_length() { vec!["content-length"] } else { vec![] };
        assert_eq!(names, expected, "{kind:?} {pull:?}");
        let own = || Head::new(200).header("date", "never").header("server", "mine");
        let seen = run(&Play::new(own, &["body"]).app(kind), get(), pull);
        assert_eq!((seen.header("date"), seen.header("server")), (Some("never"), Some("mine")), "{kind:?} {pull:?}");
    }
}

#[test]
fn upgrade_is_reserved() {
    let app = app_fn(|_, start_response| {
        let error = start_response.upgrade("websocket", ()).unwrap_err();
        assert_eq!(error.status().unwrap(), 501);
        Err(error)
    });
    let seen = run(&app, get(), Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (501, "501 Not Implemented\n"));
    let ignored = app_fn(|_, start_response| {
        let _ = start_response.upgrade("websocket", [("x", "y")]);
        Ok("never sent".into())
    });
    assert_eq!(run(&ignored, get(), Pull::Blocking).status, 501);
}
