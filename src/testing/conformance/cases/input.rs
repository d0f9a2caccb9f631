//! The request body: whole, in pieces, of unknown length, cut short, over its limit.

use std::io::{BufRead, Read};

use bytes::Bytes;
use http::header::HeaderMap;

use crate::body::Body;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::testing::conformance::described::describe;
use crate::testing::conformance::kinds::{answer, answer_later};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{Talk, VARIANT, equal, error_response, expect, whole, within};
use crate::testing::conformance::{Case, Need, Request};
use crate::{Environ, StartResponse};

/// A way to read the whole input on a thread that may wait.
type Way = (&'static str, fn(&mut Environ) -> Result<Vec<u8>>);

const WAYS: [Way; 9] = [
    ("read_to_end", |environ| {
        let mut bytes = Vec::new();
        environ.input_mut().read_to_end(&mut bytes)?;
        Ok(bytes)
    }),
    ("read_bytes", |environ| Ok(environ.input_mut().read_bytes(1 << 24)?.into())),
    ("in-a-loop", |environ| in_a_loop(environ.input_mut(), 4096)),
    ("by-seven", |environ| in_a_loop(environ.input_mut(), 7)),
    ("read-3-then-the-rest", |environ| {
        let mut bytes = Vec::new();
        environ.input_mut().take(3).read_to_end(&mut bytes)?;
        environ.input_mut().read_to_end(&mut bytes)?;
        Ok(bytes)
    }),
    ("by-lines", |environ| {
        let mut bytes = Vec::new();
        while environ.input_mut().read_until(b'\n', &mut bytes)? > 0 {}
        Ok(bytes)
    }),
    ("on-another-thread", |environ| {
        let mut input = environ.take_input();
        let reading = std::thread::spawn(move || in_a_loop(&mut input, 1024));
        reading.join().map_err(|_| "the thread panicked")?
    }),
    ("by-two-handles", |environ| {
        let (mut other, mut bytes) = (environ.duplicate(), Vec::new());
        for part in 3.. {
            let mut buffer = vec![0; part];
            let first = environ.input_mut().read(&mut buffer)?;
            bytes.extend_from_slice(&buffer[..first]);
            let second = other.input_mut().read(&mut buffer[1..])?;
            bytes.extend_from_slice(&buffer[1..=second]);
            if first + second == 0 {
                break;
            }
        }
        Ok(bytes)
    }),
    ("with-a-look-ahead", |environ| {
        let mut other = environ.duplicate();
        let seen = environ.input_mut().fill_buf()?.to_vec();
        // A look is no read: the other handle gets the same bytes.
        let bytes = other.input_mut().read_bytes(1 << 24)?;
        match bytes.starts_with(&seen) {
            true => Ok(bytes.into()),
            false => Err("what fill_buf showed was lost".into()),
        }
    }),
];

/// The ways that await.
const ASYNC_WAYS: [&str; 2] = ["read_bytes_async", "as-a-stream"];

fn in_a_loop(input: &mut Input, most: usize) -> Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; most]);
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(bytes),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Gives back what it reads, in the way that the request asks for.
fn echo(mut environ: Environ, start_response: StartResponse) -> Result {
    let variant = environ.headers().get(VARIANT).map_or(&b""[..], |way| way.as_bytes());
    match variant {
        b"read_bytes_async" => answer_later(environ, start_response, |mut environ| async move {
            Ok(environ.input_mut().read_bytes_async(1 << 24).await?.into())
        }),
        b"as-a-stream" => answer_later(environ, start_response, |mut environ| async move {
            let (mut input, mut bytes) = (environ.take_input(), Vec::new());
            while let Some(block) = futures::StreamExt::next(&mut input).await {
                bytes.extend_from_slice(&block?);
            }
            Ok(bytes.into())
        }),
        _ => {
            let way = WAYS.iter().find(|(name, _)| name.as_bytes() == variant).ok_or("there is no such way to read")?;
            let bytes = (way.1)(&mut environ)?;
            answer(start_response, bytes)
        }
    }
}

/// Every byte value, many lines, no two parts alike.
fn sample(length: usize) -> Bytes {
    (0..length).map(|n| (n * 7 + n / 256 * 13) as u8).collect()
}

/// Checks each way to read with a request of each of these bodies.
fn echoes(talk: &Talk<'_>, sizes: &[usize], request: impl Fn(&Talk<'_>, Bytes) -> Request) -> Result<()> {
    let ways = WAYS.iter().map(|(name, _)| *name).chain(ASYNC_WAYS);
    talk.each(ways, |talk| {
        sizes.iter().try_for_each(|&size| {
            let response = talk.send(&request(talk, sample(size)))?;
            whole(&response, 200, sample(size)).map_err(|error| within(&format!("{size} bytes"), &error))
        })
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "the-input-is-read-whole",
            rules: &["I1", "I4"],
            needs: &[],
            application: echo,
            client: |talk| echoes(talk, &[0, 1, 14, 96_000], |talk, body| talk.post("/").body(body)),
        },
        Case {
            name: "a-large-input",
            rules: &["I1", "I4"],
            needs: &[],
            application: |mut environ, start_response| {
                let (mut buffer, mut length, mut sum) = (vec![0; 10_000], 0_u64, 0_u64);
                loop {
                    match environ.input_mut().read(&mut buffer)? {
                        0 => return answer(start_response, format!("{length} {sum}")),
                        n => {
                            length += n as u64;
                            sum = buffer[..n]
                                .iter()
                                .fold(sum, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                        }
                    }
                }
            },
            client: |talk| {
                let body = sample(4 << 20);
                let sum = body.iter().fold(0_u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                whole(&talk.send(&talk.post("/").body(body))?, 200, format!("{} {sum}", 4 << 20))
            },
        },
        Case {
            name: "no-input-is-at-its-end",
            rules: &["I1"],
            needs: &[],
            application: echo,
            client: |talk| echoes(talk, &[0], |talk, _| talk.get("/")),
        },
        Case {
            name: "the-end-of-the-input-comes-again",
            rules: &["I1"],
            needs: &[],
            application: |mut environ, start_response| {
                let input = environ.input_mut();
                let text = input.read_text(100)?;
                let mut ends = Vec::new();
                for _ in 0..3 {
                    ends.push(input.read(&mut [0; 10])?);
                    ends.push(input.read_bytes(10)?.len());
                    ends.push(input.fill_buf()?.len());
                }
                answer(start_response, format!("{text} {ends:?}"))
            },
            client: |talk| {
                let wanted = "12345 [0, 0, 0, 0, 0, 0, 0, 0, 0]";
                whole(&talk.send(&talk.post("/").body("12345"))?, 200, wanted)
            },
        },
        Case {
            name: "lines-keep-their-ends",
            rules: &["I4"],
            needs: &[],
            application: |mut environ, start_response| {
                let (mut lines, mut line) = (Vec::new(), String::new());
                while environ.input_mut().read_line(&mut line)? > 0 {
                    lines.push(std::mem::take(&mut line));
                }
                answer(start_response, format!("{lines:?}"))
            },
            client: |talk| {
                let response = talk.send(&talk.post("/").body("one\ntwo\r\n\nlast"))?;
                whole(&response, 200, r#"["one\n", "two\r\n", "\n", "last"]"#)
            },
        },
        Case {
            name: "the-input-need-not-be-read",
            rules: &["I1"],
            needs: &[],
            application: |_, start_response| answer(start_response, "not read"),
            client: |talk| {
                for size in [10, 1000, 60_000, 1_000_000] {
                    whole(&talk.send(&talk.post("/").body(sample(size)))?, 200, "not read")?;
                }
                whole(&talk.send(&talk.get("/"))?, 200, "not read")
            },
        },
        Case {
            name: "an-input-of-unknown-length",
            rules: &["I2", "I4"],
            needs: &[Need::UnknownLength],
            application: echo,
            client: |talk| {
                echoes(talk, &[0, 14, 96_000], |talk, body| {
                    talk.post("/").blocks(body.chunks(1000).map(Bytes::copy_from_slice))
                })
            },
        },
        Case {
            name: "an-unknown-length-is-not-declared",
            rules: &["I2", "E7", "E9"],
            needs: &[Need::UnknownLength],
            application: describe,
            client: |talk| {
                let seen = talk.describe(&talk.post("/").blocks(["12", "345"]))?;
                seen.lacks("CONTENT_LENGTH")?;
                seen.lacks("HTTP_TRANSFER_ENCODING")
            },
        },
        Case {
            name: "request-trailers-stay-apart",
            rules: &["I2"],
            needs: &[Need::UnknownLength, Need::RequestTrailers],
            application: |mut environ, start_response| {
                let text = environ.input_mut().read_text(100)?;
                let name = |trailers: HeaderMap| trailers.contains_key("x-sum");
                let among_trailers = environ.input().trailers().is_none_or(name);
                let among_headers = environ.headers().contains_key("x-sum") || environ.var("HTTP_X_SUM").is_some();
                answer(start_response, format!("{text} {among_trailers} {among_headers}"))
            },
            client: |talk| {
                let request = talk.post("/").blocks(["12", "345"]).trailer("x-sum", "15");
                whole(&talk.send(&request)?, 200, "12345 true false")
            },
        },
        Case {
            name: "a-small-input-that-is-cut-short",
            rules: &["I3"],
            needs: &[Need::ShortBody, Need::OneProcess],
            application: reads_and_notes,
            client: |talk| {
                talk.send(&talk.post("/").body("12345").promising(10))?;
                // Either the gateway saw it before it called the application, or the application sees it.
                match talk.look_briefly_for("called")? {
                    None => Ok(()),
                    Some(_) => no_clean_end(talk),
                }
            },
        },
        Case {
            name: "a-large-input-that-is-cut-short",
            rules: &["I3", "X11"],
            needs: &[Need::ShortBody, Need::OneProcess],
            application: reads_and_notes,
            client: |talk| {
                talk.send(&talk.post("/").body(sample(200_000)).promising(1_000_000))?;
                // Too large to be kept back, so somebody is told.
                talk.wait_for("called")?;
                no_clean_end(talk)
            },
        },
        Case {
            name: "the-request-after-one-that-is-cut-short",
            rules: &["I3", "X6"],
            needs: &[Need::ShortBody],
            application: |mut environ, start_response| {
                let text = environ.input_mut().read_text(100)?;
                answer(start_response, text)
            },
            client: |talk| {
                for _ in 0..3 {
                    talk.send(&talk.post("/").body("12345").promising(10))?;
                    whole(&talk.send(&talk.post("/").body("whole"))?, 200, "whole")?;
                }
                Ok(())
            },
        },
        Case {
            name: "the-input-over-its-limit",
            rules: &["I5", "X2"],
            needs: &[],
            application: |mut environ, start_response| {
                let limit = environ.query_string().to_owned();
                let input = environ.input_mut();
                let text = match &*limit {
                    "read_text" => input.read_text(10)?,
                    "read_to_string" => {
                        input.limit_whole_reads(10);
                        std::io::read_to_string(input)?
                    }
                    _ => String::from_utf8_lossy(&input.read_bytes(10)?).into_owned(),
                };
                answer(start_response, text)
            },
            client: |talk| {
                for way in ["/?read_bytes", "/?read_text", "/?read_to_string"] {
                    whole(&talk.send(&talk.post(way).body("1234567890"))?, 200, "1234567890")?;
                    error_response(&talk.send(&talk.post(way).body("12345678901"))?, 413)?;
                    if talk.supports(Need::UnknownLength) {
                        error_response(&talk.send(&talk.post(way).blocks(["1234567890", "1"]))?, 413)?;
                    }
                }
                Ok(())
            },
        },
        Case {
            name: "a-whole-read-stops-at-16-mib",
            rules: &["I5"],
            needs: &[],
            application: |mut environ, start_response| {
                // So much need not travel to be too much.
                environ.set_input(Input::reader(std::io::repeat(b'x').take((16 << 20) + 1)));
                let error = environ.input_mut().read_to_end(&mut Vec::new()).err();
                let status = error.and_then(|error| Error::from(error).status());
                environ.set_input(Body::from(vec![b'x'; 16 << 20]));
                let read = environ.input_mut().read_to_end(&mut Vec::new())?;
                answer(start_response, format!("{status:?} {read}"))
            },
            client: |talk| whole(&talk.send(&talk.get("/"))?, 200, "Some(413) 16777216"),
        },
        Case {
            name: "one-request-after-the-other",
            rules: &["I1"],
            needs: &[Need::Wire],
            application: |mut environ, start_response| {
                let mut text = String::from_utf8(in_a_loop(environ.input_mut(), 100)?)?;
                text.push_str(environ.query_string());
                answer(start_response, text)
            },
            client: |talk| {
                let (mount, lines) = (talk.mount(), talk.lines());
                let mut wire = talk.wire()?;
                let head = |query: &str| format!("POST {mount}/?{query} HTTP/1.1\r\nhost: localhost\r\n{lines}");
                // All at once, so that the bytes of each request lie behind those of the one before.
                wire.write(format!(
                    "{}content-length: 5\r\n\r\nfirst{}transfer-encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\n{}\r\n{}content-length: 4\r\n\r\nlast",
                    head("a"), head("b"), head("c"), head("d"),
                ))?;
                for wanted in ["firsta", "secondb", "c", "lastd"] {
                    whole(&wire.response("POST")?.response, 200, wanted)?;
                }
                wire.write(format!("{}content-length: 5\r\n\r\nlater", head("e")))?;
                whole(&wire.response("POST")?.response, 200, "latere")
            },
        },
        Case {
            name: "many-requests-at-once",
            rules: &["I1"],
            needs: &[Need::Wire],
            application: |environ, start_response| {
                let number = environ.query_string().to_owned();
                match number.parse::<u32>()? % 2 {
                    0 => answer(start_response, number),
                    _ => answer(start_response, Body::iter([number, String::new()])),
                }
            },
            client: |talk| {
                let (mount, lines) = (talk.mount(), talk.lines());
                let head = |number: u32| format!("GET {mount}/?{number} HTTP/1.1\r\nhost: localhost\r\n{lines}");
                let mut wire = talk.wire()?;
                let requests: Vec<String> = (0..16).map(|number| format!("{}\r\n", head(number))).collect();
                // The last one closes the connection, behind all that was asked for before it.
                wire.write(format!("{}{}connection: close\r\n\r\n{}\r\n", requests.concat(), head(16), head(17)))?;
                for number in 0..=16 {
                    whole(&wire.response("GET")?.response, 200, number.to_string())?;
                }
                expect(wire.is_closed()?, || "the connection goes on, though it was to be closed".to_owned())
            },
        },
        Case {
            name: "a-malformed-chunk",
            rules: &["I3", "G6"],
            needs: &[Need::Wire, Need::OneProcess],
            application: reads_and_notes,
            client: |talk| {
                for chunks in ["5\r\n12345\r\nzz\r\n", "5\r\n123456\r\n0\r\n\r\n", "-1\r\n\r\n", "\r\n0\r\n\r\n"] {
                    let talk = talk.again();
                    let head =
                        format!("POST {}/ HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n", talk.mount());
                    let response = talk.by_hand(head, chunks.as_bytes())?.0.response;
                    equal("the status", response.status.as_u16(), 400).map_err(|error| within(chunks, &error))?;
                    if talk.notes()?.contains(&"called".to_owned()) {
                        no_clean_end(&talk)?;
                    }
                }
                Ok(())
            },
        },
    ]
}

/// Reads the input and notes how that ended.
fn reads_and_notes(mut environ: Environ, start_response: StartResponse) -> Result {
    let notes = Notes::of(&environ);
    notes.add("called");
    match in_a_loop(environ.input_mut(), 1000) {
        Ok(bytes) => {
            notes.add(format!("read to a clean end after {} bytes", bytes.len()));
            answer(start_response, "")
        }
        Err(error) => {
            notes.add(format!("read failed: {error}"));
            Err(error)
        }
    }
}

fn no_clean_end(talk: &Talk<'_>) -> Result<()> {
    let notes = talk.wait_for("read")?;
    expect(notes.iter().any(|note| note.starts_with("read failed")), || format!("the application noted {notes:?}"))
}
