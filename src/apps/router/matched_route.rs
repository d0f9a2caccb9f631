//! `MatchedRoute`: which pattern a request has matched, for logs and metrics.

use std::sync::{Arc, Mutex, PoisonError};

use crate::environ::Environ;

/// A note of the route that a request has matched, which a middleware leaves in the environ for the router inside.
///
/// Paths have as many values as there are users; patterns are few, so they are what a metric is labelled by. Requests
/// that nobody watches pay nothing for it.
///
/// ```
/// use vestibule::{App, app_fn, apps::{MatchedRoute, routes}, testing::TestServer};
///
/// fn labelled(inner: App) -> App {
///     app_fn(move |mut environ, start_response| {
///         let route = MatchedRoute::watch(&mut environ);
///         inner.call(environ, start_response.on_head(move |head| {
///             let pattern = route.pattern().unwrap_or_default();
///             head.headers.insert("x-route", pattern.parse().unwrap());
///         }))
///     })
/// }
/// let user = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("a user".into())
/// });
/// let app = routes().nest("/api", routes().get("/users/{id}", user)).into_app()?;
/// let response = TestServer::new(app.wrap(labelled)).get("/api/users/7").send();
/// assert_eq!(response.header("x-route"), Some("/api/users/{id}"));
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MatchedRoute {
    noted: Arc<Mutex<Option<String>>>,
    /// The prefix of the router that the environ is in, when it is nested in another one as an application.
    within: String,
}

impl MatchedRoute {
    /// Leaves a note in the environ, or finds the one that is there: what the routers inside of this call match is
    /// written on it.
    pub fn watch(environ: &mut Environ) -> Self {
        environ.extensions_mut().get_or_insert_with(Self::default).clone()
    }

    /// The pattern that was matched, with the prefixes that it is nested at, such as `/api/users/{id}`; `None` as long
    /// as none was. Where a cascade asks several routers, it is that of the last one that matched.
    pub fn pattern(&self) -> Option<String> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes the pattern of a route on the way to an application, or to another router that goes on below it.
    pub(super) fn note(environ: &mut Environ, pattern: &str, goes_on: bool) {
        let Some(note) = environ.extensions_mut().get_mut::<Self>() else { return };
        let whole = format!("{}{pattern}", note.within);
        if goes_on {
            note.within.clone_from(&whole);
        }
        *note.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(whole);
    }
}
