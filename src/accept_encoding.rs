//! Accept-Encoding: the codings that a client wants, and how much (RFC 9110, sections 12.4.2 and 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// The weight 1, in thousandths.
const ONE: u16 = 1000;

/// What a client would have of N codings, each in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weights<const N: usize> {
    pub(crate) codings: [u16; N],
    /// What it would have of no coding, where it says so.
    pub(crate) identity: Option<u16>,
}

impl<const N: usize> Weights<N> {
    /// Reads the lines of a request; `place` tells which of the N a name stands for.
    ///
    /// It is one walk over the lines and takes no memory. What is malformed is not there, and of a name that is there
    /// twice the last counts. Without the header no coding is wanted, although any would be allowed: a client that knows
    /// one says so.
    pub(crate) fn of(headers: &HeaderMap, place: impl Fn(&[u8]) -> Option<usize>) -> Self {
        let mut named = [None; N];
        let (mut identity, mut any) = (None, None);
        let lines = headers.get_all(ACCEPT_ENCODING).iter();
        for (name, weight) in lines.flat_map(|line| items(line.as_bytes())) {
            match place(name).and_then(|place| named.get_mut(place)) {
                Some(slot) => *slot = Some(weight),
                None if name == b"*" => any = Some(weight),
                None if name.eq_ignore_ascii_case(b"identity") => identity = Some(weight),
                None => {}
            }
        }
        // `*` is for what is not named.
        Self { codings: named.map(|weight| weight.or(any).unwrap_or(0)), identity }
    }
}

/// The names in a list, each with its weight in thousandths.
fn items(list: &[u8]) -> impl Iterator<Item = (&[u8], u16)> {
    list.split(|&byte| byte == b',').filter_map(|item| {
        let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let mut weight = ONE;
        for parameter in parts {
            if let [b'q' | b'Q', b'=', value @ ..] = parameter {
                weight = thousandths(value)?;
            }
        }
        Some((name, weight))
    })
}

/// `qvalue = ( "0" [ "." 0*3("0"-"9") ] ) / ( "1" [ "." 0*3("0") ] )`
fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut weight = match whole {
        b'0' => 0,
        b'1' => ONE,
        _ => return None,
    };
    for (digit, worth) in decimals.iter().zip([100, 10, 1]) {
        weight += u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * worth;
    }
    (weight <= ONE).then_some(weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(value: &str) -> ([u16; 2], Option<u16>) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
        let place = |name: &[u8]| [&b"gzip"[..], b"br"].iter().position(|known| name.eq_ignore_ascii_case(known));
        let weights = Weights::<2>::of(&headers, place);
        (weights.codings, weights.identity)
    }

    #[test]
    fn codings_are_weighed_as_section_12_5_3_says() {
        for (value, codings, identity) in [
            ("", [0, 0], None),
            ("GZIP, deflate", [1000, 0], None),
            ("br;q=0, *;q=0.3", [300, 0], None),
            ("*;q=0, gzip;q=0.1", [100, 0], None),
            ("identity;q=0.5, *", [1000, 1000], Some(500)),
            ("gzip;q=0.2, gzip;q=0.7", [700, 0], None),
        ] {
            assert_eq!(weights(value), (codings, identity), "{value}");
        }
        let none = Weights::<2>::of(&HeaderMap::new(), |_| Some(0));
        assert_eq!((none.codings, none.identity), ([0, 0], None));
    }

    #[test]
    fn ten_thousand_elements_are_looked_through() {
        assert_eq!(weights(&("gzip;q=0,".repeat(10_000) + "br")).0, [0, 1000]);
        assert_eq!(weights(&";".repeat(20_000)).0, [0, 0]);
    }

    fn items_of(list: &str) -> Vec<(&str, u16)> {
        items(list.as_bytes()).map(|(name, weight)| (std::str::from_utf8(name).unwrap(), weight)).collect()
    }

    #[test]
    fn weights_are_read_as_the_rfc_writes_them() {
        for (text, weight) in [
            ("0", 0),
            ("0.", 0),
            ("0.5", 500),
            ("0.001", 1),
            ("0.999", 999),
            ("1", 1000),
            ("1.", 1000),
            ("1.000", 1000),
        ] {
            assert_eq!(thousandths(text.as_bytes()), Some(weight), "{text}");
        }
        for text in ["", ".5", "1.001", "1.1", "2", "0.0001", "-1", "+1", "0,5", "00", "0.x", "01", "1e0", "0. 5"] {
            assert_eq!(thousandths(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn lists_are_read_as_clients_write_them() {
        assert_eq!(items_of("gzip, deflate, br;q=0.9"), [("gzip", 1000), ("deflate", 1000), ("br", 900)]);
        assert_eq!(items_of(",, gzip ;\tQ=0.5 ,*;q=0,"), [("gzip", 500), ("*", 0)]);
        assert_eq!(items_of("gzip;level=9;q=0.3, br; q=0.2;x"), [("gzip", 300), ("br", 200)]);
        assert_eq!(items_of("gzip;q=x, br;q=, zstd;q=1.5, a;q =1"), [("a", 1000)]);
        assert_eq!(items_of(""), []);
        assert_eq!(items_of(";q=1"), []);
    }

    proptest! {
        #[test]
        fn a_list_gives_back_what_it_is_made_of(
            pairs in proptest::collection::vec(("[a-z*-]{1,5}", 0_u16..=1000), 0..6),
            separator in prop_oneof![Just(","), Just(", "), Just(" ,\t"), Just(",,")],
        ) {
            let written: Vec<String> =
                pairs.iter().map(|(name, weight)| format!("{name};q={}.{:03}", weight / 1000, weight % 1000)).collect();
            let list = written.join(separator);
            let read: Vec<(String, u16)> =
                items_of(&list).into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_bytes_can_be_read(list in proptest::collection::vec(prop_oneof![Just(b','), Just(b';'), Just(b'='), any::<u8>()], 0..80)) {
            for (name, weight) in items(&list) {
                prop_assert!(weight <= ONE && !name.is_empty() && !name.contains(&b','));
            }
        }
    }
}
