//! What an application writes to its stream for errors, on its way to the web server's log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::task::AtomicWaker;

use crate::environ::Errors;

/// How much may wait for the web server to take it, in bytes. What is more is lost.
const MOST: usize = 64 * 1024;

pub(super) struct Log(Arc<Shared>);

struct Shared {
    text: Mutex<Vec<u8>>,
    /// The task of the connection.
    connection: Arc<AtomicWaker>,
}

/// The application's end.
struct Writer(Arc<Shared>);

impl Log {
    pub(super) fn new(connection: &Arc<AtomicWaker>) -> Self {
        Self(Arc::new(Shared { text: Mutex::default(), connection: Arc::clone(connection) }))
    }

    pub(super) fn errors(&self) -> Errors {
        Errors::writer(Writer(Arc::clone(&self.0)))
    }

    /// Takes what was written since the last time.
    pub(super) fn take(&self) -> Option<Bytes> {
        let mut text = self.0.text();
        (!text.is_empty()).then(|| std::mem::take(&mut *text).into())
    }
}

impl Shared {
    fn text(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.text();
        let room = MOST.saturating_sub(text.len());
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        drop(text);
        self.0.connection.wake();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
