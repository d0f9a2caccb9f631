//! What applications get wrong: each fault has a named error, nothing hangs, and the next request is served.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use harness::play::{Item, KINDS, Kind, Play};
use harness::{Drops, PULLS, Pull, Running, ends, get, head, post, run};
use http::HeaderValue;
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Body, End, Environ, Error, Head, Input, StartResponse, app_fn, async_fn, middleware};

/// Asks an application that misbehaves on `/bad` for that and then for `/good`, as one server: the second must be served.
fn misuse(bad: App) -> TestResponse {
    let app = app_fn(move |environ, start_response| match &*environ.path_info() {
        "/bad" => bad.call(environ, start_response),
        _ => {
            start_response.start(200, [("content-type", "text/plain")])?;
            Ok("good".into())
        }
    });
    ends(move || {
        let server = TestServer::new(app).without_lint();
        let response = server.post("/bad").body("12345").send();
        let next = server.get("/good").send();
        assert_eq!((next.status().as_u16(), next.text().as_str()), (200, "good"), "the next request is served");
        response
    })
}

fn is_clean_500(response: &TestResponse, text: &str) {
    assert_eq!((response.status().as_u16(), response.text().as_str()), (500, "500 Internal Server Error\n"));
    assert!(response.is_complete(), "it is a clean response");
    assert!(response.errors().contains(text), "{:?} does not say {text:?}", response.errors());
}

#[test]
fn a_line_break_in_a_header_value_is_refused() {
    for value in ["a\r\nx-injected: y", "a\nx: y", "a\rb", "a\0b"] {
        assert!(HeaderValue::try_from(value).is_err(), "http itself refuses it");
        let response = misuse(app_fn(move |_, start_response| {
            start_response.start(200, [("x-value", value)])?;
            Ok("never".into())
        }));
        is_clean_500(&response, "response header number 1 is not valid");
        assert!(response.header("x-injected").is_none());
        let response = misuse(app_fn(move |_, start_response| {
            start_response.send(Head::new(200).reason(value)?)?;
            Ok("never".into())
        }));
        is_clean_500(&response, "has a control character");
    }
}

#[test]
fn a_status_that_ends_no_response_is_refused() {
    for status in [0_u16, 99, 100, 101, 102, 103, 199, 1000, u16::MAX] {
        let response = misuse(app_fn(move |_, start_response| {
            start_response.start(status, ())?;
            Ok("never".into())
        }));
        is_clean_500(&response, "a response has one from 200 to 999");
        let response = misuse(
            app_fn(move |_, start_response| {
                start_response.start(200, ())?;
                Ok("never".into())
            })
            .wrap(middleware::map_head(move |head| {
                if let Ok(status) = http::StatusCode::from_u16(status) {
                    head.status = status;
                } else {
                    head.status = http::StatusCode::CONTINUE;
                }
            })),
        );
        is_clean_500(&response, "a response has one from 200 to 999");
    }
    for status in [200_u16, 299, 599, 600, 999] {
        let response = misuse(app_fn(move |_, start_response| {
            start_response.start(status, ())?;
            Ok("fine".into())
        }));
        assert_eq!((response.status().as_u16(), response.text().as_str()), (status, "fine"));
    }
}

/// Starting twice does not compile; what is left is to start two responses of one request.
#[test]
fn a_start_that_was_kept_from_an_earlier_request_starts_nothing() {
    let kept: Arc<Mutex<Vec<StartResponse>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let response = misuse(app_fn(move |_, start_response| {
        if let Some(old) = keep.lock().unwrap().pop() {
            old.start(200, ())?;
        }
        keep.lock().unwrap().push(start_response);
        Ok("never sent".into())
    }));
    is_clean_500(&response, "before start_response was called");
    let late = kept.lock().unwrap().pop().unwrap();
    assert_eq!(late.start(200, ()).unwrap_err().to_string(), "start_response was called after the response had ended");
}

#[test]
fn a_response_that_is_never_started_is_a_500_that_names_its_layer() {
    let response = misuse(app_fn(|_, _| Ok(Body::empty())).named("the forgetful"));
    is_clean_500(&response, "the forgetful never called start_response");
    let response = misuse(app_fn(|_, _| Ok("too early".into())).named("the hasty"));
    is_clean_500(&response, "the hasty gave a body block before start_response was called");
    let response = misuse(async_fn(|_, start_response| async {
        drop(start_response);
        Ok(Body::iter(["too early"]))
    }));
    is_clean_500(&response, "before start_response was called");
}

#[test]
fn an_error_before_the_first_block_is_clean_and_one_after_it_aborts() {
    for kind in KINDS.into_iter().filter(|kind| kind.is_stepwise() && *kind != Kind::Channel) {
        let head = || Head::new(200).header("content-type", "text/plain");
        is_clean_500(&misuse(Play::items(head, [Item::Fail("early")]).app(kind)), "early");
        let response = misuse(Play::items(head, [Item::Block("half"), Item::Fail("late")]).app(kind));
        assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "half"), "{kind:?}");
        assert!(!response.is_complete(), "{kind:?}: it never looks complete");
        assert_eq!(response.end(), Some(End::Failed), "{kind:?}");
        assert!(response.errors().contains("late"), "{kind:?}: {}", response.errors());
    }
}

#[test]
fn a_panic_in_the_call_in_the_body_or_in_a_drop_hurts_nobody_else() {
    struct Bomb(&'static str);
    impl Bomb {
        fn stays(&self) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("{}", self.0);
        }
    }
    is_clean_500(&misuse(app_fn(|_, _| panic!("in the call"))), "panicked: in the call");
    is_clean_500(&misuse(async_fn(|_, _| async { panic!("in the future") })), "panicked: in the future");
    let response = misuse(app_fn(|_, start_response| {
        start_response.start(200, ())?;
        let mut pulls = 0;
        Ok(Body::iter(std::iter::from_fn(move || {
            pulls += 1;
            assert!(pulls < 3, "in the body");
            Some("block")
        })))
    }));
    assert!(!response.is_complete() && response.errors().contains("in the body"), "{}", response.errors());
    // In a drop: of the body, of what the call held, of a value in the environ.
    let response = misuse(app_fn(|_, start_response| {
        start_response.start(200, ())?;
        let bomb = Bomb("in the drop of the body");
        Ok(Body::iter(["block"].into_iter().inspect(move |_| bomb.stays())))
    }));
    assert!(response.errors().contains("in the drop of the body"), "{}", response.errors());
    let response = misuse(app_fn(|_, start_response| {
        let _bomb = Bomb("in the drop of the call");
        start_response.start(200, ())?;
        Ok("never".into())
    }));
    is_clean_500(&response, "in the drop of the call");
    let response = misuse(app_fn(|mut environ, start_response| {
        environ.on_finished(move |_| drop(Bomb("in a hook")));
        start_response.start(200, ())?;
        Ok("fine".into())
    }));
    assert_eq!((response.text().as_str(), response.is_complete()), ("fine", true));
    assert!(response.errors().contains("in a hook"), "{}", response.errors());
}

#[test]
fn a_body_that_panics_in_its_pull_and_again_in_its_drop_does_not_end_the_process() {
    struct Twice;
    impl Iterator for Twice {
        type Item = &'static str;
        fn next(&mut self) -> Option<&'static str> {
            panic!("in the pull");
        }
    }
    impl Drop for Twice {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    for started in [true, false] {
        let response = misuse(app_fn(move |_, start_response: StartResponse| {
            if started {
                start_response.start(200, ())?;
            }
            Ok(Body::iter(Twice))
        }));
        is_clean_500(&response, "in the pull");
        let response = misuse(app_fn(move |_, start_response: StartResponse| {
            start_response.start(200, ())?;
            Ok(Body::iter(["sent"].into_iter().chain(Twice)))
        }));
        assert!(!response.is_complete());
    }
}

#[test]
fn ten_thousand_panics_end_no_thread() {
    // Without the message that the panic hook prints.
    fn bug(here: bool, text: &'static str) {
        if here {
            std::panic::resume_unwind(Box::new(text));
        }
    }
    for place in 0..3 {
        let app = app_fn(move |_, start_response: StartResponse| {
            bug(place == 0, "in the call");
            start_response.start(200, ())?;
            let blocks = (0..9).map(move |number| {
                bug(place == 1 && number == 2, "in the body");
                "block"
            });
            Ok(Body::iter(blocks).on_close(move || bug(place == 2, "in the drop")))
        });
        for _ in 0..3_400 {
            let seen = run(&app, get(), Pull::Blocking);
            assert!(seen.log.contains("panicked: in the"));
        }
    }
}

#[test]
fn a_body_longer_than_its_length_is_cut_and_a_shorter_one_is_aborted() {
    let with = |length: &'static str, blocks: &'static [&'static str]| {
        misuse(app_fn(move |_, start_response| {
            start_response.start(200, [("content-length", length)])?;
            Ok(Body::iter(blocks.iter().copied()))
        }))
    };
    let response = with("5", &["abc", "def", "ghi"]);
    assert_eq!(
        (response.text().as_str(), response.is_complete(), response.header("content-length")),
        ("abcde", true, Some("5"))
    );
    assert!(
        response.errors().contains("the body is longer than its content-length of 5 bytes"),
        "{}",
        response.errors()
    );
    let response = with("99", &["abc"]);
    assert_eq!((response.text().as_str(), response.is_complete(), response.end()), ("abc", false, Some(End::Failed)));
    assert!(response.errors().contains("ended after 3 of the 99 bytes"), "{}", response.errors());
}

#[test]
fn bodies_where_none_belongs_are_not_sent() {
    for kind in KINDS {
        for pull in PULLS {
            for status in [204_u16, 304] {
                let play = Play::new(move || Head::new(status).header("content-length", 4), &["body"]);
                let seen = run(&play.app(kind), get(), pull);
                let expected = (status == 304).then_some("4");
                assert_eq!(
                    (seen.blocks.len(), seen.header("content-length")),
                    (0, expected),
                    "{kind:?} {pull:?} {status}"
                );
            }
            let play = Play::new(|| Head::new(200).header("content-length", 4), &["body"]);
            let seen = run(&play.app(kind), head(), pull);
            assert_eq!((seen.blocks.len(), seen.header("content-length")), (0, Some("4")), "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn hop_by_hop_headers_are_refused() {
    for name in ["Transfer-Encoding", "Connection", "Upgrade", "Keep-Alive", "TE", "Proxy-Connection"] {
        let response = misuse(app_fn(move |_, start_response| {
            start_response.start(200, [(name, "chunked")])?;
            Ok("never".into())
        }));
        is_clean_500(&response, &format!("response header `{}` is hop-by-hop", name.to_ascii_lowercase()));
    }
}

#[test]
fn two_lengths_are_refused() {
    for lengths in [["5", "5"], ["5", "6"]] {
        let response = misuse(app_fn(move |_, start_response| {
            start_response.start(200, lengths.map(|length| ("content-length", length)))?;
            Ok("12345".into())
        }));
        is_clean_500(&response, "response header `content-length` is not one number: it is there twice");
    }
}

/// The exchange pulls one block at a time and holds none back: what a gateway does not ask for is not made.
#[test]
fn an_endless_body_is_made_only_as_fast_as_it_is_taken() {
    for kind in [Kind::Iterator, Kind::Stream] {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let app = app_fn(move |_, start_response: StartResponse| {
            start_response.start(200, ())?;
            let counted = Arc::clone(&counted);
            let blocks = std::iter::repeat_with(move || {
                counted.fetch_add(1, Ordering::SeqCst);
                vec![b'x'; 1 << 20]
            });
            Ok(match kind {
                Kind::Iterator => Body::iter(blocks),
                _ => Body::stream(futures::stream::iter(blocks.map(Ok))),
            })
        });
        let app = app.wrap(middleware::map_body(|body| body.map_chunks(|block| block)));
        let mut running = Running::new(&app, get(), Pull::Async);
        while running.blocks.len() < 5 {
            assert!(running.step());
            running.blocks.iter_mut().for_each(|block| *block = vestibule::Bytes::from_static(b"sent"));
        }
        assert_eq!(made.load(Ordering::SeqCst), 5, "{kind:?}");
    }
}

#[test]
fn a_client_that_aborts_closes_the_body_once() {
    for kind in KINDS.into_iter().filter(|kind| kind.is_stepwise()) {
        for blocks in 0..3 {
            let play = Play::new(|| Head::new(200).header("content-type", "text/plain"), &["a", "b", "c", "d"]);
            let server = TestServer::new(play.app(kind)).without_lint();
            let response = ends(move || server.get("/").hang_up_after(blocks).send());
            assert_eq!((response.chunks().len(), response.is_complete()), (blocks, false), "{kind:?}");
            assert_eq!(response.end(), Some(End::Disconnected), "{kind:?}");
            assert_eq!(play.drops.all(), 1, "{kind:?} after {blocks} blocks");
        }
    }
}

#[test]
fn a_body_that_a_thread_forgets_to_finish_is_an_abort_and_not_a_wait() {
    let response = misuse(app_fn(|_, start_response: StartResponse| {
        let (mut sender, body) = Body::channel(1);
        std::thread::spawn(move || drop(sender.blocking_send("kept")));
        start_response.start(200, ())?;
        Ok(body)
    }));
    assert_eq!((response.text().as_str(), response.is_complete()), ("kept", false));
}

#[test]
fn the_parts_of_a_request_may_outlive_it() {
    let kept: Arc<Mutex<Vec<(Environ, Input)>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let response = misuse(app_fn(move |mut environ: Environ, start_response: StartResponse| {
        let input = environ.take_input();
        keep.lock().unwrap().push((environ, input));
        start_response.start(200, ())?;
        Ok("fine".into())
    }));
    assert_eq!(response.text(), "fine");
    let (mut environ, mut input) = kept.lock().unwrap().pop().unwrap();
    ends(move || {
        assert_eq!(input.read_text(99).unwrap(), "12345", "read after the response was sent");
        assert_eq!(input.read_text(99).unwrap(), "");
        assert_eq!(environ.input_mut().read_text(99).unwrap(), "");
        let told = Drops::default();
        let probe = told.probe();
        environ.on_finished(move |_| drop(probe));
        assert_eq!(told.all(), 1, "a hook that comes too late runs at once");
    });
}

#[test]
fn an_input_that_is_read_twice_is_at_its_end() {
    let response = misuse(app_fn(|mut environ: Environ, start_response: StartResponse| {
        assert_eq!(environ.input_mut().read_text(99)?, "12345");
        for _ in 0..3 {
            assert_eq!(environ.input_mut().read(&mut [0; 9])?, 0);
            assert_eq!(environ.input_mut().read_text(99)?, "");
        }
        start_response.start(200, ())?;
        let input = environ.take_input();
        Ok(Body::stream(input))
    }));
    assert_eq!((response.status().as_u16(), response.text().as_str(), response.is_complete()), (200, "", true));
}

#[test]
fn an_upload_over_its_limit_is_a_413_and_no_byte_more_is_seen() {
    for size in [4, 5, 6] {
        let seen = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&seen);
        let app = app_fn(move |mut environ: Environ, start_response: StartResponse| {
            let text = environ.input_mut().read_text(5)?;
            counted.store(text.len(), Ordering::SeqCst);
            start_response.start(200, ())?;
            Ok("stored".into())
        });
        for body in [Input::from("x".repeat(size)), Input::reader(std::io::Cursor::new("x".repeat(size)))] {
            seen.store(0, Ordering::SeqCst);
            let response = run(&app, post(body), Pull::Blocking);
            let (status, handed_out) = if size <= 5 { (200, size) } else { (413, 0) };
            assert_eq!((response.status.as_u16(), seen.load(Ordering::SeqCst)), (status, handed_out), "{size}");
        }
    }
    let endless = app_fn(|mut environ: Environ, _: StartResponse| {
        environ.input_mut().read_to_end(&mut Vec::new())?;
        Err("unreachable".into())
    });
    let seen = run(&endless, post(Input::reader(std::io::repeat(b'x'))), Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (413, "413 Payload Too Large\n"));
}

#[test]
fn an_error_with_a_made_up_status_is_a_500() {
    for status in [0_u16, 99, 100, 101, 103, 1000] {
        is_clean_500(&misuse(app_fn(move |_, _| Err(Error::with_status(status, "odd")))), "odd");
    }
}

/// How deep a stack of layers may be: each takes some of the thread's stack while it calls the one inside.
#[test]
fn two_hundred_layers_fit_on_a_thread_of_2_mib() {
    type Layer = fn(App) -> App;
    let layers: [(&str, Layer); 4] = [
        ("app_fn", |inner| app_fn(move |environ, start_response| inner.call(environ, start_response))),
        ("map_head", |inner| inner.wrap(middleware::map_head(|_| {}))),
        ("map_body", |inner| inner.wrap(middleware::map_body(|body| body.map_chunks(|block| block)))),
        ("map_response", |inner| inner.wrap(middleware::map_response(|_| |head, body| Ok((head, body))))),
    ];
    for (name, layer) in layers {
        for kind in [Kind::Eager, Kind::Lazy, Kind::Async] {
            let app = Play::new(|| Head::new(200), &["deep"]).app(kind);
            let app = (0..200).fold(app, |app, _| layer(app));
            let thread = std::thread::Builder::new().stack_size(2 << 20);
            let text = thread.spawn(move || run(&app, get(), Pull::Blocking).text()).unwrap().join().unwrap();
            assert_eq!(text, "deep", "{name} {kind:?}");
        }
    }
}

#[test]
fn an_application_that_calls_itself_is_as_deep_as_it_says() {
    fn count(environ: Environ, start_response: StartResponse) -> vestibule::Result {
        let depth: u32 = environ.query_string().parse()?;
        if depth == 0 {
            start_response.start(200, ())?;
            return Ok("bottom".into());
        }
        let mut environ = environ;
        environ.set_query_string(&(depth - 1).to_string())?;
        App::new(count).call(environ, start_response)
    }
    let request = http::Request::get("/?1000").body(()).unwrap();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || run(&App::new(count), request, Pull::Blocking).text();
    assert_eq!(thread.spawn(run).unwrap().join().unwrap(), "bottom");
}
