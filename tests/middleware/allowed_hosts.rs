//! `allowed_hosts`.

use http::HeaderValue;
use proptest::prelude::*;
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, app_fn, middleware};

use super::across::{across_requests, is_shared};

/// Answers with its URL, of which it makes links.
fn app() -> App {
    app_fn(|environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(environ.url().into())
    })
}

fn server(hosts: &[&str]) -> TestServer {
    // Lint objects to what a gateway should have refused; middleware must not rely on that.
    TestServer::new(app().wrap(middleware::allowed_hosts(hosts).unwrap())).without_lint()
}

fn ask(server: &TestServer, host: &[u8]) -> TestResponse {
    server.get("/").header("host", HeaderValue::from_bytes(host).unwrap()).send()
}

#[test]
fn answers_to_requests_for_our_hosts_stay_as_they_are() {
    let request = || http::Request::get("/path").header("host", "example.org").body(()).unwrap();
    across_requests(request, middleware::allowed_hosts(["example.org"]).unwrap(), |_, _, _| {});
}

#[test]
fn a_host_is_compared_as_dns_does() {
    let server =
        server(&["example.org", ".example.net", "127.0.0.1", "[::1]", "2001:db8::2", "xn--bcher-kva.example."]);
    let rows: &[(&str, u16)] = &[
        ("example.org", 200),
        ("EXAMPLE.org", 200),
        ("example.org.", 200),
        ("example.org:8000", 200),
        ("example.org.:80", 200),
        ("example.org:", 200),
        ("example.net", 200),
        ("www.example.net", 200),
        ("a.b.EXAMPLE.net.:1", 200),
        ("127.0.0.1:80", 200),
        ("[::1]", 200),
        ("[::1]:8000", 200),
        ("[0:0::0:1]", 200),
        ("[2001:DB8::2]:1", 200),
        ("xn--bcher-kva.example", 200),
        ("XN--BCHER-KVA.example.", 200),
        // Others, and those that only look like ours.
        ("evilexample.org", 421),
        ("evilexample.net", 421),
        ("www.example.org", 421),
        ("example.org.evil.test", 421),
        ("example.net.evil.test", 421),
        ("example", 421),
        ("org", 421),
        ("127.0.0.2", 421),
        ("2130706433", 421),
        ("[::2]", 421),
        ("[::ffff:127.0.0.1]", 421),
        // No host names.
        (".example.net", 400),
        ("a..example.net", 400),
        ("example.org..", 400),
        (".", 400),
        (":80", 400),
        ("example.org:80:80", 400),
        ("example.org:http", 400),
        ("example.org:+80", 400),
        ("user@example.org", 400),
        ("evil.test/.example.net", 400),
        ("evil.test#.example.net", 400),
        ("evil.test?.example.net", 400),
        ("evil.test\\.example.net", 400),
        ("evil.test,example.org", 400),
        ("example.org, example.org", 400),
        ("example.org\t", 400),
        ("ex%61mple.org", 400),
        ("bücher.example", 400),
        ("[::1", 400),
        ("::1", 400),
        ("[::1]x", 400),
        ("[::1]:x", 400),
        ("[::1]80", 400),
        ("[::1]:80:80", 400),
        ("[]", 400),
        ("[::1%25eth0]", 400),
        ("[[::1]]", 400),
        ("[v1.a]", 400),
        ("[example.org]", 400),
    ];
    for (host, status) in rows {
        let response = ask(&server, host.as_bytes());
        assert_eq!(response.status(), *status, "{host}");
        match status {
            200 => assert_eq!(response.text(), format!("http://{host}/")),
            421 => assert_eq!(response.text(), "421 Misdirected Request\n", "{host}"),
            _ => assert_eq!(response.text(), "400 Bad Request\n", "{host}"),
        }
    }
    assert_eq!(ask(&server, b"example.org\xff").status(), 400);
}

#[test]
fn without_a_host_the_name_of_the_server_is_what_counts() {
    let named = |name: &'static str| middleware::map_environ(move |environ| environ.set_server(name, 80));
    let rows = [
        ("example.org", 200),
        ("EXAMPLE.ORG", 200),
        ("::1", 200),
        ("[::1]", 200),
        ("other.test", 400),
        ("a b", 400),
        ("::2", 400),
    ];
    for (name, status) in rows {
        let guarded = app().wrap(middleware::allowed_hosts(["example.org", "[::1]"]).unwrap()).wrap(named(name));
        let server = TestServer::new(guarded).without_lint();
        let absent = server.get("/").version(http::Version::HTTP_10).send();
        assert_eq!(absent.status(), status, "{name}, no Host");
        assert_eq!(ask(&server, b"").status(), status, "{name}, an empty Host");
        assert_eq!(ask(&server, b"other.test").status(), 421, "{name}: a Host wins over it");
    }
}

#[test]
fn of_two_hosts_nobody_knows_which_is_meant() {
    let server = server(&["example.org"]);
    for (first, second) in [("example.org", "example.org"), ("example.org", "other.test"), ("", "example.org")] {
        let response = server.get("/").header("host", first).header("host", second).send();
        assert_eq!(response.status(), 400, "{first:?} {second:?}");
    }
}

#[test]
fn forwarded_hosts_count_only_where_somebody_trusts_them() {
    let response = server(&["example.org"])
        .get("/")
        .header("host", "other.test")
        .header("x-forwarded-host", "example.org")
        .header("forwarded", "host=example.org")
        .send();
    assert_eq!(response.status(), 421);
}

#[test]
fn a_refused_request_does_not_reach_the_application() {
    let untouched = app_fn(|_, _| panic!("it was called"));
    let app = untouched.wrap(middleware::allowed_hosts(["example.org"]).unwrap());
    let response = TestServer::new(app).head("/").header("host", "other.test").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (421, ""));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.errors(), "");
}

#[test]
fn a_list_that_is_wrong_is_refused_when_it_is_set() {
    let fault = |host: &str| middleware::allowed_hosts([host]).map(drop).unwrap_err().to_string();
    for (host, cure) in [
        ("", "like example.org"),
        (".", "like example.org"),
        ("..", "like example.org"),
        ("..example.org", "like example.org"),
        ("a..b", "like example.org"),
        ("https://example.org", "without its port"),
        ("example.org/", "like example.org"),
        ("example.org:8000", "without its port"),
        ("[::1]:8000", "without its port"),
        ("*", "begins with a dot"),
        ("*.example.org", "begins with a dot"),
        ("bücher.example", "xn--"),
        ("a b", "like example.org"),
    ] {
        let fault = fault(host);
        assert!(fault.starts_with("allowed_hosts: ") && fault.contains(cure), "{host}: {fault}");
    }
    assert!(middleware::allowed_hosts([""; 0]).is_err());
    assert!(middleware::allowed_hosts(["example.org", "*"]).is_err());
}

#[test]
fn the_list_may_come_from_a_configuration() {
    let configured = vec!["example.org".to_owned(), ".example.net".to_owned()];
    let layer = is_shared(middleware::allowed_hosts(&configured).unwrap());
    drop(configured);
    let server = TestServer::new(app().wrap(layer));
    assert_eq!(server.get("/").header("host", "a.example.net").send().status(), 200);
}

/// Hosts made of the parts that attacks are made of.
fn hosts() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"example.org".to_vec()),
        Just(b".".to_vec()),
        Just(b":".to_vec()),
        Just(b"80".to_vec()),
        Just(b"evil".to_vec()),
        Just(b"[::1]".to_vec()),
        proptest::sample::select(b"@/\\#?%,;[] \t\x80EXAMPLEorg-_".to_vec()).prop_map(|byte| vec![byte]),
        any::<u8>().prop_filter("a header", |byte| *byte >= b' ' && *byte != 0x7f).prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_passes_is_a_url_of_ours_for_every_reader(host in hosts()) {
        let response = ask(&server(&[".example.org", "::1"]), &host);
        match response.status().as_u16() {
            200 if host.is_empty() => prop_assert!(false, "localhost is not in the list"),
            200 => {
                let uri: http::Uri = response.text().parse().unwrap();
                let name = uri.host().unwrap().to_ascii_lowercase();
                let name = name.strip_suffix('.').unwrap_or(&name);
                prop_assert!(name == "example.org" || name.ends_with(".example.org") || name == "[::1]", "{:?}", name);
                prop_assert!(uri.authority().unwrap().as_str().bytes().all(|byte| byte != b'@'));
            }
            status => prop_assert!(matches!(status, 400 | 421), "{}", status),
        }
    }
}
