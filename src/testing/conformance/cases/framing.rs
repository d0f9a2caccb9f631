//! How long a body is: computed, declared, wrong, cut, and of responses that have none.

use http::Version;

use crate::body::Body;
use crate::head::Head;
use crate::testing::conformance::http1::Sized;
use crate::testing::conformance::kinds::{CHANNEL, Script, answer, answer_later};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{aborted, count, equal, expect, replaced, whole, within};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, Error, Result, StartResponse};

/// A status without a body, with or without a length and a body that the application gives nonetheless.
fn bodiless(mut environ: Environ, start_response: StartResponse) -> Result {
    let notes = Notes::of(&environ);
    notes.note_the_end(&mut environ);
    let query = environ.query_string().to_owned();
    let (status, what) = query.split_once('-').ok_or("the query is STATUS-WHAT")?;
    let mut head = Head::new(status.parse::<u16>()?);
    if what.ends_with("length") {
        head = head.header("content-length", 5);
    }
    match what.starts_with("whole") {
        true => {
            start_response.send(head)?;
            Ok(Body::from("hello").on_close(move || notes.add("closed")))
        }
        false => Script::new(&environ, head).blocks(["he", "llo"]).play(&environ, start_response),
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a-known-length-is-declared",
            rules: &["F1"],
            needs: &[],
            application: |environ, start_response| match environ.query_string() {
                "text" => answer(start_response, "hello"),
                "empty" => answer(start_response, ""),
                "bytes" => answer(start_response, vec![0; 70_000]),
                "async" => answer_later(environ, start_response, |_| async { Ok(Body::from("hello")) }),
                "lazy" => Ok(Body::deferred(async move { answer(start_response, "hello") })),
                "mapped" => {
                    answer(start_response, Body::from("hello").map_chunks(|block| [block, "!".into()].concat().into()))
                }
                _ => answer(start_response, Body::from("hello").on_close(|| {})),
            },
            client: |talk| {
                let lengths = [
                    ("text", 5),
                    ("empty", 0),
                    ("bytes", 70_000),
                    ("async", 5),
                    ("lazy", 5),
                    ("mapped", 6),
                    ("closing", 5),
                ];
                for (query, length) in lengths {
                    let response = talk.send(&talk.get(&format!("/?{query}")))?;
                    let place = |error: Error| within(query, &error);
                    equal("content-length", response.values("content-length"), [length.to_string()]).map_err(place)?;
                    equal("the length of the body", response.body.len(), length).map_err(place)?;
                    expect(response.complete, || "the response is not complete".to_owned()).map_err(place)?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-declared-length-is-kept",
            rules: &["F1", "H1"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(200).header("content-type", "text/plain").header("content-length", 5);
                Script::new(&environ, head).blocks(["he", "", "llo", ""]).play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 200, "hello")?;
                    equal("content-length", response.values("content-length"), ["5"])
                })
            },
        },
        Case {
            name: "a-length-that-differs-from-the-body",
            rules: &["F2", "X1"],
            needs: &[],
            application: |environ, start_response| {
                let length = environ.query_string().to_owned();
                let head = Head::new(200).header("x-left", "over").header("content-length", length);
                start_response.send(head)?;
                Ok("hello".into())
            },
            client: |talk| {
                for length in [0, 4, 6, 1000] {
                    let response = talk.send(&talk.get(&format!("/?{length}")))?;
                    replaced(&response)?;
                }
                whole(&talk.send(&talk.get("/?5"))?, 200, "hello")
            },
        },
        Case {
            name: "a-body-that-is-too-long-is-cut",
            rules: &["F3"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(200).header("content-type", "text/plain").header("content-length", 5);
                Script::new(&environ, head).blocks(["abc", "defg", "hi"]).play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 200, "abcde")?;
                    equal("content-length", response.values("content-length"), ["5"])
                })
            },
        },
        Case {
            name: "a-body-that-is-cut-is-not-pulled-on",
            rules: &["F3", "X8"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                Notes::of(&environ).note_the_end(&mut environ);
                let head = Head::new(200).header("content-length", 5);
                let blocks = if environ.query_string() == "over" { ["abc", "defg"] } else { ["abc", "de"] };
                let script = Script::new(&environ, head).blocks(blocks).block("more").panic();
                script.play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["/?over", "/?exact"] {
                        let talk = talk.again();
                        whole(&talk.send(&talk.get(query))?, 200, "abcde")?;
                        let notes = talk.wait_for_the_end()?;
                        let pulled = count(&notes, "pulled");
                        expect(talk.kind() == CHANNEL || pulled == 2, || format!("it was pulled {pulled} times"))?;
                        equal("the times the body was closed", count(&notes, "closed"), 1)?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "a-body-that-is-too-short-is-aborted",
            rules: &["F4", "G10"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(200).header("content-type", "text/plain").header("content-length", 50);
                Script::new(&environ, head).blocks(["abc", "de"]).play(&environ, start_response)
            },
            client: |talk| talk.each_kind(|talk| aborted(&talk.send(&talk.get("/"))?, 200, "abcde")),
        },
        Case {
            name: "the-framing-of-an-unknown-length",
            rules: &["F6"],
            needs: &[Need::Wire],
            application: |environ, start_response| {
                Script::text(&environ).blocks(["ab", "", "c"]).play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for (version, sized) in [("1.1", Sized::ByChunks), ("1.0", Sized::ByTheEndOfTheConnection)] {
                        let head = format!("GET {}/ HTTP/{version}\r\nhost: localhost\r\n", talk.mount());
                        let (received, mut wire) = talk.by_hand(head, b"")?;
                        whole(&received.response, 200, "abc")?;
                        equal("the framing", received.sized, sized)?;
                        if version == "1.1" {
                            // The connection goes on behind it.
                            let lines = talk.lines();
                            wire.write(format!("GET {}/ HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n", talk.mount()))?;
                            whole(&wire.response("GET")?.response, 200, "abc")?;
                        }
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "http-1-0-gets-a-whole-body",
            rules: &["F6", "B1"],
            needs: &[Need::Http10],
            application: |environ, start_response| match environ.query_string() {
                "known" => answer(start_response, "known"),
                _ => Script::text(&environ).blocks(["un", "known"]).play(&environ, start_response),
            },
            client: |talk| {
                whole(&talk.send(&talk.get("/?known").version(Version::HTTP_10))?, 200, "known")?;
                talk.each_kind(|talk| whole(&talk.send(&talk.get("/").version(Version::HTTP_10))?, 200, "unknown"))
            },
        },
        Case {
            name: "empty-blocks-end-nothing",
            rules: &["F7"],
            needs: &[],
            application: |environ, start_response| {
                let many = std::iter::repeat_n("", 200);
                let script =
                    Script::text(&environ).blocks(["", "a", ""]).blocks(many.clone()).blocks(["b", "", "", "c"]);
                script.blocks(many).play(&environ, start_response)
            },
            client: |talk| talk.each_kind(|talk| whole(&talk.send(&talk.get("/"))?, 200, "abc")),
        },
        Case {
            name: "head-is-get-without-its-body",
            rules: &["F8", "F9"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(201).header("content-type", "text/plain").header("x-a", "b");
                let head = if environ.query_string() == "length" { head.header("content-length", 5) } else { head };
                Script::new(&environ, head).blocks(["he", "llo"]).play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.request("HEAD", "/?length"))?;
                    whole(&response, 201, "")?;
                    equal("content-length", response.values("content-length"), ["5"])?;
                    equal("x-a", response.header("x-a").as_deref(), Some("b"))?;
                    let response = talk.send(&talk.request("HEAD", "/"))?;
                    whole(&response, 201, "")?;
                    equal("content-length", response.values("content-length"), [""; 0])
                })
            },
        },
        Case {
            name: "the-length-that-head-gets",
            rules: &["F9"],
            needs: &[],
            application: |environ, start_response| match environ.query_string() {
                "some" => answer(start_response, "hello"),
                "none" => answer(start_response, ""),
                "async" => answer_later(environ, start_response, |_| async { Ok(Body::from("hello")) }),
                other => {
                    start_response.start(200, [("content-length", other)])?;
                    Ok("hello".into())
                }
            },
            client: |talk| {
                let lengths =
                    [("some", Some("5")), ("none", None), ("0", Some("0")), ("7", Some("7")), ("async", Some("5"))];
                for (query, length) in lengths {
                    let response = talk.send(&talk.request("HEAD", &format!("/?{query}")))?;
                    whole(&response, 200, "")?;
                    let place = |error: Error| within(query, &error);
                    equal("content-length", response.header("content-length").as_deref(), length).map_err(place)?;
                }
                Ok(())
            },
        },
        Case {
            name: "head-pulls-no-more-than-its-head-needs",
            rules: &["F8", "X8"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                Notes::of(&environ).note_the_end(&mut environ);
                Script::text(&environ).blocks(["he", "llo"]).panic().play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    whole(&talk.send(&talk.request("HEAD", "/"))?, 200, "")?;
                    let notes = talk.wait_for_the_end()?;
                    let pulled = count(&notes, "pulled");
                    // Where the first pull starts the response, that one is needed.
                    let most = match talk.kind() {
                        "iterator" | "stream" | "started-on-another-thread" => 0,
                        CHANNEL => 3,
                        _ => 1,
                    };
                    expect(pulled <= most, || format!("it was pulled {pulled} times"))?;
                    equal("the times the body was closed", count(&notes, "closed"), 1)?;
                    equal("whether it is complete", notes.contains(&"finished Complete 200 0".to_owned()), true)
                })
            },
        },
        Case {
            name: "head-and-an-error",
            rules: &["F8", "X1"],
            needs: &[],
            application: |environ, start_response| match environ.query_string() {
                "late" => Ok(Body::deferred(async move {
                    let _start_response = start_response;
                    Err("secret".into())
                })),
                _ => Err("secret".into()),
            },
            client: |talk| {
                for query in ["/", "/?late"] {
                    whole(&talk.send(&talk.request("HEAD", query))?, 500, "")?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-status-without-a-body",
            rules: &["F10", "F11", "F12"],
            needs: &[],
            application: bodiless,
            client: |talk| {
                let rows = [
                    ("204-whole", None),
                    ("204-whole-length", None),
                    ("205-whole", Some("0")),
                    ("205-whole-length", Some("0")),
                    ("304-whole", None),
                    ("304-whole-length", Some("5")),
                ];
                for (query, length) in rows {
                    let response = talk.send(&talk.get(&format!("/?{query}")))?;
                    let place = |error: Error| within(query, &error);
                    whole(&response, query[..3].parse()?, "").map_err(place)?;
                    equal("content-length", response.header("content-length").as_deref(), length).map_err(place)?;
                }
                Ok(())
            },
        },
        Case {
            name: "bytes-behind-a-status-without-a-body",
            rules: &["F10", "F11", "F12"],
            needs: &[],
            application: bodiless,
            client: |talk| {
                let rows =
                    [("204-blocks-length", None), ("205-blocks-length", Some("0")), ("304-blocks-length", Some("5"))];
                talk.each_kind(|talk| {
                    for (query, length) in rows {
                        let response = talk.send(&talk.get(&format!("/?{query}")))?;
                        let place = |error: Error| within(query, &error);
                        whole(&response, query[..3].parse()?, "").map_err(place)?;
                        equal("content-length", response.header("content-length").as_deref(), length).map_err(place)?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "a-connection-goes-on-behind-a-status-without-a-body",
            rules: &["F10", "F11"],
            needs: &[Need::Wire],
            application: bodiless,
            client: |talk| {
                for query in ["204-whole-length", "205-whole", "304-whole-length", "204-whole"] {
                    let (mount, lines) = (talk.mount(), talk.lines());
                    let mut wire = talk.wire()?;
                    let request = |query| format!("GET {mount}/?{query} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n");
                    wire.write([request(query), request("200-whole")].concat())?;
                    equal("the status", wire.response("GET")?.response.status.as_u16(), query[..3].parse::<u16>()?)?;
                    whole(&wire.response("GET")?.response, 200, "hello").map_err(|error| within(query, &error))?;
                }
                Ok(())
            },
        },
    ]
}
