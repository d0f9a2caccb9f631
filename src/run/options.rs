//! The command line of [`run`](super::run).

use std::ffi::OsString;

use super::DEFAULT_ADDRESS;
use crate::error::{Fault, Result};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Serve(Options),
}

/// A protocol, and the flag that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gateway {
    Http,
    FastCgi,
    Scgi,
    Uwsgi,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) address: Option<(Gateway, String)>,
    pub(super) mount: Option<String>,
    pub(super) allow_peers: Vec<String>,
    pub(super) threads: Option<usize>,
    pub(super) quiet: bool,
}

pub(super) fn help(program: &str) -> String {
    format!(
        "{program}: a web application on vestibule\n\
         \n\
         Usage: {program} [--http ADDR | --fastcgi ADDR | --scgi ADDR | --uwsgi ADDR] [OPTION...]\n\
         \n\
         \x20 --http ADDR             serve HTTP on ADDR: host:port or unix:PATH (default: {DEFAULT_ADDRESS})\n\
         \x20 --fastcgi ADDR          serve FastCGI on ADDR, for a web server that forwards requests\n\
         \x20 --scgi ADDR             the same by SCGI\n\
         \x20 --uwsgi ADDR            the same by uwsgi\n\
         \x20 --mount PREFIX          the application is at this path, such as /app\n\
         \x20 --allow-peers NETWORK   let web servers from there connect (FastCGI, SCGI, uwsgi); may be repeated\n\
         \x20 --threads N             call the application on at most N threads at once (default: 64)\n\
         \x20 --quiet                 no line for each request\n\
         \x20 --help                  print this\n\
         \n\
         Started by a web server for one request it answers by CGI, with a listening socket as standard input it\n\
         serves FastCGI, and with sockets from systemd it serves these. Over TCP it serves FastCGI to the addresses\n\
         in FCGI_WEB_SERVER_ADDRS alone, if that is set; with --allow-peers a web server has to be in both.\n"
    )
}

pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command> {
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
            "--http" => options.listen(Gateway::Http, value()?)?,
            "--fastcgi" => options.listen(Gateway::FastCgi, value()?)?,
            "--scgi" => options.listen(Gateway::Scgi, value()?)?,
            "--uwsgi" => options.listen(Gateway::Uwsgi, value()?)?,
            "--mount" => options.mount = Some(prefix(value()?)?),
            "--allow-peers" => options.allow_peers.push(value()?),
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

impl Options {
    fn listen(&mut self, gateway: Gateway, address: String) -> Result<()> {
        match self.address.replace((gateway, address)) {
            None => Ok(()),
            Some((_, other)) => Err(usage(format!("only one address can be served, and {other} is given too")).into()),
        }
    }
}

fn prefix(prefix: String) -> Result<String> {
    match prefix.trim_end_matches('/') {
        "" => Ok(String::new()),
        prefix if prefix.starts_with('/') => Ok(prefix.to_owned()),
        prefix => Err(usage(format!("--mount {prefix}: a prefix begins with a slash")).into()),
    }
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
        let address = Some((Gateway::Http, "[::1]:80".to_owned()));
        let options = Options { address, threads: Some(2), quiet: true, ..Options::default() };
        assert_eq!(parsed(&["--http", "[::1]:80", "--threads=2", "--quiet"]), Ok(Command::Serve(options)));
        for (flag, gateway) in [("--fastcgi", Gateway::FastCgi), ("--scgi", Gateway::Scgi), ("--uwsgi", Gateway::Uwsgi)]
        {
            let options = Options {
                address: Some((gateway, "unix:/a".to_owned())),
                mount: Some("/app".to_owned()),
                allow_peers: vec!["10.0.0.0/8".to_owned(), "::1".to_owned()],
                ..Options::default()
            };
            let given = [flag, "unix:/a", "--mount", "/app/", "--allow-peers", "10.0.0.0/8", "--allow-peers=::1"];
            assert_eq!(parsed(&given), Ok(Command::Serve(options)));
        }
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
            (&["--mount", "app"], "--mount app: a prefix begins with a slash"),
            (&["--http", "a:1", "--scgi", "b:2"], "only one address can be served, and a:1 is given too"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.starts_with(text) && error.contains("--help"), "{error}");
        }
    }
}
