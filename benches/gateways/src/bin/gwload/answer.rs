//! A response as it comes: its head as CGI or HTTP has it, and a body that is compared with what it has to be.

/// What the body of each response has to be.
pub enum Expected {
    Hello,
    /// This number, in decimal.
    Number(String),
    /// So many bytes `x`.
    Stream(usize),
}

#[derive(Default)]
pub struct Answer {
    head: Vec<u8>,
    has_head: bool,
    is_wrong: bool,
    length: Option<usize>,
    chunks: Option<Chunks>,
    received: usize,
}

/// Where in a chunked body it is.
#[derive(Default)]
struct Chunks {
    line: Vec<u8>,
    /// What is left of a chunk and the line end behind it; 0 before a line with a size.
    left: usize,
    is_last: bool,
    is_over: bool,
}

impl Answer {
    /// Takes bytes that have come; true when the response is complete by what its head says.
    pub fn take(&mut self, mut bytes: &[u8], expected: &Expected) -> bool {
        if !self.has_head {
            let before = self.head.len();
            self.head.extend_from_slice(bytes);
            let from = before.saturating_sub(3);
            let Some(at) = self.head[from..].windows(4).position(|four| four == b"\r\n\r\n") else { return false };
            let end = from + at + 4;
            bytes = &bytes[end - before..];
            self.head.truncate(end);
            self.read_head();
        }
        match self.chunks.take() {
            Some(mut chunks) => {
                chunks.take(bytes, |piece| self.body(piece, expected));
                self.is_wrong |= chunks.is_over && self.length.is_some();
                let is_over = chunks.is_over;
                self.chunks = Some(chunks);
                is_over
            }
            None => {
                self.body(bytes, expected);
                self.length.is_some_and(|length| self.received >= length)
            }
        }
    }

    /// Whether it was what is expected, when it is complete by what its connection says.
    pub fn is_right(&self, expected: &Expected) -> bool {
        let length = match expected {
            Expected::Hello => HELLO.len(),
            Expected::Number(number) => number.len(),
            Expected::Stream(length) => *length,
        };
        let is_complete = self.chunks.as_ref().is_none_or(|chunks| chunks.is_over);
        let is_as_announced = self.length.is_none_or(|announced| announced == length);
        self.has_head && !self.is_wrong && is_complete && is_as_announced && self.received == length
    }

    /// Makes it ready for the next response.
    pub fn clear(&mut self) {
        self.head.clear();
        *self = Self { head: std::mem::take(&mut self.head), ..Self::default() };
    }

    fn read_head(&mut self) {
        self.has_head = true;
        for line in self.head.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii_end();
            let status = line.strip_prefix(b"Status: ").or_else(|| line.strip_prefix(b"HTTP/1.1 "));
            if let Some(status) = status.or_else(|| line.strip_prefix(b"HTTP/1.0 ")) {
                self.is_wrong |= !status.starts_with(b"200");
            }
            let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                self.length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                self.chunks = Some(Chunks::default());
            }
        }
    }

    fn body(&mut self, bytes: &[u8], expected: &Expected) {
        let whole = match expected {
            Expected::Hello => HELLO,
            Expected::Number(number) => number.as_bytes(),
            Expected::Stream(_) => {
                self.is_wrong |= bytes.iter().any(|&byte| byte != b'x');
                self.received += bytes.len();
                return;
            }
        };
        self.is_wrong |= whole.get(self.received..self.received + bytes.len()) != Some(bytes);
        self.received += bytes.len();
    }
}

const HELLO: &[u8] = b"Hello, World!";

impl Chunks {
    fn take(&mut self, mut bytes: &[u8], mut body: impl FnMut(&[u8])) {
        while !bytes.is_empty() && !self.is_over {
            if self.left > 0 {
                let some = self.left.min(bytes.len());
                // The last two bytes are the end of the line.
                body(&bytes[..some.min(self.left.saturating_sub(2))]);
                (self.left, bytes) = (self.left - some, &bytes[some..]);
                continue;
            }
            let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.line.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        if self.is_last {
            self.is_over = text.trim().is_empty();
        } else {
            match usize::from_str_radix(text.trim(), 16) {
                Ok(size @ 1..) => self.left = size + 2,
                // What is no size ends it too early, which shows.
                _ => self.is_last = true,
            }
        }
        self.line.clear();
    }
}
