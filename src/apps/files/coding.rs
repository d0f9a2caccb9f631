//! Files that were compressed beforehand: which of them a client takes, by its `Accept-Encoding`.

use http::HeaderMap;

use crate::accept_encoding::Weights;

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
pub(super) fn preferred(headers: &HeaderMap) -> impl Iterator<Item = Coding> + use<> {
    let weights = Weights::<3>::of(headers, |name| {
        // Section 8.4.1.3: a recipient SHOULD consider "x-gzip" to be equivalent to "gzip".
        let name = if name.eq_ignore_ascii_case(b"x-gzip") { b"gzip" } else { name };
        Coding::ALL.iter().position(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()))
    });
    let [brotli, zstd, gzip] = Coding::ALL;
    let mut order = [(weights.codings[0], brotli), (weights.codings[1], zstd), (weights.codings[2], gzip)];
    // The sort is stable, so among equals the order above stays.
    order.sort_by_key(|&(weight, _)| std::cmp::Reverse(weight));
    let plain = weights.identity.unwrap_or(0).max(1);
    order.into_iter().filter(move |&(weight, _)| weight >= plain).map(|(_, coding)| coding)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::ACCEPT_ENCODING;

    use super::*;

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
            ("br;q=, gzip;q=.5, zstd;level=3", &["zstd"]),
            ("brotli, bro, gzi", &[]),
        ] {
            assert_eq!(names(value.as_bytes()), expected, "{value}");
        }
    }
}
