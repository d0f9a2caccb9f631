//! What FastCGI, SCGI and uwsgi have in common: connections of a web server that forwards requests.

mod answer;
mod closing;
mod codec;
mod connection;
mod log;
mod peers;
#[cfg(any(feature = "scgi", feature = "uwsgi"))]
mod plain;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

#[cfg(feature = "fastcgi")]
pub(crate) use codec::Request;
pub(super) use codec::{Codec, Event, Lost};
use connection::Connection;
use log::Log;
use peers::Peers;
#[cfg(any(feature = "scgi", feature = "uwsgi"))]
pub(crate) use plain::OneRequest;

use super::gateway::{BodyLength, Mapping};
use crate::environ::{Environ, Errors};
use crate::error::{Error, Fault, Result};
use crate::input::Input;
use crate::server::{Backend, Listener, Member, Peer, Protocol, Server, ServerLimits, Stream};
use crate::wire::Params;

/// A protocol by which a web server forwards requests, with what a deployer says of it.
pub struct Forwarded<C> {
    mapping: Mapping,
    pub(super) peers: Peers,
    /// Has what the application writes to its stream for errors sent to the web server's log.
    pub(super) writes_errors: bool,
    codec: PhantomData<fn() -> C>,
}

/// What the connections of a server share.
pub(crate) struct Gateway {
    backend: Backend,
    mapping: Mapping,
    peers: Peers,
    writes_errors: bool,
}

#[expect(private_bounds, reason = "it is sealed: nobody else writes one")]
impl<C: Codec> Server<Forwarded<C>> {
    /// Says which prefix of the path the application is mounted at, such as `/app`, for web servers that do not say it:
    /// Apache's ProxyPass, and the parameters that come with NGINX. It becomes SCRIPT_NAME of requests below it.
    ///
    /// # Errors
    ///
    /// When the prefix does not begin with a slash, or ends with one.
    pub fn mounted_at(mut self, prefix: &str) -> Result<Self> {
        self.protocol.mapping.set_mount(prefix)?;
        Ok(self)
    }

    /// Passes REMOTE_USER and AUTH_TYPE on to the application; by default they are dropped, since NGINX and HAProxy send the
    /// name that a client claims, which nobody has verified. Only for a web server that does.
    #[must_use]
    pub fn trust_remote_user(mut self, trusts: bool) -> Self {
        self.protocol.mapping.trust_remote_user = trusts;
        self
    }

    /// Says that the web server runs this program as a file of its own, as Apache's mod_fcgid does: SCRIPT_NAME is where that
    /// file is, also where PATH_INFO is absent.
    /// [`run`](crate::run) says so where it finds a listening socket in the place of standard input.
    #[must_use]
    pub fn script(mut self, is_script: bool) -> Self {
        self.protocol.mapping.is_script = is_script;
        self
    }

    /// Lets web servers with these addresses connect, such as `10.0.0.0/8`: whoever can connect is believed what it says of
    /// the client. Without it the server refuses to listen on anything but loopback and unix sockets.
    ///
    /// # Errors
    ///
    /// When it is no address and no network.
    pub fn allow_peers(mut self, network: &str) -> Result<Self> {
        self.protocol.peers.allow(network)?;
        Ok(self)
    }
}

impl<C> Default for Forwarded<C> {
    fn default() -> Self {
        Self { mapping: Mapping::default(), peers: Peers::default(), writes_errors: false, codec: PhantomData }
    }
}

impl<C: Codec> Protocol for Forwarded<C> {
    const SCHEME: &'static str = C::NAME;

    type Shared = Arc<Gateway>;

    fn check(&self, listener: &Listener) -> Result<()> {
        match listener.local_addr() {
            Some(address) if !address.ip().is_loopback() && !self.peers.are_named() => Err(Fault::Gateway(format!(
                "cannot serve {} on {address}: whoever connects there is trusted; say who may, with `allow_peers` or \
                 `--allow-peers`, or listen on a unix socket or on loopback",
                C::NAME
            ))
            .into()),
            _ => Ok(()),
        }
    }

    fn share(self, backend: Backend, _address: Option<SocketAddr>) -> Arc<Gateway> {
        let Self { mut mapping, peers, writes_errors, .. } = self;
        (mapping.ends_bodies, mapping.minus_one_is_unknown) = (C::ENDS_BODIES, C::ENDS_BODIES);
        Arc::new(Gateway { backend, mapping, peers, writes_errors })
    }

    fn connect(
        gateway: &Arc<Gateway>,
        member: Member,
        stream: Stream,
        peer: Peer,
    ) -> impl Future<Output = ()> + Send + 'static {
        let connection = gateway.allows(peer).then(|| Connection::<C>::new(gateway, member, stream, peer));
        async move {
            if let Some(connection) = connection {
                connection.await;
            }
        }
    }
}

impl Gateway {
    fn allows(&self, peer: Peer) -> bool {
        let refused = peer.and_then(|address| self.peers.refuse(address.ip()));
        if let Some(why) = refused {
            self.log(peer, why);
        }
        refused.is_none()
    }

    /// The environ of a request, without its body, or the status that it is refused with.
    fn environ(&self, params: Result<Params, StatusCode>, peer: Peer) -> Result<(Environ, BodyLength), StatusCode> {
        let params = params.inspect_err(|&status| {
            self.log_variables(peer, status, &format!("the variables of a request are refused with {status}"));
        })?;
        match self.mapping.request(&params, &self.backend.limits.request) {
            Ok(request) => {
                let body = request.body;
                Ok((request.into_environ(Input::empty()), body))
            }
            Err(refusal) => {
                self.log(peer, &refusal.to_string());
                Err(refusal.status)
            }
        }
    }

    /// What is wrong with the variables of a request. Whoever has to mend that has to know the limit.
    fn log_variables(&self, peer: Peer, status: StatusCode, text: &str) {
        match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                let most = max_params(&self.backend.limits);
                self.log(peer, &format!("{text}: they may have {most} bytes, four times head_limit"));
            }
            _ => self.log(peer, text),
        }
    }

    fn log(&self, peer: Peer, text: &str) {
        let text = crate::error::escaped(text);
        match peer {
            Some(address) => Errors::stderr().line(format_args!("vestibule: the web server at {address}: {text}")),
            None => Errors::stderr().line(format_args!("vestibule: the web server: {text}")),
        }
    }
}

/// How many bytes the variables of a request may have in all: they repeat the path several times, and have names of their
/// own.
pub(super) fn max_params(limits: &ServerLimits) -> usize {
    4 * limits.request.head
}

/// Nothing came of a body that somebody waits for.
fn too_slow(time: Duration) -> Error {
    // RFC 9110, section 15.5.9.
    Error::with_status(StatusCode::REQUEST_TIMEOUT, format!("no byte of the request body came for {time:?}"))
}

impl<C> fmt::Debug for Forwarded<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarded").field("peers", &self.peers).finish_non_exhaustive()
    }
}
