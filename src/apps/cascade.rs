//! `cascade`: applications that are asked one after the other.

use std::sync::Arc;
use std::task::Context;

use http::StatusCode;

use super::{answer, endpoint};
use crate::application::{App, Application};
use crate::body::{Body, Source, Step};
use crate::capture::capture;
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::start_response::StartResponse;
use crate::waiting;

/// Asks applications one after the other until one answers something else than 404 or 405.
///
/// The answer of the last one stands, whatever it is; without any it is a 404. A response that is passed over is dropped
/// unread, which closes its body, before the next application is called. That one gets the environ as the cascade got it,
/// whatever the ones before have changed in theirs. They share one input, so an application that passes a request over
/// must not have read from it. An `Err` and a panic are answers: they do not fall through, not even with status 404.
///
/// It blocks where one of its applications does. A blocking one is called on a thread of the pool also where an async one
/// has passed the request over on the reactor.
///
/// It is what `Rack::Cascade` and `Plack::App::Cascade` are. [`cascade_when`] looks for something else than 404 and 405.
///
/// ```
/// use vestibule::{App, app_fn, apps::cascade, testing::TestServer};
///
/// let only = |path: &'static str, text: &'static str| {
///     app_fn(move |environ, start_response| {
///         let found = environ.path_info() == path;
///         start_response.start(if found { 200 } else { 404 }, ())?;
///         Ok(if found { text } else { "not here" }.into())
///     })
/// };
/// let server = TestServer::new(cascade([only("/a", "first"), only("/b", "second")]));
/// assert_eq!(server.get("/b").send().text(), "second");
/// assert_eq!(server.get("/c").send().status(), 404);
/// ```
pub fn cascade<A: Application>(applications: impl IntoIterator<Item = A>) -> App {
    let passes = |head: &Head| matches!(head.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    cascade_when(passes, applications)
}

/// As [`cascade`], and asks the next application when `falls_through` says so of the head of a response.
///
/// ```
/// use vestibule::{Head, app_fn, apps::cascade_when, testing::TestServer};
///
/// let answering = |status: u16| {
///     app_fn(move |_, start_response| {
///         start_response.start(status, ())?;
///         Ok(status.to_string().into())
///     })
/// };
/// let closed = |head: &Head| head.status == 403;
/// let server = TestServer::new(cascade_when(closed, [answering(403), answering(404), answering(200)]));
/// assert_eq!(server.get("/").send().status(), 404);
/// ```
pub fn cascade_when<A: Application>(
    falls_through: impl Fn(&Head) -> bool + Send + Sync + 'static,
    applications: impl IntoIterator<Item = A>,
) -> App {
    let apps: Vec<App> = applications.into_iter().map(App::new).collect();
    let may_block = apps.iter().any(App::may_block);
    let cascade = Arc::new(Cascade { falls_through: Box::new(falls_through), apps });
    endpoint(|| "cascade", may_block, move |environ, start_response| cascade.ask(0, environ, start_response))
}

struct Cascade {
    falls_through: Box<dyn Fn(&Head) -> bool + Send + Sync>,
    apps: Vec<App>,
}

impl Cascade {
    /// Asks the application of this number, and those that follow.
    fn ask(self: &Arc<Self>, number: usize, environ: Environ, start_response: StartResponse) -> Result {
        let Some(app) = self.apps.get(number) else {
            return answer(StatusCode::NOT_FOUND.into(), start_response);
        };
        if number + 1 == self.apps.len() {
            return app.call(environ, start_response);
        }
        let (cascade, again) = (Arc::clone(self), environ.duplicate());
        capture(app, environ, start_response, move |response, start_response| {
            let (head, body) = response?;
            if !(cascade.falls_through)(&head) {
                start_response.send(head)?;
                return Ok(body);
            }
            let may_block = body.drop_may_block() || cascade.apps[number + 1].may_block();
            let mut next = Next { cascade, number: number + 1, rest: Some((body, again, start_response)) };
            // This may be a reactor; it is where an async application was awaited.
            if may_block { Ok(Body::source(next)) } else { next.call() }
        })
    }
}

/// A body that closes the one that was passed over, calls the next application, and becomes its body.
struct Next {
    cascade: Arc<Cascade>,
    number: usize,
    /// `None` once it was called.
    rest: Option<(Body, Environ, StartResponse)>,
}

impl Next {
    fn call(&mut self) -> Result {
        let Some((passed_over, environ, start_response)) = self.rest.take() else { return Ok(Body::empty()) };
        drop(passed_over);
        // It is a pull by now, and what runs in it is the call of an application all the same.
        let _place = waiting::enter_late_call();
        self.cascade.ask(self.number, environ, start_response)
    }
}

impl Source for Next {
    fn poll_step(&mut self, _cx: &mut Context<'_>, may_block: bool) -> Step {
        match may_block {
            false => Step::NeedsThread,
            true => self.call().map_or_else(Step::Failed, Step::Become),
        }
    }

    fn may_block(&self) -> bool {
        true
    }

    fn is_deferred(&self) -> bool {
        true
    }
}
