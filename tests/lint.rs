//! Lint tells of each rule that it executes, of the right layer and side, and of nothing else; and it changes nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "lint/correct.rs"]
mod correct;
#[path = "lint/gateway.rs"]
mod gateway;
#[path = "lint/unchanged.rs"]
mod unchanged;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use vestibule::lint::{Finding, RULES, Side, lint};
use vestibule::testing::{TestRequest, TestServer};
use vestibule::{App, Body, Head, HeaderValue, Result, app_fn, async_fn, capture, middleware};

use Side::{Application, Gateway};

/// How an application is served: with lint around it, or without.
type Serve = fn(App) -> TestServer;

/// One test for each way to break a rule. The findings are that one and no other, pulled and polled, and the response
/// is the one that comes without lint.
macro_rules! breaches {
    ($($name:ident: $id:ident at $layer:literal by $side:ident, |$serve:ident| $request:expr;)*) => {
        $(#[test]
        fn $name() {
            assert_breach(stringify!($id), $layer, $side, |$serve: Serve| $request);
        })*

        const TRIGGERED: &[&str] = &[$(stringify!($id)),*];
    };
}

fn assert_breach(id: &str, layer: &str, side: Side, request: impl Fn(Serve) -> TestRequest) {
    let bare = request(|app| TestServer::new(app).without_lint()).allow_lint(id).send();
    let pulled = request(TestServer::new).allow_lint(id).send();
    let polled = block_on(async { request(TestServer::new).allow_lint(id).await });
    for response in [pulled, polled] {
        assert_eq!(all(response.lint()), [(id, layer, side)], "{:#?}", response.lint());
        assert_eq!(
            (response.status(), response.reason_phrase(), response.headers(), response.chunks(), response.end()),
            (bare.status(), bare.reason_phrase(), bare.headers(), bare.chunks(), bare.end()),
        );
        assert_eq!(response.errors(), bare.errors());
    }
}

fn all(findings: &[Finding]) -> Vec<(&str, &str, Side)> {
    findings.iter().map(|finding| (finding.rule().id(), finding.layer(), finding.side())).collect()
}

/// An application that starts as it is told and returns a new body for each call.
fn answer(status: u16, headers: &'static [(&str, &str)], body: impl Fn() -> Body + Send + Sync + 'static) -> App {
    app_fn(move |_, start_response| {
        start_response.start(status, headers)?;
        Ok(body())
    })
}

fn hello() -> App {
    answer(200, &[("content-type", "text/plain")], || "hello".into())
}

fn bytes(body: impl Fn() -> Body + Send + Sync + 'static) -> App {
    answer(200, &[("content-type", "text/plain")], body)
}

fn two_blocks() -> App {
    bytes(|| Body::iter(["a", "", "b"]))
}

const OF_LENGTH_4: &[(&str, &str)] = &[("content-length", "4"), ("content-type", "text/plain")];

/// Reads the whole body inside before it gives a block.
fn buffering(inner: App) -> App {
    app_fn(move |environ, start_response| {
        let body = inner.call(environ, start_response)?;
        Ok(body.into_iter().collect::<Result<Vec<_>>>()?.concat().into())
    })
}

fn buffering_later(inner: App) -> App {
    app_fn(move |environ, start_response| {
        let mut blocks = inner.call(environ, start_response)?.into_iter();
        Ok(Body::try_iter(std::iter::from_fn(move || {
            let whole: Result<Vec<_>> = blocks.by_ref().collect();
            whole.map(|blocks| (!blocks.is_empty()).then(|| blocks.concat())).transpose()
        })))
    })
}

/// Answers with another body and keeps the one that it was given for as long as the application lives.
fn hoarding(inner: App) -> App {
    let kept = Arc::new(Mutex::new(Vec::new()));
    app_fn(move |environ, start_response| {
        let kept = Arc::clone(&kept);
        capture(&inner, environ, start_response, move |response, start_response| {
            let (head, body) = response?;
            kept.lock().unwrap().push(body);
            start_response.send(head)?;
            Ok("another".into())
        })
    })
}

fn set_header(name: &'static str, value: &'static str) -> impl Fn(App) -> App {
    middleware::map_head(move |head| drop(head.headers.insert(name, HeaderValue::from_static(value))))
}

fn fails_after(block: &'static str) -> Body {
    Body::try_iter([Ok(block), Err("the disk is gone".into())])
}

breaches! {
    // What a gateway, or a middleware outside, did to the request.
    a_mount_point_that_ends_with_a_slash: E4 at "inner" by Gateway, |serve| {
        let mounted = middleware::map_environ(|environ| environ.set_path(b"/mnt/", b"/x").unwrap());
        serve(hello().wrap(lint("inner")).wrap(mounted)).get("/x")
    };
    an_asterisk_that_is_not_for_options: E5 at "the application" by Gateway, |serve| serve(hello()).get("*");
    a_request_without_a_path: E5 at "the application" by Gateway,
        |serve| serve(hello()).request("CONNECT", "example.com:443");
    a_variable_without_a_namespace: E12 at "inner" by Gateway, |serve| {
        let user = middleware::map_environ(|environ| environ.set_var("user", "ann").unwrap());
        serve(hello().wrap(lint("inner")).wrap(user)).get("/")
    };
    a_host_that_is_none: E13 at "the application" by Gateway, |serve| serve(hello()).get("/").header("host", "a/b");
    two_hosts: E13 at "the application" by Gateway,
        |serve| serve(hello()).get("/").header("host", "a").header("host", "b");
    a_server_name_that_is_no_host: E13 at "inner" by Gateway, |serve| {
        let socket = middleware::map_environ(|environ| environ.set_server("unix:/run/x", 80));
        serve(hello().wrap(lint("inner")).wrap(socket)).get("/")
    };
    a_method_in_lower_case: E14 at "the application" by Gateway, |serve| serve(hello()).request("get", "/");
    two_spellings_of_one_header: E15 at "the application" by Gateway,
        |serve| serve(hello()).get("/").header("x-user", "ann").header("x_user", "eve");

    // The start.
    a_body_in_memory_and_no_start: S2 at "the application" by Application,
        |serve| serve(app_fn(|_, _| Ok("hello".into()))).get("/");
    a_block_before_the_start: S2 at "the application" by Application, |serve| {
        serve(app_fn(|_, start_response| {
            let mut start_response = Some(start_response);
            Ok(Body::try_iter(["early", "late"].into_iter().map(move |block| match block {
                "late" => start_response.take().map_or(Ok(()), |start| start.start(200, ())).map(|()| block),
                _ => Ok(block),
            })))
        })).get("/")
    };
    an_empty_body_and_no_start: S3 at "the application" by Application,
        |serve| serve(app_fn(|_, _| Ok(Body::empty()))).get("/");
    an_async_application_that_never_starts: S3 at "the application" by Application,
        |serve| serve(async_fn(|_, _| async { Ok(Body::iter(["", ""])) })).get("/");
    a_start_that_another_keeps: S3 at "the application" by Application, |serve| {
        let kept = Mutex::new(Vec::new());
        serve(app_fn(move |_, start_response| {
            kept.lock().unwrap().push(start_response);
            Ok(Body::empty())
        })).get("/")
    };

    // The head.
    an_interim_status: H2 at "the application" by Application, |serve| serve(answer(101, &[], Body::empty)).get("/");
    an_interim_status_of_a_hook: H2 at "outer" by Application, |serve| {
        let interim = middleware::map_head(|head| head.status = StatusCode::CONTINUE);
        serve(hello().wrap(lint("inner")).wrap(interim).wrap(lint("outer"))).get("/")
    };
    a_hop_by_hop_header: H3 at "inner" by Application, |serve| {
        serve(answer(200, &[("connection", "close")], Body::empty).wrap(lint("inner")).wrap(lint("outer"))).get("/")
    };
    a_hop_by_hop_header_whose_err_is_ignored: H3 at "the application" by Application, |serve| {
        let app = app_fn(|_, start_response| {
            let _ignored = start_response.start(200, [("keep-alive", "1")]);
            Ok("hello".into())
        });
        // The hooks run on the error response, whose body has another length.
        serve(app.wrap(set_header("content-length", "4")).wrap(set_header("x-inside", "1"))).get("/")
    };
    a_hop_by_hop_header_of_a_hook: H3 at "outer" by Application, |serve| {
        serve(hello().wrap(lint("inner")).wrap(set_header("upgrade", "x")).wrap(lint("outer"))).get("/")
    };
    a_hop_by_hop_header_behind_a_recovery: H3 at "inner" by Application, |serve| {
        let recover = middleware::recover(|_| (Head::new(503), Body::empty()));
        serve(answer(200, &[("te", "x")], Body::empty).wrap(lint("inner")).wrap(recover).wrap(lint("outer"))).get("/")
    };
    an_empty_reason: H6 at "the application" by Application, |serve| {
        serve(app_fn(|_, start_response| {
            start_response.send(Head::new(200).reason(" ")?)?;
            Ok(Body::empty())
        })).get("/")
    };
    a_header_named_status: H7 at "the application" by Application,
        |serve| serve(answer(200, &[("status", "404")], Body::empty)).get("/");
    a_header_name_that_ends_with_a_mark: H8 at "the application" by Application,
        |serve| serve(answer(200, &[("x-user_", "ann")], Body::empty)).get("/");
    a_body_without_a_type: H9 at "the application" by Application,
        |serve| serve(answer(200, &[], || "what am I?".into())).get("/");
    a_streamed_body_without_a_type: H9 at "the application" by Application,
        |serve| serve(answer(200, &[], || Body::stream(stream::iter([Ok(""), Ok("what?")])))).get("/");
    a_204_with_a_type: H10 at "the application" by Application,
        |serve| serve(answer(204, &[("content-type", "text/plain")], Body::empty)).get("/");
    a_304_with_a_type: H10 at "outer" by Application, |serve| {
        let not_modified = middleware::map_response(|_| |mut head: Head, _| {
            head.status = StatusCode::NOT_MODIFIED;
            Ok((head, Body::empty()))
        });
        serve(hello().wrap(lint("inner")).wrap(not_modified).wrap(lint("outer"))).get("/")
    };
    an_etag_without_quotes: H11 at "the application" by Application,
        |serve| serve(answer(200, &[("etag", "33a64df5")], Body::empty)).get("/");

    // The body.
    a_body_that_is_hoarded: B4 at "inner" by Gateway,
        |serve| serve(two_blocks().wrap(lint("inner")).wrap(hoarding)).get("/");
    a_body_that_fails_after_the_head: B5 at "the application" by Application,
        |serve| serve(bytes(|| fails_after("a"))).get("/");
    a_body_that_panics_after_the_head: B5 at "inner" by Application, |serve| {
        let divide = || bytes(|| Body::iter([2, 0].into_iter().map(|n| (4 / n).to_string())));
        serve(divide().wrap(lint("inner"))).get("/")
    };
    a_sender_that_is_dropped: B5 at "the application" by Application, |serve| {
        serve(bytes(|| {
            let (mut sender, body) = Body::channel(1);
            sender.blocking_send("a").unwrap();
            body
        })).get("/")
    };

    // The framing.
    a_content_length_that_differs: F2 at "the application" by Application,
        |serve| serve(answer(200, OF_LENGTH_4, || "hello".into())).get("/");
    a_content_length_and_no_body: F2 at "the application" by Application,
        |serve| serve(answer(200, &[("content-length", "4")], || Body::iter([""; 2]))).get("/");
    a_content_length_that_middleware_forgets: F2 at "outer" by Application, |serve| {
        let doubled = middleware::map_body(|body| body.map_chunks(|block| block.repeat(2).into()));
        let app = answer(200, &[("content-length", "5"), ("content-type", "a/b")], || "hello".into());
        serve(app.wrap(lint("inner")).wrap(doubled).wrap(lint("outer"))).get("/")
    };
    a_body_that_is_too_long: F3 at "the application" by Application,
        |serve| serve(answer(200, OF_LENGTH_4, || Body::iter(["abc", "def"]))).get("/");
    a_body_that_is_too_short: F4 at "the application" by Application,
        |serve| serve(answer(200, OF_LENGTH_4, || Body::iter(["abc"]))).get("/");
    a_content_length_that_is_no_number: F5 at "the application" by Application,
        |serve| serve(answer(200, &[("content-length", "+4")], Body::empty)).get("/");
    two_content_lengths: F5 at "the application" by Application,
        |serve| serve(answer(200, &[("content-length", "4"), ("content-length", "4")], Body::empty)).get("/");
    two_content_lengths_of_a_hook: F5 at "outer" by Application, |serve| {
        let twice = middleware::map_head(|head| for n in [5, 5] {
            head.headers.append(CONTENT_LENGTH, n.into());
        });
        serve(hello().wrap(lint("inner")).wrap(twice).wrap(lint("outer"))).get("/")
    };
    a_204_with_a_body: F10 at "the application" by Application,
        |serve| serve(answer(204, &[], || "hello".into())).get("/");
    a_205_with_a_body: F10 at "the application" by Application,
        |serve| serve(answer(205, &[], || "hello".into())).get("/");
    a_304_with_a_streamed_body: F10 at "the application" by Application,
        |serve| serve(answer(304, &[], || Body::iter(["", "hello"]))).get("/");
    a_204_with_a_length: F11 at "the application" by Application,
        |serve| serve(answer(204, &[("content-length", "0")], Body::empty)).get("/");
    a_205_with_a_length: F11 at "the application" by Application,
        |serve| serve(answer(205, &[("content-length", "5")], Body::empty)).get("/");

    // Middleware between two lints.
    a_middleware_that_buffers: M7 at "outer" by Application,
        |serve| serve(two_blocks().wrap(lint("inner")).wrap(buffering).wrap(lint("outer"))).get("/");
    a_middleware_that_buffers_when_it_is_pulled: M7 at "outer" by Application, |serve| {
        serve(two_blocks().wrap(lint("inner")).wrap(buffering_later).wrap(lint("outer"))).get("/")
    };
}

#[test]
fn every_rule_that_lint_executes_is_triggered_here() {
    let executed = RULES.iter().filter(|rule| rule.executed_by().split(", ").any(|who| who == "lint"));
    assert_eq!(TRIGGERED.iter().copied().collect::<BTreeSet<_>>(), executed.map(|rule| rule.id()).collect());
}
