//! What lint finds: an application, a middleware or a gateway that breaks a rule, and a good one that breaks none.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use crate::body::Body;
use crate::error::Result;
use crate::head::Head;
use crate::lint::{Findings, lint};
use crate::testing::conformance::kinds::{Script, answer};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{Talk, equal, expect, whole};
use crate::testing::conformance::{Case, Need};
use crate::{App, Environ, StartResponse, app_fn, middleware};

/// Runs an application, with lint somewhere in it, and notes at the end what lint has found.
fn under_lint(mut environ: Environ, start_response: StartResponse, app: &App) -> Result {
    let (notes, findings) = (Notes::of(&environ), Findings::default());
    environ.extensions_mut().insert(findings.clone());
    // The first hook is the last to run, after those of lint.
    environ.on_finished(move |_| {
        for finding in findings.all() {
            notes.add(format!("found {} {:?} {}", finding.rule().id(), finding.side(), finding.message()));
        }
        notes.add("finished");
    });
    app.call(environ, start_response)
}

/// A good application.
fn good() -> App {
    app_fn(|_, start_response| answer(start_response, "good"))
}

/// The faulty application that the rule is broken by.
fn broken(application: impl Fn(Environ, StartResponse) -> Result + Send + Sync + 'static) -> App {
    app_fn(application).wrap(lint("conformance"))
}

/// A good application behind a gateway, or a middleware, that breaks the rule.
fn behind(change: impl Fn(&mut Environ) + Send + Sync + 'static) -> App {
    good().wrap(lint("conformance")).wrap(middleware::map_environ(change))
}

/// An application that starts with this head.
fn with_head(head: fn() -> Head) -> App {
    broken(move |_, start_response| {
        // Lint is to tell of it, not the exchange.
        let _ = start_response.send(head());
        Ok("the body".into())
    })
}

/// A case for a rule that lint executes: its application breaks the rule, and lint has to say so.
macro_rules! finds {
    ($rule:literal, $name:literal, $app:expr) => {
        Case {
            name: $name,
            rules: &[$rule],
            needs: &[Need::OneProcess],
            application: |environ, start_response| {
                let app: App = $app;
                under_lint(environ, start_response, &app)
            },
            client: |talk| {
                let request = talk.get("/").header("x-auth", "a");
                talk.send(&request)?;
                finds(talk)
            },
        }
    };
}

/// Checks that lint found what the case is about.
fn finds(talk: &Talk<'_>) -> Result<()> {
    let notes = talk.wait_for("finished")?;
    let rule = talk.case().rules()[0];
    let side = if ["E4", "E5", "E13", "B4"].contains(&rule) { "Gateway" } else { "Application" };
    // Whose fault an odd variable, method or header name is cannot be seen from where lint stands.
    let side = if ["E12", "E14", "E15"].contains(&rule) { "" } else { side };
    let finding = format!("found {rule} {side}");
    expect(notes.iter().any(|note| note.starts_with(&finding)), || format!("{finding:?} is not among {notes:?}"))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_the_environ();
    cases.extend(of_the_head());
    cases.extend(of_the_body());
    cases.push(Case {
        name: "lint-finds-nothing-in-a-good-application",
        rules: &["E4", "S3", "H9", "B4", "F2", "M7"],
        needs: &[Need::OneProcess],
        application: |environ, start_response| {
            let app = app_fn(|environ, start_response| match environ.query_string() {
                "whole" => answer(start_response, "ab"),
                "empty" => start_response.start(204, ()).map(|()| Body::empty()),
                _ => Script::text(&environ).blocks(["a", "", "b"]).play(&environ, start_response),
            });
            let app = app
                .wrap(lint("inside"))
                .wrap(middleware::map_body(|body| body.map_chunks(|block| block)))
                .wrap(middleware::map_body(|body| body.transform(|block| Ok(block.unwrap_or_default()))))
                .wrap(middleware::map_response(|_| |head, body| Ok((head, body))))
                .wrap(lint("outside"));
            under_lint(environ, start_response, &app)
        },
        client: |talk| {
            talk.each_kind(|talk| {
                for (method, query, status) in [
                    ("GET", "", 200),
                    ("GET", "whole", 200),
                    ("GET", "empty", 204),
                    ("HEAD", "", 200),
                    ("POST", "", 200),
                ] {
                    let talk = talk.again();
                    let request = talk.request(method, &format!("/?{query}"));
                    let request = if method == "POST" { request.body("12345") } else { request };
                    let body = if method == "HEAD" || status == 204 { "" } else { "ab" };
                    whole(&talk.send(&request)?, status, body)?;
                    let notes = talk.wait_for("finished")?;
                    let found: Vec<_> = notes.iter().filter(|note| note.starts_with("found")).collect();
                    equal("what lint found", found, [""; 0].map(|_| &notes[0]))?;
                }
                Ok(())
            })
        },
    });
    cases
}

fn of_the_environ() -> Vec<Case> {
    vec![
        finds!(
            "E4",
            "lint-finds-a-script-name-with-a-slash-at-its-end",
            behind(|environ| {
                let _ = environ.set_path(b"/x/", b"/y");
            })
        ),
        finds!(
            "E5",
            "lint-finds-an-asterisk-without-options",
            behind(|environ| {
                let _ = environ.set_path(b"", b"*");
            })
        ),
        finds!(
            "E12",
            "lint-finds-a-variable-without-a-namespace",
            behind(|environ| {
                let _ = environ.set_var("NoNamespace", "x");
            })
        ),
        finds!(
            "E13",
            "lint-finds-a-server-name-that-is-no-host",
            behind(|environ| environ.set_server("not a host", 80))
        ),
        finds!(
            "E13",
            "lint-finds-a-host-that-is-none",
            behind(|environ| {
                environ.headers_mut().insert("host", HeaderValue::from_static("not a host"));
            })
        ),
        finds!(
            "E14",
            "lint-finds-a-method-in-lower-case",
            behind(|environ| {
                if let Ok(method) = Method::from_bytes(b"get") {
                    environ.set_method(method);
                }
            })
        ),
        finds!(
            "E15",
            "lint-finds-two-spellings-of-a-header",
            behind(|environ| {
                environ.headers_mut().insert(HeaderName::from_static("x_auth"), HeaderValue::from_static("b"));
            })
        ),
    ]
}

fn of_the_head() -> Vec<Case> {
    vec![
        finds!(
            "S2",
            "lint-finds-a-block-before-the-start",
            broken(|_, start_response| {
                let mut start_response = Some(start_response);
                Ok(Body::try_iter((0..2).map(move |n| match n {
                    0 => Ok("early"),
                    _ => start_response.take().map_or(Ok(()), |start| start.start(200, ())).map(|()| "late"),
                })))
            })
        ),
        finds!(
            "S3",
            "lint-finds-who-did-not-start",
            broken(|_, start_response| {
                drop(start_response);
                Ok(Body::empty())
            })
        ),
        finds!("H2", "lint-finds-an-interim-status", with_head(|| Head::new(103))),
        finds!("H3", "lint-finds-a-hop-by-hop-header", with_head(|| Head::new(200).header("connection", "close"))),
        finds!("F5", "lint-finds-a-malformed-length", with_head(|| Head::new(200).header("content-length", "+8"))),
        finds!(
            "H6",
            "lint-finds-an-empty-reason",
            broken(|_, start_response| {
                start_response.send(Head::new(200).header("content-type", "text/plain").reason("")?)?;
                Ok("the body".into())
            })
        ),
        finds!(
            "H7",
            "lint-finds-a-header-named-status",
            with_head(|| Head::new(200).header("status", "404 Not Found"))
        ),
        finds!("H8", "lint-finds-a-name-with-a-dash-at-its-end", with_head(|| Head::new(200).header("x-a-", "b"))),
        finds!("H9", "lint-finds-a-missing-content-type", with_head(|| Head::new(200))),
        finds!(
            "H10",
            "lint-finds-a-content-type-of-nothing",
            broken(|_, start_response| {
                start_response.start(204, [("content-type", "text/plain")])?;
                Ok(Body::empty())
            })
        ),
        finds!(
            "H11",
            "lint-finds-an-etag-without-quotes",
            with_head(|| { Head::new(200).header("content-type", "text/plain").header("etag", "abc") })
        ),
    ]
}

/// Bodies that requests hide from the gateway, until so many others have come: the suite may run several times at once.
static HIDDEN: Mutex<VecDeque<Body>> = Mutex::new(VecDeque::new());
const MAX_HIDDEN: usize = 64;

fn of_the_body() -> Vec<Case> {
    vec![
        finds!("B4", "lint-finds-a-body-that-stays-alive", {
            let hidden = middleware::map_body(|body| {
                if let Ok(mut hidden) = HIDDEN.lock() {
                    hidden.push_back(body);
                    if hidden.len() > MAX_HIDDEN {
                        hidden.pop_front();
                    }
                }
                Body::from("instead")
            });
            let blocks = app_fn(|_, start_response| answer(start_response, Body::iter(["a", "b"])));
            blocks.wrap(lint("conformance")).wrap(hidden)
        }),
        finds!(
            "B5",
            "lint-finds-a-late-error",
            broken(|_, start_response| {
                let blocks = [Ok("a"), Err("broken".into())];
                answer(start_response, Body::try_iter(blocks))
            })
        ),
        finds!(
            "F2",
            "lint-finds-a-length-that-differs",
            broken(|_, start_response| {
                start_response.start(200, [("content-type", "text/plain"), ("content-length", "9")])?;
                Ok("hello".into())
            })
        ),
        finds!(
            "F3",
            "lint-finds-a-body-that-is-too-long",
            broken(|_, start_response| {
                start_response.start(200, [("content-type", "text/plain"), ("content-length", "3")])?;
                Ok(Body::iter(["he", "llo"]))
            })
        ),
        finds!(
            "F4",
            "lint-finds-a-body-that-is-too-short",
            broken(|_, start_response| {
                start_response.start(200, [("content-type", "text/plain"), ("content-length", "9")])?;
                Ok(Body::iter(["he", "llo"]))
            })
        ),
        finds!(
            "F10",
            "lint-finds-a-body-behind-204",
            broken(|_, start_response| {
                start_response.start(204, ())?;
                Ok("hello".into())
            })
        ),
        finds!(
            "F11",
            "lint-finds-a-length-of-204",
            broken(|_, start_response| {
                start_response.start(204, [("content-length", "5")])?;
                Ok(Body::empty())
            })
        ),
        finds!("M7", "lint-finds-a-middleware-that-holds-blocks-back", {
            let blocks = app_fn(|_, start_response| answer(start_response, Body::iter(["a", "b", "c", "d"])));
            let merged = middleware::map_body(|body| {
                let mut blocks = body.into_iter();
                Body::try_iter(std::iter::from_fn(move || {
                    let (first, second) = (blocks.next()?, blocks.next()?);
                    Some(first.and_then(|first| Ok(Bytes::from([first, second?].concat()))))
                }))
            });
            blocks.wrap(lint("inside")).wrap(merged).wrap(lint("outside"))
        }),
    ]
}
