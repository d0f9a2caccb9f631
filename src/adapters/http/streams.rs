//! The streams of an HTTP/2 connection: each is a task, and none waits for its client for ever.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::server::Timer;

thread_local! {
    /// What the response body of the stream that is polled on this thread has done.
    static POLLED: Cell<Took> = const { Cell::new(Took::Nothing) };
}

/// What a client took of a response while its stream was polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Took {
    /// hyper did not ask for a block: the window is closed, or there is no response yet.
    Nothing,
    /// hyper asked and got a block.
    Block,
    /// hyper asked and there was none: it is the application that is waited for.
    All,
}

/// Notes that hyper has asked the response body of the stream that is polled, and whether it got a block.
pub(super) fn asked(got_block: bool) {
    POLLED.set(if got_block { Took::Block } else { Took::All });
}

/// Spawns the streams, which are reset when their client takes nothing for so long.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) write_timeout: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
{
    fn execute(&self, stream: F) {
        let stream = Stream {
            stream: Box::pin(stream),
            write_timeout: self.write_timeout,
            blocked_since: None,
            timer: Timer::default(),
        };
        tokio::spawn(stream);
    }
}

struct Stream<F> {
    stream: Pin<Box<F>>,
    write_timeout: Duration,
    /// Since when a block that was asked for waits for the client.
    blocked_since: Option<Instant>,
    timer: Timer,
}

impl<F: Future> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        POLLED.set(Took::Nothing);
        if this.stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let now = Instant::now();
        match POLLED.get() {
            Took::All => this.blocked_since = None,
            Took::Block => this.blocked_since = Some(now),
            Took::Nothing => {}
        }
        let Some(since) = this.blocked_since else { return Poll::Pending };
        let until = since + this.write_timeout;
        loop {
            let now = Instant::now();
            if now >= until {
                // hyper's future takes its stream with it: RST_STREAM, CANCEL.
                return Poll::Ready(());
            }
            if this.timer.poll(until, now, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
