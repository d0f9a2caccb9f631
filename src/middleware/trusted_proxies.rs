//! `trusted_proxies`: what proxies say of a request, believed of those that are trusted and removed of all others.

mod forwarded;
mod node;
mod prefix;
mod said;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::header::FORWARDED;
use http::{HeaderName, HeaderValue};
use ipnet::{IpNet, Ipv4Net};

use crate::application::App;
use crate::environ::Environ;
use crate::error::{Fault, Result};
use said::Said;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Whom [`trusted_proxies`] trusts, and what it reads: at first nobody, and nothing.
///
/// Read only what your proxies set or overwrite themselves: what a proxy passes on is the client's to choose.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix_sockets: bool,
    reads: Reads,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reads {
    addresses: bool,
    proto: bool,
    ssl: bool,
    host: bool,
    port: bool,
    prefix: bool,
    /// In place of those of the first five that it tells of.
    forwarded: bool,
}

impl TrustedProxies {
    /// Trusts nobody and reads nothing: everything that proxies say is removed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the proxies of a network, such as `10.0.0.0/8`, or a single one, such as `192.0.2.7` or `2001:db8::7`.
    ///
    /// # Errors
    ///
    /// For what is neither.
    pub fn network(mut self, network: &str) -> Result<Self> {
        let address = network.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        let Ok(network) = address.or_else(|_| network.parse::<IpNet>()) else {
            return Err(Fault::Gateway(format!(
                "trusted_proxies: {network:?} is neither an address nor a network such as 10.0.0.0/8"
            ))
            .into());
        };
        self.networks.push(network);
        Ok(self)
    }

    /// Trusts the proxies of this machine: 127.0.0.0/8 and ::1.
    #[must_use]
    pub fn loopback(mut self) -> Self {
        self.networks.push(IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        self.networks.extend(Ipv4Net::new(Ipv4Addr::LOCALHOST, 8).map(IpNet::from));
        self
    }

    /// Trusts whoever connects by a unix socket, and every other client that has no address.
    #[must_use]
    pub fn unix_sockets(mut self) -> Self {
        self.unix_sockets = true;
        self
    }

    /// Reads the address of the client from X-Forwarded-For.
    #[must_use]
    pub fn x_forwarded_for(mut self) -> Self {
        self.reads.addresses = true;
        self
    }

    /// Reads the scheme, `http` or `https`, from X-Forwarded-Proto.
    #[must_use]
    pub fn x_forwarded_proto(mut self) -> Self {
        self.reads.proto = true;
        self
    }

    /// Reads the scheme from X-Forwarded-Ssl, `on` or `off`.
    #[must_use]
    pub fn x_forwarded_ssl(mut self) -> Self {
        self.reads.ssl = true;
        self
    }

    /// Reads the host, and its port where it has one, from X-Forwarded-Host.
    #[must_use]
    pub fn x_forwarded_host(mut self) -> Self {
        self.reads.host = true;
        self
    }

    /// Reads the port from X-Forwarded-Port; it wins over that of the host.
    #[must_use]
    pub fn x_forwarded_port(mut self) -> Self {
        self.reads.port = true;
        self
    }

    /// Reads the prefix that a proxy has taken off the path from X-Forwarded-Prefix; it comes before SCRIPT_NAME.
    #[must_use]
    pub fn x_forwarded_prefix(mut self) -> Self {
        self.reads.prefix = true;
        self
    }

    /// Reads the address of the client, the scheme and the host from Forwarded (RFC 7239), and not from X-Forwarded-For,
    /// -Proto, -Ssl and -Host.
    #[must_use]
    pub fn forwarded(mut self) -> Self {
        self.reads.forwarded = true;
        self
    }

    fn trusts(&self, address: IpAddr) -> bool {
        // A socket for both families shows IPv4 clients as IPv6 ones.
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn trusts_peer(&self, peer: Option<SocketAddr>) -> bool {
        peer.map_or(self.unix_sockets, |peer| self.trusts(peer.ip()))
    }

    fn apply(&self, environ: &mut Environ) -> Result<()> {
        let said = match self.trusts_peer(environ.remote_addr()) {
            true => Said::read(self, environ.headers())?,
            false => Said::default(),
        };
        let headers = environ.headers_mut();
        for name in [FOR, PROTO, SSL, HOST, PORT, PREFIX, FORWARDED] {
            headers.remove(name);
        }
        for (name, value) in &said.believed {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(name, value);
            }
        }
        said.apply(environ)
    }
}

/// Makes an environ of the request as the client sent it to the outermost trusted proxy, and removes the rest.
///
/// X-Forwarded-For, -Proto, -Ssl, -Host, -Port, -Prefix and Forwarded are headers that anybody can send. Of a peer that is
/// not trusted all of them are removed, and so are those that are not read. What a trusted peer says is read from the
/// right, each proxy having added what it saw to the end:
///
/// - the **client** is the right-most address that is not trusted; the port is 0 where none is told. Where a proxy hides
///   it (`unknown`, `_name`) or says something that is no address, the last known one before it stays;
/// - **scheme**, **host**, **port** and **prefix** are the right-most of each list, or those that Forwarded has beside
///   the client's address: a proxy behind another has to let pass what that one says. SERVER_NAME, SERVER_PORT and the
///   Host header follow. What is not one (a host with a slash, a prefix that begins with `//` or has `..`) is ignored;
/// - what was believed stays in the headers, what stands left of it or was ignored is removed.
///
/// # Errors
///
/// Two things are answered with 400, as guessing would let a client choose: a Forwarded that cannot be split into its
/// parts, such as one with a quote that is not closed, and X-Forwarded-Proto and -Ssl that contradict each other.
///
/// ```
/// use vestibule::middleware::{TrustedProxies, trusted_proxies};
/// use vestibule::{app_fn, testing::TestServer};
///
/// let app = app_fn(|environ, start_response| {
///     start_response.start(200, [("content-type", "text/plain")])?;
///     let client = environ.remote_addr().map(|address| address.ip().to_string()).unwrap_or_default();
///     Ok(format!("{client} {}", environ.url()).into())
/// });
/// let proxies = TrustedProxies::new().loopback().network("10.0.0.0/8")?.x_forwarded_for().x_forwarded_proto();
/// let server = TestServer::new(app.wrap(trusted_proxies(proxies)));
/// let request = server.get("/").header("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.9");
/// let request = request.header("x-forwarded-proto", "https").header("x-forwarded-host", "evil.example");
/// assert_eq!(request.send().text(), "192.0.2.1 https://localhost/");
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn trusted_proxies(proxies: TrustedProxies) -> impl Fn(App) -> App + Clone + Send + Sync + 'static {
    let proxies = Arc::new(proxies);
    move |inner| {
        let proxies = Arc::clone(&proxies);
        App::around(inner, move |inner, mut environ, start_response| {
            proxies.apply(&mut environ)?;
            inner.call(environ, start_response)
        })
    }
}
