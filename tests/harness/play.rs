//! Applications of every kind that play the same response.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::Stream;
use vestibule::{App, Body, Bytes, Head, Result, StartResponse, app_fn, async_fn};

use super::{Drops, Probe};

/// How an application makes its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The head and the whole body at once.
    Eager,
    /// The head at once, the blocks from an iterator.
    Iterator,
    /// The head in the first pull of the iterator.
    Lazy,
    /// The head and the whole body from a future.
    Async,
    /// The head at once, the blocks from a stream.
    Stream,
    /// The head in the first poll of a stream, behind a future.
    LazyStream,
    /// A future that resolves to an iterator.
    AsyncIterator,
    /// The head at once, the blocks pushed by a thread.
    Channel,
    /// The head at once, the blocks from a file.
    File,
}

pub(crate) const KINDS: [Kind; 9] = [
    Kind::Eager,
    Kind::Iterator,
    Kind::Lazy,
    Kind::Async,
    Kind::Stream,
    Kind::LazyStream,
    Kind::AsyncIterator,
    Kind::Channel,
    Kind::File,
];

impl Kind {
    /// Whether the body gives its blocks one by one, so that something can happen between two.
    pub(crate) fn is_stepwise(self) -> bool {
        !matches!(self, Self::Eager | Self::Async | Self::File)
    }

    /// Whether the exchange learns the length of the body before the first block.
    pub(crate) fn knows_its_length(self) -> bool {
        matches!(self, Self::Eager | Self::Async | Self::File)
    }
}

/// What a body gives next.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Block(&'static str),
    Fail(&'static str),
    /// A panic, without the message that the panic hook prints.
    Panic(&'static str),
}

type Start = Arc<dyn Fn(StartResponse) -> Result<()> + Send + Sync>;

/// A response to be played by an application of any kind.
#[derive(Clone)]
pub(crate) struct Play {
    start: Start,
    items: Vec<Item>,
    pub(crate) drops: Drops,
    pub(crate) pulls: Arc<AtomicUsize>,
}

impl Play {
    /// A response of this head and these blocks.
    pub(crate) fn new(head: impl Fn() -> Head + Send + Sync + 'static, blocks: &[&'static str]) -> Self {
        Self::items(head, blocks.iter().map(|block| Item::Block(block)))
    }

    /// A response of this head and of items that may fail.
    pub(crate) fn items(
        head: impl Fn() -> Head + Send + Sync + 'static,
        items: impl IntoIterator<Item = Item>,
    ) -> Self {
        Self::started(move |start_response| start_response.send(head()), items)
    }

    /// A response that is started by a function, or not.
    pub(crate) fn started(
        start: impl Fn(StartResponse) -> Result<()> + Send + Sync + 'static,
        items: impl IntoIterator<Item = Item>,
    ) -> Self {
        let (drops, pulls) = (Drops::default(), Arc::default());
        Self { start: Arc::new(start), items: items.into_iter().collect(), drops, pulls }
    }

    /// How often the body's source was asked for an item.
    pub(crate) fn pulled(&self) -> usize {
        self.pulls.load(Ordering::SeqCst)
    }

    /// The application of this kind that plays it.
    pub(crate) fn app(&self, kind: Kind) -> App {
        let (play, start) = (self.clone(), Arc::clone(&self.start));
        match kind {
            Kind::Eager => app_fn(move |_, start_response| {
                start(start_response)?;
                play.whole()
            }),
            Kind::Iterator => app_fn(move |_, start_response| {
                start(start_response)?;
                Ok(Body::try_iter(play.source(None)))
            }),
            Kind::Lazy => app_fn(move |_, start_response| Ok(Body::try_iter(play.source(Some(start_response))))),
            Kind::Async => async_fn(move |_, start_response| {
                let play = play.clone();
                async move {
                    Yield::default().await;
                    (play.start)(start_response)?;
                    Yield::default().await;
                    play.whole()
                }
            }),
            Kind::Stream => app_fn(move |_, start_response| {
                start(start_response)?;
                Ok(Body::stream(Hesitant { source: play.source(None), hesitated: false }))
            })
            .nonblocking(),
            Kind::LazyStream => async_fn(move |_, start_response| {
                let source = play.source(Some(start_response));
                async move {
                    Yield::default().await;
                    Ok(Body::stream(Hesitant { source, hesitated: false }))
                }
            }),
            Kind::AsyncIterator => async_fn(move |_, start_response| {
                let play = play.clone();
                async move {
                    (play.start)(start_response)?;
                    Yield::default().await;
                    Ok(Body::try_iter(play.source(None)))
                }
            }),
            Kind::Channel => app_fn(move |_, start_response| {
                start(start_response)?;
                Ok(play.channel())
            }),
            Kind::File => app_fn(move |_, start_response| {
                start(start_response)?;
                let file = temporary_file(play.text()?.as_bytes());
                let probe = play.drops.probe();
                Ok(Body::file(file, ..).on_close(move || drop(probe)))
            }),
        }
    }

    fn whole(&self) -> Result {
        drop(self.drops.probe());
        Ok(self.text()?.into())
    }

    fn text(&self) -> Result<String> {
        let mut whole = String::new();
        for item in &self.items {
            match item {
                Item::Block(block) => whole.push_str(block),
                Item::Fail(text) => return Err((*text).into()),
                Item::Panic(text) => std::panic::resume_unwind(Box::new(*text)),
            }
        }
        Ok(whole)
    }

    fn source(&self, start_response: Option<StartResponse>) -> Source {
        Source {
            start: start_response.map(|start_response| (Arc::clone(&self.start), start_response)),
            items: self.items.iter().cloned().collect(),
            pulls: Arc::clone(&self.pulls),
            _probe: self.drops.probe(),
        }
    }

    fn channel(&self) -> Body {
        let (mut sender, body) = Body::channel(2);
        let (items, probe) = (self.items.clone(), self.drops.probe());
        std::thread::spawn(move || {
            for item in items {
                match item {
                    Item::Block(block) => {
                        if sender.blocking_send(block).is_err() {
                            return;
                        }
                    }
                    // What a thread cannot finish it drops.
                    Item::Fail(_) | Item::Panic(_) => return,
                }
            }
            let _ = sender.finish();
        });
        body.on_close(move || drop(probe))
    }
}

struct Source {
    start: Option<(Start, StartResponse)>,
    items: VecDeque<Item>,
    pulls: Arc<AtomicUsize>,
    _probe: Probe,
}

impl Iterator for Source {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        self.pulls.fetch_add(1, Ordering::SeqCst);
        if let Some((start, start_response)) = self.start.take() {
            if let Err(error) = start(start_response) {
                return Some(Err(error));
            }
        }
        match self.items.pop_front()? {
            Item::Block(block) => Some(Ok(block.into())),
            Item::Fail(text) => Some(Err(text.into())),
            Item::Panic(text) => std::panic::resume_unwind(Box::new(text)),
        }
    }
}

/// A stream that has nothing at every other poll.
struct Hesitant {
    source: Source,
    hesitated: bool,
}

impl Stream for Hesitant {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.hesitated = !self.hesitated;
        if self.hesitated {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.source.next())
    }
}

/// A future that is ready at the second poll.
#[derive(Default)]
pub(crate) struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A file of these bytes, which has no name any more.
pub(crate) fn temporary_file(bytes: &[u8]) -> File {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("vestibule-test-{}-{number}", std::process::id()));
    let mut options = File::options();
    let mut file = options.read(true).write(true).create_new(true).open(&path).expect("a temporary file");
    std::fs::remove_file(&path).expect("it can be removed");
    file.write_all(bytes).expect("room for it");
    std::io::Seek::rewind(&mut file).expect("a file can be sought");
    file
}
