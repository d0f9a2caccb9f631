//! `Variables`: the variables of a request sorted into those with a meaning here, headers, and others.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, header};

use super::Mapping;
use super::refusal::{Refusal, shown};
use crate::head::is_hop_by_hop;
use crate::wire::Params;

/// For so many headers, and so many other variables, there is room from the beginning.
const MOST_EXPECTED: usize = 64;

/// The most variables without a meaning here; TLS modules send several dozens.
const MOST_OTHERS: usize = 1000;

/// What of a CGI process's environment is the request's: the rest of RFC 3875, section 4.1.
const OF_CGI: [&str; 7] = [
    "AUTH_TYPE",
    "GATEWAY_INTERFACE",
    "PATH_TRANSLATED",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_USER",
    "SERVER_SOFTWARE",
];

/// What is not the request's but that of Apache's own process, and what only marks the protocol.
const NOT_OF_REQUESTS: [&str; 3] = ["LD_LIBRARY_PATH", "PATH", "SCGI"];

#[derive(Default)]
pub(super) struct Variables<'a> {
    pub(super) method: &'a [u8],
    pub(super) script_name: &'a [u8],
    /// Absent is not empty here: NGINX sends an empty one for a mount point itself.
    pub(super) path_info: Option<&'a [u8]>,
    pub(super) document_uri: &'a [u8],
    pub(super) request_uri: &'a [u8],
    /// The path and query that lighttpd decided on, where that is not what was sent.
    pub(super) redirect_uri: &'a [u8],
    pub(super) query: &'a [u8],
    pub(super) content_type: &'a [u8],
    pub(super) content_length: &'a [u8],
    pub(super) protocol: &'a [u8],
    pub(super) scheme: &'a [u8],
    pub(super) https: &'a [u8],
    pub(super) server_name: &'a [u8],
    pub(super) server_addr: &'a [u8],
    pub(super) server_port: &'a [u8],
    pub(super) remote_addr: &'a [u8],
    pub(super) remote_port: &'a [u8],
    /// Those of HTTP_*; Content-Type and Content-Length are not among them.
    pub(super) headers: HeaderMap,
    /// What was said by headers of the length, not empty.
    pub(super) header_lengths: Vec<&'a [u8]>,
    pub(super) transfer_encoding: &'a [u8],
    pub(super) others: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Variables<'a> {
    /// # Errors
    ///
    /// For more than `most_headers`, and for headers that none can be.
    pub(super) fn sort(params: &'a Params, mapping: &Mapping, most_headers: usize) -> Result<Self, Refusal> {
        let count = params.iter().filter(|(name, _)| name.starts_with(b"HTTP_")).count();
        // Two more come of CONTENT_TYPE and CONTENT_LENGTH. Grown from nothing, it would be filled again and again.
        let expected = count.min(most_headers).min(MOST_EXPECTED) + 2;
        let mut sorted = Self { headers: HeaderMap::with_capacity(expected), ..Self::default() };
        sorted.others.reserve((params.len() - count).min(MOST_EXPECTED));
        let mut headers = Headers { params, most: most_headers, name: Vec::with_capacity(64) };
        let mut redirected = &b""[..];
        for (name, value) in params.iter() {
            match name {
                b"REQUEST_METHOD" => sorted.method = value,
                b"SCRIPT_NAME" => sorted.script_name = value,
                b"PATH_INFO" => sorted.path_info = Some(value),
                b"QUERY_STRING" => sorted.query = value,
                b"REQUEST_URI" => sorted.request_uri = value,
                b"CONTENT_TYPE" => sorted.content_type = value,
                b"CONTENT_LENGTH" => sorted.content_length = value,
                b"SERVER_PROTOCOL" => sorted.protocol = value,
                b"REQUEST_SCHEME" => sorted.scheme = value,
                b"HTTPS" => sorted.https = value,
                b"SERVER_NAME" => sorted.server_name = value,
                b"SERVER_PORT" => sorted.server_port = value,
                b"REMOTE_ADDR" => sorted.remote_addr = value,
                b"REMOTE_PORT" => sorted.remote_port = value,
                // Proxy is read as a setting by HTTP clients ("httpoxy"), and the other two have variables of their own.
                b"HTTP_PROXY" | b"HTTP_CONTENT_TYPE" => {}
                b"HTTP_CONTENT_LENGTH" if value.is_empty() => {}
                b"HTTP_CONTENT_LENGTH" => sorted.header_lengths.push(value),
                // NGINX sends it with a body that it has decoded.
                b"HTTP_TRANSFER_ENCODING" => sorted.transfer_encoding = value,
                [b'H', b'T', b'T', b'P', b'_', header @ ..] => headers.add(&mut sorted.headers, header, value)?,
                _ => {
                    match name {
                        b"DOCUMENT_URI" => sorted.document_uri = value,
                        b"REDIRECT_URI" => sorted.redirect_uri = value,
                        b"SERVER_ADDR" => sorted.server_addr = value,
                        _ => {}
                    }
                    let original = without_redirects(name);
                    if original == b"HTTP_AUTHORIZATION" {
                        redirected = value;
                    } else if let Some(name) = passed_on(name, original, value, mapping) {
                        sorted.others.push((name, value));
                    }
                }
            }
        }
        // Apache hides Authorization from programs; a rewrite that sets it as a variable finds itself renamed.
        if !redirected.is_empty() && sorted.headers.get(AUTHORIZATION).is_none_or(HeaderValue::is_empty) {
            sorted.headers.remove(AUTHORIZATION);
            headers.add(&mut sorted.headers, b"AUTHORIZATION", redirected)?;
        }
        if sorted.others.len() > MOST_OTHERS {
            let text = format!("there are {} variables that are no headers", sorted.others.len());
            return Err(Refusal::configuration(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text));
        }
        Ok(sorted)
    }
}

/// Makes headers of variables.
struct Headers<'a> {
    params: &'a Params,
    most: usize,
    /// Used again for each name.
    name: Vec<u8>,
}

impl Headers<'_> {
    fn add(&mut self, headers: &mut HeaderMap, variable: &[u8], value: &[u8]) -> Result<(), Refusal> {
        self.name.clear();
        self.name.extend(variable.iter().map(|&byte| if byte == b'_' { b'-' } else { byte }));
        let Ok(name) = HeaderName::from_bytes(&self.name) else {
            let text = format!("variable {} is no header", shown(&[b"HTTP_", variable].concat()));
            return Err(Refusal::client(StatusCode::BAD_REQUEST, text));
        };
        // The front end has dealt with what belongs to the client's connection, trailers included.
        if is_hop_by_hop(&name) || name == header::TRAILER {
            return Ok(());
        }
        let Ok(value) = HeaderValue::from_maybe_shared(self.params.share(value)) else {
            let text = format!("the value of header `{name}` has a control character");
            return Err(Refusal::client(StatusCode::BAD_REQUEST, text));
        };
        let is_added = headers.len() < self.most && headers.try_append(name, value).is_ok();
        if !is_added {
            let text = format!("there are more than {} headers", self.most);
            return Err(Refusal::client(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text));
        }
        Ok(())
    }
}

/// The name that a variable had before the redirects inside of Apache, each of which renames it.
fn without_redirects(mut name: &[u8]) -> &[u8] {
    while let Some(original) = name.strip_prefix(b"REDIRECT_") {
        name = original;
    }
    name
}

/// The name of a variable that the application gets as it is.
fn passed_on<'a>(name: &'a [u8], original: &[u8], value: &[u8], mapping: &Mapping) -> Option<&'a str> {
    if original.starts_with(b"HTTP_") {
        return None;
    }
    let tells_user = original == b"REMOTE_USER" || original == b"AUTH_TYPE";
    if tells_user && (value.is_empty() || !mapping.trust_remote_user) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    match mapping.of_process {
        true => OF_CGI.contains(&name),
        false => !NOT_OF_REQUESTS.contains(&name) && is_well_named(name),
    }
    .then_some(name)
}

/// Rule E12: capitals as those of CGI, or a namespace and a dot. Apache also sends its notes to itself.
fn is_well_named(name: &str) -> bool {
    let of = |name: &str, is_letter: fn(&u8) -> bool| {
        !name.is_empty() && name.bytes().all(|byte| is_letter(&byte) || byte.is_ascii_digit() || byte == b'_')
    };
    let is_of_cgi = name.starts_with(|first: char| first.is_ascii_uppercase()) && of(name, u8::is_ascii_uppercase);
    is_of_cgi || (name.contains('.') && name.split('.').all(|word| of(word, u8::is_ascii_lowercase)))
}
