//! A front end that runs: started in the foreground, ready when it takes connections, ended by its id.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::program::{PATIENCE, until};
use crate::servers::Server;

/// A front end, until it is dropped.
#[derive(Debug)]
pub(crate) struct Front {
    process: Child,
    place: Place,
}

impl Front {
    /// Starts a front end with a configuration of docs/deploy/conf.
    ///
    /// `edits` are what a test changes in that beside the places, such as the mount point.
    pub(crate) fn start(
        server: Server,
        configuration: &str,
        edits: &[(&str, &str)],
        mut place: Place,
        application: Option<SocketAddr>,
    ) -> Self {
        let program = find(server);
        let edited = edits.iter().fold(configuration.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from:?} is not in the configuration");
            text.replace(from, to)
        });
        loop {
            let text = place.fill(&edited, application);
            let log = File::create(place.log()).expect("it can be written");
            // setpriv: the front end does not outlive this process, whatever ends that.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM"]).arg(&program).args(server.arguments(&place, &text));
            command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log).process_group(0);
            let process = command.spawn().unwrap_or_else(|error| panic!("{server:?}: {error}"));
            let mut front = Self { process, place };
            match front.wait_until_it_listens() {
                Ok(()) => return front,
                Err(status) => {
                    let log = front.place.logged();
                    assert!(is_in_use(&log), "{server:?} has ended with {status}:\n{log}\n{text}");
                    place = std::mem::replace(&mut front.place, Place::new());
                    place.move_site();
                }
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.place.site
    }

    /// What it wrote to its error log.
    pub(crate) fn log(&self) -> String {
        self.place.logged()
    }

    /// It is ready when it takes connections; `Err` when it has ended.
    fn wait_until_it_listens(&mut self) -> Result<(), ExitStatus> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("it is our child") {
                return Err(status);
            }
            if TcpStream::connect(self.place.site).is_ok() {
                return Ok(());
            }
            assert!(begin.elapsed() < PATIENCE, "it does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal to it, or to all processes of its group.
    fn signal(&self, name: &str, all: bool) {
        let id = format!("{}{}", if all { "-" } else { "" }, self.process.id());
        // That there is none any more is no harm.
        let _ = Command::new("kill").args(["-s", name, "--", &id]).stderr(Stdio::null()).status();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the front end:\n{}", self.log());
        }
        self.signal("TERM", false);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // What has not gone by itself: workers that wait for their clients, programs that it has started.
        self.signal("KILL", true);
        let _ = self.process.wait();
    }
}

fn is_in_use(log: &str) -> bool {
    log.to_ascii_lowercase().contains("address already in use")
}

/// The program of a front end, also where PATH has no directories of the system's own programs.
pub(crate) fn find(server: Server) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = directories.map(|directory| directory.join(server.program())).find(|program| program.exists());
    found.unwrap_or_else(|| missing(server.program(), server.packages()))
}

/// Ends the test, with the command that brings what it needs.
pub(crate) fn missing(what: &str, packages: &str) -> ! {
    panic!("there is no {what}; bring it with: apt-get install {packages}, or all of it with: ci/test --install")
}

/// Whether a file is there; else the test ends.
pub(crate) fn need_file(path: &str, packages: &str) {
    if !Path::new(path).exists() {
        missing(path, packages);
    }
}

/// Waits until no process has the directory in its arguments: front ends, their workers, and programs they started.
pub(crate) fn await_the_end_of_all(directory: &str) {
    until("every process of the front end has ended", || {
        let processes = std::fs::read_dir("/proc").expect("there is a /proc");
        !processes.filter_map(Result::ok).any(|process| {
            std::fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(directory))
        })
    });
}
