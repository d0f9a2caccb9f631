//! How a request begins: as much of its exchange as can be done at once, and what drives the rest.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::drive::{Driven, Pulled, finish};
use super::pool::Pool;
use crate::application::App;
use crate::environ::Environ;
use crate::exchange::{CommittedHead, Exchange, Step};

/// What has become of a request that was begun.
pub(crate) enum Begun {
    /// All of the response. There is nothing left to finish.
    Whole(CommittedHead, Bytes),
    Head(CommittedHead, Driving),
    Running(Driving),
}

/// On which threads an exchange is driven.
#[expect(clippy::large_enum_variant, reason = "it stands in a box of its owner")]
pub(crate) enum Driving {
    /// On the reactor; the pool is for what may block at its end.
    InPlace(Exchange, Pool),
    Pooled(Driven),
}

/// Where an application is called that may block; one that does not is called on the reactor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the reactor, whatever it may do.
    Reactor,
    Pool,
    /// On the pool, while more of the request body may come: a slow client can draw that out.
    Receiving,
}

/// Begins an exchange: with a thread of the pool where the application may block, else here.
pub(crate) fn begin(app: &App, environ: Environ, place: Place, pool: &Pool) -> Begun {
    let mut exchange = Exchange::new(app, environ);
    if place != Place::Reactor && app.may_block() {
        let driven = Driven::new(exchange, pool.clone(), place == Place::Receiving);
        return Begun::Running(Driving::Pooled(driven));
    }
    if place == Place::Reactor {
        exchange = exchange.in_place();
    }
    // A step that has to wait is taken again with a real waker.
    let polled = exchange.poll_step(&mut Context::from_waker(Waker::noop()), false);
    let Poll::Ready(Step::Head(head)) = polled else { return Begun::Running(Driving::of(exchange, place, pool)) };
    // The common case ends here: nothing is left that could fail, wait, or want to know of the end.
    match exchange.take_last_block() {
        Some(block) => {
            exchange.finish(true);
            Begun::Whole(head, block)
        }
        None => Begun::Head(head, Driving::of(exchange, place, pool)),
    }
}

impl Driving {
    fn of(exchange: Exchange, place: Place, pool: &Pool) -> Self {
        match place {
            Place::Reactor => Self::InPlace(exchange, pool.clone()),
            // It does not block in its call; a body that does is pulled on the pool.
            _ => Self::Pooled(Driven::new(exchange, pool.clone(), place == Place::Receiving)),
        }
    }

    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Pulled> {
        match self {
            Self::InPlace(exchange, _) => exchange.poll_step(cx, false).map(Pulled::Step),
            Self::Pooled(driven) => driven.poll_step(cx),
        }
    }

    pub(crate) fn finish(self, delivered: bool) {
        match self {
            Self::InPlace(exchange, pool) => finish(exchange, delivered, &pool),
            Self::Pooled(driven) => driven.finish(delivered),
        }
    }
}
