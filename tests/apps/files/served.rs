//! Whole files: their heads and bytes, the methods, the mount point, the settings, and a file that shrinks.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use vestibule::apps::{self, Files};
use vestibule::http::StatusCode;
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Body};

use super::place::{Place, WRITTEN, age, bytes};
use crate::harness::{PULLS, run};

fn status(response: &TestResponse) -> u16 {
    response.status().as_u16()
}

#[test]
fn a_file_is_served_with_its_headers() {
    let place = Place::new();
    let response = place.get("/hello.txt");
    assert_eq!((status(&response), response.text().as_str()), (200, "Hello, world!\n"));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.header("content-length"), Some("14"));
    assert_eq!(response.header("last-modified"), Some(WRITTEN));
    assert_eq!(response.header("accept-ranges"), Some("bytes"));
    let etag = response.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{etag}");
    assert_eq!((response.header("vary"), response.header("cache-control")), (None, None));
    assert!(response.lint().is_empty(), "{:?}", response.lint());
}

#[test]
fn the_three_ways_of_asking_agree_in_memory_and_over_http() {
    let place = Place::new();
    for length in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
        let content = bytes(length);
        place.write("file.bin", &content);
        let app = apps::files(place.settings()).unwrap();
        let check = |response: &TestResponse, how: &str| {
            assert_eq!(status(response), 200, "{how}");
            assert!(response.bytes() == content, "{how}: {length}");
            assert_eq!(response.header("content-length"), Some(&*length.to_string()), "{how}");
            assert!(response.is_complete(), "{how}");
        };
        let memory = TestServer::new(app.clone());
        check(&memory.get("/file.bin").send(), "send");
        check(&futures::executor::block_on(memory.get("/file.bin").into_future()), "await");
        check(&memory.get("/file.bin").stream().finish(), "stream");
        #[cfg(feature = "http")]
        {
            let server = TestServer::http(app.clone());
            check(&server.get("/file.bin").send(), "http, send");
            check(&futures::executor::block_on(server.get("/file.bin").into_future()), "http, await");
        }
        for pull in PULLS {
            let request = http::Request::get("/file.bin").body(()).unwrap();
            let seen = run(&app, request, pull);
            assert!(seen.blocks.concat() == content && seen.length == Some(length as u64), "{pull:?}: {length}");
        }
    }
}

#[test]
fn head_says_what_get_says() {
    let place = Place::new();
    place.write("empty", "");
    place.write("large.bin", bytes(200_000));
    place.write("sub/index.html", "<p>");
    let mut servers = vec![place.server()];
    #[cfg(feature = "http")]
    servers.push(TestServer::http(apps::files(place.settings()).unwrap()));
    for server in servers {
        for target in ["/hello.txt", "/empty", "/large.bin", "/sub/", "/sub", "/sub?x", "/missing", "/..%2fsecret"] {
            let (get, head) = (server.get(target).send(), server.head(target).send());
            assert_eq!(get.status(), head.status(), "{target}");
            let without_date = |response: &TestResponse| {
                let mut headers = response.headers().clone();
                headers.remove("date");
                headers
            };
            assert_eq!(without_date(&get), without_date(&head), "{target}");
            assert!(head.bytes().is_empty(), "{target}");
        }
    }
}

#[test]
fn range_is_for_get_alone() {
    let place = Place::new();
    let response = place.server().head("/hello.txt").header("range", "bytes=0-0").send();
    assert_eq!((status(&response), response.header("content-length")), (200, Some("14")));
    assert_eq!(response.header("content-range"), None);
}

#[test]
fn other_methods_are_told_which_there_are() {
    let place = Place::new();
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "get"] {
        let response = place.server().request(method, "/hello.txt").send();
        assert_eq!((status(&response), response.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    for target in ["/hello.txt", "*"] {
        let response = place.server().request("OPTIONS", target).send();
        assert_eq!((status(&response), response.header("allow")), (204, Some("GET, HEAD, OPTIONS")), "{target}");
    }
}

#[test]
fn the_media_type_comes_from_the_name() {
    let place = Place::new();
    for (name, expected) in [
        ("a.html", "text/html; charset=utf-8"),
        ("a.HTM", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.unknown", "application/octet-stream"),
        ("none", "application/octet-stream"),
    ] {
        place.write(name, "x");
        assert_eq!(place.get(&format!("/{name}")).header("content-type"), Some(expected), "{name}");
    }
}

#[test]
fn a_directory_is_its_index_and_is_redirected_to_with_its_slash() {
    let place = Place::new();
    place.write("index.html", "top");
    place.write("sub dir/index.html", "below");
    place.write("bare/file", "x");
    let server = place.server();
    assert_eq!(server.get("/").send().text(), "top");
    assert_eq!(server.get("/sub%20dir/").send().text(), "below");
    assert_eq!(server.get("/sub%20dir/").send().header("content-type"), Some("text/html; charset=utf-8"));
    for (target, location) in [("/sub%20dir", "/sub%20dir/"), ("/sub%20dir?a=b&c", "/sub%20dir/?a=b&c")] {
        let response = server.get(target).send();
        assert_eq!((status(&response), response.header("location")), (301, Some(location)), "{target}");
    }
    for target in ["/bare", "/bare/", "/hello.txt/", "/index.html/"] {
        assert_eq!(status(&server.get(target).send()), 404, "{target}");
    }
}

#[test]
fn the_index_can_have_another_name_or_none() {
    let place = Place::new();
    place.write("sub/home.htm", "home");
    place.write("sub/index.html", "index");
    let named = TestServer::new(apps::files(place.settings().index("home.htm")).unwrap());
    assert_eq!(named.get("/sub/").send().text(), "home");
    let none = TestServer::new(apps::files(place.settings().index(None)).unwrap());
    for target in ["/sub/", "/sub", "/", ""] {
        assert_eq!(status(&none.get(target).send()), 404, "{target:?}");
    }
    assert_eq!(none.get("/sub/index.html").send().text(), "index");
    for name in ["", ".", "..", "a/b", "../secret", "a\0", "a."] {
        let error = apps::files(place.settings().index(name)).unwrap_err();
        assert!(error.to_string().contains("is no name of a file"), "{error}");
    }
}

#[test]
fn below_a_mount_point_the_rest_of_the_path_counts() {
    let place = Place::new();
    place.write("index.html", "top");
    place.write("sub/index.html", "below");
    let mounted = place.server().mounted_at("/static");
    assert_eq!(mounted.get("/hello.txt").send().text(), "Hello, world!\n");
    assert_eq!(mounted.get("/").send().text(), "top");
    assert_eq!(mounted.get("").send().header("location"), Some("/static/"));
    assert_eq!(mounted.get("/sub?q").send().header("location"), Some("/static/sub/?q"));
    assert_eq!(status(&mounted.get("/..%2fsecret").send()), 404);
}

#[test]
fn a_redirect_never_leads_to_another_host() {
    let place = Place::new();
    place.write("evil.example/index.html", "x");
    place.write("index.html", "top");
    for (script_name, path_info) in [
        (&b""[..], &b"//evil.example"[..]),
        (b"/", b"/evil.example"),
        (b"//evil.example", b""),
        (b"//evil.example", b"/evil.example"),
        (b"/\\evil.example", b""),
        (b"/\\/evil.example", b"/evil.example"),
    ] {
        let app = apps::files(place.settings()).unwrap();
        let mount =
            vestibule::middleware::map_environ(move |environ| environ.set_path(script_name, path_info).unwrap());
        let response = TestServer::new(app.wrap(mount)).without_lint().get("/").send();
        let location = response.header("location").unwrap_or("/none");
        assert!(location.starts_with('/') && !location[1..].starts_with(['/', '\\']), "{location}");
        assert!(status(&response) == 301 || status(&response) == 404, "{location}");
    }
}

#[test]
fn settings_are_checked_when_it_is_built() {
    let place = Place::new();
    let error = apps::files(place.path("nowhere")).unwrap_err().to_string();
    assert!(error.contains("nowhere") && error.contains("No such file"), "{error}");
    let error = apps::files(place.path("hello.txt")).unwrap_err().to_string();
    assert!(error.contains("hello.txt") && error.contains("Not a directory"), "{error}");
    assert!(Files::new("x").cache_control("a\nb").is_err());
    for app in [
        apps::files(place.path("").to_str().unwrap()).unwrap(),
        apps::files(place.path("").to_str().unwrap().to_owned()).unwrap(),
        apps::files(place.path("").as_path()).unwrap(),
        apps::files(place.path("")).unwrap(),
    ] {
        assert!(app.may_block() && format!("{app:?}").contains("files"), "{app:?}");
        assert_eq!(TestServer::new(app).get("/hello.txt").send().text(), "Hello, world!\n");
    }
}

#[test]
fn cache_control_is_said_of_files_and_of_nothing_else() {
    let place = Place::new();
    let settings = place.settings().cache_control("public, max-age=60").unwrap();
    let server = TestServer::new(apps::files(settings).unwrap());
    let response = server.get("/hello.txt").send();
    assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
    let etag = response.header("etag").unwrap();
    let not_modified = server.get("/hello.txt").header("if-none-match", etag).send();
    assert_eq!((status(&not_modified), not_modified.header("cache-control")), (304, Some("public, max-age=60")));
    assert_eq!(server.get("/missing").send().header("cache-control"), None);
}

#[test]
fn a_root_that_is_renamed_is_still_the_root() {
    let place = Place::new();
    let server = place.server();
    fs::rename(place.path(""), place.path("../moved")).unwrap();
    place.write("hello.txt", "another");
    assert_eq!(server.get("/hello.txt").send().text(), "Hello, world!\n");
}

/// A file that is cut while it is sent must not look complete: the length was promised.
#[test]
fn a_file_that_is_cut_while_it_is_sent_aborts_the_response() {
    let place = Place::new();
    let length = 1_000_000;
    for keep in [0, 65_536, 100_000, length - 1] {
        place.write("large.bin", bytes(length));
        let app = apps::files(place.settings()).unwrap();
        let mut stream = TestServer::new(app.clone()).get("/large.bin").stream();
        let first = stream.next().unwrap();
        assert!(!first.is_empty() && first.len() < length);
        File::options().write(true).open(place.path("large.bin")).unwrap().set_len(keep as u64).unwrap();
        let response = stream.finish();
        assert!(!response.is_complete() && response.bytes().len() < length, "cut to {keep}");
        assert!(response.errors().contains("it was truncated while it was sent"), "{}", response.errors());
    }
}

#[cfg(feature = "http")]
#[test]
fn a_file_that_is_cut_aborts_the_connection_too() {
    use std::io::{Read, Write};
    let place = Place::new();
    // More than the sockets hold, so that it cannot be sent before it is cut.
    let length = 64 * 1024 * 1024_usize;
    place.write("large.bin", "");
    File::options().write(true).open(place.path("large.bin")).unwrap().set_len(length as u64).unwrap();
    let server = TestServer::http(apps::files(place.settings()).unwrap()).without_lint();
    let mut client = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client.write_all(b"GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut first = [0; 1000];
    client.read_exact(&mut first).unwrap();
    File::options().write(true).open(place.path("large.bin")).unwrap().set_len(1000).unwrap();
    let mut rest = Vec::new();
    // Reset or closed: in both cases fewer bytes than were promised.
    let _ = client.read_to_end(&mut rest);
    let head = String::from_utf8_lossy(&first);
    assert!(head.contains(&format!("content-length: {length}")), "{head}");
    assert!(first.len() + rest.len() < length);
}

#[test]
fn a_file_that_grows_is_sent_as_it_was() {
    let place = Place::new();
    place.write("large.bin", bytes(300_000));
    let mut stream = place.server().get("/large.bin").stream();
    let first = stream.next().unwrap();
    fs::write(place.path("large.bin"), bytes(400_000)).unwrap();
    let response = stream.finish();
    assert!(response.is_complete() && response.bytes() == bytes(300_000) && first.len() < 300_000);
}

#[test]
fn dates_that_http_cannot_say_are_not_said() {
    let place = Place::new();
    let future = SystemTime::now() + Duration::from_secs(86_400);
    File::options().append(true).open(place.path("hello.txt")).unwrap().set_modified(future).unwrap();
    let response = place.get("/hello.txt");
    let said = httpdate::parse_http_date(response.header("last-modified").unwrap()).unwrap();
    assert!(said <= SystemTime::now(), "RFC 9110, section 8.8.2.1");
    let before_the_epoch = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    File::options().append(true).open(place.path("hello.txt")).unwrap().set_modified(before_the_epoch).unwrap();
    let response = place.get("/hello.txt");
    assert_eq!((status(&response), response.header("last-modified")), (200, None));
    age(&place.path("hello.txt"), 0);
    assert_eq!(place.get("/hello.txt").header("last-modified"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
}

#[test]
fn middleware_can_fall_through_to_another_application() {
    let place = Place::new();
    let app = apps::files(place.settings()).unwrap();
    let or_page = vestibule::middleware::map_response(|_| {
        |mut head: vestibule::Head, body: Body| match head.status {
            StatusCode::NOT_FOUND => {
                head.headers.insert("x-page", "own".parse().unwrap());
                Ok((head, Body::from("no such page")))
            }
            _ => Ok((head, body)),
        }
    });
    let server = TestServer::new(App::new(app).wrap(or_page));
    assert_eq!(server.get("/missing").send().text(), "no such page");
    assert_eq!(server.get("/hello.txt").send().text(), "Hello, world!\n");
}
