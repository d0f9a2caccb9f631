//! Which web servers may connect: whoever does is believed what it says of the client.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::error::{Fault, Result};

/// Who may connect over TCP; a unix socket has its mode for that.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// The networks that the deployer has allowed.
    networks: Vec<IpNet>,
    /// The addresses that the environment of the process names: nobody else may, whatever the deployer has allowed.
    /// Empty where it names none.
    pub(in crate::adapters) web_servers: Vec<IpAddr>,
}

impl Peers {
    /// Allows a network, or an address.
    pub(super) fn allow(&mut self, network: &str) -> Result<()> {
        let parsed = network.parse().or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
        let malformed = |_| Fault::Gateway(format!("{network:?} is no network such as 10.0.0.0/8, and no address"));
        self.networks.push(parsed.map_err(malformed)?);
        Ok(())
    }

    /// Whether anybody has said who may connect.
    pub(super) fn are_named(&self) -> bool {
        !self.networks.is_empty() || !self.web_servers.is_empty()
    }

    /// Why a peer with this address may not connect, where it may not.
    pub(super) fn refuse(&self, peer: IpAddr) -> Option<&'static str> {
        let peer = peer.to_canonical();
        if !self.web_servers.is_empty() && !self.web_servers.contains(&peer) {
            return Some("it is not among the addresses of FCGI_WEB_SERVER_ADDRS");
        }
        let is_allowed = match self.are_named() {
            false => peer.is_loopback(),
            true => self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&peer)),
        };
        (!is_allowed).then_some("it is not among those that may connect: see allow_peers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(networks: &[&str], web_servers: &[&str], peer: &str) -> bool {
        let mut peers = Peers::default();
        for network in networks {
            peers.allow(network).unwrap();
        }
        peers.web_servers = web_servers.iter().map(|address| address.parse().unwrap()).collect();
        peers.refuse(peer.parse().unwrap()).is_none()
    }

    #[test]
    fn loopback_may_connect_where_nobody_is_named() {
        for (peer, is_allowed) in
            [("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("10.0.0.1", false)]
        {
            assert_eq!(allows(&[], &[], peer), is_allowed, "{peer}");
        }
    }

    #[test]
    fn of_two_lists_a_peer_has_to_be_in_both() {
        for (networks, web_servers, peer, is_allowed) in [
            (&["10.0.0.0/8"][..], &[][..], "10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "::ffff:10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "127.0.0.1", false),
            (&["10.0.0.0/8", "127.0.0.1"], &[], "127.0.0.1", true),
            (&[], &["10.0.0.1", "10.0.0.2"], "10.0.0.2", true),
            (&[], &["10.0.0.1", "10.0.0.2"], "::ffff:10.0.0.2", true),
            (&[], &["10.0.0.1", "10.0.0.2"], "10.0.0.3", false),
            (&[], &["10.0.0.1"], "127.0.0.1", false),
            (&[], &["::1"], "::1", true),
            (&["10.0.0.0/8"], &["10.0.0.1"], "10.0.0.1", true),
            (&["10.0.0.0/8"], &["10.0.0.1"], "10.0.0.2", false),
            (&["10.0.0.0/8"], &["192.0.2.1"], "192.0.2.1", false),
        ] {
            assert_eq!(allows(networks, web_servers, peer), is_allowed, "{networks:?} {web_servers:?} {peer}");
        }
    }
}
