//! A middleware that lets responses pass, around applications and answers of every kind.

use vestibule::{App, Head, HeaderMap};

use crate::harness::play::Play;
use crate::harness::run;

fn answers() -> Vec<(&'static str, Head)> {
    let head = |status: u16| Head::new(status).header("x-inner", "yes");
    vec![
        ("GET", head(200)),
        ("GET", head(200).header("content-length", 13)),
        ("HEAD", head(200).header("content-length", 13)),
        ("HEAD", head(200)),
        ("GET", head(204)),
        ("GET", head(206).header("content-range", "bytes 0-12/20")),
        ("GET", head(304).header("etag", "\"a\"").header("content-length", 13)),
        ("GET", head(404)),
    ]
}

/// Checks that it changes nothing, keeps the mode, and closes bodies once.
pub(crate) fn passes_everything(layer: impl Fn(App) -> App) {
    let mut checked = 0;
    for (method, head) in answers() {
        for (kind, pull) in super::all() {
            let what = format!("{kind:?} {pull:?} {method} {}", head.status);
            let play = || {
                let head = head.clone();
                Play::new(move || head.clone(), &["one ", "", "two ", "three"])
            };
            let request = || http::Request::builder().method(method).uri("/path").body(()).unwrap();
            let (wrapped, bare) = (play(), play());
            let app = wrapped.app(kind).named("the shop").wrap(&layer);
            assert_eq!(app.may_block(), bare.app(kind).may_block(), "{what}");
            assert_eq!(format!("{app:?}"), "App(\"the shop\")", "{what}");
            let seen = run(&app, request(), pull);
            let expected = run(&bare.app(kind), request(), pull);
            assert_eq!((seen.status, &seen.headers), (expected.status, &expected.headers), "{what}");
            assert_eq!((&seen.blocks, seen.length), (&expected.blocks, expected.length), "{what}");
            assert_eq!(seen.trailers.unwrap_or_default(), HeaderMap::default(), "{what}");
            assert_eq!(seen.threads_asked_for > 0, expected.threads_asked_for > 0, "{what}: the mode is kept");
            assert_eq!((seen.aborted, seen.outcome.end()), (false, vestibule::End::Complete), "{what}");
            assert_eq!(
                (wrapped.drops.all(), wrapped.drops.on_reactor()),
                (1, bare.drops.on_reactor()),
                "{what}: closed"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 8 * 9 * 2);
}
