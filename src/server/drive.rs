//! Drives an exchange partly on the reactor and partly on pool threads.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Pool;
use crate::error::catching;
use crate::exchange::{Exchange, HangUp, Step};

/// How much of a response a pool thread pulls ahead of the connection, in bytes. When it is full, the body
/// waits as a value and not as a thread.
const WINDOW: usize = 256 * 1024;

/// How much of a request body is read before a blocking application is called, in bytes: a slow upload of so much
/// pins no thread.
pub(crate) const READ_AHEAD: usize = 64 * 1024;

/// An exchange that is polled on the reactor and pulled on pool threads where it may block.
#[derive(Debug)]
pub(crate) struct Driven(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    pool: Pool,
    hang_up: HangUp,
}

#[derive(Debug)]
struct State {
    /// Not here while a job has it.
    exchange: Option<Exchange>,
    /// What jobs have pulled and the reactor has not taken.
    steps: VecDeque<Step>,
    window: usize,
    reactor: Option<Waker>,
    /// The connection has finished with it, having delivered everything or not.
    finished: Option<bool>,
    started: bool,
}

/// The pool is full and the exchange has not begun.
#[derive(Debug)]
pub(crate) struct Refused;

impl Driven {
    pub(crate) fn new(exchange: Exchange, pool: Pool) -> Self {
        let hang_up = exchange.hang_up();
        let state = State {
            exchange: Some(exchange),
            steps: VecDeque::new(),
            window: 0,
            reactor: None,
            finished: None,
            started: false,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), pool, hang_up }))
    }

    /// The next step, for the reactor. Never [`Step::NeedsThread`]: those go to the pool.
    pub(crate) fn poll_step(&self, cx: &mut Context<'_>) -> Poll<Result<Step, Refused>> {
        let mut state = self.0.state();
        if let Some(step) = state.steps.pop_front() {
            if let Step::Block(block) = &step {
                state.window -= block.len();
            }
            // The last job stopped for a full window: the next one pulls on while the connection writes.
            let wants_thread = state.exchange.as_ref().is_some_and(Exchange::body_may_block);
            let exchange = if wants_thread && state.window <= WINDOW / 2 { state.exchange.take() } else { None };
            drop(state);
            if let Some(exchange) = exchange {
                self.0.pool.run(Shared::job(&self.0, exchange));
            }
            return Poll::Ready(Ok(step));
        }
        // With a job: it wakes us.
        let Some(mut exchange) = state.exchange.take() else {
            state.reactor = Some(cx.waker().clone());
            return Poll::Pending;
        };
        drop(state);
        let polled = exchange.poll_step(cx, false);
        let mut state = self.0.state();
        let Poll::Ready(Step::NeedsThread) = polled else {
            state.exchange = Some(exchange);
            return polled.map(Ok);
        };
        state.reactor = Some(cx.waker().clone());
        let first = !std::mem::replace(&mut state.started, true);
        drop(state);
        let job = Shared::job(&self.0, exchange);
        match first {
            false => self.0.pool.run(job),
            true => {
                if let Err(job) = self.0.pool.try_run(job) {
                    // Its hooks may block: it is ended on the pool, whenever that has room.
                    self.0.state().finished = Some(false);
                    self.0.hang_up.hang_up();
                    self.0.pool.run(job);
                    return Poll::Ready(Err(Refused));
                }
            }
        }
        Poll::Pending
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
        let (exchange, steps) = (state.exchange.take(), std::mem::take(&mut state.steps));
        drop(state);
        drop(steps);
        match exchange {
            Some(exchange) => finish(exchange, delivered, &self.0.pool),
            // The job ends it; what the application waits for is told.
            None if !delivered => self.0.hang_up.hang_up(),
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
pub(crate) fn finish(exchange: Exchange, delivered: bool, pool: &Pool) {
    match exchange.finish_may_block() {
        true => pool.run(Box::new(move || exchange.finish(delivered))),
        false => exchange.finish(delivered),
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(shared: &Arc<Self>, exchange: Exchange) -> super::pool::Job {
        let shared = Arc::clone(shared);
        Box::new(move || shared.pull(exchange))
    }

    /// Pulls on a pool thread until the window is full, the response has ended, or the exchange waits for an event,
    /// which it does on the reactor.
    fn pull(&self, mut exchange: Exchange) {
        let mut nobody = Context::from_waker(Waker::noop());
        loop {
            // The exchange catches what the application throws; the reactor must hear of the end whatever happens.
            let polled = catching(|| exchange.poll_step(&mut nobody, true)).unwrap_or(Poll::Ready(Step::Abort));
            let mut state = self.state();
            if let Some(delivered) = state.finished {
                drop(state);
                exchange.finish(delivered);
                return;
            }
            let goes_on = match polled {
                Poll::Pending => false,
                Poll::Ready(step) => {
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
                wake(reactor);
                continue;
            }
            state.exchange = Some(exchange);
            drop(state);
            wake(reactor);
            return;
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
