//! lighttpd.

use super::*;

const NO_HANG_UP: Lack = Lack(Need::HangUp, "lighttpd reads the response to its end, though the client has left");
const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "lighttpd breaks them");

const PATHS: &str = "decodes %2F, merges slashes and takes dots out";
const METHODS: &str = "knows no methods but the registered ones";
const EMPTY: &str = "drops empty headers";
const NO_LENGTH_304: &str = "drops Content-Length of 304";
const ABORTED: &str = "may take an aborted response for a whole one";

pub(crate) static LIGHTTPD_SCGI: Pair = Pair {
    server: Server::Lighttpd,
    file: "scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs("the-path-is-decoded-once", "the status is 400", "refuses control characters in the path"),
        differs(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo/bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "PATH_INFO is Some(\"/\")", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "/a%2Fb: REQUEST_URI is Some(\"/a%2Fb?q=/\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "/a%2Fb: REQUEST_URI is Some(\"/mnt/a%2Fb?q=/\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs("the-query-is-not-decoded", "QUERY_STRING is Some(\"y\")", "decodes the query"),
        differs("a-nul-in-the-query-stays", "the status is 400", "refuses it"),
        differs("any-method-reaches-the-application", "the status is 501", "knows no methods but the registered ones"),
        differs("a-method-that-nobody-knows", "the status is 501", "knows no methods but the registered ones"),
        differs("a-method-in-lower-case", "the status is 501", "refuses it"),
        differs("a-header-is-a-variable", "HTTP_X_EMPTY is None", "drops empty headers"),
        differs(
            "no-content-no-content-variables",
            "CONTENT_LENGTH is Some(\"0\")",
            "sends CONTENT_LENGTH 0 where there is no body",
        ),
        differs(
            "no-header-passes-for-another",
            "the status is 400",
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
        differs("one-request-after-the-other", "the status is 411", "wants a length of every POST"),
        differs("headers-reach-the-client", "iterator: x-empty is []", "joins repeated headers, or drops empty ones"),
        differs("a-reason-phrase-reaches-the-client", "iterator: the reason is Some(\"\")", "has reasons of its own"),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
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
        differs("connect-is-not-served", "the status is 400", "refuses it in its own way"),
        differs(
            "an-absolute-target",
            "the status is 400",
            "wants Host to agree with it, or passes a Host without its port",
        ),
        differs(
            "a-malformed-target",
            "the status is 200",
            "refuses or repairs it in its own way, or keeps the connection behind the 400",
        ),
        may_differ("a-malformed-host", "the status is 200", "repairs it, or keeps the connection behind the 400"),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"lighttpd", "adds its own Server"),
    ],
};

pub(crate) static LIGHTTPD_UWSGI: Pair = Pair {
    server: Server::Lighttpd,
    file: "uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs("the-path-is-decoded-once", "the status is 400", "refuses control characters in the path"),
        differs(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo/bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "PATH_INFO is Some(\"/\")", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "/a%2Fb: REQUEST_URI is Some(\"/a%2Fb?q=/\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "/a%2Fb: REQUEST_URI is Some(\"/mnt/a%2Fb?q=/\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs("the-query-is-not-decoded", "QUERY_STRING is Some(\"y\")", "decodes the query"),
        differs("a-nul-in-the-query-stays", "the status is 400", "refuses it"),
        differs("any-method-reaches-the-application", "the status is 501", "knows no methods but the registered ones"),
        differs("a-method-that-nobody-knows", "the status is 501", "knows no methods but the registered ones"),
        differs("a-method-in-lower-case", "the status is 501", "refuses it"),
        differs("a-header-is-a-variable", "HTTP_X_EMPTY is None", "drops empty headers"),
        differs(
            "no-content-no-content-variables",
            "CONTENT_LENGTH is Some(\"0\")",
            "sends CONTENT_LENGTH 0 where there is no body",
        ),
        differs(
            "no-header-passes-for-another",
            "the status is 400",
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
        differs("one-request-after-the-other", "the status is 411", "wants a length of every POST"),
        differs("headers-reach-the-client", "iterator: x-empty is []", "joins repeated headers, or drops empty ones"),
        differs("a-reason-phrase-reaches-the-client", "iterator: the reason is Some(\"\")", "has reasons of its own"),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
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
        differs("connect-is-not-served", "the status is 400", "refuses it in its own way"),
        differs(
            "an-absolute-target",
            "the status is 400",
            "wants Host to agree with it, or passes a Host without its port",
        ),
        differs(
            "a-malformed-target",
            "the status is 200",
            "refuses or repairs it in its own way, or keeps the connection behind the 400",
        ),
        may_differ("a-malformed-host", "the status is 200", "repairs it, or keeps the connection behind the 400"),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"lighttpd", "adds its own Server"),
    ],
};

pub(crate) static LIGHTTPD_HTTP: Pair = Pair {
    server: Server::Lighttpd,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs("the-path-is-decoded-once", "the status is 400", "refuses control characters in the path"),
        differs("slashes-and-dots-stay", "//foo///bar: PATH_INFO is Some(\"/foo/bar\")", PATHS),
        differs_at_the_root("a-path-above-the-root-stays", "PATH_INFO is Some(\"/\")", PATHS),
        differs_below("a-path-above-the-root-stays", "the status is 404", PATHS),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs("the-raw-path-is-as-it-was-sent", "/a%2Fb: raw_path is", PATHS),
        differs("a-nul-in-the-query-stays", "the status is 400", "refuses it"),
        differs("any-method-reaches-the-application", "the status is 501", METHODS),
        differs("a-method-that-nobody-knows", "the status is 501", METHODS),
        differs("a-method-in-lower-case", "the status is 501", METHODS),
        differs("a-header-is-a-variable", "HTTP_X_EMPTY is None", EMPTY),
        differs(
            "an-unknown-length-is-not-declared",
            "CONTENT_LENGTH is Some(\"5\")",
            "takes the whole body and counts it",
        ),
        differs("one-request-after-the-other", "the status is 411", "wants a length of every POST"),
        differs("headers-reach-the-client", "x-empty is []", EMPTY),
        differs("a-reason-phrase-reaches-the-client", "the reason is Some(\"\")", "has reasons of its own"),
        differs("the-framing-of-an-unknown-length", "ByLength(3)", "counts short bodies"),
        differs("a-status-without-a-body", "304-whole-length: content-length is None", NO_LENGTH_304),
        differs("bytes-behind-a-status-without-a-body", "304-blocks-length: content-length is None", NO_LENGTH_304),
        may_differ("a-sender-that-is-dropped", "looks complete", ABORTED),
        may_differ("a-late-error-aborts", "looks complete", ABORTED),
        may_differ("what-was-sent-before-an-abort-arrives", "looks complete", ABORTED),
        may_differ("hooks-run-on-the-head-that-is-sent", "looks complete", ABORTED),
        may_differ("capture-passes-a-response-on", "looks complete", ABORTED),
        may_differ("a-body-is-changed-block-by-block", "looks complete", ABORTED),
        differs("connect-is-not-served", "the status is 400", "refuses it with 400"),
        differs("an-absolute-target", "the status is 400", "wants Host to agree with it"),
        differs("a-malformed-target", "an escape that is none: the status is 200", "escapes the percent sign"),
        differs("a-malformed-host", "the same twice", "makes one of two lines of Host that agree"),
        differs("a-doubtful-length", "the status is 501", "refuses an unknown transfer coding with 501"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself and takes the whole body"),
        differs("date-and-server", "server is [\"lighttpd", "adds its own Server"),
    ],
};
