//! Reads responses as RFC 9112 defines them, and nothing that is only nearly one.

use std::io::{ErrorKind, Read};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::Result;
use crate::testing::conformance::{Response, Watch};

/// The most that is remembered of a response. The suite's own are smaller.
const MAX_HEAD: usize = 256 * 1024;
const MAX_BODY: usize = 64 * 1024 * 1024;
const MAX_INTERIM: usize = 16;

/// Reads the responses of one connection, one after the other.
pub(in crate::testing::conformance) struct Reader<C> {
    pub(in crate::testing::conformance) connection: C,
    buffer: Vec<u8>,
    /// How the connection ended, once it has.
    ended: Option<Ended>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Closed,
    Reset,
}

/// A response, and what was seen of it beside.
#[derive(Debug)]
pub(in crate::testing::conformance) struct Received {
    pub(in crate::testing::conformance) response: Response,
    /// The interim responses before it, such as 100.
    pub(in crate::testing::conformance) interim: Vec<u16>,
    pub(in crate::testing::conformance) sized: Sized,
}

/// How the end of the body was told: RFC 9112, section 6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing::conformance) enum Sized {
    /// There is none, whatever the headers say.
    NoBody,
    ByLength(u64),
    ByChunks,
    ByTheEndOfTheConnection,
}

impl<C: Read> Reader<C> {
    pub(in crate::testing::conformance) fn new(connection: C) -> Self {
        Self { connection, buffer: Vec::new(), ended: None }
    }

    /// Reads the next final response; the connection may be closed in the middle of its body, but not before that.
    pub(in crate::testing::conformance) fn response(&mut self, method: &str, watch: Watch<'_>) -> Result<Received> {
        let mut interim = Vec::new();
        let mut response = loop {
            let response = self.head()?;
            match response.status.as_u16() {
                100..=199 if interim.len() < MAX_INTERIM => interim.push(response.status.as_u16()),
                100..=199 => return Err("there are too many interim responses".into()),
                _ => break response,
            }
        };
        let sized = framing(&response, method)?;
        let mut body = Vec::new();
        response.complete = match sized {
            Sized::NoBody => true,
            Sized::ByLength(length) => self.read_exactly(length, &mut body, watch)?,
            Sized::ByChunks => self.read_chunks(&mut body, &mut response.trailers, watch)?,
            Sized::ByTheEndOfTheConnection => self.read_to_the_end(&mut body, watch)?,
        };
        response.body = body.into();
        Ok(Received { response, interim, sized })
    }

    /// Reads one head, perhaps that of an interim response.
    pub(in crate::testing::conformance) fn head(&mut self) -> Result<Response> {
        let mut left = MAX_HEAD;
        let line = self.line(&mut left)?.ok_or("the connection was closed without a response")?;
        let (status, reason) = status_line(&line)?;
        let mut response = Response::new(status);
        response.reason = Some(reason);
        match self.fields(&mut left, &mut response.headers)? {
            true => Ok(response),
            false => Err("the connection was closed in the middle of a head".into()),
        }
    }

    /// Whether the connection ends here, without another byte.
    pub(in crate::testing::conformance) fn is_closed(&mut self) -> Result<bool> {
        Ok(self.buffer.is_empty() && !self.fill()?)
    }

    /// Reads field lines up to the empty line: false if the connection ends before.
    fn fields(&mut self, left: &mut usize, fields: &mut HeaderMap) -> Result<bool> {
        loop {
            let Some(line) = self.line(left)? else { return Ok(false) };
            if line.is_empty() {
                return Ok(true);
            }
            let wrong = || format!("\"{}\" is not a header field", line.escape_ascii());
            let colon = line.iter().position(|&byte| byte == b':').ok_or_else(wrong)?;
            let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| wrong())?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).map_err(|_| wrong())?;
            fields.try_append(name, value).map_err(|_| "there are too many header fields")?;
        }
    }

    /// A line without its CRLF, taken from what is left of the limit; `None` if the connection ends before it does.
    fn line(&mut self, left: &mut usize) -> Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.buffer[looked..].iter().position(|&byte| byte == b'\n') {
                let end = looked + at;
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                *left = left.checked_sub(line.len()).ok_or("a head is too long")?;
                line.pop();
                // RFC 9112, section 2.2: a line ends in CRLF; who sends a bare CR or LF invites misreading.
                return match line.pop() {
                    Some(b'\r') if !line.contains(&b'\r') => Ok(Some(line)),
                    _ => Err(format!("the line \"{}\" does not end in CRLF", line.escape_ascii()).into()),
                };
            }
            looked = self.buffer.len();
            if looked > *left {
                return Err("a head is too long".into());
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn read_exactly(&mut self, length: u64, body: &mut Vec<u8>, watch: Watch<'_>) -> Result<bool> {
        let end = (body.len() as u64).checked_add(length).filter(|&end| end <= MAX_BODY as u64);
        let end = end.ok_or("the body is longer than the suite's own are")? as usize;
        while body.len() < end {
            if self.buffer.is_empty() && !self.fill()? {
                return Ok(false);
            }
            let taken = self.buffer.len().min(end - body.len());
            body.extend(self.buffer.drain(..taken));
            if watch(body).is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_to_the_end(&mut self, body: &mut Vec<u8>, watch: Watch<'_>) -> Result<bool> {
        loop {
            if !self.buffer.is_empty() {
                body.append(&mut self.buffer);
                if body.len() > MAX_BODY {
                    return Err("the body is longer than the suite's own are".into());
                }
                if watch(body).is_break() {
                    return Ok(false);
                }
            }
            if !self.fill()? {
                return Ok(self.ended == Some(Ended::Closed));
            }
        }
    }

    /// RFC 9112, section 7.1.
    fn read_chunks(&mut self, body: &mut Vec<u8>, trailers: &mut HeaderMap, watch: Watch<'_>) -> Result<bool> {
        loop {
            let Some(line) = self.line(&mut 256)? else { return Ok(false) };
            let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
            let digits =
                std::str::from_utf8(size).ok().filter(|size| size.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let size = digits.and_then(|size| u64::from_str_radix(size, 16).ok());
            let size = size.ok_or_else(|| format!("\"{}\" is not the size of a chunk", line.escape_ascii()))?;
            if size == 0 {
                return self.fields(&mut MAX_HEAD.clone(), trailers);
            }
            if !self.read_exactly(size, body, watch)? {
                return Ok(false);
            }
            match self.line(&mut 2)? {
                Some(line) if line.is_empty() => {}
                Some(_) => return Err("a chunk is longer than its size".into()),
                None => return Ok(false),
            }
        }
    }

    /// Reads more into the buffer: false at the end of the connection.
    fn fill(&mut self) -> Result<bool> {
        if self.ended.is_some() {
            return Ok(false);
        }
        let mut part = [0; 16 * 1024];
        loop {
            match self.connection.read(&mut part) {
                Ok(0) => self.ended = Some(Ended::Closed),
                Ok(n) => self.buffer.extend_from_slice(&part[..n.min(part.len())]),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err("there was no answer in time".into()),
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                        self.ended = Some(Ended::Reset);
                    }
                    _ => return Err(error.into()),
                },
            }
            return Ok(self.ended.is_none());
        }
    }
}

/// `HTTP/1.1 200 OK`: RFC 9112, section 4. The space before an empty reason has to be there.
fn status_line(line: &[u8]) -> Result<(StatusCode, String)> {
    let wrong = || format!("\"{}\" is not a status line", line.escape_ascii());
    let rest = line.strip_prefix(b"HTTP/1.1 ").or(line.strip_prefix(b"HTTP/1.0 ")).ok_or_else(wrong)?;
    let (status, reason) = rest.split_at_checked(3).ok_or_else(wrong)?;
    let status = StatusCode::from_bytes(status).map_err(|_| wrong())?;
    let reason = reason.strip_prefix(b" ").ok_or_else(wrong)?;
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    match reason.iter().all(is_text) {
        true => Ok((status, String::from_utf8_lossy(reason).into_owned())),
        false => Err(wrong().into()),
    }
}

/// RFC 9112, section 6.3.
fn framing(response: &Response, method: &str) -> Result<Sized> {
    let status = response.status.as_u16();
    let chunked = response.headers.get_all(TRANSFER_ENCODING).iter().collect::<Vec<_>>();
    let lengths = response.headers.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>();
    if lengths.len() > 1 || (!lengths.is_empty() && !chunked.is_empty()) {
        return Err(format!("the body is framed twice: {lengths:?} {chunked:?}").into());
    }
    let length = match lengths.first() {
        Some(length) => match crate::head::decimal(length.as_bytes()) {
            Some(length) => Some(length),
            None => return Err(format!("{length:?} is not a length").into()),
        },
        None => None,
    };
    if method == "HEAD" || status == 204 || status == 304 {
        return Ok(Sized::NoBody);
    }
    match (&chunked[..], length) {
        ([], Some(length)) => Ok(Sized::ByLength(length)),
        ([], None) => Ok(Sized::ByTheEndOfTheConnection),
        ([coding], _) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(Sized::ByChunks),
        _ => Err(format!("{chunked:?} is not a transfer coding that a client knows").into()),
    }
}
