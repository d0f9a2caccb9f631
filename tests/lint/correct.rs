//! Correct applications and middleware, of which lint says nothing.

use std::io::Write;
use std::sync::Mutex;

use futures::executor::block_on;
use futures::stream;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, Method};
use vestibule::lint::lint;
use vestibule::testing::TestServer;
use vestibule::{
    App, Body, Bytes, Error, Head, HeaderMap, HeaderValue, app_fn, async_fn, capture, handler_fn, middleware,
};

use super::{answer, bytes, fails_after, hello, set_header};

/// Correct applications of every kind.
pub(crate) fn applications() -> Vec<(&'static str, App)> {
    let typed = [("content-type", "text/plain")];
    let trailers = || HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("7"))]);
    let of_length_2 = &[("content-length", "2"), ("content-type", "text/plain")];
    vec![
        ("eager", hello()),
        ("empty", answer(200, &[], Body::empty)),
        ("of a declared length", answer(200, of_length_2, || "ab".into())),
        ("iterator", bytes(|| Body::iter(["a", "", "b"]))),
        ("iterator of a declared length", answer(200, of_length_2, || Body::iter(["a", "b"]))),
        ("stream", bytes(|| Body::stream(stream::iter([Ok("a"), Ok("b")])))),
        ("file", bytes(|| Body::file(std::fs::File::open("Cargo.toml").unwrap(), 1..5))),
        (
            "async",
            async_fn(move |_, start_response| async move {
                start_response.start(200, typed)?;
                Ok("hello".into())
            }),
        ),
        (
            "async with a blocking body",
            async_fn(move |_, start_response| async move {
                start_response.start(200, typed)?;
                Ok(Body::iter(["a", "b"]))
            }),
        ),
        ("handler", handler_fn(|_| Ok(http::Response::builder().header("content-type", "a/b").body("hello")?))),
        (
            "lazy",
            app_fn(move |_, start_response| {
                let mut start_response = Some(start_response);
                Ok(Body::try_iter(["", "a", "b"].into_iter().map(move |block| match start_response.take() {
                    Some(start) => start.start(200, typed).map(|()| block),
                    None => Ok(block),
                })))
            }),
        ),
        (
            "lazy on another thread",
            app_fn(move |_, start_response| {
                let (mut sender, body) = Body::channel(1);
                std::thread::spawn(move || {
                    start_response.start(200, typed)?;
                    sender.blocking_send("a")?;
                    sender.finish()
                });
                Ok(body)
            }),
        ),
        (
            "channel",
            bytes(|| {
                let (mut sender, body) = Body::channel(2);
                sender.write_all(b"a").unwrap();
                sender.finish().unwrap();
                body
            }),
        ),
        (
            "trailers",
            answer(200, &[("content-type", "text/plain"), ("trailer", "x-sum")], move || {
                Body::iter(["a"]).with_trailers(trailers)
            }),
        ),
        ("only trailers", answer(200, &[("trailer", "x-sum")], move || Body::empty().with_trailers(trailers))),
        ("204", answer(204, &[], Body::empty)),
        ("205", answer(205, &[("content-length", "0")], Body::empty)),
        ("304", answer(304, &[("etag", "W/\"a\""), ("content-length", "5")], Body::empty)),
        ("an error", app_fn(|_, _| Err("no".into()))),
        (
            "an error after the start",
            app_fn(|_, start_response| {
                start_response.start(200, ())?;
                Err(Error::with_status(404, "no"))
            }),
        ),
        ("an error before a block", bytes(|| fails_after(""))),
        ("an error without a body", app_fn(|_, _| Err(Error::with_status(304, "no")))),
        (
            "an error without a body after the start",
            app_fn(|_, start_response| {
                start_response.start(200, ())?;
                Err(Error::with_status(304, "no"))
            }),
        ),
        (
            "a panic before the start, in the body that holds it",
            app_fn(|_, start_response| {
                Ok(Body::iter(std::iter::from_fn(move || -> Option<&str> { panic!("{start_response:?}") })))
            }),
        ),
        (
            "with an answer of its own to HEAD",
            app_fn(move |environ, start_response| {
                start_response.start(200, [("content-length", "5"), ("content-type", "text/plain")])?;
                Ok(if environ.method() == Method::HEAD { "" } else { "hello" }.into())
            }),
        ),
        ("a panic", app_fn(|_, _| panic!("a bug"))),
        ("a panic in an async application", async_fn(|_, _| async { panic!("a bug") })),
        (
            "shifted",
            hello().wrap(lint("below")).wrap(middleware::map_environ(|environ| drop(environ.shift_path_info()))),
        ),
    ]
}

type Wrap = fn(App) -> App;

/// Every combinator of the crate, and middleware that answers otherwise.
pub(crate) fn wrappers() -> Vec<(&'static str, Wrap)> {
    vec![
        ("nothing", |app| app),
        ("map_environ", |app| app.wrap(middleware::map_environ(|environ| environ.set_var("my.var", "1").unwrap()))),
        ("map_head", |app| app.wrap(set_header("x-frame-options", "DENY"))),
        ("map_chunks", |app| {
            app.wrap(middleware::map_body(|body| body.map_chunks(|block| block.to_ascii_uppercase().into())))
        }),
        ("transform", |app| {
            // Withholds each block until the next comes, as a compressor may.
            app.wrap(middleware::map_body(|body| {
                let mut held = Bytes::new();
                body.transform(move |block| Ok(std::mem::replace(&mut held, block.unwrap_or_default())))
            }))
        }),
        ("on_close", |app| app.wrap(middleware::map_body(|body| body.on_close(|| ())))),
        ("map_response", |app| app.wrap(middleware::map_response(|_| |head, body| Ok((head, body))))),
        ("another page", |app| {
            app.wrap(middleware::map_response(|_| {
                |head, body| match head.status.as_u16() {
                    200 => Ok((Head::new(404).header("content-type", "text/plain"), "another".into())),
                    _ => Ok((head, body)),
                }
            }))
        }),
        ("recover", |app| {
            app.wrap(middleware::recover(|_| (Head::new(500).header("content-type", "text/plain"), "sorry".into())))
        }),
        ("only_if", |app| app.wrap(middleware::only_if(|_| true, set_header("x-if", "1")))),
        ("a second call", |app| {
            app_fn(move |environ, start_response| {
                let (again, environ_again) = (app.clone(), environ.duplicate());
                capture(&app, environ, start_response, move |response, start_response| match response {
                    Ok((head, body)) if head.status == 204 => start_response.send(head).map(|()| body),
                    _ => again.call(environ_again, start_response),
                })
            })
        }),
        ("a pump", |app| {
            app_fn(move |environ, start_response| {
                let body = app.call(environ, start_response)?;
                let (mut sender, pumped) = Body::channel(1);
                std::thread::spawn(move || {
                    body.into_iter().try_for_each(|block| sender.blocking_send(block?))?;
                    sender.finish()
                });
                Ok(pumped)
            })
        }),
        ("a body that is replaced", |app| {
            app.wrap(middleware::map_body(|_| "another".into())).wrap(middleware::map_head(|head| {
                head.headers.remove(CONTENT_LENGTH);
            }))
        }),
    ]
}

/// Whether the pair is a correct application as a whole.
pub(crate) fn fit(application: &str, wrapper: &str) -> bool {
    match wrapper {
        // An error in a pump is a dropped sender, and a body for another is one for a 204, too.
        "a pump" => !application.contains("error") && !application.contains("panic"),
        "a body that is replaced" => {
            matches!(application, "eager" | "stream" | "file" | "handler" | "of a declared length")
        }
        _ => true,
    }
}

#[test]
fn a_correct_application_has_no_finding() {
    for (name, app) in applications() {
        for (wrapper, wrap) in wrappers().into_iter().filter(|(wrapper, _)| fit(name, wrapper)) {
            let server = TestServer::new(wrap(app.clone().wrap(lint("inner"))).wrap(lint("outer")));
            for method in [Method::GET, Method::HEAD] {
                let pulled = server.request(method.clone(), "/").send();
                let polled = block_on(async { server.request(method.clone(), "/").await });
                for response in [pulled, polled] {
                    assert!(response.lint().is_empty(), "{name} in {wrapper}: {method}: {:#?}", response.lint());
                }
            }
        }
    }
}

#[test]
fn a_client_that_leaves_is_no_fault_of_the_application() {
    let endless = || bytes(|| Body::iter((1..).map(|n: u32| n.to_string()))).wrap(lint("inner"));
    for (name, wrap) in wrappers().into_iter().filter(|(name, _)| fit("iterator", name)) {
        let server = TestServer::new(wrap(endless()));
        assert!(server.get("/").hang_up_after(2).send().lint().is_empty(), "{name}");
        assert!(server.get("/").stream().hang_up().lint().is_empty(), "{name}");
    }
}

/// A middleware that pulls one block and still has the body at the end of the request, as a thread may.
fn holding(answer: impl Fn() -> Body + Send + Sync + 'static) -> impl FnOnce(App) -> App {
    let held = Mutex::new(Vec::new());
    move |inner| {
        app_fn(move |environ, start_response| {
            let mut blocks = inner.call(environ, start_response)?.into_iter();
            blocks.next().transpose()?;
            held.lock().unwrap().push(blocks);
            Ok(answer())
        })
    }
}

#[test]
fn a_body_that_is_still_there_is_no_fault_where_no_more_of_it_was_wanted() {
    let of_length_2 = || answer(200, &[("content-length", "2"), ("content-type", "text/plain")], || Body::iter(["ab"]));
    let streamed = || bytes(|| Body::iter(["ab", "c"]));

    let cut = TestServer::new(
        streamed()
            .wrap(lint("inner"))
            .wrap(holding(|| Body::iter(["ab", ""])))
            .wrap(|app| app.wrap(set_header("content-length", "2"))),
    );
    let given = TestServer::new(of_length_2().wrap(lint("inner")).wrap(holding(|| "ab".into()))).without_lint();
    let kept = TestServer::new(streamed().wrap(lint("inner")).wrap(holding(|| "ab".into())));
    let responses =
        [cut.get("/").send(), given.get("/").send(), kept.head("/").send(), kept.get("/").hang_up_after(0).send()];
    for response in responses {
        assert!(response.lint().is_empty(), "{:#?}", response.lint());
    }
    assert_eq!(kept.get("/").allow_lint("B4").send().lint()[0].rule().id(), "B4");
}

#[test]
fn an_upload_that_breaks_off_while_it_is_echoed_is_no_fault_of_the_application() {
    let echo = app_fn(|mut environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(Body::stream(environ.take_input()))
    });
    let response = TestServer::new(echo).post("/").body("abc").promising(5).send();
    assert!(!response.is_complete());
    assert!(response.lint().is_empty(), "{:#?}", response.lint());
}
