//! A middleware around applications of every kind that give answers of every kind.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use vestibule::{App, Head};

use crate::harness::play::{KINDS, Play};
use crate::harness::{PULLS, Pull, Seen, run};

/// An answer, and the method that it is asked for by.
pub(crate) struct Answer {
    pub(crate) method: Method,
    pub(crate) status: u16,
    head: fn() -> Head,
}

const ANSWERS: [Answer; 6] = [
    Answer { method: Method::GET, status: 200, head: || Head::new(200).header("x-inner", "yes") },
    Answer { method: Method::HEAD, status: 200, head: || Head::new(200).header("x-inner", "yes") },
    Answer {
        method: Method::HEAD,
        status: 200,
        head: || Head::new(200).header("x-inner", "yes").header("content-length", 13),
    },
    Answer { method: Method::GET, status: 204, head: || Head::new(204).header("x-inner", "yes") },
    Answer {
        method: Method::GET,
        status: 206,
        head: || Head::new(206).header("x-inner", "yes").header("content-range", "bytes 0-12/20"),
    },
    Answer {
        method: Method::GET,
        status: 304,
        head: || Head::new(304).header("x-inner", "yes").header("etag", "\"a\"").header("content-length", 13),
    },
];

/// Checks that a middleware leaves everything but the headers as it is, for every kind of application and of answer,
/// and that what it adds to the headers is what `check` says.
pub(crate) fn across(layer: impl Fn(App) -> App, check: impl Fn(&str, &Answer, &Seen)) {
    across_requests(|| http::Request::get("/path").body(()).unwrap(), layer, check);
}

/// The same for other requests, whose method is set here.
pub(crate) fn across_requests(
    request: impl Fn() -> http::Request<()>,
    layer: impl Fn(App) -> App,
    check: impl Fn(&str, &Answer, &Seen),
) {
    let checked = AtomicUsize::new(0);
    for answer in ANSWERS {
        for kind in KINDS {
            for pull in PULLS {
                let what = format!("{kind:?} {pull:?} {} {}", answer.method, answer.status);
                let ask = |app: &App| {
                    let mut request = request();
                    *request.method_mut() = answer.method.clone();
                    run(app, request, pull)
                };
                let (bare_play, play) = (play(&answer), play(&answer));
                let bare = ask(&bare_play.app(kind));
                let seen = ask(&play.app(kind).wrap(&layer));
                assert_eq!(seen.status.as_u16(), answer.status, "{what}: {}", seen.log);
                assert_eq!(seen.blocks, bare.blocks, "{what}");
                assert_eq!((seen.aborted, &seen.log), (false, &bare.log), "{what}");
                assert_eq!((seen.length, seen.has_body), (bare.length, bare.has_body), "{what}");
                for name in ["content-length", "content-range", "etag", "x-inner"] {
                    assert_eq!(seen.header(name), bare.header(name), "{what}: {name}");
                }
                if pull == Pull::Async {
                    assert_eq!(seen.threads_asked_for, bare.threads_asked_for, "{what}: the mode is kept");
                }
                assert_eq!(play.pulled(), bare_play.pulled(), "{what}: the body is pulled as often");
                check(&what, &answer, &seen);
                checked.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    assert_eq!(checked.into_inner(), ANSWERS.len() * KINDS.len() * PULLS.len());
}

fn play(answer: &Answer) -> Play {
    let head = answer.head;
    Play::new(head, &["one ", "", "two ", "three"])
}

/// A middleware of a factory: it can be cloned, shared and kept, whatever it was made of.
pub(crate) fn is_shared<M: Fn(App) -> App + Clone + Send + Sync + 'static>(layer: M) -> Box<dyn Fn(App) -> App> {
    Box::new(layer)
}
