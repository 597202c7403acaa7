//! SPF (RFC 7208), as far as a snapshot has the records: which addresses may send for the domain.

use crate::read::View;
use gatepost_contract::RecordType;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// RFC 7208 section 4.6.4.
pub const MOST_LOOKUPS: usize = 10;

/// Whether addresses may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Every one of them may.
    Yes,
    /// At least one may not.
    No,
    /// The snapshot does not have all that is needed to tell.
    Unknown,
}

/// The SPF records of a name.
pub fn records(view: View<'_>, name: &str) -> Vec<String> {
    let is_spf = |text: &String| {
        let text = text.to_ascii_lowercase();
        text == "v=spf1" || text.starts_with("v=spf1 ")
    };
    view.texts(name).into_iter().filter(is_spf).collect()
}

/// The next included name whose records the snapshot does not have.
pub fn next_include(view: View<'_>, domain: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut names = vec![domain.to_owned()];
    while let Some(name) = names.pop() {
        if !seen.insert(name.clone()) || seen.len() > MOST_LOOKUPS + 1 {
            continue;
        }
        if name != domain && view.answers(&name, RecordType::Txt).next().is_none() {
            return Some(name);
        }
        for record in records(view, &name) {
            names.extend(record.split_whitespace().filter_map(included).map(str::to_ascii_lowercase));
        }
    }
    None
}

/// Whether all these addresses may send for the domain. `mx` stands for the addresses that the MX hosts will have.
pub fn covers(view: View<'_>, domain: &str, mx: &BTreeSet<IpAddr>, wanted: &BTreeSet<IpAddr>) -> Covered {
    let mut worst = Covered::Yes;
    for ip in wanted {
        let mut walk = Walk { view, domain, mx, seen: BTreeSet::new() };
        match walk.passes(domain, *ip) {
            Covered::Yes => {}
            Covered::No => return Covered::No,
            Covered::Unknown => worst = Covered::Unknown,
        }
    }
    worst
}

struct Walk<'a> {
    view: View<'a>,
    domain: &'a str,
    mx: &'a BTreeSet<IpAddr>,
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    fn passes(&mut self, name: &str, ip: IpAddr) -> Covered {
        if self.seen.len() > MOST_LOOKUPS || !self.seen.insert(name.to_owned()) {
            return Covered::No;
        }
        if self.view.best(name, RecordType::Txt).is_none() {
            return Covered::Unknown;
        }
        let Some(record) = records(self.view, name).into_iter().next() else { return Covered::No };
        let mut unknown = false;
        for term in record.split_whitespace().skip(1) {
            let (passes, mechanism) = match term.as_bytes().first() {
                Some(b'+') => (true, &term[1..]),
                Some(b'-' | b'~' | b'?') => (false, &term[1..]),
                _ => (true, term),
            };
            match self.matches(name, mechanism, ip) {
                Covered::Yes if passes => return Covered::Yes,
                Covered::Yes if unknown => return Covered::Unknown,
                Covered::Yes => return Covered::No,
                Covered::Unknown => unknown = true,
                Covered::No => {}
            }
        }
        if unknown { Covered::Unknown } else { Covered::No }
    }

    fn matches(&mut self, name: &str, mechanism: &str, ip: IpAddr) -> Covered {
        let lower = mechanism.to_ascii_lowercase();
        if let Some(host) = included(&lower) {
            return if host.contains('%') { Covered::Unknown } else { self.passes(host, ip) };
        }
        let (what, argument) = lower.split_once(':').unwrap_or((&lower, ""));
        let (what, mask) = if argument.is_empty() { split_mask(what) } else { (what, None) };
        match what {
            "all" => Covered::Yes,
            "ip4" | "ip6" => yes(in_network(ip, argument)),
            "a" => {
                let (host, given) = split_mask(argument);
                let host = if host.is_empty() { name } else { host };
                self.host_matches(host, given.or(mask), ip)
            }
            "mx" => {
                let (host, given) = split_mask(argument);
                if host.is_empty() || host == self.domain {
                    let mask = given.or(mask);
                    return yes(self.mx.iter().any(|known| same_network(*known, ip, mask)));
                }
                Covered::Unknown
            }
            "exists" | "ptr" => Covered::Unknown,
            _ => Covered::No,
        }
    }

    fn host_matches(&self, host: &str, mask: Option<u8>, ip: IpAddr) -> Covered {
        if host.contains('%') || !self.view.addresses_known(host) {
            return Covered::Unknown;
        }
        yes(self.view.addresses(host).iter().any(|known| same_network(*known, ip, mask)))
    }
}

const fn yes(truth: bool) -> Covered {
    if truth { Covered::Yes } else { Covered::No }
}

/// The name that `include:` or `redirect=` leads to.
fn included(term: &str) -> Option<&str> {
    let term = term.strip_prefix(['+', '-', '~', '?']).unwrap_or(term);
    let name = ["include:", "redirect="].into_iter().find_map(|start| {
        let head = term.get(..start.len())?;
        head.eq_ignore_ascii_case(start).then(|| &term[start.len()..])
    })?;
    Some(name.strip_suffix('.').unwrap_or(name)).filter(|name| !name.is_empty())
}

/// `host/24//64` as its host and the IPv4 mask.
fn split_mask(text: &str) -> (&str, Option<u8>) {
    match text.split_once('/') {
        Some((host, mask)) => (host, mask.split('/').next().and_then(|mask| mask.parse().ok())),
        None => (text, None),
    }
}

fn in_network(ip: IpAddr, network: &str) -> bool {
    let (address, mask) = match network.split_once('/') {
        Some((address, mask)) => match mask.parse::<u8>() {
            Ok(mask) => (address, Some(mask)),
            Err(_) => return false,
        },
        None => (network, None),
    };
    address.parse::<IpAddr>().is_ok_and(|address| same_network(address, ip, mask))
}

fn same_network(a: IpAddr, b: IpAddr, mask: Option<u8>) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let bits = u32::from(mask.unwrap_or(32).min(32));
            let keep = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let keep = |ip: Ipv4Addr| u32::from(ip) & keep;
            keep(a) == keep(b)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let bits = u32::from(mask.unwrap_or(128).min(128));
            let keep = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            let keep = |ip: Ipv6Addr| u128::from(ip) & keep;
            keep(a) == keep(b)
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "spf_tests.rs"]
mod tests;
