//! How one source message stands, as far as the listings and digests tell. Pure.

use super::{listing::Entry, mime::Difference};
use crate::{Digests, Finding, Flags, InternalDate, ProofRow};
use gatepost_contract::{CauseKind, Fidelity, MessageState};

/// Why bytes must be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The depth asks for it.
    Depth,
    /// The sizes differ.
    Size,
    /// The Message-Ids differ.
    MessageId,
    /// The dates differ: nothing in the bytes can mend that.
    Date,
    /// Its copy was another one when it was last read.
    Known,
    /// The ledger does not link it with this copy, which lies in the right folder and looks the same.
    Unlinked,
}

/// What stands at the place where the ledger says that a message's copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A message.
    Copy(&'a Entry),
    /// Nothing, or the ledger names no place.
    Empty,
    /// A message that the ledger gives to another source message too.
    Taken,
    /// Its folder is not there or cannot be read, as this says.
    NoFolder(&'a str),
}

/// What the listings tell of one message.
#[derive(Debug)]
pub(super) struct Judged {
    pub finding: Finding,
    /// Why bytes must be read before the finding counts.
    pub doubt: Option<Doubt>,
    /// Its copy is not where it was: it may lie elsewhere.
    pub lost: bool,
}

/// The finding that leaves a row as it is.
pub(super) fn unchanged(row: &ProofRow) -> Finding {
    Finding {
        id: row.id,
        state: row.state,
        dest_uid: row.dest_uid,
        cause: row.cause.clone(),
        kind: row.kind,
        fidelity: row.fidelity,
        waiver_over: None,
        listed: None,
    }
}

/// Whether a finding says anything that the ledger does not hold already.
pub(super) fn differs(row: &ProofRow, finding: &Finding) -> bool {
    *finding != unchanged(row)
}

/// Judges by the listings alone.
pub(super) fn judge(row: &ProofRow, source: &Entry, place: Place<'_>, folder: &str) -> Judged {
    if row.unwaived {
        return unwaived(row, source, place, folder);
    }
    let finding = unchanged(row);
    let (state, lost) = (row.state, row.copied);
    match (state, place) {
        (MessageState::Waived, _) if !is_as_listed(row, source) => {
            let finding = Finding {
                waiver_over: Some("The message at the source is another one than the one that was waived.".to_owned()),
                dest_uid: None,
                fidelity: None,
                // What is given up next is this one.
                listed: Some((source.size, InternalDate { seconds: source.date, zone_minutes: 0 })),
                ..pending(finding, CauseKind::New, came())
            };
            Judged { finding, doubt: None, lost: false }
        }
        (MessageState::Waived, _) => waived(row, source, place, folder),
        (_, Place::Copy(copy)) => arrived(row, source, copy),
        // What was refused keeps its place and its cause.
        (MessageState::Quarantined, _) => Judged { finding, doubt: None, lost: false },
        (_, Place::NoFolder(why)) => {
            let finding = pending(finding, CauseKind::NoFolder, why.to_owned());
            Judged { finding: Finding { dest_uid: None, fidelity: None, ..finding }, doubt: None, lost }
        }
        (_, Place::Taken) => {
            let cause = "The ledger gives it the same copy as another message, so one of the two has none. Run a delta \
                         sync, which looks for its own.";
            let finding = pending(finding, CauseKind::Gone, cause.to_owned());
            // Its own copy may be near: a delta finds it by its bytes, and the damage is told until then.
            Judged { finding: Finding { dest_uid: None, fidelity: None, ..finding }, doubt: None, lost: false }
        }
        (_, Place::Empty) => {
            let (kind, cause) = missing(row, folder);
            let finding = pending(finding, kind, cause);
            Judged { finding: Finding { dest_uid: None, fidelity: None, ..finding }, doubt: None, lost }
        }
    }
}

/// Whether a message is the one that was first listed.
fn is_as_listed(row: &ProofRow, source: &Entry) -> bool {
    row.size == source.size && row.internal_date.seconds == source.date
}

/// What is marked as waived, while nobody has waived it, stands where it would without the mark.
fn unwaived(row: &ProofRow, source: &Entry, place: Place<'_>, folder: &str) -> Judged {
    let unmarked = ProofRow { state: MessageState::Pending, unwaived: false, ..row.clone() };
    let mut judged = judge(&unmarked, source, place, folder);
    let why = "The ledger has it as waived, but no waiver says by whom and why.";
    judged.finding.cause = judged.finding.cause.map(|cause| format!("{why} {cause}"));
    judged.finding.waiver_over = Some(why.to_owned());
    judged
}

fn pending(finding: Finding, kind: CauseKind, cause: String) -> Finding {
    Finding { state: MessageState::Pending, kind: Some(kind), cause: Some(cause), ..finding }
}

/// Why a message without a copy is missing.
fn missing(row: &ProofRow, folder: &str) -> (CauseKind, String) {
    match (row.kind, &row.cause) {
        _ if row.state == MessageState::Arrived && row.dest_uid.is_none() => (
            CauseKind::Gone,
            "The ledger says that it has arrived, but not which message at the destination it is. Run a delta sync, \
             which looks for it."
                .to_owned(),
        ),
        _ if row.copied => (
            CauseKind::Gone,
            format!(
                "It had been copied, but is no longer in {folder} at the destination. Run a delta sync to copy it again, \
                 or waive it if somebody deleted it on purpose."
            ),
        ),
        (Some(kind @ (CauseKind::New | CauseKind::Disconnects)), Some(cause)) => (kind, cause.clone()),
        _ => (CauseKind::NotCopied, "It has not been copied yet. Run a delta sync.".to_owned()),
    }
}

/// What is said of a message that came after the last copy.
pub(super) fn came() -> String {
    "It came to the source after the last sync. Run a delta sync.".to_owned()
}

/// A message with a copy where it belongs.
fn arrived(row: &ProofRow, source: &Entry, copy: &Entry) -> Judged {
    let known_as_changed = row.state == MessageState::Arrived && row.fidelity == Some(Fidelity::Changed);
    let doubt = difference(source, copy).or(known_as_changed.then_some(Doubt::Known));
    let finding = Finding {
        state: MessageState::Arrived,
        dest_uid: Some(copy.uid),
        kind: None,
        cause: None,
        fidelity: row.fidelity.filter(|f| row.state == MessageState::Arrived && *f != Fidelity::Changed),
        ..unchanged(row)
    };
    Judged { finding, doubt, lost: false }
}

/// How bad it is to have lost the whole message: whoever gives up that gives up everything.
const MISSING: u8 = 6;

/// How bad a copy is for this reason, where there is one.
fn badness(kind: Option<CauseKind>) -> u8 {
    match kind {
        None => 0,
        Some(CauseKind::Doubled) => 1,
        Some(CauseKind::Date) => 2,
        Some(CauseKind::Misplaced) => 3,
        Some(CauseKind::Truncated) => 5,
        Some(_) => 4,
    }
}

/// How bad that is which was given up.
fn given_up(row: &ProofRow) -> u8 {
    use CauseKind::{Content, Date, Doubled, Misplaced, Truncated};
    match row.kind {
        Some(Doubled | Date | Misplaced | Content | Truncated) => badness(row.kind),
        _ if row.fidelity == Some(Fidelity::Changed) => badness(Some(Content)),
        _ => MISSING,
    }
}

/// What becomes of a message that was given up and stands like this without that: a waiver covers what it was given
/// for, and nothing worse.
pub(super) fn weighed(row: &ProofRow, finding: Finding) -> Finding {
    let changed = finding.fidelity == Some(Fidelity::Changed);
    let now = match finding.state {
        MessageState::Arrived => badness(finding.kind.or(changed.then_some(CauseKind::Content))),
        _ => MISSING,
    };
    let why = match now {
        // Whether the copies too many have gone shows when all folders have been seen.
        0 if row.kind == Some(CauseKind::Doubled) => return unchanged(row),
        0 => "The message has arrived after all.",
        now if now > given_up(row) => "It stands worse than when it was waived.",
        _ => return unchanged(row),
    };
    Finding { waiver_over: Some(why.to_owned()), ..finding }
}

/// A message that was given up, and is the one that was: it stays so while it stands no worse, and has no good copy.
fn waived(row: &ProofRow, source: &Entry, place: Place<'_>, folder: &str) -> Judged {
    let given_up = given_up(row);
    let stays = |doubt, lost| Judged { finding: unchanged(row), doubt, lost };
    match place {
        Place::Copy(copy) => {
            let seen = difference(source, copy);
            let only_date = seen == Some(Doubt::Date) && (copy.size, copy.id) == (source.size, source.id);
            let doubt = match (row.kind, seen) {
                (Some(CauseKind::Doubled), seen) => seen,
                // Given up for what it still is, as far as can be seen.
                (Some(CauseKind::Date), _) if only_date => None,
                (_, Some(Doubt::Date)) if given_up == MISSING => None,
                (_, Some(Doubt::Date)) => Some(Doubt::Date),
                // Only the bytes tell whether it is a good one by now.
                _ => Some(Doubt::Known),
            };
            stays(doubt, false)
        }
        // Whether it still lies elsewhere shows when all folders have been seen.
        _ if row.kind == Some(CauseKind::Misplaced) => stays(None, true),
        _ if given_up == MISSING => stays(None, row.copied),
        _ => {
            let open = ProofRow { state: MessageState::Pending, kind: None, cause: None, copied: true, ..row.clone() };
            let judged = judge(&open, source, place, folder);
            Judged { finding: weighed(row, judged.finding), ..judged }
        }
    }
}

/// What is to be said of a message that was proved at the destination and is not where it was, when its user works
/// there by now: they have moved or deleted it, so it stays as it is and is not copied again. `None` for all others.
pub(super) fn users_doing(row: &ProofRow, source: &Entry, place: Place<'_>) -> Option<Finding> {
    if place != Place::Empty || !row.proved || row.dest_uid.is_none() || row.unwaived {
        return None;
    }
    match row.state {
        MessageState::Arrived if row.fidelity != Some(Fidelity::Changed) => {
            Some(Finding { kind: None, cause: None, ..unchanged(row) })
        }
        MessageState::Waived if is_as_listed(row, source) => Some(unchanged(row)),
        _ => None,
    }
}

fn difference(source: &Entry, copy: &Entry) -> Option<Doubt> {
    if copy.date != source.date {
        Some(Doubt::Date)
    } else if copy.size != source.size {
        Some(Doubt::Size)
    } else if copy.id != source.id {
        Some(Doubt::MessageId)
    } else {
        None
    }
}

/// Flags that were at the source when the message was last copied or updated, and are at neither place any more by
/// the user's doing: only what the source still has and the destination lacks counts.
pub(super) fn flags_lost(row: &Flags, source: &Flags, dest: &Flags) -> bool {
    source.iter().any(|f| row.contains(f) && !dest.contains(f))
}

/// What reading one message gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Its digests.
    Read(Digests),
    /// It is not there.
    Gone,
    /// It is there, but the server does not deliver it.
    Unreadable(String),
}

/// What the bytes of both sides tell, before the contents themselves are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The same mail.
    Same(Fidelity),
    /// Other bytes; what they are is worth looking at.
    Other,
    /// The copy cannot be read.
    CopyUnreadable(String),
    /// The source cannot be read, so nothing can be compared.
    SourceUnreadable(String),
    /// There is no copy any more.
    NoCopy,
}

pub(super) fn settle(listed: u64, source: &Reading, copy: &Reading) -> Settled {
    let ours = match source {
        Reading::Read(ours) if ours.size == 0 && listed > 0 => {
            return Settled::SourceUnreadable("it delivers no bytes of it".to_owned());
        }
        Reading::Read(ours) => ours,
        Reading::Gone => return Settled::SourceUnreadable("it does not deliver it any more".to_owned()),
        Reading::Unreadable(words) => return Settled::SourceUnreadable(words.clone()),
    };
    match copy {
        Reading::Gone => Settled::NoCopy,
        Reading::Unreadable(words) => Settled::CopyUnreadable(words.clone()),
        Reading::Read(theirs) if ours.exact == theirs.exact => Settled::Same(Fidelity::Identical),
        Reading::Read(theirs) if ours.canonical == theirs.canonical => Settled::Same(Fidelity::Equivalent),
        Reading::Read(_) => Settled::Other,
    }
}

/// The kind and the sentence for a copy with another content.
pub(super) fn changed(difference: Option<&Difference>, ours: u64, theirs: u64) -> (CauseKind, String) {
    let advice = "Delete the copy there and run a delta sync to copy it again, or waive it.";
    let sizes = format!("{theirs} instead of {ours} bytes");
    let (kind, what) = match difference {
        Some(Difference::Empty) => (CauseKind::Truncated, "Its copy is empty.".to_owned()),
        Some(Difference::Truncated) => (CauseKind::Truncated, format!("Its copy ends early: {sizes}.")),
        Some(Difference::Field(name)) => (CauseKind::Content, format!("Its copy has another header: {name} differs.")),
        Some(Difference::Text) => (CauseKind::Content, format!("Its copy has another text ({sizes}).")),
        Some(Difference::Attachment(Some(name))) => {
            let name: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
            (CauseKind::Content, format!("The attachment \"{name}\" of its copy is another one ({sizes})."))
        }
        Some(Difference::Attachment(None)) => {
            (CauseKind::Content, format!("An attachment of its copy is another one ({sizes})."))
        }
        Some(Difference::Structure) => (CauseKind::Content, format!("Its copy is made of other parts ({sizes}).")),
        None | Some(Difference::Bytes) if theirs == 0 => (CauseKind::Truncated, "Its copy is empty.".to_owned()),
        None | Some(Difference::Bytes) => (CauseKind::Content, format!("The bytes of its copy are others: {sizes}.")),
    };
    (kind, format!("{what} {advice}"))
}

/// The sentence for a copy with another date.
pub(super) fn redated(source: i64, copy: i64) -> String {
    let shown = |seconds| InternalDate { seconds, zone_minutes: 0 };
    format!(
        "Its date of arrival (INTERNALDATE) at the destination is {} instead of {}. Delete the copy there and run a delta \
         sync to copy it again, or waive it.",
        shown(copy),
        shown(source)
    )
}

#[cfg(test)]
mod tests;
