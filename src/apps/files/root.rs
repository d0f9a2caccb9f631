//! The directory that is served: it is opened once, and a file is opened beneath it or not at all.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open, openat, readlinkat};
use rustix::io::{Errno, Result};

/// A directory is only a place to begin at, for which Linux asks no right to list it.
#[cfg(target_os = "linux")]
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A pipe or a device is opened without waiting for its other end; whoever opens it sees afterwards what it is.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// As many symbolic links as Linux follows in one path, and as long as its paths are.
const MOST_LINKS: usize = 40;
const LONGEST_PATH: usize = 4096;

#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, DIRECTORY, Mode::empty())?))
    }

    /// Opens what a relative path names, if that is beneath the root at the very moment. A link is followed where it
    /// stays beneath; `XDEV` is the answer to one that does not.
    pub(super) fn file(&self, path: &[u8]) -> Result<OwnedFd> {
        by_kernel(self.0.as_fd(), path).unwrap_or_else(|| by_steps(self.0.as_fd(), path))
    }
}

/// `None` where the kernel gives no verdict: it is too old, a filter of system calls stands before it, or something is
/// being renamed whenever it looks.
#[cfg(target_os = "linux")]
fn by_kernel(root: BorrowedFd<'_>, path: &[u8]) -> Option<Result<OwnedFd>> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
    for _ in 0..4 {
        match openat2(root, path, FILE, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::NOSYS | Errno::PERM) => return None,
            verdict => return Some(verdict),
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn by_kernel(_root: BorrowedFd<'_>, _path: &[u8]) -> Option<Result<OwnedFd>> {
    None
}

/// The same verdicts in steps of one segment, none of which follows a link. What a link says is walked likewise, and
/// `..` in it goes back to the directory that was come from, which is still open: nobody can move it away meanwhile.
fn by_steps(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    if path.len() >= LONGEST_PATH {
        return Err(Errno::NAMETOOLONG);
    }
    let segments = |path: &[u8]| -> Vec<Vec<u8>> {
        let named = |segment: &&[u8]| !segment.is_empty() && *segment != b".";
        path.split(|&byte| byte == b'/').filter(named).rev().map(<[u8]>::to_vec).collect()
    };
    // The next segment, and the directory that is innermost, are last.
    let mut ahead = segments(path);
    let mut within: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(segment) = ahead.pop() {
        if segment == b".." {
            within.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let here = within.last().map_or(root, AsFd::as_fd);
        let flags = if ahead.is_empty() { FILE } else { DIRECTORY };
        match openat(here, &*segment, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(file) if ahead.is_empty() => return Ok(file),
            Ok(directory) => within.push(directory),
            // What is refused may be a link, for which every system has an error of its own.
            Err(error @ (Errno::LOOP | Errno::NOTDIR | Errno::MLINK)) => {
                let Ok(target) = readlinkat(here, &*segment, Vec::new()) else { return Err(error) };
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                if target.as_bytes().starts_with(b"/") {
                    return Err(Errno::XDEV);
                }
                ahead.extend(segments(target.as_bytes()));
            }
            Err(error) => return Err(error),
        }
    }
    openat(within.last().map_or(root, AsFd::as_fd), ".", FILE, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A directory of a test, beside a file that no way may lead to.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("vestibule-root-{}-{name}", std::process::id()));
            fs::create_dir_all(place.join("root/a/b")).unwrap();
            fs::write(place.join("secret"), "secret").unwrap();
            fs::write(place.join("root/file"), "file").unwrap();
            fs::write(place.join("root/a/b/deep"), "deep").unwrap();
            Self(place)
        }

        fn link(&self, at: &str, to: &str) {
            symlink(to, self.0.join("root").join(at)).unwrap();
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(file: Result<OwnedFd>) -> Result<String> {
        let mut text = String::new();
        File::from(file?).read_to_string(&mut text).map(|_| text).map_err(|error| Errno::from_io_error(&error).unwrap())
    }

    #[test]
    fn the_kernel_and_the_steps_agree() {
        let place = Place::new("agree");
        place.link("to-file", "file");
        place.link("to-deep", "a/b/deep");
        place.link("a/up", "../file");
        place.link("a/far", "b/../../a/./b//deep");
        place.link("to-a", "a");
        place.link("chain", "to-a/up");
        place.link("back", "to-a/b/..");
        place.link("out", "../secret");
        place.link("out-dir", "..");
        place.link("a/out", "../../root/file");
        place.link("absolute", place.0.join("root/file").to_str().unwrap());
        place.link("loop", "loop");
        place.link("dangling", "nothing");
        place.link("magic", "/proc/self/root/etc/passwd");
        let cases = [
            ("file", Ok("file")),
            ("a/b/deep", Ok("deep")),
            ("to-file", Ok("file")),
            ("to-deep", Ok("deep")),
            ("a/up", Ok("file")),
            ("a/far", Ok("deep")),
            ("to-a/b/deep", Ok("deep")),
            ("chain", Ok("file")),
            ("back/up", Ok("file")),
            ("back", Err(Errno::ISDIR)),
            ("a", Err(Errno::ISDIR)),
            (".", Err(Errno::ISDIR)),
            ("out", Err(Errno::XDEV)),
            ("out-dir/secret", Err(Errno::XDEV)),
            ("out-dir/root/file", Err(Errno::XDEV)),
            ("a/out", Err(Errno::XDEV)),
            ("absolute", Err(Errno::XDEV)),
            ("magic", Err(Errno::XDEV)),
            ("../secret", Err(Errno::XDEV)),
            ("loop", Err(Errno::LOOP)),
            ("dangling", Err(Errno::NOENT)),
            ("nothing", Err(Errno::NOENT)),
            ("file/x", Err(Errno::NOTDIR)),
        ];
        let root = Root::open(&place.0.join("root")).unwrap();
        for (path, expected) in cases {
            let expected = expected.map(str::to_owned);
            assert_eq!(text(by_steps(root.0.as_fd(), path.as_bytes())), expected, "in steps: {path}");
            assert_eq!(text(root.file(path.as_bytes())), expected, "{path}");
        }
        let long = [b"a/".repeat(3000), b"x".to_vec()].concat();
        assert_eq!(root.file(&long).unwrap_err(), Errno::NAMETOOLONG);
        assert_eq!(by_steps(root.0.as_fd(), &long).unwrap_err(), Errno::NAMETOOLONG);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_is_asked_where_it_can_be() {
        let place = Place::new("asked");
        let root = Root::open(&place.0.join("root")).unwrap();
        // A filter may stand before it here too, and then the steps are what every test is about.
        let asked = by_kernel(root.0.as_fd(), b"file");
        assert!(asked.is_none_or(|file| text(file) == Ok("file".to_owned())));
    }

    #[test]
    fn as_many_links_are_followed_as_the_kernel_follows() {
        let place = Place::new("links");
        place.link("link-1", "file");
        for n in 2..=MOST_LINKS + 1 {
            place.link(&format!("link-{n}"), &format!("link-{}", n - 1));
        }
        let root = Root::open(&place.0.join("root")).unwrap();
        for (n, followed) in [(MOST_LINKS - 1, true), (MOST_LINKS, true), (MOST_LINKS + 1, false)] {
            let path = format!("link-{n}");
            assert_eq!(root.file(path.as_bytes()).is_ok(), followed, "{n}");
            assert_eq!(by_steps(root.0.as_fd(), path.as_bytes()).is_ok(), followed, "in steps: {n}");
        }
    }

    #[test]
    fn a_link_that_is_swapped_all_the_time_never_leads_out_in_steps() {
        let place = Place::new("swapped");
        place.link("inward", "a");
        place.link("outward", "..");
        fs::write(place.0.join("root/a/secret"), "inside").unwrap();
        let root = Root::open(&place.0.join("root")).unwrap();
        let at = place.0.join("root");
        let swapper = std::thread::spawn(move || {
            for round in 0..2000 {
                let (from, turn) = (["inward", "outward"][round % 2], at.join("turn"));
                symlink(fs::read_link(at.join(from)).unwrap(), &turn).unwrap();
                fs::rename(&turn, at.join("way")).unwrap();
            }
        });
        let mut rounds = 0;
        while !swapper.is_finished() || rounds == 0 {
            let found = text(by_steps(root.0.as_fd(), b"way/secret"));
            assert!(found.as_deref() != Ok("secret"), "round {rounds}");
            rounds += 1;
        }
        swapper.join().unwrap();
    }
}
