//! What travels through a service in extensions: what an environ says beyond its request, and the reason of a response.

use std::fmt;
use std::net::SocketAddr;

use http::Uri;
use http::request::Parts;

use crate::environ::{Beyond, Environ, Errors, with_path};
use crate::error::Result;
use crate::head::{Head, is_hop_by_hop};
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
    ///
    /// Headers that are about a connection stay outside: it is not the service's, so it cannot be upgraded.
    pub(super) fn split(environ: Environ) -> (Parts, Input) {
        let (mut parts, input, beyond) = environ.into_parts();
        // There are few such names, and mostly one of them.
        while let Some(name) = parts.headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
            parts.headers.remove(name);
        }
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
        let below = parts.uri.path();
        let (whole, beyond) = match parts.extensions.remove::<Self>() {
            Some(Self { uri, beyond }) => {
                let (script_name, path_info) = uri.path().split_at(beyond.mounted());
                let (taken, rest) = taken_off(path_info, below, mount);
                (format!("{script_name}{taken}{rest}"), beyond.mounted_at(script_name.len() + taken.len()))
            }
            // RFC 9112, section 3.2.4: `OPTIONS *` is about no path.
            None if mount.is_empty() || below == "*" => (String::new(), Beyond::default()),
            None => (format!("{mount}{below}"), Beyond::default().mounted_at(mount.len())),
        };
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

/// What of PATH_INFO has been taken off inside, as by a nested router, which has left `below`; and what is PATH_INFO then.
fn taken_off<'a>(path_info: &'a str, below: &'a str, mount: &'a str) -> (&'a str, &'a str) {
    // The deployer's word counts most.
    if let Some(rest) = path_info.strip_prefix(mount).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        if !mount.is_empty() {
            return (mount, rest);
        }
    }
    match path_info.strip_suffix(below) {
        // Slashes in a row belong to what is below, as they were sent.
        Some(prefix) => path_info.split_at(prefix.trim_end_matches('/').len()),
        // All of it was taken, and a path cannot be empty.
        None if below == "/" => (path_info, ""),
        // A layer has put another path in its place.
        None => ("", below),
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
