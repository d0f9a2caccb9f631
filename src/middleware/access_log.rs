//! `access_log`: a line for each request, in Apache's formats.

mod date;
mod escape;
mod format;
mod line;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::application::App;
use crate::environ::{Environ, Errors};
use crate::error::Result;
use crate::start_response::StartResponse;
use format::Format;
use line::Line;

/// What [`access_log`] writes, and where to.
///
/// The directives of a [format](AccessLog::format) are those of Apache's mod_log_config:
///
/// | directive | what it is |
/// |---|---|
/// | `%%` | a percent sign |
/// | `%h`, `%a` | the address of the client |
/// | `%l` | `-`: RFC 1413 is not asked |
/// | `%u` | the [`User`](super::User) that was introduced, or is among the extensions of the head or of the environ; else `REMOTE_USER` |
/// | `%t`, `%{sec}t`, `%{msec}t`, `%{usec}t` | when the request came: in UTC, or since 1970 |
/// | `%r` | `%m`, the target and `%H`: the request line |
/// | `%m`, `%U`, `%q`, `%H` | the method, the path as it was sent, the query with its `?`, the protocol |
/// | `%s`, `%>s` | the status that was sent |
/// | `%b`, `%B` | the bytes of the response body, without framing; none are `-` and `0` |
/// | `%D`, `%T`, `%{us}T`, `%{ms}T`, `%{s}T` | how long it took: in microseconds, in seconds, in the unit that is named |
/// | `%{NAME}i`, `%{NAME}o` | a header of the request, of the response |
/// | `%{NAME}e` | a variable of the environ, such as `SSL_PROTOCOL` |
/// | `%v`, `%V`, `%p` | the name and the port of the server |
/// | `%P` | the number of the process |
/// | `%X` | `X` where the response did not go out whole, else `-` |
/// | `%{outcome}X` | `complete`, `client-left`, `aborted` or `timed-out` |
///
/// What is absent is `-`. In what a client may choose, every byte that could end a field or a line, or drive a terminal,
/// is `\xNN`: control characters, quotes and backslashes, also those of Unicode that turn the direction of a text, and
/// what is not UTF-8. In `%u`, which stands without quotes, so are spaces.
#[derive(Clone)]
pub struct AccessLog {
    format: Arc<Format>,
    sink: Sink,
}

#[derive(Clone)]
enum Sink {
    Environ,
    Function(Arc<dyn Fn(&str) + Send + Sync>),
    Writer(Errors),
}

impl AccessLog {
    /// The Common Log Format: `%h %l %u %t "%r" %>s %b`.
    pub fn common() -> Self {
        Self::of(Format::common())
    }

    /// The Combined Log Format: the common one with `"%{Referer}i" "%{User-agent}i"`.
    pub fn combined() -> Self {
        Self::of(Format::combined())
    }

    /// A format of one's own.
    ///
    /// # Errors
    ///
    /// For what is no directive of the table above, with the directive and where it stands.
    pub fn format(format: &str) -> Result<Self> {
        Ok(Self::of(Format::parse(format)?))
    }

    fn of(format: Format) -> Self {
        Self { format: Arc::new(format), sink: Sink::Environ }
    }

    /// Gives each line, without a line break, to a function, in place of the environ's stream for errors.
    ///
    /// It is called when the request has ended, where it may block.
    #[must_use]
    pub fn to(mut self, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.sink = Sink::Function(Arc::new(write));
        self
    }

    /// Writes each line, with a line break and in one piece, to a writer, such as a file.
    ///
    /// That one cannot be written is ignored: a full disk ends no request.
    #[must_use]
    pub fn to_writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.sink = Sink::Writer(Errors::writer(writer));
        self
    }

    /// Begins a line with what is known of the request now, and has it written at its end.
    fn begin(self: &Arc<Self>, environ: &mut Environ, start_response: StartResponse) -> StartResponse {
        let line = Line::begin(&self.format, environ);
        let (log, errors) = (Arc::clone(self), environ.errors());
        if !self.format.waits_for_head() {
            environ.on_finished(move |outcome| log.write(&line.end(&log.format, outcome), &errors));
            return start_response;
        }
        let line = Arc::new(Mutex::new(line));
        let (at_head, head_log) = (Arc::clone(&line), Arc::clone(self));
        environ.on_finished(move |outcome| {
            let line = std::mem::take(&mut *line.lock().unwrap_or_else(PoisonError::into_inner));
            log.write(&line.end(&log.format, outcome), &errors);
        });
        start_response.on_head(move |head| {
            let mut line = at_head.lock().unwrap_or_else(PoisonError::into_inner);
            line.look_at(&head_log.format, head);
        })
    }

    fn write(&self, line: &str, errors: &Errors) {
        match &self.sink {
            Sink::Environ => errors.line(format_args!("{line}")),
            Sink::Function(write) => write(line),
            Sink::Writer(writer) => writer.line(format_args!("{line}")),
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Writes a line when a request has ended, however it did.
///
/// Put it outermost: it then tells the status and the bytes that were sent, and takes the time of everything inside.
/// What the request says is taken before the application changes it. A server that [`run`](crate::run) starts writes a
/// short line for each request of its own, unless it is given `--quiet`.
///
/// ```
/// use vestibule::middleware::{AccessLog, access_log};
/// use vestibule::{app_fn, testing::TestServer};
///
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(404, [("content-type", "text/plain")])?;
///     Ok("no tea\n".into())
/// });
/// let log = AccessLog::format(r#"%h "%r" %>s %b "%{User-Agent}i""#)?;
/// let server = TestServer::new(app.wrap(access_log(log)));
/// let response = server.get("/tea?sugar=1").header("user-agent", "\"curl\"").send();
/// assert_eq!(response.errors(), "127.0.0.1 \"GET /tea?sugar=1 HTTP/1.1\" 404 7 \"\\x22curl\\x22\"\n");
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn access_log(log: AccessLog) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let log = Arc::new(log);
    move |inner| {
        let log = Arc::clone(&log);
        App::around(inner, move |inner, mut environ, start_response| {
            let start_response = log.begin(&mut environ, start_response);
            inner.call(environ, start_response)
        })
    }
}
