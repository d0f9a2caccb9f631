//! Apache.

use super::*;

const NO_HANG_UP: Lack =
    Lack(Need::HangUp, "Apache learns of a client that has left when it writes, and does not tell while it waits");
const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "Apache drops them");

const SLASHES: &str = "merges slashes where the path begins with two";
const JOINED: &str = "joins two Cookie lines by a comma";
const NO_LENGTH: &str = "drops `Content-Length: 0` of HEAD";
const NO_LENGTH_304: &str = "drops Content-Length of 304";

pub(crate) static APACHE_HTTP: Pair = Pair {
    server: Server::Apache,
    file: "proxy_http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it"),
        differs("a-nul-in-the-path-is-decoded", "the status is 404", "refuses it"),
        differs_at_the_root("slashes-and-dots-stay", "//foo///bar", SLASHES),
        differs_at_the_root("the-raw-path-is-as-it-was-sent", "//x/../y", SLASHES),
        differs("the-protocol-is-that-of-the-request", "\"HTTP/1.1\"", "speaks HTTP/1.1 for all clients"),
        differs("a-repeated-header-is-joined", "HTTP_COOKIE is Some(\"a=b, c=d\")", JOINED),
        differs("hop-by-hop-headers-are-not-variables", "HTTP_X_NAMED is None", "drops headers that Connection names"),
        differs("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", "counts short bodies"),
        differs("the-length-that-head-gets", "0: content-length is None", NO_LENGTH),
        differs("a-status-without-a-body", "304-whole-length: content-length is None", NO_LENGTH_304),
        differs("bytes-behind-a-status-without-a-body", "304-blocks-length: content-length is None", NO_LENGTH_304),
        differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its ServerName"),
        differs("a-doubtful-length", "the status is 500", "refuses an unknown transfer coding with 500"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("date-and-server", "server is [\"Apache", "adds its own Server"),
    ],
};

pub(crate) static APACHE_FCGID: Pair = Pair {
    server: Server::Apache,
    file: "fcgid.conf",
    protocol: "FastCGI, by mod_fcgid",
    start: Backend::program,
    mounts: ROOT,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_PROCESS],
    differences: &[
        differs(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo/bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs("a-path-above-the-root-stays", "the status is 400", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 404", "refuses it"),
        differs(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs(
            "a-repeated-header-is-joined",
            "HTTP_COOKIE is Some(\"a=b, c=d\")",
            "joins two Cookie lines by a comma",
        ),
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
        differs(
            "headers-reach-the-client",
            "iterator: x-many is [\"2, 1\"]",
            "joins repeated headers, or drops empty ones",
        ),
        may_differ("a-file-that-shrinks", "the body is", "puts an error page behind a response that is cut"),
        may_differ("a-sender-that-is-dropped", "the body is", "puts an error page behind a response that is cut"),
        may_differ(
            "a-body-that-is-too-short-is-aborted",
            "the body is",
            "puts an error page behind a response that is cut",
        ),
        differs("the-length-that-head-gets", "content-length is None", "drops Content-Length of HEAD"),
        differs(
            "a-status-without-a-body",
            "content-length is None",
            "drops or adds Content-Length of a status without a body",
        ),
        differs("bytes-behind-a-status-without-a-body", "content-length is None", "drops Content-Length of 304"),
        may_differ("a-late-error-aborts", "the body is", "puts an error page behind a response that is cut"),
        differs(
            "hooks-run-once-and-from-the-inside-out",
            "iterator: the marks is [\"inner 201, middle 201, outer 201\"]",
            "joins repeated headers",
        ),
        may_differ(
            "hooks-run-on-the-head-that-is-sent",
            "iterator: the marks is [\"inner 500, outer 500\"]",
            "joins repeated headers",
        ),
        may_differ("capture-passes-a-response-on", "the body is", "puts an error page behind a response that is cut"),
        differs(
            "hooks-outside-of-capture-see-its-head",
            "iterator: the marks is [\"inside 201, outside 201\"]",
            "joins repeated headers",
        ),
        may_differ(
            "a-body-is-changed-block-by-block",
            "the body is",
            "puts an error page behind a response that is cut",
        ),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"Apache", "adds its own Server"),
    ],
};

pub(crate) static APACHE_SCGI: Pair = Pair {
    server: Server::Apache,
    file: "proxy_scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_UNKNOWN_LENGTH],
    differences: &[
        differs_at_the_root(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo///bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_below(
            "slashes-and-dots-stay",
            "/a/../b: PATH_INFO is Some(\"/b\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 404", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/mnt//y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs(
            "a-repeated-header-is-joined",
            "HTTP_COOKIE is Some(\"a=b, c=d\")",
            "joins two Cookie lines by a comma",
        ),
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
        differs("one-request-after-the-other", "the status is 411", "wants a length of every POST"),
        differs("a-malformed-chunk", "the status is 411", "wants a length of every POST"),
        differs(
            "headers-reach-the-client",
            "iterator: x-many is [\"2, 1\"]",
            "joins repeated headers, or drops empty ones",
        ),
        differs("a-file-is-a-body", "content-length is None", "drops Content-Length and sends chunks"),
        may_differ("a-file-that-shrinks", "looks complete", "takes a response that is cut for a whole one"),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        differs("a-known-length-is-declared", "content-length is []", "drops Content-Length and sends chunks"),
        differs("a-declared-length-is-kept", "content-length is []", "drops Content-Length and sends chunks"),
        differs("a-body-that-is-too-long-is-cut", "content-length is []", "drops Content-Length and sends chunks"),
        may_differ(
            "a-body-that-is-too-short-is-aborted",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
        differs("head-is-get-without-its-body", "content-length is []", "drops Content-Length of HEAD"),
        differs("the-length-that-head-gets", "content-length is None", "drops Content-Length of HEAD"),
        differs(
            "a-status-without-a-body",
            "content-length is None",
            "drops or adds Content-Length of a status without a body",
        ),
        differs("bytes-behind-a-status-without-a-body", "content-length is None", "drops Content-Length of 304"),
        may_differ("a-late-error-aborts", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "what-was-sent-before-an-abort-arrives",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        differs(
            "hooks-run-once-and-from-the-inside-out",
            "iterator: the marks is [\"inner 201, middle 201, outer 201\"]",
            "joins repeated headers",
        ),
        may_differ(
            "hooks-run-on-the-head-that-is-sent",
            "iterator: the marks is [\"inner 500, outer 500\"]",
            "joins repeated headers",
        ),
        may_differ("capture-passes-a-response-on", "looks complete", "takes a response that is cut for a whole one"),
        differs(
            "hooks-outside-of-capture-see-its-head",
            "iterator: the marks is [\"inside 201, outside 201\"]",
            "joins repeated headers",
        ),
        may_differ(
            "a-body-is-changed-block-by-block",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("a-length-beside-chunks", "the status is 411", "wants a length of every POST"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"Apache", "adds its own Server"),
    ],
};

pub(crate) static APACHE_UWSGI: Pair = Pair {
    server: Server::Apache,
    file: "proxy_uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_UNKNOWN_LENGTH],
    differences: &[
        differs_at_the_root(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo///bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_below(
            "slashes-and-dots-stay",
            "/a/../b: PATH_INFO is Some(\"/b\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 404", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/mnt//y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs(
            "a-repeated-header-is-joined",
            "HTTP_COOKIE is Some(\"a=b, c=d\")",
            "joins two Cookie lines by a comma",
        ),
        differs(
            "no-header-changes-the-connection",
            "server is Some(\"http other.example",
            "takes SERVER_NAME, SERVER_PORT or Host of what the client sends",
        ),
        differs("one-request-after-the-other", "the status is 411", "wants a length of every POST"),
        differs("a-malformed-chunk", "the status is 411", "wants a length of every POST"),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        differs("the-length-that-head-gets", "content-length is None", "drops Content-Length of HEAD"),
        differs(
            "a-status-without-a-body",
            "content-length is None",
            "drops or adds Content-Length of a status without a body",
        ),
        differs("bytes-behind-a-status-without-a-body", "content-length is None", "drops Content-Length of 304"),
        may_differ("a-late-error-aborts", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "what-was-sent-before-an-abort-arrives",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        may_differ(
            "hooks-run-on-the-head-that-is-sent",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        may_differ("capture-passes-a-response-on", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "a-body-is-changed-block-by-block",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("a-length-beside-chunks", "the status is 411", "wants a length of every POST"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"Apache", "adds its own Server"),
    ],
};

const NO_UNKNOWN_LENGTH: Lack = Lack(Need::UnknownLength, "Apache wants a length of every body here: 411");

const ABORTED: &str = "ends an aborted response as a whole one, with an error page behind it";
/// Not a fault of Apache: curl waits as long without it.
const NO_CONTINUE: &str = "waits for a 100 that this crate does not send over HTTP/2: a fault of ours";
const UNKNOWN_STATUS: &str = "makes 500 of a status that it has no reason for";

pub(crate) static APACHE_H2C: Pair = Pair {
    server: Server::Apache,
    file: "h2c.conf",
    protocol: "HTTP/2",
    start: Backend::http_on_a_port,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it"),
        differs("a-nul-in-the-path-is-decoded", "the status is 404", "refuses it"),
        differs_at_the_root("slashes-and-dots-stay", "//foo///bar", SLASHES),
        differs_at_the_root("the-raw-path-is-as-it-was-sent", "//x/../y", SLASHES),
        differs("the-protocol-is-that-of-the-request", "\"HTTP/2.0\"", "speaks HTTP/2 for all clients"),
        differs("a-repeated-header-is-joined", "HTTP_COOKIE is Some(\"a=b, c=d\")", JOINED),
        differs("the-length-that-head-gets", "0: content-length is None", NO_LENGTH),
        differs("a-status-without-a-body", "304-whole-length: content-length is None", NO_LENGTH_304),
        differs("bytes-behind-a-status-without-a-body", "304-blocks-length: content-length is None", NO_LENGTH_304),
        differs(
            "a-malformed-chunk",
            "read to a clean end after 0 bytes",
            "makes a whole body of one that is malformed",
        ),
        differs("every-status-reaches-the-client", "299: the status is 500", UNKNOWN_STATUS),
        differs("a-reason-phrase-reaches-the-client", "the status is 500", UNKNOWN_STATUS),
        differs("hooks-see-what-inner-hooks-changed", "the status is 500, not 418", UNKNOWN_STATUS),
        differs("a-file-that-shrinks", "the body is", ABORTED),
        differs("a-sender-that-is-dropped", "looks complete", ABORTED),
        differs("a-body-that-is-too-short-is-aborted", "the body is", ABORTED),
        differs("a-late-error-aborts", "looks complete", ABORTED),
        differs("what-was-sent-before-an-abort-arrives", "looks complete", ABORTED),
        differs("hooks-run-on-the-head-that-is-sent", "looks complete", ABORTED),
        differs("capture-passes-a-response-on", "looks complete", ABORTED),
        differs("a-body-is-changed-block-by-block", "looks complete", ABORTED),
        differs("connect-is-not-served", "the status is 502", "refuses it with 502"),
        differs("a-malformed-target", "Latin-1: the status is 502", "makes 502 of a stream that is refused"),
        differs("a-doubtful-length", "two codings", "answers an unknown transfer coding after a long wait"),
        differs("continue-when-the-input-is-read", "no answer in time", NO_CONTINUE),
        differs("no-continue-for-http-1-0", "no answer in time", NO_CONTINUE),
        differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its ServerName"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("date-and-server", "server is [\"Apache", "adds its own Server"),
    ],
};
