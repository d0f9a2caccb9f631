//! Name-value pairs, the content of PARAMS and GET_VALUES: FastCGI 1.0, section 3.4.

use std::ops::Range;

use bytes::Bytes;

use super::ParamsError;
use crate::wire::Params;

/// Reads a whole stream of pairs.
///
/// ```
/// use bytes::Bytes;
/// use vestibule::wire::fastcgi::pairs;
///
/// let params = pairs::parse(Bytes::from_static(b"\x04\x02NAMEok"))?;
/// assert_eq!(params.get("NAME"), Some(&b"ok"[..]));
/// # Ok::<(), vestibule::wire::fastcgi::ParamsError>(())
/// ```
///
/// # Errors
///
/// [`ParamsError::Malformed`] for a pair that reaches past the end, and for one without a name: no environment can hold
/// it (POSIX, section 8.1).
pub fn parse(stream: Bytes) -> Result<Params, ParamsError> {
    let mut params = Params::of(stream.clone());
    let mut at = 0;
    while at < stream.len() {
        let (name, value) = pair(&stream, at).ok_or(ParamsError::Malformed)?;
        at = value.end;
        params.push(name, value);
    }
    Ok(params)
}

/// Where the name and the value lie of the pair that begins at a place; `None` where it is not all there.
fn pair(stream: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let (name_length, at) = length(stream, at)?;
    let (value_length, at) = length(stream, at)?;
    // CVE-2025-23016: libfcgi added two lengths in 32 bits.
    let name_end = at.checked_add(name_length)?;
    let value_end = name_end.checked_add(value_length)?;
    (name_length > 0 && value_end <= stream.len()).then_some((at..name_end, name_end..value_end))
}

/// A length, and the place behind it. "A high-order zero implies a one-byte encoding, a one a four-byte encoding."
fn length(stream: &[u8], at: usize) -> Option<(usize, usize)> {
    match stream.get(at..)? {
        [short, ..] if short >> 7 == 0 => Some((usize::from(*short), at + 1)),
        [b3, b2, b1, b0, ..] => {
            let length = u32::from_be_bytes([b3 & 0x7f, *b2, *b1, *b0]);
            Some((usize::try_from(length).ok()?, at + 4))
        }
        _ => None,
    }
}

/// Appends a pair to a stream.
///
/// # Panics
///
/// For a name or a value of 2 GiB or more, which the format cannot express.
pub fn write(stream: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    write_length(stream, name.len());
    write_length(stream, value.len());
    stream.extend_from_slice(name);
    stream.extend_from_slice(value);
}

fn write_length(stream: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short >> 7 == 0 => stream.push(short),
        _ => {
            let long = u32::try_from(length).ok().filter(|long| long >> 31 == 0).expect("lengths have 31 bits");
            stream.extend_from_slice(&(long | 1 << 31).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_kinds_of_pairs_are_read() {
        let long = vec![b'x'; 128];
        let rows: [(&[u8], &[u8]); 4] = [(b"A", b"1"), (b"B", &long), (&long, b"2"), (&long, &long)];
        let mut stream = Vec::new();
        for (name, value) in rows {
            write(&mut stream, name, value);
        }
        assert_eq!(parse(stream.into()).unwrap().iter().collect::<Vec<_>>(), rows);
    }

    #[test]
    fn a_short_length_may_have_four_bytes() {
        let params = parse(Bytes::from_static(b"\x80\0\0\x01\x80\0\0\x02Aok")).unwrap();
        assert_eq!(params.get("A"), Some(&b"ok"[..]));
    }

    #[test]
    fn a_pair_that_is_not_all_there_is_malformed() {
        let mut whole = Vec::new();
        write(&mut whole, b"NAME", &[b'v'; 200]);
        for end in 1..whole.len() {
            assert_eq!(parse(whole[..end].to_vec().into()), Err(ParamsError::Malformed), "{end} bytes of it");
        }
    }

    #[test]
    fn lengths_beyond_the_end_take_no_memory() {
        let hostile: [&[u8]; 5] = [
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xff\xff\xff\xff\xff\xff\xff\xffNAME",
            b"\x80\x00\x00\x01\xff\xff\xff\xffN",
            b"\x7f\x7f",
            b"\x04\xff\xff\xff",
        ];
        for stream in hostile {
            assert_eq!(parse(Bytes::from_static(stream)), Err(ParamsError::Malformed), "{stream:x?}");
        }
    }

    #[test]
    fn a_pair_without_a_name_is_malformed() {
        assert_eq!(parse(Bytes::from_static(b"\x00\x01v")), Err(ParamsError::Malformed));
        assert_eq!(parse(Bytes::from_static(b"\x00\x00")), Err(ParamsError::Malformed));
        assert_eq!(parse(Bytes::new()), Ok(Params::default()));
    }
}
