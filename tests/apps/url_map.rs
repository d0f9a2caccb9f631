//! `url_map`: which application has a request, and what it sees of the path.

use proptest::prelude::*;
use vestibule::apps::url_map;
use vestibule::testing::TestServer;
use vestibule::{App, Environ, Exchange, Head};

use super::{all, get, harness, named, quick};
use harness::play::Play;
use harness::{Pull, run};

fn site() -> TestServer {
    let places = [("/", "root"), ("/foo", "foo"), ("/foo/bar/", "bar"), ("/a%2Fb", "ab"), ("/caf%C3%A9", "café")];
    TestServer::new(url_map(places.map(|(place, name)| (place, named(name)))).unwrap())
}

#[test]
fn the_longest_prefix_of_whole_segments_has_the_request() {
    let site = site();
    for (target, seen) in [
        ("/", "root |/|/"),
        ("/foo", "foo /foo||/foo"),
        ("/foo/", "foo /foo|/|/foo/"),
        ("/foo/x", "foo /foo|/x|/foo/x"),
        ("/foox", "root |/foox|/foox"),
        ("/foo/bar", "bar /foo/bar||/foo/bar"),
        ("/foo/bar/", "bar /foo/bar|/|/foo/bar/"),
        ("/foo/bars", "foo /foo|/bars|/foo/bars"),
        ("/foo/bar/a%2Fb/c", "bar /foo/bar|/a/b/c|/foo/bar/a%2Fb/c"),
        // An encoded slash divides no segments.
        ("/foo%2Fbar", "root |/foo/bar|/foo%2Fbar"),
        ("/a%2fb/c", "ab /a/b|/c|/a%2fb/c"),
        ("/a/b", "root |/a/b|/a/b"),
        // What is encoded and need not be is the same; what is outside of ASCII has no other form.
        ("/%66oo/x", "foo /foo|/x|/%66oo/x"),
        ("/caf%c3%a9/x", "café /café|/x|/caf%c3%a9/x"),
        // Nothing is special: not dots, not empty segments, not semicolons.
        ("/./foo", "root |/./foo|/./foo"),
        ("/foo/../bar", "foo /foo|/../bar|/foo/../bar"),
        ("//foo", "root |//foo|//foo"),
        ("/foo//bar", "foo /foo|//bar|/foo//bar"),
        ("/foo;v=1", "root |/foo;v=1|/foo;v=1"),
        ("/FOO", "root |/FOO|/FOO"),
    ] {
        assert_eq!(site.get(target).send().text(), seen, "{target}");
    }
}

#[test]
fn a_map_inside_of_a_mount_goes_on_where_it_ends() {
    let site = site().mounted_at("/mnt");
    assert_eq!(site.get("").send().text(), "root /mnt||/mnt");
    assert_eq!(site.get("/foo/bar/x%2Fy").send().text(), "bar /mnt/foo/bar|/x/y|/mnt/foo/bar/x%2Fy");
    let inner = url_map([("/inner", named("inner"))]).unwrap();
    let outer = TestServer::new(url_map([("/outer", inner)]).unwrap());
    assert_eq!(outer.get("/outer/inner/x").send().text(), "inner /outer/inner|/x|/outer/inner/x");
    assert_eq!(outer.get("/outer/x").send().status(), 404);
}

#[test]
fn what_fits_nowhere_is_not_found() {
    let site = TestServer::new(url_map([("/foo", named("foo"))]).unwrap());
    for target in ["/", "/fo", "/foox", "/bar/foo"] {
        let response = site.get(target).send();
        assert_eq!((response.status().as_u16(), response.text().as_str()), (404, "404 Not Found\n"), "{target}");
    }
    assert_eq!(TestServer::new(url_map::<&str, App>([]).unwrap()).get("/").send().status(), 404);
}

#[test]
fn a_question_about_the_whole_server_is_the_root_s() {
    let app = url_map([("/", named("root")), ("/foo", named("foo"))]).unwrap();
    let request = http::Request::options("*").body(()).unwrap();
    assert_eq!(run(&app, request, Pull::Blocking).text(), "root |*|*");
}

#[test]
fn hosts_are_compared_without_case_port_and_final_dot() {
    let places = [
        ("/", "any"),
        ("/deep/er", "any-deep"),
        ("//example.org", "org"),
        ("//Example.COM./x", "com"),
        ("//[::1]/", "six"),
    ];
    let site = TestServer::new(url_map(places.map(|(place, name)| (place, named(name)))).unwrap());
    for (host, target, name) in [
        ("example.org", "/", "org"),
        ("EXAMPLE.org:8080", "/deep/er", "org"),
        ("example.org.", "/", "org"),
        ("example.org.:80", "/", "org"),
        ("example.com", "/x", "com"),
        ("example.com", "/", "any"),
        ("example.com", "/deep/er", "any-deep"),
        ("www.example.org", "/", "any"),
        ("example.org.evil.test", "/", "any"),
        ("evilexample.org", "/", "any"),
        ("[::1]:8000", "/", "six"),
        ("[::1]", "/", "six"),
    ] {
        let text = site.get(target).header("host", host).send().text();
        assert_eq!(text.split(' ').next(), Some(name), "{host}{target}");
    }
}

#[test]
fn the_server_s_name_counts_where_no_host_was_sent() {
    let app = url_map([("//tea.example", named("tea")), ("//[::1]", named("six"))]).unwrap();
    for (name, status) in [("tea.example", 200), ("TEA.example", 200), ("::1", 200), ("other", 404)] {
        let mut environ = Environ::from(get("/"));
        environ.set_server(name, 80);
        let mut exchange = Exchange::new(&app, environ);
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(vestibule::Step::Head(head)) = exchange.poll_step(&mut nobody, true) else {
            panic!("there is a head")
        };
        assert_eq!(head.into_head().status.as_u16(), status, "{name}");
    }
}

#[test]
fn a_faulty_table_is_refused_with_the_place() {
    for (places, fault) in [
        (vec!["foo"], "\"foo\" does not begin with a slash"),
        (vec!["https://example.org/x"], "\"https://example.org/x\" has a scheme"),
        (vec!["//"], "\"//\" has no valid host"),
        (vec!["///x"], "\"///x\" has no valid host"),
        (vec!["//exa mple/x"], "has no valid host"),
        (vec!["//example.org:80/x"], "\"//example.org:80/x\" has more than a host"),
        (vec!["//me@example.org/x"], "has more than a host"),
        (vec!["/a", "/b", "/a"], "\"/a\" and \"/a\" are the same place"),
        (vec!["/a", "/a/"], "\"/a\" and \"/a/\" are the same place"),
        (vec!["/a", "/%61"], "\"/a\" and \"/%61\" are the same place"),
        (vec!["", "/"], "\"\" and \"/\" are the same place"),
        (vec!["//a.example", "//A.example./"], "\"//a.example\" and \"//A.example./\" are the same place"),
    ] {
        let map = url_map(places.iter().map(|place| (*place, named("x"))));
        let message = map.expect_err("a fault").to_string();
        assert!(message.contains(fault), "{places:?}: {message}");
    }
    assert!(url_map([("/a", named("x")), ("//a.example/a", named("y"))]).is_ok());
}

#[test]
fn it_blocks_where_one_of_its_applications_does() {
    assert!(!url_map([("/a", quick("a")), ("/b", quick("b"))]).unwrap().may_block());
    assert!(url_map([("/a", quick("a")), ("/b", named("b"))]).unwrap().may_block());
    assert!(!url_map::<&str, App>([]).unwrap().may_block());
}

#[test]
fn every_kind_of_response_passes_as_it_is() {
    for (kind, pull) in all() {
        let play = Play::new(|| Head::new(201).header("x-inner", "yes"), &["one ", "", "two"]);
        let bare = run(&play.app(kind), get("/x"), pull);
        let seen = run(&url_map([("/x", play.app(kind))]).unwrap(), get("/x"), pull);
        assert_eq!((seen.status.as_u16(), seen.text().as_str(), seen.aborted), (201, "one two", false), "{kind:?}");
        assert_eq!((seen.length, seen.threads_asked_for), (bare.length, bare.threads_asked_for), "{kind:?} {pull:?}");
    }
}

proptest! {
    #[test]
    fn the_path_is_never_changed_and_the_longest_prefix_wins(
        prefixes in prop::collection::btree_set("(/(a|b|%61|a%2Fb|\\.)){0,3}", 1..6),
        path in "(/(a|b|%61|a%2fb|\\.|)){1,5}",
    ) {
        let decoded = |path: &str| -> Vec<String> {
            let segments = path.split('/').skip(1);
            segments.map(|segment| segment.replace("%61", "a").replace("%2F", "/").replace("%2f", "/")).collect()
        };
        let names: Vec<_> = prefixes.iter().collect();
        let Ok(map) = url_map(names.iter().map(|prefix| (prefix.as_str(), named("here")))) else { return Ok(()) };
        let asked = decoded(&path);
        let longest = names.iter().map(|prefix| decoded(prefix)).filter(|prefix| asked.starts_with(prefix));
        let longest = longest.map(|prefix| prefix.len()).max();
        let seen = run(&map, get(&path), Pull::Blocking);
        prop_assert_eq!(seen.status.as_u16(), if longest.is_some() { 200 } else { 404 });
        if let Some(length) = longest {
            let script: String = asked[..length].iter().flat_map(|segment| ["/", segment]).collect();
            let info: String = asked[length..].iter().flat_map(|segment| ["/", segment]).collect();
            prop_assert_eq!(seen.text(), format!("here {script}|{info}|{path}"));
        }
    }
}
