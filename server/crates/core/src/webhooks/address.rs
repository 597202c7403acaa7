//! Which addresses outside may be posted to. Unlike mail servers, which may well stand in the provider's own network,
//! a webhook's receiver is on the internet unless the settings name it: otherwise a URL would be a way to make this
//! machine talk to services that trust it.

use gatepost_dns::{embedded, in_network, refusal};
use std::net::IpAddr;

/// Whether a host that resolved to `ip` may be posted to. A private, loopback, link-local, metadata or otherwise
/// special address only where `allowed` names the host, the address or its network.
#[must_use]
pub fn may_connect(allowed: &[String], host: &str, ip: IpAddr) -> bool {
    refusal(ip).is_none() || is_allowed(allowed, host, Some(ip))
}

/// Whether the settings name exactly this host, or the very address that it is: a network around it is not enough.
#[must_use]
pub fn names_host(allowed: &[String], host: &str) -> bool {
    let ip = host.parse::<IpAddr>().ok();
    allowed.iter().map(|entry| entry.trim()).any(|entry| match entry.parse::<IpAddr>() {
        Ok(address) => ip == Some(address),
        Err(_) => is_name(entry, host),
    })
}

fn is_name(entry: &str, host: &str) -> bool {
    !entry.is_empty() && entry.eq_ignore_ascii_case(host.trim_end_matches('.'))
}

fn is_allowed(allowed: &[String], host: &str, ip: Option<IpAddr>) -> bool {
    allowed.iter().map(|entry| entry.trim()).any(|entry| {
        if let Ok(address) = entry.parse::<IpAddr>() {
            return ip.is_some_and(|ip| embedded(ip) == embedded(address));
        }
        match entry.split_once('/') {
            Some((net, bits)) => match (net.parse(), bits.parse(), ip) {
                (Ok(net), Ok(bits), Some(ip)) => in_network(embedded(ip), net, bits),
                _ => false,
            },
            None => is_name(entry, host),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(allowed: &[&str], ip: &str) -> bool {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        may_connect(&allowed, "hooks.example.com", ip.parse().unwrap())
    }

    #[test]
    fn only_addresses_of_the_internet_may_be_posted_to() {
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!may(&[], ip), "{ip}");
        }
        for ip in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(may(&[], ip), "{ip}");
        }
    }

    #[test]
    fn a_private_address_is_allowed_by_name_address_or_network() {
        for entry in ["hooks.EXAMPLE.com", "10.1.2.3", "10.0.0.0/8", " 10.1.2.3 ", "::ffff:10.1.2.3"] {
            assert!(may(&[entry], "10.1.2.3"), "{entry}");
            assert!(may(&[entry], "::ffff:10.1.2.3"), "{entry}");
        }
        for entry in ["example.com", "10.1.2.4", "10.2.0.0/16", "10.0.0.0/33", "/", "", "10.0.0.0/x"] {
            assert!(!may(&[entry], "10.1.2.3"), "{entry}");
        }
        assert!(names_host(&["Desk.local".into()], "desk.local."));
        assert!(names_host(&["127.0.0.1".into()], "127.0.0.1"));
        assert!(!names_host(&["127.0.0.0/8".into()], "127.0.0.1"), "a network names no host");
        assert!(!names_host(&["".into(), "/".into()], ""));
        assert!(!names_host(&["127.0.0.0/8".into()], "localhost"), "a name is not resolved here");
    }
}
