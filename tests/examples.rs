//! The examples, each run as the program that it is and asked over a socket.
#![cfg(all(feature = "http", feature = "tower"))]

#[path = "harness/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use program::{Answer, Directory, Example, Guarded, command, free_port, read_until, run_to_its_end, until};
use vestibule::testing::conformance::{self, Http1};

/// It is how a user's file looks, with its tests inside: they are run as part of this one.
#[expect(dead_code, reason = "its main is that of the program")]
#[path = "../examples/testing.rs"]
mod testing;

/// Makes a test of each function, and the list of what is tested.
macro_rules! tested {
    ($($example:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($example)),*];

        mod example {
            $(#[test] fn $example() { super::$example(); })*
        }
    };
}

tested! { async_app axum_inside conformance factory hello inspect middleware server streaming testing upload }

#[test]
fn every_example_is_tested_short_and_says_how_it_is_run() {
    let mut found = BTreeSet::new();
    for path in entries(&root().join("examples")).into_iter().filter(|path| path.is_file()) {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("an example is a file of text");
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//! ")).collect();
        assert!(text.lines().count() <= 60, "{name} has {} lines", text.lines().count());
        assert!(head.join(" ").contains(&format!("cargo run --example {name}")), "{name} does not say how it is run");
        found.insert(name);
    }
    assert_eq!(found, TESTED.iter().map(ToString::to_string).collect());
}

/// What needs more than the crate itself is a package, whose tests `ci/test examples` runs.
#[test]
fn every_example_that_is_a_package_has_tests_and_short_files_that_say_what_they_are() {
    let packages: Vec<_> = entries(&root().join("examples")).into_iter().filter(|path| path.is_dir()).collect();
    let names: Vec<_> = packages.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["notes"]);
    for package in packages {
        assert!(package.join("Cargo.lock").is_file(), "{} is built from what was tested", package.display());
        let files = [entries(&package.join("src")), entries(&package.join("tests"))].concat();
        let files: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
        assert!(files.iter().any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("#[test]"))));
        for path in files {
            let (text, name) = (fs::read_to_string(&path).expect("it is text"), path.display());
            assert!(text.starts_with("//! "), "{name} does not say what it is");
            let is_short = text.lines().count() <= 100 || path.parent().is_some_and(|parent| parent.ends_with("tests"));
            assert!(is_short, "{name} has {} lines", text.lines().count());
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is in a directory, by name.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there");
    let paths: BTreeSet<_> = entries.map(|entry| entry.expect("the directory can be read").path()).collect();
    paths.into_iter().collect()
}

fn hello() {
    let hello = Example::start("hello", |command| command);
    let answer = hello.get("/");
    assert_eq!((answer.status, &*answer.body), (200, "Hello, world!\n"));
    assert!(answer.has("content-type: text/plain") && answer.has("content-length: 14"), "{}", answer.head);
}

#[test]
fn hello_says_where_it_is_when_nothing_is_said() {
    // Another program may have the port: then the message names it as well.
    let mut process = Guarded(command("hello").spawn().expect("the example starts"));
    let stderr = process.0.stderr.take().expect("it is piped");
    let line = BufReader::new(stderr).lines().next().expect("it says something").expect("in UTF-8");
    let says = ["is served at http://127.0.0.1:8000", "cannot listen on 127.0.0.1:8000: "];
    assert!(says.iter().any(|text| line.contains(text)), "{line}");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_reason() {
    let taken = TcpListener::bind(("127.0.0.1", free_port())).expect("the port was free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = run_to_its_end(command("hello").args(["--http", &address]));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.starts_with(&format!("Error: cannot listen on {address}: Address already in use")), "{message}");
}

fn middleware() {
    let example = Example::start("middleware", |command| command);
    let answer = example.get("/");
    assert_eq!((answer.status, &*answer.body), (200, "HELLO, WORLD!\n"));
    assert!(answer.has("x-visit: 1"), "{}", answer.head);
    example.await_log("GET / 200 OK");

    let answer = example.get("/broken");
    assert_eq!((answer.status, &*answer.body), (500, "Sorry, that did not work. We were told.\n"));
    assert!(answer.has("x-visit: 2"), "{}", answer.head);
    example.await_log("apologized for: the kettle is cold");
    example.await_log("GET /broken 500 Internal Server Error");
}

fn factory() {
    let example = Example::start("factory", |command| command.env_remove("WRAP"));
    let answer = example.get("/ciao");
    assert_eq!((answer.status, &*answer.body), (200, "Ciao from /ciao\n"));
    assert!(answer.has("cache-control: max-age=60"), "{}", answer.head);
    let answer = example.get("/");
    assert_eq!((answer.status, &*answer.body), (404, "There are only: ciao, hello\n"));

    // The first is outermost: what it says is shouted, or not.
    for (wrap, sold_out) in [("shouting,tickets", "SOLD OUT\n"), ("tickets,shouting", "sold out\n")] {
        let example = Example::start("factory", |command| command.env("WRAP", wrap));
        for _ in 0..3 {
            let answer = example.get("/hello");
            assert_eq!((answer.status, &*answer.body), (200, "HELLO FROM /HELLO\n"), "{wrap}");
            assert!(!answer.has("cache-control: max-age=60"), "{}", answer.head);
        }
        let answer = example.get("/hello");
        assert_eq!((answer.status, &*answer.body), (503, sold_out), "{wrap}");
    }

    let output = run_to_its_end(command("factory").env("WRAP", "whispering"));
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Error: WRAP: no middleware is called \"whispering\"\n");
}

fn axum_inside() {
    let example = Example::start("axum_inside", |command| command);
    assert!(example.get("/").body.starts_with("Tea is at"));
    let answer = example.get("/tea/green");
    assert_eq!((answer.status, &*answer.body), (200, "tea /green of /tea\n"));
    assert!(answer.has("server: tea") && answer.has("cache-control: no-store"), "{}", answer.head);
    assert_eq!(example.get("/tea").body, "tea  of /tea\n");
    for number in 1..3 {
        let answer = example.get("/axum/count");
        assert_eq!((answer.status, &*answer.body), (200, &*format!("axum has counted to {number}\n")));
        assert!(answer.has("server: tea") && answer.has("cache-control: no-store"), "{}", answer.head);
    }
    assert_eq!(example.get("/axumite").status, 404);
}

fn streaming() {
    let example = Example::start("streaming", |command| command);
    let page = example.get("/");
    assert!(page.has("content-type: text/html; charset=utf-8"), "{}", page.head);
    assert!(page.body.contains("new EventSource(\"events\")"), "{}", page.body);
    assert_eq!(example.get("/other").status, 404);

    let answer = example.ask("GET /events", "Last-Event-ID: 2\r\n", "");
    assert!(answer.has("content-type: text/event-stream"), "{}", answer.head);
    assert_eq!(answer.body, "id: 1\ndata: 1\n\nevent: liftoff\ndata: 0\n\n");

    // An event comes as soon as it is sent, and nobody counts on when nobody listens.
    let mut stream = example.send("GET /events", "", "");
    read_until(&mut stream, "data: 10\n\n");
    drop(stream);
    example.await_log("countdown stopped: the client left");
}

fn upload() {
    const LIMIT: usize = 32 * 1024 * 1024;
    let directory = Directory::new("upload");
    let example = Example::start("upload", |command| command.env("TMPDIR", &directory.0));
    assert!(example.get("/").body.contains("<input type=\"file\""));
    assert_eq!(example.ask("DELETE /", "", "").status, 405);

    // As much as is allowed, of a known length and in chunks, and one byte more.
    let bytes: String = ('a'..='z').cycle().take(LIMIT).collect();
    let chunked = |bytes: &str| format!("{:x}\r\n{bytes}\r\n0\r\n\r\n", bytes.len());
    for answer in [
        example.ask("PUT /", &format!("Content-Length: {LIMIT}\r\n"), &bytes),
        example.ask("PUT /", "Transfer-Encoding: chunked\r\n", &chunked(&bytes)),
    ] {
        assert_eq!(answer.status, 201, "{}", answer.body);
        let path = answer.body.strip_prefix(&format!("{LIMIT} bytes are in ")).expect("it tells the size").trim_end();
        assert!(fs::read(path).expect("the file is there") == bytes.as_bytes(), "{path} is not what was sent");
        fs::remove_file(path).expect("it is ours");
    }
    let answer = example.ask("PUT /", "Transfer-Encoding: chunked\r\n", &chunked(&(bytes + "a")));
    assert_eq!(answer.status, 413, "{}", answer.body);
    // Who says so before is told so before all of it is sent.
    let answer = example.ask("PUT /", &format!("Content-Length: {}\r\n", LIMIT + 1), &"a".repeat(100_000));
    assert_eq!(answer.status, 413, "{}", answer.body);

    // Half an upload leaves nothing.
    let stream = example.send("PUT /", "Content-Length: 1000000\r\n", &"a".repeat(100_000));
    until("the upload begins", || directory.files() == 1);
    drop(stream);
    until("half a file is removed", || directory.files() == 0);
    // 96 MiB went through it, and none of it was kept.
    #[cfg(target_os = "linux")]
    assert!(example.peak_of_memory_kib() < 24 * 1024, "{} KiB", example.peak_of_memory_kib());

    // Where nothing can be written, the client is told that, and the log says why and who.
    let missing = directory.0.join("missing");
    let mut example = Example::start("upload", |command| command.env("TMPDIR", &missing));
    let answer = example.ask("PUT /tea", "Content-Length: 3\r\n", "tea");
    assert_eq!((answer.status, &*answer.body), (500, "500 Internal Server Error\n"));
    example.signal("TERM");
    assert!(example.end().success());
    let log: Vec<String> = example.log.iter().collect();
    assert!(log.iter().any(|line| line.starts_with("vestibule: PUT /tea: upload::main: No such file")), "{log:#?}");
    assert!(log.iter().any(|line| line.starts_with("PUT /tea 500 26 ") && line.ends_with(" ms")), "{log:#?}");
}

fn async_app() {
    // With one thread, a call that held it while it waits would hold up the message that it waits for.
    let example = Example::start("async_app", |command| command.args(["--threads", "1"]));
    let waiting: Vec<TcpStream> = (0..20).map(|_| example.send("GET /", "", "")).collect();
    let mut reached = 0;
    until("all twenty wait", || {
        let answer = example.ask("POST /", "Content-Length: 3\r\n", "tea");
        let number = answer.body.strip_suffix(" got it\n").expect("it tells how many");
        reached += number.parse::<usize>().expect("a number");
        reached == waiting.len()
    });
    for stream in waiting {
        let answer = Answer::read(stream);
        assert_eq!((answer.status, &*answer.body), (200, "tea"));
    }
    assert_eq!(example.get("/?0").status, 204);
    assert_eq!(example.get("/?tea").status, 400);
    assert_eq!(example.ask("DELETE /", "", "").status, 405);
}

fn inspect() {
    let example = Example::start("inspect", |command| command);
    let answer = example.ask("POST /a%2Fb/%3Cb%3E?page=2", "X-Tea: <i>green</i>\r\nContent-Length: 4\r\n", "body");
    assert_eq!(answer.status, 200);
    assert!(answer.has("content-type: text/plain; charset=utf-8"), "{}", answer.head);
    assert!(answer.has("x-content-type-options: nosniff"), "{}", answer.head);
    for line in [
        "method       POST",
        "url          \"http://example/a%2Fb/%3Cb%3E?page=2\"",
        "raw_path     \"/a%2Fb/%3Cb%3E\"",
        "path_info    \"/a/b/<b>\"",
        "input        4 bytes",
        "x-tea: \"<i>green</i>\"",
        "HTTP_X_TEA = \"<i>green</i>\"",
        "CONTENT_LENGTH = \"4\"",
        "QUERY_STRING = \"page=2\"",
        "REMOTE_ADDR = \"127.0.0.1\"",
        &format!("SERVER_PORT = \"{}\"", example.address.port()),
        "it calls from many threads    true",
    ] {
        assert!(answer.body.lines().any(|found| found.trim() == line), "{line:?} is not in:\n{}", answer.body);
    }
}

fn server() {
    let mut server = Example::start("server", |command| command);
    assert_eq!(server.get("/health/ready").status, 200);
    assert_eq!(server.ask("POST /", "Content-Length: 5\r\n", "hello").body, "hello");
    let long = "x".repeat(1024 * 1024 + 1);
    assert_eq!(server.ask("POST /", &format!("Content-Length: {}\r\n", long.len()), "").status, 413);
    // A load balancer asks just when the server is told to stop.
    let mut balancer = TcpStream::connect(server.address).expect("it listens");
    balancer.write_all(b"GET /health/ready HTTP/1.1\r\nHost: example\r\n").expect("the server reads the head");
    server.signal("TERM");
    server.await_log("stopping when the requests that run have ended");
    balancer.write_all(b"\r\n").expect("the server reads the end of it");
    let answer = Answer::read(balancer);
    assert!(answer.status == 503 && answer.has("connection: close"), "{}", answer.head);
    assert!(server.end().success());
}

/// The tests inside of the file are run by the module above.
fn testing() {
    let example = Example::start("testing", |command| command);
    let answer = example.ask("POST /", "Content-Length: 2\r\n", "21");
    assert_eq!((answer.status, &*answer.body), (200, "42\n"));
    assert_eq!(example.ask("POST /", "Content-Length: 3\r\n", "tea").status, 400);
}

fn conformance() {
    let example = Example::start("conformance", |command| command);
    let report = conformance::run(&Http1::tcp(example.address), "");
    println!("{report}");
    report.assert_passed();
}
