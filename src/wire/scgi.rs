//! SCGI: the variables of a request in one netstring, and the body behind it as it is.
//!
//! A connection carries one request. The response is that of CGI ([`HeadForm::Cgi`](super::cgi::HeadForm::Cgi)) and ends
//! with the connection.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;

use super::Params;
use super::cgi::{ContentLength, ContentLengthError};

/// The digits that a length may have: more than any limit.
const MAX_DIGITS: usize = 9;

/// The request that a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    params: Params,
    content_length: u64,
}

impl Request {
    /// The variables, those of the protocol itself (`CONTENT_LENGTH`, `SCGI`) included.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The variables alone.
    pub fn into_params(self) -> Params {
        self.params
    }

    /// The bytes of the body that follows.
    pub fn content_length(&self) -> u64 {
        self.content_length
    }
}

/// Takes a request off the input; `None` where more bytes are needed, and nothing is taken then.
///
/// What is left in `input` is the beginning of the body. Names may repeat, though the specification forbids it: NGINX
/// repeats headers.
///
/// ```
/// use bytes::BytesMut;
/// use vestibule::wire::scgi;
///
/// let mut input = BytesMut::from("24:CONTENT_LENGTH\x004\0SCGI\x001\0,body");
/// let Some(request) = scgi::decode(&mut input, 65_536)? else { panic!("it is all there") };
/// assert_eq!(request.content_length(), 4);
/// assert_eq!(input, "body");
/// # Ok::<(), scgi::Error>(())
/// ```
///
/// # Errors
///
/// For what is no SCGI request, as soon as that can be seen.
pub fn decode(input: &mut BytesMut, max_params: usize) -> Result<Option<Request>, Error> {
    let Some((digits, length)) = netstring_length(input)? else { return Ok(None) };
    if length > max_params {
        return Err(Error::TooLarge);
    }
    let prefix = digits + ":".len();
    let Some(comma) = input.get(prefix + length) else { return Ok(None) };
    if *comma != b',' {
        return Err(Error::Netstring);
    }
    input.advance(prefix);
    let block = input.split_to(length).freeze();
    input.advance(",".len());
    let params = parse(block)?;
    let content_length = check(&params)?;
    Ok(Some(Request { params, content_length }))
}

/// How many digits the length has, and the length; `None` where it is not all there.
fn netstring_length(input: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let (mut digits, mut length) = (0, 0);
    for &byte in input {
        match byte {
            b':' if digits > 0 => return Ok(Some((digits, length))),
            // "Leading zeros are prohibited", and an empty block of headers has no CONTENT_LENGTH.
            b'0' if digits == 0 => return Err(Error::Netstring),
            b'0'..=b'9' if digits < MAX_DIGITS => length = length * 10 + usize::from(byte - b'0'),
            _ => return Err(Error::Netstring),
        }
        digits += 1;
    }
    Ok(None)
}

/// `headers ::= header*`, `header ::= name NUL value NUL`, `name ::= notnull+`.
fn parse(block: Bytes) -> Result<Params, Error> {
    let mut params = Params::of(block.clone());
    let mut at = 0;
    while at < block.len() {
        let name_end = at + until_nul(&block[at..]).filter(|length| *length > 0).ok_or(Error::Netstring)?;
        let value = name_end + 1;
        let value_end = value + until_nul(&block[value..]).ok_or(Error::Netstring)?;
        params.push(at..name_end, value..value_end);
        at = value_end + 1;
    }
    Ok(params)
}

fn until_nul(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == 0)
}

/// "The first header must have the name CONTENT_LENGTH and a value that is the length of the body in decimal", and there
/// must be one `SCGI` with the value `1`. The value of CONTENT_LENGTH is returned.
fn check(params: &Params) -> Result<u64, Error> {
    let lengths = params.iter().filter(|(name, _)| *name == b"CONTENT_LENGTH").count();
    let Some((b"CONTENT_LENGTH", length)) = params.iter().next().filter(|_| lengths == 1) else {
        return Err(Error::Headers);
    };
    if !params.iter().filter(|(name, _)| *name == b"SCGI").map(|(_, value)| value).eq([b"1"]) {
        return Err(Error::Headers);
    }
    match ContentLength::parse(Some(length)) {
        Ok(ContentLength::Known(length)) => Ok(length),
        // The specification wants a number where other protocols may have nothing.
        Ok(_) => Err(Error::ContentLength(ContentLengthError::Malformed)),
        Err(error) => Err(Error::ContentLength(error)),
    }
}

/// Why a request is refused; the connection carries nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It is no netstring of names and values.
    Netstring,
    /// The netstring is larger than the limit.
    TooLarge,
    /// `CONTENT_LENGTH` is not the first variable or not the only one of its name, or there is not one `SCGI` that is `1`.
    Headers,
    /// `CONTENT_LENGTH` is no length.
    ContentLength(ContentLengthError),
}

impl Error {
    /// The status to answer with; `None` where the connection is closed without an answer, as whatever is at its other
    /// end does not speak SCGI.
    pub fn status(self) -> Option<StatusCode> {
        match self {
            Self::Netstring => None,
            Self::TooLarge => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Headers => Some(StatusCode::BAD_REQUEST),
            Self::ContentLength(error) => Some(error.status()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netstring => f.write_str("an SCGI request does not begin with a netstring of variables"),
            Self::TooLarge => f.write_str("the SCGI variables of a request are too large"),
            Self::Headers => f.write_str("an SCGI request lacks CONTENT_LENGTH or SCGI where they have to be"),
            Self::ContentLength(error) => write!(f, "an SCGI request: {error}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 65_536;

    fn netstring(block: &str) -> BytesMut {
        BytesMut::from(&*format!("{}:{block},", block.len()))
    }

    fn decoded(input: &[u8]) -> Result<Option<Request>, Error> {
        decode(&mut BytesMut::from(input), LIMIT)
    }

    #[test]
    fn variables_are_read_and_the_body_stays() {
        let block = "CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0";
        let mut input = netstring(block);
        input.extend_from_slice(b"What is the answer to life?");
        let request = decode(&mut input, LIMIT).unwrap().unwrap();
        assert_eq!(request.content_length(), 27);
        assert_eq!(request.params().get("REQUEST_URI"), Some(&b"/deepthought"[..]));
        assert_eq!(request.into_params().len(), 4);
        assert_eq!(input, "What is the answer to life?");
    }

    #[test]
    fn a_request_that_is_not_all_there_waits_and_takes_nothing() {
        let whole = netstring("CONTENT_LENGTH\x000\0SCGI\x001\0");
        for end in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..end]);
            assert_eq!(decode(&mut input, LIMIT), Ok(None));
            assert_eq!(input, whole[..end]);
        }
    }

    #[test]
    fn what_is_no_netstring_is_closed_without_an_answer() {
        let rows = [
            "0:,",
            "04:",
            ":,",
            "-1:",
            "+1:",
            " 1:",
            "1 :",
            "99999999999:",
            "9999999999",
            "4\n",
            "GET / HTTP/1.1\r\n",
            "24:CONTENT_LENGTH\x000\0SCGI\x001\0;",
        ];
        for input in rows {
            assert_eq!(decoded(input.as_bytes()), Err(Error::Netstring), "{input:?}");
        }
        assert_eq!(Error::Netstring.status(), None);
    }

    #[test]
    fn names_without_values_or_without_ends_are_closed_without_an_answer() {
        let rows = [
            "CONTENT_LENGTH\x000\0SCGI\x001\0A\0",
            "CONTENT_LENGTH\x000\0SCGI\x001\0A",
            "CONTENT_LENGTH\x000\0SCGI\x001",
            "CONTENT_LENGTH\x000\0SCGI\x001\0\0empty name\0",
            "\0\0",
            "x",
        ];
        for block in rows {
            assert_eq!(decoded(&netstring(block)), Err(Error::Netstring), "{block:?}");
        }
    }

    #[test]
    fn variables_that_the_protocol_asks_for_are_400_when_they_are_not_as_it_says() {
        let rows = [
            "SCGI\x001\0CONTENT_LENGTH\x000\0",
            "SCGI\x001\0",
            "CONTENT_LENGTH\x000\0SCGI\x001\0CONTENT_LENGTH\x000\0",
            "CONTENT_LENGTH\x000\0",
            "CONTENT_LENGTH\x000\0SCGI\x002\0",
            "CONTENT_LENGTH\x000\0SCGI\0\0",
            "CONTENT_LENGTH\x000\0SCGI\x001\0SCGI\x001\0",
        ];
        for block in rows {
            assert_eq!(decoded(&netstring(block)), Err(Error::Headers), "{block:?}");
        }
        assert_eq!(Error::Headers.status().unwrap(), 400);
    }

    #[test]
    fn content_lengths_are_digits() {
        for (length, status) in [("", 400), ("-1", 400), ("a", 400), ("1 ", 400), ("99999999999999999999", 413)] {
            let error = decoded(&netstring(&format!("CONTENT_LENGTH\0{length}\0SCGI\x001\0"))).unwrap_err();
            assert_eq!(error.status().unwrap(), status, "{length:?}");
        }
    }

    #[test]
    fn repeated_headers_are_kept_as_nginx_sends_them() {
        let block = "CONTENT_LENGTH\x000\0SCGI\x001\0HTTP_X\0a\0HTTP_X\0\0";
        assert_eq!(decoded(&netstring(block)).unwrap().unwrap().params().len(), 4);
    }

    #[test]
    fn a_netstring_over_the_limit_is_known_by_its_length_and_answered() {
        assert_eq!(decoded(b"999999999:"), Err(Error::TooLarge));
        assert_eq!(decode(&mut BytesMut::from("101:"), 100), Err(Error::TooLarge));
        assert_eq!(decode(&mut BytesMut::from("100:"), 100), Ok(None));
        assert_eq!(Error::TooLarge.status().unwrap(), 431);
    }
}
