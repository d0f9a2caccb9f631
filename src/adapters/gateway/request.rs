//! `Request`: what the variables of a front end say, ready for an environ.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Method, StatusCode, Version};

use super::path::Target;
use super::refusal::{Refusal, shown};
use super::variables::Variables;
use super::{Mapping, surroundings};
use crate::environ::{Environ, Surroundings};
use crate::error::Error;
use crate::input::Input;
use crate::server::{Limits, check};
use crate::wire::Params;
use crate::wire::cgi::ContentLength;

/// A request of a front end, checked as those of every adapter are.
#[derive(Debug)]
pub(in crate::adapters) struct Request<'a> {
    params: &'a Params,
    pub(in crate::adapters) parts: Parts,
    pub(in crate::adapters) body: BodyLength,
    script_name: Vec<u8>,
    path_info: Vec<u8>,
    scheme: Scheme,
    server_name: &'a str,
    server_port: u16,
    remote_addr: Option<SocketAddr>,
    /// What the front end says beyond the request.
    vars: Vec<(&'a str, &'a [u8])>,
}

/// What body follows the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters) enum BodyLength {
    /// No body. If bytes arrive all the same, they contradict it.
    Nothing,
    /// So many bytes; fewer are a body that was cut short.
    Known(u64),
    /// It ends where the protocol says.
    Unknown,
}

impl Mapping {
    /// The request that these variables are, or why they are none.
    ///
    /// # Errors
    ///
    /// For what HTTP forbids, what is over a limit, and what the front end has to send and does not.
    pub(in crate::adapters) fn request<'a>(&self, params: &'a Params, limits: &Limits) -> Result<Request<'a>, Refusal> {
        let mut variables = Variables::sort(params, self, limits.header_count)?;
        let method = method(&variables)?;
        let target = Target::of(&variables, &method, self)?;
        let body = self.body(&variables)?;
        let mut parts = http::Request::new(()).into_parts().0;
        (parts.method, parts.version, parts.uri) = (method, surroundings::version(&variables), target.uri);
        parts.headers = std::mem::take(&mut variables.headers);
        if !variables.content_type.is_empty() {
            let Ok(value) = HeaderValue::from_maybe_shared(params.share(variables.content_type)) else {
                return Err(Refusal::client(StatusCode::BAD_REQUEST, "CONTENT_TYPE has a control character"));
            };
            parts.headers.insert(CONTENT_TYPE, value);
        }
        if let Ok(ContentLength::Known(length)) = ContentLength::parse(Some(variables.content_length)) {
            parts.headers.insert(CONTENT_LENGTH, length.into());
        }
        checked(&mut parts, body, limits)?;
        let scheme = surroundings::scheme(&variables);
        Ok(Request {
            params,
            parts,
            body,
            script_name: target.script_name,
            path_info: target.path_info,
            server_name: surroundings::server_name(&variables),
            server_port: surroundings::server_port(&variables, &scheme),
            scheme,
            remote_addr: surroundings::remote_addr(&variables),
            vars: variables.others,
        })
    }

    fn body(&self, variables: &Variables<'_>) -> Result<BodyLength, Refusal> {
        let refused = |text: String| Err(Refusal::client(StatusCode::BAD_REQUEST, text));
        let coding = variables.transfer_encoding;
        if !(coding.is_empty() || coding.eq_ignore_ascii_case(b"chunked")) {
            return refused(format!("Transfer-Encoding is {} and not `chunked`", shown(coding)));
        }
        let length = variables.content_length;
        match ContentLength::parse(Some(length)) {
            Ok(ContentLength::Known(length)) => self.known(length, variables),
            Ok(ContentLength::Unknown) if self.minus_one_is_unknown => Ok(BodyLength::Unknown),
            // HAProxy says neither of a chunked body, which FastCGI shows the end of.
            Ok(ContentLength::Absent) if self.minus_one_is_unknown && may_have_body(variables.method) => {
                Ok(BodyLength::Unknown)
            }
            Ok(ContentLength::Absent) if coding.is_empty() => Ok(BodyLength::Nothing),
            Ok(ContentLength::Absent) if self.ends_bodies => Ok(BodyLength::Unknown),
            Ok(ContentLength::Absent) => {
                let text = "a chunked body needs a CONTENT_LENGTH over this protocol: does the front end buffer it?";
                Err(Refusal::configuration(StatusCode::LENGTH_REQUIRED, text))
            }
            Err(error) => Err(Refusal::client(error.status(), format!("{error}: {}", shown(length)))),
            Ok(_) => refused(format!("CONTENT_LENGTH is {} where the protocol has no unknown length", shown(length))),
        }
    }

    fn known(&self, length: u64, variables: &Variables<'_>) -> Result<BodyLength, Refusal> {
        let differs = |said: &&&[u8]| ContentLength::parse(Some(said)) != Ok(ContentLength::Known(length));
        if let Some(said) = variables.header_lengths.iter().find(differs) {
            let text = format!(
                "CONTENT_LENGTH is {length}, but the client's Content-Length {}: the body would be cut silently. \
                 NGINX does so with `scgi_request_buffering off` (mended in 2026): remove that directive",
                shown(said)
            );
            return Err(Refusal::configuration(StatusCode::BAD_REQUEST, text));
        }
        Ok(if length == 0 { BodyLength::Nothing } else { BodyLength::Known(length) })
    }
}

/// RFC 9110, section 9.3: in those that are left out here, a body has no meaning.
fn may_have_body(method: &[u8]) -> bool {
    !matches!(method, b"GET" | b"HEAD" | b"DELETE" | b"OPTIONS" | b"TRACE")
}

fn method(variables: &Variables<'_>) -> Result<Method, Refusal> {
    if variables.method.is_empty() {
        let text = "REQUEST_METHOD is absent: is `include *_params` missing?";
        return Err(Refusal::configuration(StatusCode::BAD_REQUEST, text));
    }
    match Method::from_bytes(variables.method) {
        // Its target is no path.
        Ok(Method::CONNECT) => Err(Refusal::client(StatusCode::NOT_IMPLEMENTED, "CONNECT is not served")),
        Ok(method) => Ok(method),
        Err(_) => {
            let text = format!("REQUEST_METHOD {} is no method", shown(variables.method));
            Err(Refusal::client(StatusCode::BAD_REQUEST, text))
        }
    }
}

/// The checks and limits that requests have over HTTP, in the same order.
fn checked(parts: &mut Parts, body: BodyLength, limits: &Limits) -> Result<(), Refusal> {
    let refused = |parts: &Parts, error: Error| {
        let status = error.status().unwrap_or(StatusCode::BAD_REQUEST);
        let target = shown(parts.uri.path().as_bytes());
        if parts.headers.get(HOST).is_none() && parts.version > Version::HTTP_10 && status == StatusCode::BAD_REQUEST {
            let text = "HTTP_HOST is absent, which HTTP/1.1 demands: does the front end pass headers?";
            return Refusal::configuration(status, text);
        }
        Refusal::client(status, format!("the request to {target} has {error}"))
    };
    limits.check_head(parts, None).map_err(|error| refused(parts, error))?;
    check(parts, body != BodyLength::Nothing, true).map_err(|error| refused(parts, error))?;
    limits.check_length(parts).map_err(|error| refused(parts, error))
}

impl Request<'_> {
    /// The environ of this request; what the gateway alone knows, such as its threads, is still to be set.
    pub(in crate::adapters) fn into_environ(self, input: Input) -> Environ {
        let mut surroundings = Surroundings::LOCAL;
        surroundings.set_server(self.server_name.into(), self.server_port);
        (surroundings.scheme, surroundings.remote_addr) = (self.scheme, self.remote_addr);
        let vars = &mut surroundings.vars;
        vars.reserve(self.vars.len());
        for (name, value) in self.vars {
            let value = self.params.share(value);
            match vars.iter_mut().find(|(other, _)| *other == name) {
                Some((_, old)) => *old = value,
                None => vars.push((name_of(name), value)),
            }
        }
        let mut environ = Environ::within(self.parts, input, Some(Arc::new(surroundings)));
        let set = environ.set_path(&self.script_name, &self.path_info);
        debug_assert!(set.is_ok(), "the path was encoded for it");
        environ
    }
}

/// The name of a variable: what most front ends send needs no copy.
fn name_of(name: &str) -> Cow<'static, str> {
    const USUAL: [&str; 8] = [
        "DOCUMENT_ROOT",
        "DOCUMENT_URI",
        "GATEWAY_INTERFACE",
        "REDIRECT_STATUS",
        "SCRIPT_FILENAME",
        "SERVER_ADDR",
        "SERVER_SOFTWARE",
        "PATH_TRANSLATED",
    ];
    match USUAL.iter().find(|usual| **usual == name) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(name.to_owned()),
    }
}
