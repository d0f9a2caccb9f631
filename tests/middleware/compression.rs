//! `compression`, held against the decoders of others.

use std::io::Write;

use http::{Method, Request};
use proptest::prelude::*;
#[cfg(feature = "conditional")]
use vestibule::middleware;
use vestibule::middleware::{Coding, Compression, compression};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Bytes, Head, HeaderMap, app_fn, async_fn};

use crate::all;
use crate::harness::play::{Item, KINDS, Kind, Play, temporary_file};
use crate::harness::{Pull, Seen, run};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// What a decoder makes of the bytes so far, which need not be all.
fn decoded_so_far(coding: &str, bytes: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut decoder = flate2::write::GzDecoder::new(Vec::new());
            decoder.write_all(bytes).unwrap();
            decoder.flush().unwrap();
            std::mem::take(decoder.get_mut())
        }
        "br" => {
            let mut decoder = brotli::DecompressorWriter::new(Vec::new(), 4096);
            decoder.write_all(bytes).unwrap();
            decoder.flush().unwrap();
            std::mem::take(decoder.get_mut())
        }
        "zstd" => {
            let mut decoder = zstd::stream::write::Decoder::new(Vec::new()).unwrap();
            decoder.write_all(bytes).unwrap();
            decoder.flush().unwrap();
            std::mem::take(decoder.get_mut())
        }
        other => panic!("no decoder for {other}"),
    }
}

/// What a decoder makes of the whole, which must be all there and nothing else.
fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => {
            let mut decoder = flate2::write::GzDecoder::new(&mut out);
            decoder.write_all(bytes).unwrap();
            decoder.finish().unwrap();
        }
        "br" => {
            let mut rest = bytes;
            brotli::BrotliDecompress(&mut rest, &mut out).unwrap();
            assert!(rest.is_empty());
        }
        "zstd" => zstd::stream::copy_decode(bytes, &mut out).unwrap(),
        other => panic!("no decoder for {other}"),
    }
    out
}

impl Seen {
    /// The body as the client reads it.
    fn content(&self) -> String {
        let bytes = self.blocks.concat();
        let bytes = match self.header("content-encoding") {
            Some(coding) => decoded(coding, &bytes),
            None => bytes,
        };
        String::from_utf8(bytes).unwrap()
    }
}

fn ask(method: Method, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri("/path");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn accept(codings: &str) -> Request<()> {
    ask(Method::GET, &[("accept-encoding", codings)])
}

/// Compresses whatever has a byte.
fn eager() -> impl Fn(App) -> App {
    compression(Compression::new().min_size(1))
}

fn text() -> Head {
    Head::new(200).header("content-type", "text/plain")
}

/// An application that answers with this head and a kilobyte or two of text.
fn answers(head: impl Fn() -> Head + Send + Sync + 'static) -> App {
    app_fn(move |_, start_response| {
        start_response.send(head())?;
        Ok("tea and ".repeat(200).into())
    })
}

#[test]
fn every_kind_of_body_is_compressed_and_keeps_its_mode() {
    for (kind, pull) in all() {
        for coding in CODINGS {
            let play = Play::new(text, &["one ", "", "two ", "three"]);
            let bare = run(&play.app(kind), accept(coding), pull);
            let drops = play.drops.all();
            let seen = run(&play.app(kind).wrap(eager()), accept(coding), pull);
            let what = format!("{kind:?} {pull:?} {coding}");
            assert!(!seen.aborted, "{what}: {}", seen.log);
            assert_eq!(
                (seen.content().as_str(), seen.header("content-encoding")),
                ("one two three", Some(coding)),
                "{what}"
            );
            assert_eq!(seen.header("vary"), Some("Accept-Encoding"), "{what}");
            assert_eq!(seen.threads_asked_for > 0, bare.threads_asked_for > 0, "{what}: the mode is kept");
            assert_eq!(play.drops.all(), drops + 1, "{what}: the body is closed");
            assert_eq!(seen.length.is_some(), matches!(kind, Kind::Eager | Kind::Async), "{what}: {:?}", seen.length);
            if kind.is_stepwise() {
                // However much of it has come, what was given before the block that comes next is there.
                let mut so_far = Vec::new();
                for (block, expected) in seen.blocks.iter().zip(["one ", "one two ", "one two three"]) {
                    so_far.extend_from_slice(block);
                    assert_eq!(decoded_so_far(coding, &so_far), expected.as_bytes(), "{what}");
                }
                assert!(seen.blocks.len() >= 3, "{what}: no block is held back");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_blocks_the_client_reads_what_was_written(
        text_in in "([a-z ]{0,40}\\PC{0,3}){0,40}",
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        level in 0..12,
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text_in.len() + 1)).collect();
        cuts.retain(|&cut| text_in.is_char_boundary(cut));
        cuts.extend([0, text_in.len()]);
        cuts.sort_unstable();
        let whole: &'static str = text_in.clone().leak();
        let blocks: Vec<&'static str> = cuts.windows(2).map(|cut| &whole[cut[0]..cut[1]]).collect();
        for kind in KINDS {
            for coding in [Coding::GZIP, Coding::BROTLI, Coding::ZSTD] {
                let layer = compression(Compression::new().min_size(0).codings([coding.level(level)]));
                let app = Play::new(text, &blocks).app(kind).wrap(layer);
                let seen = run(&app, accept(coding.name()), Pull::Async);
                prop_assert!(!seen.aborted, "{:?}: {}", kind, seen.log);
                prop_assert_eq!(seen.content(), whole, "{:?} {}", kind, coding.name());
            }
        }
    }
}

/// Lines that do not compress to nothing.
fn noise(lines: u64) -> String {
    (0..lines).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

#[test]
fn long_bodies_in_memory_are_compressed_in_pieces_where_their_application_runs() {
    let long = noise(20_000);
    assert!(long.len() > 4 * 64 * 1024);
    for coding in CODINGS {
        let body = long.clone();
        let blocking = app_fn(move |_, start_response| {
            start_response.send(text())?;
            Ok(body.clone().into())
        });
        let body = long.clone();
        let quick = async_fn(move |_, start_response| {
            let body = body.clone();
            async move {
                start_response.send(text())?;
                Ok(body.into())
            }
        });
        let seen = run(&blocking.wrap(eager()), accept(coding), Pull::Async);
        assert!(seen.content() == long && seen.length.is_none(), "{coding}");
        assert!(seen.threads_asked_for > 3, "{coding}: each piece on a thread, not {}", seen.threads_asked_for);
        let seen = run(&quick.wrap(eager()), accept(coding), Pull::Async);
        assert!(seen.content() == long && seen.length.is_none(), "{coding}");
        assert_eq!(seen.threads_asked_for, 0, "{coding}");
        assert!(seen.blocks.len() > 1 && seen.blocks.iter().all(|block| block.len() <= 128 * 1024), "{coding}");
    }
}

#[test]
fn a_long_block_of_a_stream_is_compressed_in_pieces() {
    let long = noise(20_000);
    for coding in CODINGS {
        let block = long.clone();
        let app = app_fn(move |_, start_response| {
            start_response.send(text())?;
            Ok(Body::iter([block.clone(), "the end".to_owned()]))
        });
        let seen = run(&app.wrap(eager()), accept(coding), Pull::Async);
        assert_eq!(seen.content(), long.clone() + "the end", "{coding}");
        assert!(seen.blocks.len() > 2, "{coding}");
    }
}

#[test]
fn the_coding_is_the_one_that_the_client_likes_best() {
    let layer = || compression(Compression::new().min_size(1).codings([Coding::BROTLI, Coding::GZIP, Coding::ZSTD]));
    for (header, expected) in [
        ("gzip", Some("gzip")),
        ("GZIP", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("gzip, br, zstd", Some("br")),
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip;q=1.0, br;q=0.9", Some("gzip")),
        ("zstd, gzip", Some("gzip")),
        ("*", Some("br")),
        ("*;q=0.1, gzip;q=0.2", Some("gzip")),
        ("br;q=0, *", Some("gzip")),
        ("*;q=0, zstd;q=0.001", Some("zstd")),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", Some("gzip")),
        ("identity;q=0, gzip", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip, gzip;q=0", None),
        ("gzip;q=0, x-gzip", Some("gzip")),
        ("gzip;q=0, br;q=0, zstd;q=0", None),
        ("*;q=0", None),
        ("identity;q=0, *;q=0", None),
        ("deflate, compress, identity", None),
        ("", None),
        ("gzip;q=2", None),
        ("gzip;q=x, zstd", Some("zstd")),
        ("gzipped", None),
    ] {
        let seen = run(&answers(text).wrap(layer()), accept(header), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.header("content-encoding")), (200, expected), "{header}");
        assert_eq!(seen.header("vary"), Some("Accept-Encoding"), "{header}");
        assert_eq!(seen.content(), "tea and ".repeat(200), "{header}");
    }
    let two_lines = ask(Method::GET, &[("accept-encoding", "br;q=0.1"), ("accept-encoding", "zstd")]);
    assert_eq!(run(&answers(text).wrap(layer()), two_lines, Pull::Blocking).header("content-encoding"), Some("zstd"));
    let none = run(&answers(text).wrap(layer()), ask(Method::GET, &[]), Pull::Blocking);
    assert_eq!((none.header("content-encoding"), none.header("vary")), (None, Some("Accept-Encoding")));
}

#[test]
fn only_what_is_offered_is_taken() {
    let layer = |codings: &[Coding]| compression(Compression::new().codings(codings.iter().copied()));
    let ask = |codings: &[Coding]| {
        let seen = run(&answers(text).wrap(layer(codings)), accept("gzip, br, zstd"), Pull::Blocking);
        seen.header("content-encoding").map(str::to_owned)
    };
    assert_eq!(ask(&[Coding::GZIP]).as_deref(), Some("gzip"));
    assert_eq!(ask(&[Coding::ZSTD, Coding::GZIP, Coding::ZSTD, Coding::BROTLI]).as_deref(), Some("zstd"));
    assert_eq!(ask(&[]), None);
}

#[test]
fn ten_thousand_codings_are_read_in_one_walk() {
    let app = answers(text).wrap(eager());
    let ask = |list: String| run(&app, accept(&list), Pull::Blocking).header("content-encoding").map(str::to_owned);
    assert_eq!(ask("x;q=0.5, ".repeat(10_000) + "gzip").as_deref(), Some("gzip"));
    assert_eq!(ask("gzip;q=1, ".repeat(10_000) + "gzip;q=0"), None);
    assert_eq!(ask(",".repeat(100_000)), None);
    assert_eq!(ask("x".to_owned() + &";q=1".repeat(25_000)), None);
}

/// That a response is as it is without compression.
fn is_left_alone(head: impl Fn() -> Head + Send + Sync + Clone + 'static, what: &str) {
    for kind in [Kind::Eager, Kind::Iterator, Kind::Stream] {
        let blocks: &[&'static str] = match head().status.as_u16() {
            204 | 205 | 304 => &[],
            _ => &["tea and ", "coffee"],
        };
        let bare = run(&Play::new(head.clone(), blocks).app(kind), accept("gzip"), Pull::Async);
        let seen = run(&Play::new(head.clone(), blocks).app(kind).wrap(eager()), accept("gzip"), Pull::Async);
        assert_eq!(
            (seen.status, &seen.headers, seen.text()),
            (bare.status, &bare.headers, bare.text()),
            "{kind:?} {what}"
        );
        assert_eq!(seen.length, bare.length, "{kind:?} {what}");
    }
}

#[test]
fn what_must_not_change_is_left_alone() {
    for status in [204, 205, 206] {
        is_left_alone(move || Head::new(status).header("etag", "\"a\""), &format!("{status}"));
    }
    for (name, value) in [
        ("content-encoding", "br"),
        ("content-encoding", "identity"),
        ("content-range", "bytes 0-13/14"),
        ("content-digest", "sha-256=:x:"),
        ("repr-digest", "sha-256=:x:"),
        ("content-md5", "x"),
        ("cache-control", "no-transform"),
        ("cache-control", "public , No-Transform,max-age=3"),
    ] {
        let head = move || text().header("etag", "\"a\"").header("accept-ranges", "bytes").header(name, value);
        is_left_alone(head, &format!("{name}: {value}"));
    }
    for kind in ["image/png", "application/zip", "video/mp4"] {
        is_left_alone(move || Head::new(200).header("content-type", kind), kind);
    }
    is_left_alone(|| Head::new(200), "no type");
}

#[test]
fn a_304_keeps_its_body_and_gets_the_tag_that_the_client_has() {
    for (condition, etag, expected) in [
        ("W/\"a\"", "\"a\"", "W/\"a\""),
        ("\"b\", W/\"a\"", "\"a\"", "W/\"a\""),
        ("\"a\"", "\"a\"", "\"a\""),
        ("W/\"a\", \"a\"", "\"a\"", "\"a\""),
        ("W/\"a\"", "W/\"a\"", "W/\"a\""),
        ("*", "\"a\"", "\"a\""),
        ("\"b\"", "\"a\"", "\"a\""),
    ] {
        let app = app_fn(move |_, start_response| {
            start_response.start(304, [("etag", etag), ("vary", "Cookie")])?;
            Ok(Body::empty())
        });
        let request = ask(Method::GET, &[("accept-encoding", "gzip"), ("if-none-match", condition)]);
        let seen = run(&app.wrap(eager()), request, Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.header("etag")), (304, Some(expected)), "{condition} {etag}");
        assert_eq!((seen.header("vary"), seen.headers.len()), (Some("Cookie, Accept-Encoding"), 2));
    }
}

#[test]
fn the_smallest_size_is_what_it_says() {
    for (length, is_compressed) in [(0, false), (99, false), (100, true), (101, true)] {
        let app = app_fn(move |_, start_response| {
            start_response.send(text())?;
            Ok("x".repeat(length).into())
        });
        let seen = run(&app.wrap(compression(Compression::new().min_size(100))), accept("gzip"), Pull::Blocking);
        assert_eq!(seen.header("content-encoding").is_some(), is_compressed, "{length}");
        assert_eq!(seen.header("vary").is_some(), is_compressed, "{length}");
        let app = app_fn(move |_, start_response| {
            start_response.send(text().header("content-length", length))?;
            Ok(Body::iter(vec!["x"; length]))
        });
        let seen = run(&app.wrap(compression(Compression::new().min_size(100))), accept("gzip"), Pull::Blocking);
        assert_eq!(seen.header("content-encoding").is_some(), is_compressed, "{length}, declared");
        assert_eq!(seen.content(), "x".repeat(length));
    }
    for (length, is_compressed) in [(1023, false), (1024, true)] {
        let app = app_fn(move |_, start_response| {
            start_response.send(text())?;
            Ok("x".repeat(length).into())
        });
        let seen = run(&app.wrap(compression(Compression::default())), accept("gzip"), Pull::Blocking);
        assert_eq!(seen.header("content-encoding").is_some(), is_compressed, "{length}, by default");
    }
}

#[test]
fn one_may_say_oneself_what_is_compressed() {
    let layer = compression(Compression::new().compress_if(|head| head.headers.contains_key("x-compress")));
    let seen = run(&answers(|| text().header("x-compress", "1")).wrap(&layer), accept("gzip"), Pull::Blocking);
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    let seen = run(&answers(text).wrap(&layer), accept("gzip"), Pull::Blocking);
    assert_eq!((seen.header("content-encoding"), seen.header("vary")), (None, None));
}

#[test]
fn headers_that_spoke_of_other_bytes_are_made_to_fit() {
    let head = || {
        text()
            .header("etag", "\"a\"")
            .header("accept-ranges", "bytes")
            .header("content-length", 1600)
            .header("vary", "Cookie")
    };
    let app = answers(head).wrap(eager());
    let seen = run(&app, accept("gzip"), Pull::Blocking);
    assert_eq!((seen.header("etag"), seen.header("accept-ranges")), (Some("W/\"a\""), None));
    assert_eq!(seen.header("vary"), Some("Cookie, Accept-Encoding"));
    assert_eq!(seen.header("content-length"), Some(&*seen.blocks.concat().len().to_string()));
    let bare = run(&app, ask(Method::GET, &[]), Pull::Blocking);
    assert_eq!((bare.header("etag"), bare.header("accept-ranges")), (Some("\"a\""), Some("bytes")));
    assert_eq!((bare.header("vary"), bare.header("content-length")), (Some("Cookie, Accept-Encoding"), Some("1600")));
    let weak = run(&answers(|| text().header("etag", "W/\"a\"")).wrap(eager()), accept("gzip"), Pull::Blocking);
    assert_eq!(weak.header("etag"), Some("W/\"a\""));
}

#[test]
fn head_gets_the_headers_of_get() {
    for (kind, pull) in all() {
        let head = || text().header("etag", "\"a\"").header("accept-ranges", "bytes");
        let app = Play::new(head, &["one ", "two ", "three"]).app(kind).wrap(eager());
        let get = run(&app, accept("gzip"), pull);
        let seen = run(&app, ask(Method::HEAD, &[("accept-encoding", "gzip")]), pull);
        assert_eq!(
            (seen.status, &seen.headers, seen.text().as_str()),
            (get.status, &get.headers, ""),
            "{kind:?} {pull:?}"
        );
    }
    for declared in [None, Some(1600)] {
        let app = app_fn(move |_, start_response| {
            let head = text().header("etag", "\"a\"");
            start_response.send(match declared {
                None => head,
                Some(length) => head.header("content-length", length),
            })?;
            Ok(Body::empty())
        });
        let seen = run(&app.wrap(eager()), ask(Method::HEAD, &[("accept-encoding", "gzip")]), Pull::Blocking);
        assert_eq!(seen.header("content-encoding"), Some("gzip"), "{declared:?}: the body of HEAD need not be made");
        assert_eq!((seen.header("content-length"), seen.header("etag")), (None, Some("W/\"a\"")), "{declared:?}");
    }
}

#[test]
fn trailers_and_the_end_are_kept() {
    for coding in CODINGS {
        let drops = crate::harness::Drops::default();
        let probe = drops.clone();
        let app = app_fn(move |_, start_response| {
            start_response.send(text().header("trailer", "x-sum"))?;
            let probe = probe.probe();
            let trailers = || HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
            Ok(Body::iter(["one ", "two"]).with_trailers(trailers).on_close(move || drop(probe)))
        });
        let seen = run(&app.wrap(eager()), accept(coding), Pull::Async);
        assert_eq!(seen.content(), "one two", "{coding}");
        assert_eq!(seen.trailers.unwrap()["x-sum"], "7", "{coding}");
        assert_eq!((drops.all(), drops.on_reactor()), (1, 0), "{coding}");
    }
}

#[test]
fn what_fails_does_not_look_complete() {
    for (kind, pull) in all().filter(|(kind, _)| kind.is_stepwise()) {
        let late = Play::items(text, [Item::Block("half"), Item::Fail("late")]);
        let seen = run(&late.app(kind).wrap(eager()), accept("gzip"), pull);
        assert_eq!((seen.status.as_u16(), seen.aborted), (200, true), "{kind:?} {pull:?}");
        for (declared, what) in [(20, "short"), (5, "long")] {
            let play = Play::new(move || text().header("content-length", declared), &["one ", "two ", "three"]);
            let seen = run(&play.app(kind).wrap(eager()), accept("gzip"), pull);
            assert!(seen.aborted, "{kind:?} {pull:?}: too {what}");
            assert_eq!(seen.log.lines().count(), 1, "{kind:?} {pull:?}: {}", seen.log);
        }
    }
    for kind in KINDS {
        let early = Play::items(text, [Item::Fail("early")]);
        let seen = run(&early.app(kind).wrap(eager()), accept("gzip"), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), seen.header("content-encoding")), (500, None), "{kind:?}");
        if kind.knows_its_length() {
            let wrong = Play::new(|| text().header("content-length", 5), &["four"]);
            assert_eq!(run(&wrong.app(kind).wrap(eager()), accept("gzip"), Pull::Blocking).status, 500, "{kind:?}");
        }
    }
}

#[test]
fn other_statuses_and_methods_are_compressed_too() {
    for status in [200, 201, 404, 500] {
        let app = answers(move || Head::new(status).header("content-type", "text/html")).wrap(eager());
        for method in [Method::GET, Method::POST] {
            let seen = run(&app, ask(method.clone(), &[("accept-encoding", "gzip")]), Pull::Blocking);
            assert_eq!((seen.status.as_u16(), seen.header("content-encoding")), (status, Some("gzip")), "{method}");
        }
    }
}

#[test]
fn files_are_compressed() {
    let content = "all work and no play\n".repeat(10_000);
    for coding in CODINGS {
        let file = content.clone();
        let app = app_fn(move |_, start_response| {
            start_response.send(text().header("content-length", file.len()))?;
            Ok(temporary_file(file.as_bytes()).into())
        });
        let seen = run(&app.wrap(eager()), accept(coding), Pull::Async);
        assert!(seen.content() == content && seen.length.is_none() && !seen.aborted, "{coding}");
        assert!(seen.blocks.concat().len() < content.len() / 50, "{coding}");
    }
}

#[test]
fn events_arrive_while_the_next_is_awaited() {
    for coding in CODINGS {
        let (mut sender, body) = Body::channel(1);
        let body = std::sync::Mutex::new(Some(body));
        let app = app_fn(move |_, start_response| {
            start_response.start(200, [("content-type", "text/event-stream")])?;
            Ok(body.lock().unwrap().take().unwrap())
        });
        sender.blocking_send("data: 1\n\n").unwrap();
        let mut stream = TestServer::new(app.wrap(eager())).get("/").header("accept-encoding", coding).stream();
        let mut so_far = stream.next().unwrap().to_vec();
        assert_eq!(decoded_so_far(coding, &so_far), b"data: 1\n\n", "{coding}");
        sender.blocking_send("data: 2\n\n").unwrap();
        so_far.extend(stream.next().unwrap());
        assert_eq!(decoded_so_far(coding, &so_far), b"data: 1\n\ndata: 2\n\n", "{coding}");
        sender.finish().unwrap();
        let response = stream.finish();
        assert!(response.is_complete() && decoded(coding, &response.bytes()).len() == 18, "{coding}");
        assert!(response.lint().is_empty(), "{:?}", response.lint());
    }
}

#[test]
fn a_level_beyond_the_last_is_the_last() {
    for coding in [Coding::GZIP, Coding::BROTLI, Coding::ZSTD] {
        let size = |level| {
            let layer = compression(Compression::new().codings([coding.level(level)]));
            let body: String = (0..1000).map(|n| format!("{n} times {} is {}\n", n + 1, n * (n + 1))).collect();
            let app = app_fn(move |_, start_response| {
                start_response.send(text())?;
                Ok(Bytes::from(body.clone()).into())
            });
            run(&app.wrap(layer), accept(coding.name()), Pull::Blocking).length.unwrap()
        };
        assert_eq!((size(i32::MIN), size(i32::MAX)), (size(if coding.name() == "br" { 0 } else { 1 }), size(19)));
        assert_ne!(size(i32::MAX), size(i32::MIN), "{coding:?}: levels differ");
    }
}

#[cfg(feature = "conditional")]
#[test]
fn conditional_requests_work_from_both_sides() {
    let app = answers(text).wrap(middleware::etag);
    let inside = app.clone().wrap(middleware::conditional_get).wrap(eager());
    let outside = app.wrap(eager()).wrap(middleware::conditional_get);
    for app in [inside, outside] {
        let server = TestServer::new(app);
        let first = server.get("/").header("accept-encoding", "gzip").send();
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with("W/") && first.lint().is_empty(), "{tag} {:?}", first.lint());
        let second = server.get("/").header("accept-encoding", "gzip").header("if-none-match", tag).send();
        assert_eq!((second.status().as_u16(), second.header("etag")), (304, Some(tag)));
        assert_eq!(second.header("vary"), Some("Accept-Encoding"));
        let plain = server.get("/").header("if-none-match", tag.trim_start_matches("W/")).send();
        assert_eq!((plain.status().as_u16(), plain.header("etag")), (304, Some(tag.trim_start_matches("W/"))));
    }
}

#[test]
fn it_passes_on_whether_the_application_blocks_and_its_name() {
    for kind in KINDS {
        let app = Play::new(text, &["x"]).app(kind).named("the shop");
        let wrapped = app.clone().wrap(eager());
        assert_eq!(wrapped.may_block(), app.may_block(), "{kind:?}");
        assert_eq!(format!("{wrapped:?}"), "App(\"the shop\")");
    }
}
