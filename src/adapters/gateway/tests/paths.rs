//! Paths as front ends divide, decode and clean them, and as nobody should.

use super::*;

/// SCRIPT_NAME, PATH_INFO, DOCUMENT_URI and REQUEST_URI.
type Sent<'a> = [Option<&'a str>; 4];

fn path(mapping: &Mapping, sent: Sent<'_>) -> Result<(String, String, String), Refusal> {
    let names = ["SCRIPT_NAME", "PATH_INFO", "DOCUMENT_URI", "REQUEST_URI"];
    let paths = names.into_iter().zip(sent).filter_map(|(name, value)| Some((name, value?)));
    let params: Params = [("REQUEST_METHOD", "GET")].into_iter().chain(paths).collect();
    let (environ, _) = map(mapping, &params)?;
    assert!(environ.raw_path().is_ascii());
    Ok((environ.script_name().into(), environ.path_info().into(), environ.raw_path().into()))
}

#[track_caller]
fn assert_path(name: &str, mapping: &Mapping, sent: Sent<'_>, expected: (&str, &str, &str)) {
    let got = path(mapping, sent).unwrap_or_else(|refusal| panic!("{name} {sent:?}: {refusal}"));
    assert_eq!((&*got.0, &*got.1, &*got.2), expected, "{name} {sent:?}");
}

/// A front end, a mapping, what is sent, and what comes of it.
type Seen<'a> = (&'a str, Mapping, Sent<'a>, (&'a str, &'a str, &'a str));

#[test]
fn front_ends_at_and_around_a_mount_point() {
    let app = || mounted(fastcgi(), "/app");
    let rows: &[Seen<'_>] = &[
        ("nginx root", fastcgi(), [Some("/app"), None, Some("/app"), Some("/app")], ("", "/app", "/app")),
        ("nginx root", fastcgi(), [Some("/"), None, Some("/"), Some("/")], ("", "/", "/")),
        ("nginx root", fastcgi(), [Some("/app/"), None, Some("/app/"), Some("/app/")], ("", "/app/", "/app/")),
        ("nginx split", fastcgi(), [Some("/app"), Some(""), Some("/app"), Some("/app")], ("/app", "", "/app")),
        ("nginx split", fastcgi(), [Some("/app"), Some("/"), Some("/app/"), Some("/app/")], ("/app", "/", "/app/")),
        ("nginx scgi", plain(), [None, None, Some("/app/"), Some("/app/")], ("", "/app/", "/app/")),
        ("nginx uwsgi", plain(), [None, Some("/app"), None, Some("/app")], ("", "/app", "/app")),
        ("nginx, mounted", app(), [Some("/app"), None, Some("/app"), Some("/app")], ("/app", "", "/app")),
        ("nginx, mounted", app(), [Some("/app/"), None, Some("/app/"), Some("/app/")], ("/app", "/", "/app/")),
        ("ProxyPass /app", app(), [Some("/app"), None, None, Some("/app")], ("/app", "", "/app")),
        ("ProxyPass /app", app(), [Some("/app/"), None, None, Some("/app/")], ("/app", "/", "/app/")),
        ("ScriptAlias", cgi(), [Some("/app"), None, None, Some("/app")], ("/app", "", "/app")),
        ("ScriptAlias", cgi(), [Some("/app"), Some("/"), None, Some("/app/")], ("/app", "/", "/app/")),
        ("mod_fcgid", fastcgi_script(), [Some("/app"), None, None, Some("/app")], ("/app", "", "/app")),
        // What mod_proxy_uwsgi sends for `/app`: the path stays as it says, with the slash.
        ("uwsgi:// /app", plain(), [Some("/app"), Some("/"), None, Some("/app")], ("/app", "/", "/app/")),
        ("uwsgi:// /app", plain(), [Some("/app/"), Some("/"), None, Some("/app/")], ("/app", "/", "/app/")),
        ("uwsgi:// /", plain(), [Some(""), Some("/"), None, Some("/")], ("", "/", "/")),
        ("lighttpd root", fastcgi(), [Some("/"), None, None, Some("/")], ("", "/", "/")),
        ("lighttpd root", fastcgi(), [Some("/"), Some("/x"), None, Some("/x")], ("", "/x", "/x")),
        ("lighttpd /app", app(), [Some("/app"), None, None, Some("/app")], ("/app", "", "/app")),
        ("lighttpd /", mounted(plain(), "/"), [Some("/a"), Some("/b"), None, Some("/a/b")], ("", "/a/b", "/a/b")),
        ("lighttpd /", mounted(plain(), "/"), [Some("/a"), None, None, Some("/a")], ("", "/a", "/a")),
        ("haproxy path-info", app(), [Some("/app"), None, None, Some("/app")], ("/app", "", "/app")),
        // Apache's server-side includes: DOCUMENT_URI is that of the page around.
        ("SSI", fastcgi(), [Some("/part"), None, Some("/index.shtml"), Some("/index.shtml")], ("", "/part", "/part")),
    ];
    for (name, mapping, sent, expected) in rows {
        assert_path(name, mapping, *sent, *expected);
    }
}

#[test]
fn what_is_not_below_the_mount_point_is_refused() {
    let app = mounted(fastcgi(), "/app");
    for whole in ["/appx", "/", "/ap", "/other/app", "/App", "/app%2Fx"] {
        for sent in
            [[Some(whole), None, None, None], [Some(""), Some(whole), None, None], [None, None, Some(whole), None]]
        {
            let refusal = path(&app, sent).unwrap_err();
            assert_status(&refusal, 404);
            assert!(refusal.to_string().contains("mount point \"/app\""), "{refusal}");
        }
    }
    assert_path("below", &app, [Some("/app/sub"), Some("/x"), None, None], ("/app", "/sub/x", "/app/sub/x"));
}

#[test]
fn a_mount_point_is_a_prefix() {
    for (prefix, is_one) in [("", true), ("/", true), ("/a", true), ("/a/b", true), ("a", false), ("/a/", false)] {
        assert_eq!(fastcgi().set_mount(prefix).is_ok(), is_one, "{prefix}");
    }
}

#[test]
fn the_path_that_was_sent_is_kept_as_far_as_the_front_end_agrees() {
    let rows: &[(&str, &str, &str)] = &[
        // What the front end says, what was sent, and what is the raw path then.
        ("/a b", "/a%20b", "/a%20b"),
        ("/a b", "/%61%20b", "/%61%20b"),
        ("/a/b", "/a%2Fb", "/a%2Fb"),
        ("/a/b", "/a%2fb?x=/", "/a%2fb"),
        ("/a//b", "/a//b", "/a//b"),
        ("/a/b", "/a//b", "/a/b"),
        ("/a/b/c", "///a///b%2Fc", "/a/b%2Fc"),
        ("/app/b./c", "/app/../app/./b%2e/c", "/app/b%2e/c"),
        ("/b", "/%2E%2e/b", "/b"),
        ("/a/", "/a/b/..", "/a/"),
        ("/a/", "/a/.", "/a/"),
        ("/a//b", "/x/..//a//b", "/a//b"),
        ("/a/../b", "/a/../b", "/a/../b"),
        // Apache with `AllowEncodedSlashes NoDecode`.
        ("/a%2Fb c", "/a%2Fb%20c", "/a%2Fb%20c"),
        ("/a%2fb/c", "/a%2fb//c", "/a%2fb/c"),
        // What is encoded twice is so on purpose.
        ("/a%2Fb", "/a%252Fb", "/a%252Fb"),
        // A ProxyPass that decodes nothing.
        ("/a%20b", "/a%20b", "/a%20b"),
        ("/a%20b", "/a%2520b", "/a%2520b"),
        // The absolute form, which Apache passes on.
        ("/a b", "http://example.test/a%20b?x", "/a%20b"),
        ("/", "http://example.test?x", "/"),
        // Rewritten by the front end, or cleaned in a way of its own: its path stands.
        ("/new path", "/old", "/new%20path"),
        ("/a/b", "/a%2F/b", "/a/b"),
        ("/b", "/a%2F../b", "/b"),
        ("/a", "", "/a"),
        ("/a", "nonsense", "/a"),
        ("/a", "*", "/a"),
        ("/a", "/a/", "/a"),
        ("/a%", "", "/a%25"),
        // Raw as browsers do not send it, but other clients.
        ("/a{b}|\"c\"<d>^`", "/a{b}|\"c\"<d>^`", "/a{b}|\"c\"%3Cd%3E^%60"),
    ];
    for (said, sent, raw) in rows {
        let sent = if sent.is_empty() { None } else { Some(*sent) };
        let (script_name, path_info, got) = path(&fastcgi(), [Some(""), Some(said), None, sent]).unwrap();
        assert_eq!((&*script_name, &*got), ("", *raw), "{said} {sent:?}");
        let is_encoded = (raw.contains("%2F") || raw.contains("%2f") || raw == said) && said.contains('%');
        if !is_encoded {
            assert_eq!(path_info, *said);
        }
    }
}

#[test]
fn a_front_end_that_decodes_less_is_decoded_once() {
    for (said, sent, path_info) in [
        ("/app/a%2Fb c", "/app/a%2Fb%20c", "/a/b c"),
        ("/app/a%20b", "/app/a%20b", "/a b"),
        ("/app/a%252Fb", "/app/a%252Fb", "/a%2Fb"),
    ] {
        for mapping in [mounted(fastcgi(), "/app"), mounted(plain(), "/app")] {
            assert_path("ProxyPass", &mapping, [Some(said), None, None, Some(sent)], ("/app", path_info, sent));
        }
    }
}

#[test]
fn bytes_that_are_no_text_survive() {
    for request_uri in [&b"/p%E4th%2F%FF"[..], b"/other", b""] {
        let environ = environ(&fastcgi(), &[("PATH_INFO", b"/p\xe4th/\xff"), ("REQUEST_URI", request_uri)]);
        assert_eq!(*environ.path_info_bytes(), b"/p\xe4th/\xff"[..]);
        assert!(["/p%E4th%2F%FF", "/p%E4th/%FF"].contains(&environ.raw_path()));
    }
    let split = environ(&fastcgi(), &[("SCRIPT_NAME", b"/\xe4"), ("PATH_INFO", b"/\0"), ("REQUEST_URI", b"/%e4/%00")]);
    assert_eq!((split.raw_path(), &*split.path_info_bytes()), ("/%e4/%00", &b"/\0"[..]));
    assert_eq!(split.var("SCRIPT_NAME").unwrap(), &b"/\xe4"[..]);
}

/// Rule G4, where REQUEST_URI shows it.
#[test]
fn what_http_refuses_in_a_target_is_refused_here() {
    let rows: &[(&str, &str)] = &[
        ("/\u{e9}", "outside of ASCII"),
        ("/a?\u{e9}", "outside of ASCII"),
        ("/a#b", "fragment"),
        ("/%zz", "escape"),
        ("/%", "escape"),
        ("/%u0041", "escape"),
        ("http://a b/", "absolute"),
        ("http:///x", "absolute"),
        ("http://u@h/", "authority"),
    ];
    for (request_uri, reason) in rows {
        let refusal = refusal(&fastcgi(), &[("REQUEST_URI", request_uri.as_bytes())]);
        assert_status(&refusal, 400);
        assert!(refusal.to_string().contains(reason), "{request_uri}: {refusal}");
        assert!(refusal.to_string().contains("the client's fault"), "{refusal}");
    }
}

#[test]
fn the_host_of_an_absolute_target_replaces_the_header() {
    let environ = environ(&fastcgi(), &[("REQUEST_URI", b"http://target.test/"), ("HTTP_HOST", b"header.test")]);
    assert_eq!(environ.headers()["host"], "target.test");
    assert_eq!(environ.url(), "http://target.test/");
}

#[test]
fn a_path_that_looks_like_an_absolute_target_is_a_path() {
    for path in ["/http://target.test/", "//target.test/", "/x?http://target.test/"] {
        let more: [(&str, &[u8]); 2] = [("REQUEST_URI", path.as_bytes()), ("HTTP_HOST", b"header.test")];
        assert_eq!(environ(&fastcgi(), &more).headers()["host"], "header.test");
    }
}

#[test]
fn paths_that_are_none_are_the_configuration_s_fault() {
    let rows: &[Sent<'_>] = &[
        [None, None, None, None],
        [Some(""), Some(""), Some(""), Some("")],
        [None, None, None, Some("nonsense")],
        [Some("app"), Some("/x"), None, None],
        [Some("/app"), Some("x"), None, None],
        [None, Some("x"), None, None],
        [None, Some("*"), None, Some("*")],
        [None, None, Some("x"), None],
        [Some("/app"), Some("*"), None, None],
    ];
    for sent in rows {
        let refusal = path(&fastcgi(), *sent).unwrap_err();
        assert_status(&refusal, 400);
        assert!(refusal.to_string().contains("the front end's configuration"), "{sent:?} {refusal}");
    }
}

#[test]
fn options_asks_for_the_server_as_a_whole() {
    for mapping in [fastcgi(), mounted(fastcgi(), "/app"), cgi()] {
        let more: [(&str, &[u8]); 3] = [("REQUEST_METHOD", b"OPTIONS"), ("PATH_INFO", b"*"), ("REQUEST_URI", b"*")];
        let environ = environ(&mapping, &more);
        assert_eq!((environ.script_name(), environ.path_info()), ("".into(), "*".into()));
    }
}

#[test]
fn an_authorizer_is_shown_the_path_that_is_served() {
    let rows: &[(&str, &str, &str)] = &[
        ("/public/../secret", "", "/secret"),
        ("/public/%2e%2E//secret?x", "", "/secret"),
        ("/public%2F..%2Fsecret", "", "/secret"),
        ("/public%2F..%2Fsecret", "/secret?x", "/secret"),
    ];
    for (request_uri, redirect_uri, path_info) in rows {
        let all = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", request_uri), ("REDIRECT_URI", redirect_uri)];
        let (environ, _) = map(&fastcgi(), &all.into_iter().collect()).unwrap();
        assert_eq!(environ.path_info(), *path_info);
    }
}

#[test]
fn a_path_that_is_too_long_is_414() {
    let long = [b"/", &b"\xff".repeat(22_000)[..]].concat();
    assert_status(&refusal(&fastcgi(), &[("PATH_INFO", &long)]), 414);
    let query = b"x".repeat(66_000);
    assert_status(&refusal(&fastcgi(), &[("QUERY_STRING", &query)]), 414);
}
