//! `run`: one program, started in each of the ways that there are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::client::{Answer, Request};
use crate::program::{Guarded, command, free_port};
use crate::serving::{Kind, Over, Place};

const KINDS: [(&str, Kind); 3] = [("fastcgi", Kind::FastCgi), ("scgi", Kind::Scgi), ("uwsgi", Kind::Uwsgi)];

/// What a program says first, when it serves or why it does not.
fn first_line(process: &mut Guarded) -> String {
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let line = lines.next().and_then(Result::ok).unwrap_or_default();
    // Lest it is ended for a log that nobody reads.
    std::thread::spawn(move || lines.for_each(drop));
    line
}

/// Starts a program that must say where it serves.
fn serving(mut command: Command, says: &str) -> Guarded {
    let mut process = Guarded(command.spawn().unwrap());
    let line = first_line(&mut process);
    assert!(line.starts_with(says) && line.ends_with("(Ctrl-C ends it)"), "{line:?} and not {says:?}");
    process
}

fn ask(kind: Kind, place: &Place, request: &Request) -> Answer {
    let mut stream = place.connect().unwrap();
    stream.write_all(&request.bytes(kind)).unwrap();
    Answer::read(kind, stream)
}

fn assert_hello(kind: Kind, place: &Place) {
    assert_eq!(ask(kind, place, &Request::get("/")).seen(), (200, "Hello, world!\n".to_owned()));
}

fn assert_hello_by_http(place: &Place) {
    let mut stream = place.connect().unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let (answer, _) = stream.rest();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("Hello, world!\n"), "{answer}");
}

/// A listening socket, as a web server or systemd makes it.
fn listening(over: Over) -> (Place, OwnedFd) {
    match Place::new(over) {
        Place::Tcp(address) => {
            let listener = TcpListener::bind(address).unwrap();
            (Place::Tcp(listener.local_addr().unwrap()), listener.into())
        }
        Place::Unix(path) => {
            let listener = UnixListener::bind(&path).unwrap();
            (Place::Unix(path), listener.into())
        }
    }
}

fn remove(place: &Place) {
    if let Place::Unix(path) = place {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn each_flag_serves_its_protocol_where_it_says() {
    for (name, kind) in KINDS {
        let unix = Place::new(Over::Unix);
        let tcp = Place::Tcp(SocketAddr::from(([127, 0, 0, 1], free_port())));
        for place in [unix, tcp] {
            let mut hello = command("hello");
            hello.args([&format!("--{name}"), &place.to_string(), "--threads", "2"]);
            let url = match &place {
                Place::Unix(_) => place.to_string(),
                Place::Tcp(address) => format!("{name}://{address}"),
            };
            let mut process = serving(hello, &format!("hello is served by {name} at {url} "));
            assert_hello(kind, &place);
            process.signal("TERM");
            assert!(process.end().success());
            if let Place::Unix(path) = &place {
                assert!(!path.exists(), "nothing is left behind");
            }
        }
    }
}

#[test]
fn a_mount_point_is_script_name_by_each_protocol() {
    let seen = |text: &str, name: &str| {
        text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default().trim().to_owned()
    };
    for (name, kind) in KINDS {
        let place = Place::new(Over::Unix);
        let mut inspect = command("inspect");
        inspect.args([&format!("--{name}={place}"), "--mount", "/app/"]);
        let _process = serving(inspect, "inspect is served by");
        // NGINX's parameters as they come: the whole path, and no PATH_INFO.
        let request = Request::get("/app/tea").with("SCRIPT_NAME", "/app/tea").without("PATH_INFO");
        let text = ask(kind, &place, &request).text();
        assert_eq!(
            (&*seen(&text, "script_name"), &*seen(&text, "path_info")),
            ("script_name  \"/app\"", "path_info    \"/tea\"")
        );
        let outside = Request::get("/apple").with("SCRIPT_NAME", "/apple").without("PATH_INFO");
        assert_eq!(ask(kind, &place, &outside).status(), 404);
    }
}

#[test]
fn a_listening_socket_in_the_place_of_standard_input_is_fastcgi() {
    for over in [Over::Unix, Over::Tcp] {
        let (place, socket) = listening(over);
        let mut hello = command("hello");
        hello.stdin(Stdio::from(socket));
        let mut process = serving(hello, "hello is served by fastcgi at ");
        for _ in 0..3 {
            assert_hello(Kind::FastCgi, &place);
        }
        process.signal("TERM");
        assert!(process.end().success());
        // It is the web server's.
        remove(&place);
    }
}

#[test]
fn under_a_web_server_that_runs_it_as_a_file_script_name_stands_though_there_is_no_path() {
    let (place, socket) = listening(Over::Unix);
    let mut inspect = command("inspect");
    inspect.stdin(Stdio::from(socket));
    let _process = serving(inspect, "inspect is served by fastcgi at ");
    let request = Request::get("/cgi-bin/inspect").with("SCRIPT_NAME", "/cgi-bin/inspect").without("PATH_INFO");
    let text = ask(Kind::FastCgi, &place, &request).text();
    assert!(text.contains("script_name  \"/cgi-bin/inspect\"") && text.contains("path_info    \"\""), "{text}");
    remove(&place);
}

#[test]
fn a_flag_says_more_than_a_socket_in_the_place_of_standard_input() {
    let (other, socket) = listening(Over::Unix);
    let place = Place::new(Over::Unix);
    let mut hello = command("hello");
    hello.stdin(Stdio::from(socket)).args(["--scgi", &place.to_string()]);
    let _process = serving(hello, "hello is served by scgi at ");
    assert_hello(Kind::Scgi, &place);
    remove(&other);
}

/// A program with a socket as systemd passes it: descriptor 3, for this process, by a name.
fn activated(name: &str, socket: OwnedFd, process: &str, names: Option<&str>) -> Command {
    let mut command = Command::new("sh");
    let script = format!("exec env LISTEN_PID={process} \"$0\" 3<&0 0</dev/null");
    command.args(["-c", &script]).arg(self::command(name).get_program());
    command.stdin(Stdio::from(socket)).stderr(Stdio::piped()).env("LISTEN_FDS", "1");
    match names {
        Some(names) => command.env("LISTEN_FDNAMES", names),
        None => command.env_remove("LISTEN_FDNAMES"),
    };
    command
}

#[test]
fn sockets_of_systemd_are_served_by_the_protocol_of_their_name() {
    for over in [Over::Unix, Over::Tcp] {
        for (names, kind) in [
            (None, None),
            (Some("http"), None),
            (Some("web.socket"), None),
            (Some("fastcgi"), Some(Kind::FastCgi)),
            (Some("scgi"), Some(Kind::Scgi)),
            (Some("uwsgi:other"), Some(Kind::Uwsgi)),
        ] {
            let (place, socket) = listening(over);
            let mut process = serving(activated("hello", socket, "$$", names), "hello is served ");
            match kind {
                None => assert_hello_by_http(&place),
                Some(kind) => assert_hello(kind, &place),
            }
            process.signal("TERM");
            assert!(process.end().success());
            // It is systemd's.
            remove(&place);
        }
    }
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let (place, socket) = listening(Over::Unix);
    let mut process = Guarded(activated("hello", socket, "1", Some("scgi")).spawn().unwrap());
    // HTTP on the port that it has without a word, if nobody else has that.
    let line = first_line(&mut process);
    assert!(line.contains("127.0.0.1:8000"), "{line}");
    remove(&place);
}

#[test]
fn what_cannot_be_served_is_told_and_ends_the_program() {
    let failing = |arguments: &[&str]| {
        let mut hello = command("hello");
        let mut process = Guarded(hello.args(arguments).spawn().unwrap());
        let status = process.end();
        let mut text = String::new();
        process.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(!status.success(), "{arguments:?}: {text}");
        text
    };
    for (arguments, text) in [
        (&["--fastcgi", "127.0.0.1:0", "--scgi", "127.0.0.1:0"][..], "only one address can be served"),
        (&["--fastcgi", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0"], "only one address can be served"),
        (&["--fastcgi", "0.0.0.0:0"], "`--allow-peers`"),
        (&["--uwsgi", "0.0.0.0:0", "--allow-peers", "nonsense"], "\"nonsense\" is no network"),
        (&["--scgi"], "--scgi needs a value"),
        (&["--scgi", "example"], "cannot listen on example"),
        (&["--mount", "app"], "a prefix begins with a slash"),
        (&["127.0.0.1:8000"], "did you mean --http 127.0.0.1:8000"),
    ] {
        let told = failing(arguments);
        assert!(told.starts_with("Error: ") && told.contains(text), "{arguments:?}: {told}");
    }
}

#[test]
fn peers_may_be_allowed_on_the_command_line() {
    let mut hello = command("hello");
    let address = format!("0.0.0.0:{}", free_port());
    hello.args(["--fastcgi", &address, "--allow-peers", "10.0.0.0/8", "--allow-peers=127.0.0.1"]);
    let _process = serving(hello, "hello is served by fastcgi at ");
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    assert_hello(Kind::FastCgi, &Place::Tcp(SocketAddr::from(([127, 0, 0, 1], port))));
}
