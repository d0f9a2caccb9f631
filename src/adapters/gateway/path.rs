//! The path of a request: SCRIPT_NAME and PATH_INFO as the front end has them, repaired, and how they were encoded.
//!
//! | front end | what it sends | what becomes of it |
//! |---|---|---|
//! | NGINX with `fastcgi_params` as they come, Apache's ProxyPass to FastCGI and SCGI, HAProxy without `path-info` | SCRIPT_NAME is the whole path, no PATH_INFO | PATH_INFO, less the mount point |
//! | NGINX with `scgi_params` as they come | neither, DOCUMENT_URI | PATH_INFO, less the mount point |
//! | lighttpd at the root | SCRIPT_NAME is the first segment | with the mount point set to the root: PATH_INFO |
//! | lighttpd at the root, for `/` | SCRIPT_NAME `/`, no PATH_INFO | PATH_INFO `/` |
//! | Apache's ProxyPass to uwsgi | SCRIPT_NAME `/app/`, PATH_INFO `/` | SCRIPT_NAME `/app` |
//! | lighttpd asks an authorizer | neither, REDIRECT_URI or REQUEST_URI | PATH_INFO, without `//` and dot segments |
//!
//! Where the mount point is set, it is SCRIPT_NAME, and what is not below it is refused. Where it is not, SCRIPT_NAME
//! stands if there is a PATH_INFO, be it empty.
//!
//! SCRIPT_FILENAME and PATH_TRANSLATED are never looked at: they are guesses of front ends (CVE-2019-11043 came of
//! subtracting one from another).

use std::borrow::Cow;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, StatusCode, Uri};

use super::Mapping;
use super::refusal::{Refusal, shown};
use super::variables::Variables;

/// The longest path and query that `http::Uri` holds, in bytes.
const MAX_URI: usize = (u16::MAX - 1) as usize;

/// A target, and where the application begins in it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) uri: Uri,
    /// Decoded, as Environ takes them: together they are the URI's path.
    pub(super) script_name: Vec<u8>,
    pub(super) path_info: Vec<u8>,
}

/// SCRIPT_NAME and PATH_INFO, decoded.
type Paths<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl Target {
    /// # Errors
    ///
    /// For a REQUEST_URI that no target is, for paths that are none, and for one outside of the mount point.
    pub(super) fn of(variables: &Variables<'_>, method: &Method, mapping: &Mapping) -> Result<Self, Refusal> {
        let sent = Sent::parse(variables.request_uri)?;
        let (script_name, path_info) = divided(variables, &sent, mapping);
        let (script_name, path_info) = mounted(script_name, path_info, mapping)?;
        let begins = |path: &[u8]| path.is_empty() || path.starts_with(b"/");
        let is_asterisk = script_name.is_empty() && *path_info == *b"*" && method == Method::OPTIONS;
        if !(begins(&script_name) && (begins(&path_info) || is_asterisk)) {
            let (script_name, path_info) = (shown(&script_name), shown(&path_info));
            let text = format!("a path begins with a slash, but SCRIPT_NAME is {script_name}, PATH_INFO {path_info}");
            return Err(Refusal::configuration(StatusCode::BAD_REQUEST, text));
        }
        let raw = sent.path.and_then(|sent| raw_that_agrees(sent, &script_name, &path_info));
        let Raw { mut text, split, reading } = raw.unwrap_or_else(|| encoded(&script_name, &path_info));
        // What the front end has left encoded is decoded here.
        let (script_name, path_info) = match reading {
            Reading::Decoded => (script_name.into_owned(), path_info.into_owned()),
            _ => (decode(&text.as_bytes()[..split]), decode(&text.as_bytes()[split..])),
        };
        if !variables.query.is_empty() {
            text.push('?');
            push_escaped(&mut text, variables.query, |byte| byte == b'?' || is_of_target(byte));
        }
        if text.len() > MAX_URI {
            let text = format!("path and query are {} bytes long, more than {MAX_URI}", text.len());
            return Err(Refusal::client(StatusCode::URI_TOO_LONG, text));
        }
        let mut parts = http::uri::Parts::default();
        (parts.scheme, parts.authority) = sent.origin.unzip();
        let malformed = |error: &dyn std::fmt::Display| {
            Refusal::client(StatusCode::BAD_REQUEST, format!("the path or query is malformed: {error}"))
        };
        parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(|error| malformed(&error))?);
        let uri = Uri::from_parts(parts).map_err(|error| malformed(&error))?;
        Ok(Self { uri, script_name, path_info })
    }
}

/// REQUEST_URI: what the client has sent, before the front end did anything to it.
struct Sent<'a> {
    /// Of the absolute form, which Apache passes on; NGINX does not.
    origin: Option<(Scheme, Authority)>,
    /// `None` where it is absent, or no path.
    path: Option<&'a [u8]>,
}

impl<'a> Sent<'a> {
    /// Rule G4, and the fragment, are for what a client sends, whatever the front end has made of it.
    fn parse(request_uri: &'a [u8]) -> Result<Self, Refusal> {
        let malformed = |what: &str| {
            let text = format!("REQUEST_URI {} {what}", shown(request_uri));
            Err(Refusal::client(StatusCode::BAD_REQUEST, text))
        };
        if !request_uri.is_ascii() {
            return malformed("has a byte outside of ASCII");
        }
        if request_uri.contains(&b'#') {
            return malformed("has a fragment");
        }
        let end = request_uri.iter().position(|&byte| byte == b'?').unwrap_or(request_uri.len());
        let mut path = &request_uri[..end];
        let mut origin = None;
        if let Some((scheme, rest)) = absolute(path) {
            let (authority, below) = rest.split_at(rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len()));
            let Some(parsed) = Scheme::try_from(scheme).ok().zip(Authority::try_from(authority).ok()) else {
                return malformed("is of the absolute form with a scheme or host that is none");
            };
            origin = Some(parsed);
            path = if below.is_empty() { b"/" } else { below };
        }
        if !has_whole_escapes(path) {
            return malformed("has a malformed escape");
        }
        Ok(Self { origin, path: Some(path).filter(|path| path.starts_with(b"/") || *path == b"*") })
    }
}

/// Scheme and rest of an absolute target. A path may have `://`, too, but begins with a slash.
fn absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = target.windows(3).position(|window| window == b"://")?;
    let scheme = &target[..at];
    let is_scheme = scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    (is_scheme && !scheme.is_empty()).then(|| (scheme, &target[at + 3..]))
}

/// SCRIPT_NAME and PATH_INFO as the front end means them.
fn divided<'a>(variables: &Variables<'a>, sent: &Sent<'a>, mapping: &Mapping) -> Paths<'a> {
    let mut script_name = variables.script_name;
    let path_info = match variables.path_info {
        Some(path_info) if !path_info.is_empty() || !script_name.is_empty() => Cow::Borrowed(path_info),
        None if mapping.is_script && !script_name.is_empty() => Cow::Borrowed(&b""[..]),
        _ => whole(&mut script_name, variables, sent),
    };
    // Rule E4: a slash between them is PATH_INFO's.
    let Some(without) = script_name.strip_suffix(b"/") else { return (script_name.into(), path_info) };
    let end = without.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let path_info = match path_info.starts_with(b"/") {
        true => path_info,
        false => [b"/", &path_info[..]].concat().into(),
    };
    (script_name[..end].into(), path_info)
}

/// The whole path, where the front end does not divide it.
fn whole<'a>(script_name: &mut &'a [u8], variables: &Variables<'a>, sent: &Sent<'a>) -> Cow<'a, [u8]> {
    let said = std::mem::take(script_name);
    if let Some(whole) = [said, variables.document_uri].into_iter().find(|path| !path.is_empty()) {
        return whole.into();
    }
    // An authorizer of lighttpd must not be shown another path than the one that will be served.
    let redirected = variables.redirect_uri.split(|&byte| byte == b'?').next().unwrap_or_default();
    let target = if redirected.is_empty() { sent.path.unwrap_or_default() } else { redirected };
    let decoded = decode(target);
    match decoded.starts_with(b"/") {
        true => without_dots(&merged(&decoded)).into(),
        false => decoded.into(),
    }
}

/// What is SCRIPT_NAME and PATH_INFO where the deployer says what the mount point is.
fn mounted<'a>(script_name: Cow<'a, [u8]>, path_info: Cow<'a, [u8]>, mapping: &Mapping) -> Result<Paths<'a>, Refusal> {
    let nothing = script_name.is_empty() && path_info.is_empty();
    if nothing {
        let text =
            "SCRIPT_NAME, PATH_INFO, DOCUMENT_URI and REQUEST_URI are all absent: is `include *_params` missing?";
        return Err(Refusal::configuration(StatusCode::BAD_REQUEST, text));
    }
    let Some(mount) = mapping.mount.as_deref().map(str::as_bytes) else { return Ok((script_name, path_info)) };
    if *script_name == *mount || *path_info == *b"*" {
        return Ok((script_name, path_info));
    }
    let whole = match script_name.is_empty() {
        true => path_info,
        false => [&*script_name, &*path_info].concat().into(),
    };
    // `/foox` is not below `/foo`.
    match whole.strip_prefix(mount).filter(|below| below.is_empty() || below.starts_with(b"/")) {
        Some(below) => Ok((mount.to_owned().into(), below.to_owned().into())),
        None => {
            let text = format!("path {} is not below the mount point {}", shown(&whole), shown(mount));
            Err(Refusal::configuration(StatusCode::NOT_FOUND, text))
        }
    }
}

/// An encoded path.
struct Raw {
    text: String,
    /// How many bytes of it are SCRIPT_NAME.
    split: usize,
    reading: Reading,
}

/// How a front end decodes a path.
#[derive(Clone, Copy)]
enum Reading {
    Decoded,
    /// All but `%2F`: Apache with `AllowEncodedSlashes NoDecode`.
    ButSlashes,
    /// Not at all: some versions of Apache's ProxyPass.
    Verbatim,
}

/// The path that was sent, if the front end's is made from it: decoded in one of these ways, with repeated slashes
/// merged, and dot segments removed. The front end's path stays what it is; the one that was sent says which of its
/// bytes were encoded.
fn raw_that_agrees(sent: &[u8], script_name: &[u8], path_info: &[u8]) -> Option<Raw> {
    let agreeing = |path: &[u8]| {
        [Reading::Decoded, Reading::ButSlashes, Reading::Verbatim].into_iter().find_map(|reading| {
            let (before, below) = path.split_at(divide(path, reading, script_name, path_info)?);
            let mut text = String::with_capacity(path.len());
            push_escaped(&mut text, before, is_of_target);
            let split = text.len();
            push_escaped(&mut text, below, is_of_target);
            Some(Raw { text, split, reading })
        })
    };
    agreeing(sent)
        .or_else(|| agreeing(&merged(sent)))
        .or_else(|| agreeing(&without_dots(&merged(sent))))
        .or_else(|| agreeing(&without_dots(sent)))
}

/// Where a path, read so, has given SCRIPT_NAME, if PATH_INFO and nothing else follows.
fn divide(path: &[u8], reading: Reading, script_name: &[u8], path_info: &[u8]) -> Option<usize> {
    let mut expected = script_name.iter().chain(path_info);
    let (mut at, mut read, mut split) = (0, 0, None);
    loop {
        if read == script_name.len() {
            split = Some(at);
        }
        let Some((byte, length)) = unit(&path[at..], reading) else { break };
        if expected.next() != Some(&byte) {
            return None;
        }
        at += length;
        read += 1;
    }
    split.filter(|_| expected.next().is_none())
}

/// The first byte that encoded text gives, and of how many it is made.
fn unit(encoded: &[u8], reading: Reading) -> Option<(u8, usize)> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let escaped = match encoded {
        [b'%', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    };
    match (escaped, reading) {
        (Some(byte), Reading::Decoded) => Some((byte, 3)),
        (Some(byte), Reading::ButSlashes) if byte != b'/' => Some((byte, 3)),
        _ => encoded.first().map(|&byte| (byte, 1)),
    }
}

fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while let Some((byte, length)) = unit(&encoded[at..], Reading::Decoded) {
        decoded.push(byte);
        at += length;
    }
    decoded
}

/// Both of them, encoded anew: RFC 3986, section 3.3, `pchar` and the slash.
fn encoded(script_name: &[u8], path_info: &[u8]) -> Raw {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte);
    let mut text = String::with_capacity(script_name.len() + path_info.len());
    push_escaped(&mut text, script_name, is_plain);
    let split = text.len();
    push_escaped(&mut text, path_info, is_plain);
    Raw { text, split, reading: Reading::Decoded }
}

/// Appends bytes, with escapes for those that are not plain.
fn push_escaped(text: &mut String, bytes: &[u8], is_plain: impl Fn(u8) -> bool) {
    for &byte in bytes {
        match is_plain(byte) && byte.is_ascii() {
            true => text.push(byte.into()),
            false => {
                text.push('%');
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
}

/// What `http::Uri` takes in a path, the percent sign included; front ends pass more than that.
fn is_of_target(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"<>`#?".contains(&byte)
}

/// Each run of slashes as one, which is what front ends make of it.
fn merged(path: &[u8]) -> Vec<u8> {
    let mut merged = Vec::with_capacity(path.len());
    for &byte in path {
        if byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(byte);
        }
    }
    merged
}

/// RFC 3986, section 5.2.4, whether the dots are encoded or not.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut is_open = false;
    for segment in path.strip_prefix(b"/").unwrap_or(path).split(|&byte| byte == b'/') {
        let decoded = decode(segment);
        is_open = matches!(&decoded[..], b"." | b"..");
        match &decoded[..] {
            b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    if is_open {
        segments.push(b"");
    }
    let mut path = Vec::with_capacity(path.len());
    for segment in segments {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    path
}

/// RFC 3986, section 2.1: `%` HEXDIG HEXDIG.
fn has_whole_escapes(path: &[u8]) -> bool {
    path.iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || matches!(unit(&path[at..], Reading::Decoded), Some((_, 3))))
}
