//! An open file as the responses that it gives: whole, in ranges, unchanged, or not the one that was meant.

use std::collections::VecDeque;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, LAST_MODIFIED, RANGE,
};
use http::{HeaderValue, Method, StatusCode};

use super::coding::Coding;
use super::conditions::{Validators, Verdict, range_applies, verdict};
use super::range::{Ranges, Slice, ranges};
use super::slices::{self, Piece};
use crate::body::Body;
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;

/// How long a file must have been as it is before its validators are strong. Two changes within a tick of the clock
/// give it the same time; the coarsest ticks of file systems are two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// The dates that HTTP can say end with the year 9999.
const LAST_DATE: u64 = 253_402_300_799;

/// A regular file that is open, and what is said of it.
pub(super) struct Representation {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    pub(super) content_type: HeaderValue,
    pub(super) coding: Option<Coding>,
}

impl Representation {
    /// The answer to a GET or HEAD. `common` are the headers of every answer that is about the file.
    pub(super) fn answer(self, environ: &Environ, common: &HeaderMap, most_ranges: usize) -> Result<(Head, Body)> {
        let headers = environ.headers();
        let validators = validators(&self.metadata)?;
        match verdict(headers, &validators) {
            Verdict::Proceed => {}
            Verdict::Failed => {
                let (head, text) = Head::plain(StatusCode::PRECONDITION_FAILED);
                return Ok((head, text.into()));
            }
            Verdict::NotModified => {
                // RFC 9110, section 15.4.5: what a 200 would say, but for what describes the bytes.
                let mut head = Head::of(StatusCode::NOT_MODIFIED, common.clone());
                validators.write(&mut head.headers)?;
                return Ok((head, Body::empty()));
            }
        }
        let length = self.metadata.len();
        let asked_for = asked_for(environ, &validators, length, most_ranges);
        let mut head = Head::of(StatusCode::OK, common.clone());
        validators.write(&mut head.headers)?;
        let units = if most_ranges == 0 { "none" } else { "bytes" };
        head.headers.insert(ACCEPT_RANGES, HeaderValue::from_static(units));
        if let Some(coding) = self.coding {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        match asked_for {
            Ranges::Ignored => self.send(head, Slice { at: 0, length }, environ.method()),
            Ranges::Satisfiable(slices) => match slices[..] {
                [slice] => {
                    head.status = StatusCode::PARTIAL_CONTENT;
                    head.headers.insert(CONTENT_RANGE, content_range(slice, length).try_into()?);
                    self.send(head, slice, environ.method())
                }
                _ => self.send_parts(head, &slices),
            },
            Ranges::Unsatisfiable => {
                let (mut head, text) = Head::plain(StatusCode::RANGE_NOT_SATISFIABLE);
                head.headers.insert(CONTENT_RANGE, format!("bytes */{length}").try_into()?);
                Ok((head, text.into()))
            }
        }
    }

    fn send(self, mut head: Head, slice: Slice, method: &Method) -> Result<(Head, Body)> {
        head.headers.insert(CONTENT_TYPE, self.content_type);
        let head_only = method == Method::HEAD;
        if head_only {
            // Also that of an empty file, which a HEAD without it leaves open.
            head.headers.insert(CONTENT_LENGTH, slice.length.into());
        }
        Ok((head, slices::slice(self.file, slice, head_only)?))
    }

    /// RFC 9110, section 14.6: a part for each range, which says its type and its place.
    fn send_parts(self, mut head: Head, ranges: &[Slice]) -> Result<(Head, Body)> {
        let (boundary, length) = (boundary(), self.metadata.len());
        let mut pieces = VecDeque::with_capacity(ranges.len() + 1);
        for &slice in ranges {
            let mut text = String::with_capacity(160);
            let line_before = if pieces.is_empty() { "" } else { "\r\n" };
            let content_type = String::from_utf8_lossy(self.content_type.as_bytes());
            let content_range = content_range(slice, length);
            write!(
                text,
                "{line_before}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
            )?;
            pieces.push_back(Piece { text, at: slice.at, length: slice.length });
        }
        pieces.push_back(Piece { text: format!("\r\n--{boundary}--\r\n"), at: 0, length: 0 });
        head.status = StatusCode::PARTIAL_CONTENT;
        head.headers.insert(CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}").try_into()?);
        Ok((head, slices::pieces(self.file, pieces)))
    }
}

/// What a request asks for by `Range`, which is defined for GET alone (RFC 9110, section 14.2).
fn asked_for(environ: &Environ, validators: &Validators, length: u64, most: usize) -> Ranges {
    let mut values = environ.headers().get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Ranges::Ignored };
    match environ.method() == Method::GET && range_applies(environ.headers(), validators) {
        true => ranges(value.as_bytes(), length, most),
        false => Ranges::Ignored,
    }
}

fn content_range(slice: Slice, length: u64) -> String {
    format!("bytes {}-{}/{length}", slice.at, slice.last())
}

/// A delimiter that is in no file: 128 bits that nobody knew before, from the keys that std makes for its hash maps.
fn boundary() -> String {
    let half = || RandomState::new().hash_one(SystemTime::now());
    format!("{:016x}{:016x}", half(), half())
}

/// The tag is made of the number of the file, its length and the time of the last change of anything about it, in
/// nanoseconds. The time of the last write, which programs set to what they like, is the Last-Modified.
fn validators(metadata: &Metadata) -> Result<Validators> {
    let now = SystemTime::now();
    let written = metadata.modified().ok();
    let strong = written.and_then(|written| now.duration_since(written).ok()).is_some_and(|age| age >= SETTLED);
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    let weakness = if strong { "" } else { "W/" };
    let etag = format!("{weakness}\"{:x}-{:x}-{changed:x}\"", metadata.ino(), metadata.len()).try_into()?;
    // RFC 9110, section 8.8.2.1: no date later than that of the message.
    let modified = written.and_then(|written| written.min(now).duration_since(UNIX_EPOCH).ok());
    let modified = modified.map(|since| since.as_secs()).filter(|&seconds| seconds <= LAST_DATE);
    let modified = modified.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    Ok(Validators { etag, modified, strong })
}

impl Validators {
    fn write(self, headers: &mut HeaderMap) -> Result<()> {
        headers.insert(ETAG, self.etag);
        if let Some(modified) = self.modified {
            headers.insert(LAST_MODIFIED, httpdate::fmt_http_date(modified).try_into()?);
        }
        Ok(())
    }
}

/// The media type by the end of the name. Text is said to be UTF-8, which it is where nobody chose otherwise.
pub(super) fn content_type(name: &Path) -> HeaderValue {
    match mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream") {
        "text/html" => HeaderValue::from_static("text/html; charset=utf-8"),
        "text/css" => HeaderValue::from_static("text/css; charset=utf-8"),
        "text/javascript" => HeaderValue::from_static("text/javascript; charset=utf-8"),
        "text/plain" => HeaderValue::from_static("text/plain; charset=utf-8"),
        text if text.starts_with("text/") => {
            HeaderValue::try_from(format!("{text}; charset=utf-8")).unwrap_or(HeaderValue::from_static("text/plain"))
        }
        other => HeaderValue::from_static(other),
    }
}
