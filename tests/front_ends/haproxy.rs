//! HAProxy.

use super::*;

const NO_HANG_UP: Lack =
    Lack(Need::HangUp, "HAProxy learns of a client that has left when it writes, and does not tell while it waits");
const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "FastCGI has no place for them");

const KEEPS: &str = "keeps the client's connection behind the application's 400";

const NO_LENGTH: &str = "refuses a chunked body that is longer than its buffer with 400";

/// By every protocol.
const HAPROXY: &[Difference] = &[
    differs("an-absolute-target", "the status is 400", "wants Host to agree with it"),
    differs("a-host-is-needed-in-http-1-1", "no answer in time", KEEPS),
    differs("a-malformed-host", "the same twice", "makes one of two lines of Host that agree"),
    differs("a-doubtful-length", "the status is 422", "refuses an unknown transfer coding with 422"),
    differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
];

pub(crate) static HAPROXY_HTTP: Pair = Pair {
    server: Server::Haproxy,
    file: "http.cfg",
    protocol: "HTTP/1.1",
    start: Backend::http_on_a_port,
    mounts: BOTH,
    lacks: &[NO_RESET, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[HAPROXY, &[differs("a-malformed-target", "no answer in time", KEEPS)]],
};

pub(crate) static HAPROXY_FASTCGI: Pair = Pair {
    server: Server::Haproxy,
    file: "fastcgi.cfg",
    protocol: "FastCGI, many requests on a connection",
    start: Backend::fastcgi_on_a_port,
    mounts: BOTH,
    lacks: &[NO_RESET, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_TRAILERS],
    differences: &[
        HAPROXY,
        &[
            differs(
                "a-target-of-8-kib",
                "the status is 500",
                "answers 500: it sends it several times, in one buffer of 16 KiB",
            ),
            differs("options-asterisk", "the status is 500", "answers `OPTIONS *` itself with 500"),
            differs(
                "lint-accepts-the-environ-of-the-gateway",
                "the status is 500",
                "answers `OPTIONS *` itself with 500",
            ),
            differs("no-content-no-content-variables", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
            differs("no-header-passes-for-another", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
            differs("no-header-changes-the-connection", "server is Some(\"http other.example", SERVER_OF_HOST),
            differs("an-input-of-unknown-length", "96000 bytes: the status is 400", NO_LENGTH),
            differs("a-blocking-read-in-an-async-application", "the status is 400", NO_LENGTH),
            may_differ("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", COUNTS),
            may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
            differs("a-status-without-a-body", "content-length is Some(\"0\")", "adds `Content-Length: 0`"),
            differs("connect-is-not-served", "the status is 502", "refuses it with 502"),
            differs("a-malformed-target", "the status is 500", "refuses it with 500"),
            differs("no-continue-when-it-is-not-read", "no answer in time", CONTINUES),
        ],
    ],
};
