//! Requests that a gateway of HTTP/1.1 refuses or mends before the application sees them; by hand, byte for byte.

use crate::error::Result;
use crate::testing::conformance::described::{Described, describe};
use crate::testing::conformance::kinds::{answer, answer_later};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{Talk, equal, expect, whole, within};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, StartResponse};

/// Notes that it was called, which it should not be.
fn called(mut environ: Environ, start_response: StartResponse) -> Result {
    let notes = Notes::of(&environ);
    notes.add("called");
    let body = environ.input_mut().read_bytes(1 << 20)?;
    answer(start_response, body)
}

/// Sends requests, each of which must be refused without a call, with the connection closed behind it.
fn refused(talk: &Talk<'_>, rows: &[(&str, &[u8])], statuses: &[u16]) -> Result<()> {
    for (row, request) in rows {
        let talk = talk.again();
        let place = |error| within(row, &error);
        let mut wire = talk.wire()?;
        // The marks of the case come first, so that nothing after them is needed.
        let request = fill(&talk, request);
        wire.write(request).map_err(place)?;
        let response = wire.response("GET").map_err(place)?.response;
        let status = response.status.as_u16();
        expect(statuses.contains(&status), || format!("{row}: the status is {status}, not one of {statuses:?}"))?;
        expect(response.complete, || format!("{row}: the refusal is not complete"))?;
        if status == 400 {
            expect(wire.is_closed().map_err(place)?, || format!("{row}: the connection goes on after a 400"))?;
        }
        equal("whether the application was called", talk.notes()?.contains(&"called".to_owned()), false)
            .map_err(place)?;
    }
    // The gateway is well.
    whole(&talk.send(&talk.post("/").body("12345"))?, 200, "12345")
}

/// Puts the mount point and the lines of the case into a request.
fn fill(talk: &Talk<'_>, request: &[u8]) -> Vec<u8> {
    let mut filled = Vec::new();
    for (number, part) in request.split(|&byte| byte == b'$').enumerate() {
        if number > 0 {
            match part.first() {
                Some(b'M') => filled.extend_from_slice(talk.mount().as_bytes()),
                _ => filled.extend_from_slice(talk.lines().as_bytes()),
            }
        }
        filled.extend_from_slice(if number > 0 { &part[1..] } else { part });
    }
    filled
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "connect-is-not-served",
            rules: &["G2"],
            needs: &[Need::Wire, Need::OneProcess],
            application: called,
            client: |talk| {
                refused(
                    talk,
                    &[("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n$L\r\n")],
                    &[501],
                )
            },
        },
        Case {
            name: "an-absolute-target",
            rules: &["G3"],
            needs: &[Need::Wire],
            application: describe,
            client: |talk| {
                for (target, path, query) in [("$M/x?y=z", "/x", "y=z"), ("$M/a%20b", "/a b", ""), ("$M/", "/", "")] {
                    let head = format!("GET http://other.example:81{target} HTTP/1.1\r\nhost: wrong.example\r\n");
                    let (received, _) = talk.by_hand(fill(talk, head.as_bytes()), b"")?;
                    let seen = Described::read(&received.response)?;
                    seen.is("HTTP_HOST", "other.example:81")?;
                    equal("the values of Host", seen.count("header host"), 1)?;
                    seen.is("SCRIPT_NAME", talk.mount())?;
                    seen.is("PATH_INFO", path)?;
                    seen.is("QUERY_STRING", query)?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-malformed-target",
            rules: &["G4"],
            needs: &[Need::Wire, Need::OneProcess],
            application: called,
            client: |talk| {
                let rows: &[(&str, &[u8])] = &[
                    ("an escape that is none", b"GET $M/%zz HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("half an escape", b"GET $M/%4 HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("a lone percent sign", b"GET $M/a% HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("UTF-8", b"GET $M/caf\xc3\xa9 HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("Latin-1", b"GET $M/caf\xe9 HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("UTF-8 in the query", b"GET $M/?caf\xc3\xa9 HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("a space", b"GET $M/a b HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                    ("no slash", b"GET x HTTP/1.1\r\nhost: localhost\r\n$L\r\n"),
                ];
                refused(talk, rows, &[400])
            },
        },
        Case {
            name: "a-fragment-is-not-passed-on",
            rules: &["E1", "E6"],
            needs: &[Need::Wire],
            application: describe,
            client: |talk| {
                for target in ["/x#fragment", "/x?y#fragment"] {
                    let head = format!("GET {}{target} HTTP/1.1\r\nhost: localhost\r\n", talk.mount());
                    let (received, _) = talk.by_hand(head, b"")?;
                    if received.response.status.as_u16() != 400 {
                        let seen = Described::read(&received.response)?;
                        seen.is("PATH_INFO", "/x")?;
                        seen.is("QUERY_STRING", if target.contains('?') { "y" } else { "" })?;
                    }
                }
                Ok(())
            },
        },
        Case {
            name: "a-host-is-needed-in-http-1-1",
            rules: &["G5"],
            needs: &[Need::Wire, Need::OneProcess],
            application: called,
            client: |talk| refused(talk, &[("none", b"GET $M/ HTTP/1.1\r\n$L\r\n")], &[400]),
        },
        Case {
            name: "a-malformed-host",
            rules: &["G5"],
            needs: &[Need::Wire, Need::OneProcess],
            application: called,
            client: |talk| {
                let rows: &[(&str, &[u8])] = &[
                    ("two", b"GET $M/ HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n$L\r\n"),
                    ("the same twice", b"GET $M/ HTTP/1.1\r\nhost: a.example\r\nhost: a.example\r\n$L\r\n"),
                    ("two, of HTTP/1.0", b"GET $M/ HTTP/1.0\r\nhost: a.example\r\nhost: b.example\r\n$L\r\n"),
                    ("a space", b"GET $M/ HTTP/1.1\r\nhost: a b\r\n$L\r\n"),
                    ("a path", b"GET $M/ HTTP/1.1\r\nhost: a.example/b\r\n$L\r\n"),
                    ("a user", b"GET $M/ HTTP/1.1\r\nhost: user@a.example\r\n$L\r\n"),
                    ("a list", b"GET $M/ HTTP/1.1\r\nhost: a.example, b.example\r\n$L\r\n"),
                    ("a port that is none", b"GET $M/ HTTP/1.1\r\nhost: a.example:http\r\n$L\r\n"),
                    ("markup", b"GET $M/ HTTP/1.1\r\nhost: <a>\r\n$L\r\n"),
                ];
                refused(talk, rows, &[400])
            },
        },
        Case {
            name: "a-host-is-not-needed-in-http-1-0",
            rules: &["G5"],
            needs: &[Need::Wire],
            application: describe,
            client: |talk| {
                let (received, _) = talk.by_hand(format!("GET {}/x HTTP/1.0\r\n", talk.mount()), b"")?;
                let seen = Described::read(&received.response)?;
                seen.is("PATH_INFO", "/x")?;
                seen.lacks("HTTP_HOST")?;
                expect(seen.get("SERVER_NAME").is_some_and(|name| !name.is_empty()), || {
                    "SERVER_NAME is empty".to_owned()
                })
            },
        },
        Case {
            name: "a-doubtful-length",
            rules: &["G6"],
            needs: &[Need::Wire, Need::OneProcess],
            application: called,
            client: |talk| {
                let lines: [(&str, &str); 14] = [
                    ("a sign", "content-length: +5"),
                    ("a negative length", "content-length: -5"),
                    ("a list", "content-length: 5,6"),
                    ("hexadecimal", "content-length: 0x5"),
                    ("a fraction", "content-length: 5.0"),
                    ("two numbers", "content-length: 5 5"),
                    ("beyond all", "content-length: 99999999999999999999999"),
                    ("two lengths", "content-length: 5\r\ncontent-length: 6"),
                    ("another coding", "transfer-encoding: gzip"),
                    ("identity", "transfer-encoding: identity"),
                    ("two codings", "transfer-encoding: gzip, chunked"),
                    ("chunked twice", "transfer-encoding: chunked, chunked"),
                    ("chunked on two lines", "transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
                    ("not the last", "transfer-encoding: chunked, gzip"),
                ];
                for (row, line) in lines {
                    let request = format!("POST $M/ HTTP/1.1\r\nhost: localhost\r\n$L{line}\r\n\r\n");
                    refused(talk, &[(row, request.as_bytes())], &[400])?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-length-beside-chunks",
            rules: &["G6", "I1"],
            needs: &[Need::Wire],
            application: |mut environ, start_response| {
                let text = environ.input_mut().read_text(1000)?;
                answer(start_response, format!("{} {text}", environ.query_string()))
            },
            client: |talk| {
                // RFC 9112, section 6.3: either an error, or the chunks count and the connection ends. What would be
                // a second request for those who believe the length is none.
                let (mount, lines) = (talk.mount(), talk.lines());
                let smuggled = format!("GET {mount}/?smuggled HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n");
                let length = smuggled.len() + 5;
                let head = format!(
                    "POST {mount}/?first HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n"
                );
                let body = format!("0\r\n\r\n{smuggled}");
                let (received, mut wire) = talk.by_hand(head, body.as_bytes())?;
                match received.response.status.as_u16() {
                    400 => {}
                    _ => whole(&received.response, 200, "first ")?,
                }
                expect(wire.is_closed()?, || "the bytes behind a doubtful body were read".to_owned())
            },
        },
        Case {
            name: "a-folded-header-is-one-or-none",
            rules: &["E10", "H4"],
            needs: &[Need::Wire],
            application: describe,
            client: |talk| {
                let head = format!("GET {}/ HTTP/1.1\r\nhost: localhost\r\nx-a: b\r\n x-folded: c\r\n", talk.mount());
                let (received, _) = talk.by_hand(head, b"")?;
                match received.response.status.as_u16() {
                    400 => Ok(()),
                    _ => Described::read(&received.response)?.lacks("HTTP_X_FOLDED"),
                }
            },
        },
        Case {
            name: "a-head-over-the-limit",
            rules: &["G7"],
            needs: &[Need::Wire, Need::OneProcess],
            application: called,
            client: |talk| {
                over_the_limit(talk, &[431], |talk, size| {
                    let large = "v".repeat(size);
                    format!(
                        "GET {}/ HTTP/1.1\r\nhost: localhost\r\n{}x-large: {large}\r\n\r\n",
                        talk.mount(),
                        talk.lines()
                    )
                })?;
                over_the_limit(talk, &[414, 431], |talk, size| {
                    let large = "p".repeat(size);
                    format!("GET {}/{large} HTTP/1.1\r\nhost: localhost\r\n{}\r\n", talk.mount(), talk.lines())
                })
            },
        },
        Case {
            name: "continue-when-the-input-is-read",
            rules: &["G8"],
            needs: &[Need::Wire],
            application: expects,
            client: |talk| {
                for (query, size) in [("blocking", 5), ("async", 5), ("blocking", 100_000), ("async", 100_000)] {
                    let mut wire = talk.wire()?;
                    wire.write(fill(talk, expecting(query, "1.1", size).as_bytes()))?;
                    let place = |error| within(&format!("{query} {size}"), &error);
                    equal("the first status", wire.next_status().map_err(place)?, 100)?;
                    wire.write(vec![b'x'; size])?;
                    let received = wire.response("POST").map_err(place)?;
                    whole(&received.response, 200, format!("{size} bytes")).map_err(place)?;
                    equal("the interim responses after the first", received.interim.len(), 0)?;
                }
                Ok(())
            },
        },
        Case {
            name: "no-continue-when-it-is-not-read",
            rules: &["G8"],
            needs: &[Need::Wire],
            application: expects,
            client: |talk| {
                for size in [5, 100_000] {
                    let mut wire = talk.wire()?;
                    wire.write(fill(talk, expecting("unread", "1.1", size).as_bytes()))?;
                    let received = wire.response("POST")?;
                    whole(&received.response, 200, "not read")?;
                    equal("the interim responses", received.interim.len(), 0)?;
                }
                Ok(())
            },
        },
        Case {
            name: "no-continue-for-http-1-0",
            rules: &["G8"],
            needs: &[Need::Wire],
            application: expects,
            client: |talk| {
                for query in ["blocking", "async", "unread"] {
                    let mut wire = talk.wire()?;
                    wire.write(fill(talk, expecting(query, "1.0", 5).as_bytes()))?;
                    wire.write("12345")?;
                    let received = wire.response("POST")?;
                    whole(&received.response, 200, if query == "unread" { "not read" } else { "5 bytes" })?;
                    equal("the interim responses", received.interim.len(), 0)?;
                }
                Ok(())
            },
        },
        Case {
            name: "date-and-server",
            rules: &["G9"],
            needs: &[Need::Wire],
            application: |environ, start_response| {
                let own = [("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("server", "an application")];
                let headers: &[(&str, &str)] = if environ.query_string() == "own" { &own } else { &[] };
                start_response.start(200, headers)?;
                Ok("a".into())
            },
            client: |talk| {
                let response = talk.send(&talk.get("/"))?;
                let dates = response.values("date");
                let is_date = |date: &String| date.len() == 29 && date.ends_with(" GMT") && date.as_bytes()[3] == b',';
                expect(dates.len() == 1 && dates.iter().all(is_date), || format!("Date is {dates:?}"))?;
                equal("server", response.values("server"), [""; 0])?;
                let response = talk.send(&talk.get("/?own"))?;
                equal("date", response.values("date"), ["Thu, 01 Jan 1970 00:00:00 GMT"])?;
                equal("server", response.values("server"), ["an application"])
            },
        },
        Case {
            name: "http-1-0-closes",
            rules: &["F6", "G10"],
            needs: &[Need::Wire],
            application: |_, start_response| answer(start_response, "hello"),
            client: |talk| {
                let (received, mut wire) = talk.by_hand(format!("GET {}/ HTTP/1.0\r\n", talk.mount()), b"")?;
                whole(&received.response, 200, "hello")?;
                expect(wire.is_closed()?, || "the connection goes on".to_owned())?;
                let head = format!("GET {}/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", talk.mount());
                let (received, mut wire) = talk.by_hand(head, b"")?;
                whole(&received.response, 200, "hello")?;
                expect(wire.is_closed()?, || "the connection goes on, though it was to be closed".to_owned())
            },
        },
    ]
}

/// Sends larger and larger requests until one is refused, as it has to be in the end, with one of these statuses.
fn over_the_limit(talk: &Talk<'_>, statuses: &[u16], request: impl Fn(&Talk<'_>, usize) -> String) -> Result<()> {
    for size in (14..21).map(|power| 1 << power) {
        let talk = talk.again();
        let mut wire = talk.wire()?;
        let written = wire.write(request(&talk, size));
        let place = |error| within(&format!("{size} bytes"), &error);
        let status = match wire.response("GET") {
            Ok(received) => received.response.status.as_u16(),
            Err(error) => return Err(place(written.err().unwrap_or(error))),
        };
        if status != 200 {
            expect(statuses.contains(&status), || format!("{size} bytes: {status} and not one of {statuses:?}"))?;
            equal("whether the application was called", talk.notes()?.contains(&"called".to_owned()), false)?;
            return whole(&talk.send(&talk.get("/"))?, 200, "");
        }
    }
    Err("a megabyte was accepted".into())
}

/// A request that waits for 100 before it sends its body.
fn expecting(query: &str, version: &str, size: usize) -> String {
    format!(
        "POST $M/?{query} HTTP/{version}\r\nhost: localhost\r\n$Lexpect: 100-continue\r\ncontent-length: {size}\r\n\r\n"
    )
}

fn expects(mut environ: Environ, start_response: StartResponse) -> Result {
    match environ.query_string() {
        "unread" => answer(start_response, "not read"),
        "async" => answer_later(environ, start_response, |mut environ| async move {
            Ok(format!("{} bytes", environ.input_mut().read_bytes_async(1 << 20).await?.len()).into())
        }),
        _ => {
            let length = environ.input_mut().read_bytes(1 << 20)?.len();
            answer(start_response, format!("{length} bytes"))
        }
    }
}
