//! Settling doubts by the bytes: both sides are read at the same time and digested as the bytes pass; where the digests
//! differ, the contents are compared ([`super::mime`]).

use super::{
    Verify,
    compare::{self, Doubt, Reading, Settled, changed},
    mime::{self, Difference, Likeness},
    side::Side,
};
use crate::{Fault, Finding, LedgerRow, ProofRow};
use gatepost_contract::{CauseKind, Fidelity, FolderId, MessageState};
use std::collections::HashMap;

/// A finding that needs the bytes.
pub(super) struct Doubtful {
    pub row: ProofRow,
    pub finding: Finding,
    pub doubt: Doubt,
    /// UID and size as listed, at the source and at the destination.
    pub source: (u32, u64),
    pub copy: (u32, u64),
    /// The dates of both.
    pub dates: (i64, i64),
}

impl Verify<'_> {
    /// Reads what is in doubt in the folders that are open on both sides, and settles the findings. Says of how many
    /// messages both sides were read.
    pub(super) async fn settle(
        &self,
        (source, dest): (&mut Side<'_>, &mut Side<'_>),
        folder: FolderId,
        doubtful: &mut [Doubtful],
    ) -> Result<i64, Fault> {
        if doubtful.is_empty() {
            return Ok(0);
        }
        let wanted = |side: fn(&Doubtful) -> (u32, u64)| {
            let mut wanted: Vec<(u32, u64)> = doubtful.iter().map(side).collect();
            wanted.sort_unstable();
            wanted
        };
        let (at_source, at_dest) = (wanted(|d| d.source), wanted(|d| d.copy));
        let (mut ours, theirs) =
            tokio::try_join!(source.readings(&at_source, &self.cancel), dest.readings(&at_dest, &self.cancel))?;
        let is_read = |reading: Option<&Reading>| matches!(reading, Some(Reading::Read(_)));
        let both = |d: &&Doubtful| is_read(ours.get(&d.source.0)) && is_read(theirs.get(&d.copy.0));
        let read = doubtful.iter().filter(both).count() as i64;
        self.ask_the_ledger(folder, &mut ours).await?;
        for one in doubtful {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let nothing = Reading::Gone;
            let (mine, copy) =
                (ours.get(&one.source.0).unwrap_or(&nothing), theirs.get(&one.copy.0).unwrap_or(&nothing));
            let settled = compare::settle(one.source.1, mine, copy);
            let difference = match settled {
                Settled::Other => self.difference((&mut *source, &mut *dest), one).await?,
                _ => Ok(Fidelity::Identical),
            };
            conclude(one, settled, difference, (size(mine), size(copy)));
        }
        Ok(read)
    }

    /// What the source does not deliver any more was digested when it was copied.
    async fn ask_the_ledger(&self, folder: FolderId, readings: &mut HashMap<u32, Reading>) -> Result<(), Fault> {
        let silent = |(uid, reading): (&u32, &Reading)| (!matches!(reading, Reading::Read(_))).then_some(*uid);
        let silent: Vec<u32> = readings.iter().filter_map(silent).collect();
        if silent.is_empty() {
            return Ok(());
        }
        for LedgerRow { uid, digests, .. } in self.ledger.rows_of(folder, &silent).await? {
            if let Some(digests) = digests {
                readings.insert(uid, Reading::Read(digests));
            }
        }
        Ok(())
    }

    /// How two messages with different bytes compare; `Err` names the difference, where it can be told.
    async fn difference(
        &self,
        (source, dest): (&mut Side<'_>, &mut Side<'_>),
        one: &Doubtful,
    ) -> Result<Result<Fidelity, Option<Difference>>, Fault> {
        if one.source.1.max(one.copy.1) > mime::LONGEST {
            return Ok(Err(None));
        }
        let most = mime::LONGEST;
        let read = tokio::try_join!(source.bytes(one.source.0, most), dest.bytes(one.copy.0, most))?;
        let (Some(ours), Some(theirs)) = read else { return Ok(Err(None)) };
        let compared = tokio::task::spawn_blocking(move || mime::compare(&ours, &theirs)).await;
        Ok(match compared {
            Ok(Likeness::Equivalent) => Ok(Fidelity::Equivalent),
            Ok(Likeness::Rewritten) => Ok(Fidelity::Rewritten),
            Ok(Likeness::Changed(difference)) => Err(Some(difference)),
            // Foreign bytes that bring the parser down prove nothing.
            Err(_) => Err(None),
        })
    }
}

fn size(reading: &Reading) -> u64 {
    match reading {
        Reading::Read(digests) => digests.size,
        _ => 0,
    }
}

/// Makes the finding what the bytes say; of a message that was given up, as far as that does not cover it.
fn conclude(one: &mut Doubtful, settled: Settled, other: Result<Fidelity, Option<Difference>>, sizes: (u64, u64)) {
    if one.row.state != MessageState::Waived {
        return judge(one, settled, other, sizes);
    }
    if one.doubt == Doubt::Known && matches!(settled, Settled::SourceUnreadable(_)) {
        return;
    }
    let found = Finding {
        state: MessageState::Arrived,
        dest_uid: Some(one.copy.0),
        kind: None,
        cause: None,
        ..one.finding.clone()
    };
    one.finding = Finding { fidelity: None, ..found };
    judge(one, settled, other, sizes);
    one.finding = compare::weighed(&one.row, one.finding.clone());
}

/// The same as if nobody had given it up.
fn judge(
    one: &mut Doubtful,
    settled: Settled,
    other: Result<Fidelity, Option<Difference>>,
    (ours, theirs): (u64, u64),
) {
    let amiss = |finding: &mut Finding, (kind, cause): (CauseKind, String)| {
        finding.fidelity = Some(Fidelity::Changed);
        finding.kind = Some(kind);
        finding.cause = Some(cause);
    };
    let finding = &mut one.finding;
    let fidelity = match (settled, other) {
        (Settled::Same(fidelity), _) | (Settled::Other, Ok(fidelity)) => fidelity,
        (Settled::Other, Err(difference)) => {
            return amiss(finding, changed(difference.as_ref(), ours, theirs));
        }
        (Settled::CopyUnreadable(words), _) => {
            let cause = format!(
                "The destination does not deliver its copy: {words} Have the mailbox repaired there, or delete the copy \
                 and run a delta sync."
            );
            return amiss(finding, (CauseKind::Content, cause));
        }
        (Settled::SourceUnreadable(_), _) if one.doubt == Doubt::Depth => return,
        (Settled::SourceUnreadable(words), _) => {
            let cause = format!(
                "Its copy looks different, and the source cannot be read to compare it: {words}. Repair it there and \
                 verify again, or waive it."
            );
            return amiss(finding, (CauseKind::Unreadable, cause));
        }
        (Settled::NoCopy, _) => {
            finding.state = MessageState::Pending;
            finding.dest_uid = None;
            finding.fidelity = None;
            finding.kind = Some(CauseKind::Gone);
            finding.cause = Some("It vanished from the destination while it was being read. Verify again.".to_owned());
            return;
        }
    };
    if one.doubt == Doubt::Date {
        return amiss(finding, (CauseKind::Date, compare::redated(one.dates.0, one.dates.1)));
    }
    finding.state = MessageState::Arrived;
    finding.dest_uid = Some(one.copy.0);
    finding.fidelity = Some(fidelity);
    finding.kind = None;
    finding.cause = None;
}
