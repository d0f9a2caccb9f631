//! `capture`, the one primitive for replacing responses.

use std::sync::Arc;
use std::task::Context;

use crate::application::App;
use crate::body::{Body, Source, Step};
use crate::environ::Environ;
use crate::error::{Result, catching};
use crate::exchange::{Opened, Opening};
use crate::head::Head;
use crate::lifecycle::Record;
use crate::start_response::{StartResponse, State};
use crate::waiting;

/// Calls `inner` and hands its whole response to `then`, which may pass it on, change it or answer otherwise.
///
/// `then` runs once: when the head of `inner` would be committed, with that head and the body, whose first block was
/// not lost; or with the `Err` or panic that came before. It starts the response by the `StartResponse` that it is
/// given, which is `outer`. It works for eager, lazy and async applications, and the body keeps its mode, blocking or
/// async. Hooks that were added inside run at that commit, before `then`. When `inner` is done at once, `then` runs
/// inside this call.
///
/// [`middleware::map_response`](crate::middleware::map_response) is its everyday form.
///
/// # Errors
///
/// What `then` returns.
///
/// ```
/// use vestibule::{App, app_fn, capture, testing::TestServer};
///
/// fn error_page(inner: App) -> App {
///     app_fn(move |environ, start_response| {
///         capture(&inner, environ, start_response, |response, start_response| match response {
///             Ok((head, body)) => {
///                 start_response.send(head)?;
///                 Ok(body)
///             }
///             Err(error) => {
///                 start_response.start(500, ())?;
///                 Ok(format!("sorry: {error}").into())
///             }
///         })
///     })
/// }
/// let broken = app_fn(|_, _| Err("no disk".into()));
/// assert_eq!(TestServer::new(broken.wrap(error_page)).get("/").send().text(), "sorry: no disk");
/// ```
pub fn capture(
    inner: &App,
    environ: Environ,
    outer: StartResponse,
    then: impl FnOnce(Result<(Head, Body)>, StartResponse) -> Result + Send + 'static,
) -> Result {
    let record = Record::new(State::Waiting);
    let start_response = StartResponse::new(Arc::clone(&record));
    let result = catching(|| inner.call(environ, start_response)).unwrap_or_else(Err);
    // What was started and is in memory commits at once. It is most of what there is, and needs no body around it.
    let in_memory = result.as_ref().ok().and_then(Body::as_full);
    if let Some(started) = in_memory.and_then(|_| record.slot().take_started()) {
        let (body, _place) = (result?, waiting::enter_late_call());
        return then(started.into_head().map(|head| (head, body)), outer);
    }
    let is_decided = result.as_ref().map_or(true, |body| body.as_full().is_some());
    let mut captured =
        Captured { opening: Opening::new(record, result), then: Some((outer, then)), failed: Body::empty() };
    if is_decided {
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        return match captured.poll_step(&mut nobody, true) {
            Step::Become(body) => Ok(body),
            Step::Failed(error) => Err(error),
            // What is decided neither waits nor gives empty blocks.
            _ => Ok(Body::source(captured)),
        };
    }
    Ok(Body::source(captured))
}

/// A body that becomes what `then` makes of the response, as soon as that is known.
struct Captured<F> {
    opening: Opening,
    then: Option<(StartResponse, F)>,
    /// The body of a response that failed before its head. Where its drop may block it does so at the end.
    failed: Body,
}

impl<F> Source for Captured<F>
where
    F: FnOnce(Result<(Head, Body)>, StartResponse) -> Result + Send,
{
    fn poll_step(&mut self, cx: &mut Context<'_>, may_block: bool) -> Step {
        let response = match self.opening.poll(cx, may_block, false) {
            Opened::Pending => return Step::Pending,
            Opened::NeedsThread => return Step::NeedsThread,
            Opened::Empty => return Step::Block(bytes::Bytes::new()),
            Opened::Committed => match self.opening.take() {
                Some(started) => started.into_head().map(|head| (head, self.opening.take_body())),
                None => return Step::End,
            },
            // Nothing was committed, so the hooks that were added inside have seen no head and never will.
            Opened::Failed(failed) => {
                self.failed = failed.body;
                Err(failed.error)
            }
        };
        match self.then.take() {
            Some((outer, then)) => {
                // It may call another application; that is a call in the course of a pull.
                let _place = waiting::enter_late_call();
                match then(response, outer) {
                    Ok(body) => Step::Become(body.in_place_of(std::mem::take(&mut self.failed))),
                    Err(error) => Step::Failed(error),
                }
            }
            None => Step::End,
        }
    }

    fn may_block(&self) -> bool {
        self.opening.may_block()
    }

    fn drop_may_block(&self) -> bool {
        self.opening.drop_may_block() || self.failed.drop_may_block()
    }

    fn is_deferred(&self) -> bool {
        true
    }
}
