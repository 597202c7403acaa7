//! One source folder: its listing and the ledger are gone through side by side by ascending UID, a page of the ledger at
//! a time, and each message is judged by what the destination's listing holds where the ledger says its copy is. Only
//! what differs from what the ledger holds is written.

use super::{
    Verify,
    bodies::Doubtful,
    compare::{self, Judged, Place as At, came, differs, flags_lost, judge},
    listing::{Entry, FlagSets, Listing},
    side::Side,
    strays::{Claim, Lost, Place, Strays},
};
use crate::{Fault, FaultKind, Finding, Flags, InternalDate, MessageHead, MessageMeta, PlacedFolder, ProofRow, UidSet};
use gatepost_contract::{CauseKind, Fidelity, FolderEvidence, Level, MessageState};
use std::collections::{HashMap, HashSet};

/// Rows of the ledger in memory, findings written at once, and bodies read before their findings are written.
const PAGE: u32 = 1_000;
const WRITTEN: usize = 512;
const READ: usize = 2_000;
/// Messages of which the headers are kept at once.
const HEADS: usize = 500;

/// A source folder with its place in the verification.
pub(super) struct Slot<'a> {
    pub number: u32,
    pub step: usize,
    pub own: &'a PlacedFolder,
    /// Which place at the destination is its own; `None` where there is none.
    pub place: Option<u32>,
    /// Why there is none, for people.
    pub no_place: String,
    /// The UIDs whose bytes are to be read, ascending; `None` for all, and for none an empty list.
    pub chosen: Option<Vec<u32>>,
}

/// The flags of both accounts, and which combinations lack some.
#[derive(Default)]
pub(super) struct AllFlags {
    pub source: FlagSets,
    pub dest: FlagSets,
    rows: FlagSets,
    lost: HashMap<(u32, u32, u32), bool>,
}

impl AllFlags {
    fn are_lost(&mut self, row: &Flags, source: u32, dest: u32) -> bool {
        let row = self.rows.number(row.clone());
        *self
            .lost
            .entry((row, source, dest))
            .or_insert_with(|| flags_lost(self.rows.get(row), self.source.get(source), self.dest.get(dest)))
    }
}

/// What is gathered while a folder is gone through.
pub(super) struct Progress<'a> {
    pub evidence: &'a mut FolderEvidence,
    pub flags: &'a mut AllFlags,
    pub strays: &'a mut Strays,
    /// Arrived or waived messages that lay there twice when they were last looked at.
    pub once_doubled: &'a mut Vec<Claim>,
    findings: Vec<Finding>,
    doubtful: Vec<Doubtful>,
    /// Messages whose headers people will want to see.
    headless: Vec<u32>,
    /// UIDs with lost flags, the first few.
    unflagged: Vec<u32>,
    /// Messages that had arrived and that their user has moved or deleted since.
    moved_on: i64,
}

impl<'a> Progress<'a> {
    pub fn new(
        evidence: &'a mut FolderEvidence,
        flags: &'a mut AllFlags,
        strays: &'a mut Strays,
        once_doubled: &'a mut Vec<Claim>,
    ) -> Self {
        Self {
            evidence,
            flags,
            strays,
            once_doubled,
            findings: Vec::new(),
            doubtful: Vec::new(),
            headless: Vec::new(),
            unflagged: Vec::new(),
            moved_on: 0,
        }
    }

    /// A message's place is known.
    fn count(&mut self, row: &ProofRow, finding: Finding) {
        let tally = &mut self.evidence.tally;
        tally.source += 1;
        match finding.state {
            MessageState::Arrived => tally.arrived += 1,
            MessageState::Pending => tally.pending += 1,
            MessageState::Quarantined => tally.quarantined += 1,
            MessageState::Waived => tally.waived += 1,
        }
        if finding.state == MessageState::Arrived {
            match finding.fidelity {
                Some(Fidelity::Changed) => self.evidence.changed += 1,
                Some(Fidelity::Rewritten) => self.evidence.rewritten += 1,
                _ => {}
            }
        }
        if !row.headed && (finding.state != MessageState::Arrived || finding.kind.is_some()) {
            self.headless.push(row.uid);
        }
        if differs(row, &finding) {
            self.findings.push(finding);
        }
    }
}

impl Verify<'_> {
    /// Goes through the folder that is open at the source; its place at the destination is open there, if there is one.
    /// False when the ledger of the folder is damaged.
    pub(super) async fn folder(
        &self,
        (source, dest): (&mut Side<'_>, &mut Side<'_>),
        slot: &Slot<'_>,
        listing: &Listing,
        mut place: Option<&mut Place>,
        progress: &mut Progress<'_>,
    ) -> Result<bool, Fault> {
        let own = slot.own;
        let mut entries = listing.entries().iter().copied().peekable();
        let mut after = None;
        let (mut new, mut vanished) = (Vec::new(), Vec::new());
        loop {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let rows = match self.ledger.proofs(own.id, after, PAGE).await {
                Err(fault) if fault.kind == FaultKind::Damaged => {
                    self.damaged(slot, listing, progress, &fault.sentence);
                    return Ok(false);
                }
                rows => rows?,
            };
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            after = Some(last);
            let count = rows.len();
            for row in rows {
                while let Some(entry) = entries.next_if(|entry| entry.uid < row.uid) {
                    new.push(entry);
                }
                match entries.next_if(|entry| entry.uid == row.uid) {
                    Some(entry) => self.message(slot, row, entry, place.as_deref_mut(), progress),
                    None => vanished.push(row.uid),
                }
            }
            if progress.doubtful.len() >= READ {
                self.settle_all((&mut *source, &mut *dest), slot, progress).await?;
            }
            if progress.findings.len() >= WRITTEN {
                self.ledger.verified(own.id, &std::mem::take(&mut progress.findings)).await?;
            }
            self.watch.done(slot.step, count as u64, 0);
        }
        new.extend(entries);
        self.settle_all((&mut *source, &mut *dest), slot, progress).await?;
        for findings in std::mem::take(&mut progress.findings).chunks(WRITTEN) {
            self.ledger.verified(own.id, findings).await?;
        }
        self.came(own, &new, progress).await?;
        if !vanished.is_empty() {
            let sentence = format!("{}: {} messages are no longer at the source.", own.source, vanished.len());
            self.watch.note(Level::Info, "message", sentence);
            self.ledger.vanished(own.id, &vanished).await?;
        }
        if progress.moved_on > 0 {
            let what = match progress.moved_on {
                1 => "1 message that had arrived is".to_owned(),
                n => format!("{n} messages that had arrived are"),
            };
            let sentence = format!(
                "{what} no longer in this folder at the destination. People have worked there since the cutover, so this \
                 is taken for their doing: such messages count as before, and are not copied again."
            );
            self.watch.note(Level::Info, "message", format!("{}: {sentence}", own.source));
            progress.evidence.note = Some(sentence);
        }
        if let Some(first) = progress.unflagged.first() {
            let sentence = format!(
                "{}: {} messages lack flags at the destination that they have at the source, for example UID {first}. A \
                 delta sync does not bring back flags that somebody took away there.",
                own.source, progress.evidence.flags_lost
            );
            self.watch.note(Level::Warn, "flags", sentence);
        }
        self.heads(source, slot.own, std::mem::take(&mut progress.headless)).await?;
        Ok(true)
    }

    /// One message that the source and the ledger have.
    fn message(
        &self,
        slot: &Slot<'_>,
        mut row: ProofRow,
        entry: Entry,
        place: Option<&mut Place>,
        progress: &mut Progress<'_>,
    ) {
        if row.unwaived {
            row.state = MessageState::Pending;
        }
        let claim = Claim { slot: slot.number, uid: row.uid };
        let claimed = match (place, row.dest_uid) {
            (None, _) => None,
            (Some(_), None) => Some(None),
            (Some(place), Some(uid)) => Some(place.claim(uid, claim)),
        };
        let at = match &claimed {
            None => At::NoFolder(&slot.no_place),
            Some(None) => At::Empty,
            Some(Some(Err(()))) => At::Taken,
            Some(Some(Ok(copy))) => At::Copy(copy),
        };
        if self.after_cutover
            && let Some(finding) = compare::users_doing(&row, &entry, at)
        {
            progress.moved_on += 1;
            progress.count(&row, finding);
            return;
        }
        let Judged { mut finding, mut doubt, lost } = judge(&row, &entry, at, &slot.own.dest.to_string());
        let At::Copy(copy) = at else {
            if lost {
                let waived = finding.state == MessageState::Waived;
                let elsewhere = waived && row.kind == Some(CauseKind::Misplaced);
                progress.strays.lost.push(Lost { entry, slot: slot.number, place: slot.place, waived, elsewhere });
            }
            progress.count(&row, finding);
            return;
        };
        if finding.state == MessageState::Arrived && progress.flags.are_lost(&row.flags, entry.flags, copy.flags) {
            progress.evidence.flags_lost += 1;
            if progress.unflagged.len() < 3 {
                progress.unflagged.push(row.uid);
            }
        }
        if row.kind == Some(CauseKind::Doubled) && doubt.is_none() {
            // Whether it still lies there twice shows when all folders have been seen.
            progress.once_doubled.push(claim);
            finding = compare::unchanged(&row);
        }
        let wanted = slot.chosen.as_ref().is_none_or(|chosen| chosen.binary_search(&row.uid).is_ok());
        let compared = row.state != MessageState::Waived || row.kind == Some(CauseKind::Doubled);
        if doubt.is_none() && wanted && compared {
            doubt = Some(compare::Doubt::Depth);
        }
        match doubt {
            None => progress.count(&row, finding),
            Some(doubt) => progress.doubtful.push(Doubtful {
                source: (entry.uid, entry.size),
                copy: (copy.uid, copy.size),
                dates: (entry.date, copy.date),
                row,
                finding,
                doubt,
            }),
        }
    }

    async fn settle_all(
        &self,
        sides: (&mut Side<'_>, &mut Side<'_>),
        slot: &Slot<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<(), Fault> {
        let mut doubtful = std::mem::take(&mut progress.doubtful);
        progress.evidence.bodies_read += self.settle(sides, slot.own.id, &mut doubtful).await?;
        for Doubtful { row, finding, .. } in doubtful {
            progress.count(&row, finding);
        }
        Ok(())
    }

    /// Messages that the ledger does not know: they came after the last sync. They are in it as pending from now on, so
    /// that the residue names them.
    async fn came(&self, own: &PlacedFolder, new: &[Entry], progress: &mut Progress<'_>) -> Result<(), Fault> {
        if new.is_empty() {
            return Ok(());
        }
        progress.evidence.tally.source += new.len() as i64;
        progress.evidence.tally.pending += new.len() as i64;
        let sentence = format!("{}: {} messages came after the last sync. Run a delta sync.", own.source, new.len());
        self.watch.note(Level::Warn, "message", sentence);
        for part in new.chunks(PAGE as usize) {
            let rows: Vec<MessageMeta> = part
                .iter()
                .map(|entry| MessageMeta {
                    uid: entry.uid,
                    size: entry.size,
                    internal_date: InternalDate { seconds: entry.date, zone_minutes: 0 },
                    flags: progress.flags.source.get(entry.flags).clone(),
                })
                .collect();
            self.ledger.came(own.id, &rows, &came()).await?;
        }
        progress.headless.extend(new.iter().map(|entry| entry.uid));
        Ok(())
    }

    /// Keeps the headers of messages that people will look at; the folder is open at the source.
    pub(super) async fn heads(
        &self,
        source: &mut Side<'_>,
        own: &PlacedFolder,
        mut uids: Vec<u32>,
    ) -> Result<(), Fault> {
        uids.sort_unstable();
        for part in uids.chunks(HEADS) {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let mut heads = source.heads(&part.iter().copied().collect::<UidSet>()).await?;
            let known: HashSet<u32> = heads.iter().map(|head| head.uid).collect();
            let silent = part.iter().filter(|uid| !known.contains(uid));
            heads.extend(silent.map(|uid| MessageHead { uid: *uid, ..MessageHead::default() }));
            for head in &mut heads {
                // An empty one says that there is none, and that nobody need look again.
                head.from.get_or_insert_default();
            }
            self.ledger.headed(own.id, &heads).await?;
        }
        Ok(())
    }

    /// The ledger of this folder cannot be what any run has written: nothing in it is proved.
    fn damaged(&self, slot: &Slot<'_>, listing: &Listing, progress: &mut Progress<'_>, sentence: &str) {
        self.watch.note(Level::Error, "ledger", format!("{}: {sentence}", slot.own.source));
        let messages = listing.len() as i64;
        let evidence = &mut *progress.evidence;
        evidence.tally = gatepost_contract::Tally { source: messages, pending: messages, ..Default::default() };
        (evidence.changed, evidence.rewritten, evidence.flags_lost) = (0, 0, 0);
        evidence.note = Some(sentence.to_owned());
        progress.findings.clear();
        progress.doubtful.clear();
        progress.headless.clear();
    }
}
