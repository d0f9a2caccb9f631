//! `run`, the `main` of an application: it picks the gateway from the command line.

use std::ffi::OsString;

use crate::adapters;
use crate::application::{App, Application};
use crate::error::{Fault, Result};

/// Where HTTP is served when nothing else is asked for.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";

/// Runs an application as a program: `--http ADDR`, `--threads N`, `--quiet`, `--help`; without flags, HTTP on
/// 127.0.0.1:8000.
///
/// ADDR is `host:port` or `unix:PATH`. It says on standard error where it listens, and writes a line there for each
/// request: method, path, status, bytes of body, milliseconds. `--quiet` leaves these lines out; errors are logged all
/// the same. SIGINT (Ctrl-C) or SIGTERM stops it gracefully, a second one at once.
///
/// # Errors
///
/// For arguments that it does not know, an address that cannot be bound, and a gateway that this program was built
/// without.
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
    let mut arguments = std::env::args_os();
    let program = arguments.next().map_or("app".to_owned(), |path| file_name(&path));
    match parse(arguments)? {
        Command::Help => {
            print!("{}", help(&program));
            Ok(())
        }
        Command::Serve(Options { http, threads, quiet }) => {
            let address = http.as_deref().unwrap_or(DEFAULT_ADDRESS);
            adapters::http::run(&program, &App::new(application), address, threads, !quiet)
        }
    }
}

fn file_name(path: &OsString) -> String {
    std::path::Path::new(path).file_name().unwrap_or(path).to_string_lossy().into_owned()
}

#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Serve(Options),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    http: Option<String>,
    threads: Option<usize>,
    quiet: bool,
}

fn help(program: &str) -> String {
    format!(
        "{program}: a web application on vestibule\n\
         \n\
         Usage: {program} [--http ADDR] [--threads N] [--quiet]\n\
         \n\
         \x20 --http ADDR    serve HTTP on ADDR: host:port or unix:PATH (default: {DEFAULT_ADDRESS})\n\
         \x20 --threads N    call the application on at most N threads at once (default: 64)\n\
         \x20 --quiet        no line for each request\n\
         \x20 --help         print this\n"
    )
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command> {
    let mut options = Options::default();
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, mut value) = match argument.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            let value = value.take().or_else(|| arguments.next());
            value.ok_or_else(|| usage(format!("{flag} needs a value")))
        };
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--quiet" | "-q" => options.quiet = true,
            "--http" => options.http = Some(value()?),
            "--threads" => {
                let threads = value()?;
                let number = threads.parse().ok().filter(|&number: &usize| number > 0);
                options.threads =
                    Some(number.ok_or_else(|| usage(format!("--threads {threads}: not a number above 0")))?);
            }
            address if !address.starts_with('-') && address.contains(':') => {
                return Err(usage(format!("{address} is not an option, did you mean --http {address}")).into());
            }
            _ => return Err(usage(format!("{flag} is not an option")).into()),
        }
    }
    Ok(Command::Serve(options))
}

fn usage(what: String) -> Fault {
    Fault::Gateway(format!("{what}; --help lists the options"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_take_their_value_in_both_forms() {
        let options = Options { http: Some("[::1]:80".to_owned()), threads: Some(2), quiet: true };
        assert_eq!(parsed(&["--http", "[::1]:80", "--threads=2", "--quiet"]), Ok(Command::Serve(options)));
        assert_eq!(parsed(&[]), Ok(Command::Serve(Options::default())));
        assert_eq!(parsed(&["--http", "x", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, text) in [
            (&["--htp", "x"][..], "--htp is not an option"),
            (&["--http"], "--http needs a value"),
            (&["--threads", "0"], "--threads 0: not a number above 0"),
            (&["--threads", "many"], "--threads many: not a number above 0"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.starts_with(text) && error.contains("--help"), "{error}");
        }
    }
}
