//! `run`, the `main` of an application: it picks the gateway from the command line and from its surroundings.

#[cfg(feature = "cgi")]
mod cgi;
#[cfg(feature = "fastcgi")]
mod fastcgi;
#[cfg(feature = "http")]
mod http;
mod missing;
mod options;
#[cfg(feature = "scgi")]
mod scgi;
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod serving;
#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
#[path = "run/sockets.rs"]
mod sockets;
#[cfg(not(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi")))]
#[path = "run/no_sockets.rs"]
mod sockets;

#[cfg(feature = "uwsgi")]
mod uwsgi;

use std::ffi::OsString;

use crate::application::{App, Application};
use crate::error::Result;
#[cfg(not(feature = "cgi"))]
use missing::cgi;
#[cfg(not(feature = "fastcgi"))]
use missing::fastcgi;
#[cfg(not(feature = "http"))]
use missing::http;
#[cfg(not(feature = "scgi"))]
use missing::scgi;
#[cfg(not(feature = "uwsgi"))]
use missing::uwsgi;
use options::{Command, Gateway, Options, help, parse};
use sockets::Listening;

/// Runs an application as a program, by whatever gateway it was started for.
///
/// - A web server that starts it for one request (GATEWAY_INTERFACE is set): CGI. Arguments are ignored, since some web
///   servers make them of the query.
/// - A listening socket in the place of standard input, as from Apache's mod_fcgid and spawn-fcgi: FastCGI.
/// - Sockets from systemd (LISTEN_FDS): the first one, by the protocol that LISTEN_FDNAMES names it for: `http` (also for
///   other names), `fastcgi`, `scgi` or `uwsgi`.
/// - `--http ADDR`, `--fastcgi ADDR`, `--scgi ADDR`, `--uwsgi ADDR`: on that address, `host:port` or `unix:PATH`.
/// - Else HTTP on 127.0.0.1:8000.
///
/// `--mount PREFIX`, `--threads N`, `--allow-peers NETWORK`, `--quiet` and `--help` go with them. A server says on standard
/// error where it listens, and writes a line there for each request: method, path, status, bytes of body, milliseconds.
/// `--quiet` leaves these lines out; errors are logged all the same. SIGINT (Ctrl-C) or SIGTERM stops it gracefully, a
/// second one at once.
///
/// Where FCGI_WEB_SERVER_ADDRS is set and not empty, FastCGI over TCP is served to these IP addresses alone, whichever
/// way the program was started. With `--allow-peers` too, a web server has to be in both.
///
/// # Errors
///
/// For arguments that it does not know, an address that cannot be bound, a list of web servers that is none, and a
/// gateway that this program was built without: another one never takes its place.
///
/// ```no_run
/// use vestibule::{Environ, Result, StartResponse};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("Hello, world!\n".into())
/// }
///
/// fn main() -> Result<()> {
///     vestibule::run(hello)
/// }
/// ```
pub fn run(application: impl Application) -> Result<()> {
    let app = App::new(application);
    let mut arguments = std::env::args_os();
    let program = arguments.next().map_or("app".to_owned(), |path| file_name(&path));
    // RFC 3875, section 4.1.4: it MUST be set.
    if std::env::var_os("GATEWAY_INTERFACE").is_some() {
        return cgi::serve(Job { app, program, options: Options::default(), listening: Listening::Nowhere });
    }
    let mut options = match parse(arguments)? {
        Command::Help => {
            print!("{}", help(&program));
            return Ok(());
        }
        Command::Serve(options) => options,
    };
    let (gateway, listening) = match options.address.take() {
        Some((gateway, address)) => (gateway, Listening::At(address)),
        None => sockets::inherited()?.unwrap_or((Gateway::Http, Listening::At(DEFAULT_ADDRESS.to_owned()))),
    };
    let job = Job { app, program, options, listening };
    match gateway {
        Gateway::Http => http::serve(job),
        Gateway::FastCgi => fastcgi::serve(job),
        Gateway::Scgi => scgi::serve(job),
        Gateway::Uwsgi => uwsgi::serve(job),
    }
}

/// Where HTTP is served when nothing else is asked for.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";

/// What is to be served, and where.
#[allow(dead_code, reason = "each gateway takes what it needs")]
struct Job {
    app: App,
    /// What the program is called, for its log.
    program: String,
    options: Options,
    listening: Listening,
}

fn file_name(path: &OsString) -> String {
    std::path::Path::new(path).file_name().unwrap_or(path).to_string_lossy().into_owned()
}
