//! `Cors`, the options.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::origin;
use crate::environ::Environ;
use crate::error::Result;

/// Which origins [`cors`](super::cors()) allows, and what they may do.
///
/// ```
/// use std::time::Duration;
/// use vestibule::middleware::{Cors, cors};
/// use vestibule::{Method, header};
///
/// # fn main() -> vestibule::Result<()> {
/// let layer = cors(
///     Cors::new()
///         .origin("https://shop.example")?
///         .origin_if(|origin, _environ| {
///             origin.strip_prefix("https://").is_some_and(|host| host.ends_with(".shop.example"))
///         })
///         .credentials()?
///         .methods([Method::GET, Method::PUT])
///         .request_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
///         .expose([header::ETAG])
///         .max_age(Duration::from_secs(600)),
/// );
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[must_use = "options do nothing by themselves"]
pub struct Cors {
    pub(super) any: bool,
    pub(super) listed: Vec<HeaderValue>,
    pub(super) predicate: Option<Predicate>,
    pub(super) credentials: bool,
    pub(super) methods: HeaderValue,
    pub(super) request_headers: RequestHeaders,
    pub(super) exposed: Option<HeaderValue>,
    pub(super) max_age: Option<HeaderValue>,
}

pub(super) type Predicate = Box<dyn Fn(&str, &Environ) -> bool + Send + Sync>;

pub(super) enum RequestHeaders {
    Listed(Option<HeaderValue>),
    Mirrored,
}

impl Cors {
    /// No origin is allowed; those that will be may use GET, HEAD and POST, and no headers but the safelisted ones.
    pub fn new() -> Self {
        Self {
            any: false,
            listed: Vec::new(),
            predicate: None,
            credentials: false,
            methods: HeaderValue::from_static("GET, HEAD, POST"),
            request_headers: RequestHeaders::Listed(None),
            exposed: None,
            max_age: None,
        }
    }

    /// Allows an origin as well, such as `https://shop.example` or `http://localhost:8080`; and `null`, the origin of
    /// sandboxed frames and local files, which any page can take on.
    ///
    /// Origins are compared byte by byte with what the browser sends; so this one is put as browsers do, in lower case
    /// and without the port that its scheme has anyway.
    ///
    /// # Errors
    ///
    /// For what is no origin: without a scheme, with a path (a last slash is one), a `*`, or a host that is not ASCII.
    pub fn origin(mut self, origin: impl AsRef<str>) -> Result<Self> {
        let origin = origin::parse(origin.as_ref())?;
        if !self.listed.contains(&origin) {
            self.listed.push(origin);
        }
        Ok(self)
    }

    /// Allows those origins as well for which `predicate` is true. It is given the origin as the browser sends it, never
    /// `null`, and the request; one that was set before is replaced.
    ///
    /// Compare whole names, or with the dot before them: `evilshop.example` ends with `shop.example`.
    pub fn origin_if(mut self, predicate: impl Fn(&str, &Environ) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Box::new(predicate));
        self
    }

    /// Allows every origin, by `*`: for what is public anyway.
    ///
    /// # Errors
    ///
    /// Together with [`credentials`](Cors::credentials), which browsers refuse (Fetch Standard, section 3.2.5).
    pub fn any_origin(mut self) -> Result<Self> {
        self.any = true;
        self.checked()
    }

    /// Lets pages send cookies and the like, and read what comes back.
    ///
    /// # Errors
    ///
    /// Together with [`any_origin`](Cors::any_origin): list the origins that are trusted with it.
    pub fn credentials(mut self) -> Result<Self> {
        self.credentials = true;
        self.checked()
    }

    fn checked(self) -> Result<Self> {
        match self.any && self.credentials {
            true => Err("CORS: credentials for any origin would give every site what the user may see; list the \
                         origins by Cors::origin"
                .into()),
            false => Ok(self),
        }
    }

    /// The methods that pages may use: GET, HEAD and POST, unless told otherwise.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = list(methods).unwrap_or(HeaderValue::from_static(""));
        self
    }

    /// The headers that pages may send, beside those that the Fetch Standard safelists.
    pub fn request_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.request_headers = RequestHeaders::Listed(list(names));
        self
    }

    /// Lets pages send any headers: the answer lists those that are asked for.
    pub fn any_request_headers(mut self) -> Self {
        self.request_headers = RequestHeaders::Mirrored;
        self
    }

    /// The headers of responses that pages may read, beside those that the Fetch Standard safelists.
    pub fn expose(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.exposed = list(names);
        self
    }

    /// For how long a browser may go by the answer to a preflight, in whole seconds. Unless told, that is 5 seconds;
    /// browsers have limits of their own, such as two hours.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age.as_secs().into());
        self
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cors")
            .field("any", &self.any)
            .field("listed", &self.listed)
            .field("credentials", &self.credentials)
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}

/// The names, with commas between them; `None` where there are none.
fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> Option<HeaderValue> {
    let names: Vec<_> = names.into_iter().collect();
    let joined = names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    // Names of methods and headers are tokens, which every value may have.
    HeaderValue::from_maybe_shared(Bytes::from(joined)).ok().filter(|list| !list.is_empty())
}
