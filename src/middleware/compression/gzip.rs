//! gzip, by the crate `flate2`.

use std::io::Write;
use std::mem::swap;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::coding::{Codec, Coding, Encode};
use crate::error::Result;

pub(super) const OFFERED: Option<Coding> = Some(Coding::GZIP);

impl Coding {
    /// gzip, which every client knows, at level 6.
    pub const GZIP: Self = Self::of(&Codec {
        name: "gzip",
        // RFC 9110, section 8.4.1.3: a recipient SHOULD consider "x-gzip" to be equivalent to "gzip".
        alias: Some("x-gzip"),
        levels: 1..=9,
        default_level: 6,
        encoder: |level, _length| {
            let level = Compression::new(u32::try_from(level).unwrap_or_default());
            Ok(Box::new(Gzip(GzEncoder::new(Vec::new(), level))))
        },
    });
}

/// An encoder whose writer lends its place to the output of each call.
struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    fn into(
        &mut self,
        out: &mut Vec<u8>,
        f: impl FnOnce(&mut GzEncoder<Vec<u8>>) -> std::io::Result<()>,
    ) -> Result<()> {
        swap(self.0.get_mut(), out);
        let result = f(&mut self.0);
        swap(self.0.get_mut(), out);
        Ok(result?)
    }
}

impl Encode for Gzip {
    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.into(out, |encoder| encoder.write_all(bytes))
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.into(out, GzEncoder::flush)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.into(out, GzEncoder::try_finish)
    }
}
