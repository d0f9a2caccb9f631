//! What a response has to be, so that nothing measures an error.

use std::sync::OnceLock;

/// What a response has to be.
#[derive(Clone, Copy)]
pub struct Expected {
    pub status: &'static str,
    /// How lines begin that the head has.
    pub lines: &'static [&'static str],
    /// How a line begins that the head must not have; "" where it may have any.
    pub absent: &'static str,
    pub content: Content,
}

#[derive(Clone, Copy)]
pub enum Content {
    Nothing,
    Hello,
    /// All of [`page`].
    Page,
    /// All of [`page`], by gzip.
    Gzipped,
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
        let is_whole = match self.content {
            Content::Nothing => body.is_empty(),
            Content::Hello => body == b"Hello, World!",
            Content::Page => body == page().as_bytes(),
            // It begins as RFC 1952 says, and its end tells how many bytes were compressed.
            Content::Gzipped => {
                let has = |bytes: &[u8]| body.windows(bytes.len()).any(|part| part == bytes);
                has(&[0x1f, 0x8b, 8]) && has(&4096_u32.to_le_bytes()) && body.len() < 2048
            }
        };
        (!is_whole).then(|| "the body is another".into())
    }
}

pub const OK: Expected = Expected { status: "200 OK", lines: &[], absent: "", content: Content::Hello };

/// A response of `Hello, World!`, with lines in its head that begin so.
pub const fn with(lines: &'static [&'static str]) -> Expected {
    Expected { lines, ..OK }
}

/// 4,096 bytes of words.
pub fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let words: Vec<&str> =
            "a room before the application where each request leaves its coat and is asked for ticket"
                .split(' ')
                .collect();
        let mut state = 1_u32;
        let mut page = String::new();
        while page.len() < 4096 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            page.push_str(words[(state >> 16) as usize % words.len()]);
            page.push(if state >> 20 & 15 == 0 { '\n' } else { ' ' });
        }
        page.truncate(4096);
        page
    })
}
