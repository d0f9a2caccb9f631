//! `redirect`: where it leads, and where it never leads.

use proptest::prelude::*;
use vestibule::apps::{Location, redirect, url_map};
use vestibule::testing::TestServer;
use vestibule::{App, Error, Method};

use super::{get, harness};
use harness::{Pull, run};

fn location(app: App, target: &str) -> String {
    TestServer::new(app).get(target).send().header("location").unwrap().to_owned()
}

#[test]
fn it_has_one_of_five_statuses() {
    for status in [301, 302, 303, 307, 308] {
        let server = TestServer::new(redirect(status, "/new").unwrap());
        for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
            let response = server.request(method.clone(), "/old").send();
            assert_eq!((response.status().as_u16(), response.header("location")), (status, Some("/new")), "{method}");
            let is_silent = method == Method::HEAD;
            assert_eq!(response.text().starts_with(&status.to_string()), !is_silent, "{method}");
        }
    }
    for status in [200, 300, 304, 305, 306, 309, 404, 0, 1000] {
        let message = redirect(status, "/new").unwrap_err().to_string();
        assert_eq!(message, format!("redirect: {status} is none of 301, 302, 303, 307 and 308"));
    }
}

#[test]
fn a_path_is_one_of_the_application_and_the_rest_is_as_it_is() {
    for (to, seen, mounted) in [
        ("/", "/", "/mnt/"),
        ("/new?a=b#c", "/new?a=b#c", "/mnt/new?a=b#c"),
        ("/a%20b/%2F", "/a%20b/%2F", "/mnt/a%20b/%2F"),
        ("/caf\u{e9} x", "/caf%C3%A9%20x", "/mnt/caf%C3%A9%20x"),
        ("/100%", "/100%25", "/mnt/100%25"),
        ("/<\"`{|}^>", "/%3C%22%60%7B%7C%7D%5E%3E", "/mnt/%3C%22%60%7B%7C%7D%5E%3E"),
        ("../new", "../new", "../new"),
        ("?page=2", "?page=2", "?page=2"),
        ("new/a:b", "new/a:b", "new/a:b"),
        ("https://example.org", "https://example.org", "https://example.org"),
        ("HTTP://example.org:80/a b", "HTTP://example.org:80/a%20b", "HTTP://example.org:80/a%20b"),
        ("https://[::1]:1/", "https://[::1]:1/", "https://[::1]:1/"),
        ("https://example.org?q=a@b", "https://example.org?q=a@b", "https://example.org?q=a@b"),
    ] {
        let app = redirect(302, to).unwrap();
        assert_eq!(location(app.clone(), "/old"), seen, "{to}");
        let response = TestServer::new(app).mounted_at("/mnt").get("/old").send();
        assert_eq!(response.header("location"), Some(mounted), "{to}");
    }
    // A map gives it a place of its own.
    let map = url_map([("/old", redirect(302, "/new").unwrap()), ("/up", redirect(302, "../new").unwrap())]).unwrap();
    assert_eq!(location(map.clone(), "/old/x"), "/old/new");
    assert_eq!(location(map, "/up/x"), "../new");
}

#[test]
fn what_may_be_another_host_is_refused_when_it_is_built() {
    for (to, fault) in [
        ("", "is no location"),
        ("//evil.example", "is another host"),
        ("///evil.example", "is another host"),
        ("/\\evil.example", "a character that browsers read as another"),
        ("\\\\evil.example", "a character that browsers"),
        ("/\t/evil.example", "a character that browsers"),
        ("/new\r\nset-cookie: a=b", "a character that browsers"),
        ("\u{85}//evil.example", "a character that browsers"),
        ("javascript:alert(1)", "is no URL of http or https"),
        ("data:text/html,x", "is no URL of http or https"),
        ("https:evil.example", "is no URL of http or https"),
        ("https:/evil.example", "is no URL of http or https"),
        ("ftp://example.org/", "is no URL of http or https"),
        ("https://", "has no host"),
        ("https:///evil.example", "has no host"),
        ("https://example.org@evil.example/", "more than a host"),
        ("https://example.org%2F@evil.example/", "more than a host"),
        ("https://exa mple.org/", "more than a host"),
    ] {
        let message = redirect(302, to).expect_err(to).to_string();
        assert!(message.starts_with("redirect: ") && message.contains(fault), "{to:?}: {message}");
    }
}

#[test]
fn the_query_is_kept_on_wish() {
    for (to, target, seen) in [
        ("/new", "/?a=1&b=%20", "/new?a=1&b=%20"),
        ("/new", "/", "/new"),
        ("/new?x=y", "/?a=1", "/new?x=y&a=1"),
        ("/new#part", "/?a=1", "/new?a=1#part"),
        ("/new?x#part?", "/?a=1", "/new?x&a=1#part?"),
        ("https://example.org", "/?a=1", "https://example.org?a=1"),
        ("/new", "/?next=//evil.example", "/new?next=//evil.example"),
    ] {
        assert_eq!(location(redirect(307, Location::to(to).keep_query()).unwrap(), target), seen, "{to} {target}");
        assert_eq!(location(redirect(307, to).unwrap(), target), to, "{target}");
    }
    let computed = Location::by(|_| Ok("/new".to_owned())).keep_query();
    assert_eq!(location(redirect(307, computed).unwrap(), "/?a=1"), "/new?a=1");
}

#[test]
fn a_location_may_be_made_of_each_request() {
    let app = redirect(308, Location::by(|environ| Ok(format!("{}/", environ.path_info())))).unwrap();
    assert!(app.may_block() && !redirect(308, "/").unwrap().may_block());
    for (target, seen) in [
        ("/a", "/a/"),
        ("//evil.example", "/%2Fevil.example/"),
        ("/%2Fevil.example", "/%2Fevil.example/"),
        ("/%5Cevil.example", "/%5Cevil.example/"),
        ("/%09/evil.example", "/%09/evil.example/"),
        ("/a%0D%0Aset-cookie:%20b", "/a%0D%0Aset-cookie:%20b/"),
    ] {
        assert_eq!(location(app.clone(), target), seen, "{target}");
    }
    let response = TestServer::new(app).mounted_at("/mnt").get("//evil.example").send();
    assert_eq!(response.header("location"), Some("/mnt//evil.example/"));
    let next = redirect(302, Location::by(|environ| Ok(environ.query_string().to_owned()))).unwrap();
    let next = TestServer::new(next);
    for evil in ["https://a.example@b.example", "javascript:x", "", "https://"] {
        assert_eq!(next.get(format!("/?{evil}")).send().status(), 500, "{evil}");
    }
    assert_eq!(next.get("/?//b.example").send().header("location"), Some("/%2Fb.example"));
    let failing = redirect(302, Location::by(|_| Err(Error::with_status(403, "no")))).unwrap();
    assert_eq!(TestServer::new(failing).get("/").send().status(), 403);
}

proptest! {
    #[test]
    fn no_text_gives_another_header_or_leads_a_path_elsewhere(text in "[/\\\\]{0,3}[ -~\\x00-\\x20é/\\\\:@%]{0,12}", path: bool) {
        let text = if path { format!("/{text}") } else { text };
        let made = text.clone();
        let app = redirect(302, Location::by(move |_| Ok(made.clone()))).unwrap();
        let seen = run(&app, get("/x"), Pull::Blocking);
        if path {
            let location = seen.header("location").unwrap();
            let second = location.as_bytes().get(1);
            prop_assert!(location.starts_with('/') && second != Some(&b'/') && second != Some(&b'\\'), "{}", location);
            prop_assert_eq!(seen.status, 302);
        }
        if let Some(location) = seen.header("location") {
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{}", location);
            prop_assert!(!location.starts_with("//"));
            // Where the fixed form takes it, it says the same.
            if let Ok(fixed) = redirect(302, text) {
                let fixed = run(&fixed, get("/x"), Pull::Blocking);
                prop_assert_eq!(fixed.header("location"), Some(location));
            }
        }
    }
}
