//! The customer's edition: what the owner of a domain may know of its move. Staff become "staff", servers lose their
//! addresses, mailboxes are masked, what was written for colleagues goes, and nothing of a single message remains.

use crate::model::{DnsPart, Edition, Report};
use std::collections::{BTreeMap, BTreeSet};

impl Report {
    /// The same report without names of people, without addresses of servers, without single messages, without the
    /// audit log's rows.
    #[must_use]
    pub fn for_customer(mut self) -> Self {
        self.edition = Edition::Customer;
        self.job.source_label = String::new();
        self.job.dest_host = String::new();
        self.job.ticket_id = None;
        self.summary.worst_mailbox = self.summary.worst_mailbox.as_deref().map(masked);
        if let Some(approval) = &mut self.gate.approval {
            approval.by = staff(&approval.by);
            // That checks were overruled is said; the words were written for colleagues.
            approval.override_reason = approval.override_reason.as_ref().map(|_| String::new());
        }
        for verdict in &mut self.gate.history {
            verdict.actor = staff(&verdict.actor);
        }
        // A check's sentence may name a mailbox or a folder; the customer sees how each check came out.
        for check in &mut self.gate.checks {
            check.message = String::new();
        }
        self.gate.reason = String::new();
        for mailbox in &mut self.mailboxes {
            mailbox.email = masked(&mailbox.email);
            mailbox.source_host = None;
            mailbox.last_error = None;
            mailbox.files = Vec::new();
            mailbox.folders = Vec::new();
        }
        self.residue.items = Vec::new();
        self.residue.listed = 0;
        for waiver in &mut self.waivers {
            waiver.actor = staff(&waiver.actor);
            waiver.mailbox = masked(&waiver.mailbox);
            waiver.reason = String::new();
        }
        self.runs.iter_mut().for_each(|run| run.mailbox = run.mailbox.as_deref().map(masked));
        self.engines.iter_mut().for_each(|engine| engine.options = BTreeMap::new());
        for entry in &mut self.timeline {
            entry.actor = staff(&entry.actor);
            entry.reason = None;
        }
        for verdict in &mut self.gate.history {
            verdict.reason = String::new();
        }
        self.audit.entries = Vec::new();
        own_names(&mut self.dns, &self.job.domain);
        self
    }
}

/// Keeps what anybody can ask of the domain itself: no other names, which are those of servers, and for each resolver a
/// number, the same in every reading.
fn own_names(readings: &mut [DnsPart], domain: &str) {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    for reading in readings.iter_mut() {
        reading.records.retain(|record| {
            let name = record.name.trim_end_matches('.').to_ascii_lowercase();
            name.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
    }
    let resolvers: BTreeSet<String> =
        readings.iter().flat_map(|reading| &reading.records).flat_map(|r| r.resolvers.iter().cloned()).collect();
    let numbers: BTreeMap<String, String> = resolvers.into_iter().zip((1..).map(|n: u32| n.to_string())).collect();
    for resolver in readings.iter_mut().flat_map(|r| &mut r.records).flat_map(|r| &mut r.resolvers) {
        *resolver = numbers.get(resolver).cloned().unwrap_or_default();
    }
}

/// Who it was, without a name.
fn staff(actor: &str) -> String {
    match actor {
        "worker" => "worker".to_owned(),
        token if token.starts_with("token:") => "program".to_owned(),
        _ => "staff".to_owned(),
    }
}

/// `maria.silva@example.org` as `ma…@example.org`.
fn masked(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let shown: String = local.chars().take(if local.chars().count() > 3 { 2 } else { 1 }).collect();
    if domain.is_empty() { format!("{shown}…") } else { format!("{shown}…@{domain}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_and_staff_have_no_names() {
        for (address, shown) in [
            ("maria.silva@example.org", "ma…@example.org"),
            ("bo@example.org", "b…@example.org"),
            ("x", "x…"),
            ("", "…"),
        ] {
            assert_eq!(masked(address), shown);
        }
        for (actor, shown) in
            [("olga@desk.example", "staff"), ("worker", "worker"), ("token:wizard", "program"), ("cli", "staff")]
        {
            assert_eq!(staff(actor), shown);
        }
    }
}
