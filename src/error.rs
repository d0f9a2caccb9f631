//! One opaque error for applications, middleware and gateways, and whose fault it was.

use std::error::Error as StdError;
use std::{fmt, io};

use http::{HeaderName, StatusCode};

/// What applications and middleware return: a [`Body`](crate::Body), or an [`Error`].
///
/// Both parameters have defaults, so that `Result` alone is an application's return type and
/// `Result<()>` is that of `main`.
pub type Result<T = crate::Body, E = Error> = std::result::Result<T, E>;

type Boxed = Box<dyn StdError + Send + Sync>;

/// The most errors of a chain that are looked at.
const LONGEST_CHAIN: usize = 64;

/// Any error, with the HTTP status that it asks for and the side whose fault it was.
///
/// It is made from every standard error, from `Box<dyn Error + Send + Sync>`, `anyhow::Error`,
/// `&str` and `String`, so `?` works on all of them. For that reason it is not itself a
/// [`std::error::Error`] (Rust's rules of coherence allow one or the other); it dereferences to
/// one, and [`Error::into_boxed`] turns it into one where another crate asks for it.
///
/// An application that returns it before the head is committed is answered for with
/// [`status`](Error::status), or 500; the client never sees the text, the log does
/// (spec section "7. Errors, panics and the end").
///
/// ```
/// use vestibule::{Environ, Error, Result, StartResponse};
///
/// fn user(environ: Environ, start_response: StartResponse) -> Result {
///     let id: u32 = environ
///         .query_string()
///         .parse()
///         .map_err(|error| Error::with_status(400, error))?; // the client's fault
///     let name = std::fs::read_to_string(format!("/nowhere/{id}"))?; // ours: a 500
///     start_response.start(200, ())?;
///     Ok(name.into())
/// }
/// # let server = vestibule::testing::TestServer::new(user);
/// # assert_eq!(server.get("/?x").send().status(), 400);
/// # assert_eq!(server.get("/?1").send().status(), 500);
/// ```
pub struct Error(Boxed);

impl Error {
    /// Gives an error the status that the client is to be answered with.
    ///
    /// `status` is a number or a [`StatusCode`]. A number that is no status leaves the error
    /// without one, which is a 500. 4xx makes the error the client's fault, see
    /// [`is_client`](Error::is_client).
    ///
    /// ```
    /// let error = vestibule::Error::with_status(404, "no such user");
    /// assert_eq!(error.status().unwrap(), 404);
    /// assert!(error.is_client());
    /// assert_eq!(error.to_string(), "no such user");
    /// ```
    pub fn with_status<S>(status: S, error: impl Into<Boxed>) -> Self
    where
        StatusCode: TryFrom<S>,
    {
        match StatusCode::try_from(status) {
            Ok(status) => Self(Box::new(WithStatus { status, source: error.into() })),
            Err(_) => Self(error.into()),
        }
    }

    /// The status that the first vestibule error in the chain of sources asks for, if there is one.
    ///
    /// A body over its limit asks for 413, a truncated or malformed one for 400, a path that is too
    /// long for 414, an upgrade for 501, a time limit for 503. Everything else is a 500, which is `None` here.
    pub fn status(&self) -> Option<StatusCode> {
        self.chain().find_map(|error| match error.downcast_ref::<Fault>() {
            Some(fault) => fault.status(),
            None => error.downcast_ref::<WithStatus>().map(|with| with.status),
        })
    }

    /// Whether the client is at fault: it sent something malformed, too much or too little, or left.
    pub fn is_client(&self) -> bool {
        self.side() == Side::Client
    }

    /// Whether the application or one of its middleware is at fault; true of every foreign error.
    pub fn is_application(&self) -> bool {
        self.side() == Side::Application
    }

    /// Whether the gateway is at fault: the server, its configuration or its surroundings.
    pub fn is_gateway(&self) -> bool {
        self.side() == Side::Gateway
    }

    /// The error as a standard one, for crates that ask for it.
    ///
    /// ```
    /// fn elsewhere() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     Err(vestibule::Error::from("no")).map_err(vestibule::Error::into_boxed)
    /// }
    /// assert_eq!(elsewhere().unwrap_err().to_string(), "no");
    /// ```
    ///
    /// The status survives, also where that crate hides the outermost error of a chain.
    pub fn into_boxed(self) -> Box<dyn StdError + Send + Sync + 'static> {
        match self.0.is::<Fault>() || self.0.is::<WithStatus>() {
            true => Box::new(Carried(self.0)),
            false => self.0,
        }
    }

    /// This error and its sources, outermost first. `io::Error` hides what it wraps from
    /// `source()`, so it is looked into: a `Read` of an input must not lose the status.
    ///
    /// It is cut where no honest chain reaches: one that leads back to itself must not hang the request.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let errors = std::iter::successors(Some(&*self.0 as &(dyn StdError + 'static)), |&error| {
            match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner as &(dyn StdError + 'static)),
                None => error.source(),
            }
        });
        errors.take(LONGEST_CHAIN)
    }

    fn side(&self) -> Side {
        self.chain()
            .find_map(|error| match error.downcast_ref::<Fault>() {
                Some(fault) => Some(fault.side()),
                None => error.downcast_ref::<WithStatus>().map(WithStatus::side),
            })
            .unwrap_or(Side::Application)
    }

    /// The same error again, for who asks for it a second time.
    pub(crate) fn repeated(&self) -> Fault {
        match self.fault() {
            Some(fault) => fault.clone(),
            None => Fault::InputFailed { text: self.one_line(), status: self.status(), side: self.side() },
        }
    }

    /// The crate's own error in the chain, for the exchange's decisions.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.chain().find_map(|error| error.downcast_ref::<Fault>())
    }

    /// The text of the whole chain on one line, for logs. Control characters are escaped, since
    /// what a client sent may be part of it.
    pub(crate) fn one_line(&self) -> String {
        let mut line = String::new();
        for error in self.chain() {
            let text = error.to_string();
            if !line.ends_with(&text) {
                line.push_str(if line.is_empty() { "" } else { ": " });
                line.push_str(&text);
            }
        }
        escaped(&line)
    }
}

/// A line of a log in which no character can start another line or drive a terminal.
pub(crate) fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

impl<E: Into<Boxed>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl From<Error> for io::Error {
    /// The error as an I/O error of the nearest kind; [`Error::status`] survives the way there and back.
    fn from(error: Error) -> Self {
        if error.0.is::<Self>() {
            return match error.0.downcast::<Self>() {
                Ok(error) => *error,
                Err(error) => Self::other(error),
            };
        }
        let kind = match error.fault() {
            Some(Fault::Truncated { .. }) => io::ErrorKind::UnexpectedEof,
            Some(Fault::Disconnected) => io::ErrorKind::ConnectionAborted,
            Some(Fault::TimedOut) => io::ErrorKind::TimedOut,
            Some(Fault::Malformed(_)) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error.0)
    }
}

impl std::ops::Deref for Error {
    type Target = dyn StdError + Send + Sync;

    fn deref(&self) -> &Self::Target {
        match self.0.downcast_ref::<WithStatus>() {
            Some(with) => &*with.source,
            None => &*self.0,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for Error {
    /// The message and its causes, a line each, since `main` prints this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = self.source();
        for _ in 0..LONGEST_CHAIN {
            let Some(cause) = source else { break };
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// An error of this crate on its way through another one, which may look only at its sources.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(#[source] Boxed);

/// An error with the status that its maker chose.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
struct WithStatus {
    status: StatusCode,
    source: Boxed,
}

impl WithStatus {
    fn side(&self) -> Side {
        match self.status.is_client_error() {
            true => Side::Client,
            false => Side::Application,
        }
    }
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Application,
    Gateway,
}

/// What the crate itself reports. Opaque to users: the text, the status and the side are the interface.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the status is not valid ({0}): a response has one from 200 to 999")]
    InvalidStatus(String),
    #[error("response header number {number} is not valid: {reason}")]
    InvalidHeader { number: usize, reason: String },
    #[error("reason phrase {0:?} has a control character")]
    InvalidReason(String),
    #[error(
        "response header `{0}` is hop-by-hop: it belongs to the server, not to the application (PEP 3333, Other HTTP Features)"
    )]
    HopByHop(HeaderName),
    #[error("response header `content-length` is not one number: {0}")]
    InvalidContentLength(String),
    #[error("`upgrade` is not supported yet")]
    Upgrade,
    #[error("{layer} never called start_response")]
    NeverStarted { layer: String },
    #[error("{layer} gave a body block before start_response was called")]
    BlockBeforeStart { layer: String },
    #[error("start_response was called after the response had ended")]
    StartedTooLate,
    #[error("content-length says {declared} bytes, the body has {known}")]
    LengthMismatch { declared: u64, known: u64 },
    #[error("the body is longer than its content-length of {declared} bytes; the rest is not sent")]
    BodyTooLong { declared: u64 },
    #[error("the body ended after {sent} of the {declared} bytes that its content-length promised")]
    BodyTooShort { declared: u64, sent: u64 },
    #[error("the sender of the body was dropped without finish()")]
    SenderDropped,
    #[error("the file ended {missing} bytes early: it was truncated while it was sent")]
    FileTruncated { missing: u64 },
    #[error("panicked: {0}")]
    Panicked(String),
    #[error("no {0} in environ: is the middleware that provides it wrapped around this application?")]
    MissingExtension(&'static str),
    #[error("{0:?} is no name of an environ variable")]
    VariableName(String),
    #[error("environ variable `{0}` is computed from the request: set it with the method that Environ has for it")]
    ComputedVariable(String),
    #[error("{0}")]
    EndlessWait(&'static str),
    #[error("the client left")]
    Disconnected,
    #[error("the time limit of the request has passed")]
    TimedOut,
    #[error("the request body ended after {got} bytes{}", .expected.map(|n| format!(" of {n}")).unwrap_or_default())]
    Truncated { got: u64, expected: Option<u64> },
    #[error("the request body is longer than {limit} bytes")]
    OverLimit { limit: u64 },
    #[error("malformed request: {0}")]
    Malformed(String),
    #[error("the request path and query are longer than {limit} bytes")]
    UriTooLong { limit: usize },
    #[error("the request body failed before: {text}")]
    InputFailed { text: String, status: Option<StatusCode>, side: Side },
    #[error("{0}")]
    Gateway(String),
}

impl Fault {
    pub(crate) fn side(&self) -> Side {
        match self {
            Self::Disconnected
            | Self::Truncated { .. }
            | Self::OverLimit { .. }
            | Self::Malformed(_)
            | Self::UriTooLong { .. } => Side::Client,
            Self::InputFailed { side, .. } => *side,
            Self::Gateway(_) => Side::Gateway,
            _ => Side::Application,
        }
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::OverLimit { .. } => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::UriTooLong { .. } => Some(StatusCode::URI_TOO_LONG),
            // Nobody may be left to read it; where somebody is, this is what it was.
            Self::Truncated { .. } | Self::Malformed(_) | Self::Disconnected => Some(StatusCode::BAD_REQUEST),
            Self::InputFailed { status, .. } => *status,
            Self::Upgrade => Some(StatusCode::NOT_IMPLEMENTED),
            Self::TimedOut => Some(StatusCode::SERVICE_UNAVAILABLE),
            _ => None,
        }
    }

    /// What a panic said, as an error.
    pub(crate) fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = match payload.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => match payload.downcast_ref::<String>() {
                Some(text) => text.clone(),
                None => "with a value that is no text".to_owned(),
            },
        };
        Self::Panicked(text)
    }
}

/// Runs `f` and turns a panic into an error, so that one request cannot end the thread that serves others.
pub(crate) fn catching<T>(f: impl FnOnce() -> T) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).map_err(|payload| {
        let fault = Fault::from_panic(&*payload);
        // What was thrown may itself panic when it is dropped; what that throws is not tried again.
        if let Err(again) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        fault.into()
    })
}
