//! The request body, from standard input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::adapters::gateway::BodyLength;
use crate::input::Input;
use crate::wire::Params;
use crate::wire::cgi::ContentLength;

/// How much of a body that nobody wanted is read all the same, in bytes: Apache cuts the answer where it cannot get rid of
/// the request.
const DRAINED: u64 = 16 * 1024 * 1024;

/// What is left of a body that ends with standard input.
const UNKNOWN: u64 = u64::MAX;

/// Standard input, as far as it is this request's.
pub(super) struct Stdin {
    left: Arc<AtomicU64>,
}

/// As many bytes as were announced and no more: RFC 3875, section 4.2, forbids to read on. To the end, where a body in
/// chunks was announced.
struct Announced {
    stdin: File,
    left: Arc<AtomicU64>,
}

impl Stdin {
    /// The input of a request with this body.
    pub(super) fn of(body: BodyLength) -> (Self, Input) {
        let left = Arc::new(AtomicU64::new(match body {
            BodyLength::Nothing => 0,
            BodyLength::Known(length) => length,
            BodyLength::Unknown => UNKNOWN,
        }));
        let input = match (body, unbuffered()) {
            (BodyLength::Nothing, _) => Input::empty(),
            (BodyLength::Known(length), Ok(stdin)) => {
                Input::reader(Announced { stdin, left: Arc::clone(&left) }).with_length(length)
            }
            (BodyLength::Known(length), Err(_)) => Input::reader(io::empty()).with_length(length),
            (BodyLength::Unknown, Ok(stdin)) => Input::reader(Announced { stdin, left: Arc::clone(&left) }),
            (BodyLength::Unknown, Err(_)) => Input::reader(io::empty()),
        };
        (Self { left }, input)
    }

    /// That of a request that is refused, whatever is wrong with it.
    pub(super) fn of_refused(params: &Params) -> Self {
        let length = params.get("CONTENT_LENGTH").filter(|length| !length.is_empty());
        let left = match length.map(|length| ContentLength::parse(Some(length))) {
            Some(Ok(ContentLength::Known(length))) => length,
            // What no web server says of a body.
            Some(_) => 0,
            None if params.get("HTTP_TRANSFER_ENCODING").is_some() => UNKNOWN,
            None => 0,
        };
        Self { left: Arc::new(AtomicU64::new(left)) }
    }

    /// Reads what the application has left.
    pub(super) fn drain(self) {
        let left = self.left.load(Ordering::Relaxed).min(DRAINED);
        if let (1.., Ok(stdin)) = (left, unbuffered()) {
            // That the client has left is no matter any more.
            let _ = io::copy(&mut stdin.take(left), &mut io::sink());
        }
    }
}

impl Read for Announced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stdin.read(&mut buffer[..most])?;
        if left != UNKNOWN {
            self.left.fetch_sub(read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

/// `io::stdin` reads ahead, beyond what it is asked for.
fn unbuffered() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}
