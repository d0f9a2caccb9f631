//! HTTP/2 frames by hand (RFC 9113, section 4.1), for what no client would send.

use std::io::{self, Read, Write};
use std::net::TcpStream;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

/// RFC 9113, section 7.
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The error that a RST_STREAM, or a GOAWAY, gives.
    pub(crate) fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload)?;
        let id = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Ok(Self { kind: head[3], flags: head[4], stream: id, payload })
    }
}

/// Header lines, each a literal without indexing (RFC 7541, section 6.2.2).
pub(crate) fn block(lines: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in lines {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// An integer with a prefix of 7 bits (RFC 7541, section 5.1).
fn length(bytes: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return bytes.push(u8::try_from(length).unwrap());
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// The pseudo-headers of a request, and more lines.
pub(crate) fn request<'a>(method: &'a str, path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")];
    block(&[&pseudo[..], more].concat())
}

/// The status in a response's header block, whose first line it is. What it may be indexed as: RFC 7541, appendix A.
pub(crate) fn status(block: &[u8]) -> u16 {
    match block[0] {
        0x88 => 200,
        0x89 => 204,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        // A literal with the name of an indexed line, its value plain or in the code of Huffman.
        0x48 | 0x08 if block[1] & 128 == 0 => std::str::from_utf8(&block[2..5]).unwrap().parse().unwrap(),
        0x48 | 0x08 => huffman_status(&block[2..2 + usize::from(block[1] & 127)]),
        other => panic!("a status that this does not read: {other:#x} in {block:x?}"),
    }
}

/// The digits of a status (RFC 7541, appendix B): those up to 2 have 5 bits, the others 6.
fn huffman_status(bytes: &[u8]) -> u16 {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let take = |length: usize| bits[at..at + length].iter().fold(0_u16, |code, &bit| code << 1 | u16::from(bit));
        let (digit, length) = match take(5) {
            digit @ 0..=2 => (digit, 5),
            _ => (take(6) - 0x19 + 3, 6),
        };
        status = status * 10 + digit;
        at += length;
    }
    status
}

/// A connection that has begun.
pub(crate) struct Connection(pub(crate) TcpStream);

impl Connection {
    /// Begins with these settings.
    pub(crate) fn begin(mut stream: TcpStream, settings: &[(u16, u32)]) -> Self {
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        let mut connection = Self(stream);
        connection.send(&Frame::new(SETTINGS, 0, 0, payload)).unwrap();
        connection
    }

    pub(crate) fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.0.write_all(&frame.bytes())
    }

    /// A request without a body.
    pub(crate) fn get(&mut self, stream: u32, path: &str, more: &[(&str, &str)]) -> io::Result<()> {
        self.send(&Frame::new(HEADERS, END_HEADERS | END_STREAM, stream, request("GET", path, more)))
    }

    /// The next frame that is not about settings, windows or a ping; `None` when the connection is closed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = Frame::read(&mut self.0).ok()?;
            match (frame.kind, frame.flags) {
                (SETTINGS, 0) => drop(self.send(&Frame::new(SETTINGS, ACK, 0, []))),
                (PING, 0) => drop(self.send(&Frame::new(PING, ACK, 0, frame.payload))),
                (SETTINGS | PING | WINDOW_UPDATE, _) => {}
                _ => return Some(frame),
            }
        }
    }

    /// How a stream ends: its status, its body, and the error that it was reset with.
    pub(crate) fn response(&mut self, stream: u32) -> (u16, Vec<u8>, Option<u32>) {
        let (mut code, mut body) = (0, Vec::new());
        while let Some(frame) = self.next() {
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS if code == 0 => code = status(&frame.payload),
                DATA => body.extend_from_slice(&frame.payload),
                RST_STREAM => return (code, body, Some(frame.error())),
                _ => {}
            }
            if frame.flags & END_STREAM != 0 {
                return (code, body, None);
            }
        }
        (code, body, Some(u32::MAX))
    }

    /// Reads to the end of the connection; the error of its GOAWAY, if there was one.
    pub(crate) fn goaway(&mut self) -> Option<u32> {
        let mut error = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                error = Some(frame.error());
            }
        }
        error
    }
}
