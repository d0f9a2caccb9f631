//! `Head`: the status, the headers and the reason phrase of a response.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::{Fault, Result};

/// The head of a response: its status, its headers and, if one was set, its reason phrase.
///
/// The status and the headers are public, as a middleware changes them in place. A fault while it is
/// built is kept and reported by [`StartResponse::send`](crate::StartResponse::send), so that calls chain.
///
/// ```
/// use vestibule::Head;
///
/// let head = Head::new(200).header("content-type", "text/plain").header("content-length", 12);
/// assert_eq!(head.headers["content-length"], "12");
/// ```
#[derive(Debug, Clone)]
pub struct Head {
    /// The status: 200 to 999 in a head that is sent.
    pub status: StatusCode,
    /// The headers, in order; a name may repeat.
    pub headers: HeaderMap,
    /// What few heads have, so that moving one stays cheap.
    rare: Option<Box<Rare>>,
    /// The Content-Length at the last check, or the length that a commit settled, where there is one. In two fields,
    /// which together are smaller than an `Option`: a head is moved often.
    length: u64,
    has_length: bool,
}

#[derive(Debug, Clone, Default)]
struct Rare {
    reason: Option<String>,
    fault: Option<Fault>,
    extensions: Extensions,
}

impl Head {
    /// A head with a status, a number or a [`StatusCode`], and no headers.
    pub fn new<S>(status: S) -> Self
    where
        StatusCode: TryFrom<S>,
        <StatusCode as TryFrom<S>>::Error: Into<http::Error>,
    {
        Self::of(status, HeaderMap::new())
    }

    pub(crate) fn of<S>(status: S, headers: HeaderMap) -> Self
    where
        StatusCode: TryFrom<S>,
        <StatusCode as TryFrom<S>>::Error: Into<http::Error>,
    {
        match StatusCode::try_from(status) {
            Ok(status) => Self { status, headers, rare: None, length: 0, has_length: false },
            Err(error) => Self::faulty(Fault::InvalidStatus(error.into().to_string())),
        }
    }

    pub(crate) fn faulty(fault: Fault) -> Self {
        let mut head = Self::new(StatusCode::INTERNAL_SERVER_ERROR);
        head.rare().fault = Some(fault);
        head
    }

    /// A head for `NNN Reason` as text, and that text: what a client is told when there is nothing else to tell.
    pub(crate) fn plain(status: StatusCode) -> (Self, Bytes) {
        let mut head = Self::new(status);
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        (head, format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or("Error")).into())
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Adds a header; one of the same name stays beside it. Names are strings or [`HeaderName`]s,
    /// values strings, numbers or [`HeaderValue`]s.
    #[must_use]
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        if let Err(fault) = append(&mut self.headers, name, value) {
            self.rare().fault.get_or_insert(fault);
        }
        self
    }

    /// Replaces the reason phrase that HTTP/1 and the CGI family show beside the status.
    ///
    /// HTTP/2 has none, and a client may ignore it (RFC 9112, section 4).
    ///
    /// # Errors
    ///
    /// For a control character, such as a line break.
    pub fn reason(mut self, reason: &str) -> Result<Self> {
        self.set_reason(reason)?;
        Ok(self)
    }

    /// Replaces the reason phrase in place; as [`reason`](Head::reason).
    ///
    /// # Errors
    ///
    /// For a control character, such as a line break.
    pub fn set_reason(&mut self, reason: &str) -> Result<()> {
        // RFC 9112, section 4: reason-phrase = 1*( HTAB / SP / VCHAR / obs-text )
        if reason.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
            return Err(Fault::InvalidReason(reason.to_owned()).into());
        }
        self.rare().reason = Some(reason.to_owned());
        Ok(())
    }

    /// The reason phrase that was set; `None` where the status has its usual one.
    pub fn reason_phrase(&self) -> Option<&str> {
        self.rare.as_ref()?.reason.as_deref()
    }

    /// A value that travels with the head and is not sent: for middleware further out, and for a tower layer around
    /// the application.
    ///
    /// ```
    /// use vestibule::{Head, middleware, testing::TestServer, app_fn};
    ///
    /// #[derive(Clone)]
    /// struct Route(&'static str);
    ///
    /// let app = app_fn(|_, start_response| {
    ///     let mut head = Head::new(200);
    ///     head.extensions_mut().insert(Route("/tea/{name}"));
    ///     start_response.send(head)?;
    ///     Ok("tea".into())
    /// });
    /// let app = app.wrap(middleware::map_head(|head| {
    ///     assert_eq!(head.extension::<Route>().unwrap().0, "/tea/{name}");
    /// }));
    /// # assert_eq!(TestServer::new(app).get("/").send().text(), "tea");
    /// ```
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.rare.as_ref()?.extensions.get()
    }

    /// The values of [`extension`](Head::extension), to be changed.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.rare().extensions
    }

    /// The values that travel with the head, where there are some.
    pub(crate) fn take_extensions(&mut self) -> Option<Extensions> {
        let rare = self.rare.as_mut().filter(|rare| !rare.extensions.is_empty())?;
        Some(std::mem::take(&mut rare.extensions))
    }

    /// Whether a response may have this head. Called when it is started, and again after the hooks.
    #[inline]
    pub(crate) fn check(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.rare.as_mut().and_then(|rare| rare.fault.take()) {
            return Err(fault);
        }
        if self.status.is_informational() {
            return Err(Fault::InvalidStatus(self.status.as_str().to_owned()));
        }
        // One walk: this is done to every response.
        let mut has_length = false;
        for name in self.headers.keys() {
            if is_hop_by_hop(name) {
                return Err(Fault::HopByHop(name.clone()));
            }
            has_length |= name == CONTENT_LENGTH;
        }
        self.settle_length(if has_length { self.content_length()? } else { None });
        Ok(())
    }

    /// The one content-length that the headers declare.
    pub(crate) fn content_length(&self) -> Result<Option<u64>, Fault> {
        let mut values = self.headers.get_all(CONTENT_LENGTH).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let fault = |what: &str| Fault::InvalidContentLength(what.to_owned());
        if values.next().is_some() {
            return Err(fault("it is there twice"));
        }
        let length = decimal(value.as_bytes());
        length.ok_or_else(|| fault(&format!("{value:?}"))).map(Some)
    }

    /// The one Content-Length that the head had when it was checked last, or the length that was settled since.
    pub(crate) fn length(&self) -> Option<u64> {
        self.has_length.then_some(self.length)
    }

    /// Notes the length of the body that follows, which need not be among the headers.
    pub(crate) fn settle_length(&mut self, length: Option<u64>) {
        self.has_length = length.is_some();
        self.length = length.unwrap_or(0);
    }

    pub(crate) fn remove_content_length(&mut self) {
        if self.length().is_some() {
            self.settle_length(None);
            self.headers.remove(CONTENT_LENGTH);
        }
    }
}

/// A number as HTTP writes lengths, RFC 9110 section 8.6: `1*DIGIT`, so no sign and no space.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    match digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        true => None,
        false => std::str::from_utf8(digits).ok()?.parse().ok(),
    }
}

/// The headers that belong to a connection and not to a response: PEP 3333, "Other HTTP Features",
/// and the list of `wsgiref.util.is_hop_by_hop`. `trailer` is none of them: it announces fields.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    let name = name.as_str();
    // By length first: this is asked of every header of every response.
    match name.len() {
        2 => name == "te",
        7 => name == "upgrade",
        8 => name == "trailers",
        10 => name == "connection" || name == "keep-alive",
        16 => name == "proxy-connection",
        17 => name == "transfer-encoding",
        18 => name == "proxy-authenticate",
        19 => name == "proxy-authorization",
        _ => false,
    }
}

fn append<K, V>(headers: &mut HeaderMap, name: K, value: V) -> Result<(), Fault>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
    HeaderValue: TryFrom<V>,
    <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
{
    let number = headers.len() + 1;
    let fault = |error: http::Error| Fault::InvalidHeader { number, reason: error.to_string() };
    let name = HeaderName::try_from(name).map_err(|error| fault(error.into()))?;
    let value = HeaderValue::try_from(value).map_err(|error| fault(error.into()))?;
    headers.try_append(name, value).map_err(|error| fault(error.into()))?;
    Ok(())
}

impl From<StatusCode> for Head {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl From<http::response::Parts> for Head {
    /// The status, the headers and the extensions; the version is left behind.
    fn from(parts: http::response::Parts) -> Self {
        let mut head = Self::of(parts.status, parts.headers);
        if !parts.extensions.is_empty() {
            head.rare().extensions = parts.extensions;
        }
        head
    }
}

impl From<Head> for http::response::Parts {
    /// The status and the headers; the reason phrase has no place there.
    fn from(mut head: Head) -> Self {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.extensions = head.take_extensions().unwrap_or_default();
        parts.status = head.status;
        parts.headers = head.headers;
        parts
    }
}

/// What [`StartResponse::start`](crate::StartResponse::start) takes as headers.
///
/// `()` for none, a [`HeaderMap`], and arrays, slices and `Vec`s of pairs, so that a constant table works.
/// The trait is sealed. A literal `[]` does not tell its type: write `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as response headers",
    note = "give `()` for none, a `HeaderMap`, or an array, slice or Vec of pairs: `[(\"content-type\", \"text/plain\")]`"
)]
pub trait IntoHeaders: sealed::Sealed {
    #[doc(hidden)]
    fn into_headers(self) -> Result<HeaderMap>;
}

mod sealed {
    pub trait Sealed {}
}

impl IntoHeaders for () {
    fn into_headers(self) -> Result<HeaderMap> {
        Ok(HeaderMap::new())
    }
}

impl IntoHeaders for HeaderMap {
    fn into_headers(self) -> Result<HeaderMap> {
        Ok(self)
    }
}

fn collect<K, V>(pairs: impl ExactSizeIterator<Item = (K, V)>) -> Result<HeaderMap>
where
    HeaderName: TryFrom<K>,
    <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
    HeaderValue: TryFrom<V>,
    <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
{
    // An empty map makes room for six at once, which a middleware's own headers then find.
    let mut headers = if pairs.len() <= 6 { HeaderMap::new() } else { HeaderMap::with_capacity(pairs.len()) };
    for (name, value) in pairs {
        append(&mut headers, name, value)?;
    }
    Ok(headers)
}

/// The same for every shape of a list of pairs; the bound on the parts is the only difference.
macro_rules! lists_of_pairs {
    ($([$($generics:tt)*] $list:ty, $clone:ident, $self_:ident => $pairs:expr;)*) => {$(
        impl<$($generics)*> sealed::Sealed for $list {}
        impl<$($generics)*> IntoHeaders for $list
        where
            K: $clone,
            V: $clone,
            HeaderName: TryFrom<K>,
            <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
            HeaderValue: TryFrom<V>,
            <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
        {
            fn into_headers($self_) -> Result<HeaderMap> {
                collect($pairs)
            }
        }
    )*};
}

lists_of_pairs! {
    [K, V, const N: usize] [(K, V); N], Sized, self => self.into_iter();
    [K, V, const N: usize] &[(K, V); N], Clone, self => self.iter().cloned();
    [K, V] &[(K, V)], Clone, self => self.iter().cloned();
    [K, V] Vec<(K, V)>, Sized, self => self.into_iter();
}

impl sealed::Sealed for () {}
impl sealed::Sealed for HeaderMap {}
