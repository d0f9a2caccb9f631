//! CGI/1.1, RFC 3875: what the other three protocols take from it, the length of a body and the head of a response.
//!
//! The rest of a CGI request is a process environment and needs no codec: collect it into [`Params`](super::Params).

mod head;

use std::fmt;

use http::StatusCode;

pub use head::{HeadError, HeadForm, write_head};

/// What the variable `CONTENT_LENGTH` says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentLength {
    /// There is no such variable, or it is empty: no body is announced.
    Absent,
    /// `-1`: Caddy passes a chunked body over FastCGI so. It ends with its stream; elsewhere this is malformed.
    Unknown,
    /// That many bytes.
    Known(u64),
}

impl ContentLength {
    /// Reads the variable: `"" | 1*digit` by RFC 3875, section 4.1.2, and `-1`.
    ///
    /// ```
    /// use vestibule::wire::cgi::ContentLength;
    ///
    /// assert_eq!(ContentLength::parse(Some(b"42")), Ok(ContentLength::Known(42)));
    /// assert_eq!(ContentLength::parse(None), Ok(ContentLength::Absent));
    /// assert!(ContentLength::parse(Some(b"+42")).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// For anything else, and for a number that 64 bits do not hold.
    pub fn parse(value: Option<&[u8]>) -> Result<Self, ContentLengthError> {
        match value {
            // RFC 3875, section 4.1: "an implementation MUST NOT make any distinction" between absent and empty.
            None | Some(b"") => Ok(Self::Absent),
            Some(b"-1") => Ok(Self::Unknown),
            Some(digits) => number(digits).map(Self::Known),
        }
    }
}

fn number(digits: &[u8]) -> Result<u64, ContentLengthError> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ContentLengthError::Malformed);
    }
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.iter().try_fold(0, add).ok_or(ContentLengthError::TooLarge)
}

/// Why a `CONTENT_LENGTH` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentLengthError {
    /// It is not a number.
    Malformed,
    /// It is a number that 64 bits do not hold.
    TooLarge,
}

impl ContentLengthError {
    /// The status to answer with: 400 or 413.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl fmt::Display for ContentLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "CONTENT_LENGTH is not a number",
            Self::TooLarge => "CONTENT_LENGTH is larger than 64 bits can hold",
        })
    }
}

impl std::error::Error for ContentLengthError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_or_nothing_or_the_minus_one_of_caddy() {
        use ContentLengthError::{Malformed, TooLarge};
        let rows: &[(&str, Result<ContentLength, ContentLengthError>)] = &[
            ("", Ok(ContentLength::Absent)),
            ("0", Ok(ContentLength::Known(0))),
            ("007", Ok(ContentLength::Known(7))),
            ("18446744073709551615", Ok(ContentLength::Known(u64::MAX))),
            ("18446744073709551616", Err(TooLarge)),
            ("99999999999999999999", Err(TooLarge)),
            ("-1", Ok(ContentLength::Unknown)),
            ("-2", Err(Malformed)),
            ("-", Err(Malformed)),
            ("+1", Err(Malformed)),
            (" 1", Err(Malformed)),
            ("1 ", Err(Malformed)),
            ("1, 1", Err(Malformed)),
            ("0x1", Err(Malformed)),
            ("abc", Err(Malformed)),
            ("99999999999999999999a", Err(Malformed)),
            ("\u{661}", Err(Malformed)),
        ];
        for (value, expected) in rows {
            assert_eq!(ContentLength::parse(Some(value.as_bytes())), *expected, "{value:?}");
        }
        assert_eq!(ContentLength::parse(None), Ok(ContentLength::Absent));
        assert_eq!((Malformed.status().as_u16(), TooLarge.status().as_u16()), (400, 413));
    }
}
