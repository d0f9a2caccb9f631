//! What a web server sends for a request in each protocol, and what it makes of the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::spawn;

use flate2::read::GzDecoder;
use vestibule::wire::fastcgi::{Header, RecordType, pairs};

use crate::program::PATIENCE;

pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// Takes the bytes of a response out of what the protocol has around them.
pub type Unwrap = fn(Vec<u8>) -> Vec<u8>;

impl Request {
    pub fn new(method: &'static str, target: &str, form: &str) -> Self {
        let request = Self { method, target: target.to_owned(), headers: Vec::new(), body: form.to_owned() };
        request.with("Host", "localhost")
    }

    pub fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    /// The headers that a body has.
    fn of_body(&self) -> Vec<(&'static str, String)> {
        let form = ("Content-Type", "application/x-www-form-urlencoded".to_owned());
        if self.method == "POST" { vec![("Content-Length", self.body.len().to_string()), form] } else { Vec::new() }
    }

    /// The variables of CGI and of all that came after it; CONTENT_LENGTH is the first, as SCGI wants it.
    fn variables(&self) -> Vec<(String, String)> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let upper = |name: &str| name.to_uppercase().replace('-', "_");
        let (script_name, path_info) = path.split_at(crate::MOUNT.len());
        let mut variables = vec![("CONTENT_LENGTH".to_owned(), self.body.len().to_string())];
        variables.extend(self.of_body().into_iter().skip(1).map(|(name, value)| (upper(name), value)));
        variables.extend(self.headers.iter().map(|(name, value)| (format!("HTTP_{}", upper(name)), value.clone())));
        variables.extend(
            [
                ("REQUEST_METHOD", self.method),
                ("REQUEST_URI", &self.target),
                ("SCRIPT_NAME", script_name),
                ("PATH_INFO", path_info),
                ("QUERY_STRING", query),
                ("SERVER_PROTOCOL", "HTTP/1.1"),
                ("SERVER_NAME", "localhost"),
                ("SERVER_PORT", "80"),
                ("REMOTE_ADDR", "192.0.2.1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        variables
    }
}

pub fn http(request: &Request) -> (Vec<u8>, Unwrap) {
    let mut text = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", request.method, request.target);
    for (name, value) in request.headers.iter().chain(&request.of_body()) {
        text += &format!("{name}: {value}\r\n");
    }
    (format!("{text}\r\n{}", request.body).into_bytes(), |answer| answer)
}

pub fn scgi(request: &Request) -> (Vec<u8>, Unwrap) {
    let variables = [request.variables(), vec![("SCGI".to_owned(), "1".to_owned())]].concat();
    let block: String = variables.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    (format!("{}:{block},{}", block.len(), request.body).into_bytes(), |answer| answer)
}

pub fn uwsgi(request: &Request) -> (Vec<u8>, Unwrap) {
    let size = |length: usize| u16::try_from(length).expect("short").to_le_bytes();
    let mut block = Vec::new();
    for text in request.variables().iter().flat_map(|(name, value)| [name, value]) {
        block.extend(size(text.len()).iter().chain(text.as_bytes()));
    }
    let [low, high] = size(block.len());
    ([&[0, low, high, 0], &*block, request.body.as_bytes()].concat(), |answer| answer)
}

pub fn fastcgi(request: &Request) -> (Vec<u8>, Unwrap) {
    let record = |kind, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("short");
        [&Header::new(kind, 1, length).to_bytes(), content].concat()
    };
    let mut params = Vec::new();
    request.variables().iter().for_each(|(name, value)| pairs::write(&mut params, name.as_bytes(), value.as_bytes()));
    // The role of a responder, and a connection that is closed behind the answer.
    let mut bytes = record(RecordType::BeginRequest, &[0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend([record(RecordType::Params, &params), record(RecordType::Params, b"")].concat());
    request.body.as_bytes().chunks(32_768).for_each(|part| bytes.extend(record(RecordType::Stdin, part)));
    bytes.extend(record(RecordType::Stdin, b""));
    (bytes, standard_output)
}

/// What is in the records of FastCGI's STDOUT.
fn standard_output(answer: Vec<u8>) -> Vec<u8> {
    let (mut rest, mut output) = (&answer[..], Vec::new());
    while let Some((header, more)) = rest.split_first_chunk() {
        let header = Header::parse(*header).expect("a record");
        let (content, more) = more.split_at(header.length().into());
        if header.record_type() == RecordType::Stdout {
            output.extend_from_slice(content);
        }
        rest = &more[header.padding().into()..];
    }
    output
}

pub fn over_unix(socket: &Path, spoken: (Vec<u8>, Unwrap)) -> Answer {
    let stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time above 0");
    over((stream.try_clone().expect("a socket"), stream), spoken)
}

pub fn over_tcp(address: SocketAddr, spoken: (Vec<u8>, Unwrap)) -> Answer {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time above 0");
    over((stream.try_clone().expect("a socket"), stream), spoken)
}

/// Starts the program for one request.
pub fn scripted(program: &mut Command, request: &Request) -> Answer {
    program.envs(request.variables()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.spawn().expect("it starts");
    let ends = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
    let answer = over(ends, (request.body.clone().into_bytes(), |answer| answer));
    assert!(child.wait().expect("it is our child").success());
    answer
}

fn over<S>((mut writer, mut reader): (S, impl Read), (bytes, unwrap): (Vec<u8>, Unwrap)) -> Answer
where
    S: Write + Send + 'static,
{
    // A server may answer before it has read everything, and may be gone then.
    let writing = spawn(move || writer.write_all(&bytes));
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).expect("the answer ends");
    let _ = writing.join().expect("it does not panic");
    Answer::new(&unwrap(answer))
}

pub struct Answer {
    pub status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn new(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the head ends") + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head of text");
        // `HTTP/1.1 200 OK` or `Status: 200 OK`.
        let status = head.split(' ').nth(1).and_then(|status| status.trim().parse().ok()).expect("a status");
        let mut answer = Self { status, head, body: bytes[end..].to_vec() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body);
        }
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a page is text")
    }

    pub fn text_of_gzip(&self) -> String {
        let mut text = String::new();
        GzDecoder::new(&self.body[..]).read_to_string(&mut text).expect("it is gzip");
        text
    }
}

/// The chunks as one (RFC 9112, section 7.1).
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("the size of a chunk ends");
        let size = std::str::from_utf8(&rest[..line]).expect("a number");
        let size = usize::from_str_radix(size, 16).expect("a number");
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
        if size == 0 {
            return body;
        }
    }
}
