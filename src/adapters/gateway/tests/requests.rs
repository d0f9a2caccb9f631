//! Methods, versions, headers, lengths, servers and limits, as tables.

use super::*;

#[test]
fn a_method_is_a_token() {
    for (method, status) in [("", 400), ("G T", 400), ("\u{e9}", 400), ("CONNECT", 501), (&*"M".repeat(65), 501)] {
        assert_status(&refusal(&fastcgi(), &[("REQUEST_METHOD", method.as_bytes())]), status);
    }
    for method in ["GET", "BREW", "get", "M-SEARCH"] {
        assert_eq!(environ(&fastcgi(), &[("REQUEST_METHOD", method.as_bytes())]).method(), method);
    }
    let without: Params = [("PATH_INFO", "/")].into_iter().collect();
    let refusal = map(&fastcgi(), &without).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "request refused with 400 (the front end's configuration): REQUEST_METHOD is absent: is `include *_params` \
         missing?"
    );
}

#[test]
fn a_protocol_that_says_nothing_is_the_oldest_that_is_in_use() {
    let rows = [
        ("HTTP/1.1", "HTTP/1.1"),
        ("HTTP/2.0", "HTTP/2.0"),
        ("HTTP/2", "HTTP/2.0"),
        ("HTTP/3.0", "HTTP/3.0"),
        ("HTTP/1.0", "HTTP/1.0"),
        ("HTTP/0.9", "HTTP/0.9"),
        ("INCLUDED", "HTTP/1.0"),
        ("", "HTTP/1.0"),
        ("http/1.1", "HTTP/1.0"),
        ("HTTP/1.1\r\n", "HTTP/1.0"),
    ];
    for (sent, expected) in rows {
        let environ = environ(&fastcgi(), &[("SERVER_PROTOCOL", sent.as_bytes()), ("HTTP_HOST", b"h")]);
        assert_eq!(environ.server_protocol(), expected, "{sent}");
    }
}

/// Rule G5.
#[test]
fn a_host_is_one_and_a_host() {
    let http11: (&str, &[u8]) = ("SERVER_PROTOCOL", b"HTTP/1.1");
    let rows: &[&[(&str, &[u8])]] = &[
        &[http11],
        &[http11, ("HTTP_HOST", b"a"), ("HTTP_HOST", b"a")],
        &[http11, ("HTTP_HOST", b"a, b")],
        &[("HTTP_HOST", b"a,b")],
        &[("HTTP_HOST", b"a/b@c")],
        &[("HTTP_HOST", b"a b")],
        &[("HTTP_HOST", b"a:65536")],
        &[("HTTP_HOST", b"[::1")],
    ];
    for more in rows {
        assert_status(&refusal(&fastcgi(), more), 400);
    }
    let text = refusal(&fastcgi(), &[http11]).to_string();
    assert!(text.contains("HTTP_HOST is absent") && text.contains("the front end's configuration"), "{text}");
    assert!(map(&fastcgi(), &params(&[])).is_ok(), "HTTP/1.0 needs none");
}

#[test]
fn headers_are_what_they_were() {
    let more: &[(&str, &[u8])] =
        &[("HTTP_ACCEPT", b"a"), ("HTTP_X_REAL_IP", b"1.2.3.4"), ("HTTP_ACCEPT", b"b"), ("HTTP_X_LATIN", b"\xe4\tx")];
    let environ = environ(&fastcgi(), more);
    assert_eq!(environ.headers().get_all("accept").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(environ.headers()["x-real-ip"], "1.2.3.4");
    assert_eq!(environ.headers()["x-latin"].as_bytes(), b"\xe4\tx");
}

#[test]
fn what_is_no_header_is_refused() {
    let rows: &[(&str, &[u8])] = &[
        ("HTTP_", b"x"),
        ("HTTP_A B", b"x"),
        ("HTTP_\u{e9}", b"x"),
        ("HTTP_X", b"a\r\nb"),
        ("HTTP_X", b"\0"),
        ("HTTP_X", b"\x7f"),
        ("HTTP_HOST", b"\n"),
        ("CONTENT_TYPE", b"text/plain\n"),
    ];
    for row in rows {
        let refusal = refusal(&fastcgi(), &[*row]);
        assert_status(&refusal, 400);
        let text = refusal.to_string();
        assert!(text.contains("client") && !text.contains(['\n', '\0']), "{text}");
    }
}

#[test]
fn a_refusal_tells_no_value_of_a_header() {
    let secret = refusal(&fastcgi(), &[("HTTP_AUTHORIZATION", b"Basic secret\n")]).to_string();
    assert!(!secret.contains("secret") && secret.contains("`authorization`"), "{secret}");
    let long = refusal(&fastcgi(), &[("REQUEST_URI", &[b"/#", &b"x".repeat(60_000)[..]].concat())]).to_string();
    assert!(long.len() < 400, "{}", long.len());
}

#[test]
fn of_other_repeated_names_the_last_wins() {
    let more: &[(&str, &[u8])] = &[
        ("QUERY_STRING", b"1"),
        ("X_VAR", b"1"),
        ("SERVER_NAME", b"one.test"),
        ("CONTENT_TYPE", b"text/html"),
        ("QUERY_STRING", b"2"),
        ("X_VAR", b"2"),
        ("SERVER_NAME", b"two.test"),
        ("CONTENT_TYPE", b""),
    ];
    let environ = environ(&fastcgi(), more);
    assert_eq!((environ.query_string(), environ.server_name()), ("2", "two.test"));
    assert_eq!((text(&environ, "X_VAR").unwrap(), environ.content_type()), ("2".to_owned(), None));
}

#[test]
fn only_the_variables_of_rfc_3875_are_taken_from_a_process() {
    let more: &[(&str, &[u8])] = &[
        ("HOME", b"/root"),
        ("AWS_SECRET_ACCESS_KEY", b"secret"),
        ("GATEWAY_INTERFACE", b"CGI/1.1"),
        ("REMOTE_HOST", b"client.test"),
        ("REMOTE_USER", b"u"),
    ];
    let of_process = environ(&cgi(), more);
    let set = |environ: &Environ| environ.vars().map(|(name, _)| name.into_owned()).collect::<Vec<_>>();
    let names = set(&of_process);
    assert!(names.contains(&"GATEWAY_INTERFACE".to_owned()) && names.contains(&"REMOTE_HOST".to_owned()));
    assert!(!names.iter().any(|name| ["HOME", "AWS_SECRET_ACCESS_KEY", "REMOTE_USER"].contains(&&**name)), "{names:?}");
    // What comes over a socket is the front end's own word.
    assert!(set(&environ(&fastcgi(), more)).contains(&"HOME".to_owned()));
}

#[test]
fn variables_have_names_and_copies_of_the_user_s_name_are_dropped() {
    let more: &[(&str, &[u8])] = &[
        ("SSL_CLIENT_VERIFY", b"SUCCESS"),
        ("my_auth.user", b"x"),
        ("H2PUSH", b""),
        ("no-gzip", b"1"),
        ("downgrade-1.0", b"1"),
        ("A=B", b"1"),
        ("\u{c4}", b"1"),
        ("lower", b"1"),
        ("REDIRECT_REMOTE_USER", b"u"),
        ("REDIRECT_HTTP_PROXY", b"x"),
        ("REDIRECT_STATUS", b"200"),
    ];
    let environ = environ(&fastcgi(), more);
    let taken: Vec<_> = more.iter().map(|(name, _)| *name).filter(|name| environ.var(name).is_some()).collect();
    assert_eq!(taken, ["SSL_CLIENT_VERIFY", "my_auth.user", "H2PUSH", "REDIRECT_STATUS"]);
}

#[test]
fn the_server_is_a_host_and_a_port() {
    let rows: &[(&str, &str, &str, (&str, u16))] = &[
        ("example.test", "8080", "", ("example.test", 8080)),
        ("example.test:8443", "8080", "", ("example.test", 8080)),
        ("[::1]:8443", "8080", "", ("[::1]", 8080)),
        ("::1", "8080", "", ("::1", 8080)),
        ("_", "80", "", ("_", 80)),
        ("~^(www\\.)?x$", "80", "192.0.2.1", ("192.0.2.1", 80)),
        ("", "80", "unix:/run/x.sock", ("localhost", 80)),
        ("", "", "", ("localhost", 80)),
        ("a b", "x", "", ("localhost", 80)),
        ("h", "0", "", ("h", 80)),
        ("h", "65536", "", ("h", 80)),
        ("h", "+80", "", ("h", 80)),
        ("h:port", "80", "", ("localhost", 80)),
    ];
    for (name, port, address, expected) in rows {
        let more: [(&str, &[u8]); 3] =
            [("SERVER_NAME", name.as_bytes()), ("SERVER_PORT", port.as_bytes()), ("SERVER_ADDR", address.as_bytes())];
        let environ = environ(&fastcgi(), &more);
        assert_eq!((environ.server_name(), environ.server_port()), *expected, "{name} {port} {address}");
    }
    assert_eq!(environ(&fastcgi(), &[("HTTPS", b"on")]).server_port(), 443);
}

#[test]
fn no_header_changes_the_server_or_the_scheme() {
    let more: &[(&str, &[u8])] =
        &[("HTTP_HOST", b"evil.test:1"), ("HTTP_X_FORWARDED_PROTO", b"https"), ("HTTP_HTTPS", b"on")];
    let environ = environ(&fastcgi(), more);
    let (name, port, scheme) = (environ.server_name(), environ.server_port(), environ.url_scheme().as_str());
    assert_eq!((name, port, scheme), ("localhost", 80, "http"));
}

#[test]
fn schemes() {
    for (https, scheme, expected) in [
        ("on", "", "https"),
        ("ON", "http", "https"),
        ("1", "", "https"),
        ("", "HTTPS", "https"),
        ("off", "", "http"),
        ("0", "", "http"),
        ("", "ftp", "http"),
    ] {
        let more: [(&str, &[u8]); 2] = [("HTTPS", https.as_bytes()), ("REQUEST_SCHEME", scheme.as_bytes())];
        assert_eq!(environ(&fastcgi(), &more).url_scheme().as_str(), expected, "{https} {scheme}");
    }
}

#[test]
fn clients() {
    for (address, port, expected) in [
        ("192.0.2.1", "5", Some("192.0.2.1:5")),
        ("192.0.2.1", "", Some("192.0.2.1:0")),
        ("::1", "5", Some("[::1]:5")),
        ("unix:", "", None),
        ("", "5", None),
    ] {
        let more: [(&str, &[u8]); 2] = [("REMOTE_ADDR", address.as_bytes()), ("REMOTE_PORT", port.as_bytes())];
        let got = environ(&fastcgi(), &more).remote_addr().map(|address| address.to_string());
        assert_eq!(got.as_deref(), expected, "{address}");
    }
}

#[test]
fn lengths() {
    let rows: &[(&str, Result<BodyLength, u16>)] = &[
        ("", Ok(BodyLength::Nothing)),
        ("0", Ok(BodyLength::Nothing)),
        ("007", Ok(BodyLength::Known(7))),
        ("abc", Err(400)),
        ("+5", Err(400)),
        ("5, 5", Err(400)),
        ("-2", Err(400)),
        ("99999999999999999999", Err(413)),
    ];
    for (length, expected) in rows {
        let got = map(&fastcgi(), &params(&[("CONTENT_LENGTH", length.as_bytes())]));
        assert_eq!(got.map(|(_, body)| body).map_err(|refusal| refusal.status.as_u16()), *expected, "{length}");
    }
    let environ = environ(&fastcgi(), &[("CONTENT_LENGTH", b"007")]);
    assert_eq!((text(&environ, "CONTENT_LENGTH").unwrap(), environ.content_length()), ("7".to_owned(), Some(7)));
}

#[test]
fn a_length_that_contradicts_the_client_s_is_refused() {
    for said in ["6", "abc", "+5"] {
        let more: [(&str, &[u8]); 2] = [("CONTENT_LENGTH", b"5"), ("HTTP_CONTENT_LENGTH", said.as_bytes())];
        assert_status(&refusal(&plain(), &more), 400);
    }
    for (length, said) in [("5", "5"), ("5", "05"), ("5", ""), ("", "5")] {
        let more: [(&str, &[u8]); 2] =
            [("CONTENT_LENGTH", length.as_bytes()), ("HTTP_CONTENT_LENGTH", said.as_bytes())];
        assert!(map(&plain(), &params(&more)).is_ok(), "{length} {said}: a subrequest for authorization has no body");
    }
}

#[test]
fn an_expectation_that_is_not_known_is_417() {
    assert_status(&refusal(&fastcgi(), &[("HTTP_EXPECT", b"200-maybe")]), 417);
}

#[test]
fn limits_are_those_of_http() {
    let limits = Limits { head: 1000, header_count: 5, body: Some(10), ..Limits::default() };
    let refused = |more: &[(&str, &[u8])]| map_with(&fastcgi(), &params(more), &limits).unwrap_err();
    assert_status(&refused(&[("HTTP_X", &[b'x'; 1000])]), 431);
    assert_status(&refused(&[("QUERY_STRING", &[b'x'; 1000])]), 431);
    assert_status(&refused(&[("HTTP_X", &b"x"[..]); 6]), 431);
    assert_status(&refused(&[("CONTENT_LENGTH", b"11")]), 413);
    for more in [&[("HTTP_X", &b"x"[..]); 5][..], &[("CONTENT_LENGTH", b"10")]] {
        assert!(map_with(&fastcgi(), &params(more), &limits).is_ok());
    }
}

#[test]
fn many_variables_are_refused_early() {
    let limits = Limits { head: usize::MAX, header_count: usize::MAX, ..Limits::default() };
    let many = |prefix: &str| {
        let pairs = (0..60_000).map(|number| (format!("{prefix}{number}"), "x"));
        params(&[])
            .iter()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .chain(pairs.map(|(name, value)| (name.into_bytes(), value.as_bytes().to_vec())))
            .collect::<Params>()
    };
    assert_status(&map_with(&fastcgi(), &many("HTTP_X"), &limits).unwrap_err(), 431);
    assert_status(&map_with(&fastcgi(), &many("X"), &limits).unwrap_err(), 431);
}

#[test]
fn a_query_stands_as_it_is() {
    for (query, expected) in [("", ""), ("a=b&c=%20?/", "a=b&c=%20?/"), ("%", "%"), ("<a b>", "%3Ca%20b%3E")] {
        assert_eq!(environ(&fastcgi(), &[("QUERY_STRING", query.as_bytes())]).query_string(), expected);
    }
    // A rewrite may change it.
    let rewritten = environ(&fastcgi(), &[("QUERY_STRING", b"page=1"), ("REQUEST_URI", b"/?other")]);
    assert_eq!(rewritten.query_string(), "page=1");
}
