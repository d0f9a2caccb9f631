//! `Input`: data, the clean end and an error are three results, however it is read; rules I1 to I5.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use std::io::{self, BufRead, ErrorKind, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use futures::{Stream, StreamExt, stream};
use harness::play::{Yield, temporary_file};
use harness::{ends, get};
use proptest::prelude::*;
use vestibule::testing::TestServer;
use vestibule::{Body, Bytes, Environ, Error, Input, Result, app_fn};

/// An input whose blocks come one by one, with a wait before each.
fn slow(blocks: &[&str]) -> Input {
    let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    Input::stream(stream::iter(blocks).then(|block| async {
        Yield::default().await;
        Ok(block)
    }))
}

type Way = fn(&mut Input) -> Result<Vec<u8>>;

/// All ways to read the rest of an input.
fn ways() -> [(&'static str, Way); 8] {
    [
        ("read", |input| {
            let (mut all, mut buffer) = (Vec::new(), [0; 3]);
            loop {
                match input.read(&mut buffer)? {
                    0 => return Ok(all),
                    n => all.extend_from_slice(&buffer[..n]),
                }
            }
        }),
        ("read_to_end", |input| {
            let mut all = Vec::new();
            input.read_to_end(&mut all)?;
            Ok(all)
        }),
        ("read_to_string", |input| {
            let mut all = String::new();
            input.read_to_string(&mut all)?;
            Ok(all.into())
        }),
        ("read_bytes", |input| Ok(input.read_bytes(u64::MAX)?.to_vec())),
        ("fill_buf", |input| {
            let mut all = Vec::new();
            loop {
                let shown = input.fill_buf()?;
                if shown.is_empty() {
                    return Ok(all);
                }
                let n = shown.len().min(2);
                all.extend_from_slice(&shown[..n]);
                input.consume(n);
            }
        }),
        ("read_line", |input| {
            let mut all = String::new();
            while input.read_line(&mut all)? > 0 {}
            Ok(all.into())
        }),
        ("read_bytes_async", |input| Ok(block_on(input.read_bytes_async(u64::MAX))?.to_vec())),
        ("stream", |input| {
            block_on(async {
                let mut all = Vec::new();
                while let Some(block) = input.next().await {
                    all.extend_from_slice(&block?);
                }
                Ok(all)
            })
        }),
    ]
}

#[test]
fn every_way_reads_every_kind_and_ends_again_and_again() {
    type Make = fn() -> Input;
    let makes: [(&str, Make); 9] = [
        ("text", || "one\ntwo".into()),
        ("bytes", || Bytes::from_static(b"one\ntwo").into()),
        ("slow", || slow(&["on", "", "e\nt", "wo"])),
        ("reader", || Input::reader(io::Cursor::new("one\ntwo"))),
        ("file", || temporary_file(b"one\ntwo").into()),
        ("body", || Body::iter(["one", "\n", "two"]).into()),
        ("with its length", || slow(&["one\n", "two"]).with_length(7)),
        ("cut", || slow(&["one\n", "twothree"]).with_length(7)),
        ("shared", || Environ::from(http::Request::new("one\ntwo")).duplicate().take_input()),
    ];
    for (kind, make) in makes {
        for (way, read) in ways() {
            let mut input = make();
            assert_eq!(read(&mut input).unwrap(), b"one\ntwo", "{kind} by {way}");
            for (again, read) in ways() {
                assert_eq!(read(&mut input).unwrap(), b"", "{kind} by {way}, then {again}");
            }
            assert_eq!(input.len(), Some(0), "{kind} by {way}");
        }
    }
}

#[test]
fn nothing_is_an_end_at_once() {
    for (way, read) in ways() {
        assert_eq!(read(&mut Input::empty()).unwrap(), b"", "{way}");
        assert_eq!(read(&mut Input::default()).unwrap(), b"", "{way}");
        assert_eq!(read(&mut Input::from(())).unwrap(), b"", "{way}");
        assert_eq!(read(&mut "never".into()).unwrap(), b"never", "{way}");
        // Where nothing is to come, nothing is waited for.
        let nothing = ends(move || read(&mut Input::stream(stream::pending::<Result<&str>>()).with_length(0)).unwrap());
        assert_eq!(nothing, b"", "{way}");
    }
}

#[test]
fn all_promised_bytes_are_an_end_whatever_the_source_does_afterwards() {
    for (way, read) in ways() {
        let all = ends(move || {
            let blocks = stream::iter([Ok("12"), Ok("345")]).chain(stream::pending::<Result<&str>>());
            read(&mut Input::stream(blocks).with_length(5)).unwrap()
        });
        assert_eq!(all, b"12345", "{way}");
        let failing = stream::iter([Ok("12345"), Err("too late to matter".into())]);
        assert_eq!(read(&mut Input::stream(failing).with_length(5)).unwrap(), b"12345", "{way}");
    }
}

#[test]
fn a_cut_body_is_never_a_short_one() {
    for (way, read) in ways() {
        for blocks in [&[][..], &["12"], &["12", "34"]] {
            let mut input = slow(blocks).with_length(5);
            let got: usize = blocks.iter().map(|block| block.len()).sum();
            let text = format!("the request body ended after {got} bytes of 5");
            for time in 1..=3 {
                let error = read(&mut input).unwrap_err();
                assert_eq!(error.to_string(), text, "{way}, time {time}");
                assert_eq!((error.status().unwrap().as_u16(), error.is_client()), (400, true), "{way}, time {time}");
                assert_eq!(io::Error::from(error).kind(), ErrorKind::UnexpectedEof, "{way}, time {time}");
            }
        }
    }
}

#[test]
fn what_came_before_the_cut_can_be_read() {
    let mut input = slow(&["12"]).with_length(5);
    let mut buffer = [0; 5];
    assert_eq!(input.read(&mut buffer).unwrap(), 2);
    assert_eq!(input.read(&mut buffer).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(input.read(&mut buffer).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn errors_of_the_source_repeat_with_their_status() {
    let make = || Error::with_status(408, "too slow");
    for (way, read) in ways() {
        let mut input = Input::stream(stream::iter([Ok("12"), Err(make())]));
        for time in 1..=3 {
            let error = read(&mut input).unwrap_err();
            assert!(error.to_string().contains("too slow"), "{way}, time {time}: {error}");
            assert_eq!(error.status().unwrap(), 408, "{way}, time {time}");
        }
    }
    // An error of somebody else: whatever status it has, it is the same one at the second read.
    for (way, read) in ways() {
        let failing = || io::Error::new(ErrorKind::ConnectionReset, "reset by peer");
        let mut input = Input::stream(stream::iter([Ok("12"), Err(failing().into())]));
        let (first, second) = (read(&mut input).unwrap_err(), read(&mut input).unwrap_err());
        assert!(second.to_string().contains("reset by peer"), "{way}: {second}");
        assert_eq!(first.status(), second.status(), "{way}");
        assert_eq!(first.is_client(), second.is_client(), "{way}");
    }
}

#[test]
fn the_length_is_what_is_left() {
    let mut input = Input::from("12345");
    assert_eq!(input.len(), Some(5));
    input.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(input.len(), Some(3));
    assert_eq!(slow(&["1"]).len(), None);
    let mut declared = slow(&["123", "45"]).with_length(5);
    assert_eq!(declared.len(), Some(5));
    declared.read_exact(&mut [0; 4]).unwrap();
    assert_eq!(declared.len(), Some(1));
    assert!(format!("{declared:?}").contains("len: Some(1)"));
}

/// A length that is declared late or too small ends the input there; it does not panic.
#[test]
fn a_length_may_be_declared_after_some_bytes_were_read() {
    for length in 0..6 {
        let mut input = slow(&["123", "45"]);
        input.read_exact(&mut [0; 3]).unwrap();
        let mut input = input.with_length(length);
        let mut rest = Vec::new();
        // Whether it counts from here or from the beginning, no byte comes twice and nothing panics.
        let _ = input.read_to_end(&mut rest);
        assert!(b"45".starts_with(&rest[..]), "{length}: {rest:?}");
    }
}

#[test]
fn a_length_may_be_declared_of_a_shared_input() {
    let mut environ = Environ::from(http::Request::new("12345"));
    let second = environ.duplicate();
    let mut input = environ.take_input().with_length(5);
    let mut all = String::new();
    input.read_to_string(&mut all).unwrap();
    assert_eq!(all, "12345", "the bytes are not lost");
    drop(second);
}

#[test]
fn limits_hold_at_the_last_byte() {
    for limit in [0u64, 1, 5, 100] {
        for (more, fits) in [(0, true), (1, false)] {
            let size = (limit + more) as usize;
            let text = "x".repeat(size);
            let makes: [fn(&str) -> Input; 3] = [
                |text| text.to_owned().into(),
                |text| Input::reader(io::Cursor::new(text.to_owned())),
                |text| slow(&text.split("").collect::<Vec<_>>()),
            ];
            for make in makes {
                let results = [
                    make(&text).read_bytes(limit).map(|bytes| bytes.len()),
                    make(&text).read_text(limit).map(|text| text.len()),
                    block_on(make(&text).read_bytes_async(limit)).map(|bytes| bytes.len()),
                    block_on(make(&text).read_text_async(limit)).map(|text| text.len()),
                    limited(make(&text), limit, |input| input.read_to_end(&mut Vec::new())),
                    limited(make(&text), limit, |input| input.read_to_string(&mut String::new())),
                    limited(make(&text), limit, |input| input.read_line(&mut String::new())),
                    limited(make(&text), limit, |input| input.read_until(b'!', &mut Vec::new())),
                ];
                for (number, result) in results.into_iter().enumerate() {
                    match fits {
                        true => assert_eq!(result.unwrap(), size, "way {number}, {size} of {limit}"),
                        false => {
                            let error = result.unwrap_err();
                            assert_eq!(error.status().unwrap(), 413, "way {number}, {size} of {limit}");
                            assert_eq!(error.to_string(), format!("the request body is longer than {limit} bytes"));
                            assert!(error.is_client());
                        }
                    }
                }
            }
        }
    }
}

fn limited(mut input: Input, limit: u64, read: impl FnOnce(&mut Input) -> io::Result<usize>) -> Result<usize> {
    input.limit_whole_reads(limit);
    Ok(read(&mut input)?)
}

#[test]
fn whole_reads_stop_at_16_mib_unless_told_otherwise() {
    const LIMIT: usize = 16 * 1024 * 1024;
    let input = |size: usize| Input::reader(io::repeat(b'x').take(size as u64));
    let reads: [fn(&mut Input) -> io::Result<usize>; 3] = [
        |input| input.read_to_end(&mut Vec::new()),
        |input| input.read_to_string(&mut String::new()),
        |input| input.read_line(&mut String::new()),
    ];
    for (number, read) in reads.into_iter().enumerate() {
        assert_eq!(read(&mut input(LIMIT - 1)).unwrap(), LIMIT - 1, "way {number}");
        assert_eq!(read(&mut input(LIMIT)).unwrap(), LIMIT, "way {number}");
        let error = Error::from(read(&mut input(LIMIT + 1)).unwrap_err());
        assert_eq!(error.status().unwrap(), 413, "way {number}");
        let mut raised = input(LIMIT + 1);
        raised.limit_whole_reads(u64::MAX);
        assert_eq!(read(&mut raised).unwrap(), LIMIT + 1, "way {number}");
    }
}

#[test]
fn a_limit_is_refused_before_anything_is_read_where_the_length_is_known() {
    let mut input = Input::stream(stream::once(async { panic!("nobody asked") as Result<&str> })).with_length(10);
    assert_eq!(input.read_bytes(9).unwrap_err().status().unwrap(), 413);
    assert_eq!(input.len(), Some(10));
}

#[test]
fn what_was_over_a_limit_can_still_be_read_in_pieces() {
    let mut input = slow(&["123", "456", "789"]);
    assert!(input.read_bytes(5).is_err());
    let mut rest = Vec::new();
    input.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"123456789");
}

#[test]
fn text_that_is_not_utf_8_is_a_400() {
    for (way, read) in [
        ("read_text", (|input| input.read_text(9).map(drop)) as fn(&mut Input) -> Result<()>),
        ("read_text_async", |input| block_on(input.read_text_async(9)).map(drop)),
        ("read_to_string", |input| {
            let _ = input.read_to_string(&mut String::new())?;
            Ok(())
        }),
        ("read_line", |input| {
            let _ = input.read_line(&mut String::new())?;
            Ok(())
        }),
    ] {
        let error = read(&mut Input::from(&b"caf\xe9"[..])).unwrap_err();
        assert_eq!((error.status().unwrap().as_u16(), error.is_client()), (400, true), "{way}");
    }
}

#[test]
fn lines_keep_their_ends() {
    let mut input = slow(&["one\r", "\ntw", "o\n\nthree"]);
    let mut line = String::new();
    for expected in ["one\r\n", "two\n", "\n", "three", "", ""] {
        line.clear();
        assert_eq!(input.read_line(&mut line).unwrap(), expected.len());
        assert_eq!(line, expected);
    }
    let lines: Vec<_> = slow(&["a\nb", "\nc"]).lines().map(io::Result::unwrap).collect();
    assert_eq!(lines, ["a", "b", "c"]);
}

#[test]
fn a_read_future_that_is_dropped_loses_nothing() {
    let mut input = slow(&["123", "456", "789"]);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let mut reading = Box::pin(input.read_bytes_async(99));
        assert!(reading.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(block_on(input.read_bytes_async(99)).unwrap(), "123456789");
}

#[test]
fn a_read_into_nothing_reads_nothing() {
    let mut input = Input::from("1");
    assert_eq!(input.read(&mut []).unwrap(), 0);
    assert_eq!(input.read(&mut [0; 9]).unwrap(), 1);
}

#[test]
fn consuming_more_than_was_shown_is_no_more_than_was_shown() {
    let mut input = slow(&["123", "456"]);
    assert_eq!(input.fill_buf().unwrap(), b"123");
    input.consume(99);
    assert_eq!(input.fill_buf().unwrap(), b"456");
    input.consume(1);
    input.consume(1);
    assert_eq!(input.fill_buf().unwrap(), b"6");
}

#[test]
fn trailers_are_there_once_the_end_was_read() {
    let trailers = || [(http::header::ETAG, "\"x\"".parse().unwrap())].into_iter().collect::<http::HeaderMap>();
    for (way, read) in ways() {
        for length in [None, Some(2)] {
            let mut input = Input::from(Body::iter(["a", "b"]).with_trailers(trailers));
            if let Some(length) = length {
                input = input.with_length(length);
            }
            assert_eq!(input.trailers(), None, "{way}");
            assert_eq!(read(&mut input).unwrap(), b"ab", "{way}");
            if length.is_none() {
                assert_eq!(input.trailers().unwrap()["etag"], "\"x\"", "{way}");
                assert_eq!(input.trailers().unwrap()["etag"], "\"x\"", "{way}: they stay");
            }
        }
    }
    assert_eq!(Input::from("ab").trailers(), None);
}

#[test]
fn an_application_reads_trailers() {
    let app = app_fn(|mut environ, start_response| {
        let text = environ.input_mut().read_text(99)?;
        let trailers = environ.input().trailers().unwrap_or_default();
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(format!("{text} {:?} {}", trailers.get("x-sum"), environ.headers().contains_key("x-sum")).into())
    });
    let trailers = [(http::HeaderName::from_static("x-sum"), "7".parse().unwrap())].into_iter().collect();
    let response = TestServer::new(app).post("/").body_with_trailers("body", trailers).send();
    assert_eq!(response.text(), "body Some(\"7\") false", "trailers stay apart from the headers");
}

/// One read by one of two handles of the same input.
#[derive(Debug, Clone)]
enum Read_ {
    Read(usize),
    Fill(usize),
    Line,
    Poll,
    Whole,
}

fn reads() -> impl Strategy<Value = Vec<(bool, Read_)>> {
    let one = prop_oneof![
        4 => (1usize..6).prop_map(Read_::Read),
        4 => (0usize..6).prop_map(Read_::Fill),
        2 => Just(Read_::Line),
        3 => Just(Read_::Poll),
        1 => Just(Read_::Whole),
    ];
    proptest::collection::vec((any::<bool>(), one), 0..24)
}

fn read_once(input: &mut Input, read: &Read_) -> Vec<u8> {
    match read {
        Read_::Read(size) => {
            let mut buffer = vec![0; *size];
            let n = input.read(&mut buffer).unwrap();
            buffer.truncate(n);
            buffer
        }
        Read_::Fill(most) => {
            let shown = input.fill_buf().unwrap();
            let taken = shown[..shown.len().min(*most)].to_vec();
            input.consume(taken.len());
            taken
        }
        Read_::Line => {
            let mut line = Vec::new();
            input.read_until(b'\n', &mut line).unwrap();
            line
        }
        Read_::Poll => match Pin::new(input).poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(block)) => block.unwrap().to_vec(),
            Poll::Ready(None) | Poll::Pending => Vec::new(),
        },
        Read_::Whole => input.read_bytes(u64::MAX).unwrap().to_vec(),
    }
}

proptest! {
    /// Whatever two handles do in turn, each byte comes once and in its order.
    #[test]
    fn two_handles_lose_no_byte_and_read_none_twice(
        blocks in proptest::collection::vec("[a-z\n]{0,5}", 0..8),
        reads in reads(),
    ) {
        let whole = blocks.concat();
        let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
        let mut first = Environ::from(http::Request::new(()));
        first.set_input(slow(&blocks));
        let mut second = first.duplicate();
        let mut got = Vec::new();
        for (is_first, read) in &reads {
            let input = if *is_first { first.input_mut() } else { second.input_mut() };
            got.extend(read_once(input, read));
        }
        got.extend(read_once(second.input_mut(), &Read_::Whole));
        prop_assert_eq!(String::from_utf8(got).unwrap(), whole);
    }

    /// Where one handle reads between another's look and its consume, no byte is lost.
    #[test]
    fn a_look_between_two_reads_loses_nothing(text in "[a-z]{1,20}", looked in 0usize..9, other in 0usize..9) {
        let mut first = Environ::from(http::Request::new(text.clone()));
        let mut second = first.duplicate();
        let shown = first.input_mut().fill_buf().unwrap().to_vec();
        let mut buffer = vec![0; other];
        let n = second.input_mut().read(&mut buffer).unwrap();
        first.input_mut().consume(looked);
        let rest = first.input_mut().read_bytes(99).unwrap();
        let consumed = looked.min(shown.len());
        prop_assert_eq!(&rest[..], &text.as_bytes()[consumed.max(n)..]);
    }
}

/// Rule I4 has no exception for threads: a line that one handle reads, the other does not.
#[test]
fn two_threads_that_read_lines_share_them() {
    let lines: Vec<String> = (0..20_000).map(|number| format!("{number}\n")).collect();
    let mut first = Environ::from(http::Request::new(()));
    first.set_input(Input::stream(stream::iter(lines.clone().into_iter().map(Ok))));
    let mut second = first.duplicate();
    let got: Arc<Mutex<Vec<String>>> = Arc::default();
    std::thread::scope(|scope| {
        for environ in [&mut first, &mut second] {
            let got = Arc::clone(&got);
            scope.spawn(move || {
                let mut line = String::new();
                while environ.input_mut().read_line(&mut line).unwrap() > 0 {
                    got.lock().unwrap().push(std::mem::take(&mut line));
                }
            });
        }
    });
    let mut got = got.lock().unwrap().concat().lines().map(|line| line.to_owned() + "\n").collect::<Vec<_>>();
    assert_eq!(got.len(), lines.len());
    got.sort_by_key(|line| line.trim().parse::<u32>().unwrap());
    assert!(got == lines, "each line once");
}

#[test]
fn a_thread_that_waits_is_woken_when_the_other_handle_makes_bytes_come() {
    let total = ends(|| {
        let (mut sender, body) = Body::channel(1);
        let mut first = Environ::from(http::Request::new(()));
        first.set_input(body);
        let mut second = first.duplicate();
        let sending = std::thread::spawn(move || {
            for _ in 0..500 {
                sender.blocking_send("block")?;
            }
            sender.finish()
        });
        let counts: Vec<_> = [first.take_input(), second.take_input()]
            .into_iter()
            .map(|mut input| {
                std::thread::spawn(move || {
                    let (mut count, mut buffer) = (0, [0; 5]);
                    loop {
                        match input.read(&mut buffer).unwrap() {
                            0 => return count,
                            n => count += n,
                        }
                    }
                })
            })
            .collect();
        let total: usize = counts.into_iter().map(|thread| thread.join().unwrap()).sum();
        let _ = sending.join().unwrap();
        total
    });
    assert_eq!(total, 2500);
}

#[test]
fn taking_the_input_leaves_an_empty_one() {
    let mut environ = Environ::from(get());
    environ.set_input("new");
    assert_eq!(environ.take_input().read_text(9).unwrap(), "new");
    assert_eq!(environ.input_mut().read_text(9).unwrap(), "");
}

#[test]
fn an_input_of_every_kind_reaches_the_application() {
    let app = app_fn(|mut environ, start_response| {
        let length = environ.content_length();
        let text = environ.input_mut().read_text(9_999)?;
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(format!("{length:?} {text}").into())
    });
    let server = TestServer::new(app);
    assert_eq!(server.post("/").send().text(), "None ");
    assert_eq!(server.post("/").body("text").send().text(), "Some(4) text");
    assert_eq!(server.post("/").body(slow(&["sl", "ow"])).send().text(), "None slow");
    assert_eq!(server.post("/").body(Input::reader(&b"read"[..])).send().text(), "None read");
    assert_eq!(server.post("/").body(temporary_file(b"file")).send().text(), "Some(4) file");
    let cut = server.post("/").promising(10).body("cut").send();
    assert_eq!(cut.status(), 400);
    assert!(cut.errors().contains("ended after 3 bytes of 10"), "{}", cut.errors());
}
