//! `show_environ`: what it shows, and what it does not.

use proptest::prelude::*;
use vestibule::apps::show_environ;
use vestibule::testing::TestServer;
use vestibule::{App, Environ, middleware};

use super::harness::{Pull, run};

fn server(change: impl Fn(&mut Environ) + Send + Sync + 'static) -> TestServer {
    TestServer::new(App::new(show_environ).wrap(middleware::map_environ(change)))
}

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|found| found.trim() == line)
}

#[test]
fn the_request_its_headers_and_the_variables_are_shown() {
    let server = server(|environ| {
        environ.set_var("DOCUMENT_ROOT", "/srv").unwrap();
    });
    let request = server.post("/a%2Fb/%3Ci%3E?page=2").header("x-tea", "a").header("x-tea", "b").body("four");
    let response = request.send();
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("vary", "accept"),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    let text = response.text();
    for line in [
        "method       POST",
        "url          \"http://localhost/a%2Fb/%3Ci%3E?page=2\"",
        "raw_path     \"/a%2Fb/%3Ci%3E\"",
        "path_info    \"/a/b/<i>\"",
        "input        4 bytes",
        "x-tea: \"a\"",
        "x-tea: \"b\"",
        "HTTP_X_TEA = \"a, b\"",
        "CONTENT_LENGTH = \"4\"",
        "DOCUMENT_ROOT = \"/srv\"",
        "it calls from many threads    true",
    ] {
        assert!(has(&text, line), "{line:?} is not in:\n{text}");
    }
}

#[test]
fn extensions_are_counted_and_the_input_is_left() {
    let read_later = |inner: App| {
        vestibule::app_fn(move |environ, start_response| {
            let (mut again, body) = (environ.duplicate(), inner.call(environ, start_response)?);
            assert_eq!(again.input_mut().read_text(10)?, "tea");
            Ok(body)
        })
    };
    let app = App::new(show_environ).wrap(read_later);
    for number in 0..3 {
        let mut request = http::Request::post("/").body(vestibule::Body::iter(["tea"])).unwrap();
        if number > 0 {
            request.extensions_mut().insert(1_u8);
        }
        if number > 1 {
            request.extensions_mut().insert("two");
        }
        let text = run(&app, request, Pull::Blocking).text();
        assert!(
            has(&text, &format!("extensions   {number}")) && has(&text, "input        of unknown length"),
            "{text}"
        );
    }
}

#[test]
fn secrets_are_masked() {
    let server = server(|environ| {
        for name in ["API_TOKEN", "db_password", "Secret_Sauce", "SSH_KEY", "OAUTH"] {
            environ.set_var(name, "hunter2").unwrap();
        }
    });
    let mut request = server.get("/");
    let names = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-user", "x-csrf-token"];
    for name in names {
        request = request.header(name, "hunter2");
    }
    for text in [request.send().text(), {
        let page = server.get("/").header("accept", "text/html").header("cookie", "hunter2").send();
        page.text()
    }] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(has(&text, "SSH_KEY = (masked)") && has(&text, "cookie: (masked)"), "{text}");
    }
}

#[test]
fn a_page_is_given_to_who_asks_for_one_and_is_escaped() {
    let server = server(|_| {});
    for (accept, is_page) in [
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", true),
        ("application/json, TEXT/HTML ; charset=utf-8", true),
        ("text/html;q=0.5", true),
        ("text/html;q=0", false),
        ("text/html; q=0.000", false),
        ("text/htmlx, text/*, */*", false),
        ("", false),
    ] {
        let request = server.get("/%3Cscript%3E").header("accept", accept).header("x-tea", "<b>'&\"");
        let response = request.send();
        let kind = if is_page { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
        assert_eq!(response.header("content-type"), Some(kind), "{accept}");
        let text = response.text();
        assert_eq!(text.contains("<script>") || text.contains("<b>"), !is_page, "{accept}: {text}");
        assert!(!is_page || text.contains("/&lt;script&gt;") && text.contains("&lt;b&gt;&#39;&amp;"), "{text}");
    }
}

#[test]
fn control_characters_drive_no_terminal() {
    let server = server(|environ| {
        environ.set_path(b"", b"/\x1b[2J\r\n").unwrap();
        environ.set_var("A\x1bB", "x\x1by\x7f\u{9b}").unwrap();
    });
    let text = server.get("/").send().text();
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    assert!(text.contains("\\u{1b}[2J\\r\\n"), "{text}");
}

proptest! {
    #[test]
    fn whatever_is_sent_ends_as_one_line_of_text(value in prop::collection::vec(any::<u8>(), 0..40), page: bool) {
        let Ok(value) = http::HeaderValue::from_bytes(&value) else { return Ok(()) };
        let accept = if page { "text/html" } else { "*/*" };
        let request = http::Request::get("/").header("x-value", value).header("accept", accept).body(()).unwrap();
        let seen = run(&App::new(show_environ), request, Pull::Blocking);
        let text = seen.text();
        prop_assert!(text.chars().all(|character| character == '\n' || !character.is_control()));
        prop_assert_eq!(text.lines().filter(|line| line.contains("x-value: ")).count(), 1);
    }
}
