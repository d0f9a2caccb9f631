//! Accept-Encoding: the codings that a client wants, and how much (RFC 9110, sections 12.4.2 and 12.5.3).

use super::Coding;

/// The weight 1, in thousandths.
const ONE: u16 = 1000;

/// The place of the coding that the client likes best, the first among equals; `None` where it is to be none.
///
/// It is one walk over the lines and takes no memory. What is malformed is not there, and of a name that is there twice
/// the last counts.
pub(super) fn choose<'a>(lines: impl Iterator<Item = &'a [u8]>, offered: &[Coding]) -> Option<usize> {
    // No more codings than there are can be offered.
    let mut weights = [None; 3];
    let (mut identity, mut any) = (None, None);
    for (name, weight) in lines.flat_map(items) {
        let place = offered.iter().position(|coding| coding.is_called(name));
        match place.and_then(|place| weights.get_mut(place)) {
            Some(slot) => *slot = Some(weight),
            None if name == b"*" => any = Some(weight),
            None if name.eq_ignore_ascii_case(b"identity") => identity = Some(weight),
            None => {}
        }
    }
    let mut best = (None, identity.unwrap_or(0));
    for (place, weight) in weights.iter().enumerate().take(offered.len()) {
        // `*` is for what is not named.
        let weight = weight.or(any).unwrap_or(0);
        let is_better = weight > best.1 || (weight == best.1 && weight > 0 && best.0.is_none());
        if is_better {
            best = (Some(place), weight);
        }
    }
    best.0
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
