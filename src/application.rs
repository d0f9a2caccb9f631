//! `Application`, the trait; `App`, the value; and the functions that make one of another.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::body::Body;
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::start_response::{Name, StartResponse};

/// A web application: a function of [`Environ`] and [`StartResponse`] that returns a [`Body`].
///
/// Every `Fn(Environ, StartResponse) -> Result` that is `Send + Sync + 'static` is one, and so is
/// every type that implements the one method. It is called many times, from many threads at once.
/// For closures use [`app_fn`], which tells the compiler their signature.
///
/// # Errors
///
/// An `Err` before the head is committed is answered with [`Error::status`](crate::Error::status) or 500;
/// see spec section "7. Errors, panics and the end".
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use vestibule::{Application, Environ, Result, StartResponse, testing::TestServer};
///
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// impl Application for Counter {
///     fn call(&self, _environ: Environ, start_response: StartResponse) -> Result {
///         let visits = self.0.fetch_add(1, Ordering::Relaxed) + 1;
///         start_response.start(200, [("content-type", "text/plain")])?;
///         Ok(format!("visit {visits}\n").into())
///     }
/// }
///
/// let server = TestServer::new(Counter::default());
/// server.get("/").send();
/// assert_eq!(server.get("/").send().text(), "visit 2\n");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an application",
    label = "not a `Fn(Environ, StartResponse) -> vestibule::Result`",
    note = "write a closure as `app_fn(|environ, start_response| ..)`, which gives it its signature",
    note = "share a value of a type that implements `Application` as an `Arc` of it, or as an `App`"
)]
pub trait Application: Send + Sync + 'static {
    /// Answers one request: starts the response, now or from the returned body, and returns the body.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong: the gateway answers with the status that the error asks for, or 500, and writes it to the
    /// log.
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result;
}

impl<F> Application for F
where
    F: Fn(Environ, StartResponse) -> Result + Send + Sync + 'static,
{
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result {
        self(environ, start_response)
    }
}

impl<A: Application + ?Sized> Application for Arc<A> {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result {
        (**self).call(environ, start_response)
    }
}

impl Application for App {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result {
        Self::call(self, environ, start_response)
    }
}

/// An application as a value: name it, clone it, store it in a `Vec` or a map, pass it, return it.
///
/// A clone is another handle of the same application. Middleware is any function `App -> App`.
///
/// ```
/// use vestibule::{App, app_fn, testing::TestServer};
///
/// fn shouting(inner: App) -> App {
///     inner.wrap(vestibule::middleware::map_body(|body| {
///         body.map_chunks(|block| block.to_ascii_uppercase().into())
///     }))
/// }
///
/// let app = app_fn(|_environ, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// assert_eq!(TestServer::new(app.wrap(shouting)).get("/").send().text(), "HELLO");
/// ```
#[derive(Clone)]
pub struct App(Arc<Node<dyn Application>>);

struct Node<A: ?Sized> {
    name: Name,
    may_block: bool,
    application: A,
}

impl App {
    /// An application as a value; an `App` that is given is returned as it is.
    ///
    /// It remembers the name of the type for logs; [`named`](App::named) gives another.
    pub fn new<A: Application>(application: A) -> Self {
        if let Some(app) = (&application as &dyn Any).downcast_ref::<Self>() {
            return app.clone();
        }
        Self::node(Name::Type(type_name::<A>), true, application)
    }

    /// An application with its marks: of this crate's own, which knows whether what it calls may block.
    pub(crate) fn node(name: Name, may_block: bool, application: impl Application) -> Self {
        Self(Arc::new(Node { name, may_block, application }))
    }

    /// A middleware of this crate around `inner`: it has its name and blocks only where that does.
    pub(crate) fn around<F>(inner: Self, f: F) -> Self
    where
        F: Fn(&Self, Environ, StartResponse) -> Result + Send + Sync + 'static,
    {
        let (name, may_block) = (inner.0.name.clone(), inner.0.may_block);
        Self::node(name, may_block, app_closure(move |environ, start_response| f(&inner, environ, start_response)))
    }

    /// Calls the application, as a middleware or a gateway does.
    ///
    /// # Errors
    ///
    /// What the application returns. Gateways run an [`Exchange`](crate::Exchange) instead, which answers for errors.
    pub fn call(&self, environ: Environ, start_response: StartResponse) -> Result {
        self.0.application.call(environ, start_response.given_to(&self.0.name))
    }

    /// Wraps the application in a middleware. The last wrap is outermost: it sees the request first.
    #[must_use = "the wrapped application is returned, the old one is gone"]
    pub fn wrap(self, middleware: impl FnOnce(Self) -> Self) -> Self {
        middleware(self)
    }

    /// Gives the application a name for logs and messages, in place of its type's.
    #[must_use]
    pub fn named(self, name: impl AsRef<str>) -> Self {
        let name = Name::Given(name.as_ref().into());
        self.marked(|node_name, _| *node_name = name)
    }

    /// Declares that the application never blocks its thread, so that a gateway calls it on its
    /// reactor, without a thread of its own.
    ///
    /// [`async_fn`] and [`async_handler_fn`] are declared so already. Do not declare it of code that
    /// reads files, talks to a blocking database client, sleeps, or takes long to compute.
    #[must_use]
    pub fn nonblocking(self) -> Self {
        self.marked(|_, may_block| *may_block = false)
    }

    /// Whether a call may block its thread: true unless it was declared otherwise.
    pub fn may_block(&self) -> bool {
        self.0.may_block
    }

    /// The name for logs.
    pub(crate) fn name(&self) -> &Name {
        &self.0.name
    }

    /// Changes the marks in place where nobody else holds the application, else of a new handle around it.
    fn marked(mut self, change: impl FnOnce(&mut Name, &mut bool)) -> Self {
        if let Some(node) = Arc::get_mut(&mut self.0) {
            change(&mut node.name, &mut node.may_block);
            return self;
        }
        let (mut name, mut may_block) = (self.0.name.clone(), self.0.may_block);
        change(&mut name, &mut may_block);
        // The new name is the one to be told of, so the old handle is not called through `App::call`.
        let inner = Arc::clone(&self.0);
        Self::node(
            name,
            may_block,
            app_closure(move |environ, start_response| inner.application.call(environ, start_response)),
        )
    }
}

/// Dispatch goes through a pointer, so a panic in one call leaves nothing of `App` itself half done;
/// what the application shares between calls it must guard itself, as with threads.
impl UnwindSafe for App {}
impl RefUnwindSafe for App {}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({:?})", self.0.name.as_str())
    }
}

/// Gives a closure its signature; `app_fn` without the `App` around it.
fn app_closure<F>(f: F) -> F
where
    F: Fn(Environ, StartResponse) -> Result + Send + Sync + 'static,
{
    f
}

/// An application of a function or a closure.
///
/// It exists because the compiler does not infer the parameters of a closure that is passed where an
/// [`Application`] is wanted (rust-lang/rust#24680); here it does.
///
/// ```
/// use vestibule::{app_fn, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(format!("you asked for {}\n", environ.path_info()).into())
/// });
/// assert_eq!(TestServer::new(app).get("/tea").send().text(), "you asked for /tea\n");
/// ```
pub fn app_fn(f: impl Fn(Environ, StartResponse) -> Result + Send + Sync + 'static) -> App {
    App::new(f)
}

/// An application of an async function or closure.
///
/// The call only builds the future; the gateway awaits it on its reactor, before it commits the head. So
/// the function may await before and after it starts the response, and a body that it returns whole
/// keeps its length. It must not block its thread. There is no second trait: an async application is a
/// [`Body::deferred`].
///
/// ```
/// use vestibule::{async_fn, testing::TestServer};
///
/// async fn find(id: &str) -> vestibule::Result<String> {
///     Ok(format!("user {id}"))
/// }
///
/// let app = async_fn(|environ, start_response| async move {
///     let user = find(environ.query_string()).await?;
///     start_response.start(200, ())?;
///     Ok(user.into())
/// });
/// assert_eq!(TestServer::new(app).get("/?7").send().text(), "user 7");
/// ```
pub fn async_fn<F, Fut>(f: F) -> App
where
    F: Fn(Environ, StartResponse) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result> + Send + 'static,
{
    let call = app_closure(move |environ, start_response| Ok(Body::deferred(f(environ, start_response))));
    App::node(Name::Type(type_name::<F>), false, call)
}

/// An application of a function from [`Environ`] to an [`http::Response`], for those who think in these.
///
/// ```
/// use vestibule::{handler_fn, testing::TestServer};
///
/// let app = handler_fn(|environ| Ok(http::Response::new(format!("hello, {}", environ.query_string()))));
/// assert_eq!(TestServer::new(app).get("/?you").send().text(), "hello, you");
/// ```
pub fn handler_fn<F, B>(f: F) -> App
where
    F: Fn(Environ) -> Result<http::Response<B>> + Send + Sync + 'static,
    B: Into<Body>,
{
    let call = app_closure(move |environ, start_response| respond(f(environ)?, start_response));
    App::node(Name::Type(type_name::<F>), true, call)
}

/// An application of an async function from [`Environ`] to an [`http::Response`].
///
/// ```
/// use vestibule::{async_handler_fn, testing::TestServer};
///
/// let app = async_handler_fn(|_environ| async { Ok(http::Response::new("hello")) });
/// assert_eq!(TestServer::new(app).get("/").send().text(), "hello");
/// ```
pub fn async_handler_fn<F, Fut, B>(f: F) -> App
where
    F: Fn(Environ) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<http::Response<B>>> + Send + 'static,
    B: Into<Body> + 'static,
{
    let call = app_closure(move |environ, start_response| {
        let response = f(environ);
        Ok(Body::deferred(async move { respond(response.await?, start_response) }))
    });
    App::node(Name::Type(type_name::<F>), false, call)
}

fn respond(response: http::Response<impl Into<Body>>, start_response: StartResponse) -> Result {
    let (parts, body) = response.into_parts();
    start_response.send(Head::from(parts))?;
    Ok(body.into())
}
