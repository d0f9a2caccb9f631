//! A directory of a test, with what is served and what lies beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use vestibule::apps::{self, Files};
use vestibule::testing::{TestResponse, TestServer};

/// When every file of a place was written, as HTTP says it.
pub(crate) const WRITTEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
pub(crate) const WRITTEN_SECONDS: u64 = 784_111_777;

/// Removed with all that is in it when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// With `root/`, which is served, and `secret` and `root-secret/secret` beside it.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("vestibule-files-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let place = Self(std::env::temp_dir().join(name));
        place.write("../secret", "secret");
        place.write("../root-secret/secret", "secret");
        place.write("hello.txt", "Hello, world!\n");
        place
    }

    /// A path below what is served.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join("root").join(path)
    }

    /// Writes a file, long ago, so that its validators are strong.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path("")).unwrap();
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        age(&path, WRITTEN_SECONDS);
    }

    pub(crate) fn link(&self, at: &str, to: impl AsRef<Path>) {
        std::os::unix::fs::symlink(to, self.path(at)).unwrap();
    }

    pub(crate) fn settings(&self) -> Files {
        Files::new(self.path(""))
    }

    pub(crate) fn server(&self) -> TestServer {
        TestServer::new(apps::files(self.settings()).unwrap())
    }

    pub(crate) fn get(&self, target: &str) -> TestResponse {
        self.server().get(target).send()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sets when a file was written, in seconds.
pub(crate) fn age(path: &Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
