//! nginx.

use super::*;

const LACKS: &[Lack] = &[ASTERISK, NO_RESET, Lack(Need::ResponseTrailers, "nginx drops them"), MAY_NOT_PASS_IT_ON];

const HOST: &str = "with `$host`, as Debian's parameters have it, Host loses its port";
const BAD_TARGET: &str = "keeps the client's connection behind the application's 400";

/// By every protocol.
const NGINX: &[Difference] = &[
    differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it"),
    differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
    differs("a-method-in-lower-case", "the status is 400", "refuses it"),
    differs("no-header-changes-the-connection", "HTTP_HOST is Some(\"other.example\")", HOST),
    may_differ("an-unknown-length-is-not-declared", "CONTENT_LENGTH is Some(\"5\")", COUNTS),
    differs("connect-is-not-served", "the status is 400", "refuses it with 400"),
    differs("an-absolute-target", "HTTP_HOST is Some(\"other.example\")", HOST),
    differs("a-malformed-target", "UTF-8: there was no answer in time", BAD_TARGET),
    differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its server_name"),
    differs("a-doubtful-length", "the status is 501", "refuses an unknown transfer coding with 501"),
    differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
    differs("no-continue-when-it-is-not-read", "no answer in time", CONTINUES),
    differs("date-and-server", "server is [\"nginx", "adds its own Server"),
];

/// By FastCGI, SCGI and uwsgi.
const GATEWAY: &[Difference] = &[
    differs("slashes-and-dots-stay", "//foo///bar: PATH_INFO is Some(\"/foo/bar\")", PATHS),
    differs_below("a-path-above-the-root-stays", "the status is 404", "takes it out, so that it leaves the mount"),
    differs_at_the_root("the-raw-path-is-as-it-was-sent", "//x/../y: raw_path is Some(\"/y\")", RAW_PATH),
    differs_below("the-raw-path-is-as-it-was-sent", "//x/../y: raw_path is Some(\"/mnt/y\")", RAW_PATH),
    may_differ("a-malformed-host", "a user: there was no answer in time", BAD_TARGET),
];

/// Over SCGI and uwsgi the end of the connection is all that tells.
const CUT_WITHOUT_A_LENGTH: &[Difference] = &[
    may_differ("a-sender-that-is-dropped", "looks complete", CUT),
    may_differ("a-late-error-aborts", "looks complete", CUT),
    may_differ("what-was-sent-before-an-abort-arrives", "looks complete", CUT),
    may_differ("hooks-run-on-the-head-that-is-sent", "looks complete", CUT),
    may_differ("capture-passes-a-response-on", "looks complete", CUT),
    may_differ("a-body-is-changed-block-by-block", "looks complete", CUT),
];

/// Requests are buffered where nginx connects anew for each.
const BUFFERED: &[Difference] =
    &[differs("a-read-that-waits-learns-of-it", "\"waiting\" was not noted, only []", "buffers the request")];

const COUNTS_NOTHING: &[Difference] = &[
    differs("no-content-no-content-variables", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
    differs("no-header-passes-for-another", "CONTENT_LENGTH is Some(\"0\")", NO_BODY),
];

pub(crate) static NGINX_FASTCGI: Pair = Pair {
    server: Server::Nginx,
    file: "fastcgi.conf",
    protocol: "FastCGI, kept connections",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[NGINX, GATEWAY],
};

pub(crate) static NGINX_FASTCGI_NO_KEEP: Pair = Pair {
    server: Server::Nginx,
    file: "fastcgi-no-keep-conn.conf",
    protocol: "FastCGI, a connection each",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[NGINX, GATEWAY],
};

pub(crate) static NGINX_SCGI: Pair = Pair {
    server: Server::Nginx,
    file: "scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[NGINX, GATEWAY, CUT_WITHOUT_A_LENGTH, BUFFERED, COUNTS_NOTHING],
};

pub(crate) static NGINX_UWSGI: Pair = Pair {
    server: Server::Nginx,
    file: "uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[NGINX, GATEWAY, CUT_WITHOUT_A_LENGTH, BUFFERED],
};

pub(crate) static NGINX_HTTP: Pair = Pair {
    server: Server::Nginx,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: LACKS,
    differences: &[
        NGINX,
        &[
            differs("the-protocol-is-that-of-the-request", "\"HTTP/1.1\"", "speaks HTTP/1.1 for all clients"),
            differs("a-malformed-host", "a user", "makes the good Host `a.example` of `user@a.example`"),
        ],
    ],
};
