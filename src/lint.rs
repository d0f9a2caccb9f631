//! `lint`, the validator: a middleware that checks both sides of the contract at run time.
//!
//! It watches what passes between the gateway outside and the application inside and changes nothing of it. What
//! breaks a rule of docs/spec.md becomes a [`Finding`]: which rule, at which lint, on whose side, and what was seen.
//! The rules are [`RULES`]; those that lint executes have `lint` in [`Rule::executed_by`].
//!
//! [`TestServer`](crate::testing::TestServer) puts a lint around each application and panics on findings that are
//! faults, so most tests need nothing more. To learn which middleware of a stack is to blame, put a lint between each
//! two: `app.wrap(lint("inner")).wrap(middleware).wrap(lint("outer"))`. A fault is told once, by the lint next to it:
//!
//! | finding | who is to blame |
//! |---|---|
//! | [`Side::Application`] at `inner` | the application |
//! | [`Side::Application`] at `outer` | the middleware between the two, towards the client |
//! | [`Side::Gateway`] at `inner` | the middleware between the two, towards the application |
//! | [`Side::Gateway`] at `outer` | the gateway, or a middleware further out |
//!
//! One rule needs two lints: what a middleware takes from the body inside and what it gives (M7).
//!
//! ```
//! use vestibule::lint::{Side, lint};
//! use vestibule::{HeaderValue, app_fn, middleware, testing::TestServer};
//!
//! let app = app_fn(|_environ, start_response| {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok("hello".into())
//! });
//! let tag = middleware::map_head(|head| {
//!     head.headers.insert("etag", HeaderValue::from_static("33a64df5")); // where are its quotes?
//! });
//! let app = app.wrap(lint("inner")).wrap(tag).wrap(lint("outer"));
//! let response = TestServer::new(app).get("/").send(); // only a warning, so there is no panic
//!
//! let [finding] = response.lint() else { panic!("one finding") };
//! assert_eq!(finding.rule().id(), "H11");
//! assert_eq!((finding.layer(), finding.side()), ("outer", Side::Application));
//! ```

mod body;
mod head;
mod layer;
mod relay;
mod request;
mod rules;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use rules::{Level, RULES, Rule, rule};

use crate::application::App;
use crate::environ::Environ;
use crate::error::{Result, escaped};
use crate::start_response::StartResponse;
use layer::Layer;
use relay::Relay;

/// Checks what passes between the application inside and the gateway outside; `label` names the place in findings.
///
/// Findings go into the [`Findings`] in the environ's extensions, where there are some, else each is a line in
/// [`environ.errors()`](Environ::errors). Nothing of the request, the response or their order is changed, so it can
/// stay in a server under development; in production the exchange prevents alone what would harm a client.
///
/// The [module](self) tells how to find the one to blame.
///
/// ```
/// use vestibule::lint::lint;
/// use vestibule::{Body, app_fn, testing::TestServer};
///
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(200, [("content-type", "text/plain"), ("content-length", "5")])?;
///     Ok(Body::iter(["hello, ", "world"]))
/// });
/// let response = TestServer::new(app.wrap(lint("greeting"))).get("/").allow_lint("F3").send();
/// assert_eq!(response.text(), "hello");
/// assert_eq!(
///     response.lint()[0].to_string(),
///     "MUST F3 at greeting, on the application's side: content-length says 5 bytes, the body is longer \
///      (A body longer than the application's Content-Length is cut at that length and not pulled further.)"
/// );
/// ```
pub fn lint(label: &str) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let label: Arc<str> = label.into();
    move |inner| {
        let label = Arc::clone(&label);
        App::around(inner, move |inner, environ, start_response| call(&label, inner, environ, start_response))
    }
}

/// One request on its way through one lint.
fn call(label: &Arc<str>, inner: &App, mut environ: Environ, start_response: StartResponse) -> Result {
    let layer = Layer::enter(label, &mut environ);
    for (id, message) in request::faults(&environ) {
        layer.report(id, Side::Gateway, message);
    }
    // Where the application fails or panics, the relay is dropped and passes on what has become of the start.
    let (relay, start_response) = Relay::new(&layer, start_response);
    let body = inner.call(environ, start_response)?;
    Ok(body::watch(body, relay, layer))
}

/// The rules that something breaks, by their ids, with what was seen.
type Faults = Vec<(&'static str, String)>;

/// Which side of a lint broke a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// The gateway, or a middleware outside of the lint.
    Gateway,
    /// The application, or a middleware inside of the lint.
    Application,
}

impl fmt::Display for Side {
    /// `gateway` or `application`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "gateway",
            Self::Application => "application",
        })
    }
}

/// A rule that was broken: which, at which lint, on whose side, and how.
///
/// ```
/// use vestibule::lint::{Level, Side};
/// use vestibule::{app_fn, testing::TestServer};
///
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(200, ())?;
///     Ok("what am I?".into())
/// });
/// let response = TestServer::new(app).get("/").send();
/// let finding = &response.lint()[0];
/// assert_eq!((finding.rule().id(), finding.rule().level()), ("H9", Level::Should));
/// assert_eq!((finding.layer(), finding.side()), ("the application", Side::Application));
/// assert_eq!(finding.message(), "there is a body and no content-type");
/// ```
#[derive(Debug, Clone)]
pub struct Finding {
    rule: &'static Rule,
    layer: Arc<str>,
    side: Side,
    message: String,
}

impl Finding {
    /// The message is kept on one line: parts of it may come from a client.
    fn new(rule: &'static Rule, layer: &Arc<str>, side: Side, message: &str) -> Self {
        Self { rule, layer: Arc::clone(layer), side, message: escaped(message) }
    }

    /// The rule of docs/spec.md.
    pub fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// The label of the lint that found it.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// Whose fault it is, seen from that lint.
    pub fn side(&self) -> Side {
        self.side
    }

    /// What was seen.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether two lints have seen one fault.
    fn is_same_fault(&self, other: &Self) -> bool {
        self.rule.id() == other.rule.id() && self.side == other.side && self.message == other.message
    }
}

impl fmt::Display for Finding {
    /// One line: the level, the rule, the place, the side, what was seen, and the text of the rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, layer, side, message } = self;
        write!(f, "{} {} at {layer}, on the {side}'s side: {message} ({})", rule.level(), rule.id(), rule.text())
    }
}

/// Where findings are gathered: put one into an environ's extensions, and every lint of that request adds to it.
///
/// The test server does so, and shows them as [`TestResponse::lint`](crate::testing::TestResponse::lint). A clone is
/// another handle of the same list.
///
/// ```
/// use vestibule::lint::{Findings, lint};
/// use vestibule::{Environ, Exchange, app_fn};
///
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("".into())
/// });
/// let findings = Findings::default();
/// let mut environ = Environ::from(http::Request::get("/").header("host", "not a host").body(())?);
/// environ.extensions_mut().insert(findings.clone());
///
/// let mut exchange = Exchange::new(&app.wrap(lint("behind the new gateway")), environ);
/// let _head = exchange.poll_step(&mut std::task::Context::from_waker(std::task::Waker::noop()), true);
/// exchange.finish(true);
/// assert_eq!(findings.all()[0].rule().id(), "E13");
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Findings(Arc<Mutex<Vec<Finding>>>);

impl Findings {
    /// What was found so far.
    pub fn all(&self) -> Vec<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, finding: Finding) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    }
}
