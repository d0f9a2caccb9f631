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
    differences: &[],
};

pub(crate) static NGINX_FASTCGI_NO_KEEP: Pair = Pair {
    server: Server::Nginx,
    file: "fastcgi-no-keep-conn.conf",
    protocol: "FastCGI, a connection each",
    start: Backend::fastcgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[],
};

pub(crate) static NGINX_SCGI: Pair = Pair {
    server: Server::Nginx,
    file: "scgi.conf",
    protocol: "SCGI",
    start: Backend::scgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[],
};

pub(crate) static NGINX_UWSGI: Pair = Pair {
    server: Server::Nginx,
    file: "uwsgi.conf",
    protocol: "uwsgi",
    start: Backend::uwsgi,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, MAY_NOT_PASS_IT_ON],
    differences: &[],
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
