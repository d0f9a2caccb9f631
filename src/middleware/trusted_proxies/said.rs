//! What trusted proxies have said of a request.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::header::{self, FORWARDED};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::node::{self, Host};
use super::{FOR, HOST, PORT, PREFIX, PROTO, SSL, TrustedProxies, forwarded, prefix};
use crate::environ::Environ;
use crate::error::{Fault, Result};

/// What is believed; nothing where nobody is.
#[derive(Debug, Default)]
pub(super) struct Said {
    client: Option<SocketAddr>,
    scheme: Option<Scheme>,
    host: Option<(String, Option<u16>)>,
    port: Option<u16>,
    prefix: Option<String>,
    /// The headers that are left of it.
    pub(super) believed: Vec<(HeaderName, Vec<u8>)>,
}

impl Said {
    /// Reads the headers of a request that a trusted peer has sent.
    pub(super) fn read(proxies: &TrustedProxies, headers: &HeaderMap) -> Result<Self> {
        let (mut said, reads) = (Self::default(), proxies.reads);
        if reads.forwarded {
            said.read_forwarded(proxies, headers)?;
        } else {
            if reads.addresses {
                said.read_addresses(proxies, headers);
            }
            let mut schemes = Vec::new();
            if reads.proto {
                schemes.extend(said.read_one(headers, PROTO, scheme));
            }
            if reads.ssl {
                schemes.extend(said.read_one(headers, SSL, |text| match text.eq_ignore_ascii_case(b"on") {
                    true => Some(Scheme::HTTPS),
                    false => text.eq_ignore_ascii_case(b"off").then_some(Scheme::HTTP),
                }));
            }
            if matches!(&schemes[..], [one, other] if one != other) {
                return malformed("X-Forwarded-Proto and X-Forwarded-Ssl contradict each other");
            }
            said.scheme = schemes.pop();
            if reads.host {
                said.host = said.read_one(headers, HOST, host);
            }
        }
        if reads.port {
            said.port = said.read_one(headers, PORT, |text| node::number(text).filter(|&port| port > 0));
        }
        if reads.prefix {
            said.prefix = said.read_one(headers, PREFIX, |text| prefix::parse(text).map(str::to_owned));
        }
        Ok(said)
    }

    /// Follows the addresses from the right to the client.
    fn read_addresses(&mut self, proxies: &TrustedProxies, headers: &HeaderMap) {
        let mut known = Vec::new();
        for text in from_the_right(headers, FOR) {
            let Some(address) = node::address(text) else { break };
            self.client = Some(address);
            known.push(text);
            if !proxies.trusts(address.ip()) {
                break;
            }
        }
        self.believe(FOR, known);
    }

    /// The same by Forwarded, where each proxy has said everything in one place.
    fn read_forwarded(&mut self, proxies: &TrustedProxies, headers: &HeaderMap) -> Result<()> {
        let mut believed = Vec::new();
        'all: for line in headers.get_all(FORWARDED).iter().rev() {
            let Some(elements) = forwarded::parse(line.as_bytes()) else {
                return malformed("Forwarded cannot be read");
            };
            for element in elements.into_iter().rev() {
                believed.push(element.text);
                let known = |value: &Option<Cow<'_, [u8]>>| value.as_deref().map(<[u8]>::to_vec);
                self.scheme = known(&element.proto).and_then(|text| scheme(&text)).or(self.scheme.take());
                self.host = known(&element.host).and_then(|text| host(&text)).or(self.host.take());
                let Some(address) = element.node.as_deref().and_then(node::address) else { break 'all };
                self.client = Some(address);
                if !proxies.trusts(address.ip()) {
                    break 'all;
                }
            }
        }
        self.believe(FORWARDED, believed);
        Ok(())
    }

    /// The right-most of a list: whoever has added it is trusted. Of what stands left of it nobody knows that: not every
    /// proxy that adds an address adds to these.
    fn read_one<T>(&mut self, headers: &HeaderMap, name: HeaderName, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let text = from_the_right(headers, name.clone()).next()?;
        let value = parse(text)?;
        self.believe(name, vec![text]);
        Some(value)
    }

    /// Notes what is left of a header, given from the right.
    fn believe(&mut self, name: HeaderName, mut texts: Vec<&[u8]>) {
        if !texts.is_empty() {
            texts.reverse();
            self.believed.push((name, texts.join(&b", "[..])));
        }
    }

    /// Makes the environ say it.
    pub(super) fn apply(self, environ: &mut Environ) -> Result<()> {
        if self.client.is_some() {
            environ.set_remote_addr(self.client);
        }
        if let Some(prefix) = &self.prefix {
            let (script_name, path_info) = environ.raw_parts();
            // `OPTIONS *` asks about no path.
            if path_info != "*" {
                let (script_name, path_info) = (format!("{prefix}{script_name}"), path_info.to_owned());
                environ.set_raw(&script_name, &path_info)?;
            }
        }
        let says_where = self.host.is_some() || self.port.is_some() || self.scheme.is_some();
        if let Some(scheme) = self.scheme {
            environ.set_url_scheme(scheme);
        }
        if says_where {
            set_server(environ, self.host, self.port);
        }
        Ok(())
    }
}

/// Sets the name and the port of the server, and the Host header, by which URLs are made.
fn set_server(environ: &mut Environ, host: Option<(String, Option<u16>)>, port: Option<u16>) {
    let usual = if *environ.url_scheme() == Scheme::HTTPS { 443 } else { 80 };
    let asked = environ.headers().get(header::HOST).and_then(|asked| self::host(asked.as_bytes()));
    let is_said = host.is_some();
    let (server, asked) = match (host, asked) {
        (Some((name, named)), _) => (name.clone(), Some((name, port.or(named)))),
        (None, Some((name, named))) => (environ.server_name().to_owned(), Some((name, port.or(named)))),
        (None, None) => (environ.server_name().to_owned(), None),
    };
    let port_there = asked.as_ref().map_or(port, |(_, named)| *named);
    environ.set_server(server, port_there.unwrap_or(usual));
    let Some((name, named)) = asked else { return };
    if is_said || port.is_some() {
        let host = match named.filter(|&named| named != usual) {
            Some(port) => format!("{name}:{port}"),
            None => name,
        };
        if let Ok(host) = HeaderValue::try_from(host) {
            environ.headers_mut().insert(header::HOST, host);
        }
    }
}

/// The members of a list, from the last of the last line to the first.
fn from_the_right(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter().rev();
    lines
        .flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b',').map(<[u8]>::trim_ascii))
        .filter(|text| !text.is_empty())
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    match text.eq_ignore_ascii_case(b"https") {
        true => Some(Scheme::HTTPS),
        false => text.eq_ignore_ascii_case(b"http").then_some(Scheme::HTTP),
    }
}

fn host(text: &[u8]) -> Option<(String, Option<u16>)> {
    Host::parse(text).map(|host| (host.name.to_owned(), host.port))
}

fn malformed<T>(what: &str) -> Result<T> {
    Err(Fault::Malformed(what.to_owned()).into())
}
