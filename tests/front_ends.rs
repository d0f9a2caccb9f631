//! The conformance suite behind real front ends, with the configurations of docs/deploy/conf.
//!
//! A front end that is not installed is a failure, which names the command that brings it.

#[path = "front_ends/authorizer.rs"]
mod authorizer;
#[path = "front_ends/backend.rs"]
mod backend;
#[path = "front_ends/front.rs"]
mod front;
#[path = "front_ends/pages.rs"]
mod pages;
#[path = "front_ends/pairs.rs"]
mod pairs;
#[path = "front_ends/place.rs"]
mod place;
#[path = "harness/program.rs"]
mod program;
#[path = "front_ends/programs.rs"]
mod programs;
#[path = "front_ends/servers.rs"]
mod servers;
#[path = "front_ends/table.rs"]
mod table;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use front::{Front, await_the_end_of_all};
use pairs::{Mount, Pair};
use place::Place;
use servers::{SERVERS, Server};
use vestibule::testing::conformance::{self, Http1, Need, Report};

/// Makes a test of each pair, and the list of all; each is run once, whoever asks first.
macro_rules! pairs {
    ($($name:ident = $pair:ident;)*) => {
        $(
            fn $name() -> &'static [Run] {
                static RUNS: OnceLock<Vec<Run>> = OnceLock::new();
                RUNS.get_or_init(|| run(&pairs::$pair))
            }
        )*

        const PAIRS: &[(&Pair, Runs)] = &[$((&pairs::$pair, $name)),*];

        mod pair {
            $(#[test] fn $name() { super::assert_as_expected(&super::pairs::$pair, super::$name()); })*
        }
    };
}

pairs! {
    nginx_fastcgi = NGINX_FASTCGI;
    nginx_fastcgi_no_keep = NGINX_FASTCGI_NO_KEEP;
    nginx_http = NGINX_HTTP;
    nginx_scgi = NGINX_SCGI;
    nginx_uwsgi = NGINX_UWSGI;
    apache_cgi = APACHE_CGI;
    apache_fcgi = APACHE_FCGI;
    apache_fcgi_no_reuse = APACHE_FCGI_NO_REUSE;
    apache_fcgid = APACHE_FCGID;
    apache_http = APACHE_HTTP;
    apache_h2c = APACHE_H2C;
    apache_scgi = APACHE_SCGI;
    apache_uwsgi = APACHE_UWSGI;
    lighttpd_authorizer = LIGHTTPD_AUTHORIZER;
    lighttpd_cgi = LIGHTTPD_CGI;
    lighttpd_fastcgi = LIGHTTPD_FASTCGI;
    lighttpd_scgi = LIGHTTPD_SCGI;
    lighttpd_uwsgi = LIGHTTPD_UWSGI;
    lighttpd_http = LIGHTTPD_HTTP;
    haproxy_fastcgi = HAPROXY_FASTCGI;
    haproxy_http = HAPROXY_HTTP;
}

/// The runs of a pair, made when somebody asks first.
type Runs = fn() -> &'static [Run];

/// The suite through a pair, mounted somewhere.
struct Run {
    mount: &'static str,
    report: Report,
    /// What the front end wrote.
    log: String,
}

fn run(pair: &Pair) -> Vec<Run> {
    std::thread::scope(|scope| {
        let runs: Vec<_> = pair.mounts.iter().map(|mount| scope.spawn(|| run_at(pair, mount))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn run_at(pair: &Pair, mount: &Mount) -> Run {
    let place = Place::new();
    let directory = place.directory().to_owned();
    let backend = (pair.start)(&place, mount.prefix);
    let text = configuration(pair.server, pair.file);
    let front = Front::start(pair.server, &text, mount.edits, place, backend.address());
    let client = pair.lacks.iter().fold(client(front.address()), |client, lack| client.without(lack.0));
    let report = conformance::run(&client, mount.prefix);
    let log = front.log();
    drop((front, backend));
    await_the_end_of_all(&directory);
    Run { mount: mount.prefix, report, log }
}

/// As `Http1::tcp`, with less patience: some cases wait in vain, since a front end keeps a connection.
fn client(address: SocketAddr) -> Http1 {
    Http1::new(move || {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(8)))?;
        stream.set_write_timeout(Some(Duration::from_secs(8)))?;
        Ok(stream)
    })
}

/// Every case passed, but for those that the front end changes or cannot do.
fn assert_as_expected(pair: &Pair, runs: &[Run]) {
    let mut faults = Vec::new();
    for Run { mount, report, log } in runs {
        let place = format!("{} {} at {mount:?}", pair.server.name(), pair.file);
        println!("{place}\n{report}");
        let mut wrong = Vec::new();
        let differences: Vec<_> = pair.differences_at(mount).collect();
        for (case, why) in report.failed() {
            let known = differences.iter().find(|difference| difference.case == case.name());
            if !known.is_some_and(|difference| why.contains(difference.shows)) {
                wrong.push(format!("{}: {why}", case.name()));
            }
        }
        for difference in differences {
            let has_failed = report.failed().iter().any(|(case, _)| case.name() == difference.case);
            if !has_failed && !difference.may_pass {
                wrong.push(format!(
                    "{}: did not fail, though {} {}",
                    difference.case,
                    pair.server.name(),
                    difference.why
                ));
            }
        }
        for (case, why) in report.skipped() {
            let mut lacks = pair.lacks.iter().map(|lack| lack.0).chain([Need::Mount, Need::Log]);
            if !lacks.any(|lack| case.needs().contains(&lack)) {
                wrong.push(format!("{}: skipped, since it {why}", case.name()));
            }
        }
        if !wrong.is_empty() {
            faults.push(format!("{place}:\n{}\nthe log of the front end:\n{log}", wrong.join("\n")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The directory of the configurations.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy/conf")
}

fn configuration(server: Server, file: &str) -> String {
    let path = directory().join(server.directory()).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Its name is the first in the alphabet, so that it starts before the pairs run one by one.
#[test]
fn all_pairs_make_the_table_of_docs_conformance() {
    table::make_or_compare();
}

#[test]
fn every_configuration_starts() {
    for server in SERVERS {
        for entry in fs::read_dir(directory().join(server.directory())).expect("there are configurations") {
            let file = entry.expect("the directory can be read").file_name().into_string().expect("a plain name");
            let place = Place::new();
            let directory = place.directory().to_owned();
            for program in ["app.cgi", "app.fcgi"] {
                place.put_program(program, Path::new("/bin/false"));
            }
            let front = Front::start(server, &configuration(server, &file), &[], place, None);
            println!("{} {file}: {}", server.name(), front.log());
            drop(front);
            await_the_end_of_all(&directory);
        }
    }
}
