//! `StartResponse`, the one way to start a response.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::error::{Error, Fault, Result};
use crate::head::{Head, IntoHeaders};
use crate::lifecycle::Record;

/// Starts the response: the status and the headers.
///
/// It is consumed by value, so that a second start does not compile, and it is owned and `Send`,
/// so that it can move into a future, a body or another thread: an application may start its
/// response as late as the first pull of its body (PEP 3333, "The start_response() Callable").
/// Nothing is sent yet: the head is committed by the first non-empty block, or the end of the body.
///
/// A middleware passes on [`on_head(..)`](StartResponse::on_head) to see or change the head on its way out;
/// [`capture`](crate::capture) replaces whole responses.
///
/// ```compile_fail
/// # use vestibule::{Environ, Result, StartResponse};
/// fn twice(_: Environ, start_response: StartResponse) -> Result {
///     start_response.start(200, ())?;
///     start_response.start(200, ())?; // error[E0382]: use of moved value
///     Ok("".into())
/// }
/// ```
#[must_use = "a response that is never started is a 500"]
pub struct StartResponse {
    /// `None` once it was used, for `Drop`.
    unused: Option<Unused>,
}

struct Unused {
    record: Arc<Record>,
    hooks: Option<Hooks>,
    layer: Name,
}

impl StartResponse {
    /// A start whose head is put into the slot of `record`.
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Self { unused: Some(Unused { record, hooks: None, layer: Name::default() }) }
    }

    /// Notes the application that it is given to, for the message when that drops it.
    pub(crate) fn given_to(mut self, layer: &Name) -> Self {
        if let Some(unused) = &mut self.unused {
            unused.layer = layer.clone();
        }
        self
    }

    /// Starts the response with a status and headers.
    ///
    /// `status` is a number or a [`StatusCode`]; `headers` is `()`, a
    /// [`HeaderMap`](http::HeaderMap), or an array, a slice or a `Vec` of pairs.
    ///
    /// # Errors
    ///
    /// For a status below 200 or above 999, a name or value that HTTP forbids, a hop-by-hop header
    /// and a `content-length` that is not one number. The response is then a 500, whatever body follows.
    ///
    /// ```
    /// # use vestibule::{Environ, Result, StartResponse, testing::TestServer};
    /// fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    ///     start_response.start(200, [("content-type", "text/plain"), ("x-answer", "42")])?;
    ///     Ok("Hello!".into())
    /// }
    /// assert_eq!(TestServer::new(hello).get("/").send().header("x-answer"), Some("42"));
    /// ```
    pub fn start<S>(self, status: S, headers: impl IntoHeaders) -> Result<()>
    where
        StatusCode: TryFrom<S>,
        <StatusCode as TryFrom<S>>::Error: Into<http::Error>,
    {
        match headers.into_headers() {
            Ok(headers) => self.send(Head::of(status, headers)),
            Err(error) => self.send(Head::faulty(match error.fault() {
                Some(fault) => fault.clone(),
                None => Fault::InvalidHeader { number: 0, reason: error.to_string() },
            })),
        }
    }

    /// Starts the response with a [`Head`]: the full form, with a reason phrase if one is wanted.
    ///
    /// # Errors
    ///
    /// As [`start`](StartResponse::start), and for every fault that the head kept while it was built.
    ///
    /// ```
    /// # use vestibule::{Environ, Head, Result, StartResponse, testing::TestServer};
    /// fn gone(_environ: Environ, start_response: StartResponse) -> Result {
    ///     start_response.send(Head::new(404).header("retry-after", 120).reason("Gone fishing")?)?;
    ///     Ok("back in two minutes".into())
    /// }
    /// assert_eq!(TestServer::new(gone).get("/").send().reason_phrase(), Some("Gone fishing"));
    /// ```
    pub fn send(mut self, head: impl Into<Head>) -> Result<()> {
        let head = head.into();
        let Some(Unused { record, hooks, layer }) = self.unused.take() else {
            return Err(Fault::StartedTooLate.into());
        };
        let mut slot = record.slot();
        if !matches!(slot.state, State::Waiting) {
            return Err(Fault::StartedTooLate.into());
        }
        // It is checked where it stays, so that it is moved once.
        match slot.start.insert(Start { head, hooks, layer }).head.check() {
            Ok(()) => {
                slot.state = State::Started;
                Ok(())
            }
            Err(fault) => {
                slot.state = State::Failed(Box::new(fault.clone()));
                Err(Error::from(fault))
            }
        }
    }

    /// Adds a hook that may change the head when it is committed.
    ///
    /// Hooks run once, the last added first: the innermost middleware sees the head first. They run on
    /// the head that is really sent, also on one that the exchange makes itself, such as a 500. The head is
    /// checked again after them.
    ///
    /// ```
    /// # use vestibule::{App, Environ, Result, StartResponse, app_fn, testing::TestServer};
    /// fn teapot(inner: App) -> App {
    ///     app_fn(move |environ, start_response| {
    ///         inner.call(environ, start_response.on_head(|head| head.status = http::StatusCode::IM_A_TEAPOT))
    ///     })
    /// }
    /// let app = app_fn(|_, start_response| { start_response.start(200, ())?; Ok("tea".into()) });
    /// assert_eq!(TestServer::new(app.wrap(teapot)).get("/").send().status(), 418);
    /// ```
    pub fn on_head(mut self, f: impl FnOnce(&mut Head) + Send + 'static) -> Self {
        self.hook(Hook::Once(Box::new(f)));
        self
    }

    /// The same with a hook that many requests share.
    pub(crate) fn on_head_shared(mut self, f: &SharedHook) -> Self {
        self.hook(Hook::Shared(Arc::clone(f)));
        self
    }

    #[inline]
    fn hook(&mut self, hook: Hook) {
        let Some(Unused { hooks, .. }) = &mut self.unused else { return };
        match hooks {
            Some(Hooks { others, .. }) => {
                if others.capacity() == 0 {
                    // Room for as many as most stacks have, so that it grows once.
                    *others = Vec::with_capacity(7);
                }
                others.push(hook);
            }
            none => *none = Some(Hooks { outermost: hook, others: Vec::new() }),
        }
    }

    /// Switches the connection to another protocol: the only legal 101.
    ///
    /// The name is reserved; no gateway of this crate supports it yet.
    ///
    /// # Errors
    ///
    /// Always, with status 501.
    pub fn upgrade(self, token: &str, headers: impl IntoHeaders) -> Result<Upgraded> {
        let _ = (token, headers);
        self.send(Head::faulty(Fault::Upgrade)).and(Err(Fault::Upgrade.into()))
    }
}

impl Drop for StartResponse {
    fn drop(&mut self) {
        if let Some(Unused { record, hooks, layer }) = self.unused.take() {
            let mut slot = record.slot();
            if matches!(slot.state, State::Waiting) {
                let head = Head::new(StatusCode::INTERNAL_SERVER_ERROR);
                slot.start = Some(Start { head, hooks, layer });
                slot.state = State::Dropped;
            }
        }
    }
}

impl fmt::Debug for StartResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = self.unused.as_ref().map(|unused| &unused.layer);
        f.debug_struct("StartResponse").field("layer", &layer).finish_non_exhaustive()
    }
}

/// A connection that speaks another protocol now. Reserved: none can be had yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgraded {}

/// Where a start is put, and what has become of the `StartResponse`.
pub(crate) struct Slot {
    pub(crate) state: State,
    /// What was started, or what its start had gathered when it was dropped or refused.
    pub(crate) start: Option<Start>,
}

pub(crate) enum State {
    /// No exchange uses it yet.
    Unused,
    /// Given to an application that has not started.
    Waiting,
    Started,
    /// Started with a head that is not allowed.
    Failed(Box<Fault>),
    /// Dropped without a start; it gives its chain back.
    Dropped,
    /// The start was taken: its head is committed.
    Closed,
}

/// A head on its way out, before its hooks.
pub(crate) struct Start {
    pub(crate) head: Head,
    pub(crate) hooks: Option<Hooks>,
    /// The application that had the `StartResponse`.
    pub(crate) layer: Name,
}

impl Slot {
    /// Takes the start, if the response was started; the slot is closed then.
    pub(crate) fn take_started(&mut self) -> Option<Start> {
        match self.state {
            State::Started => {
                self.state = State::Closed;
                self.start.take()
            }
            _ => None,
        }
    }

    /// Closes the slot and gives back what is in it.
    pub(crate) fn close(&mut self) -> (State, Option<Start>) {
        (std::mem::replace(&mut self.state, State::Closed), self.start.take())
    }
}

/// The chain of `on_head`: the last added is innermost and runs first.
pub(crate) struct Hooks {
    /// The first that was added: one alone needs no allocation.
    outermost: Hook,
    others: Vec<Hook>,
}

enum Hook {
    Once(Box<dyn FnOnce(&mut Head) + Send>),
    /// Of a middleware that does the same to every head: it need not be made anew for each request.
    Shared(SharedHook),
}

pub(crate) type SharedHook = Arc<dyn Fn(&mut Head) + Send + Sync>;

impl Hooks {
    pub(crate) fn run(self, head: &mut Head) {
        self.others.into_iter().rev().chain([self.outermost]).for_each(|hook| match hook {
            Hook::Once(hook) => hook(head),
            Hook::Shared(hook) => hook(head),
        });
    }
}

/// The name of an application, for logs: two words, and nothing to copy where it is a type's.
#[derive(Clone)]
pub(crate) enum Name {
    /// [`std::any::type_name`] of the type.
    Type(fn() -> &'static str),
    Given(Arc<str>),
}

impl Name {
    pub(crate) fn as_str(&self) -> Cow<'_, str> {
        match self {
            Self::Type(name) => Cow::Borrowed(name().trim_end_matches("::{{closure}}")),
            Self::Given(name) => Cow::Borrowed(name),
        }
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::Type(|| "the application")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str())
    }
}
