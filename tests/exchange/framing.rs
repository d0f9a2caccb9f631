//! Lengths, HEAD, and responses without a body: rules F1 to F5 and F7 to F12.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use vestibule::{Body, Bytes, Exchange, Head, Step, app_fn, async_fn};

use super::{all, stepwise};
use crate::harness::play::{Item, Kind, Play};
use crate::harness::{PULLS, Pull, get, head, run};

fn promising(length: u64) -> impl Fn() -> Head + Send + Sync + 'static {
    move || Head::new(200).header("content-length", length)
}

#[test]
fn a_body_of_known_length_gets_a_content_length() {
    for (kind, pull) in all() {
        let seen = run(&Play::new(|| Head::new(200), &["five", "5"]).app(kind), get(), pull);
        let expected = kind.knows_its_length().then_some("5");
        assert_eq!(
            (seen.header("content-length"), seen.length.is_some()),
            (expected, expected.is_some()),
            "{kind:?} {pull:?}"
        );
    }
}

#[test]
fn a_length_that_fits_is_kept() {
    for (kind, pull) in all() {
        let seen = run(&Play::new(promising(5), &["fi", "", "ve", "!"]).app(kind), get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.length, seen.text().as_str()),
            (200, Some(5), "five!"),
            "{kind:?} {pull:?}"
        );
        assert!(!seen.aborted && seen.log.is_empty(), "{kind:?} {pull:?}: {}", seen.log);
    }
}

#[test]
fn a_length_that_differs_from_a_known_one_is_a_500_before_the_head() {
    for (kind, pull) in all().filter(|(kind, _)| kind.knows_its_length()) {
        for length in [0, 3, 5, u64::MAX] {
            let play = Play::new(promising(length), &["four"]);
            let seen = run(&play.app(kind), get(), pull);
            assert_eq!((seen.status.as_u16(), seen.aborted), (500, false), "{kind:?} {pull:?} {length}");
            let text = format!("content-length says {length} bytes, the body has 4");
            assert!(seen.log.contains(&text), "{kind:?} {pull:?}: {}", seen.log);
            assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn a_longer_body_is_cut_and_not_pulled_further() {
    for (kind, pull) in stepwise() {
        let play = Play::new(promising(5), &["abc", "defg", "hij", "klm"]);
        let seen = run(&play.app(kind), get(), pull);
        assert_eq!((seen.text().as_str(), seen.aborted), ("abcde", false), "{kind:?} {pull:?}");
        assert!(seen.log.contains("longer than its content-length of 5 bytes"), "{kind:?} {pull:?}: {}", seen.log);
        if kind != Kind::Channel {
            assert_eq!(play.pulled(), 2, "{kind:?} {pull:?}");
        }
        assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}");
    }
}

#[test]
fn a_body_that_promised_nothing_and_gives_something_is_cut_to_nothing() {
    for (kind, pull) in stepwise() {
        let seen = run(&Play::new(promising(0), &["x"]).app(kind), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.blocks.len(), seen.length), (200, 0, Some(0)), "{kind:?} {pull:?}");
        assert!(!seen.aborted, "{kind:?} {pull:?}");
    }
}

#[test]
fn a_shorter_body_is_aborted() {
    for (kind, pull) in stepwise() {
        for length in [8, u64::MAX] {
            let play = Play::new(promising(length), &["abc", "defg"]);
            let seen = run(&play.app(kind), get(), pull);
            assert_eq!((seen.text().as_str(), seen.aborted), ("abcdefg", true), "{kind:?} {pull:?}");
            let text = format!("ended after 7 of the {length} bytes");
            assert!(seen.log.contains(&text), "{kind:?} {pull:?}: {}", seen.log);
            assert_eq!(seen.outcome.end(), vestibule::End::Failed, "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn an_endless_body_with_a_length_ends() {
    for pull in PULLS {
        let app = app_fn(|_, start_response| {
            start_response.start(200, [("content-length", "10")])?;
            Ok(Body::iter(std::iter::repeat("abc")))
        });
        assert_eq!(run(&app, get(), pull).text(), "abcabcabca");
    }
}

#[test]
fn the_answer_to_head_has_the_head_and_no_byte() {
    for (kind, pull) in all() {
        let play = Play::new(|| Head::new(203).header("x-kept", "yes"), &["abc", "def"]);
        let seen = run(&play.app(kind), head(), pull);
        assert_eq!((seen.status.as_u16(), seen.blocks.len(), seen.has_body), (203, 0, false), "{kind:?} {pull:?}");
        assert_eq!(seen.header("x-kept"), Some("yes"), "{kind:?} {pull:?}");
        let length = kind.knows_its_length().then_some("6");
        assert_eq!(
            seen.header("content-length"),
            length,
            "{kind:?} {pull:?}: that which GET would have, where it is known"
        );
        assert_eq!(play.drops.all(), 1, "{kind:?} {pull:?}");
        assert!(!seen.aborted && seen.log.is_empty(), "{kind:?} {pull:?}: {}", seen.log);
    }
}

#[test]
fn a_head_request_is_run_until_its_head_is_known_and_no_further() {
    for pull in PULLS {
        for (kind, pulls) in [(Kind::Iterator, 0), (Kind::Stream, 0), (Kind::Lazy, 1), (Kind::LazyStream, 1)] {
            let play = Play::new(|| Head::new(200), &["abc", "def", "ghi"]);
            let seen = run(&play.app(kind), head(), pull);
            assert_eq!(seen.status, 200, "{kind:?} {pull:?}");
            assert_eq!(play.pulled(), pulls, "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn the_answer_to_head_keeps_the_length_of_the_application() {
    for (kind, pull) in all() {
        // Also where the body is another: an application may answer HEAD without making one.
        let seen = run(&Play::new(promising(99), &["abc"]).app(kind), head(), pull);
        assert_eq!((seen.status.as_u16(), seen.header("content-length")), (200, Some("99")), "{kind:?} {pull:?}");
        let seen = run(&Play::new(promising(0), &[]).app(kind), head(), pull);
        assert_eq!(seen.header("content-length"), Some("0"), "{kind:?} {pull:?}");
        let seen = run(&Play::new(|| Head::new(200), &[]).app(kind), head(), pull);
        assert_eq!(seen.header("content-length"), None, "{kind:?} {pull:?}: no length of 0 is made up");
    }
}

#[test]
fn an_error_in_answer_to_head_has_no_body() {
    for (kind, pull) in stepwise().filter(|(kind, _)| matches!(kind, Kind::Lazy | Kind::LazyStream)) {
        let play = Play::started(|_| Err("broken".into()), []);
        let seen = run(&play.app(kind), head(), pull);
        assert_eq!((seen.status.as_u16(), seen.blocks.len(), seen.aborted), (500, 0, false), "{kind:?} {pull:?}");
    }
}

#[test]
fn statuses_without_a_body_send_none() {
    for (kind, pull) in all() {
        for (status, has_body, length) in [(204_u16, false, None), (304, false, None), (205, true, Some("0"))] {
            for blocks in [&["some", "thing"][..], &[][..]] {
                let play = Play::new(move || Head::new(status), blocks);
                let seen = run(&play.app(kind), get(), pull);
                let what = format!("{kind:?} {pull:?} {status} {blocks:?}");
                assert_eq!((seen.status.as_u16(), seen.blocks.len(), seen.aborted), (status, 0, false), "{what}");
                assert_eq!((seen.has_body, seen.header("content-length")), (has_body, length), "{what}");
                assert_eq!(seen.length, Some(0), "{what}");
                assert_eq!(play.drops.all(), 1, "{what}");
            }
        }
    }
}

#[test]
fn the_length_of_the_application_is_kept_with_304_and_not_with_204_and_205() {
    for (kind, pull) in all() {
        for (status, expected) in [(304_u16, Some("11")), (204, None), (205, Some("0"))] {
            let head = move || Head::new(status).header("content-length", 11);
            let seen = run(&Play::new(head, &["eleven bytes"]).app(kind), get(), pull);
            let what = format!("{kind:?} {pull:?} {status}");
            assert_eq!((seen.status.as_u16(), seen.header("content-length")), (status, expected), "{what}");
            assert!(!seen.aborted && seen.log.is_empty(), "{what}: {}", seen.log);
        }
    }
}

#[test]
fn a_hook_that_makes_a_204_takes_the_body_away() {
    for (kind, pull) in all() {
        let play = Play::new(|| Head::new(200), &["body"]);
        let app =
            play.app(kind).wrap(vestibule::middleware::map_head(|head| head.status = http::StatusCode::NO_CONTENT));
        let seen = run(&app, get(), pull);
        assert_eq!(
            (seen.status.as_u16(), seen.blocks.len(), seen.header("content-length")),
            (204, 0, None),
            "{kind:?} {pull:?}"
        );
    }
}

#[test]
fn a_hook_that_changes_the_length_is_held_to_it() {
    for pull in PULLS {
        let longer = vestibule::middleware::map_head(|head| drop(head.headers.insert("content-length", 9.into())));
        let seen = run(&Play::new(|| Head::new(200), &["body"]).app(Kind::Eager).wrap(&longer), get(), pull);
        assert_eq!(seen.status, 500);
        let seen = run(&Play::new(|| Head::new(200), &["body"]).app(Kind::Stream).wrap(&longer), get(), pull);
        assert_eq!((seen.status.as_u16(), seen.aborted), (200, true));
    }
}

#[test]
fn after_32_empty_blocks_the_exchange_steps_back() {
    // Before the commit, and after it.
    for first in [None, Some("x")] {
        let pulls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pulls);
        let app = app_fn(move |_, start_response| {
            start_response.start(200, ())?;
            let counted = Arc::clone(&counted);
            Ok(Body::iter(first.into_iter().chain(std::iter::repeat_with(move || {
                counted.fetch_add(1, Ordering::SeqCst);
                ""
            }))))
        });
        let mut exchange = Exchange::new(&app, http::Request::new(()).into());
        let mut cx = Context::from_waker(Waker::noop());
        if first.is_some() {
            assert!(matches!(exchange.poll_step(&mut cx, true), Poll::Ready(Step::Head(_))));
            assert!(matches!(exchange.poll_step(&mut cx, true), Poll::Ready(Step::Block(_))));
        }
        for round in 1..=3 {
            assert!(exchange.poll_step(&mut cx, true).is_pending());
            assert_eq!(pulls.load(Ordering::SeqCst), 32 * round, "first block {first:?}");
        }
        // That is where a client that has left is seen.
        exchange.hang_up().hang_up();
        assert!(matches!(exchange.poll_step(&mut cx, true), Poll::Ready(Step::Abort)));
        assert_eq!(pulls.load(Ordering::SeqCst), 96);
    }
}

#[test]
fn many_empty_blocks_between_two_full_ones_change_nothing() {
    for (kind, pull) in stepwise() {
        let mut items = vec![Item::Block("a")];
        items.extend(vec![Item::Block(""); 100]);
        items.push(Item::Block("b"));
        items.extend(vec![Item::Block(""); 100]);
        let seen = run(&Play::items(|| Head::new(200), items).app(kind), get(), pull);
        assert_eq!((seen.blocks.len(), seen.text().as_str(), seen.aborted), (2, "ab", false), "{kind:?} {pull:?}");
    }
}

#[test]
fn trailers_follow_the_last_block() {
    let trailers = || [(http::header::ETAG, http::HeaderValue::from_static("\"x\""))].into_iter().collect();
    for pull in PULLS {
        for kind in [Kind::Eager, Kind::Iterator, Kind::Stream, Kind::AsyncIterator, Kind::Channel, Kind::File] {
            let app = Play::new(|| Head::new(200).header("trailer", "etag"), &["a", "b"]).app(kind);
            let app = app.wrap(vestibule::middleware::map_body(move |body| body.with_trailers(trailers)));
            let seen = run(&app, get(), pull);
            assert_eq!((seen.text().as_str(), seen.aborted), ("ab", false), "{kind:?} {pull:?}");
            assert_eq!(seen.trailers.unwrap()["etag"], "\"x\"", "{kind:?} {pull:?}");
        }
    }
}

proptest! {
    /// A gateway that writes the length it is told before the first block is never made a liar (release builds of
    /// hyper trust it), whatever the blocks and whatever the application declares.
    #[test]
    fn a_complete_response_has_the_length_that_was_told(
        blocks in proptest::collection::vec("[a-z]{0,9}", 0..6),
        declared in proptest::option::of(0u64..40),
        kind in 0..4,
        is_head: bool,
    ) {
        let whole = blocks.concat();
        let build = {
            move || match kind {
                0 => Body::from(blocks.concat()),
                1 => Body::iter(blocks.clone()),
                2 => Body::stream(futures::stream::iter(blocks.clone().into_iter().map(|block| Ok(Bytes::from(block))))),
                _ => Body::iter(blocks.clone()).transform(|block| Ok(block.unwrap_or_default())),
            }
        };
        let app = async_fn(move |_, start_response| {
            let body = build();
            async move {
                let head = Head::new(200);
                start_response.send(match declared { Some(length) => head.header("content-length", length), None => head })?;
                Ok(body)
            }
        });
        for pull in PULLS {
            let seen = run(&app, if is_head { head() } else { get() }, pull);
            // `Seen::check` compares what was told with what was sent.
            if is_head || seen.status != 200 {
                // A length that is wrong is seen before the head where the length is known: in memory, and at the end.
                prop_assert!(is_head || kind == 0 || whole.is_empty());
                continue;
            }
            let promised = declared.map_or(whole.len(), |length| length as usize);
            prop_assert_eq!(seen.aborted, whole.len() < promised);
            prop_assert_eq!(seen.text(), &whole[..whole.len().min(promised)]);
        }
    }
}

#[test]
fn a_deferred_file_keeps_its_length() {
    let app = async_fn(|_, start_response| async move {
        start_response.start(200, ())?;
        Ok(Body::from(crate::harness::play::temporary_file(b"0123456789")))
    });
    for pull in PULLS {
        let seen = run(&app, get(), pull);
        assert_eq!((seen.length, seen.text().as_str()), (Some(10), "0123456789"));
    }
    assert_eq!(run(&app, head(), Pull::Async).header("content-length"), Some("10"));
}

/// The head that HEAD is answered with is the one of GET, also where a future starts the response and then waits on.
#[test]
fn head_and_get_agree_for_a_future_that_starts_and_then_waits() {
    let fails = async_fn(|_, start_response| async move {
        start_response.start(200, ())?;
        crate::harness::play::Yield::default().await;
        Err(vestibule::Error::with_status(404, "no such user"))
    });
    let works = async_fn(|_, start_response| async move {
        start_response.start(200, ())?;
        crate::harness::play::Yield::default().await;
        Ok("a user".into())
    });
    for pull in PULLS {
        let (by_get, by_head) = (run(&fails, get(), pull), run(&fails, head(), pull));
        assert_eq!((by_get.status.as_u16(), by_head.status.as_u16()), (404, 404), "{pull:?}");
        let (by_get, by_head) = (run(&works, get(), pull), run(&works, head(), pull));
        assert_eq!(by_get.header("content-length"), by_head.header("content-length"), "{pull:?}");
    }
}
