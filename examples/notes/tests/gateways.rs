//! The site, unchanged, by every gateway: the same visit each time, over a real socket or in a process of CGI.

#[path = "../../../tests/front_ends/front.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod front;
#[path = "../../../tests/front_ends/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
#[path = "../../../tests/harness/program.rs"]
mod program;
#[path = "../../../tests/front_ends/servers.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod servers;

#[path = "gateways/client.rs"]
mod client;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use client::{Answer, Request, fastcgi, http, over_tcp, over_unix, scgi, scripted, uwsgi};
use front::{Front, await_the_end_of_all};
use notes::Notes;
use place::Place;
use program::Guarded;
use servers::Server;
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use vestibule::adapters::tower::into_service;

const MOUNT: &str = "/mnt";

#[test]
fn by_http() {
    by("http", http);
}

#[test]
fn by_fastcgi() {
    by("fastcgi", fastcgi);
}

#[test]
fn by_scgi() {
    by("scgi", scgi);
}

#[test]
fn by_uwsgi() {
    by("uwsgi", uwsgi);
}

fn by(protocol: &str, speak: impl Fn(&Request) -> (Vec<u8>, client::Unwrap)) {
    let place = Place::new();
    let _program = serving(protocol, &place);
    visit(|request| over_unix(&place.socket(), speak(&request)));
}

#[test]
fn by_cgi() {
    let place = Place::new();
    visit(|request| scripted(program(&place).env("GATEWAY_INTERFACE", "CGI/1.1"), &request));
}

#[test]
fn by_axum() {
    let place = Place::new();
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
    let site = notes::site(Notes::open(database(&place)).unwrap(), files).unwrap();
    let router = axum::Router::new().nest_service(MOUNT, into_service(site).mounted_at(MOUNT));
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listening = runtime.block_on(async { UnixListener::bind(place.socket()).unwrap() });
    runtime.spawn(async { axum::serve(listening, router).await });
    visit(|request| over_unix(&place.socket(), http(&request)));
}

#[test]
fn by_fastcgi_behind_nginx() {
    let place = Place::new();
    let directory = place.directory().to_owned();
    let program = serving("fastcgi", &place);
    let configuration = include_str!("../../../docs/deploy/conf/nginx/fastcgi.conf");
    let front = Front::start(Server::Nginx, configuration, &[], place, None);
    visit(|request| over_tcp(front.address(), http(&request)));
    drop((front, program));
    await_the_end_of_all(&directory);
}

/// What a visitor does who writes a note and deletes it again.
fn visit(ask: impl Fn(Request) -> Answer) {
    let get = |path: &str| ask(Request::new("GET", &format!("{MOUNT}{path}"), ""));
    let post = |path: &str, form: &str| ask(Request::new("POST", &format!("{MOUNT}{path}"), form));

    assert_eq!(get("/health/live").status, 200);
    let answer = post("/", &format!("title=Tea+%26+milk&text=%3Cgreen%3E{}", "+and+warm".repeat(200)));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/mnt/1")));
    assert!(get("/?q=MILK").text().contains("<a href=\"/mnt/1\">Tea &amp; milk</a>"));
    let answer = get("/1");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.text().contains("<pre>\n&lt;green&gt; and warm"), "{}", answer.text());
    let packed = ask(Request::new("GET", "/mnt/1", "").with("Accept-Encoding", "gzip"));
    assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(packed.text_of_gzip(), answer.text());

    let style = get("/static/site.css");
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert_eq!(style.text(), include_str!("../static/site.css"));
    for (path, answer) in [("/mnt/1", answer), ("/mnt/static/site.css", style)] {
        let etag = answer.header("etag").expect("a page has one, and so has a file");
        let again = ask(Request::new("GET", path, "").with("If-None-Match", etag));
        assert_eq!((again.status, &*again.text()), (304, ""), "{path}");
    }

    let stranger = Request::new("POST", "/mnt/1/delete", "").with("Sec-Fetch-Site", "cross-site");
    assert_eq!(ask(stranger).status, 403);
    let too_long = post("/", &format!("title=Tea&text={}", "x".repeat(70_000)));
    assert_eq!(too_long.status, 413);
    assert!(too_long.text().contains("That is too long for a note."), "{}", too_long.text());
    assert_eq!(post("/1/delete", "").header("location"), Some("/mnt/"));
    let answer = get("/1");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("<nav><a href=\"/mnt/\">Notes</a></nav>"), "{}", answer.text());
}

fn database(place: &Place) -> PathBuf {
    place.run().join("notes.sqlite")
}

/// The program, with a database of the test's own.
fn program(place: &Place) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notes"));
    command.env("NOTES_DB", database(place));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The program, ready on the socket of the place.
fn serving(protocol: &str, place: &Place) -> Guarded {
    let mut command = program(place);
    command.args(["--quiet", "--mount", MOUNT, &format!("--{protocol}")]);
    command.arg(format!("unix:{}", place.socket().display()));
    let mut program = Guarded(command.spawn().expect("it starts"));
    let mut lines = BufReader::new(program.0.stderr.take().expect("it is piped")).lines();
    let line = lines.next().and_then(Result::ok).unwrap_or_default();
    assert!(line.starts_with("notes is served"), "{line:?}");
    // The web server may run as another user.
    fs::set_permissions(place.socket(), Permissions::from_mode(0o666)).expect("the socket is ours");
    // Lest it is held up by a log that nobody reads.
    std::thread::spawn(move || lines.for_each(drop));
    program
}
