//! lighttpd.

use super::*;

const NO_HANG_UP: Lack = Lack(Need::HangUp, "lighttpd reads the response to its end, though the client has left");
const NO_TRAILERS: Lack = Lack(Need::ResponseTrailers, "lighttpd breaks them");

pub(crate) static LIGHTTPD_HTTP: Pair = Pair {
    server: Server::Lighttpd,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[ASTERISK, NO_RESET, NO_TRAILERS, NO_HANG_UP],
    differences: &[],
};
