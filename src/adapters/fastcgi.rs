//! FastCGI, as NGINX, Apache, lighttpd, Caddy and HAProxy speak it.
//!
//! [`Server`] listens on a unix socket or a TCP address, or takes the socket that a web server has bound for it, and serves
//! responders and authorizers (FastCGI 1.0, sections 6.2 and 6.3): with kept connections, several requests on one, bodies
//! that stream both ways, and a client that leaves told to the application. It has the execution, the limits and the
//! graceful stop of [`adapters::http`](super::http).
//!
//! ```no_run
//! use vestibule::{adapters::fastcgi::Server, app_fn};
//!
//! let app = app_fn(|environ, start_response| {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(format!("hello from {}\n", environ.script_name()).into())
//! });
//! // `fastcgi_pass unix:/run/app/app.sock;` in NGINX.
//! Server::bind("unix:/run/app/app.sock")?.run(app)?;
//! # Ok::<(), vestibule::Error>(())
//! ```

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};

use super::forwarded::{Codec, Event, Forwarded, Lost, Request, max_params};
use crate::error::{Fault, Result};
use crate::server::{self, ServerLimits};
use crate::wire::Output;
use crate::wire::cgi::HeadForm;
use crate::wire::fastcgi::{self, Decoder, ProtocolStatus, Refusal, Role, Values, encode};

pub use crate::server::Handle;

/// A server of FastCGI.
pub type Server = server::Server<Forwarded<FastCgi>>;

/// What a connection of it remembers.
#[derive(Debug)]
pub struct FastCgi {
    decoder: Decoder,
    values: Values,
    /// The requests whose variables are on their way: the role, and whether the connection is kept.
    begun: Vec<(u16, Role, bool)>,
}

/// How many requests one connection may carry at once.
const MAX_REQUESTS: usize = 64;

impl Server {
    /// Has what the application writes to [`environ.errors()`](crate::Environ::errors) sent to the web server, which logs
    /// it; by default it goes to the standard error of this process, since HAProxy answers 502 where it gets any.
    #[must_use]
    pub fn errors_to_web_server(mut self, sends: bool) -> Self {
        self.protocol.writes_errors = sends;
        self
    }

    /// Lets nobody connect over TCP but the web servers of this list, which is the value of FCGI_WEB_SERVER_ADDRS
    /// (FastCGI 1.0, section 3.2): IP addresses, of version 4 or 6, with commas between them. [`run`](crate::run) takes it
    /// from its environment.
    ///
    /// It says who may connect, so that the server can listen where not only loopback can reach it. It opens nothing that
    /// is closed: where [`allow_peers`](Server::allow_peers) says who may connect as well, a peer has to be in both, and
    /// loopback has to be named too. The peer of a unix socket has no address; whether it may connect its file says.
    ///
    /// # Errors
    ///
    /// When one of them is no address, as in an empty list.
    ///
    /// ```
    /// use vestibule::adapters::fastcgi::Server;
    ///
    /// let server = Server::bind("127.0.0.1:0")?.web_server_addrs("199.170.183.28,199.170.183.71")?;
    /// assert!(server.web_server_addrs("example.org").is_err());
    /// # Ok::<(), vestibule::Error>(())
    /// ```
    pub fn web_server_addrs(mut self, list: &str) -> Result<Self> {
        self.protocol.peers.web_servers = list.split(',').map(web_server).collect::<Result<_>>()?;
        Ok(self)
    }
}

fn web_server(address: &str) -> Result<IpAddr> {
    let parsed = address.trim().parse::<IpAddr>();
    let malformed = |_| {
        Fault::Gateway(format!(
            "FCGI_WEB_SERVER_ADDRS: {address:?} is no IP address; it is a list such as 192.0.2.1,192.0.2.2"
        ))
    };
    Ok(parsed.map_err(malformed)?.to_canonical())
}

impl Codec for FastCgi {
    const NAME: &'static str = "fastcgi";

    const ENDS_BODIES: bool = true;
    const SPOILS: bool = true;

    fn new(limits: &ServerLimits) -> Self {
        let connections = u32::try_from(limits.connections).unwrap_or(u32::MAX);
        Self {
            decoder: Decoder::new().max_requests(MAX_REQUESTS).max_params(max_params(limits)),
            values: Values::new(connections, MAX_REQUESTS as u32, true),
            begun: Vec::new(),
        }
    }

    fn decode(&mut self, input: &mut BytesMut, output: &mut Output) -> Result<Option<Event>, Lost> {
        loop {
            let event = self.decoder.decode(input).map_err(|error| Lost { text: error.to_string(), answer: None })?;
            let Some(event) = event else { return Ok(None) };
            return Ok(Some(match event {
                fastcgi::Event::Begin { id, role, keep_conn } => {
                    self.begun.push((id, role, keep_conn));
                    Event::Begun { id }
                }
                fastcgi::Event::Params { id, params } => {
                    let (role, keep) = self.take_begun(id).unwrap_or((Role::Responder, false));
                    let is_authorizer = role == Role::Authorizer;
                    Event::Request(Request {
                        id,
                        params: params.map_err(fastcgi::ParamsError::status),
                        form: if is_authorizer { HeadForm::Authorizer } else { HeadForm::Cgi },
                        has_body: !is_authorizer,
                        keep,
                    })
                }
                fastcgi::Event::Stdin { id, block } => Event::Body { id, block },
                fastcgi::Event::StdinEnd { id } => Event::BodyEnd { id },
                // Before the last of the variables nobody else knows whether the connection is kept.
                fastcgi::Event::Abort { id } => {
                    Event::Abort { id, keep: self.take_begun(id).is_none_or(|(_, keep)| keep) }
                }
                fastcgi::Event::Refused { id, keep_conn, refusal: Refusal::TooManyRequests } => {
                    Event::Refused { id, keep: keep_conn }
                }
                fastcgi::Event::Refused { id, keep_conn, .. } => {
                    encode::end_request(output, id, 0, ProtocolStatus::UnknownRole);
                    match keep_conn {
                        true => continue,
                        false => Event::Last,
                    }
                }
                fastcgi::Event::GetValues { names } => {
                    encode::values(output, &names, self.values);
                    continue;
                }
                fastcgi::Event::UnknownType { code } => {
                    encode::unknown_type(output, code);
                    continue;
                }
            }));
        }
    }

    fn write(&self, output: &mut Output, id: u16, block: Bytes) {
        encode::stdout(output, id, block);
    }

    fn write_error(&self, output: &mut Output, id: u16, text: Bytes) {
        encode::stderr(output, id, text);
    }

    fn end(&mut self, output: &mut Output, id: u16) {
        encode::end_request(output, id, 0, ProtocolStatus::RequestComplete);
        self.decoder.end(id);
    }

    /// NGINX takes a connection that is closed without the end of a request for that, where it does not buffer and no
    /// length was declared. It gives up at a record of another version, as Apache does; lighttpd does not mind one.
    fn spoil(&self, output: &mut Output) {
        output.put(&[0; 8]);
    }

    fn is_idle(&self) -> bool {
        self.decoder.is_idle()
    }
}

impl FastCgi {
    /// What was said at the beginning of a request whose variables have not come yet.
    fn take_begun(&mut self, id: u16) -> Option<(Role, bool)> {
        let at = self.begun.iter().position(|(other, ..)| *other == id)?;
        let (_, role, keep) = self.begun.swap_remove(at);
        Some((role, keep))
    }
}
