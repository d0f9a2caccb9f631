//! CGI: examples that are started for one request each.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use vestibule::{App, Body, Error, app_fn, async_fn};

use crate::client::Request;
use crate::parity;
use crate::program::{Directory, Guarded, command};
use crate::serving::PATIENCE;

/// The variables of a request, as a web server gives them to a process.
fn variables(request: &Request) -> Vec<(String, std::ffi::OsString)> {
    use std::os::unix::ffi::OsStringExt;
    let variables = request.variables().iter();
    variables
        .map(|(name, value)| (String::from_utf8(name.clone()).unwrap(), std::ffi::OsString::from_vec(value.clone())))
        .collect()
}

/// An example that is started for a request.
fn example(name: &str, request: &Request) -> Command {
    started(command(name), request)
}

fn started(mut command: Command, request: &Request) -> Command {
    command.env_clear().env("GATEWAY_INTERFACE", "CGI/1.1").envs(variables(request));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Answer {
    code: Option<i32>,
    head: String,
    body: Vec<u8>,
    errors: String,
}

impl Answer {
    fn status(&self) -> u16 {
        let status = self.head.strip_prefix("Status: ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Writes the body, reads the answer, and waits for the end.
fn answer(command: &mut Command, body: &[u8]) -> Answer {
    let mut process = Guarded(command.spawn().unwrap());
    let (stdin, body) = (process.0.stdin.take(), body.to_vec());
    let writing = std::thread::spawn(move || {
        // One that does not read on has its reasons.
        stdin.map(|mut stdin| stdin.write_all(&body))
    });
    let mut stderr = process.0.stderr.take().unwrap();
    let logging = std::thread::spawn(move || {
        let mut errors = String::new();
        stderr.read_to_string(&mut errors).unwrap();
        errors
    });
    let mut bytes = Vec::new();
    process.0.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    let code = process.end().code();
    let _ = writing.join().unwrap();
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    Answer {
        code,
        head: String::from_utf8(bytes[..at].to_vec()).unwrap(),
        body: bytes[at..].to_vec(),
        errors: logging.join().unwrap(),
    }
}

fn ask(name: &str, request: &Request, body: &[u8]) -> Answer {
    answer(&mut example(name, request), body)
}

/// What asks this program to be an application that is started by CGI.
const ROLE: &str = "VESTIBULE_TEST_CGI";

/// An application of this file, in a process of its own. What the test runner prints goes before it.
pub(crate) fn own(role: &str, request: &Request) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::is_started", "--nocapture", "--quiet"]);
    let mut command = started(command, request);
    command.env(ROLE, role);
    command
}

/// What an application of this file answers, without what the test runner prints before it.
fn ask_own(role: &str, request: &Request, body: &[u8]) -> Answer {
    let mut answered = answer(&mut own(role, request), body);
    let begin = answered.head.find("Status: ").unwrap_or_else(|| panic!("{}", answered.errors));
    answered.head.drain(..begin);
    answered
}

fn application(role: &str) -> App {
    match role {
        "stream" => app_fn(|_, start_response| {
            start_response.start(200, ())?;
            let mut blocks = 0;
            Ok(Body::iter(std::iter::from_fn(move || {
                blocks += 1;
                if blocks == 2 {
                    // The second is made when the first was seen.
                    std::io::stdin().read_exact(&mut [0]).unwrap();
                }
                (blocks < 3).then(|| format!("block {blocks}."))
            })))
        }),
        "async" => async_fn(|_, start_response| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let connecting = tokio::spawn(tokio::net::TcpStream::connect(address));
            let (_, peer) = listener.accept().await?;
            let connected = connecting.await.map_err(|error| Error::from(error.to_string()))??;
            start_response.start(200, ())?;
            let same = connected.local_addr()? == peer;
            Ok(Body::stream(futures::stream::once(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(format!("met: {same}"))
            })))
        }),
        "nested" => app_fn(|_, start_response| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let text = runtime.block_on(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                "nested"
            });
            start_response.start(200, ())?;
            Ok(text.into())
        }),
        "spawned" => app_fn(|_, start_response| {
            // It is given up with the process.
            tokio::spawn(std::future::pending::<()>());
            tokio::task::spawn_blocking(|| std::thread::sleep(PATIENCE * 10));
            start_response.start(200, ())?;
            Ok("spawned".into())
        }),
        "panics" => app_fn(|_, _| panic!("the kettle is cold")),
        "fails" => app_fn(|_, _| Err(Error::from("the kettle is cold"))),
        "breaks" => app_fn(|_, start_response| {
            start_response.start(200, ())?;
            Ok(Body::try_iter([Ok("some"), Err(Error::from("the kettle is cold"))]))
        }),
        "endless" => app_fn(|_, start_response| {
            start_response.start(200, ())?;
            Ok(Body::iter(std::iter::repeat(vec![b'x'; 10_000])))
        }),
        "located" => app_fn(|_, start_response| {
            start_response.start(200, [("location", "/elsewhere")])?;
            Ok("".into())
        }),
        "unread" => app_fn(|_, start_response| {
            start_response.start(200, ())?;
            Ok("unread".into())
        }),
        _ => app_fn(|mut environ, start_response| {
            let body = environ.input_mut().read_bytes(10_000_000)?;
            start_response.start(200, ())?;
            Ok(body.into())
        }),
    }
}

/// The applications of this file, and one of another, where this process was started for one of them.
#[test]
fn is_started() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let application = if role == parity::DESCRIBED { parity::described() } else { application(&role) };
    let ended = vestibule::adapters::cgi::run(application);
    // Without what the runner would print behind the answer.
    std::process::exit(i32::from(ended.is_err()));
}

#[test]
fn a_process_answers_the_request_that_it_was_started_for() {
    let seen = ask("hello", &Request::get("/"), b"");
    assert_eq!((seen.code, &*seen.text(), &*seen.errors), (Some(0), "Hello, world!\n", ""));
    assert_eq!(seen.head, "Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 14\r\n\r\n");
    let head = ask("hello", &Request::new("HEAD", "/"), b"");
    assert_eq!((head.status(), &*head.text()), (200, ""));
}

#[test]
fn arguments_are_the_querys_and_mean_nothing() {
    // CVE-2012-1823: RFC 3875, section 4.4, makes arguments of a query.
    for arguments in [&["-d", "x=y"][..], &["--http", "127.0.0.1:8000"], &["--nonsense"], &["--help"]] {
        let seen = answer(example("hello", &Request::get("/")).args(arguments), b"");
        assert_eq!((seen.code, &*seen.text()), (Some(0), "Hello, world!\n"), "{arguments:?}");
    }
}

#[test]
fn without_a_method_it_says_that_no_web_server_has_started_it() {
    for request in [Request::get("/").without("REQUEST_METHOD"), Request::get("/").with("REQUEST_METHOD", "")] {
        let seen = ask("hello", &request, b"");
        assert_eq!((seen.code, &*seen.head), (Some(1), ""));
        assert!(seen.errors.contains("REQUEST_METHOD"), "{}", seen.errors);
    }
}

#[test]
fn lengths_that_are_none_are_refused() {
    for (length, status) in [("", 200), ("0", 200), ("abc", 400), ("-1", 400), ("9".repeat(20).as_str(), 413)] {
        let seen = ask("inspect", &Request::new("POST", "/").with("CONTENT_LENGTH", length), b"tea");
        assert_eq!((seen.status(), seen.code), (status, Some(0)), "{length:?}: {}", seen.errors);
        // The client hears no more than the status, and the log why.
        assert_eq!(status == 200, seen.errors.is_empty(), "{}", seen.errors);
    }
}

#[test]
fn what_is_odd_and_allowed_is_served() {
    let beyond = Request::get("/").with("PATH_INFO", b"/\xff\xfe").without("REQUEST_URI");
    let seen = ask("inspect", &beyond, b"");
    assert_eq!(seen.status(), 200);
    assert!(seen.text().contains("raw_path     \"/%FF%FE\""), "{}", seen.text());
    for protocol in [Some("INCLUDED"), None] {
        let request = Request::get("/").without("HTTP_HOST").without("SERVER_PROTOCOL");
        let request = protocol.map_or(request.clone(), |protocol| request.with("SERVER_PROTOCOL", protocol));
        assert_eq!(ask("hello", &request, b"").status(), 200, "{protocol:?}");
    }
    let seen = ask("inspect", &Request::get("/").with("HTTP_PROXY", "http://evil"), b"");
    assert!(!seen.text().to_lowercase().contains("evil"), "{}", seen.text());
}

#[test]
fn a_location_is_no_redirect_inside_of_the_web_server() {
    let seen = ask_own("located", &Request::get("/"), b"");
    // RFC 3875, section 6.2.2: without a status it would be one.
    assert!(seen.head.starts_with("Status: 200 OK\r\n"), "{}", seen.head);
}

#[test]
fn a_body_is_read_to_its_length_and_not_beyond() {
    for (announced, comes) in [(3_usize, 10_usize), (0, 10), (10, 10), (100_000, 300_000), (8192, 8193)] {
        let directory = Directory::new(&format!("cgi-{announced}-{comes}"));
        let path = directory.0.join("body");
        std::fs::write(&path, vec![b'x'; comes]).unwrap();
        let mut file = File::open(&path).unwrap();
        let request = Request::post("/", "").with("CONTENT_LENGTH", announced.to_string());
        let mut command = own("echo", &request);
        let seen = answer(command.stdin(file.try_clone().unwrap()), b"");
        assert_eq!((seen.body.len(), seen.code), (announced, Some(0)), "{}", seen.errors);
        // RFC 3875, section 4.2: the script MUST NOT attempt to read more. The position is that of both.
        assert_eq!(file.stream_position().unwrap(), announced as u64, "{announced} of {comes}");
    }
}

#[test]
fn a_body_that_ends_early_is_an_error_and_never_a_short_body() {
    for (announced, comes) in [(10, 0), (10, 2), (200_000, 199_999)] {
        let request = Request::post("/", "").with("CONTENT_LENGTH", announced.to_string());
        let seen = ask_own("echo", &request, &vec![b'x'; comes]);
        assert_eq!((seen.status(), seen.code), (400, Some(0)), "{comes} of {announced}: {}", seen.errors);
        assert!(seen.errors.contains(&format!("ended after {comes} bytes of {announced}")), "{}", seen.errors);
    }
}

#[test]
fn a_chunked_body_goes_to_the_end_of_standard_input() {
    let request = Request::new("POST", "/").with("HTTP_TRANSFER_ENCODING", "chunked");
    for size in [0, 3, 200_000] {
        let seen = ask_own("echo", &request, &vec![b'x'; size]);
        assert_eq!((seen.status(), seen.body.len(), seen.code), (200, size, Some(0)));
    }
}

#[test]
fn what_the_application_leaves_of_a_body_is_read_though_its_length_is_not_known() {
    let request = Request::new("POST", "/").with("HTTP_TRANSFER_ENCODING", "chunked");
    let mut process = Guarded(own("unread", &request).spawn().unwrap());
    let (mut stdin, mut stdout) = (process.0.stdin.take().unwrap(), process.0.stdout.take().unwrap());
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(b"\r\n\r\nunread") {
        stdout.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    // Apache's socket would be reset, and the answer lost with it.
    stdin.write_all(&[b'x'; 200_000]).unwrap();
    drop(stdin);
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn the_body_of_a_request_that_is_refused_is_read() {
    let refused = Request::new("POST", "/").with("REQUEST_URI", "/%zz");
    for (name, value) in [("CONTENT_LENGTH", "200000"), ("HTTP_TRANSFER_ENCODING", "chunked")] {
        let mut process = Guarded(own("unread", &refused.clone().with(name, value)).spawn().unwrap());
        let (mut stdin, mut stdout) = (process.0.stdin.take().unwrap(), process.0.stdout.take().unwrap());
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(b"400 Bad Request\n") {
            stdout.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        // Apache's clients saw no answer at all.
        stdin.write_all(&[b'x'; 200_000]).unwrap();
        drop(stdin);
        assert_eq!(process.end().code(), Some(0), "{name}");
    }
}

#[test]
fn large_bodies_go_through_both_ways() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let seen = ask_own("echo", &Request::post("/", body.clone()), &body);
    assert!(seen.body == body, "{} bytes, {}", seen.body.len(), seen.errors);
    let upload = ask("upload", &Request::post("/", body.clone()).with("REQUEST_METHOD", "PUT"), &body);
    assert_eq!(upload.status(), 201, "{}", upload.errors);
    let text = upload.text();
    let path = text.trim().strip_prefix("3000000 bytes are in ").unwrap();
    assert!(std::fs::read(path).unwrap() == body);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_first_block_arrives_while_the_second_is_not_made() {
    let mut process = Guarded(own("stream", &Request::get("/")).spawn().unwrap());
    let mut stdout = process.0.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"block 1.") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    process.0.stdin.take().unwrap().write_all(b"!").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((&*rest, process.end().code()), ("block 2.", Some(0)));
}

#[test]
fn a_client_that_leaves_ends_the_process_quietly() {
    for (mut command, reads) in
        [(own("endless", &Request::get("/")), true), (example("hello", &Request::get("/")), false)]
    {
        let mut process = Guarded(command.spawn().unwrap());
        let mut stdout = process.0.stdout.take().unwrap();
        if reads {
            stdout.read_exact(&mut [0; 1000]).unwrap();
        }
        drop(stdout);
        let status = process.end();
        let mut errors = String::new();
        process.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((status.code(), &*errors), (Some(0), ""));
    }
}

#[test]
fn descriptors_that_are_closed_make_no_panic() {
    for (closed, length, status) in [("<&-", "0", 200), ("<&-", "10", 400), (">&-", "0", 0), ("2>&-", "0", 200)] {
        let request = Request::post("/", "").with("CONTENT_LENGTH", length);
        let echo = own("echo", &request);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {closed}")]).arg(echo.get_program()).args(echo.get_args());
        let mut seen = answer(started(shell, &request).env(ROLE, "echo"), b"");
        // Behind what the test runner prints.
        seen.head.drain(..seen.head.find("Status: ").unwrap_or(0));
        assert_eq!((seen.status(), seen.code), (status, Some(0)), "{closed} {length}: {}", seen.errors);
        assert!(!seen.errors.contains("panicked"), "{}", seen.errors);
    }
}

#[test]
fn what_is_async_has_its_runtime_and_what_blocks_may_have_one_of_its_own() {
    for (role, text) in [("async", "met: true"), ("nested", "nested"), ("spawned", "spawned"), ("unread", "unread")] {
        let seen = ask_own(role, &Request::get("/"), b"");
        assert_eq!((seen.status(), &*seen.text(), seen.code), (200, text, Some(0)), "{role}: {}", seen.errors);
    }
}

#[test]
fn an_application_that_fails_is_a_500_and_a_line_for_the_log() {
    for role in ["panics", "fails"] {
        let seen = ask_own(role, &Request::get("/tea"), b"");
        assert_eq!((seen.status(), &*seen.text(), seen.code), (500, "500 Internal Server Error\n", Some(0)));
        let line = seen.errors.lines().find(|line| line.starts_with("vestibule: GET /tea: "));
        assert!(line.is_some_and(|line| line.contains("the kettle is cold")), "{}", seen.errors);
    }
}

#[test]
fn an_answer_that_breaks_off_is_told_to_the_log() {
    let seen = ask_own("breaks", &Request::get("/"), b"");
    // CGI has no other way to say so.
    assert_eq!((seen.status(), &*seen.text(), seen.code), (200, "some", Some(0)));
    assert!(seen.errors.contains("the kettle is cold"), "{}", seen.errors);
}

#[test]
fn what_no_application_answers_has_no_body_for_head() {
    let seen = ask("hello", &Request::new("HEAD", "/").with("CONTENT_LENGTH", "abc"), b"");
    assert_eq!((seen.status(), &*seen.text(), seen.code), (400, "", Some(0)));
}
