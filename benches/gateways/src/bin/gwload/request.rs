//! The requests, as bytes of each protocol.

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    FastCgi { keeps: bool },
    Scgi,
    Uwsgi,
    Http,
}

#[derive(Clone, Copy)]
pub enum Work {
    Hello,
    /// So many bytes are sent.
    Post(usize),
    /// So many bytes are asked for.
    Download(usize),
}

/// A request: its beginning, the same block again and again, its end.
pub struct Request {
    first: Vec<u8>,
    block: Vec<u8>,
    blocks: usize,
    last: Vec<u8>,
}

/// What a browser sends.
const HEADERS: [(&str, &str); 10] = [
    ("Host", "bench.example.org"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.8,de;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Cookie", "session=4f0c2d9a8b7e6f5d4c3b2a190817263544536271; theme=dark; consent=all"),
    ("Referer", "https://bench.example.org/somewhere/else?page=2"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Priority", "u=0, i"),
];

/// How much content a record of STDIN has, as NGINX sends them, and how much of other bodies is written at once.
const RECORD: usize = 32 * 1024;
/// Up to this a request is one piece.
const WHOLE: usize = 128 * 1024;

impl Protocol {
    pub fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "fastcgi" => Self::FastCgi { keeps: true },
            "fastcgi-close" => Self::FastCgi { keeps: false },
            "scgi" => Self::Scgi,
            "uwsgi" => Self::Uwsgi,
            "http" => Self::Http,
            _ => return Err(format!("no protocol is called {name}")),
        })
    }
}

impl Request {
    pub fn new(protocol: Protocol, work: Work, id: u16) -> Self {
        let length = if let Work::Post(length) = work { length } else { 0 };
        let (first, last) = match protocol {
            Protocol::FastCgi { keeps } => (fastcgi(work, id, keeps), record(5, id, &[])),
            Protocol::Scgi => (scgi(work), Vec::new()),
            Protocol::Uwsgi => (uwsgi(work), Vec::new()),
            Protocol::Http => (http(work), Vec::new()),
        };
        let framed = |content: Vec<u8>| match protocol {
            Protocol::FastCgi { .. } if content.is_empty() => Vec::new(),
            Protocol::FastCgi { .. } => record(5, id, &content),
            _ => content,
        };
        let rest = framed(vec![b'x'; length % RECORD]);
        let block = framed(vec![b'x'; RECORD]);
        let request = Self { first, block, blocks: length / RECORD, last: [rest, last].concat() };
        if length > WHOLE { request } else { request.joined() }
    }

    /// All of it in the first piece.
    fn joined(self) -> Self {
        let first = [self.first, self.block.repeat(self.blocks), self.last].concat();
        Self { first, block: Vec::new(), blocks: 0, last: Vec::new() }
    }

    /// The whole of it, where it is small.
    pub fn whole(&self) -> Option<&[u8]> {
        (self.blocks == 0).then_some(&self.first)
    }

    pub async fn write(&self, stream: &mut UnixStream) -> std::io::Result<()> {
        stream.write_all(&self.first).await?;
        for _ in 0..self.blocks {
            stream.write_all(&self.block).await?;
        }
        stream.write_all(&self.last).await
    }
}

/// The 27 variables, CONTENT_LENGTH first, as SCGI wants it.
fn variables(work: Work) -> Vec<(String, String)> {
    let (method, path, query, length) = match work {
        Work::Hello => ("GET", "/", String::new(), String::new()),
        Work::Post(length) => ("POST", "/upload", String::new(), length.to_string()),
        Work::Download(length) => ("GET", "/stream", length.to_string(), String::new()),
    };
    let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let content_type = if length.is_empty() { "" } else { "application/octet-stream" };
    let meta = [
        ("CONTENT_LENGTH", &*length),
        ("CONTENT_TYPE", content_type),
        ("QUERY_STRING", &query),
        ("REQUEST_METHOD", method),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", path),
        ("REQUEST_URI", &uri),
        ("DOCUMENT_URI", path),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", "40123"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_PORT", "80"),
        ("SERVER_NAME", "bench.example.org"),
    ];
    let meta = meta.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = HEADERS.map(|(name, value)| {
        let name = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
        (name, value.to_owned())
    });
    meta.into_iter().chain(headers).collect()
}

fn fastcgi(work: Work, id: u16, keeps: bool) -> Vec<u8> {
    let begin = record(1, id, &[0, 1, u8::from(keeps), 0, 0, 0, 0, 0]);
    let mut params = Vec::new();
    for (name, value) in variables(work) {
        for length in [name.len(), value.len()] {
            match u8::try_from(length) {
                Ok(length @ ..128) => params.push(length),
                _ => params.extend((length as u32 | 1 << 31).to_be_bytes()),
            }
        }
        params.extend(name.bytes().chain(value.bytes()));
    }
    [begin, record(4, id, &params), record(4, id, &[])].concat()
}

fn record(code: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let ([id1, id0], [length1, length0]) = (id.to_be_bytes(), (content.len() as u16).to_be_bytes());
    let padding = content.len().next_multiple_of(8) - content.len();
    let header = [1, code, id1, id0, length1, length0, padding as u8, 0];
    [&header, content, &[0; 8][..padding]].concat()
}

fn scgi(work: Work) -> Vec<u8> {
    let mut variables = variables(work);
    if variables[0].1.is_empty() {
        variables[0].1 = "0".to_owned();
    }
    variables.insert(1, ("SCGI".to_owned(), "1".to_owned()));
    let text: String = variables.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    format!("{}:{text},", text.len()).into_bytes()
}

fn uwsgi(work: Work) -> Vec<u8> {
    let mut packet = Vec::new();
    for (name, value) in variables(work) {
        for text in [name, value] {
            packet.extend((text.len() as u16).to_le_bytes());
            packet.extend(text.bytes());
        }
    }
    let [low, high] = (packet.len() as u16).to_le_bytes();
    [vec![0, low, high, 0], packet].concat()
}

fn http(work: Work) -> Vec<u8> {
    let (line, length) = match work {
        Work::Hello => ("GET / HTTP/1.1".to_owned(), String::new()),
        Work::Post(length) => ("POST /upload HTTP/1.1".to_owned(), format!("Content-Length: {length}\r\n")),
        Work::Download(length) => (format!("GET /stream?{length} HTTP/1.1"), String::new()),
    };
    let headers: String = HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{line}\r\n{headers}{length}\r\n").into_bytes()
}
