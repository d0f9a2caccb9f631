//! `security_headers`: what tells browsers to be careful.

use std::sync::Arc;

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue};

use crate::application::App;
use crate::error::Result;
use crate::head::{Head, decimal};
use crate::start_response::SharedHook;

static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets the headers by which a browser protects a site and those who visit it.
///
/// A header that the application sets stays as it is. They are set on every response, also on those that the gateway
/// makes for errors; but Strict-Transport-Security only where the request came by https, as RFC 6797, section 7.2,
/// demands. Behind a proxy the scheme is what the proxy says: what trusts it has to be wrapped around this.
///
/// ```
/// use vestibule::{app_fn, middleware, middleware::SecurityHeaders, testing::TestServer};
///
/// let settings = SecurityHeaders::new()
///     .frame_options("DENY")?
///     .content_security_policy("default-src 'self'")?
///     .strict_transport_security("max-age=63072000; includeSubDomains")?;
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-security-policy", "default-src 'none'")])?;
///     Ok("tea".into())
/// });
/// let response = TestServer::new(app.wrap(middleware::security_headers(settings))).get("/").send();
/// assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
/// assert_eq!(response.header("x-frame-options"), Some("DENY"));
/// assert_eq!(response.header("content-security-policy"), Some("default-src 'none'"));
/// assert_eq!(response.header("strict-transport-security"), None); // this request came by http
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn security_headers(settings: SecurityHeaders) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let SecurityHeaders { headers, strict_transport_security } = settings;
    let secure_headers: Vec<_> = headers
        .iter()
        .cloned()
        .chain(strict_transport_security.map(|value| (STRICT_TRANSPORT_SECURITY, value)))
        .collect();
    let (plain, secure) = (hook(headers), hook(secure_headers));
    move |inner| {
        let (plain, secure) = (Arc::clone(&plain), Arc::clone(&secure));
        App::around(inner, move |inner, environ, start_response| {
            let is_secure = *environ.url_scheme() == Scheme::HTTPS;
            inner.call(environ, start_response.on_head_shared(if is_secure { &secure } else { &plain }))
        })
    }
}

fn hook(headers: Vec<(HeaderName, HeaderValue)>) -> SharedHook {
    Arc::new(move |head: &mut Head| {
        for (name, value) in &headers {
            head.headers.entry(name).or_insert_with(|| value.clone());
        }
    })
}

/// The headers that [`security_headers`] sets.
///
/// Values are those of the headers, so what is written about a header elsewhere holds here. A method replaces the
/// default or an earlier value. Values of which a browser knows only a few are checked: one that is misspelt would
/// protect nobody.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    headers: Vec<(HeaderName, HeaderValue)>,
    strict_transport_security: Option<HeaderValue>,
}

impl SecurityHeaders {
    /// What few sites need to change: `X-Content-Type-Options: nosniff`, `X-Frame-Options: SAMEORIGIN`,
    /// `Referrer-Policy: strict-origin-when-cross-origin` and `Cross-Origin-Opener-Policy: same-origin`.
    pub fn new() -> Self {
        let headers = [
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "SAMEORIGIN"),
            (REFERRER_POLICY, "strict-origin-when-cross-origin"),
            (OPENER_POLICY.clone(), "same-origin"),
        ];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        Self { headers: headers.into(), strict_transport_security: None }
    }

    /// X-Frame-Options: who may show pages in a frame, `DENY` or `SAMEORIGIN` (RFC 7034). `frame-ancestors` of a
    /// Content-Security-Policy can name sites.
    ///
    /// # Errors
    ///
    /// For another value.
    pub fn frame_options(self, value: &str) -> Result<Self> {
        self.one_of(&X_FRAME_OPTIONS, value, &["DENY", "SAMEORIGIN"])
    }

    /// Referrer-Policy: what of an address the links on a page tell others (W3C Referrer Policy, section 3). A list,
    /// with commas, of which a browser takes the last that it knows.
    ///
    /// # Errors
    ///
    /// For another policy than `no-referrer`, `no-referrer-when-downgrade`, `origin`, `origin-when-cross-origin`,
    /// `same-origin`, `strict-origin`, `strict-origin-when-cross-origin` and `unsafe-url`.
    pub fn referrer_policy(self, value: &str) -> Result<Self> {
        const POLICIES: [&str; 8] = [
            "no-referrer",
            "no-referrer-when-downgrade",
            "origin",
            "origin-when-cross-origin",
            "same-origin",
            "strict-origin",
            "strict-origin-when-cross-origin",
            "unsafe-url",
        ];
        let policies = value.split(',').map(str::trim);
        self.list_of(&REFERRER_POLICY, value, policies, &POLICIES)
    }

    /// Content-Security-Policy: what a page may load and run (W3C Content Security Policy Level 3).
    ///
    /// # Errors
    ///
    /// For a value that is empty or that no header can have.
    pub fn content_security_policy(self, value: &str) -> Result<Self> {
        self.any(&CONTENT_SECURITY_POLICY, value)
    }

    /// Content-Security-Policy-Report-Only: a policy to try, whose breaches are only reported.
    ///
    /// # Errors
    ///
    /// For a value that is empty or that no header can have.
    pub fn content_security_policy_report_only(self, value: &str) -> Result<Self> {
        self.any(&CONTENT_SECURITY_POLICY_REPORT_ONLY, value)
    }

    /// Permissions-Policy: which abilities of the browser pages and frames may use, such as `camera=(), geolocation=()`
    /// (W3C Permissions Policy).
    ///
    /// # Errors
    ///
    /// For a value that is empty or that no header can have.
    pub fn permissions_policy(self, value: &str) -> Result<Self> {
        self.any(&PERMISSIONS_POLICY, value)
    }

    /// Cross-Origin-Opener-Policy: whether windows of other sites may reach a page that they opened (HTML standard,
    /// section 7.1.3).
    ///
    /// # Errors
    ///
    /// For another value than `unsafe-none`, `same-origin-allow-popups`, `same-origin` and `noopener-allow-popups`.
    pub fn cross_origin_opener_policy(self, value: &str) -> Result<Self> {
        let known = ["unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups"];
        self.one_of(&OPENER_POLICY, value, &known)
    }

    /// Cross-Origin-Embedder-Policy: what of other sites a page may embed (HTML standard, section 7.1.4).
    ///
    /// # Errors
    ///
    /// For another value than `unsafe-none`, `require-corp` and `credentialless`.
    pub fn cross_origin_embedder_policy(self, value: &str) -> Result<Self> {
        self.one_of(&EMBEDDER_POLICY, value, &["unsafe-none", "require-corp", "credentialless"])
    }

    /// Cross-Origin-Resource-Policy: which sites may embed the responses (Fetch standard).
    ///
    /// # Errors
    ///
    /// For another value than `same-origin`, `same-site` and `cross-origin`.
    pub fn cross_origin_resource_policy(self, value: &str) -> Result<Self> {
        self.one_of(&RESOURCE_POLICY, value, &["same-origin", "same-site", "cross-origin"])
    }

    /// Strict-Transport-Security: for how many seconds browsers come by https only, such as
    /// `max-age=63072000; includeSubDomains` (RFC 6797, section 6.1). It cannot be taken back before, so begin with a
    /// short time.
    ///
    /// # Errors
    ///
    /// For a value without one `max-age`, or that no header can have.
    pub fn strict_transport_security(mut self, value: &str) -> Result<Self> {
        let directives = value.split(';').filter_map(|directive| directive.split_once('='));
        let mut ages = directives.filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"));
        match (ages.next(), ages.next()) {
            (Some((_, age)), None) if decimal(age.trim().trim_matches('"').as_bytes()).is_some() => {
                self.strict_transport_security = Some(parsed(&STRICT_TRANSPORT_SECURITY, value)?);
                Ok(self)
            }
            _ => Err(format!("SecurityHeaders: strict-transport-security {value:?} has not one max-age").into()),
        }
    }

    /// Leaves a header out.
    #[must_use]
    pub fn without(mut self, name: &HeaderName) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.strict_transport_security.take_if(|_| *name == STRICT_TRANSPORT_SECURITY);
        self
    }

    fn one_of(self, name: &HeaderName, value: &str, known: &[&str]) -> Result<Self> {
        self.list_of(name, value, std::iter::once(value), known)
    }

    fn list_of<'a>(
        self,
        name: &HeaderName,
        value: &str,
        mut words: impl Iterator<Item = &'a str>,
        known: &[&str],
    ) -> Result<Self> {
        match words.all(|word| known.iter().any(|known| known.eq_ignore_ascii_case(word))) {
            true => self.any(name, value),
            false => Err(format!("SecurityHeaders: {name} {value:?} is none of {}", known.join(", ")).into()),
        }
    }

    fn any(mut self, name: &HeaderName, value: &str) -> Result<Self> {
        let value = parsed(name, value)?;
        match self.headers.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = value,
            None => self.headers.push((name.clone(), value)),
        }
        Ok(self)
    }
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self::new()
    }
}

fn parsed(name: &HeaderName, value: &str) -> Result<HeaderValue> {
    let value = value.trim();
    match HeaderValue::from_str(value) {
        Ok(header) if !value.is_empty() => Ok(header),
        _ => Err(format!("SecurityHeaders: {name} cannot be {value:?}").into()),
    }
}
