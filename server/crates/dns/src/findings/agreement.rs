//! Whether the resolvers answered, and whether they say the same.

use super::{Found, Plan, list};
use crate::read::{View, conclusive, hosts};
use gatepost_contract::{
    DnsAnswer, DnsFindingKind as Kind, LookupStatus,
    RecordType::{self, A, Aaaa, Mx, Ns, Txt},
    Severity,
};
use std::collections::BTreeMap;

/// Whether anything is known of the MX. Nothing else is worth saying where it is not.
pub fn somebody_answered(view: View<'_>, found: &mut Found) -> bool {
    let domain = &view.0.domain;
    if view.best(domain, Mx).is_some() {
        return true;
    }
    let asked = view.0.resolvers.iter().filter(|resolver| resolver.not_asked.is_none()).count();
    let sentence = format!(
        "None of the {asked} resolvers that were asked could say where mail for {domain} goes, so nothing can be told \
         about a change. Check that this machine reaches them (GATEPOST_DNS_RESOLVERS) and that the domain's DNS works."
    );
    found.add(Severity::Problem, Kind::NoAnswer, domain, sentence);
    false
}

pub fn look(view: View<'_>, plan: &Plan, found: &mut Found) {
    silent(view, found);
    disagreement(view, plan, found);
}

fn silent(view: View<'_>, found: &mut Found) {
    for resolver in &view.0.resolvers {
        if let Some(why) = &resolver.not_asked {
            let sentence = format!("The domain's own server {} was not asked: {why}.", resolver.name);
            found.add(Severity::Info, Kind::ResolverSilent, &resolver.name, sentence);
            continue;
        }
        let failed = view.answers(&view.0.domain, Mx).find(|a| a.resolver == resolver.name && !conclusive(a));
        if let Some(answer) = failed {
            let why = answer.note.clone().unwrap_or_else(|| answer.status.to_string());
            let who = if resolver.authoritative { "The domain's own server" } else { "The resolver" };
            let mut sentence =
                format!("{who} {} did not say where mail for {} goes: {why}.", resolver.name, view.0.domain);
            if resolver.authoritative {
                sentence.push_str(" Some senders will ask it, and wait or give up.");
            }
            found.add(Severity::Warning, Kind::ResolverSilent, &resolver.name, sentence);
        }
    }
}

/// Answers that count, by what they say.
fn by_content<'a>(answers: impl Iterator<Item = &'a DnsAnswer>) -> BTreeMap<Vec<String>, Vec<&'a DnsAnswer>> {
    let mut groups: BTreeMap<Vec<String>, Vec<&DnsAnswer>> = BTreeMap::new();
    for answer in answers.filter(|answer| conclusive(answer)) {
        let wanted = answer.records.iter().filter(|record| record.record_type == answer.record_type);
        let mut said: Vec<String> = wanted.map(|record| record.data.clone()).collect();
        said.sort();
        groups.entry(said).or_default().push(answer);
    }
    groups
}

fn disagreement(view: View<'_>, plan: &Plan, found: &mut Found) {
    let domain = &view.0.domain;
    // After the change resolvers are expected to differ for a while: how far it has spread is told elsewhere.
    let kinds: &[RecordType] = if plan.applied { &[Ns] } else { &[Mx, Ns, Txt] };
    for kind in kinds {
        let groups = by_content(view.answers(domain, *kind));
        if groups.len() > 1 {
            let sentence = format!("{} {}", differ(domain, *kind, &groups), because(view, &groups));
            let severity = if *kind == Mx { Severity::Problem } else { Severity::Warning };
            found.add(severity, Kind::Disagreement, format!("{domain} {kind}"), sentence);
        }
    }
    if !plan.applied {
        let hosts = plan.expected_mx().into_iter().chain(plan.old_hosts.iter().cloned());
        for host in hosts {
            for kind in [A, Aaaa] {
                let groups = by_content(view.answers(&host, kind).filter(|a| a.status == LookupStatus::Answered));
                if groups.len() > 1 {
                    // Large providers answer with other addresses at every place, and rightly so.
                    let sentence = differ(&host, kind, &groups);
                    found.add(Severity::Info, Kind::Disagreement, format!("{host} {kind}"), sentence);
                }
            }
        }
    }
}

fn differ(name: &str, kind: RecordType, groups: &BTreeMap<Vec<String>, Vec<&DnsAnswer>>) -> String {
    let parts: Vec<String> = groups
        .iter()
        .map(|(said, answers)| {
            let who: Vec<&str> = answers.iter().map(|answer| answer.resolver.as_str()).collect();
            let what = match (kind, answers.first()) {
                (_, _) if said.is_empty() => "no record".to_owned(),
                (Mx, Some(answer)) => list(&hosts(answer)),
                _ => list(said),
            };
            format!("{} from {}", shortened(&what), list(&who))
        })
        .collect();
    format!("The resolvers give different {kind} records for {name}: {}.", parts.join("; "))
}

fn because(view: View<'_>, groups: &BTreeMap<Vec<String>, Vec<&DnsAnswer>>) -> &'static str {
    let own = groups.values().filter(|answers| answers.iter().any(|a| view.is_authoritative(a))).count();
    if own > 1 {
        "The domain's own servers differ among themselves: a secondary server was not updated. Mend that first, or some \
         senders will keep the old records for ever."
    } else {
        "Either the record was changed a short while ago and caches still hold the old one, or a resolver tells lies. \
         Wait for the TTL to pass and read again before anything is changed."
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("…".chars()).collect()
}
