//! Errors and panics: in the call, in a pull, in a hook, before the head is committed and after.

use std::io;

use http::Version;

use crate::body::Body;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::testing::conformance::kinds::{Script, answer, panic_quietly};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{VARIANT, aborted, equal, error_response, expect, only, replaced, whole};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, StartResponse, app_fn};

/// Ways to fail, and the status that the client gets.
type Failure = (&'static str, u16, fn(&mut Environ) -> Error);

const FAILURES: [Failure; 13] = [
    ("a text", 500, |_| "secret".into()),
    ("an error of std", 500, |_| io::Error::other("secret").into()),
    ("a missing file", 500, |_| io::Error::from(io::ErrorKind::NotFound).into()),
    ("404", 404, |_| Error::with_status(404, "secret")),
    ("408", 408, |_| Error::with_status(408, "secret")),
    ("503", 503, |_| Error::with_status(503, "secret")),
    ("a status that is none", 500, |_| Error::with_status(9, "secret")),
    ("100, which is interim", 500, |_| Error::with_status(100, "secret")),
    ("behind an io::Error", 404, |_| io::Error::from(Error::with_status(404, "secret")).into()),
    ("behind an error of its own", 404, |_| Wrapped(Error::with_status(404, "secret").into_boxed()).into()),
    ("the outer one of two", 403, |_| Error::with_status(403, Error::with_status(404, "secret").into_boxed())),
    ("over a limit", 413, |environ| {
        environ.set_input(Body::from("too much"));
        environ.input_mut().read_bytes(3).err().unwrap_or_else(|| "nothing was refused".into())
    }),
    ("cut short", 400, |environ| {
        environ.set_input(crate::Input::from("short").with_length(9));
        environ.input_mut().read_bytes(100).err().unwrap_or_else(|| "nothing was refused".into())
    }),
];

/// An error of somebody else, around one of vestibule.
#[derive(Debug, thiserror::Error)]
#[error("wrapped: secret")]
struct Wrapped(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Starts a response that must leave nothing behind, and fails before it has a body.
fn fails_early(environ: Environ, start_response: StartResponse) -> Result {
    let left = [("x-left", "over"), ("content-length", "7"), ("set-cookie", "a=b")];
    match environ.query_string() {
        "in-call" => Err("secret".into()),
        "in-call-after-start" => start_response.start(200, left).and(Err("secret".into())),
        "panic-in-call" => panic_quietly("secret"),
        "panic-in-call-after-start" => start_response.start(200, left).map(|()| panic_quietly("secret")),
        "in-future" => Ok(Body::deferred(async move { start_response.start(200, left).and(Err("secret".into())) })),
        _ => Ok(Body::deferred(async move { start_response.start(200, left).map(|()| panic_quietly("secret")) })),
    }
}

const EARLY: [&str; 6] =
    ["in-call", "in-call-after-start", "panic-in-call", "panic-in-call-after-start", "in-future", "panic-in-future"];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "an-early-error-is-a-clean-response",
            rules: &["X1", "X3"],
            needs: &[],
            application: fails_early,
            client: |talk| {
                talk.each(EARLY, |talk| {
                    let query = talk.variant();
                    let response = talk.send(&talk.get(&format!("/?{query}")))?;
                    replaced(&response)?;
                    equal("set-cookie", response.header("set-cookie"), None)?;
                    // Neither the body nor a header has the error's text.
                    let told = response
                        .headers
                        .values()
                        .any(|value| value.as_bytes().windows(6).any(|part| part == b"secret"));
                    expect(!told && !response.text().contains("secret"), || "the client was told the secret".to_owned())
                })
            },
        },
        Case {
            name: "an-error-in-the-first-pull",
            rules: &["X1", "X3"],
            needs: &[],
            application: |environ, start_response| {
                let script = Script::new(&environ, Head::new(200).header("x-left", "over"));
                let script = if environ.query_string() == "panic" { script.panic() } else { script.error("secret") };
                script.play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["/?error", "/?panic"] {
                        let response = talk.send(&talk.get(query))?;
                        replaced(&response)?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "the-status-of-an-error",
            rules: &["X2", "X3"],
            needs: &[],
            application: |mut environ, start_response| {
                let variant = environ.headers().get(VARIANT).map_or(&b""[..], |variant| variant.as_bytes());
                let failure = FAILURES.iter().find(|(name, ..)| name.as_bytes() == variant);
                let (_, _, fail) = failure.ok_or("there is no such failure")?;
                let error = fail(&mut environ);
                match environ.query_string() {
                    "late" => Ok(Body::deferred(async move {
                        start_response.start(200, ())?;
                        Err(error)
                    })),
                    _ => Err(error),
                }
            },
            client: |talk| {
                talk.each(FAILURES.map(|(name, ..)| name), |talk| {
                    let status =
                        FAILURES.iter().find(|(name, ..)| *name == talk.variant()).map_or(0, |(_, status, _)| *status);
                    error_response(&talk.send(&talk.get("/?early"))?, status)?;
                    error_response(&talk.send(&talk.get("/?late"))?, status)
                })
            },
        },
        Case {
            name: "an-upgrade-is-not-there-yet",
            rules: &["H2", "X2"],
            needs: &[],
            application: |_, start_response| {
                start_response.upgrade("websocket", ())?;
                Ok("upgraded".into())
            },
            client: |talk| error_response(&talk.send(&talk.get("/"))?, 501),
        },
        Case {
            name: "a-late-error-aborts",
            rules: &["X4", "G10"],
            needs: &[],
            application: |environ, start_response| {
                let script = Script::text(&environ).blocks(["some", "thing"]);
                let script = if environ.query_string() == "panic" { script.panic() } else { script.error("secret") };
                script.play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    aborted(&talk.send(&talk.get("/?error"))?, 200, "something")?;
                    aborted(&talk.send(&talk.get("/?panic"))?, 200, "something")
                })
            },
        },
        Case {
            name: "what-was-sent-before-an-abort-arrives",
            rules: &["X4", "B2"],
            needs: &[Need::Blocks, Need::OneProcess, Need::Concurrency],
            application: |environ, start_response| {
                let notes = Notes::of(&environ);
                start_response.start(200, [("content-type", "text/plain")])?;
                Ok(Body::try_iter((0..2).map(move |n| match n {
                    0 => Ok("some"),
                    _ => notes.wait_for("go").and(Err("secret".into())),
                })))
            },
            client: |talk| {
                let mut told = false;
                let response = talk.watch(&talk.get("/"), |_| {
                    if !std::mem::replace(&mut told, true) {
                        talk.tell("go")?;
                    }
                    Ok(std::ops::ControlFlow::Continue(()))
                })?;
                aborted(&response, 200, "some")?;
                equal("the body", response.text(), "some")
            },
        },
        Case {
            name: "http-1-0-can-tell-an-abort",
            rules: &["G10", "X4"],
            needs: &[Need::Http10, Need::Reset],
            application: |environ, start_response| {
                Script::text(&environ).blocks(["some", "thing"]).error("secret").play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| aborted(&talk.send(&talk.get("/").version(Version::HTTP_10))?, 200, "something"))
            },
        },
        Case {
            name: "errors-and-panics-are-logged",
            rules: &["X5"],
            needs: &[Need::Log],
            application: |environ, start_response| {
                let faulty = app_fn(|environ, start_response| match environ.query_string() {
                    "early-error" => Err("the secret".into()),
                    "early-panic" => panic_quietly("the secret"),
                    "late-error" => {
                        Script::text(&environ).block("a").error("the secret").play(&environ, start_response)
                    }
                    "late-panic" => {
                        start_response.start(200, ())?;
                        Ok(Body::try_iter((0..2).map(|n| if n == 0 { Ok("a") } else { panic_quietly("the secret") })))
                    }
                    _ => {
                        let _start_response = start_response;
                        Ok(Body::deferred(async { Err("the secret".into()) }))
                    }
                });
                faulty.named("the-faulty-layer").call(environ, start_response)
            },
            client: |talk| {
                let path = format!("{}/a%20path", talk.mount());
                for query in ["early-error", "early-panic", "late-error", "late-panic", "in-future"] {
                    let mut request = talk.request("BREW", &format!("/a%20path?{query}"));
                    request = request.header(crate::testing::conformance::talk::KIND, "iterator");
                    let log = talk.send(&request)?.log;
                    for part in ["the secret", "BREW", &path, "the-faulty-layer"] {
                        expect(log.contains(part), || format!("the log for {query} lacks {part:?}: {log:?}"))?;
                    }
                    equal("the lines of the log", log.lines().count(), 1)?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-panic-ends-one-request",
            rules: &["X6"],
            needs: &[],
            application: |mut environ, start_response| {
                match environ.query_string() {
                    "in-call" => panic_quietly("in call"),
                    "in-pull" => {
                        start_response.start(200, ())?;
                        return Ok(Body::iter(std::iter::once_with(|| -> &str { panic_quietly("in a pull") })));
                    }
                    "in-drop" => return Ok(answer(start_response, "fine")?.on_close(|| panic_quietly("in a drop"))),
                    "in-drop-of-an-iterator" => {
                        let bomb = Bomb;
                        start_response.start(200, [("content-type", "text/plain")])?;
                        return Ok(Body::iter((0..2).map(move |_| {
                            let _kept = &bomb;
                            "fi"
                        })));
                    }
                    "in-on-head" => {
                        let start_response = start_response.on_head(|_| panic_quietly("in a hook"));
                        return answer(start_response, "never");
                    }
                    "in-on-finished" => environ.on_finished(|_| panic_quietly("in a hook")),
                    _ => {}
                }
                answer(start_response, "fine")
            },
            client: |talk| {
                for (query, status) in [("in-call", 500), ("in-pull", 500), ("in-on-head", 500)] {
                    error_response(&talk.send(&talk.get(&format!("/?{query}")))?, status)?;
                    whole(&talk.send(&talk.get("/"))?, 200, "fine")?;
                }
                // All of the response was there by then.
                let late = [("in-drop", "fine"), ("in-on-finished", "fine"), ("in-drop-of-an-iterator", "fifi")];
                for (query, body) in late {
                    whole(&talk.send(&talk.get(&format!("/?{query}")))?, 200, body)?;
                    whole(&talk.send(&talk.get("/"))?, 200, "fine")?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-panic-of-one-hook-spares-the-others",
            rules: &["X6", "X8"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                let first = notes.clone();
                environ.on_finished(move |_| first.add("the first hook"));
                environ.on_finished(|_| panic_quietly("in a hook"));
                let last = notes.clone();
                environ.on_finished(move |_| last.add("the last hook"));
                let body = answer(start_response, "fine")?;
                Ok(body.on_close(move || notes.add("closed")).on_close(|| panic_quietly("in a drop")))
            },
            client: |talk| {
                whole(&talk.send(&talk.get("/"))?, 200, "fine")?;
                let notes = talk.wait_for_the_end()?;
                let wanted = ["closed", "the last hook", "the first hook"];
                equal("what ran", only(&notes, &wanted), wanted)
            },
        },
    ]
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_quietly("in a drop");
        }
    }
}
