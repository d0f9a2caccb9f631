//! `internal_redirect`: the second call, what it sees, and that a loop ends.

use std::sync::{Arc, Mutex};

use http::{HeaderName, HeaderValue};
use vestibule::middleware::{self, InternalRedirect, internal_redirect};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Environ, Head, app_fn, async_fn};

use super::all;
use super::passing::passes_everything;
use crate::harness::play::{Kind, Play};
use crate::harness::{Drops, Pull, get, post, run};

fn to(target: &str) -> Head {
    InternalRedirect::to(target).unwrap().into_head().header("x-first", "yes").header("set-cookie", "a=1")
}

/// Answers `/path` with one application, and everything else with another.
fn either(first: App, second: App) -> App {
    let may_block = first.may_block() || second.may_block();
    let app = app_fn(move |environ: Environ, start_response| match &*environ.path_info() {
        "/path" => first.call(environ, start_response),
        _ => second.call(environ, start_response),
    });
    if may_block { app } else { app.nonblocking() }
}

#[test]
fn what_is_no_redirect_passes() {
    passes_everything(internal_redirect(3));
}

#[test]
fn the_last_response_is_the_only_one_that_is_sent() {
    for (kind, pull) in all() {
        for second_kind in [Kind::Eager, Kind::Iterator, Kind::LazyStream, Kind::File] {
            let first = Play::new(|| to("/private"), &["", "first ", "body"]);
            let second = Play::new(|| Head::new(203).header("x-second", "yes"), &["second ", "body"]);
            let app = either(first.app(kind), second.app(second_kind)).wrap(internal_redirect(1));
            let seen = run(&app, get(), pull);
            let what = format!("{kind:?} to {second_kind:?} {pull:?}");
            assert_eq!((seen.status.as_u16(), seen.text().as_str()), (203, "second body"), "{what}");
            let headers = ["x-first", "set-cookie", "x-second"].map(|name| seen.header(name));
            assert_eq!(headers, [None, None, Some("yes")], "{what}");
            assert_eq!((first.drops.all(), second.drops.all()), (1, 1), "{what}: both are closed");
            if matches!(kind, Kind::Iterator | Kind::Lazy | Kind::AsyncIterator | Kind::Channel | Kind::File) {
                assert_eq!(first.drops.on_reactor(), 0, "{what}: the first where that may block");
            }
            assert!(first.pulled() <= 2, "{what}: the first body is not read");
            assert_eq!(seen.log, "", "{what}");
        }
    }
}

#[test]
fn a_first_body_whose_drop_may_block_is_closed_on_a_thread() {
    let drops = Drops::default();
    let probes = drops.clone();
    let first = app_fn(move |_, start_response| {
        start_response.send(to("/private"))?;
        let (probe, blocks) = (probes.probe(), futures::stream::iter([Ok("first")]));
        Ok(Body::stream(blocks).on_close(move || drop(probe)))
    });
    let second = Play::new(|| Head::new(200), &["second"]).app(Kind::LazyStream);
    let app = either(first.nonblocking(), second).wrap(internal_redirect(1));
    assert!(!app.may_block());
    let seen = run(&app, get(), Pull::Async);
    assert_eq!((seen.text().as_str(), seen.threads_asked_for), ("second", 1));
    assert_eq!((drops.all(), drops.on_reactor()), (1, 0));
}

#[test]
fn the_second_call_is_a_get_of_the_new_path_without_a_body() {
    let shows = app_fn(|mut environ, start_response| {
        let headers: Vec<_> = environ.headers().keys().map(HeaderName::as_str).map(str::to_owned).collect();
        let asked = environ.var("REDIRECT_URL").map(|url| String::from_utf8_lossy(&url).into_owned());
        let input = environ.input_mut().read_text(100)?;
        let text = format!(
            "{} {}|{}|{}|{} {asked:?} {headers:?} {:?} {input:?}",
            environ.method(),
            environ.script_name(),
            environ.raw_path(),
            environ.path_info(),
            environ.query_string(),
            environ.extensions().get::<u8>()
        );
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(text.into())
    });
    let redirects = |target: &'static str| {
        app_fn(move |mut environ, start_response| {
            environ.input_mut().read_bytes(2)?;
            start_response.send(to(target))?;
            Ok(Body::empty())
        })
    };
    let server = |target| {
        let (redirects, shows) = (redirects(target), shows.clone());
        let app = app_fn(move |environ: Environ, start_response| match environ.path_info().starts_with("/a") {
            true => redirects.call(environ, start_response),
            false => shows.call(environ, start_response),
        });
        TestServer::new(app.wrap(internal_redirect(1))).mounted_at("/mnt")
    };
    let ask = |target| {
        let request = server(target).post("/a%2Fb?old").header("content-type", "text/plain").header("accept", "*/*");
        request.extension(7_u8).body("te").send().text()
    };
    assert_eq!(
        ask("/x%2Fy?new=1"),
        r#"GET /mnt|/mnt/x%2Fy|/x/y|new=1 Some("/mnt/a%2Fb") ["host", "accept"] Some(7) """#
    );
    assert_eq!(ask("/z"), r#"GET /mnt|/mnt/z|/z| Some("/mnt/a%2Fb") ["host", "accept"] Some(7) """#);
    let head = server("/z").request("HEAD", "/a").send();
    assert_eq!((head.status().as_u16(), head.text().as_str()), (200, ""));
    assert!(head.headers().contains_key("content-length"));
}

#[test]
fn what_the_first_call_has_not_read_stays_unread() {
    let shows = app_fn(|mut environ, start_response| {
        let text = environ.input_mut().read_text(100)?;
        start_response.start(200, ())?;
        Ok(format!("{text:?}").into())
    });
    let first = Play::new(|| to("/x"), &[]).app(Kind::Eager);
    let app = either(first, shows).wrap(internal_redirect(1));
    for pull in [Pull::Blocking, Pull::Async] {
        assert_eq!(run(&app, post("unread"), pull).text(), "\"\"");
    }
}

#[test]
fn a_loop_ends() {
    for hops in [0, 1, 2, 5] {
        let calls: Arc<Mutex<Vec<String>>> = Arc::default();
        let called = Arc::clone(&calls);
        let app = app_fn(move |environ, start_response| {
            called.lock().unwrap().push(environ.path_info().into_owned());
            start_response.send(to("/again"))?;
            Ok("".into())
        });
        let seen = run(&app.wrap(internal_redirect(hops)), get(), Pull::Blocking);
        assert_eq!((seen.status.as_u16(), calls.lock().unwrap().len()), (500, hops + 1), "{hops}");
        assert!(seen.log.contains("too many internal redirects; the last was to /again"), "{}", seen.log);
    }
    let counts_down = async_fn(|environ, start_response| async move {
        let left: u32 = environ.path_info().trim_start_matches('/').parse().unwrap_or(3);
        let head = if left == 0 { Head::new(200) } else { to(&format!("/{}", left - 1)) };
        start_response.send(head)?;
        Ok(format!("{left} left of {}", String::from_utf8_lossy(&environ.var("REDIRECT_URL").unwrap_or_default()))
            .into())
    });
    for (hops, status) in [(2, 500), (3, 200), (4, 200)] {
        let seen = run(&counts_down.clone().wrap(internal_redirect(hops)), get(), Pull::Async);
        assert_eq!((seen.status.as_u16(), seen.threads_asked_for), (status, 0), "{hops}");
        assert!(status != 200 || seen.text() == "0 left of /path", "{}", seen.text());
    }
}

#[test]
fn neither_a_client_nor_a_header_can_redirect() {
    let app = app_fn(|environ, start_response| {
        start_response
            .send(Head::new(200).header("x-internal-redirect", "/private").header("x-accel-redirect", "/private"))?;
        Ok(environ.path_info().into_owned().into())
    });
    let mut request = get();
    for name in ["x-internal-redirect", "x-accel-redirect", "internal-redirect"] {
        request.headers_mut().insert(name, HeaderValue::from_static("/private"));
    }
    let seen = run(&app.wrap(internal_redirect(1)), request, Pull::Blocking);
    assert_eq!(seen.text(), "/path");
}

#[test]
fn hooks_outside_see_the_last_head_and_those_inside_each_of_them() {
    let heads: Arc<Mutex<Vec<(&str, u16)>>> = Arc::default();
    let note = |place: &'static str| {
        let heads = Arc::clone(&heads);
        middleware::map_head(move |head| heads.lock().unwrap().push((place, head.status.as_u16())))
    };
    let first = Play::new(|| to("/x"), &[]).app(Kind::Async);
    let second = Play::new(|| Head::new(404), &[]).app(Kind::Lazy);
    let app = either(first, second).wrap(note("inside")).wrap(internal_redirect(1)).wrap(note("outside"));
    assert_eq!(run(&app, get(), Pull::Async).status, 404);
    assert_eq!(*heads.lock().unwrap(), [("inside", 200), ("inside", 404), ("outside", 404)]);
}

#[test]
fn a_target_is_a_path() {
    for target in ["", "x", "http://evil.example/", "//a b", "/a b", "/a#b", "/\u{e9}\0", "*", "?a"] {
        let error = InternalRedirect::to(target);
        assert!(error.is_err(), "{target:?}");
    }
    assert_eq!(InternalRedirect::to("/a%20b?c=d").unwrap(), InternalRedirect::to("/a%20b?c=d").unwrap());
    let long = format!("/{}", "x".repeat(70_000));
    assert!(InternalRedirect::to(&long).is_err());
    let long = format!("/{}", "x".repeat(65_530));
    let server = TestServer::new(either(
        Play::new(move || to(&long), &[]).app(Kind::Eager),
        Play::new(|| Head::new(200), &[]).app(Kind::Eager),
    ))
    .mounted_at("/mount");
    assert_eq!(server.get("/path").send().status(), 200, "without the middleware it is only an extension");
}
