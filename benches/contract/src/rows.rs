//! What middleware is measured with: for each row a request, and what its response has to be.

use std::sync::OnceLock;

use crate::expected::{Expected, OK, with};

/// A middleware in one of its cases.
pub struct Row {
    pub name: &'static str,
    /// The name of the request: one of [`request`].
    pub request: &'static str,
    /// The bare application or service that the middleware is around, of [`BARE`].
    pub bare: &'static str,
    pub expected: Expected,
}

/// The bare applications: what each of them answers.
pub const BARE: &[(&str, Expected)] = &[
    ("hello", with(&["content-type: text/plain", "content-length: 13"])),
    ("async", with(&["content-type: text/plain", "content-length: 13"])),
    ("untyped", Expected { absent: "content-type", ..OK }),
    ("tagged", with(&[r#"etag: "v1""#])),
    ("page", Expected { has_body: |body| body == page().as_bytes(), ..OK }),
];

pub const ROWS: &[Row] = &[
    row("access_log", "small", OK),
    row("allowed_hosts", "small", OK),
    row("basic_auth", "authorized", OK),
    row("body_limit", "small", OK),
    row("compression", "small", OK),
    Row {
        name: "compression_gzip",
        request: "gzip",
        bare: "page",
        expected: Expected { lines: &["content-encoding: gzip"], has_body: is_gzipped, ..OK },
    },
    row("concurrency_limit", "small", OK),
    Row { name: "conditional_get", request: "small", bare: "tagged", expected: OK },
    Row {
        name: "conditional_get_met",
        request: "conditional",
        bare: "tagged",
        expected: Expected {
            status: "304 Not Modified",
            lines: &[r#"etag: "v1""#],
            absent: "content-type",
            has_body: <[u8]>::is_empty,
        },
    },
    row("cors", "small", OK),
    row("cors_actual", "cross_origin", with(&["access-control-allow-origin: https://a.example"])),
    row("cors_preflight", "preflight", PREFLIGHT),
    Row {
        name: "default_content_type",
        request: "small",
        bare: "untyped",
        expected: with(&["content-type: text/plain"]),
    },
    row("error_documents", "small", OK),
    row("etag", "small", with(&["etag: \"d-"])),
    row("head_from_get", "head", Expected { has_body: <[u8]>::is_empty, ..OK }),
    row("internal_redirect", "small", OK),
    row("metrics", "small", OK),
    row("on_finished", "small", OK),
    row("recover", "small", OK),
    row("remove_header", "small", Expected { absent: "content-type", ..OK }),
    row("request_id", "small", with(&["x-request-id: "])),
    row("response_time", "small", with(&["x-runtime: 0."])),
    row("security_headers", "small", with(SECURITY)),
    row("set_header", "small", with(&["server: v"])),
    Row { name: "timeout", request: "small", bare: "async", expected: OK },
    row("trace", "small", OK),
    row("trusted_proxies", "small", OK),
    row("trusted_proxies_hop", "forwarded", OK),
    row("url_map", "small", OK),
    row("cascade", "small", OK),
];

/// The status of a preflight is 204 in one of them and 200 in the other.
const PREFLIGHT: Expected = Expected {
    status: "20",
    lines: &["access-control-allow-origin: https://a.example", "access-control-allow-methods: GET,"],
    absent: "content-type",
    has_body: <[u8]>::is_empty,
};

const SECURITY: &[&str] = &[
    "x-content-type-options: nosniff",
    "x-frame-options: SAMEORIGIN",
    "referrer-policy: strict-origin-when-cross-origin",
    "cross-origin-opener-policy: same-origin",
];

const fn row(name: &'static str, request: &'static str, expected: Expected) -> Row {
    Row { name, request, bare: "hello", expected }
}

/// What the response of a variant has to be, such as `vestibule_cors` or, bare, `tower_hello`, to the request of a name.
pub fn expected(variant: &str, request: &str) -> Option<Expected> {
    let (_, name) = variant.split_once('_')?;
    if let Some(row) = ROWS.iter().find(|row| row.name == name && row.request == request) {
        return Some(row.expected);
    }
    let (_, expected) = BARE.iter().find(|(bare, _)| *bare == name)?;
    Some(match request {
        "head" => Expected { has_body: <[u8]>::is_empty, ..*expected },
        _ => *expected,
    })
}

/// A name, and the requests that a client sends in turn.
type Named = (&'static str, Vec<Vec<u8>>);

/// The request of a name, as a client takes it.
pub fn request(name: &str) -> Option<&'static [Vec<u8>]> {
    static ALL: OnceLock<Vec<Named>> = OnceLock::new();
    let all = ALL.get_or_init(|| REQUESTS.map(|(name, method, more)| (name, vec![text(method, more)])).into());
    all.iter().find(|(other, _)| *other == name).map(|(_, request)| &request[..])
}

fn text(method: &str, more: &str) -> Vec<u8> {
    format!("{method} / HTTP/1.1\r\nHost: localhost\r\n{more}\r\n").into()
}

/// A name, a method, and the headers beside Host.
const REQUESTS: [(&str, &str, &str); 8] = [
    ("small", "GET", ""),
    ("head", "HEAD", ""),
    ("authorized", "GET", "Authorization: Basic YWRhOnNlc2FtZQ==\r\n"),
    ("conditional", "GET", "If-None-Match: \"v1\"\r\n"),
    ("cross_origin", "GET", "Origin: https://a.example\r\n"),
    ("forwarded", "GET", "X-Forwarded-For: 192.0.2.1\r\n"),
    ("gzip", "GET", "Accept-Encoding: gzip\r\n"),
    ("preflight", "OPTIONS", "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"),
];

/// 4,096 bytes of words.
pub fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let words: Vec<&str> =
            "a room before the application where each request leaves its coat and is asked for ticket"
                .split(' ')
                .collect();
        let mut state = 1_u32;
        let mut page = String::new();
        while page.len() < 4096 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            page.push_str(words[(state >> 16) as usize % words.len()]);
            page.push(if state >> 20 & 15 == 0 { '\n' } else { ' ' });
        }
        page.truncate(4096);
        page
    })
}

/// Whether it is all of [`page`] by gzip: it begins as RFC 1952 says, and its end tells how many bytes were compressed.
fn is_gzipped(body: &[u8]) -> bool {
    let has = |bytes: &[u8]| body.windows(bytes.len()).any(|part| part == bytes);
    has(&[0x1f, 0x8b, 8]) && has(&4096_u32.to_le_bytes()) && body.len() < 2048
}
