//! An application as a hyper service.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::ext::ReasonPhrase;

use super::incoming::Received;
use super::link::{InFlight, Link};
use super::outgoing::{Driving, Outgoing};
use crate::application::App;
use crate::body::{self, Body, Source as _};
use crate::environ::{Environ, Surroundings};
use crate::error::{Error, catching};
use crate::exchange::{CommittedHead, Exchange, Step};
use crate::head::Head;
use crate::input::Input;
use crate::server::{Driven, Ends, Execution, Limits, Pool, Pulled, READ_AHEAD, check};

/// An application as a [`hyper::service::Service`], one for each connection.
///
/// [`Server`](super::Server) makes them; make your own for a loop of your own.
///
/// ```
/// use vestibule::{Execution, adapters::http::Service, app_fn};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// let service = Service::new(app, Execution::inline());
/// // hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
/// # drop(service);
/// ```
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
    surroundings: Arc<Surroundings>,
    /// `None` where no server looks after the connection.
    link: Option<Arc<Link>>,
}

struct Shared {
    app: App,
    in_place: bool,
    pool: Pool,
    environ: Option<Prepare>,
    limits: Limits,
}

/// What a deployer does to each environ.
pub(super) type Prepare = Arc<dyn Fn(&mut Environ) + Send + Sync>;

impl Service {
    /// A service of an application. The pool, where one is needed, is inside of the runtime that this is called in.
    pub fn new(app: App, execution: Execution) -> Self {
        Self::with(app, &execution, None, Limits::default())
    }

    pub(super) fn with(app: App, execution: &Execution, environ: Option<Prepare>, limits: Limits) -> Self {
        let shared = Shared { app, in_place: execution.is_in_place(), pool: execution.start_pool(), environ, limits };
        Self { shared: Arc::new(shared), surroundings: Arc::new(Surroundings::LOCAL), link: None }
    }

    /// The service of one connection.
    pub(super) fn on(&self, ends: Ends, link: &Arc<Link>) -> Self {
        let mut surroundings = Surroundings::LOCAL;
        surroundings.set_server(ends.server_name, ends.server_port);
        surroundings.remote_addr = ends.remote_addr;
        let (shared, surroundings) = (Arc::clone(&self.shared), Arc::new(surroundings));
        Self { shared, surroundings, link: Some(Arc::clone(link)) }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Starts the exchange, and does as much of it as can be done at once.
    fn start(&self, parts: Parts, mut input: Input, in_place: bool, asked: Asked) -> State {
        if self.shared.limits.whole_read != Limits::default().whole_read {
            input.limit_whole_reads(self.shared.limits.whole_read);
        }
        let mut environ = Environ::within(parts, input, Some(Arc::clone(&self.surroundings)));
        if let Some(prepare) = &self.shared.environ {
            if let Err(error) = catching(|| prepare(&mut environ)) {
                eprintln!("vestibule: the hook of Server::environ: {}", error.one_line());
                return State::Done(Some(asked.refuse(StatusCode::INTERNAL_SERVER_ERROR)));
            }
        }
        let (app, pool) = (&self.shared.app, &self.shared.pool);
        let mut exchange = Exchange::new(app, environ);
        if !in_place && app.may_block() {
            return State::running(Driving::Pooled(Driven::new(exchange, pool.clone())), asked);
        }
        // The request is done with inside of hyper's `call` where that is possible. A step that has to wait is taken
        // again with a real waker.
        if in_place {
            exchange = exchange.in_place();
        }
        let polled = exchange.poll_step(&mut Context::from_waker(Waker::noop()), false);
        if let Poll::Ready(Step::Head(head)) = polled {
            // The common case ends here: nothing is left that could fail, wait, or want to know of the end.
            if let Some(block) = exchange.take_last_block() {
                exchange.finish(true);
                return State::Done(Some(asked.whole(head, block)));
            }
            return State::Done(Some(asked.respond(head, Driving::of(exchange, in_place, pool))));
        }
        State::running(Driving::of(exchange, in_place, pool), asked)
    }
}

impl Driving {
    fn of(exchange: Exchange, in_place: bool, pool: &Pool) -> Self {
        match in_place {
            true => Self::InPlace(exchange, pool.clone()),
            // It does not block in its call; a body that does is pulled on the pool.
            false => Self::Pooled(Driven::new(exchange, pool.clone())),
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = Respond;

    fn call(&self, request: Request<Incoming>) -> Respond {
        let (mut parts, body) = request.into_parts();
        let (in_flight, head_bound) = self.link.as_ref().map(InFlight::begin).unzip();
        let asked = Asked { version: parts.version, in_flight };
        let has_body = !body.is_end_stream();
        if let Err(status) = check(&mut parts, has_body, &self.shared.limits, head_bound) {
            return Respond(State::Done(Some(asked.refuse(status))));
        }
        if !has_body {
            return Respond(self.start(parts, Input::empty(), self.shared.in_place, asked));
        }
        let expects = parts.headers.contains_key(EXPECT);
        let received = Received::new(body, self.link.as_ref(), expects);
        // A client that waits for 100 Continue gets it when the application reads, not before.
        if !self.shared.app.may_block() || expects {
            return Respond(self.start(parts, received.into_input(), false, asked));
        }
        let reading =
            ReadingAhead { service: self.clone(), request: Some((parts, received, asked)), read: BytesMut::new() };
        Respond(State::ReadingAhead(Box::new(reading)))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("app", &self.shared.app).finish_non_exhaustive()
    }
}

/// The future of a response, of [`Service`].
pub struct Respond(State);

enum State {
    Done(Option<Response<Outgoing>>),
    ReadingAhead(Box<ReadingAhead>),
    Running(Box<Running>),
    Gone,
}

impl Future for Respond {
    type Output = Result<Response<Outgoing>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::ReadingAhead(reading) = &mut self.0 {
            match reading.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(next) => self.0 = next,
            }
        }
        self.0.poll(cx).map(Ok)
    }
}

/// An exchange that has not come to its head.
struct Running {
    driving: Driving,
    asked: Asked,
}

impl State {
    fn running(driving: Driving, asked: Asked) -> Self {
        Self::Running(Box::new(Running { driving, asked }))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<Outgoing>> {
        let running = match self {
            Self::Done(response) => return response.take().map_or(Poll::Pending, Poll::Ready),
            Self::Running(running) => running,
            Self::ReadingAhead(_) | Self::Gone => return Poll::Pending,
        };
        let Poll::Ready(pulled) = running.driving.poll_step(cx) else { return Poll::Pending };
        let Self::Running(running) = std::mem::replace(self, Self::Gone) else { return Poll::Pending };
        let Running { driving, asked } = *running;
        Poll::Ready(match pulled {
            Pulled::Whole(head, block) => asked.whole(head, block),
            Pulled::Step(Step::Head(head)) => asked.respond(head, driving),
            // RFC 9110, section 15.6.4.
            Pulled::Refused => {
                let mut response = asked.plain(StatusCode::SERVICE_UNAVAILABLE);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            // The client has left already, so this goes nowhere.
            Pulled::Step(_) => {
                driving.finish(false);
                asked.refuse(StatusCode::INTERNAL_SERVER_ERROR)
            }
        })
    }
}

/// What a response has to know of its request.
struct Asked {
    version: Version,
    in_flight: Option<InFlight>,
}

impl Asked {
    fn respond(self, head: CommittedHead, driving: Driving) -> Response<Outgoing> {
        let length = if head.has_body() { head.length() } else { Some(0) };
        let ends_with_connection = self.version < Version::HTTP_11;
        let head = self.framed(head);
        self.response(head, |in_flight| Outgoing::steps(driving, length, ends_with_connection, in_flight))
    }

    fn whole(self, head: CommittedHead, block: Bytes) -> Response<Outgoing> {
        let head = self.framed(head);
        self.response(head, |in_flight| Outgoing::full(block, in_flight))
    }

    /// hyper writes the length that is known; in HTTP/2 not one of 0.
    fn framed(&self, head: CommittedHead) -> Head {
        match self.version == Version::HTTP_2 && head.length() == Some(0) {
            true => head.into_head_with_length(),
            false => head.into_head(),
        }
    }

    /// An answer that no application gave.
    fn plain(self, status: StatusCode) -> Response<Outgoing> {
        let (head, text) = Head::plain(status);
        self.response(head, |in_flight| Outgoing::full(text, in_flight))
    }

    /// An answer to what is not served, after which the connection is closed: what follows cannot be trusted.
    fn refuse(self, status: StatusCode) -> Response<Outgoing> {
        if let Some(InFlight(link)) = &self.in_flight {
            link.linger();
        }
        let is_http1 = self.version < Version::HTTP_2;
        let mut response = self.plain(status);
        if is_http1 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn response(self, head: Head, body: impl FnOnce(Option<InFlight>) -> Outgoing) -> Response<Outgoing> {
        // hyper writes `<none>` where a status has no reason of its own; RFC 9112, section 4, lets it be empty.
        let reason = head.reason_phrase().or(if head.status.canonical_reason().is_none() { Some("") } else { None });
        let reason = reason.and_then(|reason| ReasonPhrase::try_from(reason.as_bytes()).ok());
        let is_http1 = self.version < Version::HTTP_2;
        let keeps_length =
            is_http1 && head.status == StatusCode::NOT_MODIFIED && head.headers.contains_key(CONTENT_LENGTH);
        // RFC 9112, section 9.6: the last response on a connection says that it is. In HTTP/2 a frame does.
        let is_last =
            self.version < Version::HTTP_2 && self.in_flight.as_ref().is_some_and(|InFlight(link)| link.is_stopping());
        let body = body(self.in_flight);
        let body = if keeps_length { body.hiding_its_end() } else { body };
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        if is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// A small request body, and the beginning of a large one, is read before a blocking application is called, so that a slow
/// client pins no thread.
struct ReadingAhead {
    service: Service,
    /// Taken when it is known how the body ends.
    request: Option<(Parts, Received, Asked)>,
    read: BytesMut,
}

impl ReadingAhead {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<State> {
        loop {
            let Some((_, received, _)) = &mut self.request else { return Poll::Pending };
            // A long one too: who sends less than this pins no thread, whatever was announced.
            let is_full = self.read.len() == READ_AHEAD && received.len().is_some_and(|left| left > 0);
            if is_full || self.read.len() > READ_AHEAD {
                return Poll::Ready(self.end(Ending::More));
            }
            let ending = match received.poll_step(cx, false) {
                body::Step::Pending => return Poll::Pending,
                body::Step::Block(block) => {
                    self.read.extend_from_slice(&block);
                    continue;
                }
                body::Step::Trailers(trailers) => Ending::Whole(Some(trailers)),
                body::Step::Failed(error) => Ending::Failed(error),
                _ => Ending::Whole(None),
            };
            return Poll::Ready(self.end(ending));
        }
    }

    fn end(&mut self, ending: Ending) -> State {
        let Some((parts, received, asked)) = self.request.take() else { return State::Gone };
        let (read, service) = (std::mem::take(&mut self.read).freeze(), &self.service);
        match ending {
            Ending::Whole(trailers) => {
                let whole = Body::from(read);
                let input = match trailers {
                    Some(trailers) => Input::of(whole.with_trailers(|| trailers)),
                    None => Input::of(whole),
                };
                service.start(parts, input, service.shared.in_place, asked)
            }
            Ending::More => {
                let mut whole = received.into_body();
                whole.put_back(read);
                service.start(parts, Input::of(whole), false, asked)
            }
            // No call: of a body that is malformed the client hears, of one that is cut short nobody does.
            Ending::Failed(error) => State::Done(Some(asked.refuse(error.status().unwrap_or(StatusCode::BAD_REQUEST)))),
        }
    }
}

enum Ending {
    Whole(Option<http::HeaderMap>),
    /// It is longer than what is read ahead.
    More,
    Failed(Error),
}

impl fmt::Debug for Respond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Done(_) => "Respond(done)",
            State::ReadingAhead(_) => "Respond(reading)",
            State::Running(_) => "Respond(running)",
            State::Gone => "Respond(gone)",
        })
    }
}
