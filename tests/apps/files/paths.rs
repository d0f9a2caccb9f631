//! Which paths name a file: rows 122 to 126 of what attackers send.

use std::fs;
use std::os::unix::net::UnixListener;

use vestibule::apps;
use vestibule::testing::TestServer;

use super::place::Place;
use crate::harness::ends;

#[test]
fn a_path_that_leads_elsewhere_is_not_found() {
    let place = Place::new();
    // What a careless reader of the path would find.
    place.write("etc/passwd", "root");
    place.write("a.txt", "x");
    place.write("a.txt.", "x");
    place.write("a.txt ", "x");
    place.write("dir./x", "x");
    place.write("a\\b", "x");
    place.write("c:/x", "x");
    place.write(".git/config", "x");
    place.write(".env", "x");
    place.write("sub/.hidden", "x");
    let mut servers = vec![place.server()];
    #[cfg(feature = "http")]
    servers.push(TestServer::http(apps::files(place.settings()).unwrap()));
    for server in servers {
        for target in [
            "/../secret",
            "/..%2fsecret",
            "/%2e%2e/secret",
            "/%2E%2E%2Fsecret",
            "/.%2e/secret",
            "/etc/../../secret",
            "/etc/..%2f..%2fsecret",
            "/etc%2fpasswd",
            "/%2fetc%2fpasswd",
            "/..%5csecret",
            "/%5c..%5csecret",
            "/a%5cb",
            "//etc/passwd",
            "/etc//passwd",
            "///etc/passwd",
            "/c:/x",
            "/C:/x",
            "/C%3a/x",
            "/C%3a",
            "/a.txt%00",
            "/a%00.txt",
            "/%00",
            "/.git/",
            "/.git",
            "/.git/config",
            "/%2egit/config",
            "/.env",
            "/sub/.hidden",
            "/a.txt.",
            "/a.txt%2e",
            "/a.txt%20",
            "/dir./x",
            "/a.txt/",
            "/a.txt/.",
            "/./a.txt",
            "/etc/./passwd",
            "/CON",
            "/a.txt::$DATA",
            "/a.txt%0a",
            "/../root-secret/secret",
            "/..root-secret/secret",
            "/%252e%252e/secret",
            "/..;/secret",
            "/missing",
            "/missing/x",
        ] {
            let response = server.get(target).send();
            assert_eq!(response.status(), 404, "{target}");
            assert_eq!(response.text(), "404 Not Found\n", "{target}");
            assert!(response.header("etag").is_none() && response.header("cache-control").is_none(), "{target}");
        }
        assert_eq!(server.get("/etc/passwd").send().text(), "root");
        assert_eq!(server.get("/%65tc/p%61sswd").send().text(), "root", "what is encoded without need is the same");
    }
}

#[test]
fn a_name_of_any_bytes_is_found_by_its_encoding() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    for (name, target) in [
        (&b"a b"[..], "/a%20b"),
        ("päth.txt".as_bytes(), "/p%C3%A4th.txt"),
        (b"\xff\xfe", "/%ff%FE"),
        (b"100%", "/100%25"),
        (b"a+b", "/a+b"),
        (b"a?b", "/a%3Fb"),
        (b"12:30", "/12:30"),
        (b"...a", "/..."),
    ] {
        fs::write(place.path("").join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        let expected = if name == b"...a" { &b"404 Not Found\n"[..] } else { name };
        assert_eq!(place.get(target).bytes(), expected, "{target}");
    }
}

#[test]
fn hidden_files_are_served_where_that_was_chosen() {
    let place = Place::new();
    place.write(".well-known/security.txt", "mail us");
    place.write(".git/config", "x");
    let server = TestServer::new(apps::files(place.settings().hidden(true)).unwrap());
    for (target, text) in [("/.well-known/security.txt", "mail us"), ("/.git/config", "x")] {
        assert_eq!(server.get(target).send().text(), text);
        let is_found = place.server().get(target).send().status() == 200;
        assert_eq!(is_found, text == "mail us", "{target}: what is well known is always there");
    }
    for target in ["/.", "/..", "/../secret", "/.well-known/../hello.txt", "/%2e%2e/secret"] {
        assert_eq!(server.get(target).send().status(), 404, "{target}");
    }
}

#[test]
fn a_mount_point_is_no_prefix_of_a_name() {
    let place = Place::new();
    let server = place.server().mounted_at("/root");
    assert_eq!(server.get("/hello.txt").send().status(), 200);
    assert_eq!(server.get("-secret/secret").send().status(), 404, "/root-secret/secret");
    let beside = TestServer::new(apps::files(place.settings()).unwrap());
    assert_eq!(beside.get("/root-secret/secret").send().status(), 404);
}

#[test]
fn links_are_followed_where_they_stay_beneath() {
    let place = Place::new();
    place.write("sub/deep.txt", "deep");
    place.write("sub/index.html", "index");
    place.link("link.txt", "sub/deep.txt");
    place.link("sub/up.txt", "../hello.txt");
    place.link("dir", "sub");
    place.link("chain.txt", "dir/up.txt");
    assert_eq!(place.get("/link.txt").text(), "deep");
    assert_eq!(place.get("/sub/up.txt").text(), "Hello, world!\n");
    assert_eq!(place.get("/dir/deep.txt").text(), "deep");
    assert_eq!(place.get("/dir/").text(), "index");
    assert_eq!(place.get("/dir").header("location"), Some("/dir/"));
    assert_eq!(place.get("/chain.txt").text(), "Hello, world!\n");
}

#[test]
fn a_link_that_leads_out_is_not_found() {
    let place = Place::new();
    place.link("file.txt", "../secret");
    place.link("dir", "..");
    place.link("beside", "../root-secret");
    place.link("absolute", "/etc/passwd");
    place.link("absolute-inside", place.path("hello.txt"));
    place.link("out-and-in", "../root/hello.txt");
    place.link("proc", "/proc/self/root");
    place.link("loop", "loop");
    place.link("dangling", "nothing");
    place.link("chain", "dir/secret");
    for target in [
        "/file.txt",
        "/dir/secret",
        "/dir/root/hello.txt",
        "/dir/",
        "/dir",
        "/beside/secret",
        "/absolute",
        "/absolute-inside",
        "/out-and-in",
        "/proc/etc/passwd",
        "/loop",
        "/loop/x",
        "/dangling",
        "/chain",
    ] {
        let response = place.get(target);
        assert_eq!((response.status().as_u16(), response.text().as_str()), (404, "404 Not Found\n"), "{target}");
    }
}

#[test]
fn a_link_that_is_swapped_while_it_is_served_never_leads_out() {
    let place = Place::new();
    place.write("sub/secret", "inside");
    let server = place.server();
    let root = place.path("");
    let swapper = std::thread::spawn(move || {
        for round in 0..3000 {
            let turn = root.join("turn");
            std::os::unix::fs::symlink(["sub", ".."][round % 2], &turn).unwrap();
            fs::rename(&turn, root.join("way")).unwrap();
        }
    });
    let mut inside = 0;
    for round in 0.. {
        let response = server.get("/way/secret").send();
        let (status, text) = (response.status().as_u16(), response.text());
        inside += usize::from((status, text.as_str()) == (200, "inside"));
        assert!(status == 404 || (status == 200 && text == "inside"), "round {round}: {status} {text}");
        if swapper.is_finished() && inside > 0 {
            break;
        }
        if swapper.is_finished() {
            // Whatever the threads did, both directions are seen once.
            fs::remove_file(place.path("way")).unwrap();
            place.link("way", "sub");
        }
    }
    swapper.join().unwrap();
    fs::remove_file(place.path("way")).unwrap();
    place.link("way", "..");
    assert_eq!(server.get("/way/secret").send().status(), 404);
}

/// Opening a pipe waits for its other end, unless it is told not to.
#[test]
fn what_is_no_file_is_not_found_and_does_not_hang() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap();
    assert!(made.success());
    let socket = UnixListener::bind(place.path("socket")).unwrap();
    fs::create_dir(place.path("bare")).unwrap();
    fs::create_dir_all(place.path("odd/index.html")).unwrap();
    // A device can be made only by root; what leads to one is refused as a link already.
    place.link("zero", "/dev/zero");
    let server = place.server();
    for target in ["/pipe", "/socket", "/bare", "/bare/", "/odd", "/odd/", "/zero"] {
        let server = server.clone();
        let response = ends(move || server.get(target).send());
        assert_eq!((response.status().as_u16(), response.text().as_str()), (404, "404 Not Found\n"), "{target}");
    }
    drop(socket);
}

#[test]
fn a_device_beneath_the_root_is_not_found() {
    // The directory of devices is one that has some, whoever runs this.
    let server = TestServer::new(apps::files("/dev").unwrap());
    for target in ["/null", "/zero", "/tty"] {
        let server = server.clone();
        let response = ends(move || server.get(target).send());
        assert_eq!(response.status(), 404, "{target}");
    }
}

#[test]
fn a_path_that_is_too_long_for_the_system_is_not_found() {
    let place = Place::new();
    for length in [255, 256, 4095, 4096, 30_000] {
        assert_eq!(place.get(&format!("/{}", "a".repeat(length))).status(), 404, "{length}");
        assert_eq!(place.get(&format!("/{}x", "a/".repeat(length))).status(), 404, "{length} segments");
    }
    let name = "n".repeat(255);
    place.write(&name, "longest");
    assert_eq!(place.get(&format!("/{name}")).text(), "longest");
}
