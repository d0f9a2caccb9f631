//! HAProxy.

use super::*;

const NO_HANG_UP: Lack =
    Lack(Need::HangUp, "HAProxy learns of a client that has left when it writes, and does not tell while it waits");

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
