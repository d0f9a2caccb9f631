//! uwsgi: the variables of a request in one packet, of 64 KiB at most, and the body behind it as it is.
//!
//! A connection carries one request. The response is HTTP/1.1 ([`HeadForm::Http`](super::cgi::HeadForm::Http)) and ends
//! with the connection.

use std::fmt;
use std::ops::Range;

use bytes::{Buf, BytesMut};
use http::StatusCode;

use super::Params;

/// The bytes of a packet's header.
const HEADER: usize = 4;

/// Takes the variables of a request off the input; `None` where more bytes are needed, and nothing is taken then.
///
/// What is left in `input` is the beginning of the body. A limit of 65,535 bytes is no limit. The second modifier means
/// nothing here.
///
/// ```
/// use bytes::BytesMut;
/// use vestibule::wire::uwsgi;
///
/// let mut input = BytesMut::from(&b"\0\x0b\0\0\x04\0NAME\x03\0uwsbody"[..]);
/// let Some(params) = uwsgi::decode(&mut input, 65_535)? else { panic!("it is all there") };
/// assert_eq!(params.get("NAME"), Some(&b"uws"[..]));
/// assert_eq!(input, "body");
/// # Ok::<(), uwsgi::Error>(())
/// ```
///
/// # Errors
///
/// For what is no packet of variables, as soon as that can be seen.
pub fn decode(input: &mut BytesMut, max_params: usize) -> Result<Option<Params>, Error> {
    // Known by the first byte: the others may be anything.
    match input.first() {
        None => return Ok(None),
        Some(0) => {}
        Some(&other) => return Err(Error::Modifier(other)),
    }
    let Some(&[_, size0, size1, _]) = input.first_chunk() else { return Ok(None) };
    let size = usize::from(u16::from_le_bytes([size0, size1]));
    if size == 0 {
        return Err(Error::Malformed);
    }
    if size > max_params {
        return Err(Error::TooLarge);
    }
    if input.len() < HEADER + size {
        return Ok(None);
    }
    input.advance(HEADER);
    let packet = input.split_to(size).freeze();
    let mut params = Params::of(packet.clone());
    let mut at = 0;
    while at < size {
        let (name, value) = pair(&packet, at).ok_or(Error::Malformed)?;
        at = value.end;
        params.push(name, value);
    }
    Ok(Some(params))
}

/// Where the name and the value lie of the pair that begins at a place; `None` where it is not all there, or has no name.
fn pair(packet: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let name = sized(packet, at)?;
    let value = sized(packet, name.end)?;
    (!name.is_empty()).then_some((name, value))
}

/// Where the bytes lie behind a length of two bytes.
fn sized(packet: &[u8], at: usize) -> Option<Range<usize>> {
    let [size0, size1] = *packet.get(at..)?.first_chunk()?;
    let begin = at + 2;
    let end = begin + usize::from(u16::from_le_bytes([size0, size1]));
    (end <= packet.len()).then_some(begin..end)
}

/// Why a packet is refused; the connection carries nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The first modifier is not 0: it is not a request for an application. uWSGI itself evaluates code for some.
    Modifier(u8),
    /// The packet is larger than the limit.
    TooLarge,
    /// The packet is empty, a pair reaches past its end, or a variable has no name.
    Malformed,
}

impl Error {
    /// The status to answer with; `None` where the connection is closed without an answer, as whatever is at its other
    /// end does not speak uwsgi.
    pub fn status(self) -> Option<StatusCode> {
        match self {
            Self::TooLarge => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Modifier(_) | Self::Malformed => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Modifier(modifier) => write!(f, "a uwsgi packet with the modifier {modifier}"),
            Self::TooLarge => f.write_str("the uwsgi variables of a request are too large"),
            Self::Malformed => f.write_str("the uwsgi variables of a request are malformed"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(packet: &[u8]) -> Result<Option<Params>, Error> {
        decode(&mut BytesMut::from(packet), 65_535)
    }

    #[test]
    fn variables_are_read_and_the_body_stays() {
        let packet = b"\0\x12\0\0\x01\0A\x02\0ok\x01\0B\0\0\x01\0A\x01\x001body";
        let mut input = BytesMut::from(&packet[..]);
        let params = decode(&mut input, 65_535).unwrap().unwrap();
        assert_eq!(params.iter().collect::<Vec<_>>(), [(&b"A"[..], &b"ok"[..]), (b"B", b""), (b"A", b"1")]);
        assert_eq!(input, "body");
    }

    #[test]
    fn a_packet_that_is_not_all_there_waits_and_takes_nothing() {
        let packet = b"\0\x08\0\0\x01\0A\x03\0one";
        for end in 0..packet.len() {
            let mut input = BytesMut::from(&packet[..end]);
            assert_eq!(decode(&mut input, 65_535), Ok(None));
            assert_eq!(input, packet[..end]);
        }
    }

    #[test]
    fn other_modifiers_are_closed_without_an_answer() {
        for modifier in [5, 9, 17, 22, 30, 110, 255, b'G'] {
            assert_eq!(decoded(&[modifier]), Err(Error::Modifier(modifier)));
            assert_eq!(Error::Modifier(modifier).status(), None);
        }
        // The second one is a matter between front ends and uWSGI.
        assert!(decoded(b"\0\x05\0\x07\x01\0A\0\0").unwrap().is_some());
    }

    #[test]
    fn malformed_packets_are_refused() {
        let rows: [&[u8]; 8] = [
            b"\0\0\0\0",
            b"\0\x01\0\0\x01",
            b"\0\x03\0\0\x02\0A",
            b"\0\x03\0\0\x01\0A",
            b"\0\x04\0\0\x01\0A\0",
            b"\0\x05\0\0\x01\0A\x01\0",
            b"\0\x05\0\0\xff\xffA\0\0",
            b"\0\x05\0\0\0\0\x01\0v",
        ];
        for packet in rows {
            assert_eq!(decoded(packet), Err(Error::Malformed), "{packet:x?}");
        }
        assert_eq!(Error::Malformed.status(), None);
    }

    #[test]
    fn one_variable_may_fill_the_packet() {
        let value = vec![b'v'; 65_535 - 5];
        let mut packet = b"\0\xff\xff\0\x01\0A".to_vec();
        packet.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        packet.extend_from_slice(&value);
        assert_eq!(decoded(&packet).unwrap().unwrap().get("A"), Some(&value[..]));
    }

    #[test]
    fn a_packet_over_the_limit_is_known_by_its_header_and_answered() {
        let header = b"\0\x01\x10\0";
        assert_eq!(decode(&mut BytesMut::from(&header[..]), 4096), Err(Error::TooLarge));
        assert_eq!(decode(&mut BytesMut::from(&header[..]), 4097), Ok(None));
        assert_eq!(Error::TooLarge.status().unwrap(), 431);
    }
}
