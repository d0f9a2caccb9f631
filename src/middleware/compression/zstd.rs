//! zstd, by the crate `zstd`.

use std::io::{self, Write};
use std::mem::swap;

use zstd::stream::write::Encoder;

use super::coding::{Codec, Coding, Encode};
use crate::error::Result;

pub(super) const OFFERED: Option<Coding> = Some(Coding::ZSTD);

/// As a power of two, how far back a match may lie: it bounds the memory. RFC 9659 allows up to 23.
const WINDOW: u32 = 18;

impl Coding {
    /// zstd at level 6, with a window of 256 KiB.
    pub const ZSTD: Self = Self::of(&Codec {
        name: "zstd",
        alias: None,
        levels: 1..=19,
        default_level: 6,
        encoder: |level, length| {
            let mut encoder = Encoder::new(Vec::new(), level)?;
            encoder.window_log(WINDOW)?;
            encoder.set_pledged_src_size(length.map(|length| length as u64))?;
            Ok(Box::new(Zstd(encoder)))
        },
    });
}

/// An encoder whose writer lends its place to the output of each call.
struct Zstd(Encoder<'static, Vec<u8>>);

impl Zstd {
    fn into(
        &mut self,
        out: &mut Vec<u8>,
        f: impl FnOnce(&mut Encoder<'static, Vec<u8>>) -> io::Result<()>,
    ) -> Result<()> {
        swap(self.0.get_mut(), out);
        let result = f(&mut self.0);
        swap(self.0.get_mut(), out);
        Ok(result?)
    }
}

impl Encode for Zstd {
    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.into(out, |encoder| encoder.write_all(bytes))
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.into(out, Encoder::flush)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.into(out, Encoder::do_finish)
    }
}
