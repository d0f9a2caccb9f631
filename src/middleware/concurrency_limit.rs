//! `concurrency_limit`: so many requests at once, and a queue for a few more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use super::later::later;
use crate::application::App;
use crate::body::{Body, Source, Step, of_the_inner_body};
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::start_response::StartResponse;

/// Lets at most `running` requests into the application at once; `waiting` more wait for their turn, in the order in
/// which they came, and those beyond are answered with 503 and `Retry-After: 1`.
///
/// A request counts from the call of the application until its body is dropped. A body that is in memory needs nothing
/// more of the application: it counts only while it is made, so a slow client holds no place with it.
///
/// Who waits holds no thread, and leaves the queue when its client leaves; put a [`timeout`](super::timeout()) around
/// to bound the wait. A place is given back however the request ends. `running` is at least 1.
///
/// Applications that are wrapped by the same middleware, or by clones of it, share the limit.
///
/// ```
/// use vestibule::{Body, app_fn, middleware, testing::TestServer};
///
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(Body::iter(["one", "two"]))
/// });
/// let server = TestServer::new(app.wrap(middleware::concurrency_limit(1, 0)));
/// let first = server.get("/").stream();
/// let second = server.get("/").send();
/// assert_eq!((second.status().as_u16(), second.header("retry-after")), (503, Some("1")));
/// first.finish();
/// assert_eq!(server.get("/").send().status(), 200);
/// ```
pub fn concurrency_limit(running: usize, waiting: usize) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let limit = Arc::new(Limit { running: running.max(1), waiting, state: Mutex::default() });
    move |inner| {
        let limit = Arc::clone(&limit);
        App::around(inner, move |inner, environ, start_response| match limit.enter() {
            None => refuse(start_response),
            Some(place) if place.is_waiting() => {
                Ok(Body::source(Waiting(Some((inner.clone(), environ, start_response, place)))))
            }
            Some(place) => run(inner, environ, start_response, place),
        })
    }
}

fn refuse(start_response: StartResponse) -> Result {
    let (mut head, text) = Head::plain(StatusCode::SERVICE_UNAVAILABLE);
    head.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    start_response.send(head)?;
    Ok(text.into())
}

fn run(inner: &App, environ: Environ, start_response: StartResponse, place: Place) -> Result {
    let body = inner.call(environ, start_response)?;
    Ok(match body.as_full() {
        Some(_) => body,
        None => Body::source(Running { body, _place: place }),
    })
}

struct Limit {
    running: usize,
    waiting: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    /// Who waits, by the number of its arrival, and the task to wake when it is its turn.
    queue: BTreeMap<u64, Option<Waker>>,
    last: u64,
}

/// The right to be among those who wait or run, until it is dropped.
struct Place {
    limit: Arc<Limit>,
    number: u64,
}

impl Limit {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among those who run or, where all are taken, in the queue; `None` where that is full.
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        // Nobody overtakes the queue: a place that is free was given to its first already.
        if state.running < self.running {
            state.running += 1;
        } else if state.queue.len() < self.waiting {
            state.queue.insert(number, None);
        } else {
            return None;
        }
        Some(Place { limit: Arc::clone(self), number })
    }
}

impl Place {
    fn is_waiting(&self) -> bool {
        self.limit.state().queue.contains_key(&self.number)
    }

    /// Whether it is not its turn yet; the task is woken then.
    fn waits(&self, cx: &Context<'_>) -> bool {
        // A waker is made and dropped by code of others, which may end another request of this limit: not under its lock.
        let mut waker = Some(cx.waker().clone());
        match self.limit.state().queue.get_mut(&self.number) {
            None => false,
            Some(place) => {
                std::mem::swap(place, &mut waker);
                true
            }
        }
    }
}

impl Drop for Place {
    /// Leaves the queue; or gives the place to the first in it.
    fn drop(&mut self) {
        let mut state = self.limit.state();
        if let Some(waker) = state.queue.remove(&self.number) {
            drop(state);
            drop(waker);
            return;
        }
        let Some((_, next)) = state.queue.pop_first() else {
            state.running -= 1;
            return;
        };
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// A request in the queue.
struct Waiting(Option<(App, Environ, StartResponse, Place)>);

impl Source for Waiting {
    fn poll_step(&mut self, cx: &mut Context<'_>, _may_block: bool) -> Step {
        match &self.0 {
            Some((.., place)) if place.waits(cx) => return Step::Pending,
            _ => {}
        }
        let Some((inner, environ, start_response, place)) = self.0.take() else { return Step::End };
        Step::Become(later(inner.may_block(), move || run(&inner, environ, start_response, place)))
    }

    fn may_block(&self) -> bool {
        false
    }

    fn is_deferred(&self) -> bool {
        true
    }
}

/// The body of a request that runs. The place is given back when the body was closed.
struct Running {
    body: Body,
    _place: Place,
}

impl Source for Running {
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        let step = self.body.poll_step(cx, may_block);
        self.body.unwatched(step)
    }

    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    of_the_inner_body!();
}
