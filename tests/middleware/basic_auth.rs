//! `basic_auth` and `credentials`.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use http::{HeaderValue, StatusCode};
use proptest::prelude::*;
use vestibule::middleware::User;
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Environ, app_fn, middleware};

use super::across::{across_requests, is_shared};

/// Answers with the name of the user, after a look at all places where an application may find it.
fn app() -> App {
    app_fn(|environ, start_response| {
        let user = environ.extension::<User>()?.clone();
        assert_eq!(environ.var("REMOTE_USER").as_deref(), Some(user.name().as_bytes()));
        assert_eq!(environ.var("AUTH_TYPE").as_deref(), Some(&b"Basic"[..]));
        assert!(!environ.headers().contains_key("authorization"));
        assert_eq!(environ.var("HTTP_AUTHORIZATION"), None);
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(user.name().to_owned().into())
    })
}

fn basic(pair: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// The answer of an application for Ada to this Authorization.
fn ask(authorization: impl AsRef<[u8]>) -> TestResponse {
    let check = middleware::credentials([("ada", "sesame: open")]).unwrap();
    let server = TestServer::new(app().wrap(middleware::basic_auth("staff", check).unwrap()));
    server.get("/").header("authorization", HeaderValue::from_bytes(authorization.as_ref()).unwrap()).send()
}

/// What of an Authorization a check is asked about.
fn asked_about(authorization: &[u8]) -> Option<(String, String)> {
    let asked: Arc<Mutex<Option<(String, String)>>> = Arc::default();
    let notes = Arc::clone(&asked);
    let check = move |name: &str, password: &str| {
        let before = notes.lock().unwrap().replace((name.to_owned(), password.to_owned()));
        assert_eq!(before, None, "it is asked once");
        true
    };
    let server = TestServer::new(app().wrap(middleware::basic_auth("staff", check).unwrap()));
    let response = server.get("/").header("authorization", HeaderValue::from_bytes(authorization).unwrap()).send();
    let asked = asked.lock().unwrap().take();
    assert_eq!(response.status(), if asked.is_some() { StatusCode::OK } else { StatusCode::UNAUTHORIZED });
    asked
}

#[test]
fn answers_to_those_who_may_pass_stay_as_they_are() {
    let request = || http::Request::get("/path").header("authorization", basic("ada:sesame")).body(()).unwrap();
    let check = middleware::credentials([("ada", "sesame")]).unwrap();
    across_requests(request, middleware::basic_auth("staff", check).unwrap(), |_, _, _| {});
}

#[test]
fn the_right_credentials_pass() {
    assert_eq!(ask(basic("ada:sesame: open")).text(), "ada");
    for scheme in ["basic", "BASIC", "bAsIc", "Basic  ", "Basic     "] {
        let response = ask(format!("{scheme} {}", STANDARD.encode("ada:sesame: open")));
        assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "ada"), "{scheme:?}");
    }
}

#[test]
fn everything_else_is_asked_for_credentials() {
    let token = STANDARD.encode("ada:sesame: open");
    let rows: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"Basic".to_vec(),
        b"Basic ".to_vec(),
        b"Basic    ".to_vec(),
        format!("Basic{token}").into(),
        format!("Basic\t{token}").into(),
        format!("Basic {token} ").into(),
        format!("Basic {token},").into(),
        format!("Basic {token}, Basic {token}").into(),
        format!("Basic {token}=").into(),
        format!(" Basic {token}").into(),
        format!("Bearer {token}").into(),
        format!("Digest username=\"ada\", {token}").into(),
        token.into(),
        b"Basic ====".to_vec(),
        b"Basic YWRhOnNlc2FtZQ".to_vec(),
        b"Basic YWRhOnNlc2FtZR==".to_vec(),
        b"Basic Y!Rh".to_vec(),
        b"Basic \xff\xff\xff\xff".to_vec(),
        basic("ada").into(),
        basic("").into(),
        basic(":").into(),
        basic("ada:").into(),
        basic(":sesame: open").into(),
        basic("ada:sesame: ope").into(),
        basic("ada:sesame: open ").into(),
        basic("ADA:sesame: open").into(),
        basic("ada:sesame: open\0").into(),
        basic("ada\n:sesame: open").into(),
        basic(b"ada:sesame: open\xff").into(),
        basic(b"\xe9:sesame").into(),
    ];
    for authorization in rows {
        let response = ask(&authorization);
        let what = String::from_utf8_lossy(&authorization);
        assert_eq!((response.status().as_u16(), response.text().as_str()), (401, "401 Unauthorized\n"), "{what}");
        assert_eq!(response.header("www-authenticate"), Some("Basic realm=\"staff\", charset=\"UTF-8\""), "{what}");
        assert_eq!(response.errors(), "", "{what}");
    }
}

#[test]
fn no_authorization_and_more_than_one_is_none() {
    let check = middleware::credentials([("ada", "sesame")]).unwrap();
    let server = TestServer::new(app().wrap(middleware::basic_auth("staff", check).unwrap()));
    assert_eq!(server.get("/").send().status(), 401);
    assert_eq!(server.head("/").send().status(), 401);
    let right = basic("ada:sesame");
    assert_eq!(server.get("/").header("authorization", &right).send().status(), 200);
    for second in [right.as_str(), "Bearer x", ""] {
        let twice = server.get("/").header("authorization", &right).header("authorization", second);
        assert_eq!(twice.send().status(), 401, "{second}");
    }
}

#[test]
fn a_check_is_asked_about_what_the_client_meant() {
    let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
    assert_eq!(asked_about(basic("a:b:c").as_bytes()), pair("a", "b:c"));
    assert_eq!(asked_about(basic(":").as_bytes()), pair("", ""));
    assert_eq!(asked_about(basic("test:123£").as_bytes()), pair("test", "123£"), "RFC 7617, section 2.1");
    assert_eq!(asked_about(basic(b"test:123\xa3").as_bytes()), None, "Latin-1 is not UTF-8");
    for control in ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\u{85}"] {
        assert_eq!(asked_about(basic(format!("a{control}:b")).as_bytes()), None, "{control:?}");
        assert_eq!(asked_about(basic(format!("a:b{control}")).as_bytes()), None, "{control:?}");
    }
    // The alphabet is that of RFC 4648, section 4, with its padding.
    assert_eq!(asked_about(format!("Basic {}", URL_SAFE.encode("a:??>>~~")).as_bytes()), None);
    assert_eq!(asked_about(format!("Basic {}", STANDARD_NO_PAD.encode("a:bc12")).as_bytes()), pair("a", "bc12"));
    assert_eq!(asked_about(format!("Basic {}", STANDARD_NO_PAD.encode("a:bc1")).as_bytes()), None);
}

#[test]
fn credentials_are_looked_at_up_to_their_longest() {
    for (bytes, passes) in [(3069, true), (3071, true), (3072, true), (3073, false), (3075, false), (60_000, false)] {
        let pair = format!("a:{}", "x".repeat(bytes - 2));
        let authorization = basic(&pair);
        assert_eq!(authorization.len() - "Basic ".len() <= 4096, passes, "{bytes}");
        assert_eq!(asked_about(authorization.as_bytes()).is_some(), passes, "{bytes} bytes of credentials");
    }
}

#[test]
fn the_application_and_those_further_out_know_the_user() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = Arc::clone(&seen);
    let log = middleware::map_head(move |head| {
        let user = head.extension::<User>().map_or("-", User::name);
        notes.lock().unwrap().push(format!("{user} {}", head.status.as_u16()));
    });
    let check = middleware::credentials([("ada", "sesame")]).unwrap();
    // What a front end has said of the user is replaced.
    let claimed = middleware::map_environ(|environ: &mut Environ| {
        environ.set_var("REMOTE_USER", "root").unwrap();
        environ.extensions_mut().insert(User::new("root"));
    });
    let app = app().wrap(middleware::basic_auth("staff", check).unwrap()).wrap(claimed).wrap(log);
    let server = TestServer::new(app);
    assert_eq!(server.get("/").header("authorization", basic("ada:sesame")).send().text(), "ada");
    assert_eq!(server.get("/").header("authorization", basic("ada:wrong")).send().status(), 401);
    assert_eq!(*seen.lock().unwrap(), ["ada 200", "- 401"]);
}

#[test]
fn the_log_knows_the_user_whatever_becomes_of_the_response() {
    use vestibule::middleware::{AccessLog, ErrorDocuments, access_log, error_documents};

    let answers: [(&str, App); 4] = [
        ("ada 500", app_fn(|_, _| Err("no disk".into()))),
        ("ada 500", app_fn(|_, _| panic!("a bug"))),
        ("ada 500", app_fn(|_, _| Ok("never started".into()))),
        ("ada 503", vestibule::async_fn(|_, _| std::future::pending())),
    ];
    for (line, app) in answers {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&lines);
        let log = AccessLog::format("%u %>s").unwrap().to(move |line| log.lock().unwrap().push(line.to_owned()));
        let check = middleware::credentials([("ada", "sesame")]).unwrap();
        let pages = ErrorDocuments::new().other_page("text/html", |status| status.to_string()).unwrap();
        let app = app
            .wrap(middleware::basic_auth("staff", check).unwrap())
            .wrap(error_documents(pages))
            .wrap(middleware::etag)
            .wrap(middleware::timeout(std::time::Duration::from_millis(20)))
            .wrap(access_log(log));
        let server = TestServer::new(app);
        server.get("/").header("authorization", basic("ada:sesame")).send();
        server.get("/").send();
        assert_eq!(*lines.lock().unwrap(), [line, "- 401"]);
    }
}

#[test]
fn a_realm_is_quoted_and_one_that_cannot_be_is_refused() {
    let challenge = |realm: &str| {
        let server = TestServer::new(app().wrap(middleware::basic_auth(realm, |_, _| false).unwrap()));
        server.get("/").send().header("www-authenticate").unwrap().to_owned()
    };
    assert_eq!(challenge(""), r#"Basic realm="", charset="UTF-8""#);
    assert_eq!(challenge("the \"inner\" room, \\o/"), r#"Basic realm="the \"inner\" room, \\o/", charset="UTF-8""#);
    for realm in ["a\r\nb", "a\nb", "\0", "\t", "Büro", "\x7f"] {
        let error = middleware::basic_auth(realm, |_, _| true).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("basic_auth: the realm ") && !error.contains('\n'), "{error}");
    }
    let realm = String::from("staff");
    let layer = is_shared(middleware::basic_auth(&realm, |_, _| true).unwrap());
    drop(realm);
    assert_eq!(TestServer::new(app().wrap(layer)).get("/").header("authorization", basic("a:b")).send().text(), "a");
}

#[test]
fn a_check_that_panics_lets_nobody_in() {
    let server = TestServer::new(app().wrap(middleware::basic_auth("staff", |_, _| panic!("no database")).unwrap()));
    let response = server.get("/").header("authorization", basic("ada:sesame")).send();
    assert_eq!(response.status(), 500);
    assert!(
        response.errors().contains("no database") && !response.errors().contains("sesame"),
        "{}",
        response.errors()
    );
}

#[test]
fn credentials_are_all_compared_whole() {
    let check = middleware::credentials([("ada", "sesame"), ("grace", ""), ("", "empty"), ("ada", "second")]).unwrap();
    for (name, password, is_right) in [
        ("ada", "sesame", true),
        ("ada", "second", true),
        ("grace", "", true),
        ("", "empty", true),
        ("ada", "", false),
        ("ada", "sesam", false),
        ("ada", "sesamesesame", false),
        ("ada", "sesames", false),
        ("adaada", "sesame", false),
        ("grace", "sesame", false),
        ("ada", "empty", false),
        ("", "", false),
        ("grace", "\0", false),
    ] {
        assert_eq!(check(name, password), is_right, "{name:?} {password:?}");
    }
    let nobody = middleware::credentials([("", ""); 0]).unwrap();
    assert!(!nobody("", ""));
    for (name, password) in [("a:b", "hunter2"), ("a\n", "hunter2"), ("a", "hunter2\0")] {
        let error = middleware::credentials([(name, password)]).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("credentials: ") && !error.contains("hunter2"), "{error}");
    }
}

proptest! {
    #[test]
    fn what_a_client_encodes_is_what_the_check_is_asked(name in "[^:\\p{Cc}]{0,20}", password in "\\P{Cc}{0,20}") {
        prop_assert_eq!(asked_about(basic(format!("{name}:{password}")).as_bytes()), Some((name, password)));
    }

    #[test]
    fn whatever_comes_is_read_as_the_rfc_says(
        scheme in prop_oneof![Just("Basic ".to_owned()), "[Bb]asic {1,3}", "[ -~]{0,8}"],
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        raw in any::<bool>(),
    ) {
        let token = if raw { bytes } else { STANDARD.encode(&bytes).into_bytes() };
        let authorization = [scheme.as_bytes(), &token].concat();
        prop_assume!(HeaderValue::from_bytes(&authorization).is_ok());
        let text = std::str::from_utf8(&authorization).ok();
        let expected = text.filter(|text| text.to_ascii_lowercase().starts_with("basic ")).and_then(|text| {
            let pair = String::from_utf8(STANDARD.decode(text[6..].trim_start_matches(' ')).ok()?).ok()?;
            let (name, password) = pair.split_once(':')?;
            (!pair.chars().any(char::is_control)).then(|| (name.to_owned(), password.to_owned()))
        });
        prop_assert_eq!(asked_about(&authorization), expected);
    }

    #[test]
    fn credentials_compare_as_equality_does(name in "[ab]{0,4}", password in "[ab]{0,4}", right in "[ab]{0,4}") {
        let check = middleware::credentials([("ab", right.as_str())]).unwrap();
        prop_assert_eq!(check(&name, &password), name == "ab" && password == right);
    }
}
