//! The header `Range`: which bytes of a file are asked for (RFC 9110, section 14).

/// What a `Range` comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    /// It is not for us, not well formed, or asks for more than there is: as if it were not there.
    Ignored,
    /// No byte of the file is in it.
    Unsatisfiable,
    /// One or more ranges, in the order in which they were asked for.
    Satisfiable(Vec<Slice>),
}

/// Some bytes of a file, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) at: u64,
    pub(super) length: u64,
}

impl Slice {
    pub(super) fn last(self) -> u64 {
        self.at + (self.length - 1)
    }
}

/// Reads the value of a `Range` for a file of `length` bytes, in one pass that ends behind the range that is one too
/// many.
///
/// Section 14.2 lets a server ignore what is malformed, "more than two overlapping ranges" and many small ones. Ignored
/// here is also what asks for more bytes than the file has, since that can only be meant to make work, and every range
/// of a file without bytes, of which none could be satisfied.
pub(super) fn ranges(value: &[u8], length: u64, most: usize) -> Ranges {
    let Some(mut rest) = unit_is_bytes(value) else { return Ranges::Ignored };
    if length == 0 {
        return Ranges::Ignored;
    }
    let (mut slices, mut asked) = (Vec::new(), 0_usize);
    // `#range-spec`: a list in which elements may be empty (section 5.6.1).
    while let Some((element, after)) = next_element(rest) {
        rest = after;
        if element.is_empty() {
            continue;
        }
        asked += 1;
        let (true, Some(spec)) = (asked <= most, Spec::read(element)) else { return Ranges::Ignored };
        slices.extend(spec.of(length));
    }
    match (asked, slices.is_empty()) {
        (0, _) => Ranges::Ignored,
        (_, true) => Ranges::Unsatisfiable,
        (_, false) if is_too_much(&slices, length) => Ranges::Ignored,
        (_, false) => Ranges::Satisfiable(slices),
    }
}

/// What follows `bytes=`, the one unit that there is; its name has no case (section 14.1).
fn unit_is_bytes(value: &[u8]) -> Option<&[u8]> {
    let (unit, rest) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(rest)
}

/// The text before the next comma, without the white space around it; and what follows the comma.
fn next_element(list: &[u8]) -> Option<(&[u8], &[u8])> {
    if list.is_empty() {
        return None;
    }
    let end = list.iter().position(|&byte| byte == b',').unwrap_or(list.len());
    Some((trimmed(&list[..end]), list.get(end + 1..).unwrap_or_default()))
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// A range as it is asked for, section 14.1.2.
enum Spec {
    From {
        first: u64,
        last: u64,
    },
    /// So many bytes at the end.
    Suffix(u64),
}

impl Spec {
    fn read(element: &[u8]) -> Option<Self> {
        let dash = element.iter().position(|&byte| byte == b'-')?;
        let (first, last) = (&element[..dash], &element[dash + 1..]);
        if first.is_empty() {
            return number(last).map(Self::Suffix);
        }
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        // "An int-range is invalid if the last-pos value is present and less than the first-pos."
        (first <= last).then_some(Self::From { first, last })
    }

    /// The bytes of it that a file of `length` bytes has.
    fn of(&self, length: u64) -> Option<Slice> {
        let (at, end) = match *self {
            Self::From { first, last } => (first, last.saturating_add(1).min(length)),
            Self::Suffix(suffix) => (length.saturating_sub(suffix), length),
        };
        (at < end).then(|| Slice { at, length: end - at })
    }
}

/// `1*DIGIT`; one that is too large for 64 bits is past the end of every file, as the largest is.
fn number(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let mut value = 0_u64;
    for byte in digits {
        value = value.saturating_mul(10).saturating_add(digit(byte)?);
    }
    (!digits.is_empty()).then_some(value)
}

/// Whether they ask for more bytes than there are, or more than two of them overlap.
fn is_too_much(slices: &[Slice], length: u64) -> bool {
    let sum = slices.iter().fold(0_u64, |sum, slice| sum.saturating_add(slice.length));
    if slices.len() <= 2 {
        return sum > length;
    }
    let mut sorted = slices.to_vec();
    sorted.sort_unstable_by_key(|slice| slice.at);
    let mut overlapping = 0;
    let mut covered = 0;
    for slice in sorted {
        overlapping += usize::from(slice.at < covered);
        covered = covered.max(slice.at + slice.length);
    }
    sum > length || overlapping > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 16;

    fn of(value: &str, length: u64) -> Ranges {
        ranges(value.as_bytes(), length, MOST)
    }

    fn some(slices: &[(u64, u64)]) -> Ranges {
        Ranges::Satisfiable(slices.iter().map(|&(at, length)| Slice { at, length }).collect())
    }

    #[test]
    fn ranges_are_read_as_section_14_says() {
        for (value, expected) in [
            ("bytes=0-0", some(&[(0, 1)])),
            ("bytes=0-499", some(&[(0, 500)])),
            ("bytes=500-", some(&[(500, 500)])),
            ("bytes=-500", some(&[(500, 500)])),
            ("bytes=-5000", some(&[(0, 1000)])),
            ("bytes=999-", some(&[(999, 1)])),
            ("bytes=0-999999", some(&[(0, 1000)])),
            ("BYTES=0-0", some(&[(0, 1)])),
            ("bytes= 0-0 ,, \t-1,", some(&[(0, 1), (999, 1)])),
            ("bytes=5-6,1-2", some(&[(5, 2), (1, 2)])),
            ("bytes=0-18446744073709551615", some(&[(0, 1000)])),
            ("bytes=0-99999999999999999999999", some(&[(0, 1000)])),
            ("bytes=-18446744073709551616", some(&[(0, 1000)])),
            ("bytes=0-0,2000-", some(&[(0, 1)])),
            ("bytes=0-9,5-14", some(&[(0, 10), (5, 10)])),
            ("bytes=00000000000000000000000-1", some(&[(0, 2)])),
        ] {
            assert_eq!(of(value, 1000), expected, "{value}");
        }
        for value in [
            "bytes=1000-",
            "bytes=-0",
            "bytes=18446744073709551615-",
            "bytes=1000-2000,-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(of(value, 1000), Ranges::Unsatisfiable, "{value}");
        }
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-0,5-2",
            "bytes=a-b",
            "bytes=0",
            "bytes=+0-1",
            "bytes=0-1-2",
            "bytes=0 - 1",
            "bytes=0x0-1",
            "bytes =0-1",
            "items=0-1",
            "seconds=1-2",
            "bytes:0-1",
            "bytes=--1",
            "bytes=0-9,0-999",
            "bytes=0-9,5-14,7-20",
        ] {
            assert_eq!(of(value, 1000), Ranges::Ignored, "{value}");
        }
        assert_eq!(of("bytes=0-", 0), Ranges::Ignored);
        assert_eq!(of("bytes=0-", u64::MAX), some(&[(0, u64::MAX)]));
    }

    #[test]
    fn one_range_more_than_allowed_is_none() {
        let value = |count: u64| {
            let list: Vec<_> = (0..count).map(|n| format!("{}-{}", n * 2, n * 2)).collect();
            format!("bytes={}", list.join(","))
        };
        for count in [MOST - 1, MOST] {
            assert!(matches!(of(&value(count as u64), 5000), Ranges::Satisfiable(slices) if slices.len() == count));
        }
        assert_eq!(of(&value(MOST as u64 + 1), 5000), Ranges::Ignored);
        assert_eq!(of(&value(1000), 5000), Ranges::Ignored);
        assert_eq!(of(&format!("bytes={}", "0-0,".repeat(100)), 5000), Ranges::Ignored);
        assert_eq!(ranges(b"bytes=0-0", 10, 0), Ranges::Ignored);
    }

    #[test]
    fn a_sum_up_to_the_length_is_served_and_no_more() {
        assert_eq!(of("bytes=0-4,5-9", 10), some(&[(0, 5), (5, 5)]));
        assert_eq!(of("bytes=0-4,4-8", 10), some(&[(0, 5), (4, 5)]));
        assert_eq!(of("bytes=0-5,5-9", 10), Ranges::Ignored);
    }

    proptest! {
        #[test]
        fn what_is_satisfiable_is_within_the_file(value in "bytes=([0-9]{0,21}-[0-9]{0,21}[, ]?){0,20}", length: u64) {
            if let Ranges::Satisfiable(slices) = of(&value, length) {
                prop_assert!(!slices.is_empty() && slices.len() <= MOST);
                let mut sum = 0_u64;
                for slice in slices {
                    prop_assert!(slice.length > 0 && slice.at < length && slice.last() < length);
                    sum = sum.checked_add(slice.length).unwrap();
                }
                prop_assert!(sum <= length);
            }
        }

        #[test]
        fn every_range_within_a_file_is_found(first in 0..5000_u64, more in 0..5000_u64, beyond in 1..5000_u64) {
            let (last, length) = (first + more, first + more + beyond);
            let one = some(&[(first, more + 1)]);
            prop_assert_eq!(of(&format!("bytes={first}-{last}"), length), one);
            prop_assert_eq!(of(&format!("bytes={first}-"), length), some(&[(first, length - first)]));
            prop_assert_eq!(of(&format!("bytes=-{beyond}"), length), some(&[(last, beyond)]));
        }

        #[test]
        fn no_text_makes_it_panic(value: Vec<u8>, length: u64) {
            let _ = ranges(&value, length, MOST);
            let _ = ranges(&[b"bytes=", &value[..]].concat(), length, MOST);
        }
    }
}
