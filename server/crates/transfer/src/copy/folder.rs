//! One folder: bring the ledger up to date with the source, adopt what is at the destination already, send the rest.

use super::{Copy, CopyOutcome, FolderTask, Lines, ready_folder, stream};
use crate::{
    Cursor, Fault, Flags, FolderState, LedgerRow, MessageMeta, Refusal,
    adopt::{self, Candidate},
};
use gatepost_contract::{Level, MessageState};
use std::collections::{HashMap, HashSet};

/// How often a destination that keeps changing is looked at before the copy goes on all the same.
const SETTLE_LOOKS: u32 = 15;

/// How many messages are compared with the destination's at once.
const ADOPT_AT_ONCE: usize = 256;

/// What a listing changed, before anything is written.
#[derive(Default)]
struct Changes {
    new: Vec<MessageMeta>,
    vanished: Vec<u32>,
    flags: Vec<(u32, Flags)>,
}

impl Copy<'_> {
    pub(super) async fn folder(
        &self,
        lines: &mut Lines,
        task: &mut FolderTask<'_>,
        outcome: &mut CopyOutcome,
    ) -> Result<(), Fault> {
        if self.cancel.is_cancelled() {
            return Err(Fault::cancelled());
        }
        let state = lines.source.open(&task.mapped.source).await?;
        if self.options.dry_run {
            return self.dry(lines, task, state, outcome).await;
        }
        let target = ready_folder(&mut *lines.dest, task.mapped).await?;
        let mut dest = lines.dest.open(&target).await?;
        let visited_before = task.placed.dest_epoch.is_some();
        self.check_epochs(task, &state, &dest).await?;

        let mut rows = self.ledger.rows(task.placed.id).await?;
        if visited_before && rows.iter().any(|r| r.state == MessageState::Pending) {
            dest = self.settled(lines, &target, dest).await?;
        }
        let changes = self.look(lines, task, &state, &rows).await?;
        let flags_changed = changes.flags.len() as u64;
        self.record(lines, task, (&state, &dest), &rows, changes, outcome).await?;
        rows = self.ledger.rows(task.placed.id).await?;

        let mut pending: Vec<&LedgerRow> = rows.iter().filter(|r| r.state == MessageState::Pending).collect();
        let before = rows.iter().filter(|r| r.state == MessageState::Arrived).count() as u64;
        let (todo, weight) = (pending.len() as u64, pending.iter().map(|r| r.size).sum());
        self.watch.begin(task.step, todo, weight);
        let mut refused = self.refuse_oversize(lines.dest_limits.append_limit, task, &mut pending).await?;
        let adopted = self.adopt(lines, task, &dest, &rows, &mut pending).await?;
        outcome.adopted += adopted;
        let sent = if pending.is_empty() {
            stream::Sent::default()
        } else {
            let result = stream::send(self, lines, task, &target, &dest, &pending).await;
            // What was acknowledged before a fault counts: it is in the ledger.
            outcome.transferred += result.sent.messages;
            outcome.bytes += result.sent.bytes;
            outcome.quarantined += result.sent.refused;
            if result.sent.without_uid > 0 {
                self.learn_uids(lines, task, &target, &dest).await?;
            }
            result.fault?;
            result.sent
        };
        refused += sent.refused;
        outcome.quarantined += refused - sent.refused;
        outcome.already_there += before;
        let note = folder_note(sent.messages, adopted, refused, flags_changed, before);
        self.watch.end(task.step, Ok(Some(note)));
        Ok(())
    }

    /// Waits until the destination has stored what an earlier attempt sent it. After a kill or a broken connection a
    /// server goes on with what it, or the network, has received; what it stores after we have looked would be sent
    /// again.
    async fn settled(
        &self,
        lines: &mut Lines,
        target: &crate::RemoteFolder,
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

    /// Lists, compares and tells; changes nothing anywhere.
    async fn dry(
        &self,
        lines: &mut Lines,
        task: &FolderTask<'_>,
        state: FolderState,
        outcome: &mut CopyOutcome,
    ) -> Result<(), Fault> {
        let same_epoch = task.placed.cursor.is_some_and(|c| c.epoch == state.uid_validity);
        let rows = if same_epoch { self.ledger.rows(task.placed.id).await? } else { Vec::new() };
        let arrived: HashSet<u32> = rows.iter().filter(|r| r.state != MessageState::Pending).map(|r| r.uid).collect();
        let listed = lines.source.list(1).await?;
        let missing: Vec<&MessageMeta> = listed.iter().filter(|m| !arrived.contains(&m.uid)).collect();
        let bytes = missing.iter().map(|m| m.size).sum::<u64>();
        self.watch.begin(task.step, missing.len() as u64, bytes);
        outcome.pending += missing.len() as u64;
        outcome.already_there += (listed.len() - missing.len()) as u64;
        self.watch.end(task.step, Ok(Some(format!("{} messages, {bytes} bytes would be copied", missing.len()))));
        Ok(())
    }

    async fn check_epochs(
        &self,
        task: &mut FolderTask<'_>,
        source: &FolderState,
        dest: &FolderState,
    ) -> Result<(), Fault> {
        let path = &task.placed.source;
        if let Some(cursor) = task.placed.cursor.filter(|c| c.epoch != source.uid_validity) {
            self.watch.note(
                Level::Warn,
                "folder",
                format!(
                    "{path}: the source numbers its messages anew (UIDVALIDITY {} became {}). The folder is listed whole \
                     and what has arrived is recognised by its content.",
                    cursor.epoch, source.uid_validity
                ),
            );
            self.ledger.new_source_epoch(task.placed.id).await?;
            task.placed.cursor = None;
        }
        if task.placed.dest_epoch != Some(dest.uid_validity) {
            if task.placed.dest_epoch.is_some() {
                self.watch.note(
                    Level::Warn,
                    "folder",
                    format!(
                        "{path}: the destination numbers its messages anew; what is there is recognised by its content."
                    ),
                );
            }
            self.ledger.new_dest_epoch(task.placed.id, dest.uid_validity).await?;
            task.placed.dest_epoch = Some(dest.uid_validity);
        }
        Ok(())
    }

    /// What changed at the source since the cursor.
    async fn look(
        &self,
        lines: &mut Lines,
        task: &FolderTask<'_>,
        state: &FolderState,
        rows: &[LedgerRow],
    ) -> Result<Changes, Fault> {
        if let Some(cursor) = task.placed.cursor.filter(|_| !self.options.thorough)
            && let Some(changes) = look_since(lines, cursor, state, rows).await?
        {
            return Ok(changes);
        }
        let listed = lines.source.list(1).await?;
        let known: HashMap<u32, &LedgerRow> = rows.iter().map(|r| (r.uid, r)).collect();
        let there: HashSet<u32> = listed.iter().map(|m| m.uid).collect();
        let mut changes = Changes {
            vanished: rows.iter().map(|r| r.uid).filter(|uid| !there.contains(uid)).collect(),
            ..Changes::default()
        };
        for message in listed {
            match known.get(&message.uid) {
                None => changes.new.push(message),
                Some(row) if row.flags != message.flags => changes.flags.push((message.uid, message.flags)),
                Some(_) => {}
            }
        }
        Ok(changes)
    }

    /// Writes what changed: new messages first, then the flags (at the destination before the ledger, so that a
    /// kill in between repeats them), and the cursor last.
    async fn record(
        &self,
        lines: &mut Lines,
        task: &mut FolderTask<'_>,
        (state, dest): (&FolderState, &FolderState),
        rows: &[LedgerRow],
        changes: Changes,
        outcome: &mut CopyOutcome,
    ) -> Result<(), Fault> {
        let highest = changes.new.iter().map(|m| m.uid).chain(rows.iter().map(|r| r.uid)).max().unwrap_or(0);
        self.ledger.add(task.placed.id, &changes.new).await?;
        if !changes.vanished.is_empty() {
            self.ledger.vanished(task.placed.id, &changes.vanished).await?;
            outcome.vanished += changes.vanished.len() as u64;
        }
        if !changes.flags.is_empty() {
            outcome.flags_changed += self.carry_flags(lines, dest, rows, &changes.flags).await?;
            self.ledger.flags(task.placed.id, &changes.flags).await?;
        }
        let cursor = Cursor {
            epoch: state.uid_validity,
            next_uid: state.uid_next.unwrap_or(0).max(highest.saturating_add(1)),
            modseq: state.highest_modseq,
        };
        if task.placed.cursor != Some(cursor) {
            self.ledger.advance(task.placed.id, cursor).await?;
            task.placed.cursor = Some(cursor);
        }
        Ok(())
    }

    /// Brings flag changes to messages that have arrived. What the source added is added, what it took away is
    /// taken away, and whatever else the user changed at the destination stays as it is there.
    async fn carry_flags(
        &self,
        lines: &mut Lines,
        folder: &FolderState,
        rows: &[LedgerRow],
        changes: &[(u32, Flags)],
    ) -> Result<u64, Fault> {
        if !self.options.carry_flags {
            return Ok(0);
        }
        let known: HashMap<u32, &LedgerRow> = rows.iter().map(|r| (r.uid, r)).collect();
        let wanted: Vec<(u32, &LedgerRow, &Flags)> = changes
            .iter()
            .filter_map(|(uid, flags)| known.get(uid).and_then(|r| r.dest_uid.map(|dest| (dest, *r, flags))))
            .collect();
        let Some(first) = wanted.iter().map(|(dest, ..)| *dest).min() else { return Ok(0) };
        let there: HashMap<u32, Flags> = lines.dest.list(first).await?.into_iter().map(|m| (m.uid, m.flags)).collect();
        let updates: Vec<(u32, Flags)> = wanted
            .into_iter()
            .filter_map(|(dest, row, now)| {
                let present = there.get(&dest)?;
                let added = now.minus(&row.flags).split_by(folder).0;
                let merged = present.plus(&added).minus(&row.flags.minus(now));
                (merged != *present).then_some((dest, merged))
            })
            .collect();
        lines.dest.set_flags(&updates).await?;
        Ok(updates.len() as u64)
    }

    /// Messages that the destination has said it will not take.
    async fn refuse_oversize(
        &self,
        append_limit: Option<u64>,
        task: &FolderTask<'_>,
        pending: &mut Vec<&LedgerRow>,
    ) -> Result<u64, Fault> {
        let Some(limit) = append_limit else { return Ok(0) };
        let refusals: Vec<Refusal> = pending
            .iter()
            .filter(|r| r.size > limit)
            .map(|r| Refusal {
                uid: r.uid,
                cause: format!(
                    "The message has {} bytes; the destination takes {limit} at most (APPENDLIMIT). Raise the limit there \
                     and retry, or waive the message.",
                    r.size
                ),
            })
            .collect();
        if !refusals.is_empty() {
            self.ledger.refused(task.placed.id, &refusals).await?;
            pending.retain(|r| r.size <= limit);
        }
        Ok(refusals.len() as u64)
    }

    /// Recognises messages that are at the destination already, and takes them out of `pending`.
    async fn adopt(
        &self,
        lines: &mut Lines,
        task: &FolderTask<'_>,
        dest: &FolderState,
        rows: &[LedgerRow],
        pending: &mut Vec<&LedgerRow>,
    ) -> Result<u64, Fault> {
        if pending.is_empty() || dest.messages == 0 {
            return Ok(0);
        }
        let claimed = self.claimed(task, rows).await?;
        // Nothing strange is there when the numbers agree and the newest message is ours; folders that are merged
        // into one are looked at in any case.
        let newest_is_ours = dest.uid_next.is_some_and(|next| claimed.iter().max().is_some_and(|max| max + 1 == next));
        if task.siblings.is_empty() && dest.messages as usize == claimed.len() && newest_is_ours {
            return Ok(0);
        }
        let mut unclaimed: Vec<MessageMeta> =
            lines.dest.list(1).await?.into_iter().filter(|m| !claimed.contains(&m.uid)).collect();
        let mut by_size = pending.clone();
        by_size.sort_unstable_by_key(|r| (r.size, r.uid));
        let mut adopted = 0;
        // In portions, each recorded before the next: an interruption costs one portion.
        for portion in by_size.chunks(ADOPT_AT_ONCE) {
            if unclaimed.is_empty() {
                break;
            }
            let candidates: Vec<Candidate> = portion.iter().map(|r| Candidate::from(*r)).collect();
            let arrivals =
                adopt::recognise(&mut *lines.source, &mut *lines.dest, candidates, &unclaimed, &self.cancel).await?;
            if arrivals.is_empty() {
                continue;
            }
            self.ledger.arrived(task.placed.id, &arrivals).await?;
            adopted += arrivals.len() as u64;
            self.give_flags(lines, dest, portion, &arrivals, &unclaimed).await?;
            let done: HashSet<u32> = arrivals.iter().map(|a| a.uid).collect();
            let used: HashSet<u32> = arrivals.iter().filter_map(|a| a.dest_uid).collect();
            let bytes = portion.iter().filter(|r| done.contains(&r.uid)).map(|r| r.size).sum();
            unclaimed.retain(|m| !used.contains(&m.uid));
            pending.retain(|r| !done.contains(&r.uid));
            self.watch.done(task.step, done.len() as u64, bytes);
        }
        if adopted > 0 {
            let path = &task.placed.source;
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
        dest: &FolderState,
        rows: &[&LedgerRow],
        arrivals: &[crate::Arrival],
        there: &[MessageMeta],
    ) -> Result<(), Fault> {
        if !self.options.carry_flags {
            return Ok(());
        }
        let present: HashMap<u32, &Flags> = there.iter().map(|m| (m.uid, &m.flags)).collect();
        let wanted: HashMap<u32, &Flags> = rows.iter().map(|r| (r.uid, &r.flags)).collect();
        let updates: Vec<(u32, Flags)> = arrivals
            .iter()
            .filter_map(|a| {
                let uid = a.dest_uid?;
                let (now, wanted) = (*present.get(&uid)?, wanted.get(&a.uid)?.split_by(dest).0);
                (!wanted.minus(now).is_empty()).then(|| (uid, now.plus(&wanted)))
            })
            .collect();
        lines.dest.set_flags(&updates).await
    }

    /// Destination UIDs that belong to a row of this folder or of one merged with it.
    async fn claimed(&self, task: &FolderTask<'_>, rows: &[LedgerRow]) -> Result<HashSet<u32>, Fault> {
        let mut claimed: HashSet<u32> = rows.iter().filter_map(|r| r.dest_uid).collect();
        if task.siblings.is_empty() {
            return Ok(claimed);
        }
        // As they stand now: UIDs of an epoch that has ended claim nothing.
        let siblings = self
            .ledger
            .placed()
            .await?
            .into_iter()
            .filter(|p| p.dest_epoch == task.placed.dest_epoch && task.siblings.iter().any(|s| s.id == p.id));
        for sibling in siblings {
            claimed.extend(self.ledger.rows(sibling.id).await?.iter().filter_map(|r| r.dest_uid));
        }
        Ok(claimed)
    }

    /// On servers without UIDPLUS: finds out under which UIDs the messages just sent were stored.
    async fn learn_uids(
        &self,
        lines: &mut Lines,
        task: &FolderTask<'_>,
        target: &crate::RemoteFolder,
        dest: &FolderState,
    ) -> Result<(), Fault> {
        lines.dest.open(target).await?;
        let rows = self.ledger.rows(task.placed.id).await?;
        let nameless: Vec<Candidate> = rows
            .iter()
            .filter(|r| r.state == MessageState::Arrived && r.dest_uid.is_none())
            .map(Candidate::from)
            .collect();
        if nameless.is_empty() {
            return Ok(());
        }
        let claimed = self.claimed(task, &rows).await?;
        let from = if rows.iter().all(|r| r.dest_uid.is_none()) { 1 } else { dest.uid_next.unwrap_or(1) };
        let unclaimed: Vec<MessageMeta> =
            lines.dest.list(from).await?.into_iter().filter(|m| !claimed.contains(&m.uid)).collect();
        let arrivals =
            adopt::recognise(&mut *lines.source, &mut *lines.dest, nameless, &unclaimed, &self.cancel).await?;
        self.ledger.arrived(task.placed.id, &arrivals).await
    }
}

/// The cheap way to look: `None` where the cursor does not suffice and the folder must be listed whole.
async fn look_since(
    lines: &mut Lines,
    cursor: Cursor,
    state: &FolderState,
    rows: &[LedgerRow],
) -> Result<Option<Changes>, Fault> {
    let same_modseq = cursor.modseq.is_some() && cursor.modseq == state.highest_modseq;
    let nothing_new = state.uid_next == Some(cursor.next_uid);
    let new = if nothing_new { Vec::new() } else { lines.source.list(cursor.next_uid).await? };
    if rows.len() + new.len() != state.messages as usize {
        // Something has gone from the source: only a whole listing tells what.
        return Ok(None);
    }
    if same_modseq {
        return Ok(Some(Changes { new, ..Changes::default() }));
    }
    let Some(since) = cursor.modseq else { return Ok(None) };
    let Some(flags) = lines.source.changed_flags(cursor.next_uid.saturating_sub(1), since).await? else {
        return Ok(None);
    };
    let known: HashMap<u32, &LedgerRow> = rows.iter().map(|r| (r.uid, r)).collect();
    let flags = flags.into_iter().filter(|(uid, now)| known.get(uid).is_some_and(|r| r.flags != *now)).collect();
    Ok(Some(Changes { new, flags, ..Changes::default() }))
}

fn folder_note(sent: u64, adopted: u64, refused: u64, flags: u64, before: u64) -> String {
    let mut parts = vec![format!("{sent} copied")];
    for (count, what) in
        [(before, "there before"), (adopted, "recognised"), (refused, "refused"), (flags, "flag changes")]
    {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}
