//! `Body`: every kind, constructor and combinator, pulled by a thread and as a stream.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt, stream};
use harness::play::{Yield, temporary_file};
use harness::{Drops, ends};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use vestibule::{Body, Bytes, Environ, Error, Exchange, Result, Step, app_fn};

/// The blocks, pulled by this thread.
fn blocks(body: Body) -> Result<Vec<Bytes>> {
    body.into_iter().collect()
}

/// The blocks, polled as a stream.
fn streamed(body: Body) -> Result<Vec<Bytes>> {
    block_on(body.try_collect())
}

/// The same body twice, with what it must give.
fn check(what: &str, make: impl Fn() -> Body, len: Option<u64>, expected: &[&str]) {
    assert_eq!(make().len(), len, "{what}: length");
    for (how, pull) in [("blocking", blocks as fn(Body) -> Result<Vec<Bytes>>), ("async", streamed)] {
        let got = pull(make()).unwrap();
        let full: Vec<_> = got.iter().filter(|block| !block.is_empty()).collect();
        assert_eq!(full, expected, "{what}, {how}");
    }
}

fn pushed(items: &'static [&'static str]) -> Body {
    let (mut sender, body) = Body::channel(1);
    std::thread::spawn(move || {
        for item in items {
            sender.blocking_send(*item)?;
        }
        sender.finish()
    });
    body
}

#[test]
fn every_kind_is_pulled_both_ways() {
    check("empty", Body::empty, Some(0), &[]);
    check("default", Body::default, Some(0), &[]);
    check("unit", || ().into(), Some(0), &[]);
    check("text", || "abc".into(), Some(3), &["abc"]);
    check("bytes", || b"abc"[..].into(), Some(3), &["abc"]);
    check("array", || b"abc".into(), Some(3), &["abc"]);
    check("borrowed", || Cow::Borrowed("abc").into(), Some(3), &["abc"]);
    check("owned", || Cow::<str>::Owned("abc".to_owned()).into(), Some(3), &["abc"]);
    check("String", || "abc".to_owned().into(), Some(3), &["abc"]);
    check("Vec", || b"abc".to_vec().into(), Some(3), &["abc"]);
    check("Bytes", || Bytes::from_static(b"abc").into(), Some(3), &["abc"]);
    check("iter", || Body::iter(["a", "", "b"]), None, &["a", "b"]);
    check("iter of nothing", || Body::iter([""; 0]), None, &[]);
    check("try_iter", || Body::try_iter([Ok("a"), Ok("b")]), None, &["a", "b"]);
    check("stream", || Body::stream(stream::iter([Ok("a"), Ok(""), Ok("b")])), None, &["a", "b"]);
    check("deferred", || Body::deferred(async { Ok("late".into()) }), None, &["late"]);
    check("deferred iterator", || Body::deferred(async { Ok(Body::iter(["a", "b"])) }), None, &["a", "b"]);
    check("deferred twice", || Body::deferred(async { Ok(Body::deferred(async { Ok("x".into()) })) }), None, &["x"]);
    check("channel", || pushed(&["a", "", "b", "c"]), None, &["a", "b", "c"]);
    check("file", || temporary_file(b"0123456789").into(), Some(10), &["0123456789"]);
    check("file range", || Body::file(temporary_file(b"0123456789"), 2..5), Some(3), &["234"]);
}

#[test]
fn a_body_that_waits_is_waited_for() {
    let waits = || {
        Body::stream(stream::unfold(0, |number| async move {
            Yield::default().await;
            (number < 3).then(|| (Ok(number.to_string()), number + 1))
        }))
    };
    check("a stream that yields", waits, None, &["0", "1", "2"]);
    let later = || {
        Body::deferred(async {
            Yield::default().await;
            Ok("later".into())
        })
    };
    check("a future that yields", later, None, &["later"]);
}

#[test]
fn nothing_is_copied_that_is_in_memory() {
    let bytes = Bytes::from(vec![1; 1000]);
    let body = Body::from(bytes.clone());
    assert_eq!(blocks(body).unwrap()[0].as_ptr(), bytes.as_ptr());
    let text = "x".repeat(100);
    let at = text.as_ptr();
    assert_eq!(blocks(text.into()).unwrap()[0].as_ptr(), at);
}

#[test]
fn a_body_ends_once_and_stays_ended() {
    let bodies: [fn() -> Body; 5] = [
        || "a".into(),
        || Body::iter(["a"]),
        || Body::stream(stream::iter([Ok("a")])),
        || pushed(&["a"]),
        || temporary_file(b"a").into(),
    ];
    for make in bodies {
        let mut pulled = make().into_iter();
        assert_eq!(pulled.next().unwrap().unwrap(), "a");
        assert!(pulled.next().is_none() && pulled.next().is_none() && pulled.next().is_none());
        let mut polled = make();
        block_on(async {
            assert_eq!(polled.next().await.unwrap().unwrap(), "a");
            assert!(polled.next().await.is_none() && polled.next().await.is_none());
        });
    }
}

#[test]
fn an_error_ends_the_body() {
    let bodies: [fn() -> Body; 5] = [
        || Body::try_iter([Ok("a"), Err("x".into()), Ok("never")]),
        || Body::stream(stream::iter([Ok("a"), Err("x".into()), Ok("never")])),
        || {
            let mut first = true;
            Body::iter(["a", "b"]).transform(move |_| match std::mem::take(&mut first) {
                true => Ok("a".into()),
                false => Err("x".into()),
            })
        },
        || Body::try_iter([Ok("a"), Err("x".into()), Ok("never")]).map_chunks(|block| block),
        || {
            let (mut sender, body) = Body::channel(3);
            sender.blocking_send("a").unwrap();
            body
        },
    ];
    for make in bodies {
        let mut pulled = make().into_iter();
        assert_eq!(pulled.next().unwrap().unwrap(), "a");
        assert!(pulled.next().unwrap().is_err());
        assert!(pulled.next().is_none());
        let mut polled = make();
        block_on(async {
            assert!(polled.next().await.unwrap().is_ok());
            assert!(polled.next().await.unwrap().is_err());
            assert!(polled.next().await.is_none());
        });
    }
    let mut failed = Body::deferred(async { Err("no".into()) }).into_iter();
    assert_eq!(failed.next().unwrap().unwrap_err().to_string(), "no");
    assert!(failed.next().is_none());
}

#[test]
fn what_a_body_is_made_of_is_dropped_at_its_end_or_with_it() {
    for pulls in 0..3 {
        let drops = Drops::default();
        let makes: [Box<dyn Fn(harness::Probe) -> Body>; 4] = [
            Box::new(|probe| Body::iter(["a", "b"].into_iter().inspect(move |_| probe.stays()))),
            Box::new(|probe| Body::stream(stream::iter(["a", "b"]).map(move |block| (&probe, Ok(block)).1))),
            Box::new(|probe| Body::deferred(async move { (&probe, Ok("a".into())).1 })),
            Box::new(|probe| Body::iter(["a", "b"]).on_close(move || drop(probe))),
        ];
        for (number, make) in makes.into_iter().enumerate() {
            let mut pulled = make(drops.probe()).into_iter();
            for _ in 0..pulls {
                pulled.next();
            }
            drop(pulled);
            assert_eq!(drops.all(), number + 1, "after {pulls} pulls");
        }
    }
}

/// How many descriptors of this process are open on `file`'s inode.
#[cfg(target_os = "linux")]
fn open_on(inode: u64) -> usize {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().metadata().is_ok_and(|data| data.ino() == inode)).count()
}

#[cfg(target_os = "linux")]
#[test]
fn files_close_on_drop() {
    use std::os::unix::fs::MetadataExt;
    let big = vec![b'x'; 200_000];
    for pulls in [0, 1, 10] {
        let file = temporary_file(&big);
        let inode = file.metadata().unwrap().ino();
        let mut pulled = Body::file(file, ..).map_chunks(|block| block).into_iter();
        assert_eq!(open_on(inode), 1);
        for _ in 0..pulls {
            pulled.next();
        }
        drop(pulled);
        assert_eq!(open_on(inode), 0, "after {pulls} pulls");
    }
}

fn rest_of(body: Body) -> String {
    String::from_utf8(blocks(body).unwrap().concat()).unwrap()
}

#[test]
fn file_ranges_are_cut_at_the_end_of_the_file() {
    let file = || temporary_file(b"0123456789");
    assert_eq!(rest_of(Body::file(file(), ..)), "0123456789");
    assert_eq!(rest_of(Body::file(file(), 0..0)), "");
    assert_eq!(rest_of(Body::file(file(), 3..)), "3456789");
    assert_eq!(rest_of(Body::file(file(), ..3)), "012");
    assert_eq!(rest_of(Body::file(file(), 3..=5)), "345");
    assert_eq!(rest_of(Body::file(file(), 9..10)), "9");
    assert_eq!(rest_of(Body::file(file(), 9..11)), "9");
    assert_eq!(rest_of(Body::file(file(), ..=u64::MAX)), "0123456789");
    for start in [10, 11, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, u64::MAX] {
        let body = Body::file(file(), start..);
        assert_eq!((body.len(), rest_of(body).as_str()), (Some(0), ""), "from {start}");
        let body = Body::file(file(), start..=u64::MAX);
        assert_eq!((body.len(), rest_of(body).as_str()), (Some(0), ""), "from {start}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a client may ask for one")]
    let reversed = Body::file(file(), 5..2);
    assert_eq!((reversed.len(), rest_of(reversed).as_str()), (Some(0), ""));
    let bounds = (std::ops::Bound::Excluded(2), std::ops::Bound::Included(4));
    assert_eq!(rest_of(Body::file(file(), bounds)), "34");
}

#[test]
fn a_range_counts_from_the_beginning_and_a_file_alone_from_where_it_stands() {
    let mut file = temporary_file(b"0123456789");
    file.seek(SeekFrom::Start(5)).unwrap();
    let body = Body::from(file.try_clone().unwrap());
    assert_eq!((body.len(), rest_of(body).as_str()), (Some(5), "56789"));
    file.seek(SeekFrom::Start(5)).unwrap();
    assert_eq!(rest_of(Body::file(file, 2..4)), "23");
    let mut file = temporary_file(b"0123456789");
    file.seek(SeekFrom::Start(99)).unwrap();
    assert_eq!(Body::from(file).len(), Some(0));
}

/// `Body::file` sends its own range, wherever the file's cursor stands: also where a clone of the handle moves it.
#[test]
fn two_bodies_of_one_file_do_not_disturb_each_other() {
    let content: Vec<u8> = (0..300_000_u32).map(|number| (number / 1000) as u8).collect();
    let mut file = temporary_file(&content);
    let mut one = Body::file(file.try_clone().unwrap(), ..).into_iter();
    let mut two = Body::file(file.try_clone().unwrap(), 100_000..).into_iter();
    let (mut got_one, mut got_two) = (Vec::new(), Vec::new());
    loop {
        let (a, b) = (one.next(), two.next());
        file.seek(SeekFrom::Start(7)).unwrap();
        if a.is_none() && b.is_none() {
            break;
        }
        got_one.extend(a.transpose().unwrap().unwrap_or_default());
        got_two.extend(b.transpose().unwrap().unwrap_or_default());
    }
    assert!(got_one == content, "the first body is not the file: {} bytes", got_one.len());
    assert!(got_two == content[100_000..], "the second body is not its range: {} bytes", got_two.len());
}

#[test]
fn a_file_that_shrinks_fails_and_one_that_grows_does_not_matter() {
    for to in [0, 1, 99_999] {
        let file = temporary_file(&vec![b'x'; 100_000]);
        let body = Body::file(file.try_clone().unwrap(), ..);
        file.set_len(to).unwrap();
        let error = blocks(body).unwrap_err();
        let text = format!("the file ended {} bytes early", 100_000 - to);
        assert!(error.to_string().contains(&text), "{error}");
        assert!(error.is_application());
    }
    let mut file = temporary_file(b"01234");
    let body = Body::file(file.try_clone().unwrap(), ..);
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"56789").unwrap();
    assert_eq!(rest_of(body), "01234");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_sent_with_an_unknown_length() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"through a pipe").unwrap();
    drop(writer);
    let body = Body::from(File::from(std::os::fd::OwnedFd::from(reader)));
    assert_eq!((body.len(), rest_of(body).as_str()), (None, "through a pipe"));
    let directory = File::open(std::env::temp_dir()).unwrap();
    assert!(blocks(directory.into()).is_err(), "a directory has no bytes");
}

#[test]
fn map_chunks_changes_each_block() {
    let upper = |block: Bytes| Bytes::from(block.to_ascii_uppercase());
    check("full", || Body::from("abc").map_chunks(upper), Some(3), &["ABC"]);
    check("iter", || Body::iter(["a", "", "b"]).map_chunks(upper), None, &["A", "B"]);
    check("longer", || Body::from("abc").map_chunks(|_| "longer".into()), Some(6), &["longer"]);
    check("to nothing", || Body::iter(["a", "b"]).map_chunks(|_| Bytes::new()), None, &[]);
    check("file", || Body::from(temporary_file(b"abc")).map_chunks(upper), None, &["ABC"]);
    // An empty block is no data, so it is not changed; it goes on (PEP 3333, Middleware Handling of Block Boundaries).
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let body = Body::iter(["a", "", "b"]).map_chunks(move |block| {
        counted.fetch_add(1, Ordering::SeqCst);
        block
    });
    assert_eq!(blocks(body).unwrap(), ["a", "", "b"]);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn transform_sees_each_block_and_then_the_end() {
    let bracket = || {
        |block: Option<Bytes>| {
            Ok(Bytes::from(block.map_or("!".to_owned(), |block| format!("<{}>", String::from_utf8_lossy(&block)))))
        }
    };
    check("full", || Body::from("abc").transform(bracket()), Some(6), &["<abc>!"]);
    check("empty", || Body::empty().transform(bracket()), Some(1), &["!"]);
    check("iter", || Body::iter(["a", "", "b"]).transform(bracket()), None, &["<a>", "<b>", "!"]);
    check("stream", || Body::stream(stream::iter([Ok("a"), Ok("b")])).transform(bracket()), None, &["<a>", "<b>", "!"]);
    check("channel", || pushed(&["a", "b"]).transform(bracket()), None, &["<a>", "<b>", "!"]);
    check("deferred", || Body::deferred(async { Ok("a".into()) }).transform(bracket()), None, &["<a>", "!"]);
    check("twice", || Body::iter(["a"]).transform(bracket()).transform(bracket()), None, &["<<a>>", "<!>", "!"]);
    let error = blocks(Body::from("abc").transform(|_| Err("bad".into()))).unwrap_err();
    assert_eq!(error.to_string(), "bad");
    let error =
        blocks(Body::iter(["a"]).transform(|block| block.ok_or_else(|| Error::from("at the end")))).unwrap_err();
    assert_eq!(error.to_string(), "at the end");
}

proptest! {
    /// However the blocks are cut, a transform that only buffers gives the same bytes.
    #[test]
    fn a_buffering_transform_loses_nothing(items in proptest::collection::vec("[a-c]{0,4}", 0..12), size in 1usize..6) {
        let whole = items.concat();
        let mut held = Vec::new();
        let buffering = move |block: Option<Bytes>| {
            let Some(block) = block else { return Ok(Bytes::from(std::mem::take(&mut held))) };
            held.extend_from_slice(&block);
            Ok(if held.len() >= size { std::mem::take(&mut held).into() } else { Bytes::new() })
        };
        let out = blocks(Body::iter(items).transform(buffering)).unwrap();
        prop_assert_eq!(out.concat(), whole.as_bytes());
    }
}

/// A combinator keeps the mode of what it wraps: a blocking body is not pulled on the reactor, an async one needs no thread.
#[test]
fn combinators_keep_the_mode() {
    type Wrap = fn(Body) -> Body;
    let wraps: [(&str, Wrap); 6] = [
        ("bare", |body| body),
        ("map_chunks", |body| body.map_chunks(|block| block)),
        ("transform", |body| body.transform(|block| Ok(block.unwrap_or_default()))),
        ("on_close", |body| body.on_close(|| {})),
        ("with_trailers", |body| body.with_trailers(HeaderMap::new)),
        ("all", |body| {
            body.map_chunks(|b| b)
                .transform(|b| Ok(b.unwrap_or_default()))
                .on_close(|| {})
                .with_trailers(HeaderMap::new)
        }),
    ];
    type Make = fn() -> Body;
    let makes: [(&str, Make, bool); 6] = [
        ("text", || "abc".into(), false),
        ("iter", || Body::iter(["a"]), true),
        ("file", || temporary_file(b"a").into(), true),
        ("stream", || Body::stream(stream::iter([Ok("a")])), false),
        ("channel", || pushed(&["a"]), false),
        ("deferred", || Body::deferred(async { Ok("a".into()) }), false),
    ];
    for (wrap_name, wrap) in wraps {
        for (name, make, needs_thread) in makes {
            let app = app_fn(move |_, start_response| {
                start_response.start(200, ())?;
                Ok(wrap(make()))
            });
            let mut exchange = Exchange::new(&app.nonblocking(), Environ::from(http::Request::new(())));
            let step = loop {
                match exchange.poll_step(&mut Context::from_waker(Waker::noop()), false) {
                    Poll::Pending => std::thread::yield_now(),
                    Poll::Ready(step) => break step,
                }
            };
            assert_eq!(matches!(step, Step::NeedsThread), needs_thread, "{name} in {wrap_name}: {step:?}");
        }
    }
}

type Notes = Arc<Mutex<Vec<&'static str>>>;

fn noting(notes: &Notes, text: &'static str) -> impl FnOnce() + Send + 'static {
    let notes = Arc::clone(notes);
    move || notes.lock().unwrap().push(text)
}

#[test]
fn on_close_runs_once_innermost_first() {
    type Make = fn() -> Body;
    let makes: [Make; 4] =
        [|| "abc".into(), Body::empty, || Body::iter(["a", "b"]), || Body::stream(stream::iter([Ok("a")]))];
    for make in makes {
        for pulls in 0..4 {
            let notes = Notes::default();
            let body = make().on_close(noting(&notes, "inner")).map_chunks(|b| b).on_close(noting(&notes, "outer"));
            let mut pulled = body.into_iter();
            for _ in 0..pulls {
                pulled.next();
            }
            drop(pulled);
            assert_eq!(*notes.lock().unwrap(), ["inner", "outer"], "after {pulls} pulls");
        }
    }
    assert_eq!(Body::from("abc").on_close(|| {}).len(), Some(3), "the length stays known");
}

/// PEP 3333 calls `close()` at the end of the request: not while there are blocks to send.
#[test]
fn what_is_inside_a_transform_is_closed_after_its_last_block() {
    let notes = Notes::default();
    let body = Body::iter(["a"])
        .on_close(noting(&notes, "closed"))
        .transform(|block| Ok(block.unwrap_or(Bytes::from_static(b"the rest"))));
    let mut pulled = body.into_iter();
    assert_eq!(pulled.next().unwrap().unwrap(), "a");
    let last = pulled.find(|block| !block.as_ref().unwrap().is_empty()).unwrap().unwrap();
    assert_eq!(last, "the rest");
    let closed = notes.lock().unwrap().len();
    assert_eq!(closed, 0, "it was closed before its last block was there");
    drop(pulled);
    assert_eq!(*notes.lock().unwrap(), ["closed"]);
}

fn field(name: &'static str, value: &'static str) -> HeaderMap {
    [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
}

#[test]
fn trailers_are_made_after_the_last_block() {
    let made = Arc::new(AtomicBool::new(false));
    let making = Arc::clone(&made);
    let app = app_fn(move |_, start_response| {
        start_response.start(200, ())?;
        let making = Arc::clone(&making);
        let body = Body::iter(["a", "b"]).with_trailers(|| field("x-inner", "1")).map_chunks(|block| block);
        let body = body.transform(|block| Ok(block.unwrap_or_else(|| "!".into())));
        Ok(body.with_trailers(move || {
            making.store(true, Ordering::SeqCst);
            field("x-outer", "2")
        }))
    });
    let mut exchange = Exchange::new(&app, Environ::from(http::Request::new(())));
    let mut cx = Context::from_waker(Waker::noop());
    let mut text = Vec::new();
    let trailers = loop {
        match exchange.poll_step(&mut cx, true) {
            Poll::Ready(Step::Head(_)) => {}
            Poll::Ready(Step::Block(block)) => {
                assert!(!made.load(Ordering::SeqCst));
                text.extend(block);
            }
            Poll::Ready(Step::Trailers(trailers)) => break trailers,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(text, b"ab!");
    assert_eq!((&trailers["x-inner"], &trailers["x-outer"]), (&"1".parse().unwrap(), &"2".parse().unwrap()));
    assert!(matches!(exchange.poll_step(&mut cx, true), Poll::Ready(Step::End)));
    assert_eq!(Body::from("abc").with_trailers(HeaderMap::new).len(), Some(3));
    assert_eq!(rest_of(Body::from("abc").with_trailers(HeaderMap::new)), "abc", "who pulls blocks gets blocks");
}

#[test]
fn a_channel_is_bounded() {
    for bound in [0, 1, 3] {
        let room = bound.max(1);
        let (mut sender, body) = Body::channel(bound);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..room {
            assert!(Pin::new(&mut Box::pin(sender.send("block"))).poll(&mut cx).is_ready());
        }
        assert!(Pin::new(&mut Box::pin(sender.send("too much"))).poll(&mut cx).is_pending(), "{bound}");
        let mut pulled = body.into_iter();
        pulled.next().unwrap().unwrap();
        assert!(Pin::new(&mut Box::pin(sender.send("fits"))).poll(&mut cx).is_ready());
        assert!(Pin::new(&mut Box::pin(sender.send(""))).poll(&mut cx).is_ready(), "nothing needs no room");
        sender.finish().unwrap();
        assert_eq!(pulled.count(), room);
    }
}

#[test]
fn a_blocked_sender_goes_on_when_there_is_room() {
    let received = ends(|| {
        let (mut sender, body) = Body::channel(1);
        let sending = std::thread::spawn(move || {
            for number in 0..1000_u32 {
                sender.blocking_send(number.to_string())?;
            }
            sender.finish()
        });
        let received = blocks(body).unwrap();
        sending.join().unwrap().unwrap();
        received
    });
    assert_eq!(received.len(), 1000);
    assert_eq!(received[999], "999");
}

#[test]
fn a_sender_that_is_dropped_unfinished_fails_the_body() {
    let (mut sender, body) = Body::channel(4);
    sender.blocking_send("half").unwrap();
    drop(sender);
    let mut pulled = body.into_iter();
    assert_eq!(pulled.next().unwrap().unwrap(), "half", "what was sent arrives");
    let error = pulled.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the sender of the body was dropped without finish()");
    assert!(error.is_application());
    // A thread that waits for the body is woken by it.
    ends(|| {
        let (sender, body) = Body::channel(4);
        let (waiting, ready) = mpsc::channel();
        let puller = std::thread::spawn(move || {
            waiting.send(()).unwrap();
            blocks(body)
        });
        ready.recv().unwrap();
        drop(sender);
        assert!(puller.join().unwrap().is_err());
    });
}

#[test]
fn a_sender_is_a_writer() {
    let (mut sender, body) = Body::channel(8);
    write!(sender, "{}-{}", 1, 2).unwrap();
    sender.flush().unwrap();
    assert_eq!(sender.write(b"").unwrap(), 0);
    let mut buffered = std::io::BufWriter::new(sender);
    buffered.write_all(b"buf").unwrap();
    buffered.write_all(b"fered").unwrap();
    buffered.into_inner().unwrap().finish().unwrap();
    assert_eq!(rest_of(body), "1-2buffered");
}

#[test]
fn a_sender_whose_body_is_gone_says_so() {
    let (mut sender, body) = Body::channel(1);
    drop(body);
    let error = sender.blocking_send("x").unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_client()), ("the client left", true));
    assert_eq!(sender.write(b"x").unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
    assert!(block_on(sender.send("x")).is_err());
    assert!(sender.finish().is_err());
}

#[test]
fn bodies_send_what_readers_and_inputs_give() {
    let mut environ = Environ::from(http::Request::new(std::io::Cursor::new("").get_ref().to_string()));
    environ.set_input(vestibule::Input::reader(std::io::Cursor::new(vec![b'x'; 200_000])));
    let echoed = Body::stream(environ.take_input());
    assert_eq!(rest_of(echoed).len(), 200_000);
    let mut left = String::new();
    environ.input_mut().read_to_string(&mut left).unwrap();
    assert_eq!(left, "", "what was taken is gone");
}

#[test]
fn debug_tells_the_length_and_not_the_bytes() {
    assert_eq!(format!("{:?}", Body::from("secret")), "Body { len: Some(6), may_block: false }");
    let (sender, body) = Body::channel(2);
    assert!(format!("{sender:?} {body:?}").contains("capacity: 2"));
    assert!(format!("{:?}", Body::iter(["a"]).into_iter()).starts_with("Blocks"));
}
