//! Which addresses that strangers name may be spoken to: those of a zone's own servers, and of a webhook's receiver.
//! Nobody outside may send what we say to machines of the private network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not of the internet, in a few words; none where it is.
#[must_use]
pub fn refusal(ip: IpAddr) -> Option<&'static str> {
    match embedded(ip) {
        IpAddr::V4(v4) => refusal_v4(v4),
        IpAddr::V6(v6) => refusal_v6(v6),
    }
}

/// The IPv4 address within an IPv6 address: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
#[must_use]
pub fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let of = |high: u16, low: u16| IpAddr::from(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => of(high, low),
        _ => ip,
    }
}

/// Whether an address lies in a network that is given by an address of it and the length of its prefix. None is longer
/// than its addresses, and none holds addresses of the other family.
#[must_use]
pub fn in_network(ip: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) if bits <= 32 => {
            (u32::from(ip) ^ u32::from(net)).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) if bits <= 128 => {
            (u128::from(ip) ^ u128::from(net)).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// By the registry of special addresses (RFC 6890).
fn refusal_v4(ip: Ipv4Addr) -> Option<&'static str> {
    match ip.octets() {
        [127, ..] => Some("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("a private address"),
        // RFC 6598
        [100, 64..=127, ..] => Some("a shared address of a carrier's network"),
        [169, 254, ..] => Some("a link-local address"),
        [0 | 224.., ..] => Some("no address of a host"),
        // Protocol assignments, and the relays of 6to4 (given up by RFC 7526).
        [192, 0, 0, _] | [192, 88, 99, _] => Some("an address of a protocol"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some("an address for documentation"),
        [198, 18 | 19, ..] => Some("an address for benchmarks"),
        _ => None,
    }
}

fn refusal_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = ip.segments();
    if ip.is_loopback() {
        Some("a loopback address")
    } else if ip.is_unspecified() || ip.is_multicast() {
        Some("no address of a host")
    } else if first & 0xfe00 == 0xfc00 {
        Some("a private address")
    } else if first & 0xffc0 == 0xfe80 {
        Some("a link-local address")
    } else if (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second < 0x1000) {
        Some("an address for documentation")
    } else if first == 0x2001 && second < 0x200 {
        // Teredo, which hides an IPv4 address, among them.
        Some("an address of a protocol")
    } else if first & 0xe000 != 0x2000 {
        // All that is given out lies in 2000::/3. Outside are ::127.0.0.1, fec0::/10 and local NAT64 (RFC 8215).
        Some("no address of the internet")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        for (ip, net, bits, held) in [
            ("10.1.2.3", "10.0.0.0", 8, true),
            ("10.1.2.3", "10.1.2.3", 32, true),
            ("10.1.2.3", "10.1.2.2", 32, false),
            ("10.1.2.3", "10.2.0.0", 15, false),
            ("10.1.2.3", "192.168.0.0", 0, true),
            ("10.1.2.3", "10.1.2.3", 33, false),
            ("10.1.2.3", "::", 0, false),
            ("fe80::5", "fe80::", 10, true),
            ("fd00::5", "fe80::", 10, false),
            ("2001:db8::1", "::", 0, true),
            ("2001:db8::1", "2001:db8::1", 128, true),
            ("2001:db8::1", "2001:db8::1", 129, false),
        ] {
            assert_eq!(in_network(ip.parse().unwrap(), net.parse().unwrap(), bits), held, "{ip} {net}/{bits}");
        }
    }

    #[test]
    fn only_public_addresses_are_asked() {
        for (ip, asked) in [
            ("8.8.8.8", true),
            ("192.0.1.1", true),
            ("192.88.98.1", true),
            ("198.17.0.1", true),
            ("198.20.0.1", true),
            ("100.128.0.1", true),
            ("2001:4860:4860::8888", true),
            ("2606:4700::1111", true),
            ("64:ff9b::808:808", true),
            ("2002:808:808::1", true),
            ("::ffff:8.8.8.8", true),
            ("192.0.0.192", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("198.51.100.1", false),
            ("203.0.113.9", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("2001:db8::53", false),
            ("3fff::1", false),
            ("2001::1", false),
            ("2001:0:7f00:1::1", false),
            ("2002:7f00:1::", false),
            ("2002:a9fe:a9fe::1", false),
            ("::127.0.0.1", false),
            ("64:ff9b:1::1", false),
            ("fec0::1", false),
            ("4000::1", false),
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
