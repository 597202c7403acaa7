//! Who is at the other end of the socket. `X-Forwarded-For` counts only when a configured proxy wrote it.

use axum::extract::{ConnectInfo, Request};
use http::{Extensions, HeaderMap};
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// A network in CIDR notation; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix <= longest { Ok(Self { address, prefix }) } else { Err(()) }
    }
}

impl Network {
    /// Whether an address lies in it. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(32 - self.prefix).unwrap_or_default() == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(128 - self.prefix).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

/// The client's address: the peer's, or the last forwarded one that no trusted proxy owns.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if !is_proxy(peer) {
        return peer;
    }
    let mut forwarded: Vec<&str> = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        forwarded.extend(value.to_str().unwrap_or_default().split(',').map(str::trim));
    }
    let mut nearest = peer;
    for hop in forwarded.into_iter().rev() {
        let Ok(hop) = hop.parse::<IpAddr>() else { break };
        nearest = hop.to_canonical();
        if !is_proxy(nearest) {
            break;
        }
    }
    nearest
}

/// The client's address, as a layer found it.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

impl Client {
    /// Finds the address for a request.
    pub fn of(request: &Request, trusted: &[Network]) -> Self {
        let peer =
            request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |i| i.0.ip());
        Self(address(peer, request.headers(), trusted))
    }

    /// The address that the layer found.
    pub fn from_extensions(extensions: &Extensions) -> Self {
        extensions.get::<Self>().copied().unwrap_or(Self(IpAddr::from([0, 0, 0, 0])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].iter().map(|n| n.parse().expect("a network")).collect();
        for (peer, forwarded, expected) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("10.1.2.3", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
            ("10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"),
            ("10.1.2.3", "nonsense", "10.1.2.3"),
            ("10.1.2.3", "", "10.1.2.3"),
            ("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("::1", "2001:db8::7", "2001:db8::7"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().expect("a header"));
            let found = address(peer.parse().expect("an address"), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded}");
        }
    }

    #[test]
    fn a_network_of_no_bits_contains_everything_of_its_kind() {
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.contains("255.1.2.3".parse().expect("an address")));
        assert!(!all.contains("2001:db8::1".parse().expect("an address")));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }
}
