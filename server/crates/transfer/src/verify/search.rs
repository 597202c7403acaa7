//! What remains to be told when every folder has been seen: which of the missing messages were put back, which lie in
//! another folder, and of which the destination holds a copy too many.

use super::{
    Found, Verify,
    bodies::Doubtful,
    compare::{Doubt, Reading, differs, unchanged, weighed},
    side::Side,
    strays::{Claim, Stray, Twins},
};
use crate::{Fault, Finding, PlacedFolder, ProofRow, RemoteFolder};
use gatepost_contract::{CauseKind, Fidelity, Level, MessageState};
use std::collections::{BTreeMap, HashSet};

/// Messages handled at once.
const AT_ONCE: usize = 500;
/// Folders and UIDs that one sentence names.
const NAMED: usize = 5;

/// The folders of both sides by their numbers: those of the source with the ledger's.
type Folders<'f> = (&'f [&'f RemoteFolder], &'f [Option<&'f PlacedFolder>], &'f [Option<&'f RemoteFolder>]);

impl Verify<'_> {
    pub(super) async fn search(
        &self,
        (source, dest): (&mut Side<'_>, &mut Side<'_>),
        folders: Folders<'_>,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let back = self.put_back((&mut *source, &mut *dest), folders, found).await?;
        self.misplaced(folders, found, &back).await?;
        let exact = self.exact_twins(dest, folders, found).await?;
        self.doubled(source, folders, found, &exact).await
    }

    /// Messages that were taken out of their folder and put back have another UID there; the bytes tell whether it is
    /// they.
    async fn put_back(
        &self,
        (source, dest): (&mut Side<'_>, &mut Side<'_>),
        (visible, slots, places): Folders<'_>,
        found: &mut Found,
    ) -> Result<HashSet<usize>, Fault> {
        let mut by_slot: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        for (lost, stray) in found.strays.put_back() {
            by_slot.entry(found.strays.lost[lost].slot).or_default().push((lost, stray));
        }
        let mut back = HashSet::new();
        for (slot, mut pairs) in by_slot {
            let at = slot as usize;
            let Some(own) = slots[at] else { continue };
            let place = pairs.first().and_then(|(_, stray)| places[found.strays.stray(*stray).place as usize]);
            let Some(place) = place else { continue };
            source.reopen(visible[at]).await?;
            dest.reopen(place).await?;
            pairs.sort_by_key(|(lost, _)| found.strays.lost[*lost].entry.uid);
            for part in pairs.chunks(AT_ONCE) {
                let uids: Vec<u32> = part.iter().map(|(lost, _)| found.strays.lost[*lost].entry.uid).collect();
                let rows = self.rows(own, &uids).await?;
                let mut doubtful = Vec::with_capacity(part.len());
                let mut whose = Vec::with_capacity(part.len());
                for (lost, stray) in part {
                    let entry = found.strays.lost[*lost].entry;
                    let copy = found.strays.stray(*stray).entry;
                    let Some(row) = rows.iter().find(|row| row.uid == entry.uid) else { continue };
                    whose.push((*lost, *stray));
                    doubtful.push(Doubtful {
                        finding: unchanged(row),
                        row: row.clone(),
                        doubt: Doubt::Unlinked,
                        source: (entry.uid, entry.size),
                        copy: (copy.uid, copy.size),
                        dates: (entry.date, copy.date),
                    });
                }
                let read = self.settle((&mut *source, &mut *dest), own.id, &mut doubtful).await?;
                let evidence = &mut found.evidence[at];
                evidence.bodies_read += read;
                let mut findings = Vec::new();
                for (one, (lost, stray)) in doubtful.into_iter().zip(whose) {
                    let is_it = one.finding.state == MessageState::Arrived
                        && one.finding.fidelity != Some(Fidelity::Changed)
                        && one.finding.dest_uid == Some(one.copy.0);
                    if !is_it {
                        continue;
                    }
                    let tally = &mut evidence.tally;
                    let from = if found.strays.lost[lost].waived { &mut tally.waived } else { &mut tally.pending };
                    *from -= 1;
                    tally.arrived += 1;
                    evidence.rewritten += i64::from(one.finding.fidelity == Some(Fidelity::Rewritten));
                    back.insert(lost);
                    found.strays.spend(stray);
                    findings.push(one.finding);
                }
                self.ledger.verified(own.id, &findings).await?;
            }
        }
        Ok(back)
    }

    /// Missing messages that lie in another folder.
    async fn misplaced(
        &self,
        (_, slots, places): Folders<'_>,
        found: &mut Found,
        back: &HashSet<usize>,
    ) -> Result<(), Fault> {
        let mut by_slot: BTreeMap<u32, Vec<(u32, Stray)>> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (number, stray) in found.strays.misplaced(back) {
            let lost = &found.strays.lost[number];
            if lost.elsewhere {
                // Given up because it lies elsewhere, and so it does.
                seen.insert(number);
                continue;
            }
            by_slot.entry(lost.slot).or_default().push((lost.entry.uid, stray));
        }
        self.gone_elsewhere(slots, found, &|number| back.contains(&number) || seen.contains(&number)).await?;
        for (slot, mut pairs) in by_slot {
            let Some(own) = slots[slot as usize] else { continue };
            pairs.sort_by_key(|(uid, _)| *uid);
            for part in pairs.chunks(AT_ONCE) {
                let rows = self.rows(own, &part.iter().map(|(uid, _)| *uid).collect::<Vec<_>>()).await?;
                let mut findings = Vec::new();
                for (uid, stray) in part {
                    found.evidence[slot as usize].misplaced += 1;
                    let Some(row) = rows.iter().find(|row| row.uid == *uid) else { continue };
                    let cause = format!(
                        "It lies in the folder {} at the destination instead of {}. Move it back there, or run a delta sync \
                         to copy it once more; waive it if somebody moved it on purpose.",
                        path(places, stray.place),
                        own.dest
                    );
                    changed(
                        row,
                        Finding { kind: Some(CauseKind::Misplaced), cause: Some(cause), ..unchanged(row) },
                        &mut findings,
                    );
                }
                self.ledger.verified(own.id, &findings).await?;
            }
            let sentence = format!("{}: {} messages lie in other folders at the destination.", own.source, pairs.len());
            self.watch.note(Level::Warn, "message", sentence);
        }
        Ok(())
    }

    /// Messages that were given up because they lay in another folder, and that lie in none any more.
    async fn gone_elsewhere(
        &self,
        slots: &[Option<&PlacedFolder>],
        found: &mut Found,
        is_there: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<(), Fault> {
        if found.blind || self.after_cutover {
            return Ok(());
        }
        let mut by_slot: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let lost = found.strays.lost.iter().enumerate().filter(|(n, lost)| lost.elsewhere && !is_there(*n));
        for (_, lost) in lost {
            by_slot.entry(lost.slot).or_default().push(lost.entry.uid);
        }
        for (slot, mut uids) in by_slot {
            let Some(own) = slots[slot as usize] else { continue };
            uids.sort_unstable();
            for part in uids.chunks(AT_ONCE) {
                let mut findings = Vec::new();
                for row in self.rows(own, part).await? {
                    let tally = &mut found.evidence[slot as usize].tally;
                    tally.waived -= 1;
                    tally.pending += 1;
                    let cause = "It lay in another folder at the destination, and is in none any more. Run a delta sync \
                                 to copy it again, or waive it if somebody deleted it on purpose.";
                    let finding = Finding {
                        state: MessageState::Pending,
                        kind: Some(CauseKind::Gone),
                        cause: Some(cause.to_owned()),
                        dest_uid: None,
                        fidelity: None,
                        ..unchanged(&row)
                    };
                    findings.push(weighed(&row, finding));
                }
                self.ledger.verified(own.id, &findings).await?;
            }
        }
        Ok(())
    }

    /// The pairs of which both have the same bytes.
    async fn exact_twins(
        &self,
        dest: &mut Side<'_>,
        (_, _, places): Folders<'_>,
        found: &mut Found,
    ) -> Result<Vec<Twins>, Fault> {
        let mut exact = Vec::new();
        let twins = std::mem::take(&mut found.strays.twins);
        for part in twins.chunk_by(|a, b| a.place == b.place) {
            let Some(place) = part.first().and_then(|twins| places[twins.place as usize]) else { continue };
            dest.reopen(place).await?;
            for part in part.chunks(AT_ONCE) {
                let mut wanted: Vec<(u32, u64)> = part.iter().flat_map(|twins| [twins.linked, twins.other]).collect();
                wanted.sort_unstable();
                wanted.dedup();
                let readings = dest.readings(&wanted, &self.cancel).await?;
                let read = |(uid, _): (u32, u64)| match readings.get(&uid) {
                    Some(Reading::Read(digests)) => Some(digests.canonical),
                    _ => None,
                };
                exact.extend(part.iter().filter(|t| read(t.linked).is_some() && read(t.linked) == read(t.other)));
            }
        }
        Ok(exact)
    }

    /// Messages that have arrived, and of which there is a copy too many.
    async fn doubled(
        &self,
        source: &mut Side<'_>,
        (visible, slots, places): Folders<'_>,
        found: &mut Found,
        exact: &[Twins],
    ) -> Result<(), Fault> {
        let mut by_slot: BTreeMap<u32, BTreeMap<u32, Vec<Stray>>> = BTreeMap::new();
        // After the cutover a further copy is its user's.
        let surplus = if self.after_cutover { Vec::new() } else { found.strays.doubled(exact) };
        for (Claim { slot, uid }, stray) in surplus {
            by_slot.entry(slot).or_default().entry(uid).or_default().push(stray);
        }
        for Claim { slot, uid } in std::mem::take(&mut found.once_doubled) {
            by_slot.entry(slot).or_default().entry(uid).or_default();
        }
        for (slot, messages) in by_slot {
            let Some(own) = slots[slot as usize] else { continue };
            let evidence = &mut found.evidence[slot as usize];
            let uids: Vec<u32> = messages.keys().copied().collect();
            let mut headless = Vec::new();
            for part in uids.chunks(AT_ONCE) {
                let mut findings = Vec::new();
                for row in self.rows(own, part).await? {
                    let Some(strays) = messages.get(&row.uid) else { continue };
                    let waived = row.state == MessageState::Waived;
                    if strays.is_empty() && row.kind != Some(CauseKind::Doubled) {
                        // Its bytes have told something else of it meanwhile.
                        continue;
                    }
                    if strays.is_empty() && found.blind {
                        // Where the copy too many lay could not be seen.
                        evidence.doubled += i64::from(!waived);
                        continue;
                    }
                    if strays.is_empty() {
                        // It lay there twice once, and does so no longer.
                        evidence.tally.waived -= i64::from(waived);
                        evidence.tally.arrived += i64::from(waived);
                        let finding = Finding {
                            state: MessageState::Arrived,
                            kind: None,
                            cause: None,
                            waiver_over: waived.then(|| "The copies too many have gone.".to_owned()),
                            ..unchanged(&row)
                        };
                        changed(&row, finding, &mut findings);
                        continue;
                    }
                    if waived {
                        continue;
                    }
                    evidence.doubled += 1;
                    if row.kind.is_some_and(|kind| kind != CauseKind::Doubled) {
                        // What else is wrong with it is worse.
                        continue;
                    }
                    if !row.headed {
                        headless.push(row.uid);
                    }
                    let cause = Some(too_many(strays, places));
                    changed(&row, Finding { kind: Some(CauseKind::Doubled), cause, ..unchanged(&row) }, &mut findings);
                }
                self.ledger.verified(own.id, &findings).await?;
            }
            if evidence.doubled > 0 {
                let sentence = format!(
                    "{}: of {} messages the destination holds more than one copy.",
                    own.source, evidence.doubled
                );
                self.watch.note(Level::Warn, "message", sentence);
            }
            if !headless.is_empty() {
                source.reopen(visible[slot as usize]).await?;
                self.heads(source, own, headless).await?;
            }
        }
        Ok(())
    }

    /// These messages' rows, by ascending UID.
    async fn rows(&self, own: &PlacedFolder, uids: &[u32]) -> Result<Vec<ProofRow>, Fault> {
        let mut found = Vec::with_capacity(uids.len());
        let mut rest = uids;
        while let Some(first) = rest.first() {
            let most = u32::try_from(rest.len() * 2).unwrap_or(u32::MAX).min(1_000);
            let page = self.ledger.proofs(own.id, first.checked_sub(1), most).await?;
            let Some(last) = page.last().map(|row| row.uid) else { break };
            found.extend(page.into_iter().filter(|row| rest.binary_search(&row.uid).is_ok()));
            let behind = rest.partition_point(|uid| *uid <= last);
            rest = &rest[behind.max(1)..];
        }
        Ok(found)
    }
}

fn changed(row: &ProofRow, finding: Finding, findings: &mut Vec<Finding>) {
    if differs(row, &finding) {
        findings.push(finding);
    }
}

fn path(places: &[Option<&RemoteFolder>], place: u32) -> String {
    places.get(place as usize).copied().flatten().map(|folder| folder.path.to_string()).unwrap_or_default()
}

/// Where the copies too many lie.
fn too_many(strays: &[Stray], places: &[Option<&RemoteFolder>]) -> String {
    let named: Vec<String> = strays
        .iter()
        .take(NAMED)
        .map(|stray| format!("{} (UID {})", path(places, stray.place), stray.entry.uid))
        .collect();
    let more = if strays.len() > NAMED { ", …" } else { "" };
    format!(
        "It has arrived, but the destination holds it once more in {}{more}. Remove what is too many there and verify \
         again, or waive it.",
        named.join(", ")
    )
}
