//! `Coding`: a content coding and its level; and what encodes by it.

use std::fmt;
use std::ops::RangeInclusive;

use crate::error::Result;

/// A content coding that [`Compression`](super::Compression) may offer, with the level to compress at.
///
/// There is a constant for each, by the feature of its name: `Coding::GZIP`, `Coding::BROTLI` and `Coding::ZSTD`.
/// `deflate` is none of them: clients disagree about what it is (RFC 9110, section 8.4.1.2).
#[derive(Clone, Copy)]
pub struct Coding {
    codec: &'static Codec,
    level: i32,
}

/// What is known of a coding.
pub(super) struct Codec {
    /// The content coding of IANA's registry.
    pub(super) name: &'static str,
    /// Another name that clients may use.
    pub(super) alias: Option<&'static str>,
    pub(super) levels: RangeInclusive<i32>,
    pub(super) default_level: i32,
    /// Makes an encoder of a level, for a body of this many bytes, where that is known.
    pub(super) encoder: fn(i32, Option<usize>) -> Result<Box<dyn Encode>>,
}

/// A compressor of one response. What it gives is appended to `out`.
pub(super) trait Encode: Send {
    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// Gives all that a decoder needs for what was written so far.
    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()>;

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}

impl Coding {
    pub(super) const fn of(codec: &'static Codec) -> Self {
        Self { codec, level: codec.default_level }
    }

    /// The coding at another level: higher is smaller and slower. A level that it does not have is the nearest that it
    /// has.
    ///
    /// The levels of gzip are 1 to 9, those of brotli 0 to 11, those of zstd 1 to 19. The highest are for what is
    /// compressed once and sent often, and take memory too: zstd about 80 MiB a response at level 19.
    #[must_use]
    pub fn level(mut self, level: i32) -> Self {
        self.level = level.clamp(*self.codec.levels.start(), *self.codec.levels.end());
        self
    }

    /// The name, as in Content-Encoding.
    pub fn name(&self) -> &'static str {
        self.codec.name
    }

    pub(super) fn is_called(&self, name: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        is(self.codec.name) || self.codec.alias.is_some_and(is)
    }

    pub(super) fn encoder(&self, length: Option<usize>) -> Result<Box<dyn Encode>> {
        (self.codec.encoder)(self.level, length)
    }
}

impl fmt::Debug for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coding").field("name", &self.codec.name).field("level", &self.level).finish()
    }
}
