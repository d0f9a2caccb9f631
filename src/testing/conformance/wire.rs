//! HTTP/1.1 by hand: for requests that no client would make, and for what can be seen only on the wire.

use std::io::Write;
use std::ops::ControlFlow;

use super::Connection;
use super::http1::{Reader, Received};
use super::talk::Talk;
use crate::error::Result;

/// A connection that the case writes to and reads from itself.
pub(super) struct Wire {
    reader: Reader<Box<dyn Connection>>,
}

impl Wire {
    pub(super) fn new(connection: Box<dyn Connection>) -> Self {
        Self { reader: Reader::new(connection) }
    }

    pub(super) fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.reader.connection.write_all(bytes.as_ref())?;
        Ok(self.reader.connection.flush()?)
    }

    /// The next final response.
    pub(super) fn response(&mut self, method: &str) -> Result<Received> {
        self.reader.response(method, &mut |_| ControlFlow::Continue(()))
    }

    /// The status of the next head, perhaps of an interim response.
    pub(super) fn next_status(&mut self) -> Result<u16> {
        Ok(self.reader.head()?.status.as_u16())
    }

    /// Whether the server ends the connection here.
    pub(super) fn is_closed(&mut self) -> Result<bool> {
        self.reader.is_closed()
    }
}

impl Talk<'_> {
    /// The lines of a request that name the case, for a request that is written by hand.
    pub(super) fn lines(&self) -> String {
        self.names().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    /// Writes a request by hand and reads the response: `head` is its request line and what headers it has beside
    /// those of the case.
    pub(super) fn by_hand(&self, head: impl AsRef<[u8]>, body: &[u8]) -> Result<(Received, Wire)> {
        let head = head.as_ref();
        let method = head.split(|&byte| byte == b' ').next().unwrap_or_default();
        let mut wire = self.wire()?;
        // In one piece, so that a server that refuses it at once has nothing left unread.
        let written = wire.write([head, self.lines().as_bytes(), b"\r\n", body].concat());
        match wire.response(&String::from_utf8_lossy(method)) {
            Ok(received) => Ok((received, wire)),
            Err(error) => Err(written.err().map_or(error, |writing| format!("{writing}, and no answer").into())),
        }
    }
}
