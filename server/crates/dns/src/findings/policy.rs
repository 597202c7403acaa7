//! Who may send for the domain, and what receivers are told about it: SPF, DKIM, DMARC, MTA-STS.

use super::{Found, Plan, list};
use crate::{
    questions,
    read::View,
    spf::{self, Covered},
};
use gatepost_contract::{DnsFindingKind as Kind, RecordType::Txt, Severity};
use std::{collections::BTreeSet, net::IpAddr};

pub fn look(view: View<'_>, plan: &Plan, found: &mut Found) {
    look_at_spf(view, plan, found);
    dkim(view, plan, found);
    dmarc(view, found);
    mta_sts(view, plan, found);
}

fn look_at_spf(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    if view.best(domain, Txt).is_none() {
        return;
    }
    match spf::records(view, domain).as_slice() {
        [] => {
            let sentence = format!(
                "{domain} has no SPF record, so nothing tells receivers which servers may send for it. Publish one that \
                 names the new server."
            );
            found.add(Severity::Info, Kind::SpfMissing, domain, sentence);
        }
        [one] => spf_of_new_host(view, plan, one, found),
        several => {
            let sentence = format!(
                "{domain} has {} SPF records, which receivers treat as an error (RFC 7208 section 4.5): put them together \
                 into one.",
                several.len()
            );
            found.add(Severity::Problem, Kind::SpfSeveral, domain, sentence);
        }
    }
}

fn spf_of_new_host(view: View<'_>, plan: &Plan, record: &str, found: &mut Found) {
    let wanted = view.addresses(&plan.new_host);
    if wanted.is_empty() {
        return;
    }
    let mx: BTreeSet<IpAddr> = plan.expected_mx().iter().flat_map(|host| view.addresses(host)).collect();
    let addresses: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let (host, domain) = (&plan.new_host, &view.0.domain);
    match spf::covers(view, domain, &mx, &wanted) {
        Covered::Yes => {}
        Covered::No => {
            let hard = record.to_ascii_lowercase().ends_with("-all");
            let effect = if hard { "will be refused" } else { "may be put into spam folders" };
            let sentence = format!(
                "SPF does not allow the new server {host} ({}) to send for {domain}: what it sends {effect}. Add a:{host}, \
                 or what the new provider asks for, before users send from there.",
                list(&addresses)
            );
            found.add(Severity::Warning, Kind::SpfNewHost, domain, sentence);
        }
        Covered::Unknown => {
            let sentence = format!(
                "Whether SPF allows the new server {host} ({}) to send for {domain} could not be told from the records \
                 that were read. Look at it: {record}",
                list(&addresses)
            );
            found.add(Severity::Info, Kind::SpfNewHost, domain, sentence);
        }
    }
}

fn dkim(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    let names = questions::dkim_names(domain, &plan.selectors);
    let is_key = |name: &&String| view.texts(name).iter().any(|text| text.contains("p="));
    let mut keys: Vec<&String> = names.iter().filter(is_key).collect();
    keys.extend(names.iter().filter(|name| !is_key(name) && view.alias(name, Txt).is_some()));
    if keys.is_empty() {
        let sentence = format!(
            "No DKIM key of {domain} was found under the usual names. If mail is signed, enter the selector in the \
             settings below, so that its key is kept with the old values."
        );
        found.add(Severity::Info, Kind::DkimMissing, domain, sentence);
        return;
    }
    let selectors: Vec<String> = keys
        .iter()
        .map(|name| {
            let selector = name.split('.').next().unwrap_or_default().to_owned();
            view.alias(name, Txt).map(|alias| format!("{selector} (kept at {alias})")).unwrap_or(selector)
        })
        .collect();
    let sentence = format!(
        "There are DKIM keys under {}. They belong to whoever signs now. The new server signs with a key of its own: \
         publish that under another selector before users send from there, and leave the old ones for some days, because \
         mail on its way is checked against them.",
        list(&selectors)
    );
    found.add(Severity::Info, Kind::DkimOld, domain, sentence);
}

/// The value of a tag in `v=DMARC1; p=reject`.
fn tag<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    record.split(';').filter_map(|part| part.split_once('=')).find(|(key, _)| key.trim() == name).map(|(_, v)| v.trim())
}

fn dmarc(view: View<'_>, found: &mut Found) {
    let domain = &view.0.domain;
    let name = format!("_dmarc.{domain}");
    if view.best(&name, Txt).is_none() {
        return;
    }
    let records: Vec<String> = view.texts(&name).into_iter().filter(|text| text.starts_with("v=DMARC1")).collect();
    let Some(record) = records.first() else {
        let sentence = format!(
            "{domain} has no DMARC record. Large receivers expect one; p=none is a beginning that breaks nothing."
        );
        found.add(Severity::Info, Kind::DmarcMissing, name, sentence);
        return;
    };
    if let Some(policy @ ("reject" | "quarantine")) = tag(record, "p") {
        let effect = if policy == "reject" { "refuse" } else { "put into spam folders" };
        let sentence = format!(
            "DMARC tells receivers to {effect} mail of {domain} that neither SPF nor DKIM vouches for (p={policy}). Before \
             users send through the new server, SPF must allow it or its DKIM key must be published; or set p=none until \
             both are in place."
        );
        found.add(Severity::Warning, Kind::DmarcStrict, name, sentence);
    }
}

fn mta_sts(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    let name = format!("_mta-sts.{domain}");
    if plan.applied || !view.texts(&name).iter().any(|text| text.starts_with("v=STSv1")) {
        return;
    }
    let expected = plan.expected_mx();
    let sentence = format!(
        "MTA-STS is in use (RFC 8461). Senders that hold its policy deliver only to the hosts it names. Before the MX is \
         changed, https://mta-sts.{domain}/.well-known/mta-sts.txt must name {} beside the old hosts, the id in {name} must \
         change, and the policy's max_age must pass; or set its mode to none first.",
        list(&expected)
    );
    found.add(Severity::Warning, Kind::MtaSts, name, sentence);
}
