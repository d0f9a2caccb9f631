//! The lines of requests that no application gets.

use std::time::Instant;

use http::{Method, StatusCode, Uri};

use super::of_parts;
use crate::environ::Errors;
use crate::error::Error;

/// Writes the line of a request that no application gets: `GET /%zz 400 16 0.1 ms (half an escape in the path)`.
///
/// `why` is `None` for a client that has left; the bytes are those of the body that it is answered with.
pub(crate) fn refused(asked: (&Method, &Uri), status: StatusCode, bytes: u64, began: Instant, why: Option<&Error>) {
    let why = why.map_or("the client left".to_owned(), Error::one_line);
    let line = of_parts(&target(asked), status, bytes, began.elapsed(), &format!(" ({why})"));
    Errors::stderr().line(format_args!("{line}"));
}

/// What was asked for, as it came: it may be what the request is refused for.
fn target((method, uri): (&Method, &Uri)) -> String {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    // RFC 9112, section 3.2.3: CONNECT names an authority.
    let authority = uri.authority().filter(|_| target.is_empty()).map_or("", |authority| authority.as_str());
    let mut line = format!("{method} ");
    for character in [authority, target].concat().chars() {
        match character.is_ascii() {
            true => line.push(character),
            false => line.extend(character.escape_default()),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_refused_request_is_ascii_and_never_empty() {
        for (asked, logged) in [
            (http::Request::get("/\u{202e}?\u{e9}"), "GET /\\u{202e}?\\u{e9}"),
            (http::Request::connect("a:80"), "CONNECT a:80"),
            (http::Request::options("*"), "OPTIONS *"),
            (http::Request::get("http://x/y"), "GET /y"),
        ] {
            let asked = asked.body(()).unwrap();
            assert_eq!(target((asked.method(), asked.uri())), logged);
        }
    }
}
