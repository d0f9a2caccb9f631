//! `security_headers`.

use vestibule::middleware::SecurityHeaders;
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Head, app_fn, header, middleware};

use super::across::across;

const DEFAULTS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

fn app(head: impl Fn() -> Head + Send + Sync + 'static) -> App {
    app_fn(move |_, start_response| {
        start_response.send(head().header("content-type", "text/plain"))?;
        Ok("tea".into())
    })
}

/// The answer to a request that came by this scheme.
fn by(scheme: &str, settings: SecurityHeaders) -> TestResponse {
    let server = TestServer::new(app(|| Head::new(200)).wrap(middleware::security_headers(settings)));
    server.get(format!("{scheme}://localhost/")).send()
}

#[test]
fn the_defaults_are_on_every_answer() {
    across(middleware::security_headers(SecurityHeaders::new()), |what, _, seen| {
        for (name, value) in DEFAULTS {
            assert_eq!(seen.header(name), Some(value), "{what}: {name}");
        }
        assert_eq!(seen.headers.get_all("x-frame-options").iter().count(), 1, "{what}");
    });
    let broken = app_fn(|_, _| Err("broken".into()));
    let response =
        TestServer::new(broken.wrap(middleware::security_headers(SecurityHeaders::default()))).get("/").send();
    assert_eq!((response.status().as_u16(), response.header("x-content-type-options")), (500, Some("nosniff")));
}

#[test]
fn what_is_not_asked_for_is_not_there() {
    let response = by("https", SecurityHeaders::new());
    let ours = response.headers().keys().filter(|name| !["content-type", "content-length"].contains(&name.as_str()));
    assert_eq!(ours.count(), DEFAULTS.len(), "{:?}", response.headers());
}

#[test]
fn what_the_application_sets_stays() {
    let app = app(|| {
        DEFAULTS
            .iter()
            .fold(Head::new(200), |head, (name, _)| head.header(*name, "mine"))
            .header("content-security-policy", "a")
            .header("content-security-policy", "b")
            .header("strict-transport-security", "max-age=0")
    });
    let settings = SecurityHeaders::new().content_security_policy("default-src 'self'").unwrap();
    let settings = settings.strict_transport_security("max-age=600").unwrap();
    let server = TestServer::new(app.wrap(middleware::security_headers(settings)));
    let response = server.get("https://localhost/").send();
    for (name, _) in DEFAULTS {
        assert_eq!(response.headers().get_all(name).iter().collect::<Vec<_>>(), ["mine"], "{name}");
    }
    assert_eq!(response.headers().get_all("content-security-policy").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(response.header("strict-transport-security"), Some("max-age=0"));
}

#[test]
fn strict_transport_security_is_for_https_alone() {
    let settings = || SecurityHeaders::new().strict_transport_security("max-age=63072000; includeSubDomains").unwrap();
    assert_eq!(by("http", settings()).header("strict-transport-security"), None);
    let response = by("https", settings());
    assert_eq!(response.header("strict-transport-security"), Some("max-age=63072000; includeSubDomains"));
    assert_eq!(response.header("x-frame-options"), Some("SAMEORIGIN"), "the others are there as well");
    // What knows the proxy is around this and has set the scheme.
    let proxied = middleware::map_environ(|environ| environ.set_url_scheme(http::uri::Scheme::HTTPS));
    let app = app(|| Head::new(200)).wrap(middleware::security_headers(settings())).wrap(proxied);
    assert!(TestServer::new(app).get("/").send().header("strict-transport-security").is_some());
}

#[test]
fn every_setting_is_a_header_and_the_last_value_counts() {
    let settings = SecurityHeaders::new()
        .frame_options("SAMEORIGIN")
        .and_then(|settings| settings.frame_options("DENY"))
        .and_then(|settings| settings.referrer_policy("no-referrer, Same-Origin"))
        .and_then(|settings| settings.content_security_policy("default-src 'self'"))
        .and_then(|settings| settings.content_security_policy_report_only("default-src 'none'"))
        .and_then(|settings| settings.permissions_policy("camera=()"))
        .and_then(|settings| settings.cross_origin_opener_policy("same-origin-allow-popups"))
        .and_then(|settings| settings.cross_origin_embedder_policy("require-corp"))
        .and_then(|settings| settings.cross_origin_resource_policy("same-site"))
        .unwrap();
    let response = by("http", settings);
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer, Same-Origin"),
        ("content-security-policy", "default-src 'self'"),
        ("content-security-policy-report-only", "default-src 'none'"),
        ("permissions-policy", "camera=()"),
        ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-site"),
    ] {
        assert_eq!(response.headers().get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
    }
}

#[test]
fn a_header_can_be_left_out() {
    let settings = SecurityHeaders::new().strict_transport_security("max-age=1").unwrap();
    let settings = settings.without(&header::X_FRAME_OPTIONS).without(&header::STRICT_TRANSPORT_SECURITY);
    let response = by("https", settings);
    assert_eq!(response.header("x-frame-options"), None);
    assert_eq!(response.header("strict-transport-security"), None);
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn a_value_that_protects_nobody_is_refused_when_it_is_set() {
    let new = SecurityHeaders::new;
    let refused = [
        ("x-frame-options", new().frame_options("SAME-ORIGIN")),
        ("x-frame-options", new().frame_options("ALLOW-FROM https://a.example")),
        ("x-frame-options", new().frame_options("")),
        ("referrer-policy", new().referrer_policy("noreferrer")),
        ("referrer-policy", new().referrer_policy("no-referrer,")),
        ("content-security-policy", new().content_security_policy(" ")),
        ("content-security-policy", new().content_security_policy("default-src\n'self'")),
        ("content-security-policy-report-only", new().content_security_policy_report_only("")),
        ("permissions-policy", new().permissions_policy("")),
        ("cross-origin-opener-policy", new().cross_origin_opener_policy("sameorigin")),
        ("cross-origin-embedder-policy", new().cross_origin_embedder_policy("corp")),
        ("cross-origin-resource-policy", new().cross_origin_resource_policy("same")),
        ("strict-transport-security", new().strict_transport_security("")),
        ("strict-transport-security", new().strict_transport_security("includeSubDomains")),
        ("strict-transport-security", new().strict_transport_security("max-age=")),
        ("strict-transport-security", new().strict_transport_security("max-age=1 year")),
        ("strict-transport-security", new().strict_transport_security("max-age=1; max-age=2")),
        ("strict-transport-security", new().strict_transport_security("max-age=1;\r\nx: y")),
    ];
    for (name, settings) in refused {
        let error = settings.map(drop).unwrap_err().to_string();
        assert!(error.starts_with("SecurityHeaders: ") && error.contains(name), "{error}");
    }
    for value in ["max-age=0", "MAX-AGE = \"600\" ; preload", "includeSubDomains; max-age=31536000"] {
        assert!(new().strict_transport_security(value).is_ok(), "{value}");
    }
}
