//! What a change of the MX will break and why, from a snapshot and what is planned. Pure: no network, no clock.

mod agreement;
mod clients;
mod mx;
mod policy;

use crate::{read::View, spread::SHORT_TTL};
use gatepost_contract::{DnsFinding, DnsFindingKind, DnsSnapshot, Severity};

/// What is planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The old mail servers, as the mailboxes name them.
    pub old_hosts: Vec<String>,
    /// The new mail server.
    pub new_host: String,
    /// The hosts that the new MX will name; empty while nobody has said so.
    pub new_mx: Vec<String>,
    /// DKIM selectors, beside the usual ones.
    pub selectors: Vec<String>,
    /// Whether the MX was changed, by the job's own books.
    pub applied: bool,
}

impl Plan {
    /// The hosts that the new MX is expected to name.
    pub(crate) fn expected_mx(&self) -> Vec<String> {
        if self.new_mx.is_empty() { vec![self.new_host.clone()] } else { self.new_mx.clone() }
    }
}

/// Collects findings.
struct Found(Vec<DnsFinding>);

impl Found {
    fn add(&mut self, severity: Severity, kind: DnsFindingKind, subject: impl Into<String>, sentence: String) {
        self.0.push(DnsFinding { severity, kind, subject: subject.into(), sentence });
    }
}

/// What to look at, the gravest first.
#[must_use]
pub fn findings(snapshot: &DnsSnapshot, plan: &Plan) -> Vec<DnsFinding> {
    let view = View(snapshot);
    let mut found = Found(Vec::new());
    if agreement::somebody_answered(view, &mut found) {
        mx::look(view, plan, &mut found);
        policy::look(view, plan, &mut found);
        clients::look(view, plan, &mut found);
    }
    agreement::look(view, plan, &mut found);
    found.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.0
}

/// `a, b and c`.
fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// Seconds in words: `1 day`, `4 hours`, `5 minutes`, `45 seconds`; rounded up.
pub(crate) fn in_words(seconds: u32) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds.div_ceil(60), "minute"),
        7_200..86_400 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

const fn is_short(ttl: u32) -> bool {
    ttl <= SHORT_TTL
}

#[cfg(test)]
#[path = "findings_tests.rs"]
pub(crate) mod tests;
