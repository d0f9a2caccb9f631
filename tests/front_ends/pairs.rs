//! Every front end with every protocol: what it cannot do, and what it changes.

use vestibule::testing::conformance::Need;

use crate::backend::{Backend, Start};
use crate::servers::Server;

/// A front end that speaks a protocol to the application.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) server: Server,
    /// The file in the directory of the server in docs/deploy/conf.
    pub(crate) file: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) start: Start,
    pub(crate) mounts: &'static [Mount],
    /// What cannot be done through it, each with the reason.
    pub(crate) lacks: &'static [(Need, &'static str)],
    /// The cases that fail, since the front end changes something.
    pub(crate) differences: &'static [Difference],
}

/// Where the application is mounted.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) prefix: &'static str,
    /// What is changed in the configuration for that.
    pub(crate) edits: &'static [(&'static str, &'static str)],
}

/// A case that fails through a front end.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) case: &'static str,
    /// A part of the failure.
    pub(crate) shows: &'static str,
    /// What the front end does.
    pub(crate) why: &'static str,
}

/// The front end passes the whole path, and the application knows where it is mounted.
const BOTH: &[Mount] = &[Mount { prefix: "", edits: &[] }, Mount { prefix: "/mnt", edits: &[] }];

pub(crate) static NGINX_HTTP: Pair = Pair {
    server: Server::Nginx,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[],
    differences: &[],
};

pub(crate) static APACHE_HTTP: Pair = Pair {
    server: Server::Apache,
    file: "proxy_http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[],
    differences: &[],
};

pub(crate) static APACHE_H2C: Pair = Pair {
    server: Server::Apache,
    file: "h2c.conf",
    protocol: "HTTP/2",
    start: Backend::http_on_a_port,
    mounts: BOTH,
    lacks: &[],
    differences: &[],
};

pub(crate) static LIGHTTPD_HTTP: Pair = Pair {
    server: Server::Lighttpd,
    file: "http.conf",
    protocol: "HTTP/1.1",
    start: Backend::http,
    mounts: BOTH,
    lacks: &[],
    differences: &[],
};

pub(crate) static HAPROXY_HTTP: Pair = Pair {
    server: Server::Haproxy,
    file: "http.cfg",
    protocol: "HTTP/1.1",
    start: Backend::http_on_a_port,
    mounts: BOTH,
    lacks: &[],
    differences: &[],
};
