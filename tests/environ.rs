//! `Environ`: every accessor and setter, the paths, the URL and the CGI view; rules E1, E2, E6 to E11.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use harness::Log;
use http::uri::Scheme;
use http::{HeaderValue, Method, Version};
use proptest::prelude::*;
use vestibule::testing::TestServer;
use vestibule::{Environ, Errors, app_fn};

/// A GET of a target, a path or a whole URI.
fn get(target: &str) -> Environ {
    http::Request::get(target).body(()).unwrap().into()
}

fn with_headers(headers: &[(&'static str, &str)]) -> Environ {
    let mut environ = get("/");
    for (name, value) in headers {
        environ.headers_mut().append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    environ
}

fn text(environ: &Environ, name: &str) -> Option<String> {
    Some(String::from_utf8(environ.var(name)?.into_owned()).unwrap())
}

fn vars(environ: &Environ) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, value) in environ.vars() {
        let before = all.insert(name.clone().into_owned(), String::from_utf8(value.into_owned()).unwrap());
        assert!(before.is_none(), "{name} is there once");
    }
    all
}

#[test]
fn an_environ_is_one_pointer_wide_and_can_be_shared() {
    fn assert_send_sync<T: Send + Sync + 'static>() {}
    assert_send_sync::<Environ>();
    assert_eq!(size_of::<Environ>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Environ>>(), size_of::<usize>());
}

#[test]
fn what_a_request_does_not_say_has_a_default() {
    let environ = get("/");
    assert_eq!(environ.method(), Method::GET);
    assert_eq!(environ.uri(), "/");
    assert_eq!(environ.version(), Version::HTTP_11);
    assert!(environ.headers().is_empty() && environ.extensions().is_empty());
    assert_eq!((environ.script_name(), environ.path_info()), (Cow::Borrowed(""), Cow::Borrowed("/")));
    assert_eq!((environ.raw_path(), environ.query_string()), ("/", ""));
    assert_eq!((environ.content_type(), environ.content_length()), (None, None));
    assert_eq!(
        (environ.server_name(), environ.server_port(), environ.server_protocol()),
        ("localhost", 80, "HTTP/1.1")
    );
    assert_eq!((environ.url_scheme(), environ.remote_addr()), (&Scheme::HTTP, None));
    assert!(environ.multithread() && !environ.multiprocess() && !environ.run_once());
    assert_eq!(environ.input().len(), Some(0));
    assert!(!environ.cancellation().is_cancelled());
    let secure = get("https://example.com/");
    assert_eq!((secure.url_scheme(), secure.server_port()), (&Scheme::HTTPS, 443));
}

#[test]
fn every_setter_is_seen_by_its_accessor_and_by_the_cgi_view() {
    let mut environ = get("/a?q=1");
    environ.set_method(Method::from_bytes(b"BREW").unwrap());
    assert_eq!((environ.method().as_str(), text(&environ, "REQUEST_METHOD").unwrap().as_str()), ("BREW", "BREW"));
    environ.set_query_string("x=%20&y=/?").unwrap();
    assert_eq!(
        (environ.query_string(), text(&environ, "QUERY_STRING").unwrap().as_str()),
        ("x=%20&y=/?", "x=%20&y=/?")
    );
    assert_eq!(text(&environ, "REQUEST_URI").unwrap(), "/a?x=%20&y=/?");
    environ.set_query_string("").unwrap();
    assert_eq!((environ.query_string(), text(&environ, "REQUEST_URI").unwrap().as_str()), ("", "/a"));
    environ.set_url_scheme(Scheme::HTTPS);
    assert_eq!(environ.url_scheme(), &Scheme::HTTPS);
    assert_eq!(text(&environ, "HTTPS").as_deref(), Some("on"));
    assert_eq!(text(&environ, "REQUEST_SCHEME").as_deref(), Some("https"));
    environ.set_server("shop.example", 8080);
    assert_eq!((environ.server_name(), environ.server_port()), ("shop.example", 8080));
    assert_eq!(text(&environ, "SERVER_NAME").as_deref(), Some("shop.example"));
    assert_eq!(text(&environ, "SERVER_PORT").as_deref(), Some("8080"));
    environ.set_server("", 1);
    assert_eq!(environ.server_name(), "localhost", "it is never empty");
    let address: SocketAddr = "[2001:db8::1]:4711".parse().unwrap();
    environ.set_remote_addr(Some(address));
    assert_eq!(environ.remote_addr(), Some(address));
    assert_eq!(text(&environ, "REMOTE_ADDR").as_deref(), Some("2001:db8::1"));
    assert_eq!(text(&environ, "REMOTE_PORT").as_deref(), Some("4711"));
    environ.set_remote_addr(None);
    assert_eq!((environ.var("REMOTE_ADDR"), environ.var("REMOTE_PORT")), (None, None));
    environ.set_concurrency(false, true, true);
    assert!(!environ.multithread() && environ.multiprocess() && environ.run_once());
    environ.set_path(b"/mnt", b"/page").unwrap();
    assert_eq!(
        (text(&environ, "SCRIPT_NAME").as_deref(), text(&environ, "PATH_INFO").as_deref()),
        (Some("/mnt"), Some("/page"))
    );
    environ.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    environ.headers_mut().insert("content-length", HeaderValue::from_static("7"));
    assert_eq!((environ.content_type().unwrap().as_bytes(), environ.content_length()), (&b"text/plain"[..], Some(7)));
    assert_eq!(text(&environ, "CONTENT_TYPE").as_deref(), Some("text/plain"));
    assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("7"));
    environ.set_input("body");
    assert_eq!(environ.input_mut().read_text(9).unwrap(), "body");
    environ.extensions_mut().insert(7u8);
    assert_eq!(environ.extension::<u8>().unwrap(), &7);
}

#[test]
fn the_protocol_is_that_of_the_request() {
    let versions = [
        (Version::HTTP_09, "HTTP/0.9"),
        (Version::HTTP_10, "HTTP/1.0"),
        (Version::HTTP_11, "HTTP/1.1"),
        (Version::HTTP_2, "HTTP/2.0"),
        (Version::HTTP_3, "HTTP/3.0"),
    ];
    for (version, name) in versions {
        let environ = Environ::from(http::Request::get("/").version(version).body(()).unwrap());
        assert_eq!((environ.server_protocol(), text(&environ, "SERVER_PROTOCOL").unwrap().as_str()), (name, name));
    }
}

#[test]
fn a_content_length_is_a_number_or_nothing() {
    for (value, expected) in [
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("", None),
        ("+5", None),
        ("-1", None),
        ("5, 5", None),
        ("0x5", None),
    ] {
        let environ = with_headers(&[("content-length", value)]);
        assert_eq!(environ.content_length(), expected, "{value:?}");
        assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some(value), "a length of 0 is present");
    }
}

/// Bytes, text that was decoded once, and the raw path, side by side.
#[test]
fn the_path_is_there_in_three_forms() {
    let rows: [(&str, &[u8], &str); 12] = [
        ("/", b"/", "/"),
        ("/foo%2Cbar", b"/foo,bar", "/foo,bar"),
        ("/%252C", b"/%2C", "/%2C"),
        ("/a%2Fb", b"/a/b", "/a/b"),
        ("/%E3%81%82", "/\u{3042}".as_bytes(), "/\u{3042}"),
        ("/caf%e9", b"/caf\xe9", "/caf\u{fffd}"),
        ("//foo///bar", b"//foo///bar", "//foo///bar"),
        ("/a/../b/./c", b"/a/../b/./c", "/a/../b/./c"),
        ("/%00", b"/\0", "/\0"),
        ("/%zz%4", b"/%zz%4", "/%zz%4"),
        ("/a+b", b"/a+b", "/a+b"),
        ("/;a=1,2@x:y", b"/;a=1,2@x:y", "/;a=1,2@x:y"),
    ];
    for (raw, bytes, lossy) in rows {
        let environ = get(&format!("{raw}?x=%2F"));
        assert_eq!(environ.raw_path(), raw);
        assert_eq!(environ.path_info_bytes(), bytes, "{raw}");
        assert_eq!(environ.path_info(), lossy, "{raw}");
        assert_eq!(environ.var("PATH_INFO").unwrap(), bytes, "{raw}");
        assert_eq!(environ.script_name(), "", "{raw}");
        assert_eq!(environ.query_string(), "x=%2F", "{raw}: the query is not decoded");
        assert_eq!(text(&environ, "REQUEST_URI").unwrap(), format!("{raw}?x=%2F"));
    }
    assert!(matches!(get("/plain").path_info(), Cow::Borrowed(_)), "nothing is copied where nothing is encoded");
    assert!(matches!(get("/plain").path_info_bytes(), Cow::Borrowed(_)));
    assert_eq!(get("/?").query_string(), "");
    assert_eq!(get("/?x=?y").query_string(), "x=?y");
}

#[test]
fn the_asterisk_is_a_path() {
    let environ = Environ::from(http::Request::options("*").body(()).unwrap());
    assert_eq!((environ.path_info(), environ.raw_path()), (Cow::Borrowed("*"), "*"));
    let mut environ = Environ::from(http::Request::options("/").body(()).unwrap());
    environ.set_path(b"", b"*").unwrap();
    assert_eq!(environ.path_info(), "*");
    assert_eq!(environ.shift_path_info(), None);
    assert_eq!(environ.path_info(), "*");
}

#[test]
fn a_raw_path_that_agrees_is_kept() {
    let rows: [(&str, &[u8], &[u8]); 6] = [
        ("/mnt/a%2Fb", b"/mnt", b"/a/b"),
        ("/mnt/caf%e9", b"/mnt", b"/caf\xe9"),
        ("/%6Dnt/x", b"/mnt", b"/x"),
        ("/mnt", b"/mnt", b""),
        ("/mnt//x", b"/mnt", b"//x"),
        ("/a%2Fb", b"", b"/a/b"),
    ];
    for (raw, script, path) in rows {
        let mut environ = get(&format!("{raw}?q"));
        environ.set_path(script, path).unwrap();
        assert_eq!(environ.raw_path(), raw, "%2F survives");
        assert_eq!((environ.script_name().as_bytes(), &*environ.path_info_bytes()), (script, path), "{raw}");
        assert_eq!(environ.query_string(), "q", "{raw}");
    }
}

#[test]
fn a_raw_path_that_does_not_agree_is_encoded_anew() {
    let rows: [(&str, &[u8], &[u8], &str); 7] = [
        ("/other", b"/mnt", b"/x", "/mnt/x"),
        ("/mnt/x", b"", b"/x", "/x"),
        ("/x", b"/mnt", b"", "/mnt"),
        ("/x", b"", b"/a b?c#d%", "/a%20b%3Fc%23d%25"),
        ("/x", b"", b"/caf\xe9", "/caf%E9"),
        ("/x", b"/a", b"/;b=1,2", "/a/;b=1,2"),
        ("/x%2Fy", b"", b"/x/z", "/x/z"),
    ];
    for (before, script, path, raw) in rows {
        let mut environ = get(&format!("{before}?q=1"));
        environ.set_path(script, path).unwrap();
        assert_eq!(environ.raw_path(), raw);
        assert_eq!((environ.script_name().as_bytes(), &*environ.path_info_bytes()), (script, path), "{raw}");
        assert_eq!(environ.query_string(), "q=1");
    }
}

#[test]
fn paths_that_no_request_has_are_refused_and_change_nothing() {
    let mut environ = get("/kept?q");
    for (script, path) in [(&b"mnt"[..], &b"/x"[..]), (b"/mnt", b"x"), (b"", b"x/y"), (b"http://x", b"/")] {
        let error = environ.set_path(script, path).unwrap_err();
        assert_eq!(error.status().unwrap(), 400);
    }
    let long = [b"/".to_vec(), vec![b'x'; 65_534]].concat();
    assert_eq!(environ.set_path(b"", &long).unwrap_err().status().unwrap(), 414);
    assert_eq!(
        environ.set_path(b"", &b"/\xff".repeat(20_000)).unwrap_err().status().unwrap(),
        414,
        "encoded, it is longer"
    );
    assert_eq!(environ.set_query_string(&"x".repeat(65_534)).unwrap_err().status().unwrap(), 414);
    for query in ["a#b", "a\r\nb", "a\nb", "a\0b", "a b"] {
        assert_eq!(environ.set_query_string(query).unwrap_err().status().unwrap(), 400, "{query:?}");
    }
    assert_eq!((environ.raw_path(), environ.query_string()), ("/kept", "q"));
    // The longest that there can be.
    let mut environ = get("/");
    environ.set_path(b"", &long[..65_533]).unwrap();
    assert_eq!(environ.raw_path().len(), 65_533);
}

proptest! {
    #[test]
    fn a_path_that_is_set_is_the_path_that_is_got(script in "(/[ -~\u{e9}]{0,6}){0,3}", path in "(/[ -~\u{e9}]{0,6}){1,3}", raw in "/[a-z/%2F]{0,8}") {
        let mut environ = get("/");
        environ.set_path(b"", raw.as_bytes()).unwrap();
        environ.set_path(script.as_bytes(), path.as_bytes()).unwrap();
        prop_assert_eq!(environ.script_name(), &*script);
        prop_assert_eq!(environ.path_info(), &*path);
        prop_assert_eq!(environ.var("SCRIPT_NAME").unwrap(), script.as_bytes());
        prop_assert!(environ.raw_path().is_ascii());
        let url = environ.url();
        prop_assert!(url.parse::<http::Uri>().is_ok(), "{}", url);
    }

    #[test]
    fn shifting_ends_and_never_panics(path in "(/[a-z.%2F]{0,4}){0,8}") {
        let mut environ = get("/");
        environ.set_path(b"/mnt", path.as_bytes()).unwrap();
        let mut shifts = 0;
        while !environ.path_info().is_empty() {
            environ.shift_path_info();
            shifts += 1;
            prop_assert!(shifts < 100, "{}", environ.raw_path());
        }
    }
}

/// The rows of CPython's test_wsgiref: SCRIPT_NAME, PATH_INFO, the name, and the two afterwards.
#[test]
fn shift_path_info_follows_the_rows_of_wsgiref() {
    let rows = [
        ("", "/", Some(""), "/", ""),
        ("", "/x", Some("x"), "/x", ""),
        ("/", "", None, "/", ""),
        ("/a", "/x/y", Some("x"), "/a/x", "/y"),
        ("/a", "/x/", Some("x"), "/a/x", "/"),
        ("/a/b", "/../y", Some(".."), "/a", "/y"),
        ("", "/../y", Some(".."), "", "/y"),
        ("/a/b", "//y", Some("y"), "/a/b/y", ""),
        ("/a/b", "//y/", Some("y"), "/a/b/y", "/"),
        ("/a/b", "/./y", Some("y"), "/a/b/y", ""),
        ("/a/b", "/./y/", Some("y"), "/a/b/y", "/"),
        ("/a/b", "///./..//y/.//", Some(".."), "/a", "/y/"),
        ("/a/b", "///", Some(""), "/a/b/", ""),
        ("/a/b", "/.//", Some(""), "/a/b/", ""),
        ("/a/b", "/x//", Some("x"), "/a/b/x", "/"),
        ("/a/b", "/.", None, "/a/b", ""),
    ];
    for (script, path, name, script_after, path_after) in rows {
        let mut environ = get("/start?q");
        environ.set_path(script.as_bytes(), path.as_bytes()).unwrap();
        assert_eq!(environ.shift_path_info().as_deref(), name, "{script:?} {path:?}");
        assert_eq!((&*environ.script_name(), &*environ.path_info()), (script_after, path_after), "{script:?} {path:?}");
        assert_eq!(environ.query_string(), "q");
    }
}

#[test]
fn a_shift_keeps_an_encoded_slash_in_its_segment() {
    let mut environ = get("/blog/a%2Fb%20c/d");
    assert_eq!(environ.shift_path_info().as_deref(), Some("blog"));
    assert_eq!(environ.shift_path_info().as_deref(), Some("a/b c"));
    assert_eq!((&*environ.script_name(), &*environ.path_info()), ("/blog/a/b c", "/d"));
    assert_eq!(environ.raw_path(), "/blog/a%2Fb%20c/d");
    assert_eq!(environ.shift_path_info().as_deref(), Some("d"));
    assert_eq!(environ.shift_path_info(), None);
    assert_eq!(environ.shift_path_info(), None);
}

/// What CPython's `setup_testing_defaults` makes of these variables.
fn wsgiref(vars: &[(&str, &str)]) -> Environ {
    let given = |name: &str| vars.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let mut environ = get("/");
    let name = given("SERVER_NAME").unwrap_or("127.0.0.1");
    let https = given("HTTPS").is_some();
    let port = given("SERVER_PORT").map_or(if https { 443 } else { 80 }, |port| port.parse().unwrap());
    environ.set_server(name, port);
    environ.set_url_scheme(if https { Scheme::HTTPS } else { Scheme::HTTP });
    match given("HTTP_HOST") {
        Some("") => {}
        host => drop(environ.headers_mut().insert("host", host.unwrap_or(name).parse().unwrap())),
    }
    let latin1 = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<_>>();
    let script = latin1(given("SCRIPT_NAME").unwrap_or(""));
    let path = given("PATH_INFO").unwrap_or(if script.is_empty() { "/" } else { "" });
    environ.set_path(&script, &latin1(path)).unwrap();
    environ.set_query_string(given("QUERY_STRING").unwrap_or("")).unwrap();
    environ
}

/// The rows of CPython's test_wsgiref, testAppURIs.
#[test]
fn application_url_follows_the_rows_of_wsgiref() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)]);
    let rows: [Row<'_>; 8] = [
        ("http://127.0.0.1/", &[]),
        ("http://127.0.0.1/spam", &[("SCRIPT_NAME", "/spam")]),
        ("http://127.0.0.1/sp%E4m", &[("SCRIPT_NAME", "/sp\u{e4}m")]),
        ("http://spam.example.com:2071/", &[("HTTP_HOST", "spam.example.com:2071"), ("SERVER_PORT", "2071")]),
        ("http://spam.example.com/", &[("SERVER_NAME", "spam.example.com")]),
        ("http://127.0.0.1/", &[("HTTP_HOST", "127.0.0.1"), ("SERVER_NAME", "spam.example.com")]),
        ("https://127.0.0.1/", &[("HTTPS", "on")]),
        ("http://127.0.0.1:8000/", &[("SERVER_PORT", "8000"), ("HTTP_HOST", "")]),
    ];
    for (url, vars) in rows {
        assert_eq!(wsgiref(vars).application_url(), url, "{vars:?}");
    }
}

/// The rows of CPython's test_wsgiref, testReqURIs.
#[test]
fn url_follows_the_rows_of_wsgiref() {
    type Row<'a> = (&'a str, &'a str, &'a str, &'a str);
    let rows: [Row<'_>; 9] = [
        ("http://127.0.0.1/", "", "/", ""),
        ("http://127.0.0.1/spam", "/spam", "", ""),
        ("http://127.0.0.1/sp%E4m", "/sp\u{e4}m", "", ""),
        ("http://127.0.0.1/spammity/spam", "/spammity", "/spam", ""),
        ("http://127.0.0.1/spammity/sp%E4m", "/spammity", "/sp\u{e4}m", ""),
        ("http://127.0.0.1/spammity/spam;ham", "/spammity", "/spam;ham", ""),
        ("http://127.0.0.1/spammity/spam;cookie=1234,5678", "/spammity", "/spam;cookie=1234,5678", ""),
        ("http://127.0.0.1/spammity/spam?say=ni", "/spammity", "/spam", "say=ni"),
        ("http://127.0.0.1/spammity/spam?s%E4y=ni", "/spammity", "/spam", "s%E4y=ni"),
    ];
    for (url, script, path, query) in rows {
        let environ = wsgiref(&[("SCRIPT_NAME", script), ("PATH_INFO", path), ("QUERY_STRING", query)]);
        assert_eq!(environ.url(), url);
    }
}

#[test]
fn the_url_has_the_port_only_where_it_is_not_the_default() {
    let url = |scheme: Scheme, name: &str, port| {
        let mut environ = get("/x");
        environ.set_url_scheme(scheme);
        environ.set_server(name, port);
        environ.url()
    };
    assert_eq!(url(Scheme::HTTP, "a", 80), "http://a/x");
    assert_eq!(url(Scheme::HTTP, "a", 443), "http://a:443/x");
    assert_eq!(url(Scheme::HTTPS, "a", 443), "https://a/x");
    assert_eq!(url(Scheme::HTTPS, "a", 80), "https://a:80/x");
    assert_eq!(url(Scheme::HTTP, "::1", 8000), "http://[::1]:8000/x");
    assert_eq!(url(Scheme::HTTP, "[::1]", 80), "http://[::1]/x");
    let mut environ = get("http://from-target:1/x");
    environ.headers_mut().insert("host", "from-header:2".parse().unwrap());
    assert_eq!(environ.url(), "http://from-header:2/x");
}

#[test]
fn headers_become_variables() {
    let environ =
        with_headers(&[("x-foo", "1"), ("accept-language", "de"), ("x-empty", ""), ("host", "h:1"), ("cookie", "a=1")]);
    assert_eq!(text(&environ, "HTTP_X_FOO").as_deref(), Some("1"));
    assert_eq!(text(&environ, "HTTP_ACCEPT_LANGUAGE").as_deref(), Some("de"));
    assert_eq!(text(&environ, "HTTP_X_EMPTY").as_deref(), Some(""), "empty is not absent");
    assert_eq!(text(&environ, "HTTP_HOST").as_deref(), Some("h:1"));
    assert_eq!(environ.server_name(), "localhost", "which does not depend on Host");
    assert_eq!(environ.var("HTTP_X_BAR"), None);
    for wrong in ["HTTP_x_foo", "HTTP_X-FOO", "HTTP_", "http_x_foo", "X_FOO", "COOKIE", "", "HTTP_\u{e9}"] {
        assert_eq!(environ.var(wrong), None, "{wrong}");
    }
    let latin1 = {
        let mut environ = get("/");
        environ.headers_mut().insert("x-foo", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        environ.var("HTTP_X_FOO").unwrap().into_owned()
    };
    assert_eq!(latin1, b"caf\xe9");
}

#[test]
fn repeated_headers_are_joined_in_their_order() {
    let environ = with_headers(&[
        ("x-foo", "1"),
        ("x-bar", "only"),
        ("x-foo", "2"),
        ("x-foo", ""),
        ("cookie", "a=1; b=2"),
        ("cookie", "c=3"),
    ]);
    assert_eq!(text(&environ, "HTTP_X_FOO").as_deref(), Some("1, 2, "));
    assert_eq!(text(&environ, "HTTP_COOKIE").as_deref(), Some("a=1; b=2; c=3"));
    assert!(matches!(environ.var("HTTP_X_BAR").unwrap(), Cow::Borrowed(b"only")), "one value is not copied");
    let values: Vec<_> = environ.headers().get_all("x-foo").iter().collect();
    assert_eq!(values, ["1", "2", ""], "the headers keep them apart");
}

#[test]
fn what_could_be_taken_for_something_else_is_no_variable() {
    let hidden = [
        "proxy",
        "content-type",
        "content-length",
        "x_auth",
        "content_length",
        "remote_user",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    ];
    for name in hidden {
        let environ = with_headers(&[(name, "evil")]);
        let variable = format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"));
        assert_eq!(environ.var(&variable), None, "{name}");
        assert!(!vars(&environ).contains_key(&variable), "{name}");
        assert!(environ.headers().contains_key(name), "{name}: the header itself is there");
    }
    let both = with_headers(&[("x_auth", "forged"), ("x-auth", "true"), ("x_auth", "again")]);
    assert_eq!(text(&both, "HTTP_X_AUTH").as_deref(), Some("true"));
    assert_eq!(vars(&both)["HTTP_X_AUTH"], "true");
    // A client that could hide headers by naming them in Connection could delete what a proxy added.
    let named = with_headers(&[("connection", "x-forwarded-for, close"), ("x-forwarded-for", "192.0.2.1")]);
    assert_eq!(text(&named, "HTTP_X_FORWARDED_FOR").as_deref(), Some("192.0.2.1"));
}

#[test]
fn the_cgi_view_lists_each_variable_once() {
    let mut environ = get("/a%20b?q=1");
    environ.headers_mut().append("accept", "a".parse().unwrap());
    environ.headers_mut().append("accept", "b".parse().unwrap());
    environ.headers_mut().insert("content-length", "0".parse().unwrap());
    environ.headers_mut().insert("proxy", "evil".parse().unwrap());
    environ.set_remote_addr(Some("192.0.2.1:99".parse().unwrap()));
    environ.set_var("DOCUMENT_ROOT", "/srv").unwrap();
    let expected: BTreeMap<String, String> = [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/a b"),
        ("QUERY_STRING", "q=1"),
        ("CONTENT_LENGTH", "0"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("REMOTE_PORT", "99"),
        ("REQUEST_URI", "/a%20b?q=1"),
        ("REQUEST_SCHEME", "http"),
        ("HTTP_ACCEPT", "a, b"),
        ("DOCUMENT_ROOT", "/srv"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    assert_eq!(vars(&environ), expected);
    for (name, value) in &expected {
        assert_eq!(text(&environ, name).as_ref(), Some(value), "`var` and `vars` agree");
    }
}

#[test]
fn the_environment_of_the_process_is_not_in_it() {
    let environ = get("/");
    for name in ["PATH", "HOME", "CARGO_MANIFEST_DIR"] {
        assert_eq!(environ.var(name), None);
    }
    assert!(std::env::vars().all(|(name, _)| environ.var(&name).is_none() || name == "REQUEST_METHOD"));
}

#[test]
fn variables_can_be_set_and_removed_and_those_that_are_computed_cannot() {
    let mut environ = get("/");
    environ.set_var("my_auth.user", "ada").unwrap();
    environ.set_var("DOCUMENT_ROOT", b"/caf\xe9".to_vec()).unwrap();
    environ.set_var(String::from("my_auth.user"), String::from("grace")).unwrap();
    assert_eq!(environ.var("my_auth.user").unwrap(), &b"grace"[..]);
    assert_eq!(environ.var("DOCUMENT_ROOT").unwrap(), &b"/caf\xe9"[..]);
    assert_eq!(environ.remove_var("my_auth.user"), Some(b"grace".to_vec()));
    assert_eq!((environ.remove_var("my_auth.user"), environ.var("my_auth.user")), (None, None));
    for name in [
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "REMOTE_ADDR",
        "REMOTE_PORT",
        "REQUEST_URI",
        "REQUEST_SCHEME",
        "HTTPS",
        "HTTP_ACCEPT",
        "HTTP_PROXY",
        "HTTP_",
    ] {
        let error = environ.set_var(name, "x").unwrap_err();
        assert!(error.is_application(), "{name}");
        assert_eq!(
            error.to_string(),
            format!(
                "environ variable `{name}` is computed from the request: set it with the method that Environ has for it"
            )
        );
        assert_eq!(environ.remove_var(name), None, "{name}");
    }
}

#[test]
fn a_missing_extension_names_the_type_and_the_cure() {
    #[derive(Debug)]
    struct Session;
    let error = get("/").extension::<Session>().map(drop).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("no ") && text.contains("Session in environ"), "{text}");
    assert!(text.ends_with("is the middleware that provides it wrapped around this application?"), "{text}");
    assert_eq!((error.status(), error.is_application()), (None, true));
}

#[test]
fn debug_masks_what_is_secret() {
    let environ = with_headers(&[
        ("authorization", "Basic c2VjcmV0"),
        ("proxy-authorization", "Bearer hush"),
        ("cookie", "session=hidden"),
        ("cookie", "other=hidden"),
        ("accept", "text/html"),
    ]);
    for text in [format!("{environ:?}"), format!("{environ:#?}")] {
        for secret in ["c2VjcmV0", "hush", "hidden"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("text/html") && text.contains("(masked)") && text.contains("GET"), "{text}");
    }
    assert_eq!(environ.headers()["cookie"], "session=hidden", "the headers themselves stay");
}

#[test]
fn a_duplicate_has_everything_and_one_input_with_the_original() {
    let mut environ = Environ::from(http::Request::post("/mnt/a%2Fb?q").body("0123456789").unwrap());
    environ.set_path(b"/mnt", b"/a/b").unwrap();
    environ.set_server("name", 81);
    environ.set_url_scheme(Scheme::HTTPS);
    environ.set_remote_addr(Some("192.0.2.1:99".parse().unwrap()));
    environ.set_var("x.y", "z").unwrap();
    environ.set_concurrency(false, true, false);
    environ.extensions_mut().insert("extension");
    environ.headers_mut().insert("x-foo", "1".parse().unwrap());
    let mut second = environ.duplicate();
    assert_eq!(format!("{second:?}"), format!("{environ:?}"));
    assert_eq!(vars(&second), vars(&environ));
    assert_eq!((second.url(), second.raw_path()), (environ.url(), "/mnt/a%2Fb"));
    assert!(!second.multithread() && second.multiprocess());
    assert_eq!(second.extension::<&str>().unwrap(), &"extension");
    // They are apart, but for the input.
    second.set_path(b"", b"/other").unwrap();
    second.headers_mut().clear();
    second.set_var("x.y", "other").unwrap();
    assert_eq!((environ.raw_path(), environ.headers().len()), ("/mnt/a%2Fb", 1));
    assert_eq!(text(&environ, "x.y").as_deref(), Some("z"));
    let mut buffer = [0; 4];
    std::io::Read::read_exact(environ.input_mut(), &mut buffer).unwrap();
    assert_eq!(&buffer, b"0123");
    assert_eq!(second.input().len(), Some(6));
    assert_eq!(second.input_mut().read_text(99).unwrap(), "456789");
    assert_eq!(environ.input_mut().read_text(99).unwrap(), "");
}

#[test]
fn errors_takes_any_text_and_any_writer() {
    use std::io::Write;
    let log = Log::default();
    let mut environ = get("/");
    environ.set_errors(Errors::writer(log.clone()));
    let (mut errors, errors_written) = (environ.errors(), 1);
    writeln!(errors, "grin \u{1f600} {}", errors_written).unwrap();
    errors.write_all(b"raw \xff\n").unwrap();
    errors.flush().unwrap();
    drop(environ);
    errors.clone().write_all(b"late\n").unwrap();
    assert_eq!(*log.0.lock().unwrap(), b"grin \xf0\x9f\x98\x80 1\nraw \xff\nlate\n");
    assert_eq!(format!("{:?} {:?}", errors, Errors::stderr()), "Errors(writer) Errors(stderr)");
}

#[test]
fn what_an_application_changes_is_gone_with_the_request() {
    let app = app_fn(|mut environ: Environ, start_response| {
        assert!(environ.var("x.seen").is_none() && !environ.headers().contains_key("x-seen"));
        environ.set_var("x.seen", "1")?;
        environ.headers_mut().insert("x-seen", "1".parse()?);
        environ.set_path(b"/changed", b"")?;
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(environ.url().into())
    });
    let server = TestServer::new(app);
    for _ in 0..3 {
        assert_eq!(server.get("/x").send().text(), "http://localhost/changed");
    }
}
