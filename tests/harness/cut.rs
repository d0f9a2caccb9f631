//! Bytes in pieces: how a network may deliver them.

/// A way to cut bytes into pieces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    Whole,
    Bytes,
    AtRandom(u64),
}

pub(crate) const CUTS: [Cut; 5] = [Cut::Whole, Cut::Bytes, Cut::AtRandom(1), Cut::AtRandom(2), Cut::AtRandom(3)];

impl Cut {
    pub(crate) fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![bytes],
            // What is long is so for its length.
            Self::Bytes if bytes.len() < 3000 => bytes.chunks(1).collect(),
            Self::Bytes => bytes.chunks(997).collect(),
            Self::AtRandom(mut seed) => {
                let (mut rest, mut pieces) = (bytes, Vec::new());
                while !rest.is_empty() {
                    // Knuth's generator.
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let length = 1 + usize::try_from(seed >> 33).unwrap() % (bytes.len() / 3 + 1);
                    let (piece, more) = rest.split_at(length.min(rest.len()));
                    pieces.push(piece);
                    rest = more;
                }
                pieces
            }
        }
    }
}
