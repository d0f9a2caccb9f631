//! Gateways that are broken on purpose: a suite that cannot fail proves nothing.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use http::HeaderValue;
use vestibule::testing::conformance::{self, Case, Client, Memory, Need, Request, Response, Watch};
use vestibule::{App, Body, Head, Result, app_fn, capture, middleware};

/// A client of the gateway in memory that damages what passes through it.
struct Damaged<F>(Memory, F);

impl<F: Fn(&Request, &mut Response) + Send + Sync> Client for Damaged<F> {
    fn supports(&self, need: Need) -> bool {
        self.0.supports(need)
    }

    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
        let mut response = self.0.send(request, watch)?;
        (self.1)(request, &mut response);
        Ok(response)
    }
}

/// Runs the cases of some rules, which have to fail, and of others, which the fault does not touch.
#[track_caller]
fn assert_breaks(client: &dyn Client, mount: &str, broken: &[&str], sound: &[&str]) {
    let picked = |case: &Case| case.rules().iter().any(|rule| broken.contains(rule) || sound.contains(rule));
    let report = conformance::run_where(client, mount, picked);
    let failed = report.failed_rules();
    for rule in broken {
        assert!(failed.contains(rule), "no case of {rule} failed, only those of {failed:?}\n{report}");
    }
    for rule in sound {
        assert!(!failed.contains(rule), "a case of {rule} failed\n{report}");
    }
    let panic = catch_unwind(AssertUnwindSafe(|| report.assert_passed())).expect_err("assert_passed() passed");
    let text = panic.downcast_ref::<String>().expect("a panic has a text");
    assert!(report.failed().iter().all(|(case, _)| text.contains(case.name())));
}

#[track_caller]
fn assert_damage_breaks(damage: impl Fn(&Request, &mut Response) + Send + Sync, broken: &[&str], sound: &[&str]) {
    assert_breaks(&Damaged(Memory::new(conformance::application(), ""), damage), "", broken, sound);
}

#[track_caller]
fn assert_middleware_breaks(middleware: impl Fn(App) -> App, broken: &[&str], sound: &[&str]) {
    assert_breaks(&Memory::new(conformance::application().wrap(middleware), ""), "", broken, sound);
}

/// The request of a case, and not one for what was noted.
fn is_of_a_case(request: &Request) -> bool {
    let name = request.headers().find(|(name, _)| *name == "x-conformance").map(|(_, value)| value);
    !matches!(name, Some(b"notes" | b"tell") | None)
}

#[test]
fn a_gateway_that_loses_the_last_byte() {
    let damage = |request: &Request, response: &mut Response| {
        if is_of_a_case(request) {
            response.body.truncate(response.body.len().saturating_sub(1));
        }
    };
    assert_damage_breaks(damage, &["B1", "S1", "I1", "F1"], &["H2"]);
}

#[test]
fn a_gateway_that_passes_aborts_off_as_ends() {
    assert_damage_breaks(|_, response| response.complete = true, &["G10", "X4", "F4", "B7"], &["H5", "X1"]);
}

#[test]
fn a_gateway_that_joins_lines() {
    let damage = |_: &Request, response: &mut Response| {
        let lines = response.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned());
        let lines: Vec<String> = lines.collect();
        if let [_, _, ..] = &lines[..] {
            response.headers.insert("set-cookie", lines.join(", ").parse().unwrap());
        }
    };
    assert_damage_breaks(damage, &["H1"], &["H2", "B1"]);
}

#[test]
fn a_gateway_that_decodes_twice() {
    let twice = middleware::map_environ(|environ| {
        let path = environ.path_info_bytes().into_owned();
        let decoded = String::from_utf8_lossy(&path).replace("%2C", ",").into_bytes();
        if decoded != path {
            environ.set_path(b"", &decoded).unwrap();
        }
    });
    assert_middleware_breaks(twice, &["E1"], &["E10"]);
}

#[test]
fn a_gateway_that_forgets_the_mount_point() {
    let forgets = middleware::map_environ(|environ| {
        let path = [environ.script_name().as_bytes(), &environ.path_info_bytes()].concat();
        environ.set_path(b"", &path).unwrap();
    });
    let client = Memory::new(conformance::application().wrap(forgets), "/mnt");
    assert_breaks(&client, "/mnt", &["E3"], &["E10", "H1"]);
}

#[test]
fn a_gateway_that_trusts_headers() {
    let trusts = middleware::map_environ(|environ| {
        if environ.headers().get("x-forwarded-host").is_some() {
            environ.set_server("evil.example", 82);
        }
        if let Some(spoofed) = environ.headers_mut().remove("x_auth") {
            environ.headers_mut().insert("x-auth", spoofed);
        }
    });
    assert_middleware_breaks(trusts, &["E16", "E8"], &["E10"]);
}

#[test]
fn a_middleware_that_loses_headers() {
    let loses = middleware::map_head(|head| {
        head.headers.remove("x-kind");
        head.headers.remove("content-length");
    });
    assert_middleware_breaks(loses, &["S1", "H1", "F3", "F9"], &["H5", "E3"]);
}

#[test]
fn a_middleware_that_hides_errors() {
    let hides = |inner: App| {
        app_fn(move |environ, start_response| {
            capture(&inner, environ, start_response, |response, start_response| {
                let (head, body) = response.unwrap_or_else(|_| (Head::new(200), "an empty page".into()));
                start_response.send(head)?;
                Ok(body)
            })
        })
    };
    assert_middleware_breaks(hides, &["S2", "S3", "S4", "S5", "X1"], &["B1", "F9"]);
}

#[test]
fn a_middleware_that_gathers_blocks() {
    let gathers = middleware::map_body(|body| {
        let mut blocks = body.into_iter();
        Body::try_iter(std::iter::from_fn(move || {
            let gathered: Result<Vec<_>> = blocks.by_ref().take(500).collect();
            match gathered {
                Ok(blocks) if blocks.is_empty() => None,
                gathered => Some(gathered.map(|blocks| blocks.concat())),
            }
        }))
    });
    assert_middleware_breaks(gathers, &["B6"], &["H5", "E3"]);
}

#[test]
fn a_gateway_that_adds_a_header() {
    // Nothing is wrong with that, if it is no header of the application's.
    let adds = middleware::map_head(|head| {
        head.headers.insert("x-served-by", HeaderValue::from_static("a test"));
    });
    conformance::run(&Memory::new(conformance::application().wrap(adds), ""), "").assert_passed();
}

#[test]
fn a_client_that_panics_fails_its_cases() {
    struct Panics;
    impl Client for Panics {
        fn supports(&self, _: Need) -> bool {
            false
        }
        fn send(&self, _: &Request, _: Watch<'_>) -> Result<Response> {
            panic!("the client is broken")
        }
    }
    let report = conformance::run(&Panics, "");
    assert!(report.passed().is_empty(), "{report}");
    assert!(report.failed().iter().all(|(_, why)| why.contains("the client is broken")), "{report}");
}

/// A client that can do nothing beyond a request and a response.
pub(crate) struct Poor;

impl Client for Poor {
    fn supports(&self, _: Need) -> bool {
        false
    }

    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
        let response = Memory::new(conformance::application(), "").send(request, &mut |_| ControlFlow::Continue(()))?;
        let _ = watch(&response.body);
        Ok(response)
    }
}
