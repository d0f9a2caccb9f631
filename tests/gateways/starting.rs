//! `run`: one program, started in each of the ways that there are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::client::{Answer, Request};
use crate::program::{Guarded, command, free_port, run_to_its_end};
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

fn by_http(place: &Place, target: &str) -> String {
    let mut stream = place.connect().unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let (answer, _) = stream.rest();
    String::from_utf8(answer).unwrap()
}

fn assert_hello_by_http(place: &Place) {
    let answer = by_http(place, "/");
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
    let place = Place::new(Over::Unix);
    let mut inspect = command("inspect");
    inspect.args(["--http", &place.to_string(), "--mount=/app/"]);
    let _process = serving(inspect, "inspect is served at");
    let text = by_http(&place, "/app/tea");
    assert_eq!(
        (&*seen(&text, "script_name"), &*seen(&text, "path_info")),
        ("script_name  \"/app\"", "path_info    \"/tea\"")
    );
    assert!(by_http(&place, "/apple").starts_with("HTTP/1.1 404 "));
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

/// Whether a program that serves FastCGI at this address lets this test in; if not, it has to say why in its log.
fn lets_in(mut command: Command, address: SocketAddr) -> Result<(), String> {
    let mut process = Guarded(command.spawn().unwrap());
    let mut log = BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = log.next().unwrap();
    assert!(line.starts_with("hello is served by fastcgi at "), "{line:?}");
    let mut stream = Place::Tcp(SocketAddr::from(([127, 0, 0, 1], address.port()))).connect().unwrap();
    // One that is closed already cannot be written to.
    let _ = stream.write_all(&Request::get("/").bytes(Kind::FastCgi));
    let (answer, _) = stream.rest();
    match answer.is_empty() {
        true => Err(log.next().unwrap()),
        false => {
            assert!(answer.windows(5).any(|window| window == b"world"), "{answer:?}");
            Ok(())
        }
    }
}

#[test]
fn web_servers_that_the_environment_names_may_connect_and_no_others() {
    const NETWORK: &str = "it is not among those that may connect: see allow_peers";
    const LIST: &str = "it is not among the addresses of FCGI_WEB_SERVER_ADDRS";
    for (host, list, networks, refused) in [
        ("127.0.0.1", "127.0.0.1", &[][..], None),
        ("127.0.0.1", "192.0.2.1, 127.0.0.1", &[], None),
        ("127.0.0.1", "", &[], None),
        ("127.0.0.1", "192.0.2.1,127.0.0.2", &[], Some(LIST)),
        ("127.0.0.1", "::1", &[], Some(LIST)),
        // The list says who may connect to what everybody reaches.
        ("0.0.0.0", "127.0.0.1", &[], None),
        ("0.0.0.0", "192.0.2.1", &[], Some(LIST)),
        // With a flag that says it too, both count.
        ("0.0.0.0", "192.0.2.1,127.0.0.1", &["127.0.0.0/8"], None),
        ("0.0.0.0", "192.0.2.1", &["127.0.0.0/8", "192.0.2.1"], Some(LIST)),
        ("0.0.0.0", "127.0.0.1", &["10.0.0.0/8"], Some(NETWORK)),
    ] {
        let address: SocketAddr = format!("{host}:{}", free_port()).parse().unwrap();
        let mut hello = command("hello");
        hello.args(["--fastcgi", &address.to_string()]).env("FCGI_WEB_SERVER_ADDRS", list);
        hello.args(networks.iter().flat_map(|network| ["--allow-peers", network]));
        let case = format!("{host} {list} {networks:?}");
        match (lets_in(hello, address), refused) {
            (Ok(()), None) => {}
            (Err(line), Some(why)) => {
                assert!(line.starts_with("vestibule: the web server at 127.0.0.1:"), "{case}: {line}");
                assert!(line.ends_with(why), "{case}: {line}");
            }
            (told, _) => panic!("{case}: {told:?} and not {refused:?}"),
        }
    }
}

#[test]
fn the_list_of_web_servers_holds_for_each_socket_that_somebody_else_has_bound() {
    for (list, is_listed) in [("127.0.0.1", true), ("192.0.2.1", false)] {
        for is_of_systemd in [false, true] {
            let started = |socket| {
                let mut hello = command("hello");
                match is_of_systemd {
                    true => hello = activated("hello", socket, "$$", Some("fastcgi")),
                    false => _ = hello.stdin(Stdio::from(socket)),
                }
                hello.env("FCGI_WEB_SERVER_ADDRS", list);
                hello
            };
            let (Place::Tcp(address), socket) = listening(Over::Tcp) else { panic!("it is one") };
            let told = lets_in(started(socket), address);
            assert_eq!(told.is_ok(), is_listed, "{list}, of systemd: {is_of_systemd}, {told:?}");
            // The peer of a unix socket has no address: the socket's mode says whether it may.
            let (place, socket) = listening(Over::Unix);
            let _process = serving(started(socket), "hello is served by fastcgi at ");
            assert_hello(Kind::FastCgi, &place);
            remove(&place);
        }
    }
}

#[test]
fn a_list_of_web_servers_that_is_none_ends_the_program_before_it_serves() {
    for (list, entry) in [
        ("example.org", "example.org"),
        ("192.0.2.1,,192.0.2.2", ""),
        ("192.0.2.1,", ""),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"),
        ("192.0.2.256", "192.0.2.256"),
        ("127.0.0.1:80", "127.0.0.1:80"),
    ] {
        let mut hello = command("hello");
        hello.args(["--fastcgi", "127.0.0.1:0"]).env("FCGI_WEB_SERVER_ADDRS", list);
        let ended = run_to_its_end(&mut hello);
        let told = String::from_utf8(ended.stderr).unwrap();
        let expected = format!("Error: FCGI_WEB_SERVER_ADDRS: {entry:?} is no IP address");
        assert!(!ended.status.success() && told.starts_with(&expected), "{list}: {told}");
    }
    // It means nothing to other protocols.
    let place = Place::new(Over::Unix);
    let mut hello = command("hello");
    hello.args(["--scgi", &place.to_string()]).env("FCGI_WEB_SERVER_ADDRS", "example.org");
    let _process = serving(hello, "hello is served by scgi at ");
    assert_hello(Kind::Scgi, &place);
}
