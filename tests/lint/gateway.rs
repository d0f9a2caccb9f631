//! Gateways that lint finds fault with, and where it tells of what it finds.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use http::Request;
use vestibule::lint::{Finding, Findings, Side, lint};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Environ, Errors, Exchange, app_fn, capture};

use super::{all, answer, hello};

/// A log in memory.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the application as a gateway does that made this environ.
fn run(app: &App, environ: Environ) {
    let mut exchange = Exchange::new(app, environ);
    let _head = exchange.poll_step(&mut Context::from_waker(Waker::noop()), true);
    exchange.finish(true);
}

/// What lint finds of an environ.
fn findings(environ: impl FnOnce(&mut Environ)) -> Vec<Finding> {
    let findings = Findings::default();
    let mut given = Environ::from(Request::new(()));
    given.extensions_mut().insert(findings.clone());
    environ(&mut given);
    run(&hello().wrap(lint("behind the gateway")), given);
    findings.all()
}

fn ids(environ: impl FnOnce(&mut Environ)) -> Vec<&'static str> {
    findings(environ).iter().map(|finding| finding.rule().id()).collect()
}

#[test]
fn a_gateway_is_told_what_is_wrong_with_its_environ() {
    let findings = findings(|environ| environ.set_path(b"/shop/", b"/tea").unwrap());
    assert_eq!(all(&findings), [("E4", "behind the gateway", Side::Gateway)]);
    assert_eq!(findings[0].message(), r#"SCRIPT_NAME is "/shop/" and PATH_INFO "/tea""#);
}

#[test]
fn paths_that_a_gateway_may_give() {
    for (script_name, path_info) in [("", "/"), ("/a", ""), ("/a", "/"), ("/a/b", "//c/"), ("/", ""), ("/a/", "")] {
        let set = |environ: &mut Environ| environ.set_path(script_name.as_bytes(), path_info.as_bytes()).unwrap();
        assert_eq!(ids(set), [""; 0], "{script_name:?} {path_info:?}");
    }
    assert_eq!(ids(|environ| environ.set_path(b"/", b"/a").unwrap()), ["E4"]);
    assert_eq!(ids(|environ| environ.set_path(b"", b"*").unwrap()), ["E5"]);
    let options = |environ: &mut Environ| {
        environ.set_method(http::Method::OPTIONS);
        environ.set_path(b"", b"*").unwrap();
    };
    assert_eq!(ids(options), [""; 0]);
}

#[test]
fn servers_that_a_gateway_may_name() {
    for name in ["localhost", "example.com", "127.0.0.1", "[::1]", "::1", ""] {
        assert_eq!(ids(|environ| environ.set_server(name, 80)), [""; 0], "{name:?}");
    }
    for name in ["localhost:80", "a b", "[::1", "http://a"] {
        assert_eq!(ids(|environ| environ.set_server(name, 80)), ["E13"], "{name:?}");
    }
}

#[test]
fn variables_that_a_gateway_may_set() {
    let set = |name: &'static str| move |environ: &mut Environ| environ.set_var(name, "x").unwrap();
    for name in ["DOCUMENT_ROOT", "SSL_CIPHER", "my_auth.user", "vestibule.x.2"] {
        assert_eq!(ids(set(name)), [""; 0], "{name}");
    }
    for name in ["user", "Document_Root", "my-auth.user", "a..b"] {
        assert_eq!(ids(set(name)), ["E12"], "{name}");
    }
}

#[test]
fn without_a_list_each_finding_is_a_line_in_the_log() {
    let log = Log::default();
    let mut environ = Environ::from(Request::new(()));
    environ.set_errors(Errors::writer(log.clone()));
    environ.set_var("line\nbreak", "x").unwrap();
    run(&answer(200, &[], || Body::from("?")).wrap(lint("inner")).wrap(lint("outer")), environ);
    let log = log.text();
    let lines: Vec<&str> = log.lines().collect();
    let [gateway, application] = lines[..] else { panic!("two lines: {log}") };
    assert!(gateway.starts_with("vestibule: lint: MUST E12 at outer, on the gateway's side: "), "{gateway}");
    assert!(
        application.starts_with("vestibule: lint: SHOULD H9 at inner, on the application's side: "),
        "{application}"
    );
}

#[test]
fn applications_beside_each_other_are_told_apart() {
    let untyped = |label| answer(404, &[], || "what am I?".into()).wrap(lint(label));
    let (first, second) = (untyped("first"), untyped("second"));
    let cascade = app_fn(move |environ, start_response| {
        let (second, again) = (second.clone(), environ.duplicate());
        capture(&first, environ, start_response, move |_, start_response| second.call(again, start_response))
    });
    let response = TestServer::new(cascade).get("/").send();
    assert_eq!(all(response.lint()), [("H9", "first", Side::Application), ("H9", "second", Side::Application)]);
}

#[test]
fn a_message_is_one_line() {
    let app = app_fn(|_, _| Ok(Body::empty())).named("two\nlines");
    let response = TestServer::new(app).get("/").allow_lint("S3").send();
    assert!(response.lint()[0].message().contains("two\\nlines dropped its StartResponse"));
    assert!(!response.lint()[0].to_string().contains('\n'));
}

#[test]
#[should_panic(expected = "MUST H7 at the application, on the application's side: there is a header `status`")]
fn the_test_server_panics_on_a_fault() {
    TestServer::new(answer(200, &[("status", "200 OK")], Body::empty)).get("/").send();
}
