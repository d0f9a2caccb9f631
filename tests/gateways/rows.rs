//! Bytes that are no requests, and requests that are refused: whole, byte by byte, and cut at random.

use std::io::Write;

use vestibule::wire::fastcgi::RecordType;
use vestibule::{App, app_fn};

use crate::client::{Answer, Client, End, Request, end_of_stdin, netstring, packet, stdin, whole};
use crate::cut::{CUTS, Cut};
use crate::serving::{Kind, Over, Serving, WAYS, Way};
use crate::web_server::{KEEP_CONN, Pairs, begin, params, record};

/// Answers with what it was asked.
fn witness() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(1_000_000)?;
        let header = environ.var("HTTP_X").map(|value| String::from_utf8_lossy(&value).into_owned());
        let seen = format!("{} {} {} {header:?}", environ.method(), environ.uri(), body.len());
        start_response.start(200, ())?;
        Ok(seen.into())
    })
}

/// Sends a row; what comes back.
fn answer(serving: &Serving, bytes: &[u8], cut: Cut) -> Answer {
    let mut stream = serving.connect();
    for piece in cut.pieces(bytes) {
        // A server that has answered with an error need not read on.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    match serving.kind {
        Kind::FastCgi => {
            // It shows that nothing more comes, also where the connection stays.
            stream.end();
            let mut client = Client::on(stream);
            let answer = client.answer(1);
            assert!(client.is_closed());
            answer
        }
        kind => Answer::read(kind, stream),
    }
}

struct Row {
    what: &'static str,
    bytes: Vec<u8>,
    /// The status and, of a 200, the text; `None` where the connection is closed without an answer.
    answer: Option<(u16, &'static str)>,
}

fn row(what: &'static str, bytes: impl Into<Vec<u8>>, answer: Option<(u16, &'static str)>) -> Row {
    Row { what, bytes: bytes.into(), answer }
}

fn check(way: Way, serving: &Serving, rows: &[Row]) {
    for Row { what, bytes, answer: expected } in rows {
        for cut in CUTS {
            let answer = answer(serving, bytes, cut);
            match expected {
                Some((200, text)) => assert_eq!(answer.seen(), (200, (*text).to_owned()), "{way:?} {what}, {cut:?}"),
                Some((status, _)) => assert_eq!(answer.status(), *status, "{way:?} {what}, {cut:?}: {answer:?}"),
                None => assert_eq!((&*answer.head, &*answer.body), ("", &b""[..]), "{way:?} {what}, {cut:?}"),
            }
            match (expected, answer.end) {
                (Some(_), end) => assert_eq!(end, whole(way.0), "{way:?} {what}, {cut:?}"),
                (None, End::Request(..)) => panic!("{way:?} {what}, {cut:?}: there is an end"),
                (None, _) => {}
            }
        }
    }
    // Whatever came, the server goes on.
    assert_eq!(serving.ask(&Request::get("/")).status(), 200);
}

/// What is the same over each protocol.
fn rows_of_all(kind: Kind) -> Vec<Row> {
    let get = || Request::get("/a?b");
    let of = |what, request: Request, answer| row(what, request.bytes(kind), answer);
    let seen = Some((200, "GET /a?b 0 None"));
    vec![
        of("a plain request", get(), seen),
        of("a body", Request::post("/", "tea"), Some((200, "POST / 3 None"))),
        of("no Host over HTTP/1.1", get().without("HTTP_HOST"), Some((400, ""))),
        of("no Host over HTTP/1.0", get().without("HTTP_HOST").with("SERVER_PROTOCOL", "HTTP/1.0"), seen),
        of("a page that includes it", get().with("SERVER_PROTOCOL", "INCLUDED"), seen),
        of("no protocol", get().without("SERVER_PROTOCOL"), seen),
        of("no method", get().without("REQUEST_METHOD"), Some((400, ""))),
        of("an empty method", get().with("REQUEST_METHOD", ""), Some((400, ""))),
        of("a method that is none", get().with("REQUEST_METHOD", "G T"), Some((400, ""))),
        of("CONNECT", get().with("REQUEST_METHOD", "CONNECT"), Some((501, ""))),
        of("half an escape", get().with("REQUEST_URI", "/%z"), Some((400, ""))),
        of("a header that is none", get().with("HTTP_X Y", "1"), Some((400, ""))),
        of("a line end in a value", get().with("HTTP_X", "a\r\nb: c"), Some((400, ""))),
        of("a NUL in a type", get().with("CONTENT_TYPE", "a\nb"), Some((400, ""))),
        of("bytes beyond ASCII", get().with("HTTP_X", b"\xe4"), Some((200, "GET /a?b 0 Some(\"\u{fffd}\")"))),
        of("lengths of two opinions", Request::post("/", "tea").with("HTTP_CONTENT_LENGTH", "4"), Some((400, ""))),
        of("a coding that is none", get().with("HTTP_TRANSFER_ENCODING", "gzip"), Some((400, ""))),
        of(
            "decoded chunks",
            Request::post("/", "tea").with("HTTP_TRANSFER_ENCODING", "chunked"),
            Some((200, "POST / 3 None")),
        ),
        of("a length that is none", Request::post("/", "").with("CONTENT_LENGTH", "abc"), Some((400, ""))),
        of("a length with a sign", Request::post("/", "").with("CONTENT_LENGTH", "+3"), Some((400, ""))),
        of("a length without end", Request::post("/", "").with("CONTENT_LENGTH", "9".repeat(20)), Some((413, ""))),
    ]
}

fn variables(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn scgi_rows() -> Vec<Row> {
    let block = |block: &str| [format!("{}:", block.len()).as_bytes(), block.as_bytes(), b","].concat();
    let with = |pairs: &[(&str, &str)]| netstring(&variables(pairs));
    let good = "CONTENT_LENGTH\x000\0SCGI\x001\0";
    vec![
        row("a leading zero", "04:", None),
        row("no length", ":,", None),
        row("a negative length", "-1:", None),
        row("a length of eleven digits", "99999999999:", None),
        row("no colon", "1234567890", None),
        row("an empty netstring", "0:,", None),
        row("HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        row("TLS", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], None),
        row("no comma", format!("{}:{good};", good.len()), None),
        row("an odd number of NULs", block(&format!("{good}A\0")), None),
        row("no NUL at the end", block(&format!("{good}A\0b")), None),
        row("an empty name", block(&format!("{good}\0b\0")), None),
        row("a length that is not first", with(&[("SCGI", "1"), ("CONTENT_LENGTH", "0")]), Some((400, ""))),
        row(
            "a length twice",
            with(&[("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("CONTENT_LENGTH", "0")]),
            Some((400, "")),
        ),
        row("no length variable", with(&[("SCGI", "1")]), Some((400, ""))),
        row("no SCGI", with(&[("CONTENT_LENGTH", "0")]), Some((400, ""))),
        row("another SCGI", with(&[("CONTENT_LENGTH", "0"), ("SCGI", "2")]), Some((400, ""))),
        row("a length of nothing", with(&[("CONTENT_LENGTH", ""), ("SCGI", "1")]), Some((400, ""))),
        row("a length of -1", with(&[("CONTENT_LENGTH", "-1"), ("SCGI", "1")]), Some((400, ""))),
        row(
            "variables over the limit",
            Request::get("/").with("HTTP_X", "x".repeat(150_000)).bytes(Kind::Scgi),
            Some((431, "")),
        ),
        row("a length over the limit", "999999999:", Some((431, ""))),
        row(
            "no path at all",
            with(&[("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("REQUEST_METHOD", "GET")]),
            Some((400, "")),
        ),
    ]
}

fn uwsgi_rows() -> Vec<Row> {
    let sized = |size: u16, rest: &[u8]| [&[0, size.to_le_bytes()[0], size.to_le_bytes()[1], 0], rest].concat();
    let long = Request::get("/").without("HTTP_X");
    let used = long.head(Kind::Uwsgi).len() - 4;
    let full = |more: usize| long.clone().with("NOTHING", "x".repeat(65_535 - used - 4 - 7 - more));
    vec![
        row("no variables", sized(0, b""), None),
        row("a name past the end", sized(3, b"\x05\0A"), None),
        row("a value past the end", sized(7, b"\x01\0A\x05\0ab"), None),
        row("a value without a length", sized(4, b"\x01\0A\x01"), None),
        row("no name", sized(5, b"\0\0\x01\0a"), None),
        row("less than there is", [sized(1, b"\x01"), b"\0A\x01\0a".to_vec()].concat(), None),
        row("as much as there can be", full(0).bytes(Kind::Uwsgi), Some((200, "GET / 0 None"))),
        row("nearly as much", full(1).bytes(Kind::Uwsgi), Some((200, "GET / 0 None"))),
        row(
            "another second modifier",
            {
                let mut bytes = Request::get("/").bytes(Kind::Uwsgi);
                bytes[3] = 7;
                bytes
            },
            Some((200, "GET / 0 None")),
        ),
        row("no method and no path", packet(&variables(&[("A", "1")])), Some((400, ""))),
        row("a length of -1", Request::post("/", "").with("CONTENT_LENGTH", "-1").bytes(Kind::Uwsgi), Some((400, ""))),
        row(
            "chunks",
            Request::post("/", "")
                .without("CONTENT_LENGTH")
                .with("HTTP_TRANSFER_ENCODING", "chunked")
                .bytes(Kind::Uwsgi),
            Some((411, "")),
        ),
    ]
}

fn fastcgi_rows() -> Vec<Row> {
    let get = || Request::get("/").fastcgi(1, 0);
    let version_2 = || {
        let mut bytes = get();
        bytes[0] = 2;
        bytes
    };
    // BEGIN_REQUEST, and variables of these bytes.
    let with = |content: &[u8]| {
        [
            begin(1, 1, 0),
            record(RecordType::Params, 1, content, 0),
            record(RecordType::Params, 1, b"", 0),
            end_of_stdin(1),
        ]
        .concat()
    };
    let padded = |padding: u8| {
        let variables = params(Request::post("/", "").with("CONTENT_LENGTH", "3").variables());
        let mut bytes = begin(1, 1, 0);
        for part in variables.chunks(7) {
            bytes.extend(record(RecordType::Params, 1, part, padding));
        }
        bytes.extend(record(RecordType::Params, 1, b"", padding));
        for part in [&b"te"[..], b"a", b""] {
            bytes.extend(record(RecordType::Stdin, 1, part, padding));
        }
        bytes
    };
    vec![
        row("version 2", version_2(), None),
        row("HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        row("a request without an id", Request::get("/").fastcgi(0, 0), None),
        row("an id that runs", [begin(1, 1, 0), begin(1, 1, 0)].concat(), None),
        row("a beginning of nine bytes", record(RecordType::BeginRequest, 1, &[0, 1, 0, 0, 0, 0, 0, 0, 0], 0), None),
        row("a beginning of seven bytes", record(RecordType::BeginRequest, 1, &[0, 1, 0, 0, 0, 0, 0], 0), None),
        row("lengths of 2 GiB", with(b"\xff\xff\xff\xff\xff\xff\xff\xffA"), Some((400, ""))),
        row("a pair that is cut", with(b"\x01\x05Aab"), Some((400, ""))),
        row("half a length", with(b"\x80\0"), Some((400, ""))),
        row("no name", with(b"\0\x01a"), Some((400, ""))),
        row("no variables", with(b""), Some((400, ""))),
        row("a body before its turn", [begin(1, 1, 0), stdin(1, b"tea")].concat(), Some((400, ""))),
        row(
            "variables over the limit",
            Request::get("/").with("HTTP_X", "x".repeat(150_000)).fastcgi(1, 0),
            Some((431, "")),
        ),
        row("padding of 255", padded(255), Some((200, "POST / 3 None"))),
        row("padding of 1", padded(1), Some((200, "POST / 3 None"))),
        row(
            "records for other ids",
            [
                stdin(9, b"tea"),
                record(RecordType::AbortRequest, 8, b"", 0),
                record(RecordType::Params, 7, b"x", 0),
                get(),
            ]
            .concat(),
            Some((200, "GET / 0 None")),
        ),
        row(
            "records for the other side",
            [record(RecordType::Stdout, 1, b"tea", 0), record(RecordType::EndRequest, 1, &[0; 8], 0), get()].concat(),
            Some((200, "GET / 0 None")),
        ),
        row(
            "DATA",
            [begin(1, 1, 0), record(RecordType::Data, 1, b"tea", 0), get()[16..].to_vec()].concat(),
            Some((200, "GET / 0 None")),
        ),
        row("values that are cut", record(RecordType::GetValues, 0, b"\x05\0A", 0), None),
    ]
}

#[test]
fn each_row_has_its_answer_however_it_is_cut() {
    for way in WAYS {
        let serving = serve!(way, witness());
        let own = match way.0 {
            Kind::FastCgi => fastcgi_rows(),
            Kind::Scgi => scgi_rows(),
            Kind::Uwsgi => uwsgi_rows(),
        };
        check(way, &serving, &rows_of_all(way.0));
        check(way, &serving, &own);
    }
}

#[test]
fn modifiers_of_uwsgi_that_are_no_requests_close_the_connection() {
    let serving = serve!((Kind::Uwsgi, Over::Unix), witness());
    let request = Request::get("/").bytes(Kind::Uwsgi);
    for modifier in 1..=255 {
        let mut bytes = request.clone();
        bytes[0] = modifier;
        let answer = answer(&serving, &bytes, Cut::Whole);
        assert_eq!((&*answer.head, &*answer.body), ("", &b""[..]), "{modifier}");
    }
}

#[test]
fn repeated_headers_are_joined_as_http_joins_them() {
    let app = app_fn(|environ, start_response| {
        let seen = ["HTTP_X", "HTTP_COOKIE"].map(|name| {
            environ.var(name).map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default()
        });
        start_response.start(200, ())?;
        Ok(seen.join("|").into())
    });
    for way in WAYS {
        let mut pairs = Request::get("/").variables().clone();
        pairs.extend(variables(&[("HTTP_X", "1"), ("HTTP_COOKIE", "a=1"), ("HTTP_X", "2"), ("HTTP_COOKIE", "b=2")]));
        let scgi = [variables(&[("CONTENT_LENGTH", "0"), ("SCGI", "1")]), pairs.clone()].concat();
        let bytes = match way.0 {
            Kind::Scgi => netstring(&scgi),
            Kind::Uwsgi => packet(&pairs),
            Kind::FastCgi => [
                begin(1, 1, 0),
                record(RecordType::Params, 1, &params(&pairs), 0),
                record(RecordType::Params, 1, b"", 0),
                end_of_stdin(1),
            ]
            .concat(),
        };
        assert_eq!(answer(&serve!(way, app.clone()), &bytes, Cut::Whole).text(), "1, 2|a=1; b=2", "{way:?}");
    }
}

#[test]
fn what_is_malformed_on_a_connection_lets_the_requests_that_run_be_answered() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(environ.path_info().into_owned().into())
    });
    let serving = serve!((Kind::FastCgi, Over::Unix), app);
    let mut client = Client::on(serving.connect());
    client.send([&Request::get("/1").kept(1)[..], &Request::get("/2").fastcgi(2, KEEP_CONN), &[9; 16]].concat());
    for id in [1, 2] {
        let answer = client.answer(id);
        assert_eq!((answer.text(), answer.end), (format!("/{id}"), End::Request(0, 0)));
    }
    assert!(client.is_closed());
}
