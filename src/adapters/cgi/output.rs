//! The response, to standard output.

use std::io::{self, Write};

use bytes::BytesMut;

use crate::head::Head;
use crate::wire::cgi::{HeadForm, write_head};

/// Standard output, which is written to at once: what was given is on its way.
pub(super) struct Output {
    /// Goes out with the first block, or at the end.
    head: BytesMut,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { head: BytesMut::new() }
    }

    pub(super) fn head(&mut self, head: &Head) -> io::Result<()> {
        write_head(&mut self.head, HeadForm::Cgi, head.status, head.reason_phrase(), &head.headers)
            .map_err(io::Error::other)
    }

    pub(super) fn block(&mut self, block: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if !self.head.is_empty() {
            self.head.extend_from_slice(block);
            stdout.write_all(&self.head)?;
            self.head.clear();
            return stdout.flush();
        }
        stdout.write_all(block)?;
        // Standard output keeps a line that is not complete.
        stdout.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self.head.is_empty() {
            true => Ok(()),
            false => self.block(&[]),
        }
    }
}
