//! `Params`: what stands in the path where a route has its parameters.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::uri::PathAndQuery;

use super::pattern::Parameter;
use super::table::Route;
use crate::environ::{Environ, decode};
use crate::error::{Error, Result};

/// The parameters of the route that was matched, and of those that it is nested in.
///
/// A parameter is decoded when it is asked for, so a `%2F` is part of it and divides nothing. An inner route hides a
/// parameter of the same name of an outer one.
///
/// ```
/// use vestibule::{Environ, Result, StartResponse, apps::{Params, routes}, testing::TestServer};
///
/// fn user(environ: Environ, start_response: StartResponse) -> Result {
///     let id: u32 = Params::of(&environ).get("id")?;
///     start_response.start(200, ())?;
///     Ok(format!("user {id}").into())
/// }
/// let server = TestServer::new(routes().get("/users/{id}", user).into_app()?);
/// assert_eq!(server.get("/users/7").send().text(), "user 7");
/// assert_eq!(server.get("/users/seven").send().status(), 404);
/// # Ok::<(), vestibule::Error>(())
/// ```
#[derive(Clone)]
pub struct Params {
    path: PathAndQuery,
    /// Where in the path the pattern begins, in bytes.
    begins: usize,
    /// `None` where no route has parameters.
    route: Option<Arc<Route>>,
    outer: Option<Arc<Self>>,
}

impl Params {
    /// The parameters of a request; none where it came by no route that has some.
    pub fn of(environ: &Environ) -> &Self {
        static NONE: Params = Params { path: PathAndQuery::from_static("/"), begins: 0, route: None, outer: None };
        environ.extensions().get().unwrap_or(&NONE)
    }

    /// Leaves the parameters of a route in the environ, whose path fits it.
    pub(super) fn leave(environ: &mut Environ, route: &Arc<Route>) {
        let Some(path) = environ.uri().path_and_query().cloned() else { return };
        let begins = environ.mounted();
        let extensions = environ.extensions_mut();
        let outer = extensions.remove().map(Arc::new);
        extensions.insert(Self { path, begins, route: Some(Arc::clone(route)), outer });
    }

    /// The parameter, parsed: every type that has `FromStr` will do, `String` for the text as it is.
    ///
    /// # Errors
    ///
    /// With status 404 where it is not UTF-8 or the type refuses it: a path that names nothing is one of the many that
    /// are not found, and the request is not malformed. The error is a [`ParamError`]; for another status, use
    /// `map_err`. Without a status, which is a 500, where no route has a parameter of the name.
    pub fn get<T>(&self, name: &str) -> Result<T>
    where
        T: FromStr,
        T::Err: Into<Box<dyn StdError + Send + Sync>>,
    {
        let Some(bytes) = self.bytes(name) else {
            return Err(ParamError::Unknown { name: name.to_owned() }.into());
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(Error::with_status(
                404,
                ParamError::NotUtf8 { name: name.to_owned(), bytes: bytes.into_owned() },
            ));
        };
        text.parse().map_err(|error: T::Err| {
            Error::with_status(404, ParamError::Unfit { name: name.to_owned(), source: error.into() })
        })
    }

    /// The parameter, decoded and exact, whatever bytes it is of; `None` where no route has one of the name.
    pub fn bytes(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.raw(name).map(decode)
    }

    /// The parameter as it was sent, with its percent-encoding: for a `{*rest}`, whose segments are divided by the
    /// slashes that are not encoded.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.layers().flat_map(Self::own).find(|(parameter, _)| parameter.name == name).map(|(_, raw)| raw)
    }

    /// All parameters, decoded, those of inner routes first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        self.layers().flat_map(Self::own).map(|(parameter, raw)| (parameter.name.as_str(), decode(raw)))
    }

    /// These, and those of the routes around.
    fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |params| params.outer.as_deref())
    }

    fn own(&self) -> impl Iterator<Item = (&Parameter, &str)> {
        let path = self.path.path().get(self.begins..).unwrap_or_default();
        let parameters = self.route.iter().flat_map(|route| &route.parameters);
        parameters.filter_map(move |parameter| Some((parameter, parameter.of(path)?)))
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.layers().flat_map(Self::own).map(|(parameter, raw)| (&parameter.name, raw));
        f.debug_map().entries(raw).finish()
    }
}

/// Why [`Params::get`] has no value; an [`Error`] of it can be asked by `downcast_ref`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// Neither the route nor one around it has such a parameter: the application's fault.
    #[error("no route has a parameter `{name}` here")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// It is not text.
    #[error("parameter `{name}` of the path is not UTF-8")]
    NotUtf8 {
        /// The name of the parameter.
        name: String,
        /// What it is.
        bytes: Vec<u8>,
    },
    /// The type that was asked for refuses it.
    #[error("parameter `{name}` of the path: {source}")]
    Unfit {
        /// The name of the parameter.
        name: String,
        /// What the type says.
        source: Box<dyn StdError + Send + Sync>,
    },
}
