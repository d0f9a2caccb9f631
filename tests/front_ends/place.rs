//! Where a front end and its application run in a test: a directory of their own, and a port for the clients.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::program::free_port;

/// A directory that is gone at the end, and what stands in it for the places that the configurations name.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    /// Where the front end listens.
    pub(crate) site: SocketAddr,
}

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // As long as every other, so that none is a part of another.
        let name = format!("vestibule-front-{}-{:04}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Not below target: the path of a socket is short, and front ends that left root behind have to get there.
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).expect("the directory is new");
        let place = Self { directory, site: SocketAddr::from(([127, 0, 0, 1], free_port())) };
        for (path, mode) in [(place.directory.clone(), 0o755), (place.run(), 0o777), (place.public(), 0o755)] {
            fs::create_dir_all(&path).expect("it can be made");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        }
        place
    }

    /// Another port for the clients, where somebody was faster.
    pub(crate) fn move_site(&mut self) {
        self.site.set_port(free_port());
    }

    /// What a front end that left root behind may write in: `/run/app`.
    pub(crate) fn run(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// The application's socket: `/run/app/app.sock`.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join("app.sock")
    }

    /// Where what stands behind an authorizer is: `/run/app/second.sock`, which no configuration names.
    pub(crate) fn second_socket(&self) -> PathBuf {
        self.run().join("second.sock")
    }

    /// The programs: `/srv/app`.
    pub(crate) fn programs(&self) -> PathBuf {
        self.directory.join("srv")
    }

    /// The files of the site: `/srv/app/public`.
    pub(crate) fn public(&self) -> PathBuf {
        self.programs().join("public")
    }

    /// What the front end writes to its error log and to its standard error.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Writes a file of the directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, text).expect("it can be written");
        path
    }

    /// Puts a program where the configurations want the application's own.
    pub(crate) fn put_program(&self, name: &str, program: &Path) {
        fs::copy(program, self.programs().join(name)).expect("it can be copied");
    }

    /// A configuration of docs/deploy/conf with the places of this test: docs/deploy/README.md has the list.
    pub(crate) fn fill(&self, text: &str, application: Option<SocketAddr>) -> String {
        let text = text
            .replace("127.0.0.1:8080", &self.site.to_string())
            .replace("/run/app", self.run().to_str().expect("it is text"))
            .replace("/srv/app", self.programs().to_str().expect("it is text"));
        match application {
            Some(application) => text.replace("127.0.0.1:8000", &application.to_string()),
            None => text,
        }
    }

    /// The whole log so far.
    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub(crate) fn directory(&self) -> &str {
        self.directory.to_str().expect("it is text")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
