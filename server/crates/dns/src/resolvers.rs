//! Who is asked: a list from the settings, or what the system uses.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

/// The most resolvers that are asked; more would not say more.
const MOST: usize = 8;

/// An entry that is no resolver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no resolver; write it as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53")]
pub struct BadResolver(String);

/// Reads `ADDRESS[:PORT]`, comma separated; `none` is an empty list.
///
/// # Errors
/// For the first entry that is none. Names are not accepted: they would need a resolver to find the resolver.
pub fn parse_resolvers(text: &str) -> Result<Vec<SocketAddr>, BadResolver> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let mut all: Vec<SocketAddr> = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
        let address = match (bare.parse::<IpAddr>(), entry.parse::<SocketAddr>()) {
            (Ok(ip), _) => SocketAddr::new(ip, 53),
            (_, Ok(address)) if address.port() > 0 => address,
            _ => return Err(BadResolver(entry.chars().take(80).collect())),
        };
        if !all.contains(&address) && all.len() < MOST {
            all.push(address);
        }
    }
    Ok(all)
}

/// The name servers of /etc/resolv.conf; none where the file cannot be read.
#[must_use]
pub fn system_resolvers() -> Vec<SocketAddr> {
    fs::read_to_string("/etc/resolv.conf").map(|text| of_resolv_conf(&text)).unwrap_or_default()
}

/// resolv.conf(5): lines `nameserver ADDRESS`, of which the resolver uses three.
fn of_resolv_conf(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
            Some(SocketAddr::new(address.parse().ok()?, 53))
        })
        .take(3)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_addresses_with_or_without_a_port() {
        let read = |text: &str| {
            parse_resolvers(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        for (text, expect) in [
            ("192.0.2.53", "192.0.2.53:53"),
            (" 192.0.2.53:5353 , [2001:db8::53]:54 ", "192.0.2.53:5353 [2001:db8::53]:54"),
            ("2001:db8::53,[2001:db8::1]", "[2001:db8::53]:53 [2001:db8::1]:53"),
            ("192.0.2.1,192.0.2.1:53", "192.0.2.1:53"),
            ("none", ""),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expect), "{text:?}");
        }
        for bad in ["dns.example", "192.0.2.53:0", "192.0.2.53:99999", "192.0.2.1 192.0.2.2", "https://192.0.2.1"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_systems_resolvers_are_read_as_the_system_reads_them() {
        let text = "# a comment\nsearch example.com\nnameserver 192.0.2.1\noptions edns0\n nameserver\t2001:db8::1 \n\
            nameserver fe80::1%eth0\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver\n";
        let read: Vec<String> = of_resolv_conf(text).iter().map(ToString::to_string).collect();
        assert_eq!(read, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]);
    }
}
