//! One request through each gateway: an application is told the same, but for what is listed here.

use std::collections::BTreeMap;
use std::io::Write;

use vestibule::adapters::http;
use vestibule::{App, app_fn};

use crate::client::Request;
use crate::processes;
use crate::program::Guarded;
use crate::serving::{Kind, Over};

type Variables = BTreeMap<String, String>;

/// The role of a process that answers so.
pub(crate) const DESCRIBED: &str = "described";

/// Answers with the variables of its environ, each on a line, and what else it knows.
pub(crate) fn described() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_text(1000)?;
        let mut lines: Vec<_> =
            environ.vars().map(|(name, value)| format!("  {name} = {:?}", String::from_utf8_lossy(&value))).collect();
        lines.push(format!("  url = {:?}", environ.url()));
        lines.push(format!("  raw_path = {:?}", environ.raw_path()));
        lines.push(format!("  body = {body:?}"));
        start_response.start(200, ())?;
        Ok(lines.join("\n").into())
    })
}

fn parsed(text: &str) -> Variables {
    let pairs = text.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(" = "));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// As NGINX sends what [`by_http`] sends to a server without one.
fn request() -> Request {
    Request::post("/p%C3%A4th%2Fx;y?q=a%20b&c", "tea")
        .with("PATH_INFO", "/p\u{e4}th/x;y")
        .with("SERVER_NAME", "127.0.0.1")
        .with("CONTENT_TYPE", "text/plain")
        .with("HTTP_HOST", "example.test:8443")
        .with("HTTP_COOKIE", "a=1; b=2")
        .with("HTTP_X_DUP", "1, 2")
        .with("HTTP_X_EMPTY", "")
        .with("HTTP_AUTHORIZATION", "Basic dTpw")
        .with("HTTP_PROXY", "http://evil")
        .with("HTTP_CONTENT_LENGTH", "3")
        .with("HTTP_CONTENT_TYPE", "text/plain")
}

fn by_http() -> Variables {
    let server = http::Server::bind("127.0.0.1:0").unwrap();
    let (address, handle) = (server.local_addr().unwrap(), server.handle());
    let thread = std::thread::spawn(move || server.run_until(described(), std::future::pending()));
    let mut stream = crate::serving::Place::Tcp(address).connect().unwrap();
    let head = "POST /p%C3%A4th%2Fx;y?q=a%20b&c HTTP/1.1\r\nHost: example.test:8443\r\nContent-Type: text/plain\r\n\
                Content-Length: 3\r\nCookie: a=1\r\nX-Dup: 1\r\nCookie: b=2\r\nX-Dup: 2\r\nX-Empty:\r\n\
                Authorization: Basic dTpw\r\nProxy: http://evil\r\nConnection: close\r\n\r\ntea";
    stream.write_all(head.as_bytes()).unwrap();
    let (answer, _) = stream.rest();
    handle.shutdown();
    thread.join().unwrap().unwrap();
    parsed(&String::from_utf8(answer).unwrap())
}

fn by(kind: Kind) -> Variables {
    let answer = serve!((kind, Over::Unix), described()).ask(&request());
    assert_eq!(answer.status(), 200);
    parsed(&answer.text())
}

/// In a process of its own, which prints the lines of a test runner before the answer.
fn by_cgi() -> Variables {
    let mut process = Guarded(processes::own(DESCRIBED, &request()).spawn().unwrap());
    process.0.stdin.take().unwrap().write_all(b"tea").unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut process.0.stdout.take().unwrap(), &mut text).unwrap();
    assert!(process.end().success());
    parsed(&text)
}

/// What differs, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("every", "SERVER_PORT", "HTTP knows the port that it listens on, a gateway the one that the web server tells"),
    ("every", "REMOTE_ADDR", "over HTTP it is the connection's, behind a web server the client's"),
    ("every", "REMOTE_PORT", "as REMOTE_ADDR"),
    ("cgi", "GATEWAY_INTERFACE", "a variable of RFC 3875 that only a web server that starts a program sets"),
];

fn differences(gateway: &str, expected: &Variables, seen: &Variables) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
    let is_listed =
        |name: &str| DIFFERENCES.iter().any(|(by, listed, _)| (*by == "every" || *by == gateway) && *listed == name);
    let differing = names.into_iter().filter(|name| expected.get(*name) != seen.get(*name) && !is_listed(name));
    differing.map(|name| format!("{gateway} {name}: {:?} and not {:?}", seen.get(name), expected.get(name))).collect()
}

#[test]
fn an_application_is_told_the_same_by_each_gateway() {
    let expected = by_http();
    assert_eq!(expected.get("HTTP_COOKIE").map(String::as_str), Some("\"a=1; b=2\""));
    assert!(expected.len() > 15, "{expected:#?}");
    let gateways =
        [("fastcgi", by(Kind::FastCgi)), ("scgi", by(Kind::Scgi)), ("uwsgi", by(Kind::Uwsgi)), ("cgi", by_cgi())];
    let all: Vec<String> = gateways.iter().flat_map(|(gateway, seen)| differences(gateway, &expected, seen)).collect();
    assert!(all.is_empty(), "{all:#?}");
    // None is listed that is none.
    for (gateway, name, _) in DIFFERENCES {
        let differs = gateways
            .iter()
            .any(|(by, seen)| (*gateway == "every" || gateway == by) && seen.get(*name) != expected.get(*name));
        assert!(differs, "{gateway} {name}");
    }
}
