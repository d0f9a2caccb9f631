//! `trusted_proxies`: whom it believes, what it believes, and that nothing else is left.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use vestibule::middleware::{self, TrustedProxies, trusted_proxies};
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Environ, HeaderName, HeaderValue, app_fn};

use super::passing::passes_everything;

const HEADERS: [&str; 7] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-ssl",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "forwarded",
];

/// Says what it sees: the client, the scheme, the Host, the server, the paths, and what is left of the headers.
fn show(environ: &Environ) -> String {
    let client = environ.remote_addr().map_or("-".to_owned(), |address| address.to_string());
    let host = environ.headers().get("host").map_or("-", |host| host.to_str().unwrap());
    let mut shown = format!(
        "{client} {} {host} {}:{} {:?} {}",
        environ.url_scheme(),
        environ.server_name(),
        environ.server_port(),
        environ.script_name(),
        environ.raw_path(),
    );
    for name in HEADERS {
        for value in environ.headers().get_all(name) {
            shown.push_str(&format!(" {name}={}", String::from_utf8_lossy(value.as_bytes())));
        }
    }
    shown
}

fn shows() -> App {
    app_fn(|environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(show(&environ).into())
    })
}

fn ask(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)]) -> TestResponse {
    let server = TestServer::new(shows().wrap(trusted_proxies(proxies.clone())));
    let mut request = server.get("/a%2Fb").remote_addr(peer.parse().unwrap());
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request.send()
}

/// What is seen of a request by a trusted peer, 10.0.0.1.
fn seen(proxies: &TrustedProxies, headers: &[(&str, &str)]) -> String {
    ask(proxies, "10.0.0.1:9", headers).text()
}

/// The first word of it: the client.
fn client(proxies: &TrustedProxies, headers: &[(&str, &str)]) -> String {
    seen(proxies, headers).split(' ').next().unwrap().to_owned()
}

fn nobody() -> TrustedProxies {
    TrustedProxies::new()
}

fn ten() -> TrustedProxies {
    nobody().network("10.0.0.0/8").unwrap()
}

/// All that can be read but Forwarded.
fn everything() -> TrustedProxies {
    let proxies = ten().x_forwarded_for().x_forwarded_proto().x_forwarded_ssl();
    proxies.x_forwarded_host().x_forwarded_port().x_forwarded_prefix()
}

const LIES: [(&str, &str); 9] = [
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-for", "192.0.2.2, 10.0.0.2"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-ssl", "on"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-port", "444"),
    ("x-forwarded-prefix", "/evil"),
    ("forwarded", "for=192.0.2.1;proto=https;host=evil.example"),
    ("forwarded", "for=\"broken"),
];

#[test]
fn what_no_proxy_has_touched_passes() {
    passes_everything(trusted_proxies(nobody()));
    passes_everything(trusted_proxies(everything().forwarded().loopback().unix_sockets()));
}

#[test]
fn by_default_nobody_is_trusted_and_everything_is_removed() {
    let untouched = "10.0.0.1:9 http localhost localhost:80 \"\" /a%2Fb";
    assert_eq!(seen(&nobody(), &LIES), untouched);
    // Whoever is trusted is not believed what is not read.
    assert_eq!(seen(&ten(), &LIES), untouched);
    // What would be read is not believed of those who are not trusted.
    for proxies in [everything(), everything().forwarded(), everything().loopback(), everything().unix_sockets()] {
        let text = ask(&proxies, "192.0.2.9:1", &LIES).text();
        assert_eq!(text, untouched.replace("10.0.0.1:9", "192.0.2.9:1"));
    }
}

#[test]
fn peers_are_trusted_by_network_address_loopback_and_unix_socket() {
    let forwarded = [("x-forwarded-for", "192.0.2.1")];
    let believes =
        |proxies: &TrustedProxies, peer: &str| ask(proxies, peer, &forwarded).text().starts_with("192.0.2.1:0 ");
    let proxies = nobody().x_forwarded_for();
    let one = proxies.clone().network("198.51.100.7").unwrap().network("2001:db8::/32").unwrap();
    for (peer, is_trusted) in [
        ("198.51.100.7:1", true),
        ("198.51.100.8:1", false),
        ("[::ffff:198.51.100.7]:1", true),
        ("[::ffff:198.51.100.8]:1", false),
        ("[2001:db8::1]:1", true),
        ("[2001:db9::1]:1", false),
        ("127.0.0.1:1", false),
    ] {
        assert_eq!(believes(&one, peer), is_trusted, "{peer}");
    }
    let loopback = proxies.clone().loopback();
    for (peer, is_trusted) in
        [("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("[::2]:1", false), ("128.0.0.1:1", false)]
    {
        assert_eq!(believes(&loopback, peer), is_trusted, "{peer}");
    }
    let mapped = proxies.clone().network("::ffff:198.51.100.7").unwrap();
    assert!(believes(&mapped, "198.51.100.7:1"));
    // A peer without an address.
    for (proxies, expected) in [(loopback, "-"), (proxies.unix_sockets(), "192.0.2.1:0")] {
        let no_address = middleware::map_environ(|environ| environ.set_remote_addr(None));
        let server = TestServer::new(shows().wrap(trusted_proxies(proxies)).wrap(no_address));
        let text = server.get("/").header("x-forwarded-for", "192.0.2.1").send().text();
        assert_eq!(text.split(' ').next(), Some(expected));
    }
    for network in ["", "10", "10.0.0.0/33", "10.0.0.0/", "localhost", "10.0.0.1:80", "[::1]", "*"] {
        assert!(nobody().network(network).unwrap_err().is_gateway(), "{network}");
    }
}

#[test]
fn the_client_is_the_right_most_address_that_is_not_trusted() {
    let proxies = ten().x_forwarded_for();
    for (lines, expected, left) in [
        (&["192.0.2.1"][..], "192.0.2.1:0", "192.0.2.1"),
        (&["6.6.6.6, 192.0.2.1"], "192.0.2.1:0", "192.0.2.1"),
        (&["evil, 192.0.2.1"], "192.0.2.1:0", "192.0.2.1"),
        (&["192.0.2.1, 10.0.0.3"], "192.0.2.1:0", "192.0.2.1, 10.0.0.3"),
        (&["6.6.6.6,192.0.2.1 ,10.0.0.3,\t10.0.0.2"], "192.0.2.1:0", "192.0.2.1, 10.0.0.3, 10.0.0.2"),
        (&["6.6.6.6", "192.0.2.1", "10.0.0.3"], "192.0.2.1:0", "192.0.2.1, 10.0.0.3"),
        (&["192.0.2.1:4711"], "192.0.2.1:4711", "192.0.2.1:4711"),
        (&["2001:db8::1"], "[2001:db8::1]:0", "2001:db8::1"),
        (&["6.6.6.6, [2001:db8::1]:4711"], "[2001:db8::1]:4711", "[2001:db8::1]:4711"),
        (&["::ffff:10.0.0.3, ::ffff:192.0.2.1"], "192.0.2.1:0", "::ffff:192.0.2.1"),
        // Of a chain of proxies alone it is the first.
        (&["10.0.0.4, 10.0.0.3"], "10.0.0.4:0", "10.0.0.4, 10.0.0.3"),
        // Behind what is hidden nobody is known, whatever stands there.
        (&["192.0.2.1, unknown"], "10.0.0.1:9", ""),
        (&["192.0.2.1, _hidden, 10.0.0.3"], "10.0.0.3:0", "10.0.0.3"),
        (&["192.0.2.1, <script>, 10.0.0.3"], "10.0.0.3:0", "10.0.0.3"),
        (&["192.0.2.1, 300.0.2.1"], "10.0.0.1:9", ""),
        (&[", ,192.0.2.1,,"], "192.0.2.1:0", "192.0.2.1"),
        (&[""], "10.0.0.1:9", ""),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        let text = seen(&proxies, &headers);
        let left = if left.is_empty() { String::new() } else { format!(" x-forwarded-for={left}") };
        assert_eq!(text, format!("{expected} http localhost localhost:80 \"\" /a%2Fb{left}"), "{lines:?}");
    }
}

#[test]
fn scheme_host_and_port_follow_what_the_proxy_says() {
    let proxies = everything();
    let server = |headers: &[(&str, &str)]| {
        let text = seen(&proxies, headers);
        text.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" ")
    };
    let (proto, ssl, host, port) = ("x-forwarded-proto", "x-forwarded-ssl", "x-forwarded-host", "x-forwarded-port");
    for (headers, expected) in [
        (&[(proto, "https")][..], "https localhost localhost:443"),
        (&[(proto, "HTTPS")], "https localhost localhost:443"),
        (&[(proto, "http")], "http localhost localhost:80"),
        (&[(ssl, "on")], "https localhost localhost:443"),
        (&[(ssl, "off")], "http localhost localhost:80"),
        (&[(proto, "https"), (ssl, "on")], "https localhost localhost:443"),
        (&[(proto, "gopher")], "http localhost localhost:80"),
        (&[(proto, "")], "http localhost localhost:80"),
        (&[(proto, "https"), ("host", "a.example:8000")], "https a.example:8000 localhost:8000"),
        (&[(host, "a.example")], "http a.example a.example:80"),
        (&[(host, "a.example:8080")], "http a.example:8080 a.example:8080"),
        (&[(host, "a.example:443"), (proto, "https")], "https a.example a.example:443"),
        (&[(host, "a.example"), (port, "8443"), (proto, "https")], "https a.example:8443 a.example:8443"),
        (&[(host, "a.example:1"), (port, "443"), (proto, "https")], "https a.example a.example:443"),
        (&[(host, "[2001:db8::1]:81")], "http [2001:db8::1]:81 [2001:db8::1]:81"),
        (&[(port, "8080")], "http localhost:8080 localhost:8080"),
        (&[(port, "8080"), ("host", "a.example:1")], "http a.example:8080 localhost:8080"),
        (&[(port, "0")], "http localhost localhost:80"),
        (&[(port, "65536")], "http localhost localhost:80"),
        (&[(port, "+80")], "http localhost localhost:80"),
        (&[(host, "evil.example/"), (proto, "http")], "http localhost localhost:80"),
        (&[(host, "user@evil.example")], "http localhost localhost:80"),
        (&[(host, "a.example:x")], "http localhost localhost:80"),
    ] {
        assert_eq!(server(headers), expected, "{headers:?}");
    }
    // What was ignored is removed, what was believed stays.
    let text = seen(&proxies, &[(proto, "gopher"), (host, "a/b"), (port, "x"), (ssl, "maybe")]);
    assert_eq!(text, "10.0.0.1:9 http localhost localhost:80 \"\" /a%2Fb");
    let text = seen(&proxies, &[(proto, "http, https"), (host, "evil.example, a.example")]);
    assert!(text.ends_with("x-forwarded-proto=https x-forwarded-host=a.example"), "{text}");
}

#[test]
fn of_a_list_it_is_the_right_most_however_many_proxies_there_are() {
    let proxies = everything();
    let scheme = |addresses: &str, proto: &[&str]| {
        let mut headers = vec![("x-forwarded-for", addresses)];
        headers.extend(proto.iter().map(|proto| ("x-forwarded-proto", *proto)));
        seen(&proxies, &headers).split(' ').nth(1).unwrap().to_owned()
    };
    for addresses in ["192.0.2.1", "192.0.2.1, 10.0.0.2", "6.6.6.6, 192.0.2.1, 10.0.0.3, 10.0.0.2"] {
        assert_eq!(scheme(addresses, &["https"]), "https");
        // The outer proxy has added its part to the client's, and the inner one has let it pass.
        assert_eq!(scheme(addresses, &["https, http"]), "http");
        assert_eq!(scheme(addresses, &["https", "http"]), "http");
        assert_eq!(scheme(addresses, &["gopher, http", "ftp, https"]), "https");
    }
}

/// gunicorn's invalid/019: one of the two is the client's.
#[test]
fn two_schemes_that_contradict_each_other_are_refused() {
    for (proto, ssl) in [("http", "on"), ("https", "off")] {
        let headers = [("x-forwarded-proto", proto), ("x-forwarded-ssl", ssl)];
        let response = ask(&everything(), "10.0.0.1:9", &headers);
        assert_eq!((response.status().as_u16(), response.text().as_str()), (400, "400 Bad Request\n"));
        assert!(response.errors().contains("contradict each other"), "{}", response.errors());
        // Of those who are not trusted nothing is refused, as nothing is read.
        assert_eq!(ask(&everything(), "192.0.2.9:1", &headers).status(), 200);
        assert_eq!(ask(&ten().x_forwarded_proto(), "10.0.0.1:9", &headers).status(), 200);
    }
}

#[test]
fn a_prefix_comes_before_the_path_and_is_nothing_but_one() {
    let proxies = ten().x_forwarded_prefix();
    let paths = |prefix: &str| {
        let text = seen(&proxies, &[("x-forwarded-prefix", prefix)]);
        text.split(' ').skip(4).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(paths("/app"), "\"/app\" /app/a%2Fb x-forwarded-prefix=/app");
    assert_eq!(paths("/app/"), "\"/app\" /app/a%2Fb x-forwarded-prefix=/app/");
    assert_eq!(paths("/a/%C3%A9"), "\"/a/\u{e9}\" /a/%C3%A9/a%2Fb x-forwarded-prefix=/a/%C3%A9");
    for prefix in
        ["//evil", "/", "app", "/../x", "/%2e%2e", "/a//b", "/a\\b", "http://evil", "/a?b", "/%0d%0a", "/%zz", ""]
    {
        assert_eq!(paths(prefix), "\"\" /a%2Fb", "{prefix}");
    }
    let long = format!("/{}", "x".repeat(65_530));
    assert_eq!(ask(&proxies, "10.0.0.1:9", &[("x-forwarded-prefix", &long)]).status(), 414);
    // Before the prefix that the application is mounted at, and not before `OPTIONS *`.
    let server =
        TestServer::new(shows().wrap(trusted_proxies(ten().x_forwarded_prefix().loopback()))).mounted_at("/mnt");
    let text = server.get("/x").header("x-forwarded-prefix", "/app").send().text();
    assert!(text.contains("\"/app/mnt\" /app/mnt/x"), "{text}");
    let text = server.request("OPTIONS", "*").header("x-forwarded-prefix", "/app").send().text();
    assert!(text.contains("\"\" *"), "{text}");
}

#[test]
fn forwarded_says_all_in_one_place() {
    let proxies = ten().forwarded();
    for (lines, expected) in [
        (&["for=192.0.2.1"][..], "192.0.2.1:0 http localhost localhost:80 \"\" /a%2Fb forwarded=for=192.0.2.1"),
        (
            &["for=192.0.2.1;proto=https;host=a.example;by=10.0.0.1"],
            "192.0.2.1:0 https a.example a.example:443 \"\" /a%2Fb forwarded=for=192.0.2.1;proto=https;host=a.example;by=10.0.0.1",
        ),
        (
            &["for=6.6.6.6;host=evil.example, for=\"[2001:db8::1]:47\";proto=https , For=10.0.0.3;PROTO=http"],
            "[2001:db8::1]:47 https localhost localhost:443 \"\" /a%2Fb \
             forwarded=for=\"[2001:db8::1]:47\";proto=https, For=10.0.0.3;PROTO=http",
        ),
        (
            &["for=6.6.6.6, for=\"broken", "for=192.0.2.1", "for=10.0.0.2"],
            "192.0.2.1:0 http localhost localhost:80 \"\" /a%2Fb forwarded=for=192.0.2.1, for=10.0.0.2",
        ),
        (&["for=6.6.6.6, for=unknown"], "10.0.0.1:9 http localhost localhost:80 \"\" /a%2Fb forwarded=for=unknown"),
        (&["for=6.6.6.6, for=_gazonk"], "10.0.0.1:9 http localhost localhost:80 \"\" /a%2Fb forwarded=for=_gazonk"),
        (
            &["for=\"192.0.2.1:_port\""],
            "192.0.2.1:0 http localhost localhost:80 \"\" /a%2Fb forwarded=for=\"192.0.2.1:_port\"",
        ),
        (&["proto=https"], "10.0.0.1:9 https localhost localhost:443 \"\" /a%2Fb forwarded=proto=https"),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        assert_eq!(seen(&proxies, &headers), expected, "{lines:?}");
    }
    // It is read in place of the others, which are removed.
    let text = seen(&everything().forwarded(), &[&LIES[..6], &[("forwarded", "for=192.0.2.9")]].concat());
    assert_eq!(
        text,
        "192.0.2.9:0 http localhost:444 localhost:444 \"\" /a%2Fb x-forwarded-port=444 forwarded=for=192.0.2.9"
    );
}

/// Rack CVE-2026-32762, and its relatives.
#[test]
fn what_stands_in_quotes_is_no_parameter_and_what_cannot_be_split_is_refused() {
    let proxies = ten().forwarded();
    let text = seen(&proxies, &[("forwarded", r#"for=1;host="a;proto=https""#)]);
    assert_eq!(text, r#"10.0.0.1:9 http localhost localhost:80 "" /a%2Fb forwarded=for=1;host="a;proto=https""#);
    let text = seen(&proxies, &[("forwarded", r#"for="192.0.2.1, for=6.6.6.6", for=192.0.2.9"#)]);
    assert!(text.starts_with("192.0.2.9:0 "), "{text}");
    for line in [
        // A client that opens a quote, and the proxy that adds its part behind.
        "for=\", for=192.0.2.1",
        "for=x;host=\"\\, for=192.0.2.1",
        "for=192.0.2.1;for=6.6.6.6",
        "for=192.0.2.1 6.6.6.6",
        "for=192.0.2.1;proto",
        "for=\u{e9}",
    ] {
        let response = ask(&proxies, "10.0.0.1:9", &[("forwarded", line)]);
        assert_eq!(response.status(), 400, "{line}");
        assert_eq!(ask(&proxies, "192.0.2.9:1", &[("forwarded", line)]).status(), 200, "{line}");
    }
}

#[test]
fn a_long_list_takes_linear_time() {
    let proxies = everything();
    for text in ["10.0.0.2,", ",", "x,", "10.0.0.2, "] {
        let long = text.repeat(60_000);
        assert_eq!(
            ask(&proxies, "10.0.0.1:9", &[("x-forwarded-for", &long), ("x-forwarded-proto", &long)]).status(),
            200
        );
    }
    for (text, status) in [("for=10.0.0.2,", 200), (";", 200), ("for=\"\\\"", 400), ("a=\"\";", 200), ("for=\"a", 400)]
    {
        let long = text.repeat(60_000);
        let response = ask(&proxies.clone().forwarded(), "10.0.0.1:9", &[("forwarded", &long)]);
        assert_eq!(response.status(), status, "{text}");
    }
}

/// The names and values that a client or a proxy may send.
fn arbitrary_headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let name = prop::sample::select(&HEADERS[..]);
    let likely = prop::sample::select(vec![
        "192.0.2.1",
        "10.0.0.2",
        "unknown",
        "_x",
        "[2001:db8::1]:1",
        "https",
        "http",
        "on",
        "off",
        "a.example",
        "a.example:80",
        "443",
        "/app",
        "//evil",
        "for=192.0.2.1",
        "for=10.0.0.2;proto=https",
        "host=\"a\"",
        "for=\"[::1]\"",
    ]);
    let text = prop_oneof![
        4 => prop::collection::vec(likely, 0..4).prop_map(|parts| parts.join(", ").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec((name, text), 0..10)
}

proptest! {
    /// Whatever a stranger sends, the application sees what it would have seen without it; whatever a proxy sends, the
    /// request is refused or makes sense, and the client's address is one that was written or the peer's.
    #[test]
    fn strangers_change_nothing_and_proxies_nothing_into_nonsense(headers in arbitrary_headers(), is_forwarded: bool) {
        let proxies = if is_forwarded { everything().forwarded() } else { everything() };
        let calls = Arc::new(AtomicUsize::new(0));
        let called = Arc::clone(&calls);
        let checks = app_fn(move |environ, start_response| {
            called.fetch_add(1, Ordering::SeqCst);
            for name in HEADERS {
                assert!(environ.headers().get_all(name).iter().count() <= 1);
            }
            assert!(matches!(environ.url_scheme().as_str(), "http" | "https"));
            assert!(!environ.script_name().starts_with("//") && !environ.raw_path().starts_with("//"));
            assert!(environ.raw_path().ends_with("/a%2Fb") && environ.path_info() == "/a/b");
            assert!(environ.remote_addr().is_some() && !environ.server_name().is_empty() && environ.server_port() > 0);
            assert!(environ.url().parse::<http::Uri>().is_ok(), "{}", environ.url());
            start_response.start(200, [("content-type", "text/plain")])?;
            Ok(show(&environ).into())
        });
        let server = TestServer::new(checks.wrap(trusted_proxies(proxies)));
        let send = |peer: &str, headers: &[(&'static str, Vec<u8>)]| {
            let mut request = server.get("/a%2Fb").remote_addr(peer.parse::<SocketAddr>().unwrap());
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    request = request.header(HeaderName::from_static(name), value);
                }
            }
            request.send()
        };
        prop_assert_eq!(send("192.0.2.9:1", &headers).text(), send("192.0.2.9:1", &[]).text());
        let status = send("10.0.0.1:9", &headers).status().as_u16();
        prop_assert!(status == 200 || status == 400, "{}", status);
        prop_assert_eq!(calls.load(Ordering::SeqCst), if status == 200 { 3 } else { 2 });
    }

    /// A proxy that appends what it has seen is believed that, whatever the client has put before it.
    #[test]
    fn nothing_before_the_part_of_a_proxy_can_hide_its_client(garbage in "[0-9a-f.:, \\[\\]_x\"]{0,40}") {
        let line = format!("{garbage}, 192.0.2.77");
        prop_assert_eq!(client(&ten().x_forwarded_for(), &[("x-forwarded-for", &line)]), "192.0.2.77:0");
        let response = ask(&ten().forwarded(), "10.0.0.1:9", &[("forwarded", &format!("{garbage}, for=192.0.2.77"))]);
        prop_assert!(response.status() == 400 || response.text().starts_with("192.0.2.77:0 "));
    }
}
