//! The kinds of application that a response can come from: eager, lazy and async ones, with each kind of body.

use bytes::Bytes;
use futures::stream;

use super::notes::Notes;
use super::talk::KIND;
use crate::application::async_fn;
use crate::body::Body;
use crate::environ::Environ;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::start_response::StartResponse;

/// How a kind of application plays a script.
type Play = fn(Script, StartResponse) -> Result;

/// Every kind of application, by name; the request picks one.
pub(super) const KINDS: &[(&str, Play)] = &[
    ("iterator", |script, start_response| {
        let (head, blocks) = script.begin();
        start_response.send(head)?;
        Ok(Body::try_iter(blocks))
    }),
    ("lazy-iterator", |script, start_response| {
        let (head, blocks) = script.begin();
        Ok(Body::try_iter(Lazy { start: Some((start_response, head)), blocks }))
    }),
    ("started-on-another-thread", |script, start_response| {
        let (head, blocks) = script.begin();
        let (sender, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(start_response.send(head)));
        started.recv()??;
        Ok(Body::try_iter(blocks))
    }),
    ("stream", |script, start_response| {
        let (head, blocks) = script.begin();
        start_response.send(head)?;
        Ok(Body::stream(stream::iter(blocks)))
    }),
    ("lazy-stream", |script, start_response| {
        let (head, blocks) = script.begin();
        Ok(Body::stream(stream::iter(Lazy { start: Some((start_response, head)), blocks })))
    }),
    ("async-with-a-stream", |script, start_response| {
        let (head, blocks) = script.begin();
        Ok(Body::deferred(async move {
            step_aside().await;
            start_response.send(head)?;
            Ok(Body::stream(stream::iter(blocks)))
        }))
    }),
    ("async-with-an-iterator", |script, start_response| {
        let (head, blocks) = script.begin();
        Ok(Body::deferred(async move {
            step_aside().await;
            start_response.send(head)?;
            Ok(Body::try_iter(blocks))
        }))
    }),
    (CHANNEL, |script, start_response| {
        let (head, blocks) = script.begin();
        let (mut sender, body) = Body::channel(1);
        start_response.send(head)?;
        std::thread::spawn(move || -> Result<()> {
            for block in blocks {
                sender.blocking_send(block?)?;
            }
            sender.finish()
        });
        Ok(body)
    }),
];

/// The kind whose blocks are made before they are asked for.
pub(super) const CHANNEL: &str = "channel";

/// Waits for what is there at once, but not at the first poll.
async fn step_aside() {
    let mut polled = false;
    std::future::poll_fn(|cx| match std::mem::replace(&mut polled, true) {
        true => std::task::Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        }
    })
    .await;
}

/// What an application does: its head, then its blocks, one after the other.
pub(super) struct Script {
    head: Head,
    pieces: Vec<Piece>,
    notes: Notes,
}

enum Piece {
    Block(Bytes),
    Error(Error),
    Panic,
}

impl Script {
    /// A script with this head and no block. The application notes each pull and the end of the body.
    pub(super) fn new(environ: &Environ, head: impl Into<Head>) -> Self {
        Self { head: head.into(), pieces: Vec::new(), notes: Notes::of(environ) }
    }

    /// A script of text with status 200.
    pub(super) fn text(environ: &Environ) -> Self {
        Self::new(environ, Head::new(200).header("content-type", "text/plain"))
    }

    pub(super) fn block(mut self, block: impl Into<Bytes>) -> Self {
        self.pieces.push(Piece::Block(block.into()));
        self
    }

    pub(super) fn blocks<B: Into<Bytes>>(self, blocks: impl IntoIterator<Item = B>) -> Self {
        blocks.into_iter().fold(self, Self::block)
    }

    pub(super) fn error(mut self, error: impl Into<Error>) -> Self {
        self.pieces.push(Piece::Error(error.into()));
        self
    }

    pub(super) fn panic(mut self) -> Self {
        self.pieces.push(Piece::Panic);
        self
    }

    /// Plays it as an application of the kind that the request asks for.
    pub(super) fn play(self, environ: &Environ, start_response: StartResponse) -> Result {
        let kind = environ.headers().get(KIND).map_or(&b""[..], |kind| kind.as_bytes());
        let (_, play) =
            KINDS.iter().find(|(name, _)| name.as_bytes() == kind).ok_or("there is no such kind of body")?;
        let notes = self.notes.clone();
        Ok(play(self, start_response)?.on_close(move || notes.add("closed")))
    }

    fn begin(self) -> (Head, Played) {
        (self.head, Played { pieces: self.pieces.into_iter(), notes: self.notes, ended: false })
    }
}

/// The blocks of a script.
struct Played {
    pieces: std::vec::IntoIter<Piece>,
    notes: Notes,
    ended: bool,
}

impl Iterator for Played {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        if self.ended {
            self.notes.add("pulled after the end");
            return None;
        }
        let next = self.pieces.next();
        self.ended = !matches!(next, Some(Piece::Block(_)));
        if next.is_some() {
            self.notes.add("pulled");
        }
        match next? {
            Piece::Block(block) => Some(Ok(block)),
            Piece::Error(error) => Some(Err(error)),
            Piece::Panic => panic_quietly("the secret of a panic"),
        }
    }
}

/// Blocks whose first pull starts the response.
struct Lazy {
    start: Option<(StartResponse, Head)>,
    blocks: Played,
}

impl Iterator for Lazy {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        if let Some((start_response, head)) = self.start.take() {
            if let Err(error) = start_response.send(head) {
                return Some(Err(error));
            }
        }
        self.blocks.next()
    }
}

/// A panic like any other, but without the message on standard error, where it would look like a fault of the suite.
pub(super) fn panic_quietly(text: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(text))
}

/// Starts a response of plain text.
pub(super) fn answer(start_response: StartResponse, body: impl Into<Body>) -> Result {
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok(body.into())
}

/// The same from an async application.
pub(super) fn answer_later<F>(environ: Environ, start_response: StartResponse, body: fn(Environ) -> F) -> Result
where
    F: Future<Output = Result> + Send + 'static,
{
    let app = async_fn(move |environ, start_response: StartResponse| {
        let body = body(environ);
        async move {
            let body = body.await?;
            start_response.start(200, [("content-type", "text/plain")])?;
            Ok(body)
        }
    });
    app.call(environ, start_response)
}
