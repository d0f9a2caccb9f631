//! The router: applications by the pattern of the path and the method.

mod matched_route;
mod params;
mod pattern;
mod table;

use std::sync::Arc;

use http::Method;

pub use matched_route::MatchedRoute;
pub use params::{ParamError, Params};
use table::{Entry, Kind, Table};

use super::endpoint;
use crate::application::{App, Application};
use crate::error::Result;

/// A table of routes to which some are to be added.
///
/// A pattern is a path with parameters in the place of whole segments: `/users/{id}`, and `/files/{*path}` for all that
/// follows. A parameter is never empty. Where several patterns fit, the one that is literal further to the left has the
/// request, and then its methods decide: HEAD is answered by the route of GET, OPTIONS by a list of the methods, every
/// other method that has no route by 405 with that list in Allow. What fits no pattern is a 404.
///
/// Segments are matched as they were sent and compared decoded, below SCRIPT_NAME: `/%61` is `/a`, and a `%2F` divides no
/// segments. Patterns are written as URLs are; a brace that is meant is written twice, and a `:`, `*` or `<` at the
/// beginning of a segment, which other routers take for a parameter, is encoded. Nothing else is special: not `.` and
/// `..`, nor empty segments, nor what follows a `;`. A slash at the end counts: `/users` is not `/users/`.
///
/// A handler is any [`Application`]. It finds the parameters in [`Params`]. Faults of the table are found by
/// [`into_app`](Routes::into_app), when the program starts.
///
/// ```
/// use vestibule::{Environ, Result, StartResponse, app_fn, apps::{Params, routes}, testing::TestServer};
///
/// fn user(environ: Environ, start_response: StartResponse) -> Result {
///     let id: u32 = Params::of(&environ).get("id")?;
///     start_response.start(200, ())?;
///     Ok(format!("user {id}").into())
/// }
/// fn create(mut environ: Environ, start_response: StartResponse) -> Result {
///     let name = environ.input_mut().read_text(100)?;
///     start_response.start(201, [("location", "/users/8")])?;
///     Ok(name.into())
/// }
/// let api = routes().get("/users/{id}", user).post("/users", create);
/// let home = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("home".into())
/// });
/// let server = TestServer::new(routes().get("/", home).nest("/api", api).into_app()?);
/// assert_eq!(server.get("/api/users/7").send().text(), "user 7");
/// assert_eq!(server.post("/api/users").body("Ada").send().status(), 201);
/// let refused = server.delete("/api/users/7").send();
/// assert_eq!((refused.status().as_u16(), refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn routes() -> Routes {
    Routes::default()
}

/// Routes that are not an application yet: see [`routes`].
#[derive(Debug, Clone, Default)]
#[must_use = "routes become an application by `into_app`"]
pub struct Routes(Vec<Entry>);

impl Routes {
    /// Adds an application for GET, and for HEAD where that has none of its own.
    pub fn get(self, pattern: &str, application: impl Application) -> Self {
        self.on(Method::GET, pattern, application)
    }

    /// Adds an application for POST.
    pub fn post(self, pattern: &str, application: impl Application) -> Self {
        self.on(Method::POST, pattern, application)
    }

    /// Adds an application for PUT.
    pub fn put(self, pattern: &str, application: impl Application) -> Self {
        self.on(Method::PUT, pattern, application)
    }

    /// Adds an application for PATCH.
    pub fn patch(self, pattern: &str, application: impl Application) -> Self {
        self.on(Method::PATCH, pattern, application)
    }

    /// Adds an application for DELETE.
    pub fn delete(self, pattern: &str, application: impl Application) -> Self {
        self.on(Method::DELETE, pattern, application)
    }

    /// Adds an application for a method.
    pub fn on(self, method: Method, pattern: &str, application: impl Application) -> Self {
        self.and(pattern, 0, Kind::Method(method), App::new(application))
    }

    /// Adds an application for the methods that have none of their own here, OPTIONS among them.
    pub fn any(self, pattern: &str, application: impl Application) -> Self {
        self.and(pattern, 0, Kind::Any, App::new(application))
    }

    /// Adds other routes, or any application, below a prefix, which moves to SCRIPT_NAME.
    ///
    /// The prefix may have parameters; they are there inside. Routes become part of this table: what fits none of them
    /// may fit another pattern here. An application has all that is at the prefix and below it, except where a pattern
    /// is more literal; it sees PATH_INFO "" at the prefix itself. The prefix `""` or `"/"` merges routes into these.
    ///
    /// In the nested routes a pattern `""` is the prefix itself, and `"/"` the prefix with a slash behind it.
    ///
    /// ```
    /// use vestibule::{app_fn, apps::{Params, routes}, testing::TestServer};
    ///
    /// let posts = app_fn(|environ, start_response| {
    ///     let user: String = Params::of(&environ).get("user")?;
    ///     start_response.start(200, ())?;
    ///     Ok(format!("posts of {user}, at {}", environ.script_name()).into())
    /// });
    /// let files = app_fn(|environ, start_response| {
    ///     start_response.start(200, ())?;
    ///     Ok(format!("the file {}", environ.path_info()).into())
    /// });
    /// let of_user = routes().get("/posts", posts);
    /// let app = routes().nest("/users/{user}", of_user).nest("/static", files).into_app()?;
    /// let server = TestServer::new(app);
    /// assert_eq!(server.get("/users/ada/posts").send().text(), "posts of ada, at /users/ada");
    /// assert_eq!(server.get("/static/css/site.css").send().text(), "the file /css/site.css");
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn nest(self, prefix: &str, inner: impl Nested) -> Self {
        inner.nested_in(self, prefix.trim_end_matches('/'))
    }

    /// Makes an application of the table.
    ///
    /// It blocks where one of the applications of its routes does; an async one beside it is called on a thread of the
    /// pool then, which only makes its future.
    ///
    /// # Errors
    ///
    /// For a pattern that is none: no slash at its beginning, a brace that belongs to no parameter, a name that is there
    /// twice, more than 20 parameters, something behind a `{*rest}`, a `?` or `#`, a parameter as other routers write
    /// it. And for two routes that fit the same paths and
    /// methods; the message names both. `/{a}` and `/{*b}` are such, and so are `/{a}` and `/{b}`, but neither of them
    /// and `/a`.
    pub fn into_app(self) -> Result<App> {
        let table = Table::build(&self.0)?;
        let apps: Vec<App> = self.0.into_iter().map(|entry| entry.app).collect();
        let may_block = apps.iter().any(App::may_block);
        Ok(endpoint(|| "routes", may_block, move |environ, start_response| table.call(&apps, environ, start_response)))
    }

    fn and(mut self, pattern: &str, mounted: usize, kind: Kind, app: App) -> Self {
        self.0.push(Entry { pattern: pattern.to_owned(), mounted, kind, app });
        self
    }
}

/// The routes as a decorator: one route around an application, which answers 404 and 405 to everything else.
///
/// So it goes with [`cascade`](super::cascade), and stands beside the function that it is about.
///
/// # Errors
///
/// For a pattern that is none; see [`Routes::into_app`].
///
/// ```
/// use vestibule::{Environ, Method, Result, StartResponse, app_fn, apps::{Params, cascade, route}, testing::TestServer};
///
/// fn user(environ: Environ, start_response: StartResponse) -> Result {
///     let name: String = Params::of(&environ).get("name")?;
///     start_response.start(200, ())?;
///     Ok(format!("user {name}").into())
/// }
/// fn home(_environ: Environ, start_response: StartResponse) -> Result {
///     start_response.start(200, ())?;
///     Ok("home".into())
/// }
/// let user = route(Method::GET, "/users/{name}")?(app_fn(user));
/// let home = app_fn(home).wrap(route(Method::GET, "/")?);
/// let server = TestServer::new(cascade([user, home]));
/// assert_eq!(server.get("/users/ada").send().text(), "user ada");
/// assert_eq!(server.get("/").send().text(), "home");
/// assert_eq!(server.post("/").send().status(), 405);
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn route(method: Method, pattern: &str) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static + use<>> {
    // The table has places for applications, and none in them.
    let nobody = endpoint(|| "nobody", false, |_, _| Err("no application was routed to".into()));
    let table = Arc::new(Table::build(&routes().on(method, pattern, nobody).0)?);
    Ok(move |inner: App| {
        let table = Arc::clone(&table);
        App::around(inner, move |inner, environ, start_response| {
            table.call(std::slice::from_ref(inner), environ, start_response)
        })
    })
}

/// What [`Routes::nest`] takes: [`Routes`], and every [`Application`]. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be nested in routes",
    note = "give `Routes` or an application; write a closure as `app_fn(|environ, start_response| ..)`"
)]
pub trait Nested: sealed::Sealed {
    #[doc(hidden)]
    fn nested_in(self, outer: Routes, prefix: &str) -> Routes;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Routes {}
impl<A: Application> sealed::Sealed for A {}

impl Nested for Routes {
    fn nested_in(self, outer: Routes, prefix: &str) -> Routes {
        let segments = prefix.matches('/').count();
        self.0.into_iter().fold(outer, |outer, Entry { pattern, mounted, kind, app }| {
            // One without its slash would become another pattern; it stays as it is, for the message.
            let prefix = if pattern.is_empty() || pattern.starts_with('/') { prefix } else { "" };
            outer.and(&format!("{prefix}{pattern}"), segments + mounted, kind, app)
        })
    }
}

impl<A: Application> Nested for A {
    fn nested_in(self, outer: Routes, prefix: &str) -> Routes {
        outer.and(prefix, prefix.matches('/').count(), Kind::Below, App::new(self))
    }
}
