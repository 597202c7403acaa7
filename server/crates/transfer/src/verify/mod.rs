//! Verification: both servers are read again by witnesses that share no code with the engine, and every source
//! message is given its place: *arrived*, *pending*, *quarantined* or *waived*.
//!
//! The ledger only says where to look. A message counts as arrived when the witness finds it at the destination, in
//! the right folder, with the same size, date and Message-Id; where these leave a doubt, or the depth asks for it,
//! its bytes are read again on both sides. One folder is in memory at a time.

mod compare;

use crate::{
    Digests, Driver, Fault, Finding, FolderPath, Ledger, LedgerRow, MessageMeta, PlacedFolder, ReadMessage, ReadScope,
    Reader, RemoteFolder, UidSet, Watch,
    mapping::{self, is_view},
};
use compare::{Doubt, judge};
use gatepost_contract::{Depth, Fidelity, FolderEvidence, Level, MessageState, Tally};
use std::collections::{HashMap, HashSet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One mailbox to verify.
pub struct Verify<'a> {
    /// Where the mail came from.
    pub source: &'a dyn Driver,
    /// Where it went.
    pub dest: &'a dyn Driver,
    /// Where to look, and where the findings go.
    pub ledger: &'a dyn Ledger,
    /// Who looks on.
    pub watch: &'a dyn Watch,
    /// How thoroughly.
    pub depth: Depth,
    /// Ends the verification; nothing it found so far counts as evidence.
    pub cancel: CancellationToken,
}

/// How many messages a folder holds on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderCount {
    /// Its path at the source.
    pub source_path: String,
    /// Messages there.
    pub source: u32,
    /// Messages at its place at the destination; `None` where there is no such folder.
    pub dest: Option<u32>,
}

/// A folder's place among those of the destination; where case does not count there, under another spelling.
fn at_place<'f>(folders: &'f [RemoteFolder], place: &PlacedFolder) -> Option<&'f RemoteFolder> {
    let alike = || folders.iter().find(|f| mapping::folded(&f.path) == mapping::folded(&place.dest));
    folders.iter().find(|f| is_at(f, place)).or_else(alike)
}

fn is_at(folder: &RemoteFolder, place: &PlacedFolder) -> bool {
    folder.path == place.dest || folder.path.is_inbox() && place.dest.is_inbox()
}

/// A message at the destination, as small as it can be kept.
struct Seen {
    size: u64,
    date: i64,
    flags: crate::Flags,
    message_id: Option<u64>,
}

impl Verify<'_> {
    /// Reads both sides and judges every message.
    ///
    /// # Errors
    /// Any fault: evidence is whole or it is none.
    pub async fn run(&self) -> Result<Vec<FolderEvidence>, Fault> {
        let (mut source, mut dest) = tokio::try_join!(self.source.reader(), self.dest.reader())?;
        let placed = self.ledger.placed().await?;
        let (at_source, at_dest) = tokio::try_join!(source.folders(), dest.folders())?;
        let visible: Vec<&RemoteFolder> = at_source.iter().filter(|f| f.selectable).collect();
        self.watch.steps(&visible.iter().map(|f| f.path.to_string()).collect::<Vec<_>>());
        let mut evidence = Vec::new();
        // Destination messages that stand for a source message, by destination folder: none stands for two.
        let mut taken: HashMap<FolderPath, HashSet<u32>> = HashMap::new();
        for (step, folder) in visible.into_iter().enumerate() {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let Some(own) = placed.iter().find(|p| p.source == folder.path) else {
                evidence.extend(self.unmapped(&mut *source, step, folder).await?);
                continue;
            };
            let target = at_place(&at_dest, own);
            let siblings: Vec<&PlacedFolder> = placed.iter().filter(|p| p.dest == own.dest && p.id != own.id).collect();
            let taken = taken.entry(own.dest.clone()).or_default();
            let found = self.folder(&mut *source, &mut *dest, step, folder, own, target, &siblings, taken).await?;
            self.watch.end(
                step,
                if found.tally.pending == 0 && found.changed == 0 {
                    Ok(Some(format!("{} of {} arrived", found.tally.arrived, found.tally.source)))
                } else {
                    Err(format!("{} missing, {} changed", found.tally.pending, found.changed))
                },
            );
            evidence.push(found);
        }
        // Evidence of a vanished folder would count messages that the source does not hold any more.
        let there: HashSet<String> = evidence.iter().map(|e| e.source_path.clone()).collect();
        for gone in placed.iter().filter(|p| !there.contains(&p.source.to_string())) {
            self.watch.note(Level::Warn, "folder", format!("{} is no longer at the source.", gone.source));
            let uids: Vec<u32> = self.ledger.rows(gone.id).await?.iter().map(|r| r.uid).collect();
            self.ledger.vanished(gone.id, &uids).await?;
        }
        source.close().await;
        dest.close().await;
        Ok(evidence)
    }

    /// Counts the messages of every folder on both sides, and compares nothing else.
    ///
    /// # Errors
    /// Any fault of either side.
    pub async fn count(&self) -> Result<Vec<FolderCount>, Fault> {
        let (mut source, mut dest) = tokio::try_join!(self.source.reader(), self.dest.reader())?;
        let placed = self.ledger.placed().await?;
        let (at_source, at_dest) = tokio::try_join!(source.folders(), dest.folders())?;
        let visible: Vec<&RemoteFolder> = at_source.iter().filter(|f| f.selectable && !is_view(f)).collect();
        self.watch.steps(&visible.iter().map(|f| f.path.to_string()).collect::<Vec<_>>());
        let mut counts = Vec::with_capacity(visible.len());
        for (step, folder) in visible.into_iter().enumerate() {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let (_, messages) = source.open(folder).await?;
            let place = placed.iter().find(|p| p.source == folder.path);
            let target = place.and_then(|p| at_place(&at_dest, p));
            let there = match target {
                Some(target) => Some(dest.open(target).await?.1),
                None => None,
            };
            let shown = there.map_or("no folder".to_owned(), |n| n.to_string());
            self.watch.end(step, Ok(Some(format!("{messages} at the source, {shown} at the destination"))));
            counts.push(FolderCount { source_path: folder.path.to_string(), source: messages, dest: there });
        }
        source.close().await;
        dest.close().await;
        Ok(counts)
    }

    /// A source folder that no run has placed: its messages are all missing, unless it is a mere view of others.
    async fn unmapped(
        &self,
        source: &mut dyn Reader,
        step: usize,
        folder: &RemoteFolder,
    ) -> Result<Option<FolderEvidence>, Fault> {
        if is_view(folder) {
            let note = "a view of messages in other folders; not copied";
            self.watch.end(step, Ok(Some(note.to_owned())));
            return Ok(None);
        }
        let (_, messages) = source.open(folder).await?;
        let note = "The folder has not been copied by any run yet. Run a delta sync.";
        self.watch.end(step, Err(note.to_owned()));
        let messages = i64::from(messages);
        Ok(Some(FolderEvidence {
            folder_id: None,
            source_path: folder.path.to_string(),
            dest_path: None,
            special_use: folder.special_use,
            visited: false,
            tally: Tally { source: messages, pending: messages, ..Tally::default() },
            extra: 0,
            changed: 0,
            rewritten: 0,
            flags_lost: 0,
            bodies_read: 0,
            note: Some(note.to_owned()),
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "each is one side of the comparison")]
    async fn folder(
        &self,
        source: &mut dyn Reader,
        dest: &mut dyn Reader,
        step: usize,
        folder: &RemoteFolder,
        own: &PlacedFolder,
        target: Option<&RemoteFolder>,
        siblings: &[&PlacedFolder],
        taken: &mut HashSet<u32>,
    ) -> Result<FolderEvidence, Fault> {
        let mut found = FolderEvidence {
            folder_id: Some(own.id),
            source_path: folder.path.to_string(),
            dest_path: Some(own.dest.to_string()),
            special_use: own.special_use.or(folder.special_use),
            visited: target.is_some(),
            tally: Tally::default(),
            extra: 0,
            changed: 0,
            rewritten: 0,
            flags_lost: 0,
            bodies_read: 0,
            note: None,
        };
        let (source_epoch, messages) = source.open(folder).await?;
        self.watch.begin(step, u64::from(messages), 0);
        let mut seen = HashMap::new();
        let mut dest_epoch = None;
        if let Some(target) = target {
            let (epoch, _) = dest.open(target).await?;
            dest_epoch = Some(epoch);
            seen = self.read_destination(dest).await?;
        } else {
            found.note = Some(format!("The folder {} is not at the destination. Run a delta sync.", own.dest));
        }
        let same_epoch = own.cursor.is_none_or(|c| c.epoch == source_epoch);
        if !same_epoch || dest_epoch.is_some() && own.dest_epoch.is_some() && own.dest_epoch != dest_epoch {
            // The ledger's UIDs mean nothing now; the next delta recognises by content what has arrived.
            found.note = Some("A server has numbered its messages anew (UIDVALIDITY). Run a delta sync.".to_owned());
            found.tally = Tally { source: messages.into(), pending: messages.into(), ..Tally::default() };
            self.watch.done(step, messages.into(), 0);
            return Ok(found);
        }

        let rows = self.ledger.rows(own.id).await?;
        let (listing, new) = self.read_source(source, own, &rows).await?;
        let mut findings: Vec<Finding> = Vec::with_capacity(rows.len());
        let mut doubts: Vec<(usize, Doubt)> = Vec::new();
        let mut vanished = Vec::new();
        for row in &rows {
            let Some(message) = listing.get(&row.uid) else {
                vanished.push(row.uid);
                continue;
            };
            let at_dest = row.dest_uid.and_then(|uid| seen.get(&uid).filter(|_| taken.insert(uid)));
            let (finding, lost, doubt) = judge(row, message, at_dest, &found.note);
            found.flags_lost += i64::from(lost);
            if let Some(doubt) =
                doubt.or((self.depth == Depth::Deep && finding.state == MessageState::Arrived).then_some(Doubt::Depth))
            {
                doubts.push((findings.len(), doubt));
            }
            findings.push(finding);
        }
        self.ledger.vanished(own.id, &vanished).await?;
        if !doubts.is_empty() {
            self.read_bodies(source, dest, &rows, &mut findings, &doubts, &mut found).await?;
        }
        let mut linked: HashSet<u32> = rows.iter().filter_map(|r| r.dest_uid).collect();
        for sibling in siblings {
            linked.extend(self.ledger.rows(sibling.id).await?.iter().filter_map(|r| r.dest_uid));
        }
        found.extra = seen.keys().filter(|uid| !linked.contains(uid)).count() as i64;
        for finding in &findings {
            found.tally.source += 1;
            match finding.state {
                MessageState::Arrived => found.tally.arrived += 1,
                MessageState::Pending => found.tally.pending += 1,
                MessageState::Quarantined => found.tally.quarantined += 1,
                MessageState::Waived => found.tally.waived += 1,
            }
            match finding.fidelity {
                Some(Fidelity::Changed) => found.changed += 1,
                Some(Fidelity::Rewritten) => found.rewritten += 1,
                _ => {}
            }
        }
        // Mail that came after the last sync: in the ledger as pending by now, so that the residue names it.
        found.tally.source += new;
        found.tally.pending += new;
        self.ledger.verified(own.id, &findings).await?;
        self.watch.done(step, messages.into(), 0);
        Ok(found)
    }

    async fn read_destination(&self, dest: &mut dyn Reader) -> Result<HashMap<u32, Seen>, Fault> {
        let (out, mut messages) = mpsc::channel::<ReadMessage>(256);
        let mut seen = HashMap::new();
        let collect = async {
            while let Some(m) = messages.recv().await {
                let message_id = m.message_id.as_deref().map(compare::id_hash);
                seen.insert(m.uid, Seen { size: m.size, date: m.internal_date.seconds, flags: m.flags, message_id });
            }
        };
        let (read, ()) = tokio::join!(dest.read(None, ReadScope::Listing, out), collect);
        read.map(|()| seen)
    }

    /// Reads the source's listing. Messages that the ledger does not know are added to it as pending and counted.
    async fn read_source(
        &self,
        source: &mut dyn Reader,
        own: &PlacedFolder,
        rows: &[LedgerRow],
    ) -> Result<(HashMap<u32, ReadMessage>, i64), Fault> {
        let known: HashSet<u32> = rows.iter().map(|r| r.uid).collect();
        let (out, mut messages) = mpsc::channel::<ReadMessage>(256);
        let (mut listing, mut new) = (HashMap::new(), Vec::new());
        let collect = async {
            while let Some(m) = messages.recv().await {
                if known.contains(&m.uid) {
                    listing.insert(m.uid, m);
                } else {
                    new.push(MessageMeta { uid: m.uid, size: m.size, internal_date: m.internal_date, flags: m.flags });
                }
            }
        };
        let (read, ()) = tokio::join!(source.read(None, ReadScope::Listing, out), collect);
        read?;
        self.ledger.add(own.id, &new).await?;
        if !new.is_empty() {
            self.watch.note(
                Level::Warn,
                "message",
                format!("{}: {} messages came after the last sync. Run a delta sync.", own.source, new.len()),
            );
        }
        Ok((listing, new.len() as i64))
    }

    /// Reads the bytes of what is in doubt on both sides and classes it.
    async fn read_bodies(
        &self,
        source: &mut dyn Reader,
        dest: &mut dyn Reader,
        rows: &[LedgerRow],
        findings: &mut [Finding],
        doubts: &[(usize, Doubt)],
        found: &mut FolderEvidence,
    ) -> Result<(), Fault> {
        let by_id: HashMap<_, &LedgerRow> = rows.iter().map(|r| (r.id, r)).collect();
        let at_source: UidSet =
            doubts.iter().filter_map(|(at, _)| by_id.get(&findings[*at].id)).map(|r| r.uid).collect();
        let at_dest: UidSet = doubts.iter().filter_map(|(at, _)| by_id.get(&findings[*at].id)?.dest_uid).collect();
        let (source_digests, dest_digests) =
            tokio::try_join!(self.digests(source, &at_source), self.digests(dest, &at_dest))?;
        for (at, doubt) in doubts {
            let finding = &mut findings[*at];
            let Some(row) = by_id.get(&finding.id) else { continue };
            let theirs = row.dest_uid.and_then(|uid| dest_digests.get(&uid));
            compare::settle(finding, *doubt, row, source_digests.get(&row.uid), theirs);
            found.bodies_read += 1;
        }
        Ok(())
    }

    async fn digests(&self, reader: &mut dyn Reader, uids: &UidSet) -> Result<HashMap<u32, Digests>, Fault> {
        let (out, mut messages) = mpsc::channel::<ReadMessage>(16);
        let mut digests = HashMap::new();
        let collect = async {
            while let Some(m) = messages.recv().await {
                if let Some(d) = m.digests {
                    digests.insert(m.uid, d);
                }
                if self.cancel.is_cancelled() {
                    break;
                }
            }
            drop(messages);
        };
        let (read, ()) = tokio::join!(reader.read(Some(uids), ReadScope::Bodies, out), collect);
        if self.cancel.is_cancelled() {
            return Err(Fault::cancelled());
        }
        read.map(|()| digests)
    }
}
