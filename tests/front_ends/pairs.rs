//! Every front end with every protocol: what cannot be done through it, and what it changes.

use vestibule::testing::conformance::Need;

use crate::backend::{Backend, Start};
use crate::servers::Server;

#[path = "apache.rs"]
mod apache;
#[path = "haproxy.rs"]
mod haproxy;
#[path = "lighttpd.rs"]
mod lighttpd;
#[path = "nginx.rs"]
mod nginx;

pub(crate) use apache::{
    APACHE_CGI, APACHE_FCGI, APACHE_FCGI_NO_REUSE, APACHE_FCGID, APACHE_H2C, APACHE_HTTP, APACHE_SCGI, APACHE_UWSGI,
};
pub(crate) use haproxy::{HAPROXY_FASTCGI, HAPROXY_HTTP};
pub(crate) use lighttpd::{
    LIGHTTPD_AUTHORIZER, LIGHTTPD_CGI, LIGHTTPD_FASTCGI, LIGHTTPD_HTTP, LIGHTTPD_SCGI, LIGHTTPD_UWSGI,
};
pub(crate) use nginx::{NGINX_FASTCGI, NGINX_FASTCGI_NO_KEEP, NGINX_HTTP, NGINX_SCGI, NGINX_UWSGI};

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
    pub(crate) lacks: &'static [Lack],
    /// The cases that fail, since the front end changes something: what it does by every protocol, then what this one
    /// adds.
    pub(crate) differences: &'static [&'static [Difference]],
}

impl Pair {
    /// What differs where the application is mounted there.
    pub(crate) fn differences_at(&self, mount: &str) -> impl Iterator<Item = &'static Difference> {
        self.differences().filter(move |difference| difference.is_at(mount))
    }

    pub(crate) fn differences(&self) -> impl Iterator<Item = &'static Difference> + use<> {
        self.differences.iter().copied().flatten()
    }
}

/// Where the application is mounted.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) prefix: &'static str,
    /// What is changed in the configuration for that.
    pub(crate) edits: &'static [(&'static str, &'static str)],
}

/// What cannot be done through a front end.
#[derive(Debug)]
pub(crate) struct Lack(pub(crate) Need, pub(crate) &'static str);

/// A case that fails through a front end.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) case: &'static str,
    /// A part of the failure.
    pub(crate) shows: &'static str,
    /// What the front end does.
    pub(crate) why: &'static str,
    /// Where it does that; everywhere, if nothing is said.
    pub(crate) only_at: Option<&'static str>,
    /// Whether the case may pass all the same, since it depends on what comes first.
    pub(crate) may_pass: bool,
}

impl Difference {
    fn is_at(&self, mount: &str) -> bool {
        self.only_at.is_none_or(|place| place == mount)
    }
}

const fn differs(case: &'static str, shows: &'static str, why: &'static str) -> Difference {
    Difference { case, shows, why, only_at: None, may_pass: false }
}

const fn differs_at_the_root(case: &'static str, shows: &'static str, why: &'static str) -> Difference {
    Difference { case, shows, why, only_at: Some(""), may_pass: false }
}

const fn differs_below(case: &'static str, shows: &'static str, why: &'static str) -> Difference {
    Difference { case, shows, why, only_at: Some("/mnt"), may_pass: false }
}

const fn may_differ(case: &'static str, shows: &'static str, why: &'static str) -> Difference {
    Difference { case, shows, why, only_at: None, may_pass: true }
}

/// The front end passes the whole path, and the application knows where it is mounted.
const BOTH: &[Mount] = &[Mount { prefix: "", edits: &[] }, Mount { prefix: "/mnt", edits: &[] }];

const ASTERISK: Lack = Lack(Need::Asterisk, "the front end answers it itself");
const NO_RESET: Lack = Lack(Need::Reset, "the front end ends every response of HTTP/1.0 alike");
const MAY_NOT_PASS_IT_ON: Lack = Lack(Need::ShortBody, "what a client began that has left may not be passed on");
const NO_PROCESS: Lack = Lack(Need::OneProcess, "the web server starts processes as it likes");

/// The configuration says where the application is.
const ROOT: &[Mount] = &[Mount { prefix: "", edits: &[] }];
const BELOW: &[Mount] = &[Mount { prefix: "/mnt", edits: &[] }];

// What several of them do.
const PATHS: &str = "merges slashes and takes dots out of the path";
const RAW_PATH: &str = "changes the path, so that REQUEST_URI does not agree with it";
const COUNTS: &str = "counts a body that comes with its head";
const NO_BODY: &str = "sends CONTENT_LENGTH 0 where there is no body";
const SERVER_OF_HOST: &str = "takes SERVER_NAME and SERVER_PORT of the Host that the client sends";
const LENGTH_OF_POST: &str = "wants a length of every POST";
const CONTINUES: &str = "sends 100 itself";
const CUT: &str = "takes a response that is cut for a whole one";
