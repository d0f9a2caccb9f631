//! An authorizer: the suite behind one that lets every request through, and what becomes of its denials.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use vestibule::adapters::fastcgi::Server;
use vestibule::{App, app_fn};

use super::configuration;
use crate::backend::Backend;
use crate::front::{Front, await_the_end_of_all};
use crate::place::Place;
use crate::program::{Answer, PATIENCE};
use crate::servers;

/// Lets every request through, and says so to whoever answers it.
pub(crate) fn gate() -> App {
    app_fn(|_, start_response| {
        start_response.start(200, [("variable-gate", "open")])?;
        Ok("the client does not see this".into())
    })
}

/// Answers no request but those that the gate has let through.
pub(crate) fn behind_the_gate(inner: App) -> App {
    app_fn(move |environ, start_response| {
        if environ.var("GATE").as_deref() != Some(b"open") {
            start_response.start(403, ())?;
            return Ok("this request has not come through the gate\n".into());
        }
        inner.call(environ, start_response)
    })
}

/// Knows one user, and no more than that.
fn door() -> App {
    app_fn(|environ, start_response| match (&*environ.path_info(), environ.var("HTTP_AUTHORIZATION").as_deref()) {
        ("/fails", _) => Err("the lock is broken".into()),
        ("/moved", _) => {
            start_response.start(303, [("location", "/open")])?;
            Ok("over there\n".into())
        }
        ("/secret.txt", user) if user != Some(b"Basic dTpw") => {
            start_response
                .start(401, [("www-authenticate", "Basic realm=\"here\""), ("content-type", "text/plain")])?;
            Ok(vestibule::Body::iter(["who ", "are ", "you?"]))
        }
        _ => {
            start_response.start(200, [("x-of-the-authorizer", "1")])?;
            Ok("the client does not see this".into())
        }
    })
}

struct Door {
    // In this order: the front end goes first.
    front: Front,
    _backend: Backend,
}

impl Door {
    fn ask(&self, method_and_target: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.front.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time above 0");
        let length = body.len();
        let request = format!(
            "{method_and_target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads the request");
        Answer::read(stream)
    }
}

#[test]
fn lighttpd_sends_what_an_authorizer_allows_and_passes_its_denials_on() {
    let place = Place::new();
    let directory = place.directory().to_owned();
    for name in ["open.txt", "secret.txt"] {
        fs::write(place.public().join(name), format!("this is {name}\n")).expect("it can be written");
    }
    let server = Server::bind(format!("unix:{}", place.socket().display())).and_then(|server| server.unix_mode(0o666));
    let server = server.expect("the socket is new");
    let backend = Backend::serve(None, move |stop| server.run_until(door(), stop));
    let text = configuration(servers::Server::Lighttpd, "authorizer.conf");
    let door = Door { front: Front::start(servers::Server::Lighttpd, &text, &[], place, None), _backend: backend };

    let open = door.ask("GET /open.txt", "", "");
    assert_eq!((open.status, &*open.body), (200, "this is open.txt\n"), "{}", open.head);
    assert!(!open.head.contains("x-of-the-authorizer"), "{}", open.head);

    for (method, body) in [("GET", ""), ("POST", "let me in")] {
        let denied = door.ask(&format!("{method} /secret.txt"), "", body);
        assert_eq!((denied.status, &*denied.body), (401, "who are you?"), "{}", denied.head);
        assert!(denied.head.to_ascii_lowercase().contains("\r\nwww-authenticate: basic realm=\"here\"\r\n"));
    }
    let denied = door.ask("HEAD /secret.txt", "", "");
    assert_eq!((denied.status, &*denied.body), (401, ""));

    let allowed = door.ask("GET /secret.txt", "Authorization: Basic dTpw\r\n", "");
    assert_eq!((allowed.status, &*allowed.body), (200, "this is secret.txt\n"), "{}", allowed.head);
    let moved = door.ask("GET /moved", "", "");
    assert_eq!((moved.status, &*moved.body), (303, "over there\n"), "{}", moved.head);
    assert_eq!(door.ask("GET /fails", "", "").status, 500);
    // The same path by another name.
    for target in ["/x/../secret.txt", "//secret.txt", "/secret%2Etxt"] {
        assert_eq!(door.ask(&format!("GET {target}"), "", "").status, 401, "{target}");
    }
    // What is allowed and is not there.
    assert_eq!(door.ask("GET /nothing.txt", "", "").status, 404);

    drop(door);
    await_the_end_of_all(&directory);
    assert!(!Path::new(&directory).exists(), "it is gone with the front end");
}
