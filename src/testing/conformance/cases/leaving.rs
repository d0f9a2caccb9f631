//! A client that leaves: who is told, what is dropped, and when.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;

use crate::body::Body;
use crate::error::Result;
use crate::testing::conformance::kinds::answer;
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{count, equal, expect};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, StartResponse};

/// Makes a note when it is dropped.
struct Dropped(Notes);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

/// Notes, from a thread of its own, when the request is cancelled.
fn note_cancellation(environ: &Environ) {
    let (cancellation, notes) = (environ.cancellation(), Notes::of(environ));
    std::thread::spawn(move || notes.add(if is_cancelled(&cancellation) { "cancelled" } else { "never cancelled" }));
}

/// Asks again and again, as blocking code does between two steps.
fn is_cancelled(cancellation: &crate::Cancellation) -> bool {
    (0..1500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        cancellation.is_cancelled()
    })
}

/// A block, and then a wait for what never comes.
fn never_ends(mut environ: Environ, start_response: StartResponse) -> Result {
    let notes = Notes::of(&environ);
    notes.note_the_end(&mut environ);
    note_cancellation(&environ);
    start_response.start(200, [("content-type", "text/plain")])?;
    let guard = Dropped(notes.clone());
    let closed = notes.clone();
    let body = match environ.query_string() {
        "iterator" => Body::try_iter((0..).map(move |n| {
            let _kept = &guard;
            notes.add("pulled");
            match n {
                1 => notes.wait_for("go").map(|()| Bytes::from_static(b"second")),
                _ => Ok(Bytes::from_static(b"first")),
            }
        })),
        "stream" => Body::stream(stream::unfold((0, guard), |(n, guard)| async move {
            match n {
                0 => Some((Ok("first"), (1, guard))),
                _ => std::future::pending().await,
            }
        })),
        "future" => {
            let cancellation = environ.cancellation();
            let rest = stream::once(async move {
                cancellation.await;
                drop(guard);
                Err("the client has left".into())
            });
            Body::stream(futures::StreamExt::chain(stream::once(async { Ok("first") }), rest))
        }
        _ => {
            let (mut sender, body) = Body::channel(1);
            std::thread::spawn(move || {
                let _guard = guard;
                // The sender is told that nobody receives any more.
                while sender.blocking_send("first").is_ok() {}
            });
            body
        }
    };
    Ok(body.on_close(move || closed.add("closed")))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a-client-that-leaves-ends-the-response",
            rules: &["X8", "X9", "X10", "X11"],
            needs: &[Need::HangUp, Need::Blocks, Need::OneProcess, Need::Concurrency],
            application: never_ends,
            client: |talk| {
                for query in ["iterator", "stream", "future", "channel"] {
                    let talk = talk.again();
                    talk.leave_at_the_first_block(&talk.get(&format!("/?{query}")))?;
                    let notes = talk.wait_for("cancelled")?;
                    equal("the pulls", count(&notes, "pulled") <= 2, true)?;
                    if query == "iterator" {
                        talk.tell("go")?;
                    }
                    // A thread that sends learns of it at its next block, which may be after the end of the request.
                    talk.wait_for("finished")?;
                    let notes = talk.wait_for("dropped")?;
                    let place = || format!("{query}: {notes:?}");
                    expect(count(&notes, "closed") == 1, place)?;
                    expect(notes.iter().filter(|note| note.starts_with("finished")).count() == 1, place)?;
                    expect(notes.iter().any(|note| note.starts_with("finished Disconnected 200")), place)?;
                    // The pull that was running returned, and there was no other.
                    expect(count(&notes, "pulled") <= 2, place)?;
                }
                Ok(())
            },
        },
        Case {
            name: "an-endless-pause-ends-with-the-client",
            rules: &["F7", "X8", "X10"],
            needs: &[Need::HangUp, Need::Blocks, Need::OneProcess, Need::Concurrency],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                start_response.start(200, [("content-type", "text/plain")])?;
                let blocks = std::iter::once("a").chain(std::iter::repeat(""));
                let body = match environ.query_string() {
                    "iterator" => Body::iter(blocks),
                    _ => Body::stream(stream::iter(blocks.map(Ok))),
                };
                Ok(body.on_close(move || notes.add("closed")))
            },
            client: |talk| {
                for query in ["/?iterator", "/?stream"] {
                    let talk = talk.again();
                    talk.leave_at_the_first_block(&talk.get(query))?;
                    let notes = talk.wait_for_the_end()?;
                    equal("the times the body was closed", count(&notes, "closed"), 1)?;
                }
                Ok(())
            },
        },
        Case {
            name: "an-async-application-is-dropped-where-it-waits",
            rules: &["X10"],
            needs: &[Need::Wire, Need::HangUp, Need::OneProcess],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                let guard = Dropped(notes.clone());
                Ok(Body::deferred(async move {
                    let _kept = (guard, start_response);
                    notes.add("waiting");
                    std::future::pending().await
                }))
            },
            client: |talk| {
                let (mount, lines) = (talk.mount(), talk.lines());
                let mut wire = talk.wire()?;
                wire.write(format!("GET {mount}/ HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n"))?;
                talk.wait_for("waiting")?;
                drop(wire);
                talk.wait_for("dropped")?;
                let notes = talk.wait_for_the_end()?;
                expect(notes.iter().any(|note| note.starts_with("finished Disconnected")), || format!("{notes:?}"))
            },
        },
        Case {
            name: "a-blocking-call-runs-on-until-it-looks",
            rules: &["X10", "X11"],
            needs: &[Need::Wire, Need::HangUp, Need::OneProcess, Need::Concurrency],
            application: |mut environ, start_response| {
                let notes = Notes::of(&environ);
                notes.note_the_end(&mut environ);
                notes.add("called");
                let cancelled = is_cancelled(&environ.cancellation());
                notes.add(if cancelled { "cancelled" } else { "never cancelled" });
                let body = answer(start_response, "nobody reads this")?;
                Ok(body.on_close(move || notes.add("closed")))
            },
            client: |talk| {
                let (mount, lines) = (talk.mount(), talk.lines());
                let mut wire = talk.wire()?;
                wire.write(format!("GET {mount}/ HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n"))?;
                talk.wait_for("called")?;
                drop(wire);
                talk.wait_for("cancelled")?;
                let notes = talk.wait_for_the_end()?;
                equal("the times the body was closed", count(&notes, "closed"), 1)?;
                expect(notes.iter().any(|note| note.starts_with("finished Disconnected")), || format!("{notes:?}"))
            },
        },
        Case {
            name: "a-read-that-waits-learns-of-it",
            rules: &["X11", "I3"],
            needs: &[Need::Wire, Need::HangUp, Need::OneProcess, Need::Concurrency],
            application: |mut environ, start_response| {
                use std::io::Read;
                let notes = Notes::of(&environ);
                environ.input_mut().read_exact(&mut [0; 100_000])?;
                notes.add("waiting");
                let read = environ.input_mut().read(&mut [0; 10]);
                notes.add(if read.is_err() { "read failed" } else { "read something" });
                answer(start_response, "nobody reads this")
            },
            client: |talk| {
                let mount = talk.mount();
                for framing in ["content-length: 1000000\r\n\r\n", "transfer-encoding: chunked\r\n\r\n186a0\r\n"] {
                    let talk = talk.again();
                    let lines = talk.lines();
                    let mut wire = talk.wire()?;
                    wire.write(format!("POST {mount}/ HTTP/1.1\r\nhost: localhost\r\n{lines}{framing}"))?;
                    wire.write(vec![b'x'; 100_000])?;
                    talk.wait_for("waiting")?;
                    drop(wire);
                    let notes = talk.wait_for("read")?;
                    equal("what the reader noted", count(&notes, "read failed"), 1)?;
                }
                Ok(())
            },
        },
    ]
}
