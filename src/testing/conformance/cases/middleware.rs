//! Hooks on the head, `capture`, and what a middleware makes of a body.

use std::task::{Context, Poll, Waker};

use http::HeaderValue;

use crate::body::Body;
use crate::error::Result;
use crate::exchange::{Exchange, Step};
use crate::head::Head;
use crate::testing::conformance::kinds::{CHANNEL, KINDS, Script, answer, panic_quietly};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{KIND, aborted, count, equal, error_response, expect, only, whole};
use crate::testing::conformance::{Case, Need};
use crate::{App, Environ, app_fn, capture, middleware};

/// A hook that leaves its mark, with the status that it saw.
fn mark(name: &'static str) -> impl FnOnce(&mut Head) + Send + 'static {
    move |head| {
        let mark = format!("{name} {}", head.status.as_u16());
        if let Ok(mark) = HeaderValue::try_from(mark) {
            head.headers.append("x-mark", mark);
        }
    }
}

fn marked(name: &'static str) -> impl Fn(App) -> App {
    move |inner| app_fn(move |environ, start_response| inner.call(environ, start_response.on_head(mark(name))))
}

/// The application inside: ends in the way that the query names, in the kind that the request asks for.
fn inner() -> App {
    app_fn(|environ, start_response| {
        let head = Head::new(201).header("content-type", "text/plain").header("x-inner", "here");
        let script = Script::new(&environ, head);
        let script = match environ.query_string() {
            "early-error" => script.blocks(["", ""]).error("inner secret"),
            "early-panic" => script.panic(),
            "late-error" => script.blocks(["a", "b"]).error("inner secret"),
            "call-error" => return Err("inner secret".into()),
            "call-panic" => panic_quietly("inner secret"),
            "never-started" => {
                drop(start_response);
                return Ok(Body::empty());
            }
            _ => script.blocks(["", "a", "", "b"]),
        };
        script.play(&environ, start_response)
    })
}

/// Passes the response on, or answers for the error, and notes that it was asked.
fn captured(inner: App) -> App {
    app_fn(move |environ, start_response| {
        let (notes, query) = (Notes::of(&environ), environ.query_string().to_owned());
        capture(&inner, environ, start_response, move |response, start_response| {
            notes.add("then");
            match response {
                Ok((head, _)) if query == "replaced" => {
                    start_response.start(203, [("content-type", "text/plain")])?;
                    Ok(format!("instead of {}", head.status.as_u16()).into())
                }
                Ok((head, body)) => {
                    start_response.send(head)?;
                    Ok(body)
                }
                Err(error) => {
                    start_response.start(502, [("content-type", "text/plain")])?;
                    Ok(format!("instead of {error}").into())
                }
            }
        })
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "hooks-run-once-and-from-the-inside-out",
            rules: &["M1"],
            needs: &[],
            application: |environ, start_response| {
                let app = inner().wrap(marked("inner")).wrap(marked("middle")).wrap(marked("outer"));
                app.call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 201, "ab")?;
                    equal("the marks", response.values("x-mark"), ["inner 201", "middle 201", "outer 201"])
                })
            },
        },
        Case {
            name: "hooks-run-on-the-head-that-is-sent",
            rules: &["M1", "M2"],
            needs: &[],
            application: |environ, start_response| {
                inner().wrap(marked("inner")).wrap(marked("outer")).call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["early-error", "early-panic", "call-error", "call-panic", "never-started"] {
                        let response = talk.send(&talk.get(&format!("/?{query}")))?;
                        error_response(&response, 500)?;
                        equal("the marks", response.values("x-mark"), ["inner 500", "outer 500"])?;
                        equal("x-inner", response.header("x-inner"), None)?;
                    }
                    let response = talk.send(&talk.get("/?late-error"))?;
                    aborted(&response, 201, "ab")?;
                    equal("the marks", response.values("x-mark"), ["inner 201", "outer 201"])
                })
            },
        },
        Case {
            name: "hooks-see-what-inner-hooks-changed",
            rules: &["M1", "F1"],
            needs: &[],
            application: |environ, start_response| {
                let changed = middleware::map_head(|head| {
                    head.status = http::StatusCode::IM_A_TEAPOT;
                    head.headers.remove("x-inner");
                    head.headers.insert("content-type", HeaderValue::from_static("text/tea"));
                });
                inner().wrap(changed).wrap(marked("outer")).call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 418, "ab")?;
                    equal("the marks", response.values("x-mark"), ["outer 418"])?;
                    equal("x-inner", response.header("x-inner"), None)?;
                    equal("content-type", response.values("content-type"), ["text/tea"])
                })
            },
        },
        Case {
            name: "the-head-is-checked-after-the-hooks",
            rules: &["M3"],
            needs: &[],
            application: |environ, start_response| {
                let query = environ.query_string().to_owned();
                let start_response = start_response.on_head(move |head| {
                    head.headers.insert("x-hook", HeaderValue::from_static("was here"));
                    match &*query {
                        "hop-by-hop" => drop(head.headers.insert("connection", HeaderValue::from_static("close"))),
                        "length" => drop(head.headers.insert("content-length", HeaderValue::from_static("+2"))),
                        "two-lengths" => {
                            head.headers.append("content-length", HeaderValue::from_static("2"));
                            head.headers.append("content-length", HeaderValue::from_static("2"));
                        }
                        "interim" => head.status = http::StatusCode::EARLY_HINTS,
                        "panic" => panic_quietly("in a hook"),
                        _ => {}
                    }
                });
                inner().call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["hop-by-hop", "length", "two-lengths", "interim", "panic"] {
                        let response = talk.send(&talk.get(&format!("/?{query}")))?;
                        error_response(&response, 500)?;
                        equal("x-hook", response.header("x-hook"), None)?;
                        equal("x-inner", response.header("x-inner"), None)?;
                    }
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 201, "ab")?;
                    equal("x-hook", response.header("x-hook").as_deref(), Some("was here"))
                })
            },
        },
        Case {
            name: "capture-passes-a-response-on",
            rules: &["M4"],
            needs: &[],
            application: |environ, start_response| {
                inner().wrap(captured).wrap(captured).wrap(captured).call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 201, "ab")?;
                    equal("x-inner", response.header("x-inner").as_deref(), Some("here"))?;
                    aborted(&talk.send(&talk.get("/?late-error"))?, 201, "ab")
                })
            },
        },
        Case {
            name: "capture-replaces-a-whole-response",
            rules: &["M4"],
            needs: &[],
            application: |environ, start_response| inner().wrap(captured).call(environ, start_response),
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/?replaced"))?;
                    whole(&response, 203, "instead of 201")?;
                    equal("x-inner", response.header("x-inner"), None)
                })
            },
        },
        Case {
            name: "capture-answers-for-an-error",
            rules: &["M4"],
            needs: &[],
            application: |environ, start_response| inner().wrap(captured).call(environ, start_response),
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["early-error", "call-error", "early-panic", "call-panic", "never-started"] {
                        let response = talk.send(&talk.get(&format!("/?{query}")))?;
                        equal("the status", response.status.as_u16(), 502)?;
                        let text = response.text();
                        // What ended a channel is known to its sender alone.
                        let known = query.ends_with("started") || talk.kind() == CHANNEL || text.contains("secret");
                        expect(known && response.complete, || format!("{query}: the text is {text:?}"))?;
                        equal("x-inner", response.header("x-inner"), None)?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "capture-runs-once",
            rules: &["M4", "M5"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                let hook = |name: &'static str| {
                    let notes = notes.clone();
                    move |_: &mut Head| notes.add(name)
                };
                let (inside, outside) = (hook("inside"), hook("outside"));
                let inside = std::sync::Mutex::new(Some(inside));
                let hooked = |inner: App| {
                    app_fn(move |environ, start_response| {
                        let hook = inside.lock().ok().and_then(|mut hook| hook.take()).ok_or("called twice")?;
                        inner.call(environ, start_response.on_head(hook))
                    })
                };
                inner().wrap(hooked).wrap(captured).call(environ, start_response.on_head(outside))
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["/", "/?replaced"] {
                        let talk = talk.again();
                        talk.send(&talk.get(query))?;
                        let notes = talk.wait_for_the_end()?;
                        let order = only(&notes, &["inside", "then", "outside"]);
                        equal("the order", order, ["inside", "then", "outside"])?;
                    }
                    // Where nothing was committed inside, there is no head for the hook inside.
                    for query in ["/?call-error", "/?early-error"] {
                        let talk = talk.again();
                        talk.send(&talk.get(query))?;
                        let notes = talk.wait_for_the_end()?;
                        equal("the order", only(&notes, &["inside", "then", "outside"]), ["then", "outside"])?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "hooks-outside-of-capture-see-its-head",
            rules: &["M1", "M5"],
            needs: &[],
            application: |environ, start_response| {
                let app = inner().wrap(marked("inside")).wrap(captured).wrap(marked("outside"));
                app.call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    equal("the marks", response.values("x-mark"), ["inside 201", "outside 201"])?;
                    let response = talk.send(&talk.get("/?replaced"))?;
                    equal("the marks", response.values("x-mark"), ["outside 203"])
                })
            },
        },
        Case {
            name: "a-body-is-changed-block-by-block",
            rules: &["M6", "B1"],
            needs: &[],
            application: |environ, start_response| {
                let app = inner()
                    .wrap(middleware::map_body(|body| body.map_chunks(|block| block.to_ascii_uppercase().into())))
                    .wrap(middleware::map_body(|body| {
                        body.transform(
                            |block| Ok(block.map_or("!".into(), |block| [&b"-"[..], &block].concat().into())),
                        )
                    }))
                    .wrap(middleware::map_response(|_| |head, body: Body| Ok((head, body.map_chunks(|block| block)))));
                app.call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    whole(&talk.send(&talk.get("/"))?, 201, "-A-B!")?;
                    aborted(&talk.send(&talk.get("/?late-error"))?, 201, "-A-B")
                })
            },
        },
        Case {
            name: "middleware-keeps-the-mode-of-a-body",
            rules: &["M6"],
            needs: &[],
            application: |_, start_response| {
                let modes: Result<Vec<String>> =
                    KINDS.iter().map(|(kind, _)| Ok(format!("{kind} {}", mode(kind)?))).collect();
                answer(start_response, modes?.join("\n"))
            },
            client: |talk| {
                let response = talk.send(&talk.get("/"))?;
                let wanted = [
                    "iterator a thread",
                    "lazy-iterator a thread",
                    "started-on-another-thread a thread",
                    "stream no thread",
                    "lazy-stream no thread",
                    "async-with-a-stream no thread",
                    "async-with-an-iterator a thread",
                    "channel no thread",
                ];
                whole(&response, 200, wanted.join("\n"))
            },
        },
        Case {
            name: "a-blocking-body-waits-behind-middleware",
            rules: &["M6", "G11"],
            needs: &[Need::OneProcess, Need::Concurrency],
            application: |environ, start_response| {
                let waits = app_fn(|environ, start_response| {
                    let notes = Notes::of(&environ);
                    if environ.query_string() != "wait" {
                        return answer(start_response, "at once");
                    }
                    answer(
                        start_response,
                        Body::try_iter((0..2).map(move |n| match n {
                            0 => Ok(""),
                            _ => {
                                notes.add("waiting");
                                notes.wait_for("go").map(|()| "done")
                            }
                        })),
                    )
                });
                waits.wrap(around).call(environ, start_response)
            },
            client: |talk| {
                std::thread::scope(|scope| {
                    let waiting = [(); 4].map(|()| scope.spawn(|| talk.send(&talk.get("/?wait"))));
                    let all = talk.wait_until(|notes| count(notes, "waiting") == waiting.len());
                    let others = (0..5).try_for_each(|_| whole(&talk.send(&talk.get("/"))?, 200, "at once"));
                    talk.tell("go")?;
                    for response in waiting {
                        whole(&response.join().map_err(|_| "the client panicked")??, 200, "done")?;
                    }
                    others.and(all.map(drop))
                })
            },
        },
    ]
}

/// Everything that a middleware does to a body.
fn around(app: App) -> App {
    app.wrap(middleware::map_body(|body| body.map_chunks(|block| block)))
        .wrap(middleware::map_body(|body| body.transform(|block| Ok(block.unwrap_or_default()))))
        .wrap(middleware::map_response(|_| |head, body| Ok((head, body))))
}

/// Whether an exchange that may not block asks for a thread to pull a body of this kind, behind middleware.
fn mode(kind: &'static str) -> Result<&'static str> {
    let app =
        around(app_fn(|environ, start_response| Script::text(&environ).block("a").play(&environ, start_response)));
    let mut request = http::Request::new(());
    request.headers_mut().insert(KIND, HeaderValue::from_static(kind));
    let mut exchange = Exchange::new(&app.nonblocking(), Environ::from(request));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match exchange.poll_step(&mut context, false) {
            Poll::Ready(Step::NeedsThread) => return Ok("a thread"),
            Poll::Ready(Step::Head(_)) => return Ok("no thread"),
            // It was woken, or will be by another thread.
            Poll::Pending => std::thread::yield_now(),
            Poll::Ready(step) => return Err(format!("{step:?} came before the head").into()),
        }
    }
}
