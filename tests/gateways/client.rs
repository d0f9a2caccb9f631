//! The web server's side: requests in each protocol, and the answers to them.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use vestibule::wire::fastcgi::{Header, RecordType};

use crate::serving::{Kind, Stream};
use crate::web_server::{KEEP_CONN, Pairs, RESPONDER, begin, params, record, stream};

/// A request as web servers see it, whatever protocol brings it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    variables: Pairs,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let request = Self { variables: Vec::new(), body: Vec::new() };
        request
            .with("REQUEST_METHOD", method)
            .with("REQUEST_URI", path)
            .with("SCRIPT_NAME", "")
            .with("PATH_INFO", path.split('?').next().unwrap())
            .with("QUERY_STRING", path.split_once('?').map_or("", |(_, query)| query))
            .with("SERVER_PROTOCOL", "HTTP/1.1")
            .with("SERVER_NAME", "example")
            .with("SERVER_PORT", "80")
            .with("REMOTE_ADDR", "192.0.2.1")
            .with("REMOTE_PORT", "4000")
            .with("HTTP_HOST", "example")
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self::new("POST", path).with("CONTENT_LENGTH", body.len().to_string()).bringing(body)
    }

    /// With a variable, in the place of one of this name.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self = self.without(name);
        self.variables.push((name.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(other, _)| other != name.as_bytes());
        self
    }

    /// With a body, whatever its CONTENT_LENGTH says.
    pub(crate) fn bringing(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn variables(&self) -> &Pairs {
        &self.variables
    }

    /// All of it; over FastCGI it is the only one of its connection.
    pub(crate) fn bytes(&self, kind: Kind) -> Vec<u8> {
        match kind {
            Kind::FastCgi => self.fastcgi(1, 0),
            _ => [self.head(kind), self.body.clone()].concat(),
        }
    }

    /// What comes before the body; over FastCGI it is the only request of its connection.
    pub(crate) fn head(&self, kind: Kind) -> Vec<u8> {
        match kind {
            Kind::FastCgi => self.fastcgi_head(1, 0),
            Kind::Scgi => netstring(&self.scgi_variables()),
            Kind::Uwsgi => packet(&self.variables),
        }
    }

    fn scgi_variables(&self) -> Pairs {
        let mut length = b"0".to_vec();
        let mut variables = self.variables.clone();
        variables.retain(|(name, value)| match &name[..] {
            b"CONTENT_LENGTH" => {
                length.clone_from(value);
                false
            }
            _ => true,
        });
        variables.insert(0, (b"CONTENT_LENGTH".into(), length));
        variables.insert(1, (b"SCGI".into(), b"1".into()));
        variables
    }

    pub(crate) fn fastcgi(&self, id: u16, flags: u8) -> Vec<u8> {
        let body = stream(RecordType::Stdin, id, &self.body, &[32_768], 0).concat();
        [self.fastcgi_head(id, flags), body].concat()
    }

    pub(crate) fn kept(&self, id: u16) -> Vec<u8> {
        self.fastcgi(id, KEEP_CONN)
    }

    /// BEGIN_REQUEST and PARAMS.
    pub(crate) fn fastcgi_head(&self, id: u16, flags: u8) -> Vec<u8> {
        self.fastcgi_role(id, RESPONDER, flags)
    }

    pub(crate) fn fastcgi_role(&self, id: u16, role: u8, flags: u8) -> Vec<u8> {
        let variables = stream(RecordType::Params, id, &params(&self.variables), &[65_535], 0).concat();
        [begin(id, role, flags), variables].concat()
    }
}

/// Records of STDIN, without the end.
pub(crate) fn stdin(id: u16, bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(32_768).flat_map(|part| record(RecordType::Stdin, id, part, 0)).collect()
}

pub(crate) fn end_of_stdin(id: u16) -> Vec<u8> {
    record(RecordType::Stdin, id, b"", 0)
}

/// Variables as SCGI has them.
pub(crate) fn netstring(variables: &Pairs) -> Vec<u8> {
    let block: Vec<u8> = variables.iter().flat_map(|(name, value)| [name, &b"\0"[..], value, b"\0"].concat()).collect();
    [format!("{}:", block.len()).as_bytes(), &block, b","].concat()
}

/// Variables as uwsgi has them.
pub(crate) fn packet(variables: &Pairs) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    let block: Vec<u8> = variables.iter().flat_map(|(name, value)| [sized(name), sized(value)].concat()).collect();
    let [low, high] = u16::try_from(block.len()).unwrap().to_le_bytes();
    [&[0, low, high, 0], &block[..]].concat()
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// FastCGI's END_REQUEST, with its two states.
    Request(u32, u8),
    /// The connection is closed, which is the end of SCGI and uwsgi.
    Closed,
    Reset,
    /// Something that is no record of FastCGI.
    Spoiled,
}

/// The end of an answer that is whole.
pub(crate) fn whole(kind: Kind) -> End {
    match kind {
        Kind::FastCgi => End::Request(0, 0),
        _ => End::Closed,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
    /// What came for the web server's log.
    pub(crate) errors: String,
    /// The sizes of the STDOUT records.
    pub(crate) records: Vec<usize>,
}

impl Answer {
    fn new(bytes: &[u8], end: End) -> Self {
        let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        Self { head, body: bytes[at..].to_vec(), end, errors: String::new(), records: Vec::new() }
    }

    /// The only answer of a connection, which the server closes behind it.
    pub(crate) fn read(kind: Kind, mut stream: Stream) -> Self {
        if kind == Kind::FastCgi {
            let mut client = Client::on(stream);
            let answer = client.answer(1);
            assert!(matches!(client.record(), Ok(None) | Err(_)), "the connection is closed behind the answer");
            return answer;
        }
        let (bytes, is_reset) = stream.rest();
        Self::new(&bytes, if is_reset { End::Reset } else { End::Closed })
    }

    /// As the protocol writes it: `Status: 200 OK` or `HTTP/1.1 200 OK`.
    pub(crate) fn status_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// 0 where there is none.
    pub(crate) fn status(&self) -> u16 {
        let line = self.status_line();
        let line = line.strip_prefix("Status: ").or_else(|| line.strip_prefix("HTTP/1.1 ")).unwrap_or_default();
        line.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.contains(&format!("\r\n{header}\r\n"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and text.
    pub(crate) fn seen(&self) -> (u16, String) {
        (self.status(), self.text())
    }
}

/// A FastCGI record that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RecordType,
    pub(crate) id: u16,
    pub(crate) content: Vec<u8>,
}

/// A FastCGI connection that may carry several requests.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: Stream,
    /// What has come of answers that are not complete.
    open: BTreeMap<u16, Vec<Record>>,
}

impl Client {
    pub(crate) fn on(stream: Stream) -> Self {
        Self { stream, open: BTreeMap::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The next record; `None` where the connection is closed.
    pub(crate) fn record(&mut self) -> io::Result<Option<Record>> {
        let mut header = [0; Header::LEN];
        if self.stream.read(&mut header[..1])? == 0 {
            return Ok(None);
        }
        self.stream.read_exact(&mut header[1..])?;
        let header = Header::parse(header).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut content = vec![0; usize::from(header.length()) + usize::from(header.padding())];
        self.stream.read_exact(&mut content)?;
        content.truncate(header.length().into());
        Ok(Some(Record { kind: header.record_type(), id: header.id(), content }))
    }

    /// The answer to a request, however it ends; what comes for others meanwhile is kept.
    pub(crate) fn answer(&mut self, id: u16) -> Answer {
        let end = loop {
            if let Some(end) = self.open.get(&id).and_then(|records| records.last()).and_then(end_of) {
                break end;
            }
            match self.record() {
                Ok(Some(record)) => self.open.entry(record.id).or_default().push(record),
                Ok(None) => break End::Closed,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break End::Reset,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => break End::Spoiled,
                Err(error) => panic!("{error}, with {:?}", self.open),
            }
        };
        let records = self.open.remove(&id).unwrap_or_default();
        let of = |kind| records.iter().filter(move |record| record.kind == kind);
        let stdout: Vec<u8> = of(RecordType::Stdout).flat_map(|record| record.content.clone()).collect();
        let errors: Vec<u8> = of(RecordType::Stderr).flat_map(|record| record.content.clone()).collect();
        let sizes: Vec<usize> = of(RecordType::Stdout).map(|record| record.content.len()).collect();
        // FastCGI 1.0, section 5.3: an empty one would be the end. HAProxy has cut longer ones.
        assert!(sizes.iter().all(|size| (1..=65_528).contains(size)), "{sizes:?}");
        Answer { errors: String::from_utf8(errors).unwrap(), records: sizes, ..Answer::new(&stdout, end) }
    }

    /// Sends a request and reads its answer; the connection stays.
    pub(crate) fn ask(&mut self, id: u16, request: &Request) -> Answer {
        self.send(request.kept(id));
        self.answer(id)
    }

    /// Whether the server has closed the connection, without another record.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.record() {
            Ok(None) => true,
            Ok(Some(record)) => panic!("{record:?}"),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

fn end_of(record: &Record) -> Option<End> {
    let content: [u8; 8] = match record.kind {
        RecordType::EndRequest => record.content[..].try_into().unwrap(),
        _ => return None,
    };
    Some(End::Request(u32::from_be_bytes(content[..4].try_into().unwrap()), content[4]))
}
