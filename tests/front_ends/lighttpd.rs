//! lighttpd.

use super::*;

const LACKS: &[Lack] = &[
    ASTERISK,
    NO_RESET,
    Lack(Need::ResponseTrailers, "lighttpd breaks them"),
    Lack(Need::HangUp, "lighttpd reads the response to its end, though the client has left"),
    MAY_NOT_PASS_IT_ON,
];

const DECODES: &str = "decodes %2F, merges slashes and takes dots out";
const METHODS: &str = "knows no methods but the registered ones";
const EMPTY: &str = "drops empty headers";
const NO_LENGTH_304: &str = "drops Content-Length of 304";
const ABORTED: &str = "may take an aborted response for a whole one";

/// By every protocol.
const LIGHTTPD: &[Difference] = &[
    differs("the-path-is-decoded-once", "the status is 400", "refuses control characters in the path"),
    differs("slashes-and-dots-stay", "//foo///bar: PATH_INFO is Some(\"/foo/bar\")", DECODES),
    differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
    differs("a-nul-in-the-query-stays", "the status is 400", "refuses it"),
    differs("any-method-reaches-the-application", "the status is 501", METHODS),
    differs("a-method-that-nobody-knows", "the status is 501", METHODS),
    differs("a-method-in-lower-case", "the status is 501", METHODS),
    differs("a-header-is-a-variable", "HTTP_X_EMPTY is None", EMPTY),
    differs("one-request-after-the-other", "the status is 411", LENGTH_OF_POST),
    differs("headers-reach-the-client", "x-empty is []", EMPTY),
    differs("a-reason-phrase-reaches-the-client", "the reason is Some(\"\")", "has reasons of its own"),
    differs("a-status-without-a-body", "304-whole-length: content-length is None", NO_LENGTH_304),
    differs("bytes-behind-a-status-without-a-body", "304-blocks-length: content-length is None", NO_LENGTH_304),
    differs("an-absolute-target", "the status is 400", "wants Host to agree with it"),
    differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself and takes the whole body"),
    differs("date-and-server", "server is [\"lighttpd", "adds its own Server"),
];

/// Where one process answers all requests, so that the suite sees both sides of a connection.
const WATCHED: &[Difference] = &[
    differs("connect-is-not-served", "the status is 400", "refuses it with 400"),
    differs("a-malformed-target", "the status is 200", "escapes the percent sign"),
    differs("a-malformed-host", "the same twice", "makes one of two lines of Host that agree"),
    differs("a-doubtful-length", "the status is 501", "refuses an unknown transfer coding with 501"),
];

/// Except with FastCGI, where the end of a request has to come.
const CUT: &[Difference] = &[
    may_differ("a-sender-that-is-dropped", "looks complete", ABORTED),
    may_differ("a-late-error-aborts", "looks complete", ABORTED),
    may_differ("hooks-run-on-the-head-that-is-sent", "looks complete", ABORTED),
    may_differ("capture-passes-a-response-on", "looks complete", ABORTED),
    may_differ("a-body-is-changed-block-by-block", "looks complete", ABORTED),
];

const CUT_WHILE_WATCHED: &[Difference] =
    &[may_differ("what-was-sent-before-an-abort-arrives", "looks complete", ABORTED)];

/// By FastCGI, SCGI, uwsgi and CGI.
const GATEWAY: &[Difference] = &[
    differs("the-query-is-not-decoded", "QUERY_STRING is Some(\"y\")", "decodes the query"),
    differs("no-content-no-content-variables", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
    differs("no-header-passes-for-another", "the status is 400", "makes one variable of `X_A` and `X-A`"),
    differs("no-header-changes-the-connection", "server is Some(\"http other.example", SERVER_OF_HOST),
    may_differ("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", COUNTS),
    may_differ("the-framing-of-an-unknown-length", "the framing is ByLength", "counts short bodies"),
];

/// By the protocols that know where the application is mounted.
const ON_A_SOCKET: &[Difference] = &[
    differs_at_the_root("a-path-above-the-root-stays", "PATH_INFO is Some(\"/\")", DECODES),
    differs_below("a-path-above-the-root-stays", "the status is 404", "takes it out, so that it leaves the mount"),
    differs_at_the_root("the-raw-path-is-as-it-was-sent", "/a%2Fb: REQUEST_URI is Some(\"/a%2Fb?q=/\")", DECODES),
    differs_below("the-raw-path-is-as-it-was-sent", "/a%2Fb: REQUEST_URI is Some(\"/mnt/a%2Fb?q=/\")", DECODES),
];

pub(crate) static LIGHTTPD_FASTCGI: Pair = Pair {
    server: Server::Lighttpd,
    file: "fastcgi.conf",
    protocol: "FastCGI",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[LIGHTTPD, WATCHED, GATEWAY, ON_A_SOCKET],
};

/// What the authorizer lets through goes to the suite's application, instead of a file of the docroot being sent.
const BEHIND_THE_AUTHORIZER: (&str, &str) = (
    "    \"docroot\" => \"/srv/app/public\",\n    \"check-local\" => \"disable\",\n)) )",
    "    \"check-local\" => \"disable\",\n), (\n    \"socket\" => \"/run/app/second.sock\",\n\
     \x20   \"check-local\" => \"disable\",\n    \"fix-root-scriptname\" => \"enable\",\n)) )",
);

pub(crate) static LIGHTTPD_AUTHORIZER: Pair = Pair {
    server: Server::Lighttpd,
    file: "authorizer.conf",
    protocol: "FastCGI, behind an authorizer",
    start: Backend::behind_an_authorizer,
    mounts: &[
        Mount { prefix: "", edits: &[BEHIND_THE_AUTHORIZER] },
        Mount { prefix: "/mnt", edits: &[BEHIND_THE_AUTHORIZER] },
    ],
    lacks: LACKS,
    differences: &[LIGHTTPD, WATCHED, GATEWAY, ON_A_SOCKET],
};

pub(crate) static LIGHTTPD_SCGI: Pair = Pair {
    server: Server::Lighttpd,
    file: "scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[LIGHTTPD, WATCHED, CUT, CUT_WHILE_WATCHED, GATEWAY, ON_A_SOCKET],
};

pub(crate) static LIGHTTPD_UWSGI: Pair = Pair {
    server: Server::Lighttpd,
    file: "uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[LIGHTTPD, WATCHED, CUT, CUT_WHILE_WATCHED, GATEWAY, ON_A_SOCKET],
};

pub(crate) static LIGHTTPD_CGI: Pair = Pair {
    server: Server::Lighttpd,
    file: "cgi.conf",
    protocol: "CGI",
    start: Backend::program,
    mounts: BELOW,
    lacks: &[
        ASTERISK,
        NO_RESET,
        Lack(Need::ResponseTrailers, "lighttpd breaks them"),
        Lack(Need::HangUp, "lighttpd reads the response to its end, though the client has left"),
        MAY_NOT_PASS_IT_ON,
        NO_PROCESS,
    ],
    differences: &[
        LIGHTTPD,
        CUT,
        GATEWAY,
        &[
            differs("a-path-above-the-root-stays", "the status is 403", "takes it out, so that it leaves the mount"),
            differs("the-raw-path-is-as-it-was-sent", "/a%2Fb: REQUEST_URI is Some(\"/mnt/a%2Fb?q=/\")", DECODES),
        ],
    ],
};

pub(crate) static LIGHTTPD_HTTP: Pair = Pair {
    server: Server::Lighttpd,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[
        LIGHTTPD,
        WATCHED,
        CUT,
        CUT_WHILE_WATCHED,
        &[
            differs_at_the_root("a-path-above-the-root-stays", "PATH_INFO is Some(\"/\")", DECODES),
            differs_below("a-path-above-the-root-stays", "the status is 404", DECODES),
            differs("the-raw-path-is-as-it-was-sent", "/a%2Fb: raw_path is", DECODES),
            differs(
                "an-unknown-length-is-not-declared",
                "CONTENT_LENGTH is Some(\"5\")",
                "takes the whole body and counts it",
            ),
            differs("the-framing-of-an-unknown-length", "ByLength(3)", "counts short bodies"),
        ],
    ],
};
