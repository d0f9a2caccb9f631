//! brotli, by the crate `brotli`.

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct};

use super::coding::{Codec, Coding, Encode};
use crate::error::Result;

pub(super) const OFFERED: Option<Coding> = Some(Coding::BROTLI);

/// As a power of two, how far back a match may lie: it bounds the memory. The crate takes smaller windows for another
/// algorithm at levels from 5, which begins with 32 MiB and milliseconds, however short the body.
const WINDOW: u32 = 18;

impl Coding {
    /// brotli at level 4, with a window of 256 KiB.
    pub const BROTLI: Self = Self::of(&Codec {
        name: "br",
        alias: None,
        levels: 0..=11,
        default_level: 4,
        encoder: |level, length| {
            let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
            let hint = length.and_then(|length| u32::try_from(length).ok()).unwrap_or(0);
            for (parameter, value) in [
                (BrotliEncoderParameter::BROTLI_PARAM_QUALITY, u32::try_from(level).unwrap_or_default()),
                (BrotliEncoderParameter::BROTLI_PARAM_LGWIN, WINDOW),
                (BrotliEncoderParameter::BROTLI_PARAM_SIZE_HINT, hint),
            ] {
                if !state.set_parameter(parameter, value) {
                    return Err("brotli refuses a parameter".into());
                }
            }
            Ok(Box::new(Brotli(state)))
        },
    });
}

/// The crate's own writer hides what fails at the end, so this calls the encoder below it.
struct Brotli(BrotliEncoderStateStruct<StandardAlloc>);

impl Brotli {
    /// One call, whose output is then taken from the encoder's own buffer.
    fn step(&mut self, operation: BrotliEncoderOperation, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
        let (mut available_in, mut taken) = (bytes.len(), 0);
        let is_fine = self.0.compress_stream(
            operation,
            &mut available_in,
            bytes,
            &mut taken,
            &mut 0,
            &mut [],
            &mut 0,
            &mut None,
            &mut |_, _, _, _| (),
        );
        if !is_fine {
            return Err("the brotli encoder has failed".into());
        }
        *bytes = &bytes[taken..];
        while self.0.has_more_output() {
            let mut all = 0;
            let output = self.0.take_output(&mut all);
            out.extend_from_slice(&output[..all]);
        }
        Ok(())
    }
}

impl Encode for Brotli {
    fn write(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        while !bytes.is_empty() {
            self.step(BrotliEncoderOperation::BROTLI_OPERATION_PROCESS, &mut bytes, out)?;
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.step(BrotliEncoderOperation::BROTLI_OPERATION_FLUSH, &mut &[][..], out)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        while !self.0.is_finished() {
            self.step(BrotliEncoderOperation::BROTLI_OPERATION_FINISH, &mut &[][..], out)?;
        }
        Ok(())
    }
}
