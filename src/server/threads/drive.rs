//! Drives an exchange partly on the reactor and partly on pool threads.

#[cfg(any(feature = "http", feature = "tower"))]
mod aborted;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::StatusCode;

use super::Pool;
use super::pool::{Job, Part};
use crate::error::catching;
use crate::exchange::{CommittedHead, Exchange, HangUp, Step};

/// How much of a response a pool thread pulls ahead of the connection, in bytes. When it is full, the body
/// waits as a value and not as a thread.
const WINDOW: usize = 256 * 1024;

/// An exchange that is polled on the reactor and pulled on pool threads where it may block.
#[derive(Debug)]
pub(crate) struct Driven(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    pool: Pool,
    hang_up: HangUp,
    receives: bool,
}

#[derive(Debug)]
struct State {
    /// Not here while a thread pulls it.
    exchange: Option<Exchange>,
    /// It is with the pool, or on its way there.
    is_pulled: bool,
    /// What was pulled and the reactor has not taken.
    steps: VecDeque<Step>,
    /// The whole response, where it was made in one go; its exchange has ended.
    whole: Option<(CommittedHead, Bytes)>,
    window: usize,
    reactor: Option<Waker>,
    /// The connection has finished with it, having delivered everything or not.
    finished: Option<bool>,
    started: bool,
    refusal: Refusal,
}

/// A request that no thread was free for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    None,
    /// Its hooks run. The client is told after them, so that they cannot pile up.
    Ending,
    Ended,
}

/// What the reactor gets.
#[derive(Debug)]
pub(crate) enum Pulled {
    /// Never [`Step::NeedsThread`]: those go to the pool.
    Step(Step),
    /// All of the response. There is nothing left to finish.
    Whole(CommittedHead, Bytes),
    /// The pool is full and the exchange has not begun.
    Refused,
}

impl Driven {
    /// `receives` says that a slow client may draw the call out, since more of the request body may come.
    pub(crate) fn new(exchange: Exchange, pool: Pool, receives: bool) -> Self {
        let hang_up = exchange.hang_up();
        let state = State {
            exchange: Some(exchange),
            is_pulled: false,
            steps: VecDeque::new(),
            whole: None,
            window: 0,
            reactor: None,
            finished: None,
            started: false,
            refusal: Refusal::None,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), pool, hang_up, receives }))
    }

    /// The next step, for the reactor.
    pub(crate) fn poll_step(&self, cx: &mut Context<'_>) -> Poll<Pulled> {
        let mut state = self.0.state();
        if let Some((head, block)) = state.whole.take() {
            return Poll::Ready(Pulled::Whole(head, block));
        }
        if state.refusal == Refusal::Ended {
            return Poll::Ready(Pulled::Refused);
        }
        if let Some(step) = state.steps.pop_front() {
            if let Step::Block(block) = &step {
                state.window -= block.len();
            }
            // The last job stopped for a full window: the next one pulls on while the connection writes.
            let wants_thread = !state.is_pulled && state.exchange.as_ref().is_some_and(Exchange::body_may_block);
            if wants_thread && state.window <= WINDOW / 2 {
                state.is_pulled = true;
                drop(state);
                self.0.pool.run(self.job());
            }
            return Poll::Ready(Pulled::Step(step));
        }
        // With a job: it wakes us.
        let exchange = if state.is_pulled { None } else { state.exchange.take() };
        let Some(mut exchange) = exchange else {
            keep(&mut state.reactor, cx);
            return Poll::Pending;
        };
        drop(state);
        let polled = exchange.poll_step(cx, false);
        let mut state = self.0.state();
        state.exchange = Some(exchange);
        let Poll::Ready(Step::NeedsThread) = polled else { return polled.map(Pulled::Step) };
        keep(&mut state.reactor, cx);
        state.is_pulled = true;
        let first = !std::mem::replace(&mut state.started, true);
        drop(state);
        match first {
            false => self.0.pool.run(self.job()),
            true => {
                if self.0.pool.try_run(self.job()).is_err() {
                    return self.refuse();
                }
            }
        }
        Poll::Pending
    }

    /// Ends an exchange that has not begun: here, or where its hooks may block.
    fn refuse(&self) -> Poll<Pulled> {
        self.0.hang_up.hang_up();
        let mut state = self.0.state();
        (state.finished, state.is_pulled) = (Some(false), false);
        let Some(mut exchange) = state.exchange.take() else { return Poll::Ready(Pulled::Refused) };
        exchange.answered_with(StatusCode::SERVICE_UNAVAILABLE);
        if !exchange.finish_may_block() {
            drop(state);
            exchange.finish(false);
            return Poll::Ready(Pulled::Refused);
        }
        state.refusal = Refusal::Ending;
        drop(state);
        let shared = Arc::clone(&self.0);
        self.0.pool.end(Job::Once(Box::new(move || {
            exchange.finish(false);
            let mut state = shared.state();
            state.refusal = Refusal::Ended;
            let reactor = state.reactor.take();
            drop(state);
            shared.wake(reactor);
        })));
        Poll::Pending
    }

    fn job(&self) -> Job {
        Job::Part(Arc::clone(&self.0) as Arc<dyn Part>)
    }

    /// Ends the exchange, on the pool where that may block.
    pub(crate) fn finish(self, delivered: bool) {
        self.end(delivered);
    }

    fn end(&self, delivered: bool) {
        let mut state = self.0.state();
        if state.finished.is_some() {
            return;
        }
        state.finished = Some(delivered);
        let exchange = if state.is_pulled { None } else { state.exchange.take() };
        let (is_pulled, steps) = (state.is_pulled, std::mem::take(&mut state.steps));
        drop(state);
        drop(steps);
        match exchange {
            Some(exchange) => finish(exchange, delivered, &self.0.pool),
            // The job ends it; what the application waits for is told.
            None if is_pulled && !delivered => self.0.hang_up.hang_up(),
            None => {}
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// Ends an exchange: where its hooks or its body may block, on a pool thread.
pub(super) fn finish(exchange: Exchange, delivered: bool, pool: &Pool) {
    match exchange.finish_may_block() {
        true => pool.end(Job::Once(Box::new(move || exchange.finish(delivered)))),
        false => exchange.finish(delivered),
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, reactor: Option<Waker>) {
        if let Some(reactor) = reactor {
            self.pool.wake(reactor);
        }
    }
}

impl Part for Shared {
    fn receives(&self) -> bool {
        self.receives
    }

    /// Pulls on a pool thread until the window is full, the response has ended, or the exchange waits for an event,
    /// which it does on the reactor.
    fn run(self: Arc<Self>) {
        let Some(mut exchange) = self.state().exchange.take() else { return };
        let mut nobody = Context::from_waker(Waker::noop());
        loop {
            // The exchange catches what the application throws; the reactor must hear of the end whatever happens.
            let polled = catching(|| exchange.poll_step(&mut nobody, true)).unwrap_or(Poll::Ready(Step::Abort));
            let whole = match &polled {
                Poll::Ready(Step::Head(_)) => exchange.take_last_block(),
                _ => None,
            };
            let mut state = self.state();
            if let Some(delivered) = state.finished {
                drop(state);
                exchange.finish(delivered);
                return;
            }
            let goes_on = match (polled, whole) {
                (Poll::Pending, _) => false,
                // Most responses end here: nothing is left that could fail, wait, or want to know of the end.
                (Poll::Ready(Step::Head(head)), Some(block)) => {
                    state.whole = Some((head, block));
                    state.is_pulled = false;
                    let reactor = state.reactor.take();
                    drop(state);
                    exchange.finish(true);
                    self.wake(reactor);
                    return;
                }
                (Poll::Ready(step), _) => {
                    let ended = matches!(step, Step::End | Step::Abort);
                    if let Step::Block(block) = &step {
                        state.window += block.len();
                    }
                    state.steps.push_back(step);
                    !ended && state.window < WINDOW
                }
            };
            let reactor = state.reactor.take();
            if goes_on {
                drop(state);
                self.wake(reactor);
                continue;
            }
            state.exchange = Some(exchange);
            state.is_pulled = false;
            drop(state);
            self.wake(reactor);
            return;
        }
    }
}

/// Keeps the waker of the task that polls.
fn keep(kept: &mut Option<Waker>, cx: &Context<'_>) {
    match kept {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *kept = Some(cx.waker().clone()),
    }
}
