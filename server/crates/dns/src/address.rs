//! Which addresses of a zone's own servers are asked. They come from the zone, that is from strangers: a zone must not
//! be able to send our questions to machines of the private network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not asked, in a few words; none where it may be.
pub fn refusal(ip: IpAddr) -> Option<&'static str> {
    match embedded(ip) {
        IpAddr::V4(v4) => refusal_v4(v4),
        IpAddr::V6(v6) => refusal_v6(v6),
    }
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

fn refusal_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, ..] = ip.octets();
    match (a, b) {
        (127, _) => Some("a loopback address"),
        (10, _) | (172, 16..=31) | (192, 168) => Some("a private address"),
        // RFC 6598
        (100, 64..=127) => Some("a shared address of a carrier's network"),
        (169, 254) => Some("a link-local address"),
        (0, _) | (224.., _) => Some("no address of a host"),
        _ => None,
    }
}

fn refusal_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let first = ip.segments()[0];
    if ip.is_loopback() {
        Some("a loopback address")
    } else if ip.is_unspecified() || ip.is_multicast() {
        Some("no address of a host")
    } else if first & 0xfe00 == 0xfc00 {
        Some("a private address")
    } else if first & 0xffc0 == 0xfe80 {
        Some("a link-local address")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked() {
        for (ip, asked) in [
            ("198.51.100.1", true),
            ("2001:db8::53", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("100.100.100.200", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::a9fe:a9fe", false),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(refusal(ip).is_none(), asked, "{ip}");
        }
    }
}
