//! Where mail goes, and for how long senders remember it.

use super::{Found, Plan, in_words, is_short, list};
use crate::{
    questions,
    read::{View, mx_hosts},
    spread::SHORT_TTL,
};
use gatepost_contract::{
    DnsFindingKind as Kind,
    RecordType::{A, Mx},
    Severity,
};
use std::net::IpAddr;

/// From here on a TTL costs more than an hour.
const LONG_TTL: u32 = 3_600;

pub fn look(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    let hosts = mx_hosts(view.0);
    match hosts.as_slice() {
        [] => {
            let sentence = format!(
                "{domain} has no MX record, so senders deliver to the address of {domain} itself (RFC 5321 section 5.1). \
                 Set the new MX with a TTL of {SHORT_TTL} seconds."
            );
            found.add(Severity::Warning, Kind::MxMissing, domain, sentence);
        }
        [root] if root.is_empty() => {
            let sentence =
                format!("{domain} says that it takes no mail at all (a null MX, RFC 7505). Senders give up.");
            found.add(Severity::Problem, Kind::MxNull, domain, sentence);
        }
        hosts => {
            each_host(view, hosts, found);
            compare(domain, hosts, plan, found);
        }
    }
    if !plan.applied {
        ttl(view, found);
        new_host(view, plan, found);
        old_host(view, plan, found);
    }
}

fn each_host(view: View<'_>, hosts: &[String], found: &mut Found) {
    let domain = &view.0.domain;
    for host in hosts.iter().filter(|host| !host.is_empty()) {
        if host.parse::<IpAddr>().is_ok() {
            let sentence = format!(
                "The MX of {domain} names the address {host}, but an MX must name a host (RFC 1035 section 3.3.9). \
                 Many senders cannot deliver."
            );
            found.add(Severity::Problem, Kind::MxCname, host, sentence);
        } else if let Some(alias) = view.alias(host, A) {
            let sentence = format!(
                "The MX host {host} is an alias (CNAME) of {alias}, which an MX may not be (RFC 2181 section 10.3). \
                 Some senders refuse to deliver: name {alias} itself."
            );
            found.add(Severity::Warning, Kind::MxCname, host, sentence);
        }
        if view.addresses_known(host) && view.addresses(host).is_empty() {
            let (severity, hint) = if hosts.len() == 1 {
                (Severity::Problem, "No mail can be delivered.")
            } else {
                (Severity::Warning, "Senders lose time with it before they try the next one.")
            };
            found.add(severity, Kind::MxNoAddress, host, format!("The MX host {host} has no address. {hint}"));
        }
    }
}

fn compare(domain: &str, hosts: &[String], plan: &Plan, found: &mut Found) {
    let expected = plan.expected_mx();
    let (new, others): (Vec<String>, Vec<String>) = hosts.iter().cloned().partition(|host| expected.contains(host));
    if new.is_empty() {
        return;
    }
    if !others.is_empty() {
        let sentence = format!(
            "The MX of {domain} names the new server ({}) and others ({}) at once. Senders choose by preference and by \
             chance, so mail arrives on both sides: take the others out.",
            list(&new),
            list(&others)
        );
        found.add(Severity::Problem, Kind::MxMixed, domain, sentence);
    } else if !plan.applied {
        let sentence = format!(
            "The MX of {domain} names the new server ({}) already, but the change was not recorded here. If it was made, \
             record it on this page once the gate is open, so that stragglers are fetched.",
            list(&new)
        );
        found.add(Severity::Warning, Kind::MxChanged, domain, sentence);
    }
}

fn ttl(view: View<'_>, found: &mut Found) {
    let domain = &view.0.domain;
    let Some(ttl) = view.ttl(domain, Mx).filter(|ttl| !is_short(*ttl)) else { return };
    let words = in_words(ttl);
    let sentence = format!(
        "Senders may keep the MX of {domain} for {words} (TTL {ttl}). Lower it to {SHORT_TTL} now; {words} after that was \
         done the MX can be changed, and the change is everywhere within {}.",
        in_words(SHORT_TTL)
    );
    let severity = if ttl > LONG_TTL { Severity::Warning } else { Severity::Info };
    found.add(severity, Kind::MxTtl, domain, sentence);
}

fn new_host(view: View<'_>, plan: &Plan, found: &mut Found) {
    for host in plan.expected_mx() {
        if view.addresses_known(&host) && view.addresses(&host).is_empty() {
            let sentence = format!(
                "The new server {host} has no address in the DNS. Mail that is sent there would be lost or come back: \
                 set its A record before the MX is changed."
            );
            found.add(Severity::Problem, Kind::NewHostNoAddress, host, sentence);
        }
    }
}

fn old_host(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    for host in plan.old_hosts.iter().filter(|host| questions::within(host, domain)) {
        let sentence = format!(
            "The old server is reached as {host}, a name of the domain that moves. Keep that name on the old server until \
             the job is verified, or stragglers cannot be fetched any more. To free it earlier, give the mailboxes the \
             old server's other name."
        );
        found.add(Severity::Warning, Kind::OldHostInDomain, host, sentence);
    }
}
