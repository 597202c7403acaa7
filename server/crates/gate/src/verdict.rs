//! The verdict: the eight checks weighed against a person's approval.
//!
//! "Fails" below means any check but `manual_approval`, which never fails: it passes while the approval stands, and
//! warns otherwise.
//!
//! | the job carries | a check fails | the MX was changed | approval stands | gate |
//! |---|---|---|---|---|
//! | no approval | no | any | – | `warning` |
//! | no approval | yes | any | – | `blocked` |
//! | an approval or an override | any | yes | yes: nothing takes it away any more | `ready_for_dns` |
//! | an approval or an override, on whatever evidence | no | no | yes | `ready_for_dns` |
//! | an override on the current evidence | yes | no | yes | `ready_for_dns` |
//! | an override on other evidence | yes | no | no: **revoked** | `blocked` |
//! | an approval | yes | no | no: **revoked** | `blocked` |
//!
//! - A check that warns does not hold an approved gate: the approver has read the warning and signed it. An approval
//!   is only accepted while nothing fails ([`Verdict::approvable`]).
//! - An approval on older evidence stands while nothing fails under the newer, and the check says on which evidence
//!   it was given.
//! - An override is bound to the evidence that its author saw. One that was given before there was any evidence holds
//!   until there is some.
//! - The caller must store a revocation ([`Verdict::revoked`]) with an audit row, so that later and better evidence
//!   does not bring the old approval back.
//!
//! Who may approve or override is not known here.

use crate::{
    checks::{self, Finding, pass, warn},
    facts::{Approval, Facts},
};
use gatepost_contract::{Check, CheckId, CheckStatus, EvidenceId, Gate};

/// What the gate says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the MX may be changed.
    pub gate: Gate,
    /// All eight checks, in the order of [`CheckId::ALL`].
    pub checks: Vec<Check>,
    /// Why the gate is what it is, for a person.
    pub reason: String,
    /// Whether an approval without an override would be accepted now: nothing fails.
    pub approvable: bool,
    /// Whether the approval that the job carries has to be taken away.
    pub revoked: bool,
}

/// What an approval is worth under the present checks.
#[derive(Clone, Copy)]
enum Standing<'a> {
    Missing,
    Approved(&'a Approval),
    /// In spite of failing checks, with the reason.
    Overridden(&'a Approval, &'a str),
    /// The MX was changed under it; checks may fail since.
    Acted(&'a Approval),
    Revoked(&'a Approval),
}

/// Judges a job.
#[must_use]
pub fn judge(facts: &Facts) -> Verdict {
    let mut checks: Vec<Check> = Vec::with_capacity(CheckId::ALL.len());
    let mut add = |check_id, Finding { status, message }| {
        checks.push(Check { check_id, status, message, checked_at: facts.sampled_at.clone() });
    };
    add(CheckId::CountRatio, checks::count_ratio(facts));
    add(CheckId::FolderCoverage, checks::folder_coverage(facts));
    add(CheckId::InboxComplete, checks::inbox_complete(facts));
    add(CheckId::SentComplete, checks::sent_complete(facts));
    add(CheckId::ContentMatch, checks::content_match(facts));
    add(CheckId::PstQuarantine, checks::pst_quarantine(facts));
    add(CheckId::DeltaPending, checks::delta_pending(facts));

    let failing: Vec<&Check> = checks.iter().filter(|check| check.status == CheckStatus::Fail).collect();
    let warning = ids(checks.iter().filter(|check| check.status == CheckStatus::Warn));
    let approvable = failing.is_empty();
    let standing = weigh(facts, !approvable);
    let gate = match standing {
        Standing::Approved(_) | Standing::Overridden(..) | Standing::Acted(_) => Gate::ReadyForDns,
        Standing::Missing | Standing::Revoked(_) if approvable => Gate::Warning,
        Standing::Missing | Standing::Revoked(_) => Gate::Blocked,
    };
    let reason = reason(standing, &failing, &warning);
    let Finding { status, message } = manual_approval(facts.current_evidence, standing);
    checks.push(Check { check_id: CheckId::ManualApproval, status, message, checked_at: facts.sampled_at.clone() });
    Verdict { gate, checks, reason, approvable, revoked: matches!(standing, Standing::Revoked(_)) }
}

fn weigh(facts: &Facts, fails: bool) -> Standing<'_> {
    match &facts.approval {
        None => Standing::Missing,
        Some(approval) if facts.dns_cutover => Standing::Acted(approval),
        Some(approval) if !fails => Standing::Approved(approval),
        Some(approval) => match approval.overriding() {
            Some(reason) if approval.evidence_id == facts.current_evidence => Standing::Overridden(approval, reason),
            _ => Standing::Revoked(approval),
        },
    }
}

fn manual_approval(current: Option<EvidenceId>, standing: Standing<'_>) -> Finding {
    match standing {
        Standing::Missing => {
            warn("Nobody has approved yet; an ops lead or super admin reads the evidence and approves.")
        }
        Standing::Revoked(approval) => warn(format!(
            "The approval of {} {} no longer stands, because a check fails now; it has to be given again.",
            approval.by,
            on(approval.evidence_id)
        )),
        Standing::Overridden(approval, reason) => pass(format!(
            "{} overrode the failing checks {}; the reason: {reason}",
            approval.by,
            on(approval.evidence_id)
        )),
        Standing::Approved(approval) | Standing::Acted(approval) => {
            let newer = match current {
                Some(current) if approval.evidence_id != Some(current) => format!("; the newest is {current}"),
                _ => String::new(),
            };
            let reason = approval.overriding().map(|r| format!("; the reason of the override: {r}"));
            pass(format!(
                "Approved by {} {}{newer}{}",
                approval.by,
                on(approval.evidence_id),
                reason.unwrap_or_else(|| ".".to_owned())
            ))
        }
    }
}

fn reason(standing: Standing<'_>, failing: &[&Check], warning: &str) -> String {
    let failing_ids = ids(failing.iter().copied());
    let noted = if warning.is_empty() { String::new() } else { format!(" Warnings: {warning}.") };
    match (standing, failing) {
        (Standing::Missing | Standing::Revoked(_), [first, rest @ ..]) => {
            let more = ids(rest.iter().copied());
            let more = if more.is_empty() { String::new() } else { format!(" Failing too: {more}.") };
            format!("{} fails: {}{more}", first.check_id, first.message)
        }
        (Standing::Missing | Standing::Revoked(_), []) => {
            format!("No check fails; an ops lead or super admin has to approve.{noted}")
        }
        (Standing::Overridden(approval, reason), _) => {
            format!("Overridden by {} in spite of {failing_ids}; the reason: {reason}", approval.by)
        }
        (Standing::Acted(approval), [first, ..]) => format!(
            "The MX was changed under the approval of {}, which stands; failing now: {failing_ids}. {}",
            approval.by, first.message
        ),
        (Standing::Acted(approval), []) => {
            format!("The MX was changed under the approval of {}; no check fails.{noted}", approval.by)
        }
        (Standing::Approved(approval), _) => {
            format!("Approved by {} {}; no check fails.{noted}", approval.by, on(approval.evidence_id))
        }
    }
}

fn on(evidence: Option<EvidenceId>) -> String {
    evidence.map_or_else(|| "before there was evidence".to_owned(), |id| format!("on evidence {id}"))
}

fn ids<'a>(checks: impl Iterator<Item = &'a Check>) -> String {
    checks.map(|check| check.check_id.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
