//! An application as a hyper service.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::EXPECT;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use hyper::ext::ReasonPhrase;

use super::incoming::Received;
use super::link::{InFlight, Link};
use super::outgoing::Outgoing;
use crate::adapters::message::{Message, Messages};
use crate::application::App;
use crate::environ::{Environ, Surroundings};
use crate::error::{Error, Result};
use crate::exchange::Step;
use crate::head::Head;
use crate::input::Input;
use crate::server::{
    Ahead, Backend, Begun, Busy, Driving, Execution, Hook, Peer, Place, Pulled, ReadAhead, ServerLimits, access_log,
    check,
};

/// An application as a [`hyper::service::Service`]: make one, and clone it for each connection.
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
    backend: Arc<Backend>,
    surroundings: Arc<Surroundings>,
    mount: Option<Arc<str>>,
    /// `None` where no server looks after the connection.
    link: Option<Arc<Link>>,
}

impl Service {
    /// A service of an application. The pool, where one is needed, is inside of the runtime that this is called in.
    pub fn new(app: App, execution: Execution) -> Self {
        Self::of(Backend::new(app, &execution, Hook::default(), ServerLimits::default(), false), None, None)
    }

    /// Says who is at the other end of a connection: a service for it, which shares the threads of this one.
    ///
    /// ```
    /// # use vestibule::{Execution, adapters::http::Service, app_fn};
    /// # let app = app_fn(|_, start_response| { start_response.start(204, ())?; Ok(().into()) });
    /// let service = Service::new(app, Execution::pool()); // once
    /// let peer = ([127, 0, 0, 1], 49152).into(); // of `TcpListener::accept`
    /// let of_this_connection = service.clone().remote_addr(peer);
    /// # drop(of_this_connection);
    /// ```
    #[must_use]
    pub fn remote_addr(mut self, address: SocketAddr) -> Self {
        Arc::make_mut(&mut self.surroundings).remote_addr = Some(address);
        self
    }

    /// With the address that the server listens on, and the mount point of the application where that is not the root.
    pub(super) fn of(backend: Backend, address: Option<SocketAddr>, mount: Option<Arc<str>>) -> Self {
        let mut surroundings = Surroundings::LOCAL;
        if let Some(address) = address {
            surroundings.set_server(address.ip().to_string().into(), address.port());
        }
        Self { backend: Arc::new(backend), surroundings: Arc::new(surroundings), mount, link: None }
    }

    /// The service of one connection.
    pub(super) fn on(&self, peer: Peer, link: &Arc<Link>) -> Self {
        let mut surroundings = (*self.surroundings).clone();
        surroundings.remote_addr = peer;
        let watched: Weak<Link> = Arc::downgrade(link);
        link.running.watch(watched);
        let (backend, surroundings) = (Arc::clone(&self.backend), Arc::new(surroundings));
        Self { backend, surroundings, mount: self.mount.clone(), link: Some(Arc::clone(link)) }
    }

    fn check(&self, parts: &mut Parts, has_body: bool, head_bound: Option<u64>) -> Result<()> {
        let limits = &self.backend.limits.request;
        limits.check_head(parts, head_bound)?;
        check(parts, has_body, true)?;
        if has_body { limits.check_length(parts) } else { Ok(()) }
    }

    /// Starts the exchange, and does as much of it as can be done at once.
    fn start(&self, parts: Parts, input: Input, place: Place, asked: Asked) -> State {
        let mut environ = Environ::within(parts, input, Some(Arc::clone(&self.surroundings)));
        if let Some(mount) = &self.mount {
            // RFC 9110, section 9.3.7: `OPTIONS *` is for the server.
            if !environ.mount_at(mount) && environ.raw_path() != "*" {
                return asked.missing((environ.method(), environ.uri()), mount);
            }
        }
        let Ok(begun) = self.backend.begin(environ, place, asked.began) else {
            return State::Done(Some(asked.close(StatusCode::INTERNAL_SERVER_ERROR)));
        };
        match begun {
            // The request is done with inside of hyper's `call` where that is possible.
            Begun::Whole(head, block) => asked.done(|messages| messages.whole(head, block)),
            Begun::Head(head, driving) => asked.done(|messages| messages.driven(head, driving)),
            Begun::Running(driving) => State::running(driving, asked),
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
        let began = self.backend.began();
        let asked = Asked { messages: Messages(parts.version), in_flight, began };
        let has_body = !body.is_end_stream();
        if let Err(error) = self.check(&mut parts, has_body, head_bound) {
            return Respond(asked.refuse(&parts, &error));
        }
        if !has_body {
            return Respond(self.start(parts, Input::empty(), self.backend.place, asked));
        }
        let expects = parts.headers.contains_key(EXPECT);
        let received = Received::new(body, self.link.as_ref(), expects);
        // A client that waits for 100 Continue gets it when the application reads, not before.
        if !self.backend.app.may_block() || expects {
            return Respond(self.start(parts, received.into_input(), Place::Receiving, asked));
        }
        let reading =
            ReadingAhead { service: self.clone(), request: Some((parts, asked)), body: ReadAhead::new(received) };
        Respond(State::ReadingAhead(Box::new(reading)))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("app", &self.backend.app).finish_non_exhaustive()
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

    /// No application gets it. `began` is when it came, where the access log is to tell.
    fn refused(response: Response<Outgoing>, asked: (&Method, &Uri), began: Option<Instant>, error: &Error) -> Self {
        if let Some(began) = began {
            let length = if asked.0 == Method::HEAD { None } else { response.body().size_hint().exact() };
            access_log::refused(asked, response.status(), length.unwrap_or(0), began, Some(error));
        }
        Self::Done(Some(response))
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
        let messages = asked.messages;
        let message = match pulled {
            Pulled::Whole(head, block) => messages.whole(head, block),
            Pulled::Step(Step::Head(head)) => messages.driven(head, driving),
            Pulled::Refused => messages.refused(),
            // The client has left already, so this goes nowhere.
            Pulled::Step(_) => {
                driving.finish(false);
                return Poll::Ready(asked.close(StatusCode::INTERNAL_SERVER_ERROR));
            }
        };
        Poll::Ready(asked.response(message))
    }
}

/// What a response has to know of its request.
struct Asked {
    messages: Messages,
    in_flight: Option<InFlight>,
    /// When it came, where the access log is to tell.
    began: Option<Instant>,
}

impl Asked {
    fn done(self, message: impl FnOnce(Messages) -> Message) -> State {
        let message = message(self.messages);
        State::Done(Some(self.response(message)))
    }

    /// An answer to what no application gets.
    fn refuse(self, parts: &Parts, error: &Error) -> State {
        let (status, began) = (error.status().unwrap_or(StatusCode::BAD_REQUEST), self.began);
        State::refused(self.close(status), (&parts.method, &parts.uri), began, error)
    }

    /// An answer to what is not below the mount point.
    fn missing(self, asked: (&Method, &Uri), mount: &str) -> State {
        let (status, began, messages) = (StatusCode::NOT_FOUND, self.began, self.messages);
        let error = Error::with_status(status, format!("not below the mount point {mount}"));
        State::refused(self.response(messages.plain(status)), asked, began, &error)
    }

    /// An answer to what is not served, after which the connection is closed: what follows cannot be trusted.
    fn close(self, status: StatusCode) -> Response<Outgoing> {
        if let Some(InFlight(link)) = &self.in_flight {
            link.linger();
        }
        let message = self.messages.close(status);
        self.response(message)
    }

    fn response(self, mut message: Message) -> Response<Outgoing> {
        let is_stopping = self.in_flight.as_ref().is_some_and(|InFlight(link)| link.is_stopping());
        if is_stopping && self.messages.is_http1() {
            message.close();
        }
        let reason = reason(&message.head);
        let ends_with_connection = self.messages.0 < Version::HTTP_11;
        let outgoing = |frames| Outgoing::new(frames, ends_with_connection, self.in_flight);
        let mut response = self.messages.response(message, outgoing);
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

/// hyper writes `<none>` where a status has no reason of its own; RFC 9112, section 4, lets it be empty.
fn reason(head: &Head) -> Option<ReasonPhrase> {
    let reason = head.reason_phrase().or(if head.status.canonical_reason().is_none() { Some("") } else { None });
    reason.and_then(|reason| ReasonPhrase::try_from(reason.as_bytes()).ok())
}

/// A request whose body is read, or the beginning of it, before a blocking application is called.
struct ReadingAhead {
    service: Service,
    /// Taken when that is done.
    request: Option<(Parts, Asked)>,
    body: ReadAhead<Received>,
}

impl ReadingAhead {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<State> {
        let Poll::Ready(ahead) = self.body.poll(cx) else { return Poll::Pending };
        let Some((parts, asked)) = self.request.take() else { return Poll::Ready(State::Gone) };
        let service = &self.service;
        Poll::Ready(match ahead {
            Ahead::Whole(input) => service.start(parts, input, service.backend.place, asked),
            Ahead::Part(input) => service.start(parts, input, Place::Receiving, asked),
            Ahead::Failed(error) => asked.refuse(&parts, &error),
        })
    }
}

impl Drop for ReadingAhead {
    /// The connection has ended before the body had come.
    fn drop(&mut self) {
        if let Some((parts, Asked { began: Some(began), .. })) = &self.request {
            access_log::refused((&parts.method, &parts.uri), StatusCode::BAD_REQUEST, 0, *began, None);
        }
    }
}

impl Busy for Link {
    fn requests(&self) -> usize {
        // In HTTP/1.1, what is left of the body of the last one may count beside it.
        let most = if self.speaks_h2() { usize::MAX } else { 1 };
        self.in_flight().min(most)
    }
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
