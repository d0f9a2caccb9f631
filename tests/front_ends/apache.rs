//! Apache.

use super::*;

const NO_HANG_UP: Lack =
    Lack(Need::HangUp, "Apache learns of a client that has left when it writes, and does not tell while it waits");
const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "Apache drops them");
const NO_UNKNOWN_LENGTH: Lack = Lack(Need::UnknownLength, "Apache wants a length of every body here: 411");

const LACKS: &[Lack] = &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON];
const LACKS_OF_PROGRAMS: &[Lack] = &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_PROCESS];
const LACKS_WITHOUT_CHUNKS: &[Lack] =
    &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP, MAY_NOT_PASS_IT_ON, NO_UNKNOWN_LENGTH];

const SLASHES: &str = "merges slashes where the path begins with two";
const DOTS: &str = "takes dots out of the path";
const NO_LENGTH_304: &str = "drops Content-Length of 304";
const NO_LENGTH_205: &str = "drops Content-Length of 205 and 304";
const ERROR_PAGE: &str = "puts an error page behind a response that is cut";

/// By every protocol.
const APACHE: &[Difference] = &[
    differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it"),
    differs("a-nul-in-the-path-is-decoded", "the status is 404", "refuses it"),
    differs("a-repeated-header-is-joined", "HTTP_COOKIE is Some(\"a=b, c=d\")", "joins two Cookie lines by a comma"),
    differs("date-and-server", "server is [\"Apache", "adds its own Server"),
];

/// Where Content-Length of a response is kept, but for these.
const LENGTHS: &[Difference] =
    &[differs("the-length-that-head-gets", "0: content-length is None", "drops `Content-Length: 0` of HEAD")];

const LENGTHS_OF_304: &[Difference] = &[
    differs("a-status-without-a-body", "304-whole-length: content-length is None", NO_LENGTH_304),
    differs("bytes-behind-a-status-without-a-body", "304-blocks-length: content-length is None", NO_LENGTH_304),
];

/// Where one process answers all requests, so that the suite sees both sides of a connection.
const WATCHED: &[Difference] = &[differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400")];

/// By HTTP of any version.
const HTTP: &[Difference] = &[
    differs_at_the_root("slashes-and-dots-stay", "//foo///bar", SLASHES),
    differs_at_the_root("the-raw-path-is-as-it-was-sent", "//x/../y", SLASHES),
    differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its ServerName"),
];

/// By CGI, FastCGI, SCGI and uwsgi.
const GATEWAY: &[Difference] = &[
    differs("no-header-changes-the-connection", "server is Some(\"http other.example", SERVER_OF_HOST),
    differs("no-continue-when-it-is-not-read", "no answer in time", CONTINUES),
];

/// By ProxyPass, except with HTTP.
const PROXIED: &[Difference] = &[
    differs_at_the_root("slashes-and-dots-stay", "//foo///bar: PATH_INFO is Some(\"/foo///bar\")", SLASHES),
    differs_below("slashes-and-dots-stay", "/a/../b: PATH_INFO is Some(\"/b\")", DOTS),
    differs_below("a-path-above-the-root-stays", "the status is 404", "takes it out, so that it leaves the mount"),
    differs_at_the_root("the-raw-path-is-as-it-was-sent", "//x/../y: raw_path is Some(\"/y\")", RAW_PATH),
    differs_below("the-raw-path-is-as-it-was-sent", "//x/../y: raw_path is Some(\"/mnt//y\")", RAW_PATH),
];

/// By ScriptAlias.
const SCRIPTS: &[Difference] = &[
    differs("slashes-and-dots-stay", "//foo///bar: PATH_INFO is Some(\"/foo/bar\")", PATHS),
    differs("the-raw-path-is-as-it-was-sent", "//x/../y: raw_path is Some(\"/y\")", RAW_PATH),
];

/// Where the head of a response comes in the form of CGI.
const HEADS_OF_CGI: &[Difference] = &[
    differs("headers-reach-the-client", "iterator: x-many is [\"2, 1\"]", JOINS),
    differs(
        "hooks-run-once-and-from-the-inside-out",
        "iterator: the marks is [\"inner 201, middle 201, outer 201\"]",
        JOINS,
    ),
    may_differ("hooks-run-on-the-head-that-is-sent", "iterator: the marks is [\"inner 500, outer 500\"]", JOINS),
    differs("hooks-outside-of-capture-see-its-head", "iterator: the marks is [\"inside 201, outside 201\"]", JOINS),
];

const JOINS: &str = "joins repeated headers";

/// Where Content-Length of a response goes lost.
const CHUNKED: &[Difference] = &[
    differs("a-file-is-a-body", "content-length is None", CHUNKS),
    differs("a-known-length-is-declared", "content-length is []", CHUNKS),
    differs("a-declared-length-is-kept", "content-length is []", CHUNKS),
    differs("a-body-that-is-too-long-is-cut", "content-length is []", CHUNKS),
    differs("head-is-get-without-its-body", "content-length is []", "drops Content-Length of HEAD"),
    differs("the-length-that-head-gets", "some: content-length is None", "drops Content-Length of HEAD"),
    // Of 205 where the end of the response comes later than its head.
    differs("a-status-without-a-body", "content-length is None", NO_LENGTH_205),
    differs("bytes-behind-a-status-without-a-body", "content-length is None", NO_LENGTH_205),
];

const CHUNKS: &str = "drops Content-Length and sends chunks";

/// Where a request has to have a length.
const WITH_A_LENGTH: &[Difference] = &[
    differs("one-request-after-the-other", "the status is 411", LENGTH_OF_POST),
    differs("a-malformed-chunk", "the status is 411", LENGTH_OF_POST),
    differs("a-length-beside-chunks", "the status is 411", LENGTH_OF_POST),
    differs("a-doubtful-length", "the status is 501", "refuses an unknown transfer coding with 501"),
];

/// Where a response that is cut is taken for a whole one, if no length was declared.
const CUT_WITHOUT_A_LENGTH: &[Difference] = &[
    may_differ("a-sender-that-is-dropped", "looks complete", CUT),
    may_differ("a-late-error-aborts", "looks complete", CUT),
    may_differ("capture-passes-a-response-on", "looks complete", CUT),
    may_differ("a-body-is-changed-block-by-block", "looks complete", CUT),
];

/// Where it is so even if a length was declared, since that goes lost.
const CUT_WITH_A_LENGTH: &[Difference] = &[
    may_differ("a-file-that-shrinks", "looks complete", CUT),
    may_differ("a-body-that-is-too-short-is-aborted", "looks complete", CUT),
];

const CUT_WHILE_WATCHED: &[Difference] = &[may_differ("what-was-sent-before-an-abort-arrives", "looks complete", CUT)];

pub(crate) static APACHE_CGI: Pair = Pair {
    server: Server::Apache,
    file: "cgi.conf",
    protocol: "CGI",
    start: Backend::program,
    mounts: ROOT,
    lacks: LACKS_OF_PROGRAMS,
    differences: &[
        APACHE,
        GATEWAY,
        SCRIPTS,
        HEADS_OF_CGI,
        CHUNKED,
        CUT_WITHOUT_A_LENGTH,
        CUT_WITH_A_LENGTH,
        &[may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies")],
    ],
};

pub(crate) static APACHE_FCGID: Pair = Pair {
    server: Server::Apache,
    file: "fcgid.conf",
    protocol: "FastCGI, by mod_fcgid",
    start: Backend::program,
    mounts: ROOT,
    lacks: LACKS_OF_PROGRAMS,
    differences: &[
        APACHE,
        GATEWAY,
        SCRIPTS,
        HEADS_OF_CGI,
        LENGTHS,
        LENGTHS_OF_304,
        &[
            differs("no-content-no-content-variables", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
            differs("no-header-passes-for-another", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
            may_differ("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", COUNTS),
            may_differ("a-file-that-shrinks", "the body is", ERROR_PAGE),
            may_differ("a-sender-that-is-dropped", "the body is", ERROR_PAGE),
            may_differ("a-body-that-is-too-short-is-aborted", "the body is", ERROR_PAGE),
            may_differ("a-late-error-aborts", "the body is", ERROR_PAGE),
            may_differ("capture-passes-a-response-on", "the body is", ERROR_PAGE),
            may_differ("a-body-is-changed-block-by-block", "the body is", ERROR_PAGE),
        ],
    ],
};

pub(crate) static APACHE_FCGI: Pair = Pair {
    server: Server::Apache,
    file: "proxy_fcgi.conf",
    protocol: "FastCGI, kept connections",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[APACHE, WATCHED, GATEWAY, PROXIED, HEADS_OF_CGI, CHUNKED, FASTCGI],
};

pub(crate) static APACHE_FCGI_NO_REUSE: Pair = Pair {
    server: Server::Apache,
    file: "proxy_fcgi-no-reuse.conf",
    protocol: "FastCGI, a connection each",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[APACHE, WATCHED, GATEWAY, PROXIED, HEADS_OF_CGI, CHUNKED, FASTCGI],
};

const FASTCGI: &[Difference] = &[
    may_differ("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", COUNTS),
    differs("a-doubtful-length", "no answer in time", "answers an unknown transfer coding after a long wait"),
];

pub(crate) static APACHE_SCGI: Pair = Pair {
    server: Server::Apache,
    file: "proxy_scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: LACKS_WITHOUT_CHUNKS,
    differences: &[
        APACHE,
        WATCHED,
        GATEWAY,
        PROXIED,
        HEADS_OF_CGI,
        CHUNKED,
        WITH_A_LENGTH,
        CUT_WITHOUT_A_LENGTH,
        CUT_WITH_A_LENGTH,
        CUT_WHILE_WATCHED,
        &[
            differs("no-content-no-content-variables", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
            differs("no-header-passes-for-another", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
            may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
        ],
    ],
};

pub(crate) static APACHE_UWSGI: Pair = Pair {
    server: Server::Apache,
    file: "proxy_uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: LACKS_WITHOUT_CHUNKS,
    differences: &[
        APACHE,
        WATCHED,
        GATEWAY,
        PROXIED,
        LENGTHS,
        LENGTHS_OF_304,
        WITH_A_LENGTH,
        CUT_WITHOUT_A_LENGTH,
        CUT_WHILE_WATCHED,
        &[may_differ("hooks-run-on-the-head-that-is-sent", "looks complete", CUT)],
    ],
};

pub(crate) static APACHE_HTTP: Pair = Pair {
    server: Server::Apache,
    file: "proxy_http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[
        APACHE,
        WATCHED,
        HTTP,
        LENGTHS,
        LENGTHS_OF_304,
        &[
            differs("the-protocol-is-that-of-the-request", "\"HTTP/1.1\"", "speaks HTTP/1.1 for all clients"),
            differs(
                "hop-by-hop-headers-are-not-variables",
                "HTTP_X_NAMED is None",
                "drops headers that Connection names",
            ),
            differs("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", "counts short bodies"),
            differs("a-doubtful-length", "the status is 500", "refuses an unknown transfer coding with 500"),
        ],
    ],
};

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
    lacks: LACKS,
    differences: &[
        APACHE,
        WATCHED,
        HTTP,
        LENGTHS,
        LENGTHS_OF_304,
        &[
            differs("the-protocol-is-that-of-the-request", "\"HTTP/2.0\"", "speaks HTTP/2 for all clients"),
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
        ],
    ],
};
