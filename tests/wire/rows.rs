//! The rows: a number and a name, the bytes, and the answers.

pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Whether a last request follows; else the client sends no more.
    pub(crate) is_followed: bool,
    pub(crate) outcome: String,
}

fn row(number: u32, name: &'static str, bytes: impl Into<Vec<u8>>, outcome: &str) -> Row {
    Row { number, name, bytes: bytes.into(), is_followed: true, outcome: outcome.to_owned() }
}

fn last(number: u32, name: &'static str, bytes: impl Into<Vec<u8>>, outcome: &str) -> Row {
    Row { is_followed: false, ..row(number, name, bytes, outcome) }
}

/// A request to `/` with these header lines beside Host.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// A request for a target, with Host.
fn target(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

pub(crate) fn all() -> Vec<Row> {
    [hosts(), framing(), chunks(), heads(), targets(), expectations(), connections(), what_hyper_hides()]
        .into_iter()
        .flatten()
        .collect()
}

const OK: &str = "GET / a 0, after";

fn hosts() -> Vec<Row> {
    vec![
        row(1, "no Host", "GET / HTTP/1.1\r\n\r\n", "400"),
        row(1, "no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / - 0"),
        row(2, "two Hosts", get("Host: a\r\n"), "400"),
        row(2, "two different Hosts", get("Host: b\r\n"), "400"),
        row(3, "a list of hosts", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "400"),
        row(3, "a path and a user in Host", "GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n", "400"),
        row(3, "a space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
        row(3, "a port that is none", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400"),
        row(3, "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET /  0, after"),
        row(3, "an address and a port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / [::1]:80 0, after"),
        row(
            4,
            "an absolute target and another Host",
            "GET http://x/ HTTP/1.1\r\nHost: y\r\n\r\n",
            "GET http://x/ x 0, after",
        ),
        row(4, "an absolute target with a user", "GET http://u@x/ HTTP/1.1\r\nHost: y\r\n\r\n", "400"),
        row(4, "an absolute target and no Host", "GET http://x/ HTTP/1.1\r\n\r\n", "400"),
    ]
}

fn framing() -> Vec<Row> {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = |value: &str| post(&format!("Content-Length: {value}\r\n"), "12");
    vec![
        row(7, "an unknown coding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "400"),
        row(7, "a coding with a control character", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), "400"),
        row(7, "a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400"),
        row(7, "gzip and chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "400"),
        row(7, "chunked and gzip", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), "400"),
        row(8, "chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), "400"),
        row(
            8,
            "chunked in two lines",
            chunked("").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        row(9, "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        row(11, "two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "12"), "400"),
        row(11, "a list of lengths", length("2, 2"), "400"),
        row(12, "a length with a plus", length("+2"), "400"),
        row(12, "a negative length", length("-2"), "400"),
        row(12, "a length in hexadecimal", length("0x2"), "400"),
        row(12, "a length with an underscore", length("1_0"), "400"),
        row(12, "an empty length", length(""), "400"),
        row(12, "a length with zeros before it", length("002"), "POST / a 2, after"),
        row(13, "a length beyond all numbers", length("100000000000000000000000000"), "400"),
        // hyper's answer, which is as good as a 400.
        row(13, "the largest length", length("18446744073709551615"), "431"),
        row(13, "a length over the limit", length("10000001"), "413"),
        last(42, "less than was promised", post("Content-Length: 10\r\n", "12"), "400"),
        row(
            43,
            "a body with a request in it",
            post(&format!("Content-Length: {}\r\n", smuggled.len()), smuggled),
            "POST / a 35, after",
        ),
        row(
            43,
            "three pipelined requests",
            [get(""), get(""), get("")].concat(),
            "GET / a 0, GET / a 0, GET / a 0, after",
        ),
        row(43, "a request behind a refused one", format!("GET / HTTP/1.1\r\n\r\n{smuggled}"), "400"),
        row(0, "a body of GET", get("Content-Length: 2\r\n") + "12", "GET / a 2, after"),
        row(0, "a body in HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n12", "POST / - 2"),
    ]
}

fn chunks() -> Vec<Row> {
    let trailers: String = (0..1000).map(|n| format!("X-{n}: x\r\n")).collect();
    let extension = format!("2;{}\r\n12\r\n0\r\n\r\n", "x".repeat(64 * 1024));
    vec![
        row(0, "two chunks", chunked("2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"), "POST / a 5, after"),
        row(0, "an extension", chunked("2;a=b\r\n12\r\n0\r\n\r\n"), "POST / a 2, after"),
        row(0, "a size with zeros", chunked("0002\r\n12\r\n000\r\n\r\n"), "POST / a 2, after"),
        row(15, "the largest size", chunked("FFFFFFFFFFFFFFFF\r\n12"), "408"),
        row(15, "a size beyond all numbers", chunked("10000000000000000\r\n12"), "400"),
        row(16, "a negative size", chunked("-2\r\n12\r\n0\r\n\r\n"), "400"),
        row(16, "a size with a prefix", chunked("0x2\r\n12\r\n0\r\n\r\n"), "400"),
        row(16, "a size that ends in LF", chunked("2\n12\r\n0\r\n\r\n"), "400"),
        row(16, "data that ends in LF", chunked("2\r\n12\n0\r\n\r\n"), "400"),
        row(16, "more data than the size", chunked("2\r\n123\r\n0\r\n\r\n"), "400"),
        row(16, "LF in an extension", chunked("2;a\nX\r\n12\r\n0\r\n\r\n"), "400"),
        row(16, "no size", chunked("\r\n12\r\n0\r\n\r\n"), "400"),
        row(17, "an extension of 64 KiB", chunked(&extension), "400"),
        row(19, "a thousand trailers", chunked(&format!("0\r\n{trailers}\r\n")), "400"),
        row(
            20,
            "Content-Length in a trailer",
            chunked("2\r\n12\r\n0\r\nContent-Length: 5\r\n\r\n"),
            "POST / a 2 trailers, after",
        ),
        row(0, "a trailer", chunked("2\r\n12\r\n0\r\nX: y\r\n\r\n"), "POST / a 2 trailers, after"),
        last(42, "chunks without an end", chunked("2\r\n12\r\n"), "400"),
    ]
}

fn heads() -> Vec<Row> {
    let lines = |number: usize| (1..number).map(|n| format!("X-{n}: x\r\n")).collect::<String>();
    vec![
        row(0, "the simplest request", get(""), OK),
        row(22, "CR in a value", get("X: a\rb\r\n"), "400"),
        row(22, "NUL in a value", get("X: a\0b\r\n"), "400"),
        row(22, "CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        row(23, "NUL in the target", target("GET", "/\0"), "400"),
        row(24, "a space in the target", target("GET", "/a b"), "400"),
        row(24, "two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        row(24, "a space first", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        row(24, "a tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        row(29, "HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"),
        row(29, "HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400"),
        row(29, "HTTP/0.9", "GET /\r\n\r\n", "400"),
        row(29, "a protocol in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", "400"),
        row(31, "a folded line", get("X: a\r\n b\r\n"), "400"),
        row(31, "a folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"),
        row(31, "a space before the colon", get("X : a\r\n"), "400"),
        row(31, "no name", get(": a\r\n"), "400"),
        row(31, "no colon", get("X\r\n"), "400"),
        row(31, "a control character in a name", get("X\x01: a\r\n"), "400"),
        row(32, "100 lines", get(&lines(100)), OK),
        row(32, "101 lines", get(&lines(101)), "431"),
        row(33, "a line of 64 KiB", get(&format!("X-L: {}\r\n", "x".repeat(64 * 1024))), "431"),
        row(33, "a line of 500 KB", get(&format!("X-L: {}\r\n", "x".repeat(500_000))), "431"),
        row(34, "a target of 70 KB", target("GET", &format!("/{}", "x".repeat(70_000))), "431"),
        row(0, "a method of 65 bytes", target(&"M".repeat(65), "/"), "501"),
        row(0, "an unknown method", target("BREW", "/"), "BREW / a 0, after"),
        row(
            0,
            "Latin-1 in a value",
            [&b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"[..]].concat(),
            "GET / a 0 HTTP_X=\u{fffd}, after",
        ),
        row(0, "the same name twice", get("X: a\r\nX: b\r\n"), "GET / a 0 HTTP_X=a, b, after"),
        row(0, "two cookies", get("Cookie: a=1\r\nCookie: b=2\r\n"), "GET / a 0 HTTP_COOKIE=a=1; b=2, after"),
        row(45, "Proxy", get("Proxy: http://evil\r\n"), OK),
        row(45, "a name with an underscore", get("X_: a\r\nX_Y: b\r\n"), OK),
    ]
}

fn targets() -> Vec<Row> {
    vec![
        row(25, "bytes beyond ASCII", target("GET", "/\u{e9}"), "400"),
        row(27, "an escape that is none", target("GET", "/%zz"), "400"),
        row(27, "half an escape", target("GET", "/%"), "400"),
        row(27, "an escape of four digits", target("GET", "/%u0041"), "400"),
        row(27, "an escaped slash", target("GET", "/a%2Fb"), "GET /a%2Fb a 0, after"),
        row(28, "dots", target("GET", "/../../etc/passwd"), "GET /../../etc/passwd a 0, after"),
        row(37, "CONNECT", target("CONNECT", "a:80"), "501"),
        row(37, "an authority that is no CONNECT's", target("GET", "example.com:443"), "400"),
        row(38, "an asterisk that is no OPTIONS'", target("GET", "*"), "400"),
        row(39, "OPTIONS *", target("OPTIONS", "*"), "OPTIONS * a 0, after"),
        row(0, "a path without a slash", target("GET", "x"), "400"),
        row(0, "two slashes", target("GET", "//x//y"), "GET //x//y a 0, after"),
        row(0, "a query with a question mark", target("GET", "/?a?b"), "GET /?a?b a 0, after"),
    ]
}

fn expectations() -> Vec<Row> {
    vec![
        row(35, "an unknown expectation", get("Expect: 200-maybe\r\n"), "417"),
        row(
            36,
            "100-continue with a body",
            post("Content-Length: 2\r\nExpect: 100-continue\r\n", "12"),
            "100, POST / a 2, after",
        ),
        row(36, "100-continue without a body", get("Expect: 100-continue\r\n"), OK),
        row(
            36,
            "100-continue in HTTP/1.0",
            "POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n12",
            "POST / - 2",
        ),
    ]
}

fn connections() -> Vec<Row> {
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    vec![
        row(40, "an upgrade to HTTP/2", get(h2c), OK),
        // What would follow a 101. Nobody takes it for a request: the connection ends without a second answer.
        row(
            40,
            "an upgrade to HTTP/2 and its preface",
            format!("{}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", get(h2c)),
            "GET / a 0",
        ),
        row(
            40,
            "an upgrade to HTTP/2, its preface and frames",
            [format!("{}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", get(h2c)).as_bytes(), &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat(),
            "GET / a 0",
        ),
        row(40, "an upgrade to a WebSocket", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), OK),
        row(
            41,
            "the beginning of TLS",
            [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 60]].concat(),
            "400",
        ),
        row(41, "256 bytes of anything", (0..=255).collect::<Vec<u8>>(), "400"),
        row(48, "the PROXY protocol", "PROXY TCP4 1.2.3.4 1.2.3.4 80 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        row(
            48,
            "the PROXY protocol, version 2",
            [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"[..], &[1; 12]].concat(),
            "400",
        ),
        row(0, "the beginning of HTTP/2 in HTTP/1.1", "PRI * HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        row(0, "half of the beginning of HTTP/2", "PRI * HTTP/2.0\r\nHost: a\r\n\r\n", "400"),
        row(0, "the client closes", get("Connection: close\r\n"), "GET / a 0"),
        row(0, "HTTP/1.0 that is kept", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", OK),
        last(0, "nothing", "", "closed"),
        last(0, "half a head", "GET / HTTP/1.1\r\nHo", "closed"),
    ]
}

/// hyper 1.12 takes these, and what stands above it cannot tell. docs/spec.md lists them.
fn what_hyper_hides() -> Vec<Row> {
    vec![
        row(
            5,
            "a length with chunks",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            "POST / a 0",
        ),
        row(10, "the same length twice", post("Content-Length: 2\r\nContent-Length: 2\r\n", "12"), "POST / a 2, after"),
        row(15, "a size with spaces behind it", chunked("2 \r\n12\r\n0\r\n\r\n"), "POST / a 2, after"),
        row(26, "a fragment", target("GET", "/a#b"), "GET /a a 0, after"),
        row(0, "lines that end in LF", "GET / HTTP/1.1\nHost: a\n\n", OK),
        row(0, "empty lines first", format!("\r\n\r\n{}", get("")), OK),
    ]
}
