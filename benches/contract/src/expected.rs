//! What a response has to be, so that nothing measures an error.

/// What a response has to be.
#[derive(Clone, Copy)]
pub struct Expected {
    pub status: &'static str,
    /// How lines begin that the head has.
    pub lines: &'static [&'static str],
    /// How a line begins that the head must not have; "" where it may have any.
    pub absent: &'static str,
    /// Whether this is the body.
    pub has_body: fn(&[u8]) -> bool,
}

impl Expected {
    /// Says what is wrong with a response.
    pub fn complaint(&self, response: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(response);
        let Some((head, _)) = text.split_once("\r\n\r\n") else { return Some("there is no whole head".into()) };
        let body = &response[head.len() + "\r\n\r\n".len()..];
        let lines = || head.split("\r\n");
        if !head.starts_with(&format!("HTTP/1.1 {}", self.status)) {
            return Some(format!("not a {}", self.status));
        }
        if let Some(line) = self.lines.iter().find(|wanted| !lines().any(|line| line.starts_with(**wanted))) {
            return Some(format!("`{line}` is missing"));
        }
        if !self.absent.is_empty() && lines().any(|line| line.starts_with(self.absent)) {
            return Some(format!("{} is there", self.absent));
        }
        if !head.contains("\r\ndate: ") {
            return Some("Date is missing".into());
        }
        (!(self.has_body)(body)).then(|| "the body is another".into())
    }
}

pub const OK: Expected =
    Expected { status: "200 OK", lines: &[], absent: "", has_body: |body| body == b"Hello, World!" };

/// A response of `Hello, World!`, with lines in its head that begin so.
pub const fn with(lines: &'static [&'static str]) -> Expected {
    Expected { lines, ..OK }
}
