//! HAProxy.

use super::*;

const NO_HANG_UP: Lack =
    Lack(Need::HangUp, "HAProxy learns of a client that has left when it writes, and does not tell while it waits");

const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "FastCGI has no place for them");

pub(crate) static HAPROXY_FASTCGI: Pair = Pair {
    server: Server::Haproxy,
    file: "fastcgi.cfg",
    protocol: "FastCGI, many requests on a connection",
    start: Backend::fastcgi_on_a_port,
    mounts: BOTH,
    lacks: &[NO_RESET, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_TRAILERS],
    differences: &[
        differs("a-target-of-8-kib", "the status is 500", "answers 500 where the variables are longer than its buffer"),
        differs("options-asterisk", "the status is 500", "answers 500 itself"),
        differs("lint-accepts-the-environ-of-the-gateway", "the status is 500", "answers `OPTIONS *` itself with 500"),
        differs(
            "no-content-no-content-variables",
            "CONTENT_LENGTH is Some(\"0\")",
            "sends CONTENT_LENGTH 0 where there is no body",
        ),
        differs(
            "no-header-passes-for-another",
            "CONTENT_LENGTH is Some(\"0\")",
            "sends CONTENT_LENGTH 0 where there is no body, or refuses headers with underscores",
        ),
        differs(
            "no-header-changes-the-connection",
            "server is Some(\"http other.example",
            "takes SERVER_NAME, SERVER_PORT or Host of what the client sends",
        ),
        may_differ(
            "an-unknown-length-is-not-declared",
            "CONTENT_LENGTH is Some(\"5\")",
            "counts a body that comes with its head",
        ),
        may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
        differs(
            "a-status-without-a-body",
            "content-length is Some(\"0\")",
            "drops or adds Content-Length of a status without a body",
        ),
        differs("connect-is-not-served", "the status is 502", "refuses it in its own way"),
        differs(
            "an-absolute-target",
            "the status is 400",
            "wants Host to agree with it, or passes a Host without its port",
        ),
        differs(
            "a-malformed-target",
            "the status is 500",
            "refuses or repairs it in its own way, or keeps the connection behind the 400",
        ),
        differs("a-host-is-needed-in-http-1-1", "no answer in time", "keeps the connection behind the 400"),
        may_differ("a-malformed-host", "the status is 200", "repairs it, or keeps the connection behind the 400"),
        differs("a-doubtful-length", "the status is 422", "refuses a doubtful framing in its own way"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
    ],
};

pub(crate) static HAPROXY_HTTP: Pair = Pair {
    server: Server::Haproxy,
    file: "http.cfg",
    protocol: "HTTP/1.1",
    start: Backend::http_on_a_port,
    mounts: BOTH,
    lacks: &[NO_RESET, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs("an-absolute-target", "the status is 400", "wants Host to agree with it"),
        differs(
            "a-malformed-target",
            "no answer in time",
            "keeps the client's connection behind the application's 400",
        ),
        differs(
            "a-host-is-needed-in-http-1-1",
            "no answer in time",
            "keeps the connection behind the application's 400",
        ),
        differs("a-malformed-host", "the same twice", "makes one of two lines of Host that agree"),
        differs("a-doubtful-length", "the status is 422", "refuses an unknown transfer coding with 422"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
    ],
};
