//! Records: their header, and the codes in their contents. FastCGI 1.0, sections 3.3 and 8.

use super::ConnectionError;

/// The version that this is, `FCGI_VERSION_1`.
const VERSION: u8 = 1;

/// The header of a record: what it is, whose it is, and how long.
///
/// ```
/// use vestibule::wire::fastcgi::{Header, RecordType};
///
/// let header = Header::new(RecordType::Stdin, 1, 5).with_padding(3);
/// assert_eq!(header.to_bytes(), *b"\x01\x05\x00\x01\x00\x05\x03\x00");
/// assert_eq!(Header::parse(header.to_bytes()), Ok(header));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    record: RecordType,
    id: u16,
    length: u16,
    padding: u8,
}

impl Header {
    /// The bytes of a header.
    pub const LEN: usize = 8;

    /// The header of a record with so many bytes of content and no padding.
    pub fn new(record: RecordType, id: u16, length: u16) -> Self {
        Self { record, id, length, padding: 0 }
    }

    /// The same header with so many bytes of padding behind the content.
    #[must_use]
    pub fn with_padding(self, padding: u8) -> Self {
        Self { padding, ..self }
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// For a version other than 1: whatever follows cannot be understood.
    pub fn parse(bytes: [u8; Self::LEN]) -> Result<Self, ConnectionError> {
        // The last byte is reserved.
        let [version, record, id1, id0, length1, length0, padding, _] = bytes;
        if version != VERSION {
            return Err(ConnectionError::Version(version));
        }
        Ok(Self {
            record: record.into(),
            id: u16::from_be_bytes([id1, id0]),
            length: u16::from_be_bytes([length1, length0]),
            padding,
        })
    }

    /// The header as it is sent.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let ([id1, id0], [length1, length0]) = (self.id.to_be_bytes(), self.length.to_be_bytes());
        [VERSION, self.record.into(), id1, id0, length1, length0, self.padding, 0]
    }

    /// What kind of record it is.
    pub fn record_type(&self) -> RecordType {
        self.record
    }

    /// The id of the request that it belongs to; 0 for a management record.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The bytes of content behind the header.
    pub fn length(&self) -> u16 {
        self.length
    }

    /// The bytes behind the content that mean nothing.
    pub fn padding(&self) -> u8 {
        self.padding
    }
}

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordType {
    /// To the application: a request begins.
    BeginRequest,
    /// To the application: a request is to end early.
    AbortRequest,
    /// To the web server: a request has ended.
    EndRequest,
    /// To the application, a stream: the variables.
    Params,
    /// To the application, a stream: the body of the request.
    Stdin,
    /// To the web server, a stream: the response.
    Stdout,
    /// To the web server, a stream: lines for its log.
    Stderr,
    /// To the application, a stream: the file that a filter filters.
    Data,
    /// To the application: a question about its limits.
    GetValues,
    /// To the web server: the answer to that.
    GetValuesResult,
    /// To the web server: a management record was not understood.
    UnknownType,
    /// What this version of the protocol does not have.
    Other(u8),
}

impl From<u8> for RecordType {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::BeginRequest,
            2 => Self::AbortRequest,
            3 => Self::EndRequest,
            4 => Self::Params,
            5 => Self::Stdin,
            6 => Self::Stdout,
            7 => Self::Stderr,
            8 => Self::Data,
            9 => Self::GetValues,
            10 => Self::GetValuesResult,
            11 => Self::UnknownType,
            other => Self::Other(other),
        }
    }
}

impl From<RecordType> for u8 {
    fn from(record: RecordType) -> Self {
        match record {
            RecordType::BeginRequest => 1,
            RecordType::AbortRequest => 2,
            RecordType::EndRequest => 3,
            RecordType::Params => 4,
            RecordType::Stdin => 5,
            RecordType::Stdout => 6,
            RecordType::Stderr => 7,
            RecordType::Data => 8,
            RecordType::GetValues => 9,
            RecordType::GetValuesResult => 10,
            RecordType::UnknownType => 11,
            RecordType::Other(code) => code,
        }
    }
}

/// How a request ended as far as the protocol is concerned, in END_REQUEST.
///
/// The other two codes, CANT_MPX_CONN and OVERLOADED, are not here: a client behind Apache gets an empty 200 for them.
/// Answer with a full 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolStatus {
    /// The request was answered, by whatever status.
    RequestComplete,
    /// The role is one that the application does not play.
    UnknownRole,
}

impl ProtocolStatus {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::RequestComplete => 0,
            Self::UnknownRole => 3,
        }
    }
}

/// What an application answers to GET_VALUES, FastCGI 1.0, section 4.1. HAProxy asks, and does as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    max_conns: u32,
    max_reqs: u32,
    mpxs_conns: bool,
}

impl Values {
    /// How many connections and how many requests may be open at once, and whether a connection may carry several
    /// requests at a time.
    pub fn new(max_conns: u32, max_reqs: u32, mpxs_conns: bool) -> Self {
        Self { max_conns, max_reqs, mpxs_conns }
    }

    /// Each variable with its value.
    pub(super) fn all(self) -> [(&'static str, u32); 3] {
        [
            ("FCGI_MAX_CONNS", self.max_conns),
            ("FCGI_MAX_REQS", self.max_reqs),
            ("FCGI_MPXS_CONNS", self.mpxs_conns.into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_of_version_1_survives_the_round_trip() {
        for code in 0..=u8::MAX {
            let header = Header::new(code.into(), 0x1234, 0xfedc).with_padding(code);
            assert_eq!(u8::from(header.record_type()), code);
            assert_eq!(Header::parse(header.to_bytes()), Ok(header));
        }
    }

    #[test]
    fn another_version_is_refused() {
        for version in (0..=u8::MAX).filter(|version| *version != 1) {
            let parsed = Header::parse([version, 1, 0, 1, 0, 8, 0, 0]);
            assert_eq!(parsed, Err(ConnectionError::Version(version)));
        }
    }
}
