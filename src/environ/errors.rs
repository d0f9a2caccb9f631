//! `Errors`: PEP 3333's wsgi.errors.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Where an application writes what is wrong: a log of the server, standard error by default.
///
/// It is cheap to clone and safe to share; each `write` goes out whole.
///
/// ```
/// use std::io::Write;
/// use vestibule::{Environ, Result, StartResponse, testing::TestServer};
///
/// fn app(environ: Environ, start_response: StartResponse) -> Result {
///     writeln!(environ.errors(), "the disk is nearly full")?;
///     start_response.start(200, ())?;
///     Ok("fine".into())
/// }
/// assert!(TestServer::new(app).get("/").send().errors().contains("nearly full"));
/// ```
#[derive(Clone)]
pub struct Errors(Sink);

#[derive(Clone)]
enum Sink {
    Stderr,
    Writer(Arc<Mutex<dyn Write + Send>>),
}

impl Errors {
    /// The standard error of the process.
    pub const fn stderr() -> Self {
        Self(Sink::Stderr)
    }

    /// Any writer; for gateways with a log of their own.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self(Sink::Writer(Arc::new(Mutex::new(writer))))
    }

    /// Writes a line of the crate's own. That it cannot be written is ignored: a log that nobody reads any more must end
    /// neither a request nor a server, as `eprintln!` does by its panic.
    pub(crate) fn line(&self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.clone(), "{line}");
    }

    fn with<T>(&self, f: impl FnOnce(&mut dyn Write) -> T) -> T {
        match &self.0 {
            Sink::Stderr => f(&mut io::stderr().lock()),
            Sink::Writer(writer) => f(&mut *writer.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|sink| sink.write(bytes))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|sink| sink.write_all(bytes))
    }

    /// Writes the text as one piece, so that lines of two threads do not mix.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(|sink| sink.flush())
    }
}

impl fmt::Debug for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Sink::Stderr => "Errors(stderr)",
            Sink::Writer(_) => "Errors(writer)",
        })
    }
}
