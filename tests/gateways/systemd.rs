//! The units of docs/deploy/conf/systemd: systemd reads them without a complaint, and starts an example as they say.
//!
//! `systemd-analyze` and `systemd-socket-activate` (Debian package systemd) need no systemd that runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use crate::client::{Answer, Request, end_of_stdin, stdin, whole};
use crate::program::{Directory, Guarded, await_line, free_port, path, until};
use crate::serving::{Kind, Over, Place};

const SERVICE: &str = include_str!("../../docs/deploy/conf/systemd/app.service");
const SOCKET: &str = include_str!("../../docs/deploy/conf/systemd/app.socket");

/// The units with places of this test for those that they name, and an example as the program.
struct Units {
    directory: Directory,
    place: Place,
    service: String,
    socket: String,
}

impl Units {
    fn new(test: &str, example: &str) -> Self {
        let directory = Directory::new(&format!("systemd-{test}"));
        std::os::unix::fs::symlink(path(example), directory.0.join("app")).unwrap();
        let place = Place::new(Over::Unix);
        let Place::Unix(socket) = &place else { panic!("it is one") };
        Self {
            service: SERVICE.replace("/srv/app", directory.0.to_str().unwrap()),
            socket: SOCKET.replace("/run/app/app.sock", socket.to_str().unwrap()),
            directory,
            place,
        }
    }

    /// Asks `systemd-analyze` about units as they are in this directory.
    fn analyze(&self, arguments: &[&str]) -> Output {
        fs::write(self.directory.0.join("app.service"), &self.service).unwrap();
        fs::write(self.directory.0.join("app.socket"), &self.socket).unwrap();
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg("--man=no").current_dir(&self.directory.0);
        command.output().unwrap_or_else(|error| panic!("systemd-analyze: {error}; it is in the package systemd"))
    }

    /// What systemd says against the units.
    fn complaints(&self) -> String {
        let verified = self.analyze(&["verify", "./app.service", "./app.socket"]);
        let said = String::from_utf8(verified.stderr).unwrap();
        // It looks at what they need, too, which is not ours.
        let lines: Vec<_> = said.lines().filter(|line| line.contains("app.s")).collect();
        assert!(verified.status.success() || !lines.is_empty(), "{said}");
        lines.join("\n")
    }

    /// Starts the program with sockets, as the units say, when somebody connects.
    fn activate(&self, name: &str) -> Activated {
        let mut command = Command::new("systemd-socket-activate");
        command.arg(format!("--listen={}", setting(&self.socket, "ListenStream")));
        self.activated(command, name)
    }

    fn activated(&self, mut command: Command, name: &str) -> Activated {
        // It gives the program nothing else of its own surroundings.
        command.arg(format!("--setenv=TMPDIR={}", self.directory.0.display()));
        command.arg(format!("--fdname={name}")).args(setting(&self.service, "ExecStart").split(' '));
        Activated::start(command)
    }

    fn socket(&self) -> PathBuf {
        setting(&self.socket, "ListenStream").into()
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.socket());
    }
}

fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let line = unit.lines().find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')));
    line.unwrap_or_else(|| panic!("there is no {name} in {unit}"))
}

/// `systemd-socket-activate`, which becomes the program.
struct Activated {
    process: Guarded,
    log: Receiver<String>,
}

impl Activated {
    fn start(mut command: Command) -> Self {
        command.stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut process =
            Guarded(spawned.unwrap_or_else(|error| panic!("{command:?}: {error}; it is in the package systemd")));
        let lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let activated = Self { process, log };
        activated.awaits("Listening on ");
        activated
    }

    fn awaits(&self, text: &str) {
        await_line(&self.log, text);
    }

    /// Has it stopped, as `systemctl stop` does.
    fn stop(mut self) {
        self.process.signal("TERM");
        assert!(self.process.end().success());
    }
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let mut units = Units::new("verify", "hello");
    assert_eq!(units.complaints(), "");
    // It would have seen it.
    units.service = units.service.replace("ProtectHome=", "ProtectHomes=");
    assert!(units.complaints().contains("ProtectHomes"), "{}", units.complaints());
    units.service = SERVICE.to_owned();
    assert!(units.complaints().contains("/srv/app/app is not executable"), "{}", units.complaints());
}

#[test]
fn the_service_may_do_little() {
    let mut units = Units::new("security", "hello");
    // Of 100, where a service without a word has 96. Whoever is above the threshold makes it fail.
    let arguments = ["security", "--offline=true", "--threshold=20", "./app.service"];
    let judged = units.analyze(&arguments);
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    units.service = units.service.replace("SystemCallFilter=", "#");
    assert!(!units.analyze(&arguments).status.success());
}

#[test]
fn the_service_has_longer_to_stop_than_the_application_takes() {
    // docs/limits.md: `shutdown_timeout` is 30 s, and clients have 2 s to take the end of what was sent.
    let seconds: u32 = setting(SERVICE, "TimeoutStopSec").parse().unwrap();
    assert!(seconds > 32, "{seconds}");
}

#[test]
fn the_program_serves_the_socket_of_the_unit_by_the_protocol_of_its_name() {
    let units = Units::new("serve", "hello");
    let of_the_unit = setting(&units.socket, "FileDescriptorName");
    for (name, kind) in [("fastcgi", Kind::FastCgi), ("scgi", Kind::Scgi), ("uwsgi", Kind::Uwsgi)] {
        let activated = units.activate(name);
        for _ in 0..3 {
            let mut stream = units.place.connect().unwrap();
            stream.write_all(&Request::get("/").bytes(kind)).unwrap();
            assert_eq!(Answer::read(kind, stream).seen(), (200, "Hello, world!\n".to_owned()), "{name}");
        }
        activated.awaits(&format!("app is served by {name} at unix:{} ", units.socket().display()));
        activated.stop();
        assert!(units.socket().exists(), "it is systemd's");
    }
    assert_eq!(of_the_unit, "fastcgi");
}

#[test]
fn the_program_serves_http_where_the_unit_gives_no_name() {
    let mut units = Units::new("http", "hello");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    units.socket = format!("ListenStream={address}\n");
    // systemd names a socket after its unit then.
    let activated = units.activate("app.socket");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").unwrap();
    let answer = crate::program::Answer::read(stream);
    assert_eq!((answer.status, &*answer.body), (200, "Hello, world!\n"));
    activated.awaits(&format!("app is served at http://{address} "));
    activated.stop();
}

#[test]
fn of_several_sockets_the_first_is_served_and_that_is_said() {
    let units = Units::new("several", "hello");
    let mut command = Command::new("systemd-socket-activate");
    let other = SocketAddr::from(([127, 0, 0, 1], free_port()));
    command.arg(format!("--listen={}", units.socket().display())).arg(format!("--listen={other}"));
    let activated = units.activated(command, "scgi:fastcgi");
    let mut stream = units.place.connect().unwrap();
    stream.write_all(&Request::get("/").bytes(Kind::Scgi)).unwrap();
    assert_eq!(Answer::read(Kind::Scgi, stream).status(), 200);
    activated.awaits("vestibule: 2 sockets are given by LISTEN_FDS: the first is served");
    activated.stop();
}

#[test]
fn what_has_begun_is_answered_when_the_service_is_stopped() {
    let units = Units::new("stop", "upload");
    for kind in [Kind::FastCgi, Kind::Scgi, Kind::Uwsgi] {
        let name = format!("{kind:?}").to_lowercase();
        let mut activated = units.activate(&name);
        let mut stream = units.place.connect().unwrap();
        let part = |body: &[u8]| match kind {
            Kind::FastCgi => stdin(1, body),
            _ => body.to_vec(),
        };
        let request = Request::new("PUT", "/").with("CONTENT_LENGTH", "5");
        stream.write_all(&request.head(kind)).unwrap();
        stream.write_all(&part(b"te")).unwrap();
        // It accepts, and has heard of signals: another one was answered.
        let mut other = units.place.connect().unwrap();
        other.write_all(&Request::get("/").bytes(kind)).unwrap();
        assert_eq!(Answer::read(kind, other).status(), 200, "{name}");
        // Nobody has accepted this one, perhaps.
        let mut next = units.place.connect().unwrap();
        next.write_all(&Request::get("/").bytes(kind)).unwrap();
        activated.process.signal("TERM");
        activated.awaits("stopping when the requests that run have ended");
        stream.write_all(&part(b"ast")).unwrap();
        if kind == Kind::FastCgi {
            stream.write_all(&end_of_stdin(1)).unwrap();
        }
        let answer = Answer::read(kind, stream);
        assert_eq!((answer.status(), answer.end), (201, whole(kind)), "{name}: {answer:?}");
        assert!(answer.text().starts_with("5 bytes are in "), "{answer:?}");
        assert_eq!(Answer::read(kind, next).status(), 200, "{name}");
        assert!(activated.process.end().success());
    }
}

#[test]
fn no_request_is_lost_while_the_service_is_started_anew() {
    let units = Units::new("restart", "hello");
    // As systemd holds it, whatever becomes of the program.
    let listener = UnixListener::bind(units.socket()).unwrap();
    let start = || {
        let socket: OwnedFd = listener.try_clone().unwrap().into();
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec env LISTEN_FDS=1 LISTEN_PID=$$ "$0" "$@" 3<&0 0</dev/null"#]);
        command.arg("systemd-socket-activate").stdin(Stdio::from(socket));
        units.activated(command, "fastcgi")
    };
    let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let ask_on = || {
            while !is_over.load(Ordering::SeqCst) {
                let mut stream = units.place.connect().unwrap();
                stream.write_all(&Request::get("/").bytes(Kind::FastCgi)).unwrap();
                let answer = Answer::read(Kind::FastCgi, stream);
                assert_eq!((answer.status(), answer.end), (200, whole(Kind::FastCgi)), "{answer:?}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask_on)).collect();
        // Whoever connects while there is none waits for the next one.
        for is_last in [false, false, false, true] {
            let (before, activated) = (answered.load(Ordering::SeqCst), start());
            until("it answers", || answered.load(Ordering::SeqCst) > before + 100);
            if is_last {
                is_over.store(true, Ordering::SeqCst);
                until("all have their answers", || clients.iter().all(|client| client.is_finished()));
            }
            activated.stop();
        }
    });
}
