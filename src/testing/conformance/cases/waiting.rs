//! Waits: those that end, which delay nobody else, and those that never would, which are errors.

use crate::body::Body;
use crate::error::Result;
use crate::testing::conformance::kinds::{answer, answer_later};
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{count, equal, expect, whole};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, StartResponse};

/// Waits, in the place that the request names, until it is told to go on.
fn waits(mut environ: Environ, start_response: StartResponse) -> Result {
    let notes = Notes::of(&environ);
    let wait = move || -> Result<&'static str> {
        notes.add("waiting");
        notes.wait_for("go").map(|()| "done")
    };
    match environ.query_string() {
        "in-call" => {
            let done = wait()?;
            answer(start_response, done)
        }
        "in-a-pull" => answer(start_response, Body::try_iter(std::iter::once_with(wait))),
        "in-a-late-pull" => {
            answer(start_response, Body::try_iter((0..2).map(move |n| if n == 0 { Ok("") } else { wait() })))
        }
        "in-a-drop" => Ok(answer(start_response, "done")?.on_close(move || drop(wait()))),
        "in-a-hook" => {
            environ.on_finished(move |_| drop(wait()));
            answer(start_response, "done")
        }
        _ => answer(start_response, "at once"),
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a-wait-delays-nobody-else",
            rules: &["G11"],
            needs: &[Need::OneProcess, Need::Concurrency],
            application: waits,
            client: |talk| {
                talk.each(["in-call", "in-a-pull", "in-a-late-pull", "in-a-drop", "in-a-hook"], |talk| {
                    let request = talk.get(&format!("/?{}", talk.variant()));
                    std::thread::scope(|scope| {
                        let waiting = [(); 6].map(|()| scope.spawn(|| talk.send(&request)));
                        let all = talk.wait_until(|notes| count(notes, "waiting") == waiting.len());
                        let others = (0..10).try_for_each(|_| whole(&talk.send(&talk.get("/"))?, 200, "at once"));
                        talk.tell("go")?;
                        for response in waiting {
                            whole(&response.join().map_err(|_| "the client panicked")??, 200, "done")?;
                        }
                        others.and(all.map(drop))
                    })
                })
            },
        },
        Case {
            name: "a-slow-upload-delays-nobody-else",
            rules: &["G11"],
            needs: &[Need::Wire, Need::Concurrency],
            application: |mut environ, start_response| {
                let length = match environ.method() == "POST" {
                    true => environ.input_mut().read_bytes(1 << 20)?.len(),
                    false => 0,
                };
                answer(start_response, format!("{length} bytes"))
            },
            client: |talk| {
                let (mount, lines) = (talk.mount(), talk.lines());
                let mut uploads = Vec::new();
                for sent in [0, 1, 10, 70_000, 100_000, 199_999] {
                    let mut wire = talk.wire()?;
                    wire.write(format!(
                        "POST {mount}/ HTTP/1.1\r\nhost: localhost\r\n{lines}content-length: 200000\r\n\r\n"
                    ))?;
                    wire.write(vec![b'x'; sent])?;
                    uploads.push((wire, 200_000 - sent));
                }
                for _ in 0..10 {
                    whole(&talk.send(&talk.get("/"))?, 200, "0 bytes")?;
                }
                for (mut wire, left) in uploads {
                    wire.write(vec![b'x'; left])?;
                    whole(&wire.response("POST")?.response, 200, "200000 bytes")?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-send-into-ones-own-full-channel",
            rules: &["X12"],
            needs: &[],
            application: |_, start_response| {
                // Nobody can empty the channel before this call has returned its body.
                let (mut sender, _body) = Body::channel(2);
                let error = (0..3).try_for_each(|_| sender.blocking_send("a")).err();
                answer(start_response, error.map_or("it was sent".to_owned(), |error| error.to_string()))
            },
            client: |talk| {
                let response = talk.send(&talk.get("/"))?;
                equal("the status", response.status.as_u16(), 200)?;
                let text = response.text();
                let names_a_cure = text.contains("another thread") || text.contains("larger");
                expect(names_a_cure, || format!("the error does not name the cure: {text:?}"))
            },
        },
        Case {
            name: "a-blocking-read-in-an-async-application",
            rules: &["X12"],
            needs: &[Need::UnknownLength],
            application: |environ, start_response| {
                answer_later(environ, start_response, |mut environ| async move {
                    // On the thread that receives the input it is an error; where it may wait it reads.
                    let read = environ.input_mut().read_bytes(1 << 20);
                    Ok(read.map_or_else(|error| error.to_string(), |bytes| format!("{} bytes", bytes.len())).into())
                })
            },
            client: |talk| {
                let response = talk.send(&talk.post("/").blocks((0..200).map(|_| vec![b'x'; 1000])))?;
                equal("the status", response.status.as_u16(), 200)?;
                let text = response.text();
                expect(text == "200000 bytes" || text.contains("read_bytes_async"), || {
                    format!("the read gave {text:?}")
                })
            },
        },
        Case {
            name: "an-async-application-that-is-woken-later",
            rules: &["S1", "M6"],
            needs: &[],
            application: |_, start_response| {
                let (sender, receiver) = futures::channel::oneshot::channel();
                // Woken from a thread that the gateway does not know.
                std::thread::spawn(move || sender.send("woken"));
                Ok(Body::deferred(async move {
                    let text = receiver.await?;
                    answer(start_response, text)
                }))
            },
            client: |talk| (0..20).try_for_each(|_| whole(&talk.send(&talk.get("/"))?, 200, "woken")),
        },
    ]
}
