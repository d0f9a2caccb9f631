//! An application as a service.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use super::RequestContext;
use super::context::Reason;
use super::outward::ResponseBody;
use super::source::Frames;
use crate::adapters::message::{Message, Messages};
use crate::application::{App, Application};
use crate::body::Body;
use crate::environ::Environ;
use crate::error::Error;
use crate::exchange::Step;
use crate::head::decimal;
use crate::input::Input;
use crate::server::{Ahead, Begun, Driving, Execution, Hook, Place, Pool, Pulled, ReadAhead, begin, check};

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// An application as a [`Service`](tower_service::Service) of tower, for axum's `fallback_service` and `nest_service`,
/// hyper, and layers of tower-http.
///
/// It is always ready and never fails: what goes wrong in the application is a response with status 500, or a body that
/// ends with an error. See [`AppService`] for its settings.
///
/// ```
/// use axum::Router;
/// use vestibule::adapters::tower::into_service;
/// use vestibule::app_fn;
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("what axum has no route for".into())
/// });
/// let router: Router = Router::new().fallback_service(into_service(app));
/// ```
pub fn into_service(application: impl Application) -> AppService {
    AppService(Arc::new(Shared {
        app: App::new(application),
        execution: Execution::pool(),
        pool: Arc::default(),
        mount: String::new(),
        hook: Hook::default(),
    }))
}

/// An application as a service: see [`into_service`].
///
/// Clones are handles to one application and one pool of threads. A blocking application is called on that pool, which
/// begins with the first request, inside of the runtime that this is called in. One that does not block, such as of
/// [`async_fn`](crate::async_fn), needs no thread.
///
/// Requests that HTTP forbids are refused, as in front of any gateway: the table is in docs/spec.md. Limits on sizes and
/// times are those of the server around.
#[derive(Clone)]
pub struct AppService(Arc<Shared>);

struct Shared {
    app: App,
    execution: Execution,
    /// Of all that are made of it, but for those of another execution.
    pool: Arc<OnceLock<Pool>>,
    mount: String,
    hook: Hook,
}

impl AppService {
    /// Sets on which threads a blocking application is called: [`Execution::pool`] unless said otherwise.
    ///
    /// ```
    /// # use vestibule::{Execution, app_fn, adapters::tower::into_service};
    /// # let app = app_fn(|_, start_response| { start_response.start(204, ())?; Ok(().into()) });
    /// let service = into_service(app).execution(Execution::pool().max(8));
    /// ```
    #[must_use]
    pub fn execution(self, execution: Execution) -> Self {
        self.with(|shared| (shared.execution, shared.pool) = (execution, Arc::default()))
    }

    /// Says which prefix the router around has taken off the path, such as `/app` for `nest_service("/app", ..)`. It
    /// becomes SCRIPT_NAME, and part of [`url`](Environ::url).
    ///
    /// A router that is itself hosted by [`from_service`](super::from_service) needs no such word.
    ///
    /// # Panics
    ///
    /// When the prefix does not begin with a slash, or ends with one.
    #[must_use]
    #[track_caller]
    pub fn mounted_at(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let is_prefix = prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/'));
        assert!(is_prefix, "mounted_at: {prefix:?} is no prefix such as \"/app\"");
        self.with(|shared| shared.mount = prefix)
    }

    /// Sets what is done to each environ before the application sees it, such as to tell the client's address.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// # use vestibule::{app_fn, adapters::tower::into_service};
    /// # let app = app_fn(|_, start_response| { start_response.start(204, ())?; Ok(().into()) });
    ///
    /// // With `Router::into_make_service_with_connect_info`.
    /// let service = into_service(app).environ(|environ| {
    ///     let client = environ.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    ///     environ.set_remote_addr(client);
    /// });
    /// ```
    #[must_use]
    pub fn environ(self, prepare: impl Fn(&mut Environ) + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.hook = Hook::new(prepare))
    }

    /// The settings are another service's; what was called before keeps its own.
    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let Shared { app, execution, pool, mount, hook } = &*self.0;
        let (app, execution, pool) = (app.clone(), execution.clone(), Arc::clone(pool));
        let mut shared = Shared { app, execution, pool, mount: mount.clone(), hook: hook.clone() };
        change(&mut shared);
        Self(Arc::new(shared))
    }

    fn pool(&self) -> &Pool {
        self.0.pool.get_or_init(|| self.0.execution.start_pool())
    }

    fn start(&self, parts: Parts, input: Input, place: Place) -> State {
        let messages = Messages(parts.version);
        let Ok(mut environ) = RequestContext::join(parts, input, &self.0.mount) else {
            return State::done(messages, messages.plain(StatusCode::URI_TOO_LONG));
        };
        if let Err(status) = self.0.hook.call(&mut environ, "AppService::environ") {
            return State::done(messages, messages.plain(status));
        }
        match begin(&self.0.app, environ, place, self.pool()) {
            Begun::Whole(head, block) => State::done(messages, messages.whole(head, block)),
            Begun::Head(head, driving) => State::done(messages, messages.driven(head, driving)),
            Begun::Running(driving) => State::Running(Box::new((messages, driving))),
        }
    }
}

impl<B> tower_service::Service<Request<B>> for AppService
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Boxed>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture<B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<B> {
        let (mut parts, body) = request.into_parts();
        let messages = Messages(parts.version);
        let has_body = !body.is_end_stream();
        if let Err(error) = check(&mut parts, has_body, false) {
            return ResponseFuture(Phase::Begun(State::refused(messages, &error)));
        }
        // A length that was announced is kept, also where a layer has put another body in place.
        let may_have_body = has_body || !matches!(parts.method, Method::GET | Method::HEAD);
        let length = if may_have_body { parts.headers.get(CONTENT_LENGTH) } else { None };
        let length = length.and_then(|length| decimal(length.as_bytes()));
        let source = if has_body { Some(Frames::of_request(body)) } else { None };
        let Some(source) = source else {
            let input = announced(Input::empty(), length.filter(|&length| length > 0));
            return ResponseFuture(Phase::Begun(self.start(parts, input, self.0.execution.place())));
        };
        // A client that waits for 100 Continue gets it when the application reads, not before.
        if !self.0.app.may_block() || parts.headers.contains_key(EXPECT) {
            let input = announced(Input::of(Body::source(source)), length);
            return ResponseFuture(Phase::Begun(self.start(parts, input, Place::Receiving)));
        }
        let reading =
            ReadingAhead { service: self.clone(), request: Some((parts, length)), body: ReadAhead::new(source) };
        ResponseFuture(Phase::ReadingAhead(Box::new(reading)))
    }
}

fn announced(input: Input, length: Option<u64>) -> Input {
    match length {
        Some(length) if input.len() != Some(length) => input.with_length(length),
        _ => input,
    }
}

impl fmt::Debug for AppService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppService").field("app", &self.0.app).field("mount", &self.0.mount).finish_non_exhaustive()
    }
}

/// The future of a response of an [`AppService`]. Dropped, it tells the application that the client has left.
pub struct ResponseFuture<B>(Phase<B>);

enum Phase<B> {
    ReadingAhead(Box<ReadingAhead<B>>),
    Begun(State),
}

enum State {
    Done(Option<Response<ResponseBody>>),
    /// It has not come to its head.
    Running(Box<(Messages, Driving)>),
    Gone,
}

/// A request whose body is read, or the beginning of it, before a blocking application is called.
struct ReadingAhead<B> {
    service: AppService,
    /// Taken when that is done; with the length that was announced.
    request: Option<(Parts, Option<u64>)>,
    body: ReadAhead<Frames<B>>,
}

impl<B> Future for ResponseFuture<B>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Boxed>,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Phase::ReadingAhead(reading) = &mut self.0 {
            match reading.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(state) => self.0 = Phase::Begun(state),
            }
        }
        match &mut self.0 {
            Phase::Begun(state) => state.poll(cx).map(Ok),
            Phase::ReadingAhead(_) => Poll::Pending,
        }
    }
}

impl<B> ReadingAhead<B>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Boxed>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<State> {
        let Poll::Ready(ahead) = self.body.poll(cx) else { return Poll::Pending };
        let Some((parts, length)) = self.request.take() else { return Poll::Ready(State::Gone) };
        let (service, messages) = (&self.service, Messages(parts.version));
        Poll::Ready(match ahead {
            Ahead::Whole(input) => service.start(parts, announced(input, length), service.0.execution.place()),
            Ahead::Part(input) => service.start(parts, announced(input, length), Place::Receiving),
            Ahead::Failed(error) => State::refused(messages, &error),
        })
    }
}

impl State {
    fn done(messages: Messages, message: Message) -> Self {
        Self::Done(Some(response(messages, message)))
    }

    fn refused(messages: Messages, error: &Error) -> Self {
        Self::done(messages, messages.close(error.status().unwrap_or(StatusCode::BAD_REQUEST)))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<ResponseBody>> {
        let (messages, driving) = match self {
            Self::Done(response) => return response.take().map_or(Poll::Pending, Poll::Ready),
            Self::Running(running) => &mut **running,
            Self::Gone => return Poll::Pending,
        };
        let Poll::Ready(pulled) = driving.poll_step(cx) else { return Poll::Pending };
        let messages = *messages;
        let Self::Running(running) = std::mem::replace(self, Self::Gone) else { return Poll::Pending };
        let (_, driving) = *running;
        Poll::Ready(response(
            messages,
            match pulled {
                Pulled::Whole(head, block) => messages.whole(head, block),
                Pulled::Step(Step::Head(head)) => messages.driven(head, driving),
                Pulled::Refused => messages.refused(),
                // The exchange was told that nobody waits; so this goes nowhere.
                Pulled::Step(_) => {
                    driving.finish(false);
                    messages.plain(StatusCode::INTERNAL_SERVER_ERROR)
                }
            },
        ))
    }
}

fn response(messages: Messages, mut message: Message) -> Response<ResponseBody> {
    Reason::put_aside(&mut message.head);
    messages.response(message, ResponseBody::new)
}

impl<B> fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Phase::ReadingAhead(_) => "ResponseFuture(reading)",
            Phase::Begun(State::Done(_)) => "ResponseFuture(done)",
            Phase::Begun(State::Running(_)) => "ResponseFuture(running)",
            Phase::Begun(State::Gone) => "ResponseFuture(gone)",
        })
    }
}
