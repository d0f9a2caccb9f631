//! `Params`: the variables of a request, in the order in which they arrived.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// The variables of a request, names and values, in the order in which they arrived.
///
/// They lie in one buffer, the one that they were received in. A name may repeat, as NGINX repeats headers, but is
/// never empty. Both sides are bytes: paths need not be UTF-8.
///
/// ```
/// use vestibule::wire::Params;
///
/// let params: Params = [("HTTP_X", "1"), ("PATH_INFO", "/a"), ("HTTP_X", "2")].into_iter().collect();
/// assert_eq!(params.get("HTTP_X"), Some(&b"2"[..]));
/// assert_eq!(params.iter().count(), 3);
/// ```
#[derive(Clone, Default)]
pub struct Params {
    buffer: Bytes,
    pairs: Vec<Pair>,
}

/// Where a name and its value lie in the buffer; 16 bytes, since hostile pairs are as short as 3.
#[derive(Clone)]
struct Pair {
    name: Range<u32>,
    value: Range<u32>,
}

impl Params {
    /// The value of a variable; the last one where the name repeats.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        self.iter().rev().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Each name with its value, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator {
        self.pairs.iter().map(|pair| (self.part(&pair.name), self.part(&pair.value)))
    }

    /// A name or a value of these variables that is kept without a copy. It keeps the whole buffer.
    ///
    /// # Panics
    ///
    /// For a slice that is not a part of these variables.
    pub fn share(&self, part: &[u8]) -> Bytes {
        self.buffer.slice_ref(part)
    }

    /// How many variables there are, repeated names included.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The bytes of all names and values, without what the protocol puts between them.
    pub fn size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    fn part(&self, range: &Range<u32>) -> &[u8] {
        &self.buffer[range.start as usize..range.end as usize]
    }
}

/// For the decoders.
impl Params {
    /// No variables yet of a buffer, which is shorter than 4 GiB: every decoder has a limit.
    pub(super) fn of(buffer: Bytes) -> Self {
        // Few pairs are shorter than 16 bytes, so this is mostly the only allocation, and it is as large as the buffer.
        let pairs = Vec::with_capacity(buffer.len() / 16);
        Self { buffer, pairs }
    }

    /// Adds a pair by the places of its name and its value in the buffer.
    pub(super) fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        debug_assert!(!name.is_empty() && name.end.max(value.end) <= self.buffer.len());
        let narrow = |range: Range<usize>| {
            let place = |at: usize| u32::try_from(at).expect("variables are shorter than 4 GiB");
            place(range.start)..place(range.end)
        };
        self.pairs.push(Pair { name: narrow(name), value: narrow(value) });
    }
}

/// Copies pairs into one buffer: the environment of a CGI process, or a test. Pairs without a name are left out.
///
/// # Panics
///
/// For more than 4 GiB.
impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut buffer = Vec::new();
        let mut places = Vec::new();
        for (name, value) in pairs {
            if name.as_ref().is_empty() {
                continue;
            }
            let begin = buffer.len();
            buffer.extend_from_slice(name.as_ref());
            let middle = buffer.len();
            buffer.extend_from_slice(value.as_ref());
            places.push((begin..middle, middle..buffer.len()));
        }
        let mut params = Self::of(buffer.into());
        for (name, value) in places {
            params.push(name, value);
        }
        params
    }
}

/// Equal are the same pairs in the same order, whatever protocol brought them.
impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Params {}

/// Without names and values: they hold passwords and cookies.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params").field("len", &self.len()).field("size", &self.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_repeated_names_wins_and_all_are_there() {
        let params: Params = [("A", "1"), ("B", ""), ("A", "3")].into_iter().collect();
        assert_eq!(params.get("A"), Some(&b"3"[..]));
        assert_eq!(params.get("B"), Some(&b""[..]));
        assert_eq!(params.get("a"), None);
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [(&b"A"[..], &b"1"[..]), (b"B", b""), (b"A", b"3")]);
        assert_eq!((params.len(), params.size()), (3, 5));
    }

    #[test]
    fn a_part_is_shared_without_a_copy() {
        let params: Params = [("NAME", "value"), ("EMPTY", "")].into_iter().collect();
        let value = params.get("NAME").unwrap();
        let shared = params.share(value);
        assert_eq!(shared.as_ptr(), value.as_ptr());
        assert_eq!(params.share(params.get("EMPTY").unwrap()), "");
    }

    #[test]
    fn pairs_without_a_name_are_left_out() {
        let params: Params = [("", "1"), ("A", "2")].into_iter().collect();
        assert_eq!(params.iter().collect::<Vec<_>>(), [(&b"A"[..], &b"2"[..])]);
    }

    #[test]
    fn debug_tells_no_secrets() {
        let params: Params = [("HTTP_AUTHORIZATION", "Basic c2VjcmV0")].into_iter().collect();
        assert_eq!(format!("{params:?}"), "Params { len: 1, size: 32, .. }");
    }
}
