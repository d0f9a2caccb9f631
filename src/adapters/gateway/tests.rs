//! Tests of the mapping: what front ends really send, what could go wrong, and properties of it all.

mod front_ends;
mod paths;
mod properties;
mod requests;

use http::StatusCode;

use super::Mapping;
use super::refusal::Refusal;
use super::request::{BodyLength, Request};
use crate::environ::Environ;
use crate::input::Input;
use crate::server::Limits;
use crate::wire::Params;

/// A mapping as the adapters of the protocols have it.
fn fastcgi() -> Mapping {
    Mapping { ends_bodies: true, minus_one_is_unknown: true, ..Mapping::default() }
}

/// FastCGI on the standard input of a process that the web server has started.
fn fastcgi_script() -> Mapping {
    Mapping { is_script: true, ..fastcgi() }
}

fn cgi() -> Mapping {
    Mapping { is_script: true, of_process: true, ends_bodies: true, ..Mapping::default() }
}

/// SCGI and uwsgi.
fn plain() -> Mapping {
    Mapping::default()
}

fn mounted(mut mapping: Mapping, prefix: &str) -> Mapping {
    mapping.set_mount(prefix).unwrap();
    mapping
}

fn map_with(mapping: &Mapping, params: &Params, limits: &Limits) -> Result<(Environ, BodyLength), Refusal> {
    let request: Request<'_> = mapping.request(params, limits)?;
    let body = request.body;
    Ok((request.into_environ(Input::empty()), body))
}

fn map(mapping: &Mapping, params: &Params) -> Result<(Environ, BodyLength), Refusal> {
    map_with(mapping, params, &Limits::default())
}

/// A GET of `/`, and more variables.
fn params(more: &[(&str, &[u8])]) -> Params {
    let basic: [(&str, &[u8]); 3] = [("REQUEST_METHOD", b"GET"), ("SCRIPT_NAME", b""), ("PATH_INFO", b"/")];
    basic.iter().chain(more).copied().collect()
}

fn environ(mapping: &Mapping, more: &[(&str, &[u8])]) -> Environ {
    map(mapping, &params(more)).map(|(environ, _)| environ).map_err(|refusal| refusal.to_string()).unwrap()
}

fn refusal(mapping: &Mapping, more: &[(&str, &[u8])]) -> Refusal {
    match map(mapping, &params(more)) {
        Ok((environ, body)) => panic!("not refused: {environ:?} with {body:?}, of {more:?}"),
        Err(refusal) => refusal,
    }
}

fn text(environ: &Environ, name: &str) -> Option<String> {
    environ.var(name).map(|value| String::from_utf8(value.into_owned()).unwrap())
}

#[track_caller]
fn assert_status(refusal: &Refusal, status: u16) {
    assert_eq!(refusal.status, StatusCode::from_u16(status).unwrap(), "{refusal}");
}
