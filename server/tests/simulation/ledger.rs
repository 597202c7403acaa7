//! A ledger in memory that keeps the promises of the one in the store: fast enough for thousands of simulations.

use async_trait::async_trait;
use gatepost_contract::{CauseKind, FolderId, MessageId, MessageState, SpecialUse};
use gatepost_transfer::{
    Arrival, Cursor, Fault, Finding, Flags, FolderPath, Ledger, LedgerRow, MessageHead, NewMessage, PlacedFolder,
    ProofRow, Refusal, Standing, UidSet,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
pub struct MemoryLedger(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    folders: Vec<Folder>,
    last_message: i64,
}

struct Folder {
    placed: PlacedFolder,
    gone: bool,
    rows: BTreeMap<u32, LedgerRow>,
    causes: BTreeMap<u32, String>,
    /// What verifications found of messages, and which messages have been copied once.
    findings: BTreeMap<u32, Finding>,
    copied: BTreeSet<u32>,
    /// Those that some evidence is about.
    proved: BTreeSet<u32>,
}

impl Tables {
    fn of(&mut self, folder: FolderId) -> &mut Folder {
        self.folders.iter_mut().find(|known| known.placed.id == folder).expect("the engine names placed folders only")
    }
}

impl Folder {
    fn new(placed: PlacedFolder) -> Self {
        Self {
            placed,
            gone: false,
            rows: BTreeMap::new(),
            causes: BTreeMap::new(),
            findings: BTreeMap::new(),
            copied: BTreeSet::new(),
            proved: BTreeSet::new(),
        }
    }

    /// What had arrived is pending again.
    fn unplace(&mut self) {
        for row in self.rows.values_mut().filter(|row| row.state == MessageState::Arrived) {
            row.state = MessageState::Pending;
            row.dest_uid = None;
        }
    }

    fn standing(&self) -> Standing {
        let of = |state| self.rows.values().filter(move |row| row.state == state);
        Standing {
            messages: self.rows.len() as u64,
            arrived: of(MessageState::Arrived).count() as u64,
            pending: of(MessageState::Pending).count() as u64,
            pending_bytes: of(MessageState::Pending).map(|row| row.size).sum(),
        }
    }
}

impl MemoryLedger {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a technician does about quarantined messages: have them tried again.
    pub fn retry_quarantined(&self) {
        for folder in &mut self.lock().folders {
            for row in folder.rows.values_mut().filter(|row| row.state == MessageState::Quarantined) {
                row.state = MessageState::Pending;
            }
            folder.causes.clear();
        }
    }

    /// What verifications found amiss: folder, UID and finding.
    pub fn findings(&self) -> Vec<(String, u32, Finding)> {
        let tables = self.lock();
        let named = |folder: &Folder| {
            let path = folder.placed.source.to_string();
            let amiss = folder.findings.iter().filter(|(_, finding)| finding.kind.is_some());
            amiss.map(|(uid, finding)| (path.clone(), *uid, finding.clone())).collect::<Vec<_>>()
        };
        tables.folders.iter().flat_map(named).collect()
    }

    /// A verification has ended, and its evidence is kept.
    pub fn prove(&self) {
        for folder in &mut self.lock().folders {
            folder.proved.clone_from(&folder.copied);
        }
    }

    /// Gives a message up, as a person would.
    pub fn waive(&self, folder: &str, uid: u32) {
        for known in self.lock().folders.iter_mut().filter(|known| known.placed.source.to_string() == folder) {
            known.rows.get_mut(&uid).expect("it is in the ledger").state = MessageState::Waived;
        }
    }

    /// Messages that have not arrived: folder, UID, size, state and cause.
    pub fn residue(&self) -> Vec<(String, u32, u64, MessageState, String)> {
        let tables = self.lock();
        let folders = tables.folders.iter().filter(|folder| !folder.gone);
        folders
            .flat_map(|folder| {
                let path = folder.placed.source.to_string();
                folder.rows.values().filter(|row| row.state != MessageState::Arrived).map(move |row| {
                    let cause = folder.causes.get(&row.uid).cloned().unwrap_or_default();
                    (path.clone(), row.uid, row.size, row.state, cause)
                })
            })
            .collect()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn place(&self, plan: &[(FolderPath, FolderPath, Option<SpecialUse>)]) -> Result<Vec<PlacedFolder>, Fault> {
        {
            let mut tables = self.lock();
            for folder in &mut tables.folders {
                folder.gone = true;
            }
            for (source, dest, special_use) in plan {
                let next = FolderId(tables.folders.len() as i64 + 1);
                if let Some(known) = tables.folders.iter_mut().find(|known| known.placed.source == *source) {
                    known.gone = false;
                    if known.placed.dest != *dest {
                        known.unplace();
                        known.placed.dest = dest.clone();
                        known.placed.dest_epoch = None;
                    }
                    continue;
                }
                let placed = PlacedFolder {
                    id: next,
                    source: source.clone(),
                    dest: dest.clone(),
                    special_use: *special_use,
                    dest_epoch: None,
                    cursor: None,
                };
                tables.folders.push(Folder::new(placed));
            }
        }
        self.placed().await
    }

    async fn placed(&self) -> Result<Vec<PlacedFolder>, Fault> {
        let mut placed: Vec<PlacedFolder> =
            self.lock().folders.iter().filter(|folder| !folder.gone).map(|folder| folder.placed.clone()).collect();
        placed.sort_by_key(|folder| folder.source.to_string());
        Ok(placed)
    }

    async fn standing(&self, only: Option<FolderId>) -> Result<Vec<(FolderId, Standing)>, Fault> {
        let tables = self.lock();
        let wanted = |folder: &&Folder| !folder.gone && only.is_none_or(|only| only == folder.placed.id);
        Ok(tables.folders.iter().filter(wanted).map(|folder| (folder.placed.id, folder.standing())).collect())
    }

    async fn proofs(&self, folder: FolderId, after: Option<u32>, most: u32) -> Result<Vec<ProofRow>, Fault> {
        let mut tables = self.lock();
        let folder = tables.of(folder);
        let from = after.map_or(0, |uid| uid.saturating_add(1));
        let proof = |row: &LedgerRow| ProofRow {
            id: row.id,
            uid: row.uid,
            size: row.size,
            internal_date: row.internal_date,
            flags: row.flags.clone(),
            state: row.state,
            unwaived: false,
            dest_uid: row.dest_uid,
            copied: row.dest_uid.is_some() || folder.copied.contains(&row.uid),
            proved: folder.proved.contains(&row.uid),
            fidelity: folder.findings.get(&row.uid).and_then(|finding| finding.fidelity),
            cause: folder.causes.get(&row.uid).cloned(),
            kind: folder.findings.get(&row.uid).and_then(|finding| finding.kind),
            headed: true,
        };
        Ok(folder.rows.range(from..).take(most as usize).map(|(_, row)| proof(row)).collect())
    }

    async fn rows_of(&self, folder: FolderId, uids: &[u32]) -> Result<Vec<LedgerRow>, Fault> {
        let mut tables = self.lock();
        let rows = &tables.of(folder).rows;
        Ok(uids.iter().filter_map(|uid| rows.get(uid).cloned()).collect())
    }

    async fn pending(&self, folder: FolderId, after: Option<MessageId>, most: u32) -> Result<Vec<LedgerRow>, Fault> {
        let mut tables = self.lock();
        let behind =
            |row: &&LedgerRow| row.state == MessageState::Pending && after.is_none_or(|after| row.id.0 > after.0);
        let mut rows: Vec<LedgerRow> = tables.of(folder).rows.values().filter(behind).cloned().collect();
        rows.sort_by_key(|row| row.id.0);
        rows.truncate(most as usize);
        Ok(rows)
    }

    async fn nameless(&self, folder: FolderId) -> Result<Vec<LedgerRow>, Fault> {
        let mut tables = self.lock();
        let nameless = |row: &&LedgerRow| row.state == MessageState::Arrived && row.dest_uid.is_none();
        Ok(tables.of(folder).rows.values().filter(nameless).cloned().collect())
    }

    async fn uids(&self, folder: FolderId) -> Result<UidSet, Fault> {
        Ok(self.lock().of(folder).rows.keys().copied().collect())
    }

    async fn dest_uids(&self, folder: FolderId) -> Result<UidSet, Fault> {
        Ok(self.lock().of(folder).rows.values().filter_map(|row| row.dest_uid).collect())
    }

    async fn add(&self, folder: FolderId, messages: &[NewMessage]) -> Result<(), Fault> {
        let mut tables = self.lock();
        let mut last = tables.last_message;
        let rows = &mut tables.of(folder).rows;
        for message in messages {
            rows.entry(message.uid).or_insert_with(|| {
                last += 1;
                LedgerRow {
                    id: MessageId(last),
                    uid: message.uid,
                    size: message.size,
                    internal_date: message.internal_date,
                    flags: message.flags.clone(),
                    state: MessageState::Pending,
                    dest_uid: None,
                    digests: None,
                }
            });
        }
        tables.last_message = last;
        Ok(())
    }

    async fn arrived(&self, folder: FolderId, arrivals: &[Arrival]) -> Result<(), Fault> {
        let mut tables = self.lock();
        let folder = tables.of(folder);
        for arrival in arrivals {
            if let Some(row) = folder.rows.get_mut(&arrival.uid) {
                row.state = MessageState::Arrived;
                row.dest_uid = arrival.dest_uid;
                row.digests = Some(arrival.digests);
                folder.causes.remove(&arrival.uid);
                folder.findings.remove(&arrival.uid);
                folder.copied.insert(arrival.uid);
                folder.proved.remove(&arrival.uid);
            }
        }
        Ok(())
    }

    async fn refused(&self, folder: FolderId, refusals: &[Refusal]) -> Result<(), Fault> {
        let mut tables = self.lock();
        let folder = tables.of(folder);
        for refusal in refusals {
            if let Some(row) = folder.rows.get_mut(&refusal.uid)
                && matches!(row.state, MessageState::Pending | MessageState::Quarantined)
            {
                row.state = MessageState::Quarantined;
                folder.causes.insert(refusal.uid, refusal.cause.clone());
            }
        }
        Ok(())
    }

    async fn hindered(&self, _: FolderId, _: &[Refusal]) -> Result<(), Fault> {
        Ok(())
    }

    async fn came(&self, folder: FolderId, messages: &[NewMessage], _: &str) -> Result<(), Fault> {
        self.add(folder, messages).await
    }

    async fn unproved(&self, _: FolderId, _: CauseKind, _: &str) -> Result<(), Fault> {
        Ok(())
    }

    async fn headed(&self, _: FolderId, _: &[MessageHead]) -> Result<(), Fault> {
        Ok(())
    }

    async fn flaws(&self) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    async fn vanished(&self, folder: FolderId, uids: &[u32]) -> Result<(), Fault> {
        let mut tables = self.lock();
        let rows = &mut tables.of(folder).rows;
        for uid in uids {
            rows.remove(uid);
        }
        Ok(())
    }

    async fn flags(&self, folder: FolderId, changes: &[(u32, Flags)]) -> Result<(), Fault> {
        let mut tables = self.lock();
        let rows = &mut tables.of(folder).rows;
        for (uid, flags) in changes {
            if let Some(row) = rows.get_mut(uid) {
                row.flags = flags.clone();
            }
        }
        Ok(())
    }

    async fn new_source_epoch(&self, folder: FolderId) -> Result<(), Fault> {
        let mut tables = self.lock();
        let folder = tables.of(folder);
        folder.rows.clear();
        folder.placed.cursor = None;
        Ok(())
    }

    async fn new_dest_epoch(&self, folder: FolderId, epoch: u32) -> Result<(), Fault> {
        let mut tables = self.lock();
        let folder = tables.of(folder);
        folder.unplace();
        folder.placed.dest_epoch = Some(epoch);
        Ok(())
    }

    async fn verified(&self, folder: FolderId, findings: &[Finding]) -> Result<(), Fault> {
        let mut tables = self.lock();
        let folder = tables.of(folder);
        for finding in findings {
            let Some(row) = folder.rows.values_mut().find(|row| row.id == finding.id) else { continue };
            row.state = finding.state;
            row.dest_uid = finding.dest_uid;
            match &finding.cause {
                Some(cause) => _ = folder.causes.insert(row.uid, cause.clone()),
                None => _ = folder.causes.remove(&row.uid),
            }
            folder.findings.insert(row.uid, finding.clone());
        }
        Ok(())
    }

    async fn advance(&self, folder: FolderId, cursor: Cursor) -> Result<(), Fault> {
        self.lock().of(folder).placed.cursor = Some(cursor);
        Ok(())
    }
}
