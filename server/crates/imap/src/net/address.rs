//! Which addresses may be connected to. Loopback and private networks may: providers' servers are there. Link-local
//! addresses, metadata services and addresses that are none may not, unless they are allowed by name.

use crate::account::NetPolicy;
use gatepost_transfer::{Fault, FaultKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the rules say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be used.
    Use,
    /// It may not be used at all.
    Forbidden,
    /// It may be used with TLS only.
    PlainText,
}

/// Judges an address that `host` resolved to.
#[must_use]
pub fn judge(policy: &NetPolicy, host: &str, ip: IpAddr, plain: bool) -> Verdict {
    let ip = embedded(ip);
    let special = is_special(ip) || (policy.public_only && gatepost_dns::refusal(ip).is_some());
    if special && !is_allowed(policy, host, ip) {
        Verdict::Forbidden
    } else if plain && !ip.is_loopback() && !policy.allow_plaintext_beyond_loopback {
        Verdict::PlainText
    } else {
        Verdict::Use
    }
}

/// Why an address is not used.
pub(super) fn refused(server: &str, ip: IpAddr, verdict: Verdict) -> Fault {
    let sentence = match verdict {
        Verdict::PlainText => format!(
            "{server} ({ip}) is not on this machine, and a connection without TLS would show the password to the network. \
             Use TLS or STARTTLS, or allow plain text in the configuration."
        ),
        _ => format!(
            "{server} resolves to {ip}, which is a link-local, metadata or otherwise special address. \
             If this is right, allow it in the configuration."
        ),
    };
    Fault::new(FaultKind::Forbidden, sentence)
}

/// The IPv4 address within an IPv6 address (mapped, RFC 4291; NAT64, RFC 6052).
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)).into(),
        _ => ip,
    }
}

fn is_special(ip: IpAddr) -> bool {
    /// Metadata services outside of the link-local block.
    const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip {
        IpAddr::V4(v4) => {
            // Zero: "this network"; 224 and above: multicast, reserved, broadcast.
            v4.octets()[0] == 0 || v4.octets()[0] >= 224 || v4.is_link_local() || METADATA_V4.contains(&v4)
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified() || v6.is_multicast() || v6.segments()[0] & 0xffc0 == 0xfe80 || v6 == METADATA_V6
        }
    }
}

fn is_allowed(policy: &NetPolicy, host: &str, ip: IpAddr) -> bool {
    policy.allowed_hosts.iter().any(|entry| {
        let entry = entry.trim();
        if let Ok(address) = entry.parse::<IpAddr>() {
            return embedded(address) == ip;
        }
        match entry.split_once('/') {
            Some((net, bits)) => match (net.parse(), bits.parse()) {
                (Ok(net), Ok(bits)) => gatepost_dns::in_network(ip, net, bits),
                _ => false,
            },
            None => !entry.is_empty() && entry.eq_ignore_ascii_case(host),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(allowed: &[&str], ip: &str, plain: bool) -> Verdict {
        let policy =
            NetPolicy { allowed_hosts: allowed.iter().map(ToString::to_string).collect(), ..NetPolicy::default() };
        judge(&policy, "imap.example.com", ip.parse().unwrap(), plain)
    }

    #[test]
    fn special_addresses_are_forbidden_and_private_ones_are_not() {
        for ip in [
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "100.100.100.200",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert_eq!(verdict(&[], ip, false), Verdict::Forbidden, "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "8.8.8.8",
            "fd12::1",
            "2001:db8::1",
        ] {
            assert_eq!(verdict(&[], ip, false), Verdict::Use, "{ip}");
        }
    }

    #[test]
    fn special_addresses_can_be_allowed_by_name_address_or_block() {
        for entry in ["imap.EXAMPLE.com", "169.254.1.2", "169.254.0.0/16", "0.0.0.0/0"] {
            assert_eq!(verdict(&[entry], "169.254.1.2", false), Verdict::Use, "{entry}");
        }
        for entry in ["other.example.com", "169.254.1.3", "169.254.1.0/31", "fe80::/10", "169.254.1.2/99", "/", ""] {
            assert_eq!(verdict(&[entry], "169.254.1.2", false), Verdict::Forbidden, "{entry}");
        }
        assert_eq!(verdict(&["fe80::/10"], "fe80::5", false), Verdict::Use);
    }

    #[test]
    fn of_what_strangers_name_only_hosts_of_the_internet_are_used() {
        let policy = NetPolicy { public_only: true, allowed_hosts: vec!["10.0.0.0/8".into()], ..NetPolicy::default() };
        for (ip, expect) in [
            ("8.8.8.8", Verdict::Use),
            ("10.1.2.3", Verdict::Use),
            ("127.0.0.1", Verdict::Forbidden),
            ("192.168.1.1", Verdict::Forbidden),
            ("::ffff:172.16.0.1", Verdict::Forbidden),
            ("fd12::1", Verdict::Forbidden),
        ] {
            assert_eq!(judge(&policy, "imap.example.com", ip.parse().unwrap(), false), expect, "{ip}");
        }
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        for (ip, expected) in [
            ("127.0.0.1", Verdict::Use),
            ("::1", Verdict::Use),
            ("::ffff:127.0.0.1", Verdict::Use),
            ("10.0.0.1", Verdict::PlainText),
            ("8.8.8.8", Verdict::PlainText),
        ] {
            assert_eq!(verdict(&[], ip, true), expected, "{ip}");
        }
    }
}
