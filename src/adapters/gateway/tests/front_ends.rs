//! What real front ends send for one request, each line of it a test.
//!
//! The fixtures in `tests/captured` are what NGINX 1.22.1, Apache 2.4.71, lighttpd 1.4.69, Caddy 2.6.2 and HAProxy
//! 2.6.12, as Debian 12 has them, made of this request, at a root or mounted at `/app`:
//!
//! ```text
//! GET /app/p%C3%A4th%2Fx//y;z?q=a%20b&c HTTP/1.1
//! Host: example.test:8443
//! Cookie: a=1
//! Cookie: b=2
//! X-Dup: a=1
//! X-Dup: b=2
//! X_Under: 1
//! X-Under: 2
//! X-Empty:
//! Proxy: http://evil.test
//! Authorization: Basic dTpw
//! Connection: close
//! ```
//!
//! Where Apache refuses `%2F` it was `%20`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

struct FrontEnd {
    name: &'static str,
    variables: &'static str,
    mapping: Mapping,
    script_name: &'static str,
    path_info: &'static str,
}

/// The front ends that lead to one mapping of one path.
macro_rules! front_ends {
    ($($mapping:expr => $script_name:literal $path_info:literal: $($name:literal),*;)*) => {
        vec![$($(FrontEnd {
            name: $name,
            variables: include_str!(concat!("../../../../tests/captured/", $name, ".txt")),
            mapping: $mapping,
            script_name: $script_name,
            path_info: $path_info,
        }),*),*]
    };
}

/// Each front end with what comes of it where the deployer says nothing of a mount point, or has to.
fn all() -> Vec<FrontEnd> {
    front_ends! {
        cgi() => "/app" "/päth/x/y;z": "apache-cgi", "lighttpd-cgi";
        fastcgi_script() => "/app" "/päth x/y;z": "apache-fcgid";
        fastcgi() => "" "/app/päth/x/y;z":
            "nginx-fcgi-root", "apache-proxy-fcgi-root", "lighttpd-fcgi-root-fixed", "lighttpd-authorizer";
        fastcgi() => "" "/app/päth/x//y;z": "caddy-fcgi-root", "haproxy-fcgi-root";
        fastcgi() => "/app" "/päth/x/y;z": "nginx-fcgi", "lighttpd-fcgi";
        fastcgi() => "/app" "/päth/x//y;z": "haproxy-fcgi";
        fastcgi() => "/app" "/päth x/y;z": "apache-handler-fcgi";
        mounted(fastcgi(), "/") => "" "/app/päth/x/y;z": "lighttpd-fcgi-root";
        mounted(fastcgi(), "/app") => "/app" "/päth/x/y;z": "apache-proxy-fcgi";
        plain() => "" "/app/päth/x/y;z": "nginx-scgi-root", "nginx-uwsgi-root", "apache-proxy-scgi-root";
        plain() => "" "/app/päth x/y;z": "apache-proxy-uwsgi-root";
        plain() => "/app" "/päth/x/y;z": "lighttpd-scgi", "lighttpd-uwsgi";
        plain() => "/app" "/päth x/y;z": "apache-proxy-uwsgi";
        mounted(plain(), "/app") => "/app" "/päth/x/y;z": "apache-proxy-scgi";
    }
}

impl FrontEnd {
    fn is(&self, server: &str) -> bool {
        self.name.starts_with(server)
    }

    fn sent(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.variables.lines().map(|line| line.split_once('=').unwrap())
    }

    fn sends(&self, name: &str) -> Option<&'static str> {
        self.sent().filter(|(other, _)| *other == name).map(|(_, value)| value).last()
    }

    /// What it sends, with some of it replaced.
    fn with(&self, more: &[(&'static str, &'static str)]) -> Params {
        let stays = |name: &str| more.iter().all(|(other, _)| *other != name);
        self.sent().filter(|(name, _)| stays(name)).chain(more.iter().copied()).collect()
    }

    fn map(&self, mapping: &Mapping, more: &[(&'static str, &'static str)]) -> (Environ, BodyLength) {
        map(mapping, &self.with(more)).unwrap_or_else(|refusal| panic!("{}: {refusal}", self.name))
    }

    fn environ(&self) -> Environ {
        self.map(&self.mapping, &[]).0
    }
}

fn each(test: impl Fn(&FrontEnd, &Environ)) {
    for front_end in all() {
        // A failure names its front end.
        let tested = catch_unwind(AssertUnwindSafe(|| test(&front_end, &front_end.environ())));
        assert!(tested.is_ok(), "that was of {}", front_end.name);
    }
}

#[test]
fn request_uri_keeps_what_was_encoded() {
    each(|front_end, environ| {
        let space = front_end.path_info.contains(' ');
        let raw = match front_end.path_info.contains("//") {
            true => "/app/p%C3%A4th%2Fx//y;z",
            // The path is the front end's, so slashes that it has merged stay so.
            false if space => "/app/p%C3%A4th%20x/y;z",
            false => "/app/p%C3%A4th%2Fx/y;z",
        };
        assert_eq!(environ.raw_path(), raw);
        assert_eq!(environ.query_string(), "q=a%20b&c");
    });
}

#[test]
fn the_path_is_decoded_once_and_divided_where_the_application_is() {
    each(|front_end, environ| {
        assert_eq!(environ.script_name(), front_end.script_name);
        assert_eq!(environ.path_info(), front_end.path_info);
    });
}

#[test]
fn script_name_is_the_mount_point_where_one_is_set() {
    for front_end in all() {
        for mount in ["/app", "/"] {
            let (environ, _) = front_end.map(&mounted(front_end.mapping.clone(), mount), &[]);
            let whole = format!("{}{}", front_end.script_name, front_end.path_info);
            let script_name = if mount == "/" { "" } else { mount };
            assert_eq!(environ.script_name(), script_name, "{}", front_end.name);
            assert_eq!(format!("{script_name}{}", environ.path_info()), whole, "{}", front_end.name);
        }
    }
}

#[test]
fn path_info_that_nobody_sends_is_found() {
    let without = ["nginx-fcgi-root", "nginx-scgi-root", "apache-proxy", "haproxy-fcgi-root", "lighttpd-authorizer"];
    each(|front_end, environ| {
        if front_end.sends("PATH_INFO").is_none() {
            assert!(without.iter().any(|name| front_end.is(name)), "it sends no PATH_INFO");
        }
        assert!(environ.path_info().starts_with('/'));
    });
}

#[test]
fn script_filename_is_a_variable_that_changes_nothing() {
    each(|front_end, environ| {
        let hostile =
            [("SCRIPT_FILENAME", "/etc/passwd"), ("PATH_TRANSLATED", "/"), ("PHP_VALUE", "auto_prepend_file=/x")];
        let (other, _) = front_end.map(&front_end.mapping, &hostile);
        assert_eq!(other.raw_path(), environ.raw_path());
        assert_eq!((other.script_name(), other.path_info()), (environ.script_name(), environ.path_info()));
        let expected = (!front_end.mapping.of_process).then(|| "/etc/passwd".to_owned());
        assert_eq!(text(&other, "SCRIPT_FILENAME"), expected);
    });
}

#[test]
fn document_uri_stands_in_for_a_path_and_is_not_above_one() {
    each(|front_end, environ| {
        let (other, _) = front_end.map(&front_end.mapping, &[("DOCUMENT_URI", "/other")]);
        match front_end.is("nginx-scgi-root") || front_end.is("lighttpd-authorizer") {
            true => assert_eq!((other.path_info(), other.raw_path()), ("/other".into(), "/other")),
            false => assert_eq!(other.raw_path(), environ.raw_path()),
        }
    });
}

#[test]
fn a_request_without_body_has_none_however_that_is_said() {
    for front_end in all() {
        let (environ, body) = front_end.map(&front_end.mapping, &[]);
        assert_eq!(body, BodyLength::Nothing, "{}", front_end.name);
        // Rule E7: a length of 0 is present; whether the client has sent it cannot be known.
        let expected = front_end.sends("CONTENT_LENGTH").filter(|length| !length.is_empty()).map(str::to_owned);
        assert_eq!(text(&environ, "CONTENT_LENGTH"), expected, "{}", front_end.name);
    }
}

#[test]
fn an_empty_content_type_is_none() {
    each(|_, environ| assert_eq!(environ.var("CONTENT_TYPE"), None));
}

#[test]
fn the_copies_of_content_length_and_type_are_no_headers() {
    for front_end in all() {
        let more = [
            ("REQUEST_METHOD", "POST"),
            ("CONTENT_LENGTH", "5"),
            ("CONTENT_TYPE", "text/plain"),
            ("HTTP_CONTENT_LENGTH", "5"),
            ("HTTP_CONTENT_TYPE", "text/html"),
        ];
        let (environ, body) = front_end.map(&front_end.mapping, &more);
        assert_eq!(body, BodyLength::Known(5));
        assert_eq!(environ.headers().get_all("content-length").iter().collect::<Vec<_>>(), ["5"]);
        assert_eq!(environ.headers().get_all("content-type").iter().collect::<Vec<_>>(), ["text/plain"]);
    }
}

#[test]
fn the_host_is_as_the_front_end_has_it() {
    each(|front_end, environ| {
        // Debian's `fastcgi_params` send `$host`, which has no port.
        let host = if front_end.is("nginx") { "example.test" } else { "example.test:8443" };
        assert_eq!(environ.headers()["host"], host);
        // NGINX and Caddy, for a client of HTTP/1.0 that sends none.
        let (old, _) = front_end.map(&front_end.mapping, &[("SERVER_PROTOCOL", "HTTP/1.0"), ("HTTP_HOST", "")]);
        assert!(old.url().starts_with(&format!("http://{}:{}/", environ.server_name(), environ.server_port())));
    });
}

#[test]
fn the_server_has_a_name_and_a_port() {
    each(|front_end, environ| {
        let name = match front_end.name {
            // NGINX without `server_name`.
            name if name.starts_with("nginx-fcgi") => "127.0.0.1",
            name if name.starts_with("nginx") => "localhost",
            _ => "example.test",
        };
        assert_eq!(environ.server_name(), name);
        assert_eq!(environ.server_port().to_string(), front_end.sends("SERVER_PORT").unwrap());
        assert_eq!(environ.remote_addr().unwrap().to_string(), "127.0.0.1:40000");
    });
}

#[test]
fn repeated_headers_are_one_variable() {
    each(|front_end, environ| {
        assert_eq!(text(environ, "HTTP_X_DUP").unwrap(), "a=1, b=2");
        // Apache and Caddy have joined the cookies before.
        let joined = front_end.is("apache") || front_end.is("caddy");
        assert_eq!(text(environ, "HTTP_COOKIE").unwrap(), if joined { "a=1, b=2" } else { "a=1; b=2" });
        if front_end.is("nginx") || front_end.is("haproxy") {
            assert_eq!(environ.headers().get_all("cookie").iter().count(), 2);
            assert_eq!(environ.headers().get_all("x-dup").iter().count(), 2);
        }
    });
}

#[test]
fn underscores_cannot_be_told_from_dashes() {
    each(|front_end, environ| {
        let expected = match front_end.name {
            "lighttpd-cgi" => "1",
            name if name.starts_with("lighttpd") => "1, 2",
            _ => "2",
        };
        assert_eq!(text(environ, "HTTP_X_UNDER").unwrap(), expected);
    });
}

#[test]
fn an_empty_header_is_there() {
    each(|front_end, environ| {
        let expected = if front_end.is("lighttpd") { None } else { Some(String::new()) };
        assert_eq!(text(environ, "HTTP_X_EMPTY"), expected);
    });
}

#[test]
fn proxy_is_no_header() {
    assert!(all().iter().any(|front_end| front_end.sends("HTTP_PROXY").is_some()));
    each(|_, environ| assert!(environ.var("HTTP_PROXY").is_none() && !environ.headers().contains_key("proxy")));
}

#[test]
fn authorization_is_found_where_apache_puts_it() {
    each(|front_end, environ| {
        let sent = front_end.sends("HTTP_AUTHORIZATION").map(str::to_owned);
        assert_eq!(text(environ, "HTTP_AUTHORIZATION"), sent);
        for name in ["REDIRECT_HTTP_AUTHORIZATION", "REDIRECT_REDIRECT_HTTP_AUTHORIZATION"] {
            let (other, _) = front_end.map(&front_end.mapping, &[(name, "Basic other")]);
            let expected = sent.clone().unwrap_or_else(|| "Basic other".to_owned());
            assert_eq!(text(&other, "HTTP_AUTHORIZATION"), Some(expected));
            assert_eq!(other.var(name), None);
        }
    });
}

#[test]
fn nobody_is_a_user_unless_the_front_end_is_trusted() {
    each(|front_end, environ| {
        assert_eq!((environ.var("REMOTE_USER"), environ.var("AUTH_TYPE")), (None, None));
        let trusting = Mapping { trust_remote_user: true, ..front_end.mapping.clone() };
        let (other, _) = front_end.map(&trusting, &[]);
        let user = front_end.sends("REMOTE_USER").filter(|user| !user.is_empty()).map(str::to_owned);
        assert_eq!(text(&other, "REMOTE_USER"), user);
        assert!(user.is_none() || front_end.is("nginx-fcgi") || front_end.is("haproxy"), "it is `u`, unverified");
    });
}

#[test]
fn tls_is_told_by_https_or_request_scheme() {
    each(|front_end, environ| {
        assert_eq!(environ.url_scheme().as_str(), "http");
        let (tls, _) = front_end.map(&front_end.mapping, &[("HTTPS", "on")]);
        assert_eq!(text(&tls, "HTTPS").unwrap(), "on");
        assert!(tls.url().starts_with("https://example.test"));
    });
}

#[test]
fn nothing_of_another_process_is_passed_on() {
    assert!(all().iter().any(|front_end| front_end.sends("PATH").is_some()));
    each(|_, environ| {
        assert_eq!((environ.var("PATH"), environ.var("SCGI")), (None, None));
        // Apache's notes to itself.
        assert_eq!(environ.var("proxy-nokeepalive"), None);
    });
}

#[test]
fn a_connection_s_own_headers_are_none_of_the_request() {
    each(|front_end, _| {
        let more = [("HTTP_CONNECTION", "upgrade"), ("HTTP_UPGRADE", "h2c"), ("HTTP_TE", "trailers")];
        let (environ, _) = front_end.map(&front_end.mapping, &more);
        for name in ["connection", "upgrade", "te", "keep-alive", "transfer-encoding", "trailer"] {
            assert!(!environ.headers().contains_key(name), "{name}");
        }
    });
}

#[test]
fn other_variables_of_the_front_end_are_there() {
    each(|front_end, environ| {
        let software = front_end.sends("SERVER_SOFTWARE").map(str::to_owned);
        assert_eq!(text(environ, "SERVER_SOFTWARE"), software);
        let root = front_end.sends("DOCUMENT_ROOT").filter(|_| !front_end.mapping.of_process).map(str::to_owned);
        assert_eq!(text(environ, "DOCUMENT_ROOT"), root);
    });
}

/// A front end, what it sends besides, and what body that is, or the status that it is refused with.
type Upload<'a> = (&'a str, &'a [(&'static str, &'static str)], Result<BodyLength, u16>);

#[test]
fn a_chunked_upload_is_known_by_its_length_or_by_its_end() {
    let rows: &[Upload<'_>] = &[
        // NGINX has decoded it, and still says that it was chunked.
        (
            "nginx-fcgi-root",
            &[("CONTENT_LENGTH", "5"), ("HTTP_TRANSFER_ENCODING", "chunked")],
            Ok(BodyLength::Known(5)),
        ),
        (
            "nginx-scgi-root",
            &[("CONTENT_LENGTH", "5"), ("HTTP_TRANSFER_ENCODING", "chunked")],
            Ok(BodyLength::Known(5)),
        ),
        // With `fastcgi_request_buffering off` and more than comes at once.
        ("nginx-fcgi-root", &[("CONTENT_LENGTH", ""), ("HTTP_TRANSFER_ENCODING", "chunked")], Ok(BodyLength::Unknown)),
        ("apache-cgi", &[("HTTP_TRANSFER_ENCODING", "chunked")], Ok(BodyLength::Unknown)),
        ("apache-fcgid", &[("CONTENT_LENGTH", "5")], Ok(BodyLength::Known(5))),
        ("caddy-fcgi-root", &[("CONTENT_LENGTH", "-1")], Ok(BodyLength::Unknown)),
        ("apache-cgi", &[("CONTENT_LENGTH", "-1")], Err(400)),
        ("lighttpd-uwsgi", &[("CONTENT_LENGTH", "-1")], Err(400)),
        ("nginx-uwsgi-root", &[("CONTENT_LENGTH", ""), ("HTTP_TRANSFER_ENCODING", "chunked")], Err(411)),
        ("apache-cgi", &[("HTTP_TRANSFER_ENCODING", "gzip, chunked")], Err(400)),
    ];
    for (name, more, expected) in rows {
        let front_end = all().into_iter().find(|front_end| front_end.name == *name).unwrap();
        let more: Vec<_> = [("REQUEST_METHOD", "POST")].iter().chain(*more).copied().collect();
        let got = map(&front_end.mapping, &front_end.with(&more));
        let got = got.map(|(_, body)| body).map_err(|refusal| refusal.status.as_u16());
        assert_eq!(got, *expected, "{name} {more:?}");
    }
}

#[test]
fn an_upload_that_nginx_cuts_over_scgi_is_refused() {
    let variables = include_str!("../../../../tests/captured/nginx-scgi-unbuffered.txt");
    let params: Params = variables.lines().map(|line| line.split_once('=').unwrap()).collect();
    let refusal = map(&plain(), &params).unwrap_err();
    assert_status(&refusal, 400);
    let text = refusal.to_string();
    assert!(text.contains("scgi_request_buffering off") && text.contains("9139") && text.contains("3000000"), "{text}");
    // After `Expect: 100-continue` nothing of it has come.
    let params = params.iter().chain([(&b"CONTENT_LENGTH"[..], &b"0"[..])]).collect();
    assert_status(&map(&plain(), &params).unwrap_err(), 400);
}

#[test]
fn expect_is_the_front_end_s_and_passes() {
    each(|front_end, _| {
        let more = [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "5"), ("HTTP_EXPECT", "100-continue")];
        assert_eq!(front_end.map(&front_end.mapping, &more).1, BodyLength::Known(5));
    });
}

#[test]
fn head_is_head() {
    each(|front_end, _| {
        assert_eq!(front_end.map(&front_end.mapping, &[("REQUEST_METHOD", "HEAD")]).0.method(), "HEAD");
    });
}
