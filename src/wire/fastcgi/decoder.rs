//! `Decoder`: the bytes of a connection in, events out.

use bytes::{Buf, Bytes, BytesMut};

use super::record::{Header, RecordType};
use super::requests::Requests;
use super::{ConnectionError, Event, pairs};

/// The limit of the variables of a request: four times what uwsgi can carry.
const MAX_PARAMS: usize = 256 * 1024;
/// The limit of the requests of a connection. HAProxy, which alone sends several, is told so when it asks.
const MAX_REQUESTS: usize = 64;
/// The content of a BEGIN_REQUEST.
const BEGIN_LENGTH: u16 = 8;
/// In the flags of a BEGIN_REQUEST.
const KEEP_CONN: u8 = 1;
/// Up to this a block of a body is copied, lest 5 bytes of a form hold a whole read buffer.
const COPIED: usize = 1024;

/// What has arrived on a connection, taken apart into events.
///
/// It keeps what is unfinished, so every byte that it is given is consumed, but for less than a header. Records that
/// mean nothing are skipped: those for ids that are not active (FastCGI 1.0, section 3.3), the DATA stream, padding.
///
/// It takes memory for bytes that are there, never for lengths that are announced: at most twice
/// [`max_params`](Self::max_params) for each of [`max_requests`](Self::max_requests), while their variables arrive.
#[derive(Debug)]
pub struct Decoder {
    requests: Requests,
    state: State,
    /// The content of a record that has to be seen whole.
    gathered: Vec<u8>,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    Content { of: Content, left: usize, padding: usize },
    Skip(usize),
    Failed(ConnectionError),
}

/// Whose content it is.
#[derive(Debug, Clone, Copy)]
enum Content {
    Begin(u16),
    Values,
    Params(u16),
    Stdin(u16),
}

enum Progress {
    Event(Event),
    Step,
    Starved,
}

impl Decoder {
    /// A decoder for a new connection.
    pub fn new() -> Self {
        Self { requests: Requests::new(MAX_REQUESTS, MAX_PARAMS), state: State::Header, gathered: Vec::new() }
    }

    /// Limits the variables of a request to so many bytes as they are sent; 256 KiB by default. What is larger is
    /// [`TooLarge`](super::ParamsError::TooLarge), and the excess is not stored.
    #[must_use]
    pub fn max_params(mut self, bytes: usize) -> Self {
        self.requests.max_params = bytes;
        self
    }

    /// Limits the requests that are open at once on the connection; 64 by default, and at least 1. What is more is
    /// [`TooManyRequests`](super::Refusal::TooManyRequests).
    #[must_use]
    pub fn max_requests(mut self, count: usize) -> Self {
        self.requests.max = count.max(1);
        self
    }

    /// Consumes bytes until an event is complete; `None` where more bytes are needed.
    ///
    /// It gives one event at a time, so that one who cannot take more of a body can stop: what is behind it stays in
    /// `input`.
    ///
    /// # Errors
    ///
    /// Where the connection cannot go on; again at each later call.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ConnectionError> {
        loop {
            match self.step(input) {
                Ok(Progress::Step) => {}
                Ok(Progress::Event(event)) => return Ok(Some(event)),
                Ok(Progress::Starved) => return Ok(None),
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
        }
    }

    /// Notes that END_REQUEST was written for a request, which is over then. Nothing that still comes for it is passed
    /// on, and its id may begin anew.
    ///
    /// Call it before the bytes can reach the web server, which may use the id again at once.
    pub fn end(&mut self, id: u16) {
        self.requests.end(id);
    }

    /// Whether nothing is under way: each request was answered, and each STDIN has ended or was aborted.
    ///
    /// A connection that is to be closed is best closed then, or after a short wait: a web server that is still sending
    /// may see its connection reset before it reads the response.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty() && matches!(self.state, State::Header | State::Skip(_))
    }

    /// The memory that is taken by what has arrived and makes no event yet, in bytes.
    pub fn buffered(&self) -> usize {
        self.requests.buffered() + self.gathered.capacity()
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Progress, ConnectionError> {
        let event = match self.state {
            State::Header => {
                let Some(&header) = input.first_chunk() else { return Ok(Progress::Starved) };
                input.advance(Header::LEN);
                self.begin_record(Header::parse(header)?)?
            }
            State::Content { left: 0, of, padding } => {
                self.state = State::Skip(padding);
                self.end_content(of)?
            }
            State::Skip(0) => {
                self.state = State::Header;
                None
            }
            State::Content { .. } | State::Skip(_) if input.is_empty() => return Ok(Progress::Starved),
            State::Content { of, left, padding } => {
                let some = left.min(input.len());
                self.state = State::Content { of, left: left - some, padding };
                self.content(of, input, some)
            }
            State::Skip(left) => {
                let some = left.min(input.len());
                input.advance(some);
                self.state = State::Skip(left - some);
                None
            }
            State::Failed(error) => return Err(error),
        };
        Ok(event.map_or(Progress::Step, Progress::Event))
    }

    fn begin_record(&mut self, header: Header) -> Result<Option<Event>, ConnectionError> {
        let (id, left, padding) = (header.id(), usize::from(header.length()), usize::from(header.padding()));
        let mut event = None;
        let content = match header.record_type() {
            RecordType::BeginRequest if id == 0 => return Err(ConnectionError::NullId),
            RecordType::BeginRequest if header.length() != BEGIN_LENGTH => {
                return Err(ConnectionError::BeginLength(header.length()));
            }
            RecordType::BeginRequest => Some(Content::Begin(id)),
            RecordType::Params if left > 0 => Some(Content::Params(id)),
            RecordType::Params => {
                event = self.requests.end_of_params(id);
                None
            }
            RecordType::Stdin => {
                event = self.requests.turn_of_stdin(id);
                if left == 0 {
                    let end = self.requests.end_of_stdin(id);
                    event = event.or(end);
                }
                Some(Content::Stdin(id))
            }
            RecordType::AbortRequest => {
                event = self.requests.abort(id);
                None
            }
            RecordType::GetValues if id == 0 => Some(Content::Values),
            RecordType::Other(code) if id == 0 => {
                event = Some(Event::UnknownType { code });
                None
            }
            // Records for the other side, for the filter's role, or of a type that a request cannot have: an answer
            // UNKNOWN_TYPE is for management records alone, FastCGI 1.0, section 4.2.
            _ => None,
        };
        self.state = match content {
            Some(of) => State::Content { of, left, padding },
            None => State::Skip(left + padding),
        };
        Ok(event)
    }

    /// Some bytes of content, which are in the input.
    fn content(&mut self, of: Content, input: &mut BytesMut, some: usize) -> Option<Event> {
        match of {
            Content::Stdin(id) if self.requests.wants_stdin(id) => {
                return Some(Event::Stdin { id, block: take(input, some) });
            }
            Content::Stdin(_) => {}
            Content::Params(id) => self.requests.params(id, &input[..some]),
            Content::Begin(_) | Content::Values => self.gathered.extend_from_slice(&input[..some]),
        }
        input.advance(some);
        None
    }

    fn end_content(&mut self, of: Content) -> Result<Option<Event>, ConnectionError> {
        match of {
            Content::Begin(id) => {
                let role = u16::from_be_bytes([self.gathered[0], self.gathered[1]]);
                let keep_conn = self.gathered[2] & KEEP_CONN != 0;
                self.gathered.clear();
                self.requests.begin(id, role, keep_conn).map(Some)
            }
            Content::Values => {
                let names = pairs::parse(std::mem::take(&mut self.gathered).into());
                let names = names.map_err(|_| ConnectionError::MalformedValues)?;
                Ok(Some(Event::GetValues { names }))
            }
            Content::Params(_) | Content::Stdin(_) => Ok(None),
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The first bytes of the input: a large block is not copied.
fn take(input: &mut BytesMut, some: usize) -> Bytes {
    if some > COPIED {
        return input.split_to(some).freeze();
    }
    let block = Bytes::copy_from_slice(&input[..some]);
    input.advance(some);
    block
}

#[cfg(test)]
mod tests;
