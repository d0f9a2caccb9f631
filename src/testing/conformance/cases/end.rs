//! The end of a request: what is closed, which hooks run, in which order, and what they are told.

use crate::body::Body;
use crate::head::Head;
use crate::testing::conformance::kinds::{Script, answer, answer_later, panic_quietly};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{VARIANT, count, equal, expect, only};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, Result, StartResponse, middleware};

/// How a request may end, with what `Outcome` says of it: the end, the status and the bytes.
const ENDS: [(&str, &str); 9] = [
    ("complete", "Complete 200 3"),
    ("empty", "Complete 200 0"),
    ("error", "Failed 200 3"),
    ("panic", "Failed 200 3"),
    ("early-error", "Complete 500 26"),
    ("cut", "Complete 200 2"),
    ("short", "Failed 200 3"),
    ("bodiless", "Complete 304 0"),
    ("head", "Complete 200 0"),
];

/// Ends in the way that the request asks for, with two hooks.
fn ends(mut environ: Environ, start_response: StartResponse) -> Result {
    let notes = Notes::of(&environ);
    notes.note_the_end(&mut environ);
    let hook = notes.clone();
    environ.on_finished(move |_| hook.add("hook"));
    let variant = environ.headers().get(VARIANT).map_or(&b""[..], |variant| variant.as_bytes()).to_vec();
    let head = match &*variant {
        b"cut" => Head::new(200).header("content-length", 2),
        b"short" => Head::new(200).header("content-length", 9),
        b"bodiless" => Head::new(304),
        _ => Head::new(200),
    };
    let script = Script::new(&environ, head);
    let script = match &*variant {
        b"empty" => script.blocks(["", ""]),
        b"early-error" => script.error("secret"),
        b"error" => script.blocks(["a", "bc"]).error("secret"),
        b"panic" => script.blocks(["a", "bc"]).panic(),
        _ => script.blocks(["a", "bc"]),
    };
    script.play(&environ, start_response)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "block-body-hooks",
            rules: &["X7"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                for hook in ["first hook", "second hook"] {
                    let notes = notes.clone();
                    environ.on_finished(move |_| notes.add(hook));
                }
                match environ.query_string() {
                    "whole" => Ok(answer(start_response, "ab")?.on_close(move || notes.add("closed"))),
                    _ => Script::text(&environ).blocks(["a", "b"]).play(&environ, start_response),
                }
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["/", "/?whole"] {
                        let talk = talk.again();
                        talk.send(&talk.get(query))?;
                        let notes = talk.wait_for_the_end()?;
                        let order = only(&notes, &["pulled", "closed", "first hook", "second hook"]);
                        let pulled = if query == "/" { &["pulled", "pulled"][..] } else { &[] };
                        equal("the order", order, [pulled, &["closed", "second hook", "first hook"]].concat())?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "every-end-comes-once",
            rules: &["X8", "X9"],
            needs: &[Need::OneProcess],
            application: ends,
            client: |talk| {
                talk.each_kind(|talk| {
                    talk.each(ENDS.map(|(end, _)| end), |talk| {
                        talk.send(&talk.request(if talk.variant() == "head" { "HEAD" } else { "GET" }, "/"))?;
                        let notes = talk.wait_for_the_end()?;
                        equal("the times the body was closed", count(&notes, "closed"), 1)?;
                        equal("the times a hook ran", count(&notes, "hook"), 1)?;
                        let wanted =
                            ENDS.iter().find(|(end, _)| *end == talk.variant()).map_or("", |(_, outcome)| outcome);
                        let wanted = format!("finished {wanted}");
                        expect(count(&notes, &wanted) == 1, || format!("{wanted:?} is not among {notes:?}"))
                    })
                })
            },
        },
        Case {
            name: "the-outcome-of-a-whole-body",
            rules: &["X9"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                Notes::of(&environ).note_the_end(&mut environ);
                match environ.query_string() {
                    "async" => answer_later(environ, start_response, |_| async { Ok(Body::from("hello")) }),
                    "panic" => panic_quietly("in call"),
                    _ => answer(start_response, "hello"),
                }
            },
            client: |talk| {
                let outcomes = [("", "Complete 200 5"), ("async", "Complete 200 5"), ("panic", "Complete 500 26")];
                for (query, outcome) in outcomes {
                    let talk = talk.again();
                    talk.send(&talk.get(&format!("/?{query}")))?;
                    equal("the outcome", talk.wait_for_the_end()?, [format!("finished {outcome}")])?;
                }
                Ok(())
            },
        },
        Case {
            name: "an-environ-that-is-dropped-early",
            rules: &["X8"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                let copy = environ.duplicate();
                drop(environ);
                Script::text(&copy).block("a").play(&copy, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    talk.send(&talk.get("/"))?;
                    let notes = talk.wait_for_the_end()?;
                    let order = only(&notes, &["pulled", "closed", "finished Complete 200 1"]);
                    equal("the order", order, ["pulled", "closed", "finished Complete 200 1"])
                })
            },
        },
        Case {
            name: "hooks-of-a-second-environ",
            rules: &["X8"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                let mut copy = environ.duplicate();
                copy.on_finished(move |_| notes.add("hook"));
                answer(start_response, "a")
            },
            client: |talk| {
                talk.send(&talk.get("/"))?;
                equal("the notes", talk.wait_for_the_end()?, ["hook", "finished Complete 200 1"])
            },
        },
        Case {
            name: "a-body-is-closed-from-the-inside-out",
            rules: &["X7", "X8"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                let inner = crate::app_fn(|environ, start_response| {
                    Script::text(&environ).blocks(["a", "b"]).play(&environ, start_response)
                });
                let middle = notes.clone();
                let app = inner
                    .wrap(middleware::map_body(move |body| {
                        let notes = middle.clone();
                        body.map_chunks(|block| block).on_close(move || notes.add("closed in the middle"))
                    }))
                    .wrap(middleware::map_body(move |body| {
                        let notes = notes.clone();
                        body.transform(|block| Ok(block.unwrap_or_default()))
                            .on_close(move || notes.add("closed outside"))
                    }));
                app.call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    talk.send(&talk.get("/"))?;
                    let notes = talk.wait_for_the_end()?;
                    let wanted = ["closed", "closed in the middle", "closed outside"];
                    equal("the order", only(&notes, &wanted), wanted)
                })
            },
        },
    ]
}
