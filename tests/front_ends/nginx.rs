//! nginx.

use super::*;

const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "nginx drops them");

const HOST: &str = "with `$host`, as Debian's parameters have it, Host loses its port";

pub(crate) static NGINX_FASTCGI: Pair = Pair {
    server: Server::Nginx,
    file: "fastcgi.conf",
    protocol: "FastCGI, kept connections",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo/bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/mnt/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs("a-method-in-lower-case", "the status is 400", "refuses it"),
        differs(
            "no-header-changes-the-connection",
            "HTTP_HOST is Some(\"other.example\")",
            "takes SERVER_NAME, SERVER_PORT or Host of what the client sends",
        ),
        may_differ(
            "an-unknown-length-is-not-declared",
            "CONTENT_LENGTH is Some(\"5\")",
            "counts a body that comes with its head",
        ),
        may_differ("a-file-that-shrinks", "no answer in time", "leaves its client waiting for the rest"),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "a-body-that-is-too-short-is-aborted",
            "no answer in time",
            "leaves its client waiting for the rest",
        ),
        may_differ("a-late-error-aborts", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "what-was-sent-before-an-abort-arrives",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        differs(
            "every-end-comes-once",
            "no answer in time",
            "takes a cut response for a whole one, and leaves its client waiting for the rest",
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
            "HTTP_HOST is Some(\"other.example\")",
            "wants Host to agree with it, or passes a Host without its port",
        ),
        differs(
            "a-malformed-target",
            "no answer in time",
            "refuses or repairs it in its own way, or keeps the connection behind the 400",
        ),
        may_differ("a-malformed-host", "no answer in time", "repairs it, or keeps the connection behind the 400"),
        differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its server_name"),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"nginx", "adds its own Server"),
        differs(
            "lint-finds-a-body-that-is-too-short",
            "no answer in time",
            "takes a cut response for a whole one, and leaves its client waiting for the rest",
        ),
    ],
};

pub(crate) static NGINX_SCGI: Pair = Pair {
    server: Server::Nginx,
    file: "scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo/bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/mnt/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs("a-method-in-lower-case", "the status is 400", "refuses it"),
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
            "HTTP_HOST is Some(\"other.example\")",
            "takes SERVER_NAME, SERVER_PORT or Host of what the client sends",
        ),
        may_differ(
            "an-unknown-length-is-not-declared",
            "CONTENT_LENGTH is Some(\"5\")",
            "counts a body that comes with its head",
        ),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        may_differ("a-late-error-aborts", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "what-was-sent-before-an-abort-arrives",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        differs("a-read-that-waits-learns-of-it", "\"waiting\" was not noted, only []", "buffers the request"),
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
            "HTTP_HOST is Some(\"other.example\")",
            "wants Host to agree with it, or passes a Host without its port",
        ),
        differs(
            "a-malformed-target",
            "no answer in time",
            "refuses or repairs it in its own way, or keeps the connection behind the 400",
        ),
        may_differ("a-malformed-host", "no answer in time", "repairs it, or keeps the connection behind the 400"),
        differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its server_name"),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"nginx", "adds its own Server"),
    ],
};

pub(crate) static NGINX_UWSGI: Pair = Pair {
    server: Server::Nginx,
    file: "uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs(
            "slashes-and-dots-stay",
            "//foo///bar: PATH_INFO is Some(\"/foo/bar\")",
            "merges slashes and takes dots out of the path",
        ),
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it, or takes it out"),
        differs_below("a-path-above-the-root-stays", "the status is 404", "refuses it, or takes it out"),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs_at_the_root(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs_below(
            "the-raw-path-is-as-it-was-sent",
            "//x/../y: raw_path is Some(\"/mnt/y\")",
            "changes the path, so that REQUEST_URI does not agree with it, or changes both",
        ),
        differs("a-method-in-lower-case", "the status is 400", "refuses it"),
        differs(
            "no-header-changes-the-connection",
            "HTTP_HOST is Some(\"other.example\")",
            "takes SERVER_NAME, SERVER_PORT or Host of what the client sends",
        ),
        may_differ(
            "an-unknown-length-is-not-declared",
            "CONTENT_LENGTH is Some(\"5\")",
            "counts a body that comes with its head",
        ),
        may_differ("a-sender-that-is-dropped", "looks complete", "takes a response that is cut for a whole one"),
        may_differ("a-late-error-aborts", "looks complete", "takes a response that is cut for a whole one"),
        may_differ(
            "what-was-sent-before-an-abort-arrives",
            "looks complete",
            "takes a response that is cut for a whole one",
        ),
        differs("a-read-that-waits-learns-of-it", "\"waiting\" was not noted, only []", "buffers the request"),
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
            "HTTP_HOST is Some(\"other.example\")",
            "wants Host to agree with it, or passes a Host without its port",
        ),
        differs(
            "a-malformed-target",
            "no answer in time",
            "refuses or repairs it in its own way, or keeps the connection behind the 400",
        ),
        may_differ("a-malformed-host", "no answer in time", "repairs it, or keeps the connection behind the 400"),
        differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its server_name"),
        differs("a-doubtful-length", "the status is 501", "refuses a doubtful framing in its own way"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself"),
        differs("date-and-server", "server is [\"nginx", "adds its own Server"),
    ],
};

pub(crate) static NGINX_HTTP: Pair = Pair {
    server: Server::Nginx,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[
        differs_at_the_root("a-path-above-the-root-stays", "the status is 400", "refuses it"),
        differs("a-nul-in-the-path-is-decoded", "the status is 400", "refuses it"),
        differs("a-method-in-lower-case", "the status is 400", "refuses it"),
        differs("the-protocol-is-that-of-the-request", "\"HTTP/1.1\"", "speaks HTTP/1.1 for all clients"),
        differs("no-header-changes-the-connection", "HTTP_HOST is Some(\"other.example\")", HOST),
        may_differ(
            "an-unknown-length-is-not-declared",
            "CONTENT_LENGTH is Some(\"5\")",
            "counts a body that comes with its head",
        ),
        differs("connect-is-not-served", "the status is 400", "refuses it with 400"),
        differs("an-absolute-target", "HTTP_HOST is Some(\"other.example\")", HOST),
        differs("a-malformed-target", "UTF-8", "keeps the client's connection behind the application's 400"),
        differs("a-malformed-host", "a user", "makes the good Host `a.example` of `user@a.example`"),
        differs("a-host-is-not-needed-in-http-1-0", "HTTP_HOST is Some(\"example.org\")", "adds its server_name"),
        differs("a-doubtful-length", "the status is 501", "refuses an unknown transfer coding with 501"),
        differs("a-head-over-the-limit", "400 and not one of [431]", "refuses it with 400"),
        differs("no-continue-when-it-is-not-read", "no answer in time", "sends 100 itself and hides Expect"),
        differs("date-and-server", "server is [\"nginx", "adds its own Server"),
    ],
};
