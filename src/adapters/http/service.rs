//! An application as a hyper service.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::ext::ReasonPhrase;

use super::incoming;
use super::outgoing::{Driving, Outgoing, Reset};
use crate::application::App;
use crate::body::Body;
use crate::environ::{Environ, Surroundings};
use crate::error::catching;
use crate::exchange::{CommittedHead, Exchange, Step};
use crate::head::Head;
use crate::input::Input;
use crate::server::{Driven, Execution, Pool, READ_AHEAD, Refused, check};

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
    reset: Reset,
}

struct Shared {
    app: App,
    in_place: bool,
    pool: Pool,
    environ: Option<Prepare>,
}

/// What a deployer does to each environ.
pub(super) type Prepare = Arc<dyn Fn(&mut Environ) + Send + Sync>;

/// What an environ says of the connection that it came by.
pub(super) struct Connection {
    pub(super) server_name: Arc<str>,
    pub(super) server_port: u16,
    pub(super) remote_addr: Option<SocketAddr>,
    pub(super) reset: Reset,
}

impl Service {
    /// A service of an application. The pool, where one is needed, is inside of the runtime that this is called in.
    pub fn new(app: App, execution: Execution) -> Self {
        Self::with(app, &execution, None)
    }

    pub(super) fn with(app: App, execution: &Execution, environ: Option<Prepare>) -> Self {
        let shared = Shared { app, in_place: execution.is_in_place(), pool: execution.start_pool(), environ };
        Self { shared: Arc::new(shared), surroundings: Arc::new(Surroundings::LOCAL), reset: Reset::default() }
    }

    /// The service of one connection.
    pub(super) fn on(&self, connection: Connection) -> Self {
        let Connection { server_name, server_port, remote_addr, reset } = connection;
        let mut surroundings = Surroundings::LOCAL;
        surroundings.set_server(server_name, server_port);
        surroundings.remote_addr = remote_addr;
        Self { shared: Arc::clone(&self.shared), surroundings: Arc::new(surroundings), reset }
    }

    /// Starts the exchange, and does as much of it as can be done at once.
    fn start(&self, parts: Parts, input: Input, in_place: bool) -> State {
        let close_delimited = parts.version < Version::HTTP_11;
        let mut environ = Environ::within(parts, input, Some(Arc::clone(&self.surroundings)));
        if let Some(prepare) = &self.shared.environ {
            if let Err(error) = catching(|| prepare(&mut environ)) {
                eprintln!("vestibule: the hook of Server::environ: {}", error.one_line());
                return State::Done(Some(refusal(StatusCode::INTERNAL_SERVER_ERROR)));
            }
        }
        let reset = if close_delimited { self.reset.clone() } else { Reset::default() };
        let (app, pool) = (&self.shared.app, &self.shared.pool);
        let mut exchange = Exchange::new(app, environ);
        if !in_place && app.may_block() {
            return State::running(Driving::Pooled(Driven::new(exchange, pool.clone())), reset);
        }
        // The request is done with inside of hyper's `call` where that is possible: hyper allocates a new read buffer
        // for each request that is still alive when `call` returns. A step that has to wait is taken again with a
        // real waker.
        if in_place {
            exchange = exchange.in_place();
        }
        let polled = exchange.poll_step(&mut Context::from_waker(Waker::noop()), false);
        if let Poll::Ready(Step::Head(head)) = polled {
            // The common case ends here: nothing is left that could fail, wait, or want to know of the end.
            if let Some(block) = exchange.take_last_block() {
                exchange.finish(true);
                return State::Done(Some(response(head.into_head(), Outgoing::full(block))));
            }
            return State::Done(Some(respond(head, Driving::of(exchange, in_place, pool), reset)));
        }
        State::running(Driving::of(exchange, in_place, pool), reset)
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
        if let Err(status) = check(&mut parts, !body.is_end_stream()) {
            return Respond(State::Done(Some(refusal(status))));
        }
        if body.is_end_stream() {
            return Respond(self.start(parts, Input::empty(), self.shared.in_place));
        }
        // A client that waits for 100 Continue gets it when the application reads, not before.
        if !self.shared.app.may_block() || parts.headers.contains_key(EXPECT) {
            return Respond(self.start(parts, incoming::input(body), false));
        }
        let reading =
            ReadingAhead { service: self.clone(), parts: Some(parts), body: Some(body), read: BytesMut::new() };
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
    reset: Reset,
}

impl State {
    fn running(driving: Driving, reset: Reset) -> Self {
        Self::Running(Box::new(Running { driving, reset }))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<Outgoing>> {
        let running = match self {
            Self::Done(response) => return response.take().map_or(Poll::Pending, Poll::Ready),
            Self::Running(running) => running,
            Self::ReadingAhead(_) | Self::Gone => return Poll::Pending,
        };
        let Poll::Ready(step) = running.driving.poll_step(cx) else { return Poll::Pending };
        let Self::Running(running) = std::mem::replace(self, Self::Gone) else { return Poll::Pending };
        let Running { driving, reset } = *running;
        Poll::Ready(match step {
            Ok(Step::Head(head)) => respond(head, driving, reset),
            // RFC 9110, section 15.6.4.
            Err(Refused) => {
                let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            // The client has left already, so this goes nowhere.
            Ok(_) => {
                driving.finish(false);
                refusal(StatusCode::INTERNAL_SERVER_ERROR)
            }
        })
    }
}

fn respond(head: CommittedHead, driving: Driving, reset: Reset) -> Response<Outgoing> {
    let length = if head.has_body() { head.length() } else { Some(0) };
    response(head.into_head(), Outgoing::steps(driving, length, reset))
}

fn response(head: Head, body: Outgoing) -> Response<Outgoing> {
    // hyper writes `<none>` where a status has no reason of its own; RFC 9112, section 4, lets it be empty.
    let reason = head.reason_phrase().or(if head.status.canonical_reason().is_none() { Some("") } else { None });
    let reason = reason.and_then(|reason| ReasonPhrase::try_from(reason.as_bytes()).ok());
    let keeps_length = head.status == StatusCode::NOT_MODIFIED && head.headers.contains_key(CONTENT_LENGTH);
    let body = if keeps_length { body.hiding_its_end() } else { body };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}

/// An answer that no application gave, after which the connection is closed.
fn refusal(status: StatusCode) -> Response<Outgoing> {
    let mut response = plain(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn plain(status: StatusCode) -> Response<Outgoing> {
    let (head, text) = Head::plain(status);
    response(head, Outgoing::full(text))
}

/// A small request body is read before a blocking application is called, so that a slow client pins no thread.
struct ReadingAhead {
    service: Service,
    parts: Option<Parts>,
    body: Option<Incoming>,
    read: BytesMut,
}

impl ReadingAhead {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<State> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Pending };
            let room = READ_AHEAD.saturating_sub(self.read.len());
            if self.read.len() > READ_AHEAD || body.size_hint().exact().is_some_and(|left| left > room as u64) {
                return Poll::Ready(self.start(Ending::More));
            }
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            };
            match frame {
                None => return Poll::Ready(self.start(Ending::Whole(None))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(block) => self.read.extend_from_slice(&block),
                    Err(frame) => return Poll::Ready(self.start(Ending::Whole(frame.into_trailers().ok()))),
                },
                // No call: of a body that is malformed the client hears, of one that is cut short nobody does.
                Some(Err(_)) => return Poll::Ready(State::Done(Some(refusal(StatusCode::BAD_REQUEST)))),
            }
        }
    }

    fn start(&mut self, ending: Ending) -> State {
        let (Some(parts), Some(body)) = (self.parts.take(), self.body.take()) else { return State::Gone };
        let read = std::mem::take(&mut self.read).freeze();
        match ending {
            Ending::Whole(trailers) => {
                let whole = Body::from(read);
                let input = match trailers {
                    Some(trailers) => Input::of(whole.with_trailers(|| trailers)),
                    None => Input::of(whole),
                };
                self.service.start(parts, input, self.service.shared.in_place)
            }
            Ending::More => {
                let mut whole = incoming::source(body);
                whole.put_back(read);
                self.service.start(parts, Input::of(whole), false)
            }
        }
    }
}

enum Ending {
    Whole(Option<http::HeaderMap>),
    /// It is longer than what is read ahead.
    More,
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
