//! Where mail programs are led: autodiscover, autoconfig, service records and the usual host names.

use super::{Found, Plan, list};
use crate::{
    questions,
    read::{View, mx_hosts},
    text::target,
};
use gatepost_contract::{
    DnsFindingKind as Kind,
    RecordType::{A, Srv},
    Severity,
};
use std::{collections::BTreeSet, net::IpAddr};

pub fn look(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    // The old MX often is the same machine as the old mail server, under another name.
    let expected = plan.expected_mx();
    let mut old_hosts = plan.old_hosts.clone();
    old_hosts.extend(mx_hosts(view.0).into_iter().filter(|host| !host.is_empty() && !expected.contains(host)));
    let old: BTreeSet<IpAddr> = old_hosts.iter().flat_map(|host| view.addresses(host)).collect();
    let leads_to_old = |host: &str| {
        old_hosts.iter().any(|known| known == host) || view.addresses(host).iter().any(|ip| old.contains(ip))
    };
    let mut names = Vec::new();
    for name in questions::service_names(domain) {
        let targets = view.records(&name, Srv).into_iter().filter_map(target).filter(|host| !host.is_empty());
        let to_old: Vec<&str> = targets.filter(|host| leads_to_old(host)).collect();
        if !to_old.is_empty() {
            names.push(format!("{name} (to {})", list(&to_old)));
        }
    }
    for name in questions::client_names(domain) {
        let alias = view.alias(&name, A);
        if alias.is_some_and(leads_to_old) || leads_to_old(&name) {
            names.push(match alias {
                Some(alias) => format!("{name} (to {alias})"),
                None => name,
            });
        }
    }
    if names.is_empty() {
        return;
    }
    let when = if plan.applied { "Point them to the new server now" } else { "Move them together with the MX" };
    let sentence = format!(
        "Mail programs are led to the old server by {}. {when}, or users go on working in the old mailbox and set up new \
         devices there. A name that Gatepost itself uses to reach the old server must stay until the job is verified.",
        list(&names)
    );
    found.add(Severity::Warning, Kind::ClientsOld, domain, sentence);
}
