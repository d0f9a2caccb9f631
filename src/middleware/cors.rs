//! Cross-origin resource sharing: which other sites' pages may read the responses (Fetch Standard, section 3.2).

mod options;
mod origin;
mod policy;

use std::sync::Arc;

use http::Method;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};

use crate::application::App;
use crate::body::Body;
use crate::environ::Environ;
use policy::{Allowed, Policy};

pub use options::Cors;

/// Tells browsers which pages of other origins may call the application and read its responses.
///
/// A preflight, which is an OPTIONS request with Origin and Access-Control-Request-Method, is answered with 204 and does
/// not reach the application. If its origin is not allowed, the answer allows nothing, and the browser sends no more.
/// Any other request reaches the application, OPTIONS included; the response gets Access-Control-Allow-Origin if the
/// origin is allowed, also an error that comes before its head is committed. CORS restrains browsers, and stops no
/// request by itself: it takes the place of neither authentication nor protection against forged requests.
///
/// Where the answer depends on the origin every response has Vary: Origin, also to a request without one, so
/// that a cache does not give one site what is meant for another. An answer to a preflight varies by all that it
/// depends on. What the application says about origins itself is overwritten for allowed origins, and else left.
///
/// Put it around authentication, since a preflight has no credentials, and around
/// [`error_documents`](super::error_documents()), whose pages for an `Err` have only the headers that are set outside.
///
/// ```
/// use vestibule::middleware::{Cors, cors};
/// use vestibule::{app_fn, testing::TestServer};
///
/// # fn main() -> vestibule::Result<()> {
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     Ok("tea".into())
/// });
/// let server = TestServer::new(app.wrap(cors(Cors::new().origin("https://shop.example")?)));
///
/// let response = server.get("/").header("origin", "https://shop.example").send();
/// assert_eq!(response.header("access-control-allow-origin"), Some("https://shop.example"));
/// assert_eq!(response.header("vary"), Some("Origin"));
/// let response = server.get("/").header("origin", "https://evilshop.example").send();
/// assert_eq!(response.header("access-control-allow-origin"), None);
/// # Ok(())
/// # }
/// ```
pub fn cors(cors: Cors) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let policy = Arc::new(Policy::new(cors));
    move |inner| {
        let policy = Arc::clone(&policy);
        App::around(inner, move |inner, environ, start_response| {
            let allowed = policy.allowed(&environ);
            if is_preflight(&environ) {
                start_response.send(policy.preflight(allowed, environ.headers()))?;
                return Ok(Body::empty());
            }
            let start_response = match allowed {
                Allowed::No => start_response.on_head_shared(&policy.others),
                Allowed::Known(known) => start_response.on_head_shared(&known.hook),
                Allowed::Asked(origin) => {
                    let fields = Arc::clone(&policy.fields);
                    start_response.on_head(move |head| fields.put(&mut head.headers, &origin))
                }
            };
            inner.call(environ, start_response)
        })
    }
}

/// Fetch Standard, section 3.2.2. An OPTIONS request without one of the two is for the application.
fn is_preflight(environ: &Environ) -> bool {
    let headers = environ.headers();
    environ.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
