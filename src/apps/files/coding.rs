//! Files that were compressed beforehand: which of them a client takes, by its `Accept-Encoding`.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// A content coding of which a file may have a sibling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// What is compressed once can be compressed well: the smallest is preferred where a client does not care.
    const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Content-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What the name of the sibling has behind that of the file.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// The codings that a request prefers to the plain file, the best first.
///
/// Without the header it prefers none, although any would be allowed (RFC 9110, section 12.5.3): a client that knows
/// one says so. An element that is malformed is passed over.
pub(super) fn preferred(headers: &HeaderMap) -> impl Iterator<Item = Coding> + use<> {
    let mut weights = Weights::default();
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    for element in lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')) {
        weights.note(element);
    }
    let mut order = Coding::ALL.map(|coding| (weights.of(coding), coding));
    // The sort is stable, so among equals the order above stays.
    order.sort_by_key(|&(weight, _)| std::cmp::Reverse(weight));
    let plain = weights.identity.unwrap_or(0).max(1);
    order.into_iter().filter(move |&(weight, _)| weight >= plain).map(|(_, coding)| coding)
}

/// What each coding is worth to the client, in thousandths.
#[derive(Default)]
struct Weights {
    codings: [Option<u16>; 3],
    identity: Option<u16>,
    any: Option<u16>,
}

impl Weights {
    fn of(&self, coding: Coding) -> u16 {
        self.codings[coding as usize].or(self.any).unwrap_or(0)
    }

    /// One element: `codings [ weight ]`.
    fn note(&mut self, element: &[u8]) {
        let mut parts = element.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let (Some(name), weight, None) = (parts.next(), parts.next(), parts.next()) else { return };
        let Some(weight) = weight.map_or(Some(1000), qvalue) else { return };
        let place = match name {
            b"*" => &mut self.any,
            name if name.eq_ignore_ascii_case(b"br") => &mut self.codings[Coding::Brotli as usize],
            name if name.eq_ignore_ascii_case(b"zstd") => &mut self.codings[Coding::Zstd as usize],
            // Section 8.4.1.3: a recipient SHOULD consider "x-gzip" to be equivalent to "gzip".
            name if name.eq_ignore_ascii_case(b"gzip") => &mut self.codings[Coding::Gzip as usize],
            name if name.eq_ignore_ascii_case(b"x-gzip") => &mut self.codings[Coding::Gzip as usize],
            name if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            _ => return,
        };
        *place = Some(weight);
    }
}

/// `q=` and a number from 0 to 1 with at most three digits behind the point (RFC 9110, section 12.4.2).
fn qvalue(weight: &[u8]) -> Option<u16> {
    let value = weight.strip_prefix(b"q=").or_else(|| weight.strip_prefix(b"Q="))?;
    let (whole, digits) = match value {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', digits @ ..] => (whole, digits),
        _ => return None,
    };
    if !matches!(whole, b'0' | b'1') || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = [whole].into_iter().chain(digits).chain(b"000").take(4);
    let value = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn names(value: &[u8]) -> Vec<&'static str> {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_bytes(value).unwrap())]);
        preferred(&headers).map(Coding::name).collect()
    }

    #[test]
    fn codings_are_weighed_as_section_12_5_3_says() {
        assert_eq!(preferred(&HeaderMap::new()).count(), 0);
        for (value, expected) in [
            ("", &[][..]),
            ("gzip", &["gzip"]),
            ("gzip, deflate, br, zstd", &["br", "zstd", "gzip"]),
            ("gzip;q=1, br;q=0.5", &["gzip", "br"]),
            ("GZIP;Q=0.001", &["gzip"]),
            ("x-gzip", &["gzip"]),
            ("br;q=0, *", &["zstd", "gzip"]),
            ("*;q=0", &[]),
            ("*;q=0, gzip;q=0.1", &["gzip"]),
            ("identity;q=1, gzip;q=0.5", &[]),
            ("identity;q=0.5, gzip;q=0.5", &["gzip"]),
            ("identity;q=0, *;q=0", &[]),
            ("br ; q=0.8 ,\tgzip", &["gzip", "br"]),
            ("br;q=1.001, gzip;q=2, zstd;q=0.0001", &[]),
            ("br;q=, gzip;q=.5, zstd;level=3", &[]),
            ("br;q=1.000;x=y, gzip;q=1.", &["gzip"]),
            ("brotli, bro, gzi", &[]),
        ] {
            assert_eq!(names(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn ten_thousand_elements_are_looked_through() {
        assert_eq!(names(("gzip;q=0,".repeat(10_000) + "br").as_bytes()), ["br"]);
        assert_eq!(names(";".repeat(20_000).as_bytes()), [] as [&str; 0]);
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in "[a-z0-9=;,. *q\t-]{0,60}") {
            prop_assert!(names(value.as_bytes()).len() <= 3);
        }

        #[test]
        fn a_weight_has_three_digits(thousandths in 0..=1000_u16) {
            let text = format!("q={}.{:03}", thousandths / 1000, thousandths % 1000);
            prop_assert_eq!(qvalue(text.as_bytes()), Some(thousandths));
        }
    }
}
