//! The blocks of a body: whole, in order, one after the other, and no faster than the client reads.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream;

use crate::body::Body;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::testing::conformance::kinds::{CHANNEL, Script, answer};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{aborted, count, equal, error_response, expect, whole};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, StartResponse, middleware};

/// Blocks that an intermediary might take for something else.
const TRICKY: [&[u8]; 7] = [
    b"a\nb\r\n\0",
    b"Foo: Bar\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"\xef\xbb\xbf\xff\xfe",
    b"%41+%20",
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "blocks-arrive-byte-for-byte",
            rules: &["B1"],
            needs: &[],
            application: |environ, start_response| {
                let every = (0..=u8::MAX).collect::<Vec<_>>();
                Script::text(&environ).blocks(TRICKY).block(every).play(&environ, start_response)
            },
            client: |talk| {
                let wanted: Vec<u8> = TRICKY.iter().copied().flatten().copied().chain(0..=u8::MAX).collect();
                talk.each_kind(|talk| whole(&talk.send(&talk.get("/"))?, 200, &wanted))
            },
        },
        Case {
            name: "one-block-arrives-byte-for-byte",
            rules: &["B1"],
            needs: &[],
            application: |environ, start_response| {
                let row: usize = environ.query_string().parse()?;
                answer(start_response, *TRICKY.get(row).ok_or("there is no such row")?)
            },
            client: |talk| {
                TRICKY
                    .iter()
                    .enumerate()
                    .try_for_each(|(row, block)| whole(&talk.send(&talk.get(&format!("/?{row}")))?, 200, block))
            },
        },
        Case {
            name: "many-blocks-arrive-in-order",
            rules: &["B1"],
            needs: &[],
            application: |environ, start_response| {
                let blocks = (0..600).map(|n| format!("{n}\n"));
                Script::text(&environ).blocks(blocks).play(&environ, start_response)
            },
            client: |talk| {
                let wanted: String = (0..600).map(|n| format!("{n}\n")).collect();
                talk.each_kind(|talk| whole(&talk.send(&talk.get("/"))?, 200, &wanted))
            },
        },
        Case {
            name: "large-blocks-arrive",
            rules: &["B1"],
            needs: &[],
            application: |environ, start_response| match environ.query_string() {
                "one" => answer(start_response, large(3 << 20)),
                _ => Script::text(&environ).blocks([large(1 << 20), large(700_001)]).play(&environ, start_response),
            },
            client: |talk| {
                whole(&talk.send(&talk.get("/?one"))?, 200, large(3 << 20))?;
                let wanted = [large(1 << 20), large(700_001)].concat();
                talk.each_kind(|talk| whole(&talk.send(&talk.get("/"))?, 200, &wanted))
            },
        },
        Case {
            name: "a-file-is-a-body",
            rules: &["B1", "F1"],
            needs: &[],
            application: |environ, start_response| {
                let mut file = file_of(&large(100_000))?;
                let body = match environ.query_string() {
                    "all" => Body::file(file, ..),
                    "range" => Body::file(file, 5..70_005),
                    "end" => Body::file(file, 99_995..),
                    "past" => Body::file(file, 200_000..),
                    _ => {
                        // PEP 3333: the file is sent "beginning at the current position".
                        file.seek(SeekFrom::Start(5))?;
                        Body::from(file)
                    }
                };
                answer(start_response, body)
            },
            client: |talk| {
                let all = large(100_000);
                for (query, part) in [
                    ("all", &all[..]),
                    ("range", &all[5..70_005]),
                    ("end", &all[99_995..]),
                    ("past", &[]),
                    ("rest", &all[5..]),
                ] {
                    let response = talk.send(&talk.get(&format!("/?{query}")))?;
                    whole(&response, 200, part)?;
                    equal("content-length", response.header("content-length"), Some(part.len().to_string()))?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-file-that-shrinks",
            rules: &["F4", "X4", "G10"],
            needs: &[],
            application: |_, start_response| {
                let file = file_of(&large(4_000_000))?;
                let shrinking = file.try_clone()?;
                let body = Body::file(file, ..);
                shrinking.set_len(1000)?;
                answer(start_response, body)
            },
            client: |talk| aborted(&talk.send(&talk.get("/"))?, 200, &large(4_000_000)[..1000]),
        },
        Case {
            name: "no-block-waits-for-the-next",
            rules: &["B2"],
            needs: &[Need::Blocks, Need::OneProcess, Need::Concurrency],
            application: |environ, start_response| {
                let notes = Notes::of(&environ);
                start_response.start(200, [("content-type", "text/plain")])?;
                let first = Ok(Bytes::from_static(b"first"));
                Ok(match environ.query_string() {
                    "iterator" => Body::try_iter([first].into_iter().chain(std::iter::once_with(move || {
                        notes.wait_for("go").map(|()| Bytes::from_static(b"second"))
                    }))),
                    "stream" => Body::stream(stream::unfold(0, move |n| {
                        let notes = notes.clone();
                        async move {
                            match n {
                                0 => Some((Ok(Bytes::from_static(b"first")), 1)),
                                1 => Some((notes.wait_for_async("go").await.map(|()| "second".into()), 2)),
                                _ => None,
                            }
                        }
                    })),
                    _ => {
                        let (mut sender, body) = Body::channel(4);
                        std::thread::spawn(move || -> Result<()> {
                            sender.blocking_send("first")?;
                            notes.wait_for("go")?;
                            sender.blocking_send("second")?;
                            sender.finish()
                        });
                        body
                    }
                })
            },
            client: |talk| {
                for query in ["/?iterator", "/?stream", "/?channel"] {
                    let (talk, mut told) = (talk.again(), false);
                    let response = talk.watch(&talk.get(query), |body| {
                        if body.starts_with(b"first") && !told {
                            equal("the body so far", body.escape_ascii().to_string(), "first")?;
                            told = true;
                            talk.tell("go")?;
                        }
                        Ok(ControlFlow::Continue(()))
                    })?;
                    whole(&response, 200, "firstsecond")?;
                }
                Ok(())
            },
        },
        Case {
            name: "nobody-pulls-after-the-end",
            rules: &["B3"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                Notes::of(&environ).note_the_end(&mut environ);
                let inner = crate::app_fn(|environ, start_response| {
                    let script = Script::text(&environ).blocks(["a", "b"]);
                    let script = if environ.query_string() == "fails" { script.error("broken") } else { script };
                    script.play(&environ, start_response)
                });
                // Through everything that stands between an application and its gateway.
                let app = inner
                    .wrap(middleware::map_body(|body| body.map_chunks(|block| block)))
                    .wrap(middleware::map_body(|body| body.transform(|block| Ok(block.unwrap_or_default()))))
                    .wrap(middleware::map_response(|_| {
                        |head, body: Body| Ok((head, body.with_trailers(Default::default)))
                    }));
                app.call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    for query in ["/", "/?fails"] {
                        let talk = talk.again();
                        talk.send(&talk.get(query))?;
                        let notes = talk.wait_for_the_end()?;
                        equal("the pulls after the end", count(&notes, "pulled after the end"), 0)?;
                        equal("the times the body was closed", count(&notes, "closed"), 1)?;
                    }
                    Ok(())
                })
            },
        },
        Case {
            name: "a-replaced-body-is-closed-first",
            rules: &["B4", "X7"],
            needs: &[Need::OneProcess],
            application: |mut environ, start_response| {
                Notes::of(&environ).note_the_end(&mut environ);
                let inner = crate::app_fn(|environ, start_response| {
                    Script::text(&environ).blocks(["a", "b"]).play(&environ, start_response)
                });
                let replaced = middleware::map_response(|_| |_, _| Ok((Head::new(203), Body::from("replaced"))));
                inner.wrap(replaced).call(environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    whole(&talk.send(&talk.get("/"))?, 203, "replaced")?;
                    let notes = talk.wait_for_the_end()?;
                    equal("the times the body was closed", count(&notes, "closed"), 1)?;
                    let (closed, finished) = (position(&notes, "closed"), position(&notes, "finished"));
                    expect(closed < finished, || format!("the body was closed late: {notes:?}"))?;
                    // It was pulled until its head was committed, and then no more.
                    let pulled = count(&notes, "pulled");
                    expect(talk.kind() == CHANNEL || pulled <= 1, || format!("it was pulled {pulled} times"))
                })
            },
        },
        Case {
            name: "a-slow-client-holds-the-body-back",
            rules: &["B6"],
            needs: &[Need::Blocks, Need::OneProcess, Need::Concurrency, Need::HangUp],
            application: |environ, start_response| {
                let (notes, block) = (Notes::of(&environ), large(1 << 20));
                let mut made = 0;
                let blocks = std::iter::from_fn(move || {
                    made += 1;
                    notes.add("pulled");
                    (made <= ENDLESS).then(|| block.clone())
                });
                start_response.start(200, [("content-type", "text/plain")])?;
                Ok(match environ.query_string() {
                    "iterator" => Body::iter(blocks),
                    "stream" => Body::stream(stream::iter(blocks.map(Ok::<_, Error>))),
                    _ => {
                        let (mut sender, body) = Body::channel(4);
                        std::thread::spawn(move || -> Result<()> {
                            for block in blocks {
                                sender.blocking_send(block)?;
                            }
                            sender.finish()
                        });
                        body
                    }
                })
            },
            client: |talk| {
                for query in ["/?iterator", "/?stream", "/?channel"] {
                    let talk = talk.again();
                    talk.watch(&talk.get(query), |_| {
                        // The client does not read meanwhile. Buffers of the system count for the gateway.
                        for _ in 0..30 {
                            let pulled = count(&talk.notes()?, "pulled");
                            expect(pulled <= ENDLESS / 4, || format!("{pulled} MiB were pulled ahead of the client"))?;
                            std::thread::sleep(std::time::Duration::from_millis(5));
                        }
                        Ok(ControlFlow::Break(()))
                    })?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-sender-that-is-dropped",
            rules: &["B7", "G10"],
            needs: &[],
            application: |environ, start_response| {
                let (mut sender, body) = Body::channel(4);
                start_response.start(200, [("content-type", "text/plain")])?;
                if environ.query_string() == "late" {
                    sender.blocking_send("some")?;
                }
                drop(sender);
                Ok(body)
            },
            client: |talk| {
                aborted(&talk.send(&talk.get("/?late"))?, 200, "some")?;
                error_response(&talk.send(&talk.get("/?early"))?, 500)
            },
        },
        Case {
            name: "a-sender-writes",
            rules: &["B1", "B7"],
            needs: &[],
            application: |environ, start_response| {
                let (sender, body) = Body::channel(2);
                let is_async = environ.query_string() == "async";
                start_response.start(200, [("content-type", "text/plain")])?;
                std::thread::spawn(move || match is_async {
                    true => write_async(sender),
                    false => write(sender),
                });
                Ok(body)
            },
            client: |talk| {
                let wanted: String = (0..100).map(|n| format!("{n},")).collect();
                whole(&talk.send(&talk.get("/?blocking"))?, 200, &wanted)?;
                whole(&talk.send(&talk.get("/?async"))?, 200, &wanted)
            },
        },
        Case {
            name: "response-trailers",
            rules: &["H3", "B1"],
            needs: &[Need::ResponseTrailers],
            application: with_trailers,
            client: |talk| {
                talk.each_kind(|talk| {
                    let request = talk.get("/").header("te", "trailers").header("connection", "te");
                    let response = talk.send(&request)?;
                    whole(&response, 200, "ab")?;
                    equal("x-sum in the head", response.header("x-sum"), None)?;
                    let sum = response.trailers.get("x-sum").map(|sum| sum.as_bytes().escape_ascii().to_string());
                    equal("x-sum after the body", sum.as_deref(), Some("2"))
                })
            },
        },
    ]
}

/// As many blocks of 1 MiB as no gateway takes ahead of a client that does not read.
const ENDLESS: usize = 400;

fn position(notes: &[String], beginning: &str) -> Option<usize> {
    notes.iter().position(|note| note.starts_with(beginning))
}

/// Bytes of which no two parts are alike.
fn large(length: usize) -> Bytes {
    (0..length).map(|n| (n * 31 + n / 251 * 7) as u8).collect()
}

/// A file with these bytes, at its beginning, which nobody else can find.
fn file_of(bytes: &[u8]) -> Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("vestibule-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    // Where an open file cannot be removed it stays behind.
    let _ = std::fs::remove_file(&path);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn write(mut sender: crate::Sender) -> Result<()> {
    for n in 0..100 {
        write!(sender, "{n},")?;
    }
    sender.finish()
}

fn write_async(mut sender: crate::Sender) -> Result<()> {
    let sending = Box::pin(async move {
        for n in 0..100 {
            sender.send(format!("{n},")).await?;
        }
        sender.finish()
    });
    // A body is polled by whoever pulls it, so it can drive any future to its end.
    Body::deferred(async move { sending.await.map(|()| Body::empty()) })
        .into_iter()
        .try_for_each(|block| block.map(drop))
}

fn with_trailers(environ: Environ, start_response: StartResponse) -> Result {
    let head = Head::new(200).header("content-type", "text/plain").header("trailer", "x-sum");
    let body = Script::new(&environ, head).blocks(["a", "b"]).play(&environ, start_response)?;
    Ok(body.with_trailers(|| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", 2.into());
        trailers
    }))
}
