//! An application that describes its environ, and what the client reads from that.

use std::fmt::Write;

use super::kinds::answer;
use super::talk::{Talk, equal};
use super::{Request, Response};
use crate::environ::Environ;
use crate::error::Result;
use crate::start_response::StartResponse;

/// The environ as text, one line a variable, escaped: first the CGI view, then what else there is.
pub(super) fn describe(environ: Environ, start_response: StartResponse) -> Result {
    let mut lines = String::new();
    for (name, value) in environ.vars() {
        writeln!(lines, "{name}={}", value.escape_ascii())?;
    }
    let peer = environ.remote_addr().map(|address| address.ip().to_string()).unwrap_or_default();
    let length = environ.input().len().map(|length| length.to_string()).unwrap_or_default();
    let more = [
        ("method", environ.method().to_string()),
        ("script_name", environ.script_name().into_owned()),
        ("path_info", environ.path_info().into_owned()),
        ("raw_path", environ.raw_path().to_owned()),
        ("query_string", environ.query_string().to_owned()),
        ("server", format!("{} {} {}", environ.url_scheme(), environ.server_name(), environ.server_port())),
        ("peer", peer),
        ("input length", length),
        ("multithread", environ.multithread().to_string()),
        ("multiprocess", environ.multiprocess().to_string()),
        ("run_once", environ.run_once().to_string()),
        ("process", std::process::id().to_string()),
    ];
    for (name, value) in more {
        writeln!(lines, "{name}={}", value.escape_default())?;
    }
    for (name, value) in environ.headers() {
        writeln!(lines, "header {name}={}", value.as_bytes().escape_ascii())?;
    }
    answer(start_response, lines)
}

/// The environ that an application saw.
pub(super) struct Described(Vec<(String, String)>);

impl Described {
    pub(super) fn read(response: &Response) -> Result<Self> {
        equal("the status", response.status.as_u16(), 200)?;
        let lines = response.text();
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        Ok(Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    /// A variable, escaped.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// All variables of the name.
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(other, _)| other == name).count()
    }

    /// The names of the CGI view.
    pub(super) fn cgi_names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name).take_while(|name| *name != "method")
    }

    pub(super) fn is(&self, name: &str, value: &str) -> Result<()> {
        equal(name, self.get(name), Some(value))
    }

    pub(super) fn lacks(&self, name: &str) -> Result<()> {
        equal(name, self.get(name), None::<&str>)
    }
}

impl Talk<'_> {
    /// Sends a request to an application that describes what it sees.
    pub(super) fn describe(&self, request: &Request) -> Result<Described> {
        Described::read(&self.send(request)?)
    }
}
