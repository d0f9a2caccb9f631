//! The head of a response, as CGI has it and as HTTP has it.

use std::fmt;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, StatusCode};

/// How the head of a response begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadForm {
    /// `Status: 200 OK`, for CGI, SCGI and the responders of FastCGI: RFC 3875, section 6.3.3.
    Cgi,
    /// As [`Cgi`](Self::Cgi), with the rest of a name after `Variable-` in capitals: FastCGI 1.0, section 6.3. The web
    /// server makes variables of those, and names of headers have lost their case on the way here.
    Authorizer,
    /// `HTTP/1.1 200 OK`, for uwsgi: Apache's mod_proxy_uwsgi takes nothing else.
    Http,
}

/// Appends the head of a response: the status, the headers, an empty line.
///
/// The status is always written, even 200: next to a Location, its absence would ask the web server for a redirect of
/// its own (RFC 3875, section 6.2). So is a reason, the usual one where none is given. A header `Status` is left out, as
/// it would be taken for the status.
///
/// ```
/// use bytes::BytesMut;
/// use http::{HeaderMap, HeaderValue, StatusCode, header};
/// use vestibule::wire::cgi::{HeadForm, write_head};
///
/// let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static("/elsewhere"))]);
/// let mut head = BytesMut::new();
/// write_head(&mut head, HeadForm::Cgi, StatusCode::OK, None, &headers)?;
/// assert_eq!(head, "Status: 200 OK\r\nlocation: /elsewhere\r\n\r\n");
/// # Ok::<(), vestibule::wire::cgi::HeadError>(())
/// ```
///
/// # Errors
///
/// For what would end a line early or would not be a final response; nothing is appended then. The types of `http`
/// refuse such values too, but not those that were made unchecked.
pub fn write_head(
    head: &mut BytesMut,
    form: HeadForm,
    status: StatusCode,
    reason: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), HeadError> {
    check(status, reason, headers)?;
    head.reserve(size_hint(headers));
    head.extend_from_slice(if form == HeadForm::Http { b"HTTP/1.1 " } else { b"Status: " });
    head.extend_from_slice(status.as_str().as_bytes());
    head.extend_from_slice(b" ");
    head.extend_from_slice(
        reason.filter(|reason| !reason.is_empty()).unwrap_or_else(|| usual_reason(status)).as_bytes(),
    );
    head.extend_from_slice(b"\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| *name != "status") {
        write_name(head, form, name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    Ok(())
}

fn write_name(head: &mut BytesMut, form: HeadForm, name: &HeaderName) {
    match name.as_str().strip_prefix("variable-") {
        Some(variable) if form == HeadForm::Authorizer => {
            head.extend_from_slice(b"Variable-");
            head.extend(variable.bytes().map(|byte| byte.to_ascii_uppercase()));
        }
        _ => head.extend_from_slice(name.as_str().as_bytes()),
    }
}

fn size_hint(headers: &HeaderMap) -> usize {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    lines.sum::<usize>() + "Status: 511 Network Authentication Required\r\n\r\n".len()
}

/// The reason that IANA has registered, or the name of the class: NGINX and Apache pass on whatever stands there.
fn usual_reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or(match status.as_u16() / 100 {
        2 => "Success",
        3 => "Redirection",
        4 => "Client Error",
        5 => "Server Error",
        _ => "Unknown",
    })
}

fn check(status: StatusCode, reason: Option<&str>, headers: &HeaderMap) -> Result<(), HeadError> {
    // Behind NGINX and Apache, a 1xx head would be the final response.
    if status.is_informational() {
        return Err(HeadError::NotFinal(status));
    }
    if !reason.is_none_or(|reason| is_one_line(reason.as_bytes())) {
        return Err(HeadError::Reason);
    }
    match headers.iter().find(|(_, value)| !is_one_line(value.as_bytes())) {
        Some((name, _)) => Err(HeadError::Value(name.clone())),
        None => Ok(()),
    }
}

/// RFC 9110, section 5.5: CR, LF and NUL are dangerous, as receivers differ in what they take for the end.
fn is_one_line(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0'))
}

/// Why a head cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// A status of the kind 1xx, after which another head follows.
    NotFinal(StatusCode),
    /// The reason has a CR, an LF or a NUL.
    Reason,
    /// The value of this header has a CR, an LF or a NUL.
    Value(HeaderName),
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinal(status) => write!(f, "{} is not the status of a final response", status.as_str()),
            Self::Reason => f.write_str("the reason has a CR, an LF or a NUL"),
            Self::Value(name) => write!(f, "the value of the header {name} has a CR, an LF or a NUL"),
        }
    }
}

impl std::error::Error for HeadError {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn written(form: HeadForm, status: u16, reason: Option<&str>, lines: &[(&str, &str)]) -> Result<String, HeadError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let mut head = BytesMut::new();
        write_head(&mut head, form, StatusCode::from_u16(status).unwrap(), reason, &headers)?;
        Ok(String::from_utf8(head.to_vec()).unwrap())
    }

    #[test]
    fn each_form_begins_as_its_front_ends_expect() {
        let lines = [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
        let rest = "content-type: text/plain\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n";
        let cgi = written(HeadForm::Cgi, 404, None, &lines).unwrap();
        assert_eq!(cgi, format!("Status: 404 Not Found\r\n{rest}"));
        let http = written(HeadForm::Http, 404, None, &lines).unwrap();
        assert_eq!(http, format!("HTTP/1.1 404 Not Found\r\n{rest}"));
    }

    #[test]
    fn the_status_is_written_even_for_200_with_a_location() {
        let head = written(HeadForm::Cgi, 200, None, &[("location", "/local")]).unwrap();
        assert_eq!(head, "Status: 200 OK\r\nlocation: /local\r\n\r\n");
    }

    #[test]
    fn there_is_always_a_reason() {
        for (status, line) in [(299, "Success"), (399, "Redirection"), (499, "Client Error"), (599, "Server Error")] {
            assert_eq!(written(HeadForm::Cgi, status, None, &[]).unwrap(), format!("Status: {status} {line}\r\n\r\n"));
        }
        assert_eq!(written(HeadForm::Http, 999, None, &[]).unwrap(), "HTTP/1.1 999 Unknown\r\n\r\n");
        let own = written(HeadForm::Cgi, 404, Some("Gone fishing"), &[]).unwrap();
        assert_eq!(own, "Status: 404 Gone fishing\r\n\r\n");
    }

    #[test]
    fn a_header_of_the_name_status_does_not_reach_the_front_end() {
        assert_eq!(written(HeadForm::Cgi, 200, None, &[("status", "500")]).unwrap(), "Status: 200 OK\r\n\r\n");
    }

    #[test]
    fn the_variables_of_an_authorizer_are_in_capitals() {
        let lines = [("variable-auth_method", "Database Lookup"), ("x-variable-a", "b")];
        let head = written(HeadForm::Authorizer, 200, None, &lines).unwrap();
        assert_eq!(head, "Status: 200 OK\r\nVariable-AUTH_METHOD: Database Lookup\r\nx-variable-a: b\r\n\r\n");
        let head = written(HeadForm::Cgi, 200, None, &lines[..1]).unwrap();
        assert_eq!(head, "Status: 200 OK\r\nvariable-auth_method: Database Lookup\r\n\r\n");
    }

    #[test]
    fn nothing_that_ends_a_line_gets_through() {
        for bad in ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b"] {
            assert_eq!(written(HeadForm::Cgi, 200, Some(bad), &[]), Err(HeadError::Reason), "{bad:?}");
            // A HeaderValue with it cannot be made here: that is unsafe, and panics with debug assertions.
            assert!(!is_one_line(bad.as_bytes()), "{bad:?}");
        }
        assert!(is_one_line(b"") && is_one_line(b"a\t\xff b"));
        assert_eq!(written(HeadForm::Cgi, 103, None, &[]), Err(HeadError::NotFinal(StatusCode::EARLY_HINTS)));
    }
}
