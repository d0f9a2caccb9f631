//! What travels through a service in extensions: what an environ says beyond its request, and the reason of a response.

use std::fmt;
use std::net::SocketAddr;

use http::Uri;
use http::request::Parts;

use crate::environ::{Beyond, Environ, Errors, with_path};
use crate::error::Result;
use crate::head::Head;
use crate::input::Input;

/// What the gateway knows of a request beyond what [`http::Request`] holds: in the request's extensions inside of
/// [`from_service`](super::from_service).
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use vestibule::adapters::tower::{RequestContext, from_service};
/// use vestibule::testing::TestServer;
///
/// async fn whoami(Extension(context): Extension<RequestContext>) -> String {
///     format!("{} below {}", context.remote_addr().unwrap().ip(), context.script_name())
/// }
///
/// let server = TestServer::new(from_service(Router::new().route("/whoami", get(whoami)))).mounted_at("/mnt");
/// assert_eq!(server.get("/whoami").send().text(), "127.0.0.1 below /mnt");
/// ```
#[derive(Clone)]
pub struct RequestContext {
    /// The target before the mount point was taken off it.
    uri: Uri,
    beyond: Beyond,
}

impl RequestContext {
    /// Takes an environ apart into a request below its mount point, with the rest in the extensions, and an input.
    pub(super) fn split(environ: Environ) -> (Parts, Input) {
        let (mut parts, input, beyond) = environ.into_parts();
        if beyond.is_nothing() {
            return (parts, input);
        }
        let context = Self { uri: parts.uri.clone(), beyond };
        if context.beyond.mounted() > 0 {
            let below = &context.uri.path()[context.beyond.mounted()..];
            // What is a part of a path is one.
            if let Ok(uri) = with_path(&parts.uri, below) {
                parts.uri = uri;
            }
        }
        parts.extensions.insert(context);
        (parts, input)
    }

    /// The environ of a request that was sent to `mount`, which has been taken off its path. Where it has come through
    /// here before, its extensions say the rest.
    ///
    /// # Errors
    ///
    /// When the path would be longer than a target can be.
    pub(super) fn join(mut parts: Parts, input: Input, mount: &str) -> Result<Environ> {
        let (mut whole, mut beyond) = (String::new(), Beyond::default());
        let below = parts.uri.path();
        if let Some(context) = parts.extensions.remove::<Self>() {
            let (before, mounted) = (context.uri.path(), context.beyond.mounted());
            let script_name = match before.strip_suffix(below) {
                // What has been taken off since, as by a nested router, is part of the mount point.
                Some(prefix) => prefix.len(),
                None => mounted,
            };
            // An empty PATH_INFO had to become a slash.
            let is_empty = below == "/" && before.len() == mounted;
            whole = format!("{}{}", &before[..script_name], if is_empty { "" } else { below });
            beyond = context.beyond.mounted_at(script_name);
        } else if !mount.is_empty() {
            whole = format!("{mount}{below}");
            beyond = beyond.mounted_at(mount.len());
        }
        if beyond.mounted() > 0 {
            parts.uri = with_path(&parts.uri, &whole)?;
        }
        Ok(Environ::from_parts(parts, input, beyond))
    }

    /// Where the request comes from, if that is known.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.environ().remote_addr()
    }

    /// The path that the service is mounted at, decoded: SCRIPT_NAME.
    pub fn script_name(&self) -> String {
        self.environ().script_name().into_owned()
    }

    /// A variable that was set with [`set_var`](Environ::set_var), as by the deployer.
    pub fn var(&self, name: &str) -> Option<Vec<u8>> {
        self.environ().var(name).map(std::borrow::Cow::into_owned)
    }

    /// The stream for errors of this request.
    pub fn errors(&self) -> Errors {
        self.environ().errors()
    }

    /// An environ that has nothing of the request but its target.
    fn environ(&self) -> Environ {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = self.uri.clone();
        Environ::from_parts(parts, Input::empty(), self.beyond.clone())
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("script_name", &self.script_name())
            .field("remote_addr", &self.remote_addr())
            .finish_non_exhaustive()
    }
}

/// A reason phrase on its way through a service, since a response of `http` has none.
#[derive(Clone)]
pub(super) struct Reason(String);

impl Reason {
    pub(super) fn put_aside(head: &mut Head) {
        if let Some(reason) = head.reason_phrase().map(str::to_owned) {
            head.extensions_mut().insert(Self(reason));
        }
    }

    pub(super) fn take_back(head: &mut Head) {
        if head.extension::<Self>().is_none() {
            return;
        }
        if let Some(Self(reason)) = head.extensions_mut().remove() {
            // It was one before.
            let _ = head.set_reason(&reason);
        }
    }
}
