//! `TestServer` in memory: what a test of an application relies on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use harness::play::{KINDS, Play, Yield};
use harness::{Drops, ends};
use http::{HeaderMap, Method, Version};
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Body, Bytes, End, Environ, Head, StartResponse, app_fn, async_fn};

fn head() -> Head {
    Head::new(200).header("content-type", "text/plain")
}

/// Answers with what `describe` says of the request.
fn describing(describe: impl Fn(&mut Environ) -> String + Send + Sync + 'static) -> TestServer {
    TestServer::new(app_fn(move |mut environ: Environ, start_response: StartResponse| {
        start_response.send(head())?;
        Ok(describe(&mut environ).into())
    }))
}

/// The text of the panic of `f`.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(f()))).expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or_default().to_owned(),
    }
}

#[test]
fn every_kind_of_application_is_served() {
    for kind in KINDS {
        let server = TestServer::new(Play::new(head, &["a", "", "b"]).app(kind));
        let sent = ends(move || server.get("/").send());
        assert_eq!((sent.status().as_u16(), sent.text().as_str(), sent.is_complete()), (200, "ab", true), "{kind:?}");
        assert_eq!((sent.end(), sent.errors()), (Some(End::Complete), ""), "{kind:?}");
        let server = TestServer::new(Play::new(head, &["a", "", "b"]).app(kind));
        let awaited = ends(move || block_on(async { server.get("/").await }));
        assert_eq!((awaited.text().as_str(), awaited.chunks()), (sent.text().as_str(), sent.chunks()), "{kind:?}");
    }
}

#[test]
fn requests_have_a_method_a_target_headers_and_a_body() {
    let server = describing(|environ| {
        let body = environ.input_mut().read_text(99).unwrap();
        format!("{} {} {:?} {body}", environ.method(), environ.uri(), environ.headers().get("x-a"))
    });
    assert_eq!(server.get("/x?y").send().text(), "GET /x?y None ");
    assert_eq!(server.post("/").header("x-a", "1").body("b").send().text(), "POST / Some(\"1\") b");
    assert_eq!(server.put("/").header("x-a", 7).body(Bytes::from_static(b"c")).send().text(), "PUT / Some(\"7\") c");
    assert_eq!(server.delete("/").send().text(), "DELETE / None ");
    assert_eq!(server.request("BREW", "/pot").send().text(), "BREW /pot None ");
    assert_eq!(server.request(Method::OPTIONS, "*").send().text(), "OPTIONS * None ");
    assert_eq!(server.head("/").send().text(), "");
    let request = server.get("/later");
    let sent_elsewhere = std::thread::spawn(move || request.send().text()).join().unwrap();
    assert_eq!(sent_elsewhere, "GET /later None ", "a request is owned");
}

#[test]
fn the_environ_is_that_of_a_real_client() {
    let server = describing(|environ| {
        let host = environ.headers().get("host").cloned();
        format!("{host:?} {} {:?} {:?}", environ.server_protocol(), environ.remote_addr(), environ.content_length())
    });
    assert_eq!(server.get("/").send().text(), "Some(\"localhost\") HTTP/1.1 Some(127.0.0.1:49152) None");
    assert!(server.get("/").version(Version::HTTP_10).send().text().starts_with("None HTTP/1.0"));
    assert!(server.get("/").header("host", "shop.example").send().text().starts_with("Some(\"shop.example\")"));
    assert!(server.post("/").body("four").send().text().ends_with("Some(4)"));
    let address: SocketAddr = "[2001:db8::7]:1234".parse().unwrap();
    assert!(server.get("/").remote_addr(address).send().text().contains("[2001:db8::7]:1234"));
    assert_eq!(server.local_addr(), None);
}

#[test]
fn extensions_can_be_given() {
    let server = describing(|environ| environ.extension::<&str>().unwrap().to_string());
    assert_eq!(server.get("/").extension("ada").send().text(), "ada");
}

#[test]
fn a_response_is_pulled_one_block_at_a_time() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let server = TestServer::new(app_fn(move |_, start_response: StartResponse| {
        start_response.send(head())?;
        let counted = Arc::clone(&counted);
        Ok(Body::iter((1..).map(move |number: u32| {
            counted.fetch_add(1, Ordering::SeqCst);
            number.to_string()
        })))
    }));
    let mut stream = server.get("/").stream();
    assert_eq!((stream.status().as_u16(), stream.headers()["content-type"].as_bytes()), (200, &b"text/plain"[..]));
    for number in 1..=5 {
        assert_eq!(stream.next().unwrap(), number.to_string());
        assert_eq!(made.load(Ordering::SeqCst), number);
    }
    let response = stream.hang_up();
    assert_eq!((response.chunks().len(), response.is_complete(), response.end()), (5, false, Some(End::Disconnected)));
    assert_eq!(made.load(Ordering::SeqCst), 5);
}

#[test]
fn a_stream_can_be_finished_or_dropped() {
    for kind in KINDS {
        let play = Play::new(head, &["a", "b", "c"]);
        let server = TestServer::new(play.app(kind));
        let mut stream = server.get("/").stream();
        let first = stream.next().unwrap();
        let response = stream.finish();
        assert_eq!((response.text().as_str(), response.is_complete()), ("abc", true), "{kind:?}");
        assert_eq!(response.chunks()[0], first, "{kind:?}");
        let all: Vec<Bytes> = server.get("/").stream().collect();
        assert_eq!(all.concat(), b"abc", "{kind:?}");
        let before = play.drops.all();
        drop(server.get("/").stream());
        assert_eq!(play.drops.all(), before + 1, "{kind:?}: a stream that is dropped is a client that left");
    }
}

#[test]
fn a_client_can_leave_after_so_many_blocks() {
    for blocks in 0..3 {
        let drops = Drops::default();
        let closing = drops.clone();
        let server = TestServer::new(app_fn(move |environ: Environ, start_response: StartResponse| {
            start_response.send(head())?;
            let (cancellation, probe) = (environ.cancellation(), closing.probe());
            assert!(!cancellation.is_cancelled());
            Ok(Body::iter(std::iter::repeat("x")).on_close(move || drop(probe)))
        }));
        let response = server.get("/").hang_up_after(blocks).send();
        assert_eq!((response.chunks().len(), response.is_complete()), (blocks, false));
        assert_eq!((response.end(), drops.all()), (Some(End::Disconnected), 1));
    }
}

#[test]
fn a_client_can_send_less_than_it_promised() {
    let server = describing(|environ| match environ.input_mut().read_text(99) {
        Ok(text) => text,
        Err(error) => format!("{:?} {error}", environ.content_length()),
    });
    let text = server.post("/").promising(10).body("1234").send().text();
    assert_eq!(text, "Some(10) the request body ended after 4 bytes of 10");
    assert!(server.post("/").promising(1).send().text().contains("after 0 bytes of 1"));
    assert_eq!(server.post("/").promising(4).body("1234").send().text(), "1234");
}

#[test]
fn cookies_are_kept_where_it_is_asked_for() {
    let app = app_fn(|environ: Environ, start_response: StartResponse| {
        let mut head = head();
        for set in environ.query_string().split('&').filter(|set| !set.is_empty()) {
            head = head.header("set-cookie", set.replace('+', "; "));
        }
        start_response.send(head)?;
        Ok(String::from_utf8_lossy(&environ.var("HTTP_COOKIE").unwrap_or_default()).into_owned().into())
    });
    let server = TestServer::new(app.clone()).with_cookies();
    assert_eq!(server.get("/?a=1&b=2+HttpOnly").send().text(), "");
    assert_eq!(server.get("/").send().text(), "a=1; b=2");
    let clone = server.clone();
    assert_eq!(clone.get("/?a=3").send().text(), "a=1; b=2", "a clone has the same cookies");
    assert_eq!(server.get("/").header("cookie", "own=1").send().text(), "own=1; b=2; a=3");
    assert_eq!(server.get("/?b=x+Max-Age=0&a=").send().text(), "b=2; a=3");
    assert_eq!(server.get("/").send().text(), "");
    let without = TestServer::new(app);
    without.get("/?a=1").send();
    assert_eq!(without.get("/").send().text(), "");
}

#[test]
fn a_mounted_application_sees_its_mount_point() {
    let server =
        describing(|environ| format!("{}|{}|{}", environ.script_name(), environ.path_info(), environ.raw_path()));
    let mounted = server.clone().mounted_at("/mnt");
    assert_eq!(mounted.get("").send().text(), "/mnt||/mnt");
    assert_eq!(mounted.get("/").send().text(), "/mnt|/|/mnt/");
    assert_eq!(mounted.get("/a%2Fb?q").send().text(), "/mnt|/a/b|/mnt/a%2Fb");
    assert_eq!(mounted.get("?q").send().text(), "/mnt||/mnt");
    assert_eq!(server.mounted_at("/a/b").get("/c").send().text(), "/a/b|/c|/a/b/c");
}

#[test]
fn errors_and_panics_are_answered_as_a_server_does() {
    let server = TestServer::new(app_fn(|environ: Environ, start_response: StartResponse| {
        use std::io::Write;
        writeln!(environ.errors(), "about to fail")?;
        match environ.query_string() {
            "error" => Err("the disk is full".into()),
            "panic" => panic!("a bug"),
            _ => {
                start_response.send(head())?;
                Ok("fine".into())
            }
        }
    }));
    for (query, text) in [("error", "the disk is full"), ("panic", "panicked: a bug")] {
        let response = server.get(format!("/?{query}")).send();
        assert_eq!((response.status().as_u16(), response.text().as_str()), (500, "500 Internal Server Error\n"));
        assert!(
            response.errors().contains(text) && response.errors().starts_with("about to fail\n"),
            "{}",
            response.errors()
        );
    }
    let response = server.get("/").send();
    assert_eq!((response.text().as_str(), response.errors()), ("fine", "about to fail\n"));
}

#[test]
fn responses_show_all_that_was_sent() {
    let server = TestServer::new(app_fn(|_, start_response: StartResponse| {
        start_response.send(head().header("x-a", "1").header("x-a", "2").header("trailer", "x-sum").reason("Fine")?)?;
        let trailers = || [(http::HeaderName::from_static("x-sum"), 7.into())].into_iter().collect::<HeaderMap>();
        Ok(Body::iter(["a", "", "b"]).with_trailers(trailers))
    }));
    let response: TestResponse = server.get("/").send();
    assert_eq!((response.status().as_u16(), response.reason_phrase()), (200, Some("Fine")));
    assert_eq!((response.header("x-a"), response.header("x-none")), (Some("1"), None));
    assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
    assert_eq!((response.chunks().len(), response.bytes(), response.text()), (2, Bytes::from("ab"), "ab".to_owned()));
    assert_eq!(response.trailers()["x-sum"], "7");
}

#[test]
fn requests_that_cannot_be_sent_panic_and_say_why() {
    let server = describing(|_| String::new());
    assert!(panic_of(|| server.request("NO METHOD", "/").send()).contains("the method is not valid"));
    assert!(panic_of(|| server.get("/a b").send()).contains("the target \"/a b\" is not valid"));
    assert!(panic_of(|| server.get("/").header("x y", "z").send()).contains("a header is not valid"));
    assert!(panic_of(|| server.get("/").header("x", "a\nb").send()).contains("a header is not valid"));
    assert_eq!(server.get("/").send().status(), 200, "the server lives on");
}

/// Lint is on: what it finds is a panic that names the layer and the fault.
#[test]
fn what_lint_finds_is_a_panic_that_names_the_layer_and_the_fault() {
    let broken = app_fn(|_, start_response: StartResponse| {
        start_response.start(200, [("status", "200 OK"), ("content-type", "text/plain")])?;
        Ok("a header that CGI takes for the status".into())
    });
    let server = TestServer::new(broken);
    for text in [
        panic_of(|| server.get("/").send()),
        panic_of(|| block_on(async { server.get("/").await })),
        panic_of(|| server.get("/").stream().finish()),
    ] {
        assert!(text.contains("lint found errors") && text.contains("H7"), "{text}");
        assert!(text.contains("the application"), "it names the layer: {text}");
        assert!(text.contains(".allow_lint(id)"), "it names the way out: {text}");
    }
    let response = server.get("/").allow_lint("H7").send();
    assert_eq!(response.status(), 200);
    assert!(response.lint().iter().any(|finding| finding.rule().id() == "H7"), "what is allowed is told all the same");
    assert_eq!(server.clone().without_lint().get("/").send().lint().len(), 0);
    assert!(panic_of(|| server.get("/").allow_lint("H8").send()).contains("H7"), "another rule is not allowed by it");
}

#[test]
fn a_warning_of_lint_is_no_panic() {
    let untyped = app_fn(|_, start_response: StartResponse| {
        start_response.start(200, ())?;
        Ok("no Content-Type".into())
    });
    let response = TestServer::new(untyped).get("/").send();
    assert!(response.lint().iter().any(|finding| finding.rule().id() == "H9"), "{:?}", response.lint());
}

#[test]
fn many_threads_share_a_server() {
    let server = describing(|environ| environ.query_string().to_owned());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..100 {
                    let query = format!("{thread}-{number}");
                    assert_eq!(server.get(format!("/?{query}")).send().text(), query);
                }
            });
        }
    });
}

#[test]
fn deferred_and_lazy_applications_may_wait_for_others() {
    let waiting: Arc<Mutex<Option<std::task::Waker>>> = Arc::default();
    let parked = Arc::clone(&waiting);
    let server = TestServer::new(async_fn(move |_, start_response: StartResponse| {
        let parked = Arc::clone(&parked);
        async move {
            let mut first = true;
            std::future::poll_fn(|cx| match std::mem::take(&mut first) {
                true => {
                    *parked.lock().unwrap() = Some(cx.waker().clone());
                    std::task::Poll::Pending
                }
                false => std::task::Poll::Ready(()),
            })
            .await;
            Yield::default().await;
            start_response.send(head())?;
            Ok(Body::iter(["lazy ", "and late"]))
        }
    }));
    let waker = std::thread::spawn(move || {
        loop {
            if let Some(waker) = waiting.lock().unwrap().take() {
                return waker.wake();
            }
            std::thread::yield_now();
        }
    });
    assert_eq!(ends(move || server.get("/").send().text()), "lazy and late");
    waker.join().unwrap();
}

#[test]
fn a_server_can_be_asked_inside_of_an_async_test() {
    let inner = describing(|environ| environ.path_info().into_owned());
    let outer = TestServer::new(async_fn(move |_, start_response: StartResponse| {
        let inner = inner.clone();
        async move {
            let text = inner.get("/inner").await.text();
            start_response.send(head())?;
            Ok(format!("outer {text}").into())
        }
    }));
    let text = ends(move || block_on(async { outer.get("/").await.text() }));
    assert_eq!(text, "outer /inner");
}

#[test]
fn a_test_server_is_made_of_every_application() {
    assert_eq!(
        format!(
            "{:?}",
            TestServer::new(
                App::new(|_: Environ, _: StartResponse| -> vestibule::Result { Ok(Body::empty()) }).named("x")
            )
        ),
        "TestServer { app: App(\"x\"), address: None, .. }"
    );
}
