//! Surveying a folder: bring the ledger up to date with the source, carry flags, adopt what is at the destination
//! already. What is left after that is to be sent. Memory does not grow with the folder: listings pass through in
//! portions.

use super::{Copy, Folder, Known, Lines, stream};
use crate::{
    Arrival, Cursor, Destination, Fault, FaultKind, Flags, FolderState, LedgerRow, MessageMeta, RemoteFolder, UidSet,
    Which,
    adopt::{self, Candidate},
    reading::{self, list_all, listing, portions},
};
use gatepost_contract::{Level, MessageId, MessageState};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How often a destination that keeps changing is looked at before the copy goes on all the same.
const SETTLE_LOOKS: u32 = 15;
/// How many messages are compared with the destination's at once.
const ADOPT_AT_ONCE: u32 = 256;
/// How many listed messages are recorded at once.
const PORTION: usize = reading::PORTION;

/// A folder that is ready to be sent.
pub(super) struct Ready {
    /// Where it goes.
    pub target: RemoteFolder,
    /// How it stood there.
    pub dest: FolderState,
    /// The source's epoch: a lane that finds another one must not send.
    pub source_epoch: u32,
    dropped: Mutex<BTreeSet<String>>,
    nameless: AtomicBool,
}

impl Ready {
    /// Whether nobody has spoken of this flag yet.
    pub fn first_to_drop(&self, flag: &str) -> bool {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).insert(flag.to_ascii_lowercase())
    }

    /// A message was stored without telling its UID.
    pub fn note_nameless(&self) {
        self.nameless.store(true, Ordering::Relaxed);
    }

    /// Whether messages were stored without telling their UIDs.
    pub fn has_nameless(&self) -> bool {
        self.nameless.load(Ordering::Relaxed)
    }
}

/// The destination's folder.
struct Target {
    folder: Option<RemoteFolder>,
    state: Option<FolderState>,
}

impl Copy<'_> {
    /// Surveys a folder; `None` when nothing is left to send.
    pub(super) async fn survey(&self, lines: &mut Lines, folder: &Folder<'_>) -> Result<Option<Ready>, Fault> {
        let mut known = folder.known();
        // Since the folder was planned or surveyed, messages may have been sent.
        known.standing = self.standing_of(folder).await?;
        let mut target = Target { folder: known.target.clone(), state: None };
        let interrupted = known.dest_epoch.is_some() && known.standing.pending > 0;
        // Both sides at once: what is looked into has changed as a rule, and then both are needed.
        let (state, ()) = {
            let Lines { source, dest } = &mut *lines;
            tokio::try_join!(source.open(folder.source()), self.open_target(&mut **dest, folder, &mut target))?
        };
        self.check_source_epoch(folder, &mut known, &state).await?;
        let (Some(there), Some(mut dest)) = (target.folder, target.state) else {
            return Err(missing_target(folder));
        };
        self.check_dest_epoch(folder, &mut known, dest.uid_validity).await?;
        known.target = Some(there.clone());
        folder.learn(known.clone());
        if interrupted {
            dest = self.settled(lines, &there, dest).await?;
        }

        if known.standing.arrived > 0 {
            // A run that was killed left messages whose UIDs are not known: what is theirs must not be taken for others'.
            self.learn_uids(lines, folder).await?;
        }
        if known.cursor.is_none() {
            // Before the first row: what is listed belongs to this epoch.
            let begun = Cursor { epoch: state.uid_validity, next_uid: 1, modseq: None };
            self.ledger.advance(folder.id, begun).await?;
            known.cursor = Some(begun);
            folder.learn(known.clone());
        }
        let mut highest = known.cursor.map_or(0, |c| c.next_uid.saturating_sub(1));
        if !self.look_since(lines, folder, &known, &state, &dest, &mut highest).await? {
            self.look_whole(lines, folder, &known, &dest, &mut highest).await?;
        }
        let cursor = Cursor {
            epoch: state.uid_validity,
            next_uid: state.uid_next.unwrap_or(0).max(highest.saturating_add(1)),
            modseq: state.highest_modseq,
        };
        if known.cursor != Some(cursor) {
            self.ledger.advance(folder.id, cursor).await?;
            known.cursor = Some(cursor);
        }
        known.standing = self.standing_of(folder).await?;
        folder.learn(known.clone());
        if known.standing.pending <= folder.aside() {
            return Ok(None);
        }
        self.watch.begin(folder.step, known.standing.pending, known.standing.pending_bytes);
        let adopted = self.adopt(lines, folder, &known, &dest, interrupted).await?;
        if adopted > 0 {
            self.count(|outcome| outcome.adopted += adopted);
            folder.add_sent(stream::Sent { adopted, ..stream::Sent::default() });
            known.standing = self.standing_of(folder).await?;
            folder.learn(known.clone());
            if known.standing.pending <= folder.aside() {
                return Ok(None);
            }
        }
        Ok(Some(Ready {
            target: there,
            dest,
            source_epoch: state.uid_validity,
            dropped: Mutex::default(),
            nameless: AtomicBool::new(false),
        }))
    }

    /// Lists and tells; changes nothing anywhere.
    pub(super) async fn dry(&self, lines: &mut Lines, folder: &Folder<'_>) -> Result<(), Fault> {
        let known = folder.known();
        let state = lines.source.open(folder.source()).await?;
        let same_epoch = known.cursor.is_some_and(|c| c.epoch == state.uid_validity);
        let (out, mut listed) = portions();
        let take = async move {
            let (mut missing, mut bytes, mut there) = (0_u64, 0_u64, 0_u64);
            while let Some(portion) = listed.next().await {
                let settled: HashSet<u32> = if same_epoch {
                    let uids: Vec<u32> = portion.iter().map(|m| m.uid).collect();
                    let rows = self.ledger.rows_of(folder.id, &uids).await?;
                    rows.iter().filter(|r| r.state != MessageState::Pending).map(|r| r.uid).collect()
                } else {
                    HashSet::new()
                };
                for message in portion {
                    if settled.contains(&message.uid) {
                        there += 1;
                    } else {
                        missing += 1;
                        bytes += message.size;
                    }
                }
            }
            Ok((missing, bytes, there))
        };
        let (missing, bytes, there) = listing(&mut *lines.source, Which::From(1), out, take).await?;
        self.watch.begin(folder.step, missing, bytes);
        self.count(|outcome| {
            outcome.pending += missing;
            outcome.already_there += there;
            outcome.folders += 1;
        });
        self.watch.end(folder.step, Ok(Some(format!("{missing} messages, {bytes} bytes would be copied"))));
        Ok(())
    }

    /// How the folder stands now.
    pub(super) async fn standing_of(&self, folder: &Folder<'_>) -> Result<crate::Standing, Fault> {
        let one = self.ledger.standing(Some(folder.id)).await?;
        Ok(one.first().map(|(_, standing)| *standing).unwrap_or_default())
    }

    async fn open_target(
        &self,
        dest: &mut dyn Destination,
        folder: &Folder<'_>,
        target: &mut Target,
    ) -> Result<(), Fault> {
        if let Some(there) = &target.folder {
            match dest.open(there).await {
                Ok(state) => {
                    target.state = Some(state);
                    return Ok(());
                }
                // Somebody removed it since it was listed.
                Err(fault) if fault.kind == FaultKind::FolderGone => {}
                Err(fault) => return Err(fault),
            }
        }
        let made = dest.create(std::slice::from_ref(folder.dest())).await?.pop();
        let made = made.ok_or_else(|| missing_target(folder))??;
        target.state = Some(dest.open(&made).await?);
        target.folder = Some(made);
        Ok(())
    }

    /// Waits until the destination has stored what an earlier attempt sent it. After a kill or a broken connection a
    /// server goes on with what it, or the network, has received; what it stores after we have looked would be sent
    /// again.
    async fn settled(
        &self,
        lines: &mut Lines,
        target: &RemoteFolder,
        mut seen: FolderState,
    ) -> Result<FolderState, Fault> {
        // New mail may keep coming to the destination: the wait has an end.
        for _ in 0..SETTLE_LOOKS {
            tokio::select! {
                () = tokio::time::sleep(self.options.settle) => {}
                () = self.cancel.cancelled() => return Err(Fault::cancelled()),
            }
            let now = lines.dest.open(target).await?;
            let same =
                (now.uid_validity, now.uid_next, now.messages) == (seen.uid_validity, seen.uid_next, seen.messages);
            seen = now;
            if same {
                break;
            }
        }
        Ok(seen)
    }

    async fn check_source_epoch(
        &self,
        folder: &Folder<'_>,
        known: &mut Known,
        state: &FolderState,
    ) -> Result<(), Fault> {
        let Some(cursor) = known.cursor.filter(|c| c.epoch != state.uid_validity) else { return Ok(()) };
        self.watch.note(
            Level::Warn,
            "folder",
            format!(
                "{}: the source numbers its messages anew (UIDVALIDITY {} became {}). The folder is listed whole and what \
                 has arrived is recognised by its content.",
                folder.path(),
                cursor.epoch,
                state.uid_validity
            ),
        );
        self.ledger.new_source_epoch(folder.id).await?;
        known.cursor = None;
        known.standing = self.standing_of(folder).await?;
        Ok(())
    }

    async fn check_dest_epoch(&self, folder: &Folder<'_>, known: &mut Known, epoch: u32) -> Result<(), Fault> {
        if known.dest_epoch == Some(epoch) {
            return Ok(());
        }
        if known.dest_epoch.is_some() {
            self.watch.note(
                Level::Warn,
                "folder",
                format!(
                    "{}: the destination numbers its messages anew; what is there is recognised by its content.",
                    folder.path()
                ),
            );
        }
        self.ledger.new_dest_epoch(folder.id, epoch).await?;
        known.dest_epoch = Some(epoch);
        known.standing = self.standing_of(folder).await?;
        Ok(())
    }

    /// The cheap way to look: what is new, what has changed, what is gone, each asked for by itself. False where that
    /// does not suffice and the folder must be listed whole.
    async fn look_since(
        &self,
        lines: &mut Lines,
        folder: &Folder<'_>,
        known: &Known,
        state: &FolderState,
        dest: &FolderState,
        highest: &mut u32,
    ) -> Result<bool, Fault> {
        let Some(cursor) = known.cursor.filter(|_| !self.options.thorough) else { return Ok(false) };
        let same_modseq = cursor.modseq.is_some() && cursor.modseq == state.highest_modseq;
        if cursor.modseq.is_none() {
            return Ok(false);
        }
        let mut vanished = None;
        if !same_modseq && cursor.next_uid > 1 {
            let since = cursor.modseq.unwrap_or_default();
            let Some(changed) = lines.source.changed(cursor.next_uid - 1, since).await? else { return Ok(false) };
            vanished = changed.vanished;
            for portion in changed.flags.chunks(PORTION) {
                self.flags_changed(lines, folder, dest, portion).await?;
            }
        }
        let mut new = 0;
        if state.uid_next != Some(cursor.next_uid) {
            new = self.list_new(lines, folder, cursor.next_uid, highest).await?;
        }
        if known.standing.messages + new != u64::from(state.messages) {
            // Something has gone from the source.
            let ours = self.ledger.uids(folder.id).await?;
            let told = vanished.map(|vanished| ours.minus(&vanished));
            let left = match told.filter(|left| left.len() == u64::from(state.messages)) {
                Some(left) => left,
                None => lines.source.uids().await?,
            };
            let gone: Vec<u32> = ours.minus(&left).iter().collect();
            self.vanished(folder, &gone).await?;
            if ours.len() - gone.len() as u64 != u64::from(state.messages) {
                // More than what is new has come: below the cursor, where no server should put anything.
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn list_new(
        &self,
        lines: &mut Lines,
        folder: &Folder<'_>,
        from: u32,
        highest: &mut u32,
    ) -> Result<u64, Fault> {
        let (out, mut listed) = portions();
        let take = async move {
            let (mut new, mut last) = (0, 0);
            while let Some(portion) = listed.next().await {
                new += portion.len() as u64;
                last = portion.iter().map(|m| m.uid).max().unwrap_or(0).max(last);
                self.ledger.add(folder.id, &portion).await?;
            }
            Ok((new, last))
        };
        let (new, last) = listing(&mut *lines.source, Which::From(from), out, take).await?;
        *highest = last.max(*highest);
        Ok(new)
    }

    /// Lists the whole folder and compares it with the ledger.
    async fn look_whole(
        &self,
        lines: &mut Lines,
        folder: &Folder<'_>,
        known: &Known,
        dest: &FolderState,
        highest: &mut u32,
    ) -> Result<(), Fault> {
        if known.standing.messages == 0 {
            self.list_new(lines, folder, 1, highest).await?;
            return Ok(());
        }
        let (out, mut listed) = portions();
        let take = async move {
            let (mut there, mut changed): (Vec<u32>, Vec<(u32, Flags)>) = Default::default();
            while let Some(portion) = listed.next().await {
                let uids: Vec<u32> = portion.iter().map(|m| m.uid).collect();
                let rows: HashMap<u32, LedgerRow> =
                    self.ledger.rows_of(folder.id, &uids).await?.into_iter().map(|r| (r.uid, r)).collect();
                let mut new = Vec::new();
                for message in portion {
                    match rows.get(&message.uid) {
                        None => new.push(message),
                        Some(row) if row.flags != message.flags => changed.push((message.uid, message.flags)),
                        Some(_) => {}
                    }
                }
                there.extend(uids);
                self.ledger.add(folder.id, &new).await?;
            }
            Ok((there, changed))
        };
        let (there, changed) = listing(&mut *lines.source, Which::From(1), out, take).await?;
        let there: UidSet = there.into_iter().collect();
        *highest = there.last().unwrap_or(0).max(*highest);
        let gone: Vec<u32> = self.ledger.uids(folder.id).await?.minus(&there).iter().collect();
        self.vanished(folder, &gone).await?;
        for portion in changed.chunks(PORTION) {
            self.flags_changed(lines, folder, dest, portion).await?;
        }
        Ok(())
    }

    async fn vanished(&self, folder: &Folder<'_>, gone: &[u32]) -> Result<(), Fault> {
        if !gone.is_empty() {
            self.ledger.vanished(folder.id, gone).await?;
            self.count(|outcome| outcome.vanished += gone.len() as u64);
        }
        Ok(())
    }

    /// Brings flag changes to messages that have arrived, and then to the ledger: a kill in between repeats them. What
    /// the source added is added, what it took away is taken away, and whatever else the user changed at the
    /// destination stays as it is there.
    async fn flags_changed(
        &self,
        lines: &mut Lines,
        folder: &Folder<'_>,
        dest: &FolderState,
        changes: &[(u32, Flags)],
    ) -> Result<(), Fault> {
        let uids: Vec<u32> = changes.iter().map(|(uid, _)| *uid).collect();
        let rows: HashMap<u32, LedgerRow> =
            self.ledger.rows_of(folder.id, &uids).await?.into_iter().map(|r| (r.uid, r)).collect();
        let changes: Vec<(u32, Flags)> =
            changes.iter().filter(|(uid, now)| rows.get(uid).is_some_and(|r| r.flags != *now)).cloned().collect();
        if changes.is_empty() {
            return Ok(());
        }
        let wanted: Vec<(u32, &LedgerRow, &Flags)> = changes
            .iter()
            .filter_map(|(uid, flags)| rows.get(uid).and_then(|r| r.dest_uid.map(|dest| (dest, r, flags))))
            .collect();
        if self.options.carry_flags && !wanted.is_empty() {
            let there: HashMap<u32, Flags> =
                lines.dest.flags(&wanted.iter().map(|(dest, ..)| *dest).collect()).await?.into_iter().collect();
            let updates: Vec<(u32, Flags)> = wanted
                .into_iter()
                .filter_map(|(uid, row, now)| {
                    let present = there.get(&uid)?;
                    let added = now.minus(&row.flags).split_by(dest).0;
                    let merged = present.plus(&added).minus(&row.flags.minus(now));
                    (merged != *present).then_some((uid, merged))
                })
                .collect();
            lines.dest.set_flags(&updates).await?;
            self.count(|outcome| outcome.flags_changed += updates.len() as u64);
        }
        self.ledger.flags(folder.id, &changes).await
    }

    /// Recognises messages that are at the destination already.
    async fn adopt(
        &self,
        lines: &mut Lines,
        folder: &Folder<'_>,
        known: &Known,
        dest: &FolderState,
        interrupted: bool,
    ) -> Result<u64, Fault> {
        if dest.messages == 0 {
            return Ok(0);
        }
        let claimed = self.claimed(folder, known).await?;
        // Nothing strange is there when nothing is in doubt, the numbers agree and the newest message is ours; folders
        // that are merged into one are looked at in any case.
        let newest_is_ours = dest.uid_next.is_some_and(|next| claimed.last().is_some_and(|last| last + 1 == next));
        let agrees = u64::from(dest.messages) == claimed.len() && newest_is_ours;
        if !interrupted && folder.siblings.is_empty() && agrees {
            return Ok(0);
        }
        let strange = lines.dest.uids().await?.minus(&claimed);
        let mut unclaimed = match strange.is_empty() {
            true => Vec::new(),
            false => list_all(&mut *lines.dest, Which::These(strange)).await?,
        };
        let (mut adopted, mut after): (u64, Option<MessageId>) = (0, None);
        // In portions, each recorded before the next: an interruption costs one portion.
        while !unclaimed.is_empty() {
            let portion = self.ledger.pending(folder.id, after, ADOPT_AT_ONCE).await?;
            let Some(last) = portion.last() else { break };
            after = Some(last.id);
            let candidates: Vec<Candidate> = portion.iter().map(Candidate::from).collect();
            let recognised =
                adopt::recognise(&mut *lines.source, &mut *lines.dest, candidates, &unclaimed, &self.cancel).await;
            let adopt::Recognised { arrivals, unreadable } = recognised.map_err(|fault| in_doubt(folder, fault))?;
            if !unreadable.is_empty() {
                self.ledger.refused(folder.id, &unreadable).await?;
                self.count(|outcome| outcome.quarantined += unreadable.len() as u64);
            }
            if arrivals.is_empty() {
                continue;
            }
            // The flags first: a kill in between repeats both.
            self.give_flags(lines, dest, &portion, &arrivals, &unclaimed).await?;
            self.ledger.arrived(folder.id, &arrivals).await?;
            adopted += arrivals.len() as u64;
            let done: HashSet<u32> = arrivals.iter().map(|a| a.uid).collect();
            let used: HashSet<u32> = arrivals.iter().filter_map(|a| a.dest_uid).collect();
            let bytes = portion.iter().filter(|r| done.contains(&r.uid)).map(|r| r.size).sum();
            unclaimed.retain(|m| !used.contains(&m.uid));
            self.watch.done(folder.step, done.len() as u64, bytes);
        }
        if adopted > 0 {
            let path = folder.path();
            self.watch.note(
                Level::Info,
                "folder",
                format!("{path}: {adopted} messages were at the destination already."),
            );
        }
        Ok(adopted)
    }

    /// Adds to recognised messages the flags that the source has and they lack.
    async fn give_flags(
        &self,
        lines: &mut Lines,
        folder: &FolderState,
        rows: &[LedgerRow],
        arrivals: &[Arrival],
        there: &[MessageMeta],
    ) -> Result<(), Fault> {
        if !self.options.carry_flags {
            return Ok(());
        }
        let wanted: HashMap<u32, &Flags> = rows.iter().map(|r| (r.uid, &r.flags)).collect();
        let present: HashMap<u32, &Flags> = there.iter().map(|m| (m.uid, &m.flags)).collect();
        let updates: Vec<(u32, Flags)> = arrivals
            .iter()
            .filter_map(|arrival| {
                let dest = arrival.dest_uid?;
                let (wanted, present) = (wanted.get(&arrival.uid)?, present.get(&dest)?);
                let all = present.plus(&wanted.split_by(folder).0);
                (all != **present).then_some((dest, all))
            })
            .collect();
        lines.dest.set_flags(&updates).await
    }

    /// Destination UIDs that belong to a message of this folder or of one merged with it.
    async fn claimed(&self, folder: &Folder<'_>, known: &Known) -> Result<UidSet, Fault> {
        let mut claimed = self.ledger.dest_uids(folder.id).await?;
        if folder.siblings.is_empty() {
            return Ok(claimed);
        }
        // As they stand now: UIDs of an epoch that has ended claim nothing.
        let siblings = self
            .ledger
            .placed()
            .await?
            .into_iter()
            .filter(|p| p.dest_epoch == known.dest_epoch && folder.siblings.contains(&p.id));
        for sibling in siblings {
            let theirs = self.ledger.dest_uids(sibling.id).await?;
            claimed = UidSet::from_ranges(claimed.ranges().iter().chain(theirs.ranges()).copied());
        }
        Ok(claimed)
    }

    /// On servers without UIDPLUS: finds out under which UIDs messages were stored. The folder is open there.
    pub(super) async fn learn_uids(&self, lines: &mut Lines, folder: &Folder<'_>) -> Result<(), Fault> {
        let nameless: Vec<Candidate> = self.ledger.nameless(folder.id).await?.iter().map(Candidate::from).collect();
        if nameless.is_empty() {
            return Ok(());
        }
        let claimed = self.claimed(folder, &folder.known()).await?;
        let strange = lines.dest.uids().await?.minus(&claimed);
        let unclaimed = match strange.is_empty() {
            true => Vec::new(),
            false => list_all(&mut *lines.dest, Which::These(strange)).await?,
        };
        let recognised =
            adopt::recognise(&mut *lines.source, &mut *lines.dest, nameless, &unclaimed, &self.cancel).await;
        let arrivals = recognised.map_err(|fault| in_doubt(folder, fault))?.arrivals;
        self.ledger.arrived(folder.id, &arrivals).await
    }
}

/// A destination that does not deliver what is to be compared may do so the next time; if not, the folder is given up:
/// what may be there already must not be sent.
fn in_doubt(folder: &Folder<'_>, mut fault: Fault) -> Fault {
    if fault.kind == FaultKind::Damaged {
        folder.strike(None, false);
        if !folder.is_delicate() {
            fault.kind = FaultKind::Lost;
        }
    }
    fault
}

fn missing_target(folder: &Folder<'_>) -> Fault {
    Fault::new(FaultKind::Internal, format!("The folder {} was not made at the destination.", folder.dest()))
}
