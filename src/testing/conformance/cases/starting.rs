//! When a response is started, too late, or not at all; and when its head is committed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderValue;

use crate::body::Body;
use crate::head::Head;
use crate::testing::conformance::kinds::{Script, answer};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{TOKEN, equal, error_response, replaced, whole};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, Result, StartResponse, app_fn};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "every-kind-of-application-starts",
            rules: &["S1", "H1"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(201).header("content-type", "text/plain").header("x-kind", "kept");
                Script::new(&environ, head).block("ab").block("c").play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 201, "abc")?;
                    equal("x-kind", response.header("x-kind").as_deref(), Some("kept"))
                })
            },
        },
        Case {
            name: "a-start-after-empty-blocks",
            rules: &["S1", "S4", "F7"],
            needs: &[],
            application: |_, start_response| {
                let mut start_response = Some(start_response);
                let blocks = ["", "", "started", ""].map(Bytes::from).into_iter();
                Ok(Body::try_iter(blocks.map(move |block| {
                    match start_response.take_if(|_| !block.is_empty()) {
                        Some(start_response) => start_response.start(202, [("content-type", "text/plain")]),
                        None => Ok(()),
                    }
                    .map(|()| block)
                })))
            },
            client: |talk| whole(&talk.send(&talk.get("/"))?, 202, "started"),
        },
        Case {
            name: "a-start-in-the-last-pull",
            rules: &["S1", "S4"],
            needs: &[],
            application: |_, start_response| {
                let mut start_response = Some(start_response);
                Ok(Body::try_iter(std::iter::from_fn(move || {
                    match start_response.take()?.start(203, [("x-late", "yes")]) {
                        Ok(()) => None,
                        Err(error) => Some(Err::<Bytes, _>(error)),
                    }
                })))
            },
            client: |talk| {
                let response = talk.send(&talk.get("/"))?;
                whole(&response, 203, "")?;
                equal("x-late", response.header("x-late").as_deref(), Some("yes"))
            },
        },
        Case {
            name: "a-block-before-the-start",
            rules: &["S2", "X1"],
            needs: &[],
            application: |environ, start_response| match environ.query_string() {
                "dropped" => Ok("early".into()),
                "kept" => {
                    // It would still be there for a start after the first block.
                    let mut start_response = Some(start_response);
                    Ok(Body::try_iter((0..2).map(move |n| match n {
                        0 => Ok("early"),
                        _ => start_response.take().map_or(Ok(()), |start| start.start(200, ())).map(|()| "late"),
                    })))
                }
                _ => Ok(Body::stream(futures::stream::once(async move {
                    drop(start_response);
                    Ok("early")
                }))),
            },
            client: |talk| {
                for query in ["/?dropped", "/?kept", "/?stream"] {
                    error_response(&talk.send(&talk.get(query))?, 500)?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-response-that-nobody-starts",
            rules: &["S3"],
            needs: &[],
            application: never_starts,
            client: |talk| {
                for query in ["/?empty", "/?iterator", "/?async", "/?kept"] {
                    error_response(&talk.send(&talk.get(query))?, 500)?;
                }
                Ok(())
            },
        },
        Case {
            name: "the-log-names-who-did-not-start",
            rules: &["S3", "X5"],
            needs: &[Need::Log],
            application: never_starts,
            client: |talk| {
                for query in ["/?empty", "/?iterator", "/?async"] {
                    let log = talk.send(&talk.get(query))?.log;
                    equal("whether the log names it", log.contains("the-forgetful-layer"), true)?;
                }
                Ok(())
            },
        },
        Case {
            name: "neither-start-nor-empty-blocks-commit",
            rules: &["S4", "X1", "F7"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(200).header("x-left", "over");
                Script::new(&environ, head).blocks(["", "", ""]).error("secret").play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    replaced(&response)
                })
            },
        },
        Case {
            name: "the-end-of-an-empty-body-commits",
            rules: &["S4"],
            needs: &[],
            application: |environ, start_response| {
                let blocks = if environ.query_string() == "some" { &["", "", ""][..] } else { &[] };
                let script = Script::new(&environ, Head::new(202)).blocks(blocks.iter().copied());
                script.play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    whole(&talk.send(&talk.get("/?some"))?, 202, "")?;
                    whole(&talk.send(&talk.get("/?none"))?, 202, "")
                })
            },
        },
        Case {
            name: "a-start-after-the-end",
            rules: &["S6", "S3"],
            needs: &[Need::OneProcess],
            application: |environ, start_response| {
                let notes = Notes::of(&environ);
                let token = environ.headers().get(TOKEN).cloned();
                let mut late = LATE.lock().unwrap_or_else(PoisonError::into_inner);
                if environ.query_string() == "start" {
                    let kept = late.iter().position(|(of, _)| *of == token).map(|at| late.swap_remove(at).1);
                    drop(late);
                    let started = kept.ok_or("the case has no start")?.start(200, [("x-late", "yes")]);
                    return answer(start_response, if started.is_err() { "refused" } else { "accepted" });
                }
                late.push((token, start_response));
                drop(late);
                let mut environ = environ;
                notes.note_the_end(&mut environ);
                Ok(Body::empty())
            },
            client: |talk| {
                error_response(&talk.send(&talk.get("/"))?, 500)?;
                talk.wait_for("finished")?;
                let response = talk.send(&talk.get("/?start"))?;
                whole(&response, 200, "refused")?;
                equal("x-late", response.header("x-late"), None)
            },
        },
        Case {
            name: "a-start-while-nobody-pulls",
            rules: &["S1"],
            needs: &[],
            application: |_, start_response| {
                // The response is started by one thread, its body is made by another.
                let (sender, started) = std::sync::mpsc::channel();
                let shared = Arc::new(Mutex::new(Some(start_response)));
                std::thread::spawn(move || {
                    let start_response = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let started = start_response.map(|start| start.start(201, [("content-type", "text/plain")]));
                    sender.send(started.is_some_and(|started| started.is_ok()))
                });
                Ok(Body::try_iter(std::iter::once_with(move || match started.recv() {
                    Ok(true) => Ok("in time"),
                    _ => Err("the start was refused".into()),
                })))
            },
            client: |talk| whole(&talk.send(&talk.get("/"))?, 201, "in time"),
        },
    ]
}

/// The starts that one request keeps for the next, by their tokens: the suite may run several times at once.
static LATE: Mutex<Vec<(Option<HeaderValue>, StartResponse)>> = Mutex::new(Vec::new());

fn never_starts(environ: Environ, start_response: StartResponse) -> Result {
    let forgetful = app_fn(|environ, start_response| match environ.query_string() {
        "empty" => Ok(Body::empty()),
        "iterator" => Ok(Body::iter(std::iter::once_with(move || {
            drop(start_response);
            Bytes::new()
        }))),
        "async" => Ok(Body::deferred(async move {
            drop(start_response);
            Ok(Body::empty())
        })),
        // Kept for longer than the body has a block.
        _ => Ok(Body::empty().on_close(move || drop(start_response))),
    });
    forgetful.named("the-forgetful-layer").call(environ, start_response)
}
