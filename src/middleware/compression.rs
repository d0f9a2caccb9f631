//! Compression of responses, by a coding that the client accepts.

#[cfg(not(all(feature = "gzip", feature = "brotli", feature = "zstd")))]
mod absent;
#[cfg(feature = "brotli")]
mod brotli;
mod coding;
mod compressible;
mod encoded;
#[cfg(feature = "gzip")]
mod gzip;
mod request;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;
use std::sync::Arc;

use crate::application::App;
use crate::capture::capture;
use crate::head::Head;
use crate::start_response::StartResponse;
#[cfg(not(feature = "brotli"))]
use absent as brotli;
#[cfg(not(feature = "gzip"))]
use absent as gzip;
#[cfg(not(feature = "zstd"))]
use absent as zstd;
use request::Request;

pub use coding::Coding;

/// Compresses responses by gzip, brotli or zstd, each by the feature of its name, where the client accepts it.
///
/// A response is compressed unless
///
/// - its status is 204, 205, 206 or 304, or it has a Content-Range;
/// - it has a Content-Encoding already, a digest of its bytes, or `Cache-Control: no-transform`;
/// - its type gains nothing by it ([`Compression::is_compressible`], or one's own predicate);
/// - it is known to be shorter than [`min_size`](Compression::min_size).
///
/// Any other gets Vary: Accept-Encoding, also where this client gets it as it is. Accept-Encoding is read as RFC 9110
/// says in section 12.5.3: the coding with the highest weight is taken, and among equals the first of
/// [`codings`](Compression::codings); `identity` wins only where its weight is higher still. Without the header there
/// is no compression. Where a client accepts none of the codings and refuses `identity` too, it gets the response as
/// it is: RFC 9110 allows a 406, which helps nobody.
///
/// A compressed response gets Content-Encoding and loses Content-Length and Accept-Ranges, for its ranges would be others.
/// A strong ETag becomes weak (section 8.8.1), as the bytes are others for each client; a 304 gets the form of the
/// tag that the client sent. So a client that has a compressed response finds it again by If-None-Match, but
/// cannot use its tag for If-Match. HEAD gets the headers that GET would.
///
/// # Streams
///
/// Each block that the application gives is compressed and flushed at once, so that server-sent events move. That costs
/// about five bytes a block, and small blocks compress badly: gather them where nobody waits for them. The body
/// keeps its mode, its trailers and what is to be done when it is closed; one that fails aborts the response, as does
/// one that ends before the Content-Length that it declared.
///
/// # Cost
///
/// Compressing takes processor time where the body is pulled: on a pool thread for one that may block, and for whatever
/// a blocking application has in memory; on the reactor for an async one, at most 64 KiB at a time. Bodies of up to
/// 64 KiB in memory are compressed whole, with a Content-Length; longer ones piece by piece. Beside its body a
/// response holds an encoder, at the default levels up to about 0.4 MiB for gzip, 3 MiB for zstd and 4 MiB for brotli,
/// and the output of 64 KiB.
///
/// # Secrets
///
/// The length of a compressed response tells something of its content. Where a page has a secret and, beside it, text
/// that an attacker chooses, the secret can be guessed by many requests
/// ([BREACH](https://www.breachattack.com/)). Mask such secrets anew for each response, or leave those pages
/// alone by [`only_if`](crate::middleware::only_if), [`Compression::compress_if`] or `Cache-Control: no-transform`.
///
/// ```
/// use vestibule::middleware::{Compression, compression};
/// use vestibule::{app_fn, testing::TestServer};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("tea ".repeat(1000).into())
/// });
/// let server = TestServer::new(app.wrap(compression(Compression::new())));
/// let response = server.get("/").header("accept-encoding", "br, gzip, zstd").send();
/// assert!(response.header("content-encoding").is_some() && response.bytes().len() < 100);
/// assert_eq!(response.header("vary"), Some("Accept-Encoding"));
/// assert_eq!(server.get("/").send().header("content-encoding"), None);
/// ```
pub fn compression(compression: Compression) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let settings = Arc::new(compression);
    move |inner| {
        let settings = Arc::clone(&settings);
        App::around(inner, move |inner, environ, start_response| {
            let request = Request::new(&environ, &settings.codings, inner.may_block());
            let settings = Arc::clone(&settings);
            capture(inner, environ, start_response, move |response, start_response: StartResponse| {
                let (mut head, body) = response?;
                let body = request.encode(&mut head, body, &settings)?;
                start_response.send(head)?;
                Ok(body)
            })
        })
    }
}

/// What [`compression`](compression()) compresses, and how.
#[must_use = "options do nothing by themselves"]
pub struct Compression {
    codings: Vec<Coding>,
    min_size: u64,
    is_wanted: Box<dyn Fn(&Head) -> bool + Send + Sync>,
}

impl Compression {
    /// All codings whose features are on, each at its default level, for compressible types from 1024 bytes.
    ///
    /// Among those that a client likes equally zstd comes first, then brotli, then gzip. Both the order and the levels
    /// are for responses that are made once and sent once. Of 4 KB of HTML zstd leaves 34.6 %, brotli 32.3 % and gzip
    /// 33.8 %; of 32 KB 30.7, 30.3 and 31.0 %; of 1 MB, where gzip forgets too early, 10.5, 11.5 and 21.0 %. For that
    /// brotli takes twice as long as the others. Who pays more for the network than for the processor prefers brotli.
    /// What is sent often is better compressed beforehand, at the highest level.
    pub fn new() -> Self {
        Self {
            codings: [zstd::OFFERED, brotli::OFFERED, gzip::OFFERED].into_iter().flatten().collect(),
            min_size: 1024,
            is_wanted: Box::new(Self::is_compressible),
        }
    }

    /// Offers these codings and no other, the one to be preferred first. Of a coding that is named twice the first
    /// counts.
    pub fn codings(mut self, codings: impl IntoIterator<Item = Coding>) -> Self {
        self.codings.clear();
        for coding in codings {
            if !self.codings.iter().any(|other| other.name() == coding.name()) {
                self.codings.push(coding);
            }
        }
        self
    }

    /// The length in bytes from which a body of known length is compressed: 1024, unless told otherwise. A body of
    /// unknown length always is.
    pub fn min_size(mut self, bytes: u64) -> Self {
        self.min_size = bytes;
        self
    }

    /// Compresses responses whose head pleases `predicate`, in place of those of compressible types.
    ///
    /// ```
    /// use vestibule::header::SET_COOKIE;
    /// use vestibule::middleware::Compression;
    ///
    /// let careful = Compression::new()
    ///     .compress_if(|head| Compression::is_compressible(head) && !head.headers.contains_key(SET_COOKIE));
    /// # let _ = careful;
    /// ```
    pub fn compress_if(mut self, predicate: impl Fn(&Head) -> bool + Send + Sync + 'static) -> Self {
        self.is_wanted = Box::new(predicate);
        self
    }

    /// Whether the Content-Type is one that compresses: `text/*`, JSON, XML, SVG, scripts, WebAssembly, fonts that are
    /// not compressed, and the like. False of images, sound, films, archives and what has no type.
    pub fn is_compressible(head: &Head) -> bool {
        compressible::is_compressible(head)
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("codings", &self.codings)
            .field("min_size", &self.min_size)
            .finish_non_exhaustive()
    }
}
