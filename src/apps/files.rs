//! `files`: the files beneath a directory, as GET and HEAD see them.

mod coding;
mod conditions;
mod path;
mod range;
mod representation;
mod root;
mod slices;

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use http::header::{ALLOW, CACHE_CONTROL, HeaderMap, LOCATION, VARY};
use http::{HeaderValue, Method, StatusCode};
use rustix::io::Errno;

use crate::application::{App, Application};
use crate::body::Body;
use crate::environ::Environ;
use crate::error::{Error, Result, escaped};
use crate::head::Head;
use crate::start_response::StartResponse;
use coding::preferred;
use path::{Relative, is_sound, relative};
use representation::{Representation, content_type};
use root::Root;

/// An application that serves the files beneath a directory: `files("static/")?`, or with [`Files`] for its settings.
///
/// It answers GET and HEAD for the path below its mount point, and OPTIONS; other methods are 405 with Allow. A file
/// has its Content-Type by the end of its name (text as UTF-8), Last-Modified and ETag. The conditions of RFC 9110,
/// section 13, are answered in their order with 304 and 412, and `Range` (section 14) with 206 and one or several
/// ranges, or 416. A directory has its index file and never a list; without its slash it is redirected to by 301.
///
/// The directory is opened here and kept open: one that later takes its name is not served. What a path names is
/// opened beneath it by one call of the kernel (`openat2`), or by steps to the same effect where there is none. Links
/// are followed where they stay beneath; one that leads out, or is absolute, is not, also when it is swapped meanwhile.
/// A path is taken apart before it is decoded, so that `..%2f` is a name. It is a 404 where it has empty segments, `.`
/// or `..`, a control character or a backslash, a name that begins with a dot (but `.well-known`; see [`Files::hidden`]) or ends with a
/// dot or a space; and so is whatever is no regular file, and what may not be read, which is written to the environ's
/// stream for errors.
///
/// The ETag tells apart any two states of a file on one machine; machines behind one balancer give it different ones.
/// It is weak until the file is two seconds old, since two changes within a tick of the clock look the same (RFC 9110,
/// section 8.8.1). A file that is cut while it is sent aborts the response.
///
/// # Errors
///
/// When the directory cannot be opened, and for an index that is no name of a file.
///
/// ```
/// use vestibule::{apps, testing::TestServer};
///
/// # let directory = std::env::temp_dir().join(format!("vestibule-doc-files-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// std::fs::write(directory.join("hello.txt"), "Hello, world!\n")?;
/// let server = TestServer::new(apps::files(&directory)?);
/// let response = server.get("/hello.txt").send();
/// assert_eq!(response.text(), "Hello, world!\n");
/// assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
/// let etag = response.header("etag").unwrap();
/// assert_eq!(server.get("/hello.txt").header("if-none-match", etag).send().status(), 304);
/// assert_eq!(server.get("/hello.txt").header("range", "bytes=7-11").send().text(), "world");
/// assert_eq!(server.get("/../hello.txt").send().status(), 404);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn files(settings: impl Into<Files>) -> Result<App> {
    let Files { root, index, cache_control, hidden, precompressed, most_ranges } = settings.into();
    if let Some(index) = index.as_ref().filter(|index| !is_sound(index.as_bytes(), true)) {
        return Err(format!("files: the index {index:?} is no name of a file").into());
    }
    let opened = Root::open(&root);
    let name = format!("files {}", root.display());
    let root = opened.map_err(|error| io::Error::new(error.kind(), format!("{name}: cannot open it: {error}")))?;
    let mut common = HeaderMap::new();
    if precompressed {
        common.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    common.extend(cache_control.map(|value| (CACHE_CONTROL, value)));
    Ok(App::new(Served { root, index, common, hidden, precompressed, most_ranges }).named(name))
}

/// The settings of [`files`]: a directory, and what differs from the defaults.
///
/// A path alone is one, so `files("static/")` needs none of this.
///
/// ```
/// use vestibule::{apps::{self, Files}, testing::TestServer};
///
/// # let directory = std::env::temp_dir().join(format!("vestibule-doc-settings-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// std::fs::write(directory.join("app.js"), "alert('hello, hello, hello')")?;
/// std::fs::write(directory.join("app.js.gz"), "as gzip would write it")?;
/// let settings = Files::new(&directory).precompressed(true).cache_control("max-age=3600")?;
/// let response = TestServer::new(apps::files(settings)?).get("/app.js").header("accept-encoding", "gzip").send();
/// assert_eq!(response.header("content-type"), Some("text/javascript; charset=utf-8"));
/// assert_eq!(response.header("content-encoding"), Some("gzip"));
/// assert_eq!(response.header("cache-control"), Some("max-age=3600"));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Files {
    root: PathBuf,
    index: Option<String>,
    cache_control: Option<HeaderValue>,
    hidden: bool,
    precompressed: bool,
    most_ranges: usize,
}

impl Files {
    /// The files beneath `root`, with every setting as it is by default.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            index: Some("index.html".to_owned()),
            cache_control: None,
            hidden: false,
            precompressed: false,
            most_ranges: 16,
        }
    }

    /// The name of the file that stands for its directory, `index.html` by default; with `None`, no directory is
    /// anything but a 404.
    #[must_use]
    pub fn index<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.index = name.into().map(str::to_owned);
        self
    }

    /// The Cache-Control of each file, and of a 304; none by default.
    ///
    /// # Errors
    ///
    /// For a value that no header can have.
    pub fn cache_control<V>(mut self, value: V) -> Result<Self>
    where
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        let value =
            HeaderValue::try_from(value).map_err(|error| format!("files: `cache-control`: {}", error.into()))?;
        self.cache_control = Some(value);
        Ok(self)
    }

    /// Whether files and directories whose name begins with a dot are served too; no by default.
    #[must_use]
    pub fn hidden(mut self, served: bool) -> Self {
        self.hidden = served;
        self
    }

    /// Whether a sibling that is compressed already, `app.js.br`, `app.js.zst` or `app.js.gz`, is sent in place of
    /// `app.js` to a client that takes it; no by default.
    ///
    /// The first that the client prefers is sent, in this order among equals, unless it was written before the file
    /// itself: it is of an older one then. Each has an ETag of its own, and every answer has `Vary: accept-encoding`.
    /// To a client that takes nothing, not even the plain file, the plain file is sent.
    #[must_use]
    pub fn precompressed(mut self, served: bool) -> Self {
        self.precompressed = served;
        self
    }

    /// How many ranges one request may ask for, 16 by default; with 0, ranges are not served at all.
    ///
    /// Where it asks for more of them, for more bytes than the file has, or for more than two that overlap, it gets
    /// the whole file, as RFC 9110, section 14.2 allows.
    #[must_use]
    pub fn max_ranges(mut self, ranges: usize) -> Self {
        self.most_ranges = ranges;
        self
    }
}

impl<P: AsRef<Path>> From<P> for Files {
    fn from(root: P) -> Self {
        Self::new(root.as_ref())
    }
}

struct Served {
    root: Root,
    index: Option<String>,
    /// The headers of each answer that is about a file.
    common: HeaderMap,
    hidden: bool,
    precompressed: bool,
    most_ranges: usize,
}

impl Application for Served {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result {
        let (head, body) = self.answer(&environ)?;
        start_response.send(head)?;
        Ok(body)
    }
}

/// What a path names.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly always a file")]
enum Found {
    /// A file, under a name that tells its type.
    File(Representation),
    /// A directory with an index, whose path lacks its slash.
    Directory,
    Nothing,
}

impl Served {
    fn answer(&self, environ: &Environ) -> Result<(Head, Body)> {
        match *environ.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok((allowing(Head::new(StatusCode::NO_CONTENT)), Body::empty())),
            _ => {
                let (head, text) = Head::plain(StatusCode::METHOD_NOT_ALLOWED);
                return Ok((allowing(head), text.into()));
            }
        }
        let found = match relative(environ.raw_path_info(), self.hidden) {
            Some(path) => self.find(path, environ)?,
            None => Found::Nothing,
        };
        match found {
            Found::File(file) => file.answer(environ, &self.common, self.most_ranges),
            Found::Directory => with_slash(environ),
            Found::Nothing => {
                let (head, text) = Head::plain(StatusCode::NOT_FOUND);
                Ok((head, text.into()))
            }
        }
    }

    fn find(&self, Relative { path, is_directory }: Relative<'_>, environ: &Environ) -> Result<Found> {
        let index = |directory: &[u8]| {
            let index = self.index.as_ref()?;
            let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            Some([directory, slash, index.as_bytes()].concat())
        };
        let file = match is_directory {
            true => match index(&path) {
                Some(index) => self.regular(&index, environ)?.map(|file| (index.into(), file)),
                None => None,
            },
            false => match self.open(if path.is_empty() { b"." } else { &path }, environ)? {
                Some((_, metadata)) if metadata.is_dir() => {
                    let Some(index) = index(&path) else { return Ok(Found::Nothing) };
                    let is_there = self.regular(&index, environ)?.is_some();
                    return Ok(if is_there { Found::Directory } else { Found::Nothing });
                }
                file => file.filter(|(_, metadata)| metadata.is_file()).map(|file| (path, file)),
            },
        };
        let Some((path, (file, metadata))) = file else { return Ok(Found::Nothing) };
        let content_type = content_type(Path::new(OsStr::from_bytes(&path)));
        let plain = Representation { file, metadata, content_type, coding: None };
        Ok(Found::File(if self.precompressed { self.compressed(plain, &path, environ)? } else { plain }))
    }

    /// The sibling of a file that the client prefers, else the file.
    fn compressed(&self, plain: Representation, path: &[u8], environ: &Environ) -> Result<Representation> {
        for coding in preferred(environ.headers()) {
            let sibling = self.regular(&[path, coding.suffix().as_bytes()].concat(), environ)?;
            // By the second, since not every compressor gives its file a finer time.
            let is_fresh = |file: &Metadata| file.mtime() >= plain.metadata.mtime();
            if let Some((file, metadata)) = sibling.filter(|(_, metadata)| is_fresh(metadata)) {
                return Ok(Representation { file, metadata, coding: Some(coding), ..plain });
            }
        }
        Ok(plain)
    }

    fn regular(&self, path: &[u8], environ: &Environ) -> Result<Option<(File, Metadata)>> {
        Ok(self.open(path, environ)?.filter(|(_, metadata)| metadata.is_file()))
    }

    /// What is there under a path, opened and looked at afterwards; `None` where it is not to be had.
    fn open(&self, path: &[u8], environ: &Environ) -> Result<Option<(File, Metadata)>> {
        let errno = match self.root.file(path) {
            Ok(file) => {
                let file = File::from(file);
                let metadata = file.metadata()?;
                return Ok(Some((file, metadata)));
            }
            Err(errno) => errno,
        };
        let missing = absence(errno)?;
        if missing == Absence::Refused {
            let path = escaped(&String::from_utf8_lossy(path));
            environ.errors().line(format_args!("vestibule: files: {path}: {errno}"));
        }
        Ok(None)
    }
}

/// Why there is no file, where that is no fault of the server.
#[derive(Debug, PartialEq, Eq)]
enum Absence {
    Missing,
    /// There may be one that the server has no right to.
    Refused,
}

/// What an error of opening a file means: a 404; a 503 while there is too much else; else a 500.
fn absence(errno: Errno) -> Result<Absence> {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::MLINK | Errno::XDEV | Errno::NAMETOOLONG => {
            Ok(Absence::Missing)
        }
        // A socket, a device that is not there, a name that this file system cannot have.
        Errno::NXIO | Errno::NODEV | Errno::INVAL | Errno::ILSEQ => Ok(Absence::Missing),
        Errno::ACCESS | Errno::PERM => Ok(Absence::Refused),
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => Err(Error::with_status(503, io::Error::from(errno))),
        errno => Err(io::Error::from(errno).into()),
    }
}

fn allowing(mut head: Head) -> Head {
    head.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    head
}

/// The redirect of a directory to itself with its slash. Two slashes in front would name another host, and so would a
/// backslash, which browsers take for one (RFC 3986, section 4.2; the WHATWG's URL standard).
fn with_slash(environ: &Environ) -> Result<(Head, Body)> {
    let path = environ.raw_path().trim_start_matches(['/', '\\']);
    let query = environ.query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    let (mut head, text) = Head::plain(StatusCode::MOVED_PERMANENTLY);
    head.headers.insert(LOCATION, format!("/{path}/{mark}{query}").try_into()?);
    Ok((head, text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_no_fault_of_the_server() {
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV, Errno::NAMETOOLONG, Errno::NXIO] {
            assert_eq!(absence(errno).unwrap(), Absence::Missing, "{errno}");
        }
        for errno in [Errno::ACCESS, Errno::PERM] {
            assert_eq!(absence(errno).unwrap(), Absence::Refused, "{errno}");
        }
        for (errno, status) in [(Errno::MFILE, Some(503)), (Errno::NFILE, Some(503)), (Errno::IO, None)] {
            let error = absence(errno).unwrap_err();
            assert_eq!(error.status().map(|status| status.as_u16()), status, "{errno}");
            assert!(!error.is_client(), "{errno}");
        }
    }
}
