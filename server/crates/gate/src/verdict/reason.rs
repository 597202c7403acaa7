//! Why the gate is what it is, in one sentence: the same for the API, the pages and the command line. Checks are
//! named by their titles, and whatever keeps the gate shut is followed by what to do next.

use super::{Standing, on};
use crate::facts::Facts;
use gatepost_contract::{Check, CheckId, CheckStatus};

const READ_AGAIN: &str = "an ops lead or super admin reads the newest evidence and approves again";

pub(super) fn reason(facts: &Facts, standing: &Standing<'_>, checks: &[Check]) -> String {
    let having = |status: CheckStatus| checks.iter().filter(|check| check.status == status).collect::<Vec<_>>();
    let (failing, warning) = (having(CheckStatus::Fail), having(CheckStatus::Warn));
    let noted = match titles(&warning) {
        none if none.is_empty() => ".".to_owned(),
        some => format!("; warnings: {some}."),
    };
    match standing {
        Standing::Missing if failing.is_empty() => match &facts.revoked_why {
            None => format!(
                "No check fails, but nobody has approved yet: an ops lead or super admin reads the evidence and \
                 approves{noted}"
            ),
            Some(why) => format!("No check fails, but the last approval was taken away: {why}; {READ_AGAIN}{noted}"),
        },
        Standing::Missing => blocked(&failing, ""),
        Standing::Revoked(approval, worse) if failing.is_empty() => format!(
            "No check fails, but the approval of {} {} no longer stands: {}; {READ_AGAIN}{noted}",
            approval.by,
            on(approval.evidence_id),
            revocation(worse, &failing)
        ),
        Standing::Revoked(approval, _) => {
            let fallen = format!("; the approval of {} {} no longer stands", approval.by, on(approval.evidence_id));
            blocked(&failing, &fallen)
        }
        Standing::Overridden(approval, reason) => {
            format!("Overridden by {} in spite of {}; the reason: {reason}", approval.by, titles(&failing))
        }
        Standing::Acted(approval) => match leading(&failing) {
            Some(first) => format!(
                "The MX was changed under the approval of {}, which stands; failing now: {}: {}",
                approval.by,
                titles(&failing),
                first.message
            ),
            None => format!("The MX was changed under the approval of {}; no check fails{noted}", approval.by),
        },
        Standing::Approved(approval) => {
            format!("Approved by {} {}; no check fails{noted}", approval.by, on(approval.evidence_id))
        }
    }
}

/// Why an approval no longer stands, as a part of a sentence.
pub(super) fn revocation(worse: &str, failing: &[&Check]) -> String {
    match leading(failing) {
        Some(first) => format!("{} fails: {}", quoted(first.check_id), without_stop(&first.message)),
        None => format!("there is more to look at than was signed ({worse})"),
    }
}

/// What to do first stands in front; checks that fail for the same reason are not repeated.
fn blocked(failing: &[&Check], fallen: &str) -> String {
    let Some(first) = leading(failing) else { return String::new() };
    let others: Vec<&Check> = failing.iter().copied().filter(|check| check.message != first.message).collect();
    let alike = failing.len() - others.len();
    let by = if alike == 1 { format!(" by {}", quoted(first.check_id)) } else { String::new() };
    let also = if others.is_empty() { String::new() } else { format!("; also failing: {}", titles(&others)) };
    format!("Blocked{by}: {}{also}{fallen}.", without_stop(&first.message))
}

/// The check whose message says what to do next. Copying comes before proving: where the delta has never run, a
/// verification would only say so once more.
fn leading<'a>(failing: &[&'a Check]) -> Option<&'a Check> {
    let first = failing.first().copied()?;
    let uncopied = failing.iter().copied().find(|check| check.check_id == CheckId::DeltaPending);
    let nothing_to_copy = first.message == crate::checks::NO_MAILBOXES;
    Some(uncopied.filter(|_| !nothing_to_copy).unwrap_or(first))
}

fn titles(checks: &[&Check]) -> String {
    checks.iter().map(|check| quoted(check.check_id)).collect::<Vec<_>>().join(", ")
}

fn quoted(check: CheckId) -> String {
    format!("“{}”", check.title())
}

fn without_stop(sentence: &str) -> &str {
    sentence.strip_suffix('.').unwrap_or(sentence)
}
