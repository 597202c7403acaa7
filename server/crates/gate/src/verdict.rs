//! The verdict: the eight checks weighed against a person's approval.
//!
//! "Fails" below means any check but `manual_approval`, which never fails: it passes while the approval stands, and
//! warns otherwise.
//!
//! | the job carries | a check fails | a figure is worse than signed | the MX was changed | approval stands | gate |
//! |---|---|---|---|---|---|
//! | no approval | no | – | any | – | `warning` |
//! | no approval | yes | – | any | – | `blocked` |
//! | an approval or an override | any | any | yes | yes: nothing takes it away any more | `ready_for_dns` |
//! | an approval or an override | no | no | no | yes | `ready_for_dns` |
//! | an approval or an override | no | yes | no | no: **revoked** | `warning` |
//! | an override on the current evidence | yes | no | no | yes | `ready_for_dns` |
//! | an override on other evidence | yes | any | no | no: **revoked** | `blocked` |
//! | an approval | yes | any | no | no: **revoked** | `blocked` |
//!
//! - A check that warns does not hold an approved gate: the approver has read the warning and signed it. An approval
//!   is only accepted while nothing fails ([`Verdict::approvable`]).
//! - An approval signs figures ([`crate::figures`]), in sum and of each mailbox. On older evidence it stands while nothing
//!   fails under the newer and none of these figures is worse, and the check says on which evidence it was given.
//! - An override is bound to the evidence that its author saw, and to the checks that failed then: it is taken away when
//!   another one fails. One that was given before there was any evidence holds until there is some. It also stands when
//!   that evidence grows old: the old server may be gone.
//! - The caller must store a revocation ([`Verdict::revoked_why`]) with an audit row, so that later and better
//!   evidence does not bring the old approval back.
//!
//! Who may approve or override is not known here.

mod reason;

use crate::{
    checks::{self, Finding, pass, warn},
    facts::{Approval, Facts},
    figures,
};
use gatepost_contract::{Check, CheckId, CheckStatus, EvidenceId, Gate};

/// What the gate says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the MX may be changed.
    pub gate: Gate,
    /// All eight checks, in the order of [`CheckId::ALL`].
    pub checks: Vec<Check>,
    /// Why the gate is what it is and what to do next, in one sentence for a person.
    pub reason: String,
    /// Whether an approval without an override would be accepted now: nothing fails.
    pub approvable: bool,
    /// Whether the approval that the job carries has to be taken away.
    pub revoked: bool,
    /// Why it has to be, as a part of a sentence.
    pub revoked_why: Option<String>,
}

/// What an approval is worth under the present checks.
enum Standing<'a> {
    Missing,
    Approved(&'a Approval),
    /// In spite of failing checks, with the reason.
    Overridden(&'a Approval, &'a str),
    /// The MX was changed under it; checks may fail since.
    Acted(&'a Approval),
    /// A check fails, or what these words say is worse than what was signed.
    Revoked(&'a Approval, String),
}

/// Judges a job.
#[must_use]
pub fn judge(facts: &Facts) -> Verdict {
    let mut checks = Vec::with_capacity(CheckId::ALL.len());
    for (check_id, Finding { status, message }) in findings(facts) {
        checks.push(Check { check_id, status, message, checked_at: facts.sampled_at.clone() });
    }
    let failing: Vec<&Check> = checks.iter().filter(|check| check.status == CheckStatus::Fail).collect();
    let approvable = failing.is_empty();
    let standing = weigh(facts, !approvable);
    let gate = match standing {
        Standing::Approved(_) | Standing::Overridden(..) | Standing::Acted(_) => Gate::ReadyForDns,
        Standing::Missing | Standing::Revoked(..) if approvable => Gate::Warning,
        Standing::Missing | Standing::Revoked(..) => Gate::Blocked,
    };
    let reason = reason::reason(facts, &standing, &checks);
    let revoked_why = match &standing {
        Standing::Revoked(_, worse) => Some(reason::revocation(worse, &failing)),
        _ => None,
    };
    let Finding { status, message } = manual_approval(facts, &standing, revoked_why.as_deref());
    checks.push(Check { check_id: CheckId::ManualApproval, status, message, checked_at: facts.sampled_at.clone() });
    Verdict { gate, checks, reason, approvable, revoked: revoked_why.is_some(), revoked_why }
}

/// The seven checks that look at evidence and runs.
fn findings(facts: &Facts) -> [(CheckId, Finding); 7] {
    [
        (CheckId::CountRatio, checks::count_ratio(facts)),
        (CheckId::FolderCoverage, checks::folder_coverage(facts)),
        (CheckId::InboxComplete, checks::inbox_complete(facts)),
        (CheckId::SentComplete, checks::sent_complete(facts)),
        (CheckId::ContentMatch, checks::content_match(facts)),
        (CheckId::PstQuarantine, checks::pst_quarantine(facts)),
        (CheckId::DeltaPending, checks::delta_pending(facts)),
    ]
}

/// Whether all that fails failed already when the override was given, but for what fails by the age of the evidence.
fn covers(approval: &Approval, facts: &Facts) -> bool {
    let Some(overridden) = &approval.overridden else { return true };
    let ageless = Facts { evidence_max_age_seconds: i64::MAX, ..facts.clone() };
    let failing = findings(&ageless).into_iter().filter(|(_, finding)| finding.status == CheckStatus::Fail);
    failing.into_iter().all(|(check, _)| overridden.contains(&check))
}

fn weigh(facts: &Facts, fails: bool) -> Standing<'_> {
    let Some(approval) = &facts.approval else { return Standing::Missing };
    if facts.dns_cutover {
        return Standing::Acted(approval);
    }
    let worse = figures::worse_than_signed(approval, facts);
    match approval.overriding() {
        _ if !fails && worse.is_empty() => Standing::Approved(approval),
        Some(reason)
            if fails
                && worse.is_empty()
                && approval.evidence_id == facts.current_evidence
                && covers(approval, facts) =>
        {
            Standing::Overridden(approval, reason)
        }
        _ => Standing::Revoked(approval, worse),
    }
}

fn manual_approval(facts: &Facts, standing: &Standing<'_>, revoked_why: Option<&str>) -> Finding {
    match standing {
        Standing::Missing => match &facts.revoked_why {
            None => warn("Nobody has approved yet; an ops lead or super admin reads the evidence and approves."),
            Some(why) => warn(format!("The last approval was taken away: {why}; it has to be given again.")),
        },
        Standing::Revoked(approval, _) => warn(format!(
            "The approval of {} {} no longer stands: {}; it has to be given again.",
            approval.by,
            on(approval.evidence_id),
            revoked_why.unwrap_or_default()
        )),
        Standing::Overridden(approval, reason) => pass(format!(
            "{} overrode the failing checks {}; the reason: {reason}",
            approval.by,
            on(approval.evidence_id)
        )),
        Standing::Approved(approval) | Standing::Acted(approval) => {
            let newer = match facts.current_evidence {
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

fn on(evidence: Option<EvidenceId>) -> String {
    evidence.map_or_else(|| "before there was evidence".to_owned(), |id| format!("on evidence {id}"))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
