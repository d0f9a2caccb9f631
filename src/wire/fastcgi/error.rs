//! What goes wrong, in a request or in the whole connection.

use std::fmt;

use http::StatusCode;

/// Why a connection cannot go on: close it, and end the requests on it as if the web server had left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionError {
    /// A record of this version, which is not 1: it is not FastCGI, or the place of the next header is lost.
    Version(u8),
    /// A BEGIN_REQUEST without an id.
    NullId,
    /// A BEGIN_REQUEST for an id whose request was not answered yet: two requests could not be told apart.
    IdInUse(u16),
    /// A BEGIN_REQUEST with so many bytes of content, which are not 8.
    BeginLength(u16),
    /// A GET_VALUES whose content is not pairs.
    MalformedValues,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "a FastCGI record of version {version}"),
            Self::NullId => f.write_str("a FastCGI request with the id 0"),
            Self::IdInUse(id) => write!(f, "a second FastCGI request with the id {id}, while the first one runs"),
            Self::BeginLength(length) => write!(f, "a FastCGI BEGIN_REQUEST of {length} bytes"),
            Self::MalformedValues => f.write_str("a malformed FastCGI GET_VALUES"),
        }
    }
}

impl std::error::Error for ConnectionError {}

/// Why a request cannot be passed on, though it can be answered and the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamsError {
    /// The variables are larger than [`max_params`](super::Decoder::max_params).
    TooLarge,
    /// A pair reaches past the end of the stream or has no name, or STDIN came before the end of PARAMS.
    Malformed,
}

impl ParamsError {
    /// The status to answer with: 431 or 400.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Malformed => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the FastCGI variables of a request are too large",
            Self::Malformed => "the FastCGI variables of a request are malformed",
        })
    }
}

impl std::error::Error for ParamsError {}
