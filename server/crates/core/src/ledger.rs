//! The transfer crate's ledger, kept in the store.

use crate::{clock, work::internal};
use async_trait::async_trait;
use gatepost_contract::{CauseKind, FolderId, MailboxId, MessageId, SpecialUse};
use gatepost_store::{Store, folders, messages, waivers};
use gatepost_transfer::{
    Arrival, Cursor, Digest, Digests, Fault, FaultKind, Finding, Flags, FolderPath, InternalDate, Ledger, LedgerRow,
    MessageHead, NewMessage, PlacedFolder, ProofRow, Refusal, Standing, UidSet,
};

/// The ledger of one mailbox.
pub(crate) struct StoredLedger {
    pub store: Store,
    pub mailbox: MailboxId,
}

/// Runs one write in a transaction of its own. What a power cut takes from the ledger is found again at the destination.
macro_rules! write {
    ($self:ident, $tx:ident => $do:expr) => {{
        let mut $tx = $self.store.begin_recoverable().await.map_err(internal)?;
        let _ = $do.await.map_err(internal)?;
        $tx.commit().await.map_err(internal)?;
        Ok(())
    }};
}

#[async_trait]
impl Ledger for StoredLedger {
    async fn place(&self, plan: &[(FolderPath, FolderPath, Option<SpecialUse>)]) -> Result<Vec<PlacedFolder>, Fault> {
        let rows: Vec<folders::PlannedFolder> = plan
            .iter()
            .map(|(source, dest, special_use)| folders::PlannedFolder {
                source_path: source.to_string(),
                dest_path: dest.to_string(),
                special_use: *special_use,
            })
            .collect();
        let mut tx = self.store.begin().await.map_err(internal)?;
        folders::place(&mut tx, self.mailbox, &rows, &clock::now()).await.map_err(internal)?;
        tx.commit().await.map_err(internal)?;
        self.placed().await
    }

    async fn placed(&self) -> Result<Vec<PlacedFolder>, Fault> {
        let rows = {
            let mut conn = self.store.reader().await.map_err(internal)?;
            folders::rows(&mut conn, self.mailbox).await.map_err(internal)?
        };
        Ok(rows.into_iter().map(placed).collect())
    }

    async fn proofs(&self, folder: FolderId, after: Option<u32>, most: u32) -> Result<Vec<ProofRow>, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        let after = after.map_or(-1, i64::from);
        let rows = messages::proofs(&mut conn, folder, after, most).await.map_err(in_ledger)?;
        rows.into_iter().map(proof).collect()
    }

    async fn standing(&self, only: Option<FolderId>) -> Result<Vec<(FolderId, Standing)>, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        let rows = messages::standing(&mut conn, self.mailbox, only).await.map_err(internal)?;
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        let standing = |row: &messages::StandingRow| Standing {
            messages: count(row.messages),
            arrived: count(row.messages - row.elsewhere),
            pending: count(row.pending.0),
            pending_bytes: count(row.pending.1),
        };
        Ok(rows.iter().map(|r| (r.folder, standing(r))).collect())
    }

    async fn rows_of(&self, folder: FolderId, uids: &[u32]) -> Result<Vec<LedgerRow>, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        let rows = messages::rows_of(&mut conn, folder, &wide(uids)).await.map_err(internal)?;
        rows.into_iter().map(row).collect()
    }

    async fn pending(&self, folder: FolderId, after: Option<MessageId>, most: u32) -> Result<Vec<LedgerRow>, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        let after = after.map_or(-1, |id| id.0);
        let rows = messages::pending_after(&mut conn, folder, after, most).await.map_err(internal)?;
        rows.into_iter().map(row).collect()
    }

    async fn nameless(&self, folder: FolderId) -> Result<Vec<LedgerRow>, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        let rows = messages::nameless(&mut conn, folder).await.map_err(internal)?;
        rows.into_iter().map(row).collect()
    }

    async fn uids(&self, folder: FolderId) -> Result<UidSet, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        messages::uids(&mut conn, folder).await.map_err(internal)?.into_iter().map(narrow).collect()
    }

    async fn dest_uids(&self, folder: FolderId) -> Result<UidSet, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        messages::dest_uids(&mut conn, folder).await.map_err(internal)?.into_iter().map(narrow).collect()
    }

    async fn add(&self, folder: FolderId, new: &[NewMessage]) -> Result<(), Fault> {
        if new.is_empty() {
            return Ok(());
        }
        let rows = new_rows(new);
        write!(self, tx => messages::add(&mut tx, folder, &rows, &clock::now()))
    }

    async fn came(&self, folder: FolderId, new: &[NewMessage], cause: &str) -> Result<(), Fault> {
        if new.is_empty() {
            return Ok(());
        }
        let rows = new_rows(new);
        let cause = Some((CauseKind::New, cause));
        write!(self, tx => messages::add_because(&mut tx, folder, &rows, cause, &clock::now()))
    }

    async fn arrived(&self, folder: FolderId, arrivals: &[Arrival]) -> Result<(), Fault> {
        let rows: Vec<messages::ArrivedRow> = arrivals
            .iter()
            .map(|a| messages::ArrivedRow {
                uid: i64::from(a.uid),
                dest_uid: a.dest_uid.map(i64::from),
                digests: messages::DigestRow {
                    exact: a.digests.exact.0,
                    canonical: a.digests.canonical.0,
                    bytes: i64::try_from(a.digests.size).unwrap_or(i64::MAX),
                },
                dropped_flags: a.dropped_flags.to_string(),
                adopted: a.adopted,
            })
            .collect();
        write!(self, tx => messages::arrived(&mut tx, folder, &rows, &clock::now()))
    }

    async fn refused(&self, folder: FolderId, refusals: &[Refusal]) -> Result<(), Fault> {
        let rows = refused_rows(refusals);
        write!(self, tx => messages::refused(&mut tx, folder, &rows))
    }

    async fn hindered(&self, folder: FolderId, causes: &[Refusal]) -> Result<(), Fault> {
        let rows = refused_rows(causes);
        write!(self, tx => messages::hindered(&mut tx, folder, &rows))
    }

    async fn unproved(&self, folder: FolderId, kind: CauseKind, cause: &str) -> Result<(), Fault> {
        write!(self, tx => messages::unproved(&mut tx, folder, kind, cause, &clock::now()))
    }

    async fn headed(&self, folder: FolderId, heads: &[MessageHead]) -> Result<(), Fault> {
        let rows: Vec<messages::HeadRow> = heads
            .iter()
            .map(|h| messages::HeadRow {
                uid: i64::from(h.uid),
                message_id: h.message_id.clone(),
                from: h.from.clone(),
                subject: h.subject.clone(),
                date: h.date.clone(),
            })
            .collect();
        write!(self, tx => messages::headed(&mut tx, folder, &rows))
    }

    async fn flaws(&self) -> Result<Vec<String>, Fault> {
        let mut conn = self.store.reader().await.map_err(internal)?;
        let lost = messages::lost_folders(&mut conn).await.map_err(in_ledger)?;
        let named = |folder: &FolderId| {
            format!(
                "The ledger holds messages of a folder that it does not know ({folder}); they count nowhere. Restore the \
                 database from a backup."
            )
        };
        Ok(lost.iter().map(named).collect())
    }

    async fn vanished(&self, folder: FolderId, uids: &[u32]) -> Result<(), Fault> {
        if uids.is_empty() {
            return Ok(());
        }
        let uids = wide(uids);
        write!(self, tx => messages::vanished(&mut tx, folder, &uids))
    }

    async fn flags(&self, folder: FolderId, changes: &[(u32, Flags)]) -> Result<(), Fault> {
        let rows: Vec<(i64, String)> =
            changes.iter().map(|(uid, flags)| (i64::from(*uid), flags.to_string())).collect();
        write!(self, tx => messages::flags(&mut tx, folder, &rows))
    }

    async fn new_source_epoch(&self, folder: FolderId) -> Result<(), Fault> {
        write!(self, tx => messages::reset_source(&mut tx, folder))
    }

    async fn new_dest_epoch(&self, folder: FolderId, epoch: u32) -> Result<(), Fault> {
        write!(self, tx => messages::reset_dest(&mut tx, folder, i64::from(epoch)))
    }

    async fn verified(&self, folder: FolderId, findings: &[Finding]) -> Result<(), Fault> {
        if findings.is_empty() {
            return Ok(());
        }
        let rows: Vec<messages::Verdict> = findings
            .iter()
            .map(|f| messages::Verdict {
                id: f.id,
                state: f.state,
                cause: f.cause.clone(),
                kind: f.kind,
                fidelity: f.fidelity,
                dest_uid: f.dest_uid.map(i64::from),
                waiver_over: f.waiver_over.is_some(),
                listed: f.listed.map(|(size, date)| (i64::try_from(size).unwrap_or(i64::MAX), date.to_string())),
            })
            .collect();
        let now = clock::now();
        let over: Vec<(MessageId, &str)> =
            findings.iter().filter_map(|f| f.waiver_over.as_deref().map(|why| (f.id, why))).collect();
        if over.is_empty() {
            return write!(self, tx => messages::verified(&mut tx, folder, &rows, &now));
        }
        // The end of a waiver has an audit row, which must last.
        let mut tx = self.store.begin().await.map_err(internal)?;
        for (id, why) in over {
            waivers::expire(&mut tx, id, why, &now).await.map_err(internal)?;
        }
        messages::verified(&mut tx, folder, &rows, &now).await.map_err(internal)?;
        tx.commit().await.map_err(internal)
    }

    async fn advance(&self, folder: FolderId, cursor: Cursor) -> Result<(), Fault> {
        let modseq = cursor.modseq.and_then(|m| i64::try_from(m).ok());
        let row = folders::CursorRow { epoch: cursor.epoch.into(), next_uid: cursor.next_uid.into(), modseq };
        write!(self, tx => folders::advance(&mut tx, folder, &row, &clock::now()))
    }
}

fn new_rows(new: &[NewMessage]) -> Vec<messages::NewMessage> {
    let row = |m: &NewMessage| messages::NewMessage {
        uid: i64::from(m.uid),
        size: i64::try_from(m.size).unwrap_or(i64::MAX),
        internal_date: m.internal_date.to_string(),
        flags: m.flags.to_string(),
    };
    new.iter().map(row).collect()
}

fn refused_rows(refusals: &[Refusal]) -> Vec<messages::RefusedRow> {
    refusals.iter().map(|r| (i64::from(r.uid), r.kind, r.cause.clone())).collect()
}

fn wide(uids: &[u32]) -> Vec<i64> {
    uids.iter().copied().map(i64::from).collect()
}

fn narrow(value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| damaged(&format!("it holds {value} where a UID belongs")))
}

/// The ledger holds what no run can have written.
fn damaged(what: &str) -> Fault {
    Fault::new(
        FaultKind::Damaged,
        format!(
            "The ledger is damaged: {what}. Restore the database from a backup, or remove the mailbox from the job and \
             add it again: what has arrived is recognised at the destination."
        ),
    )
}

/// An error of the store while it read the ledger: one of what it read is damage, and not the database's own failure.
fn in_ledger(error: gatepost_store::Error) -> Fault {
    match &error {
        gatepost_store::Error::Corrupt { column, reason } => damaged(&format!("in the column {column}, {reason}")),
        _ => internal(error),
    }
}

fn proof(row: messages::ProofRow) -> Result<ProofRow, Fault> {
    let id = row.id;
    let wrong = |what: String| damaged(&format!("in its row {id}, {what}"));
    Ok(ProofRow {
        id: row.id,
        uid: narrow(row.uid)?,
        size: u64::try_from(row.size).map_err(|_| wrong(format!("{} stands where a size belongs", row.size)))?,
        internal_date: row.internal_date.parse::<InternalDate>().map_err(wrong)?,
        flags: Flags::from(&*row.flags),
        state: row.state,
        unwaived: row.unwaived,
        dest_uid: row.dest_uid.map(narrow).transpose()?,
        copied: row.copied,
        proved: row.proved,
        fidelity: row.fidelity,
        cause: row.cause,
        kind: row.kind,
        headed: row.headed,
    })
}

fn placed(row: folders::FolderRow) -> PlacedFolder {
    // A number that cannot be one is another epoch than any server's: 0 is none (RFC 3501 section 2.3.1.1).
    let part = |value: Option<i64>| value.map(|v| u32::try_from(v).unwrap_or_default());
    let cursor = row.cursor.and_then(|c| {
        Some(Cursor {
            epoch: part(Some(c.epoch))?,
            next_uid: part(Some(c.next_uid))?,
            modseq: c.modseq.and_then(|m| u64::try_from(m).ok()),
        })
    });
    PlacedFolder {
        id: row.id,
        source: FolderPath::from(row.source_path),
        dest: FolderPath::from(row.dest_path),
        special_use: row.special_use,
        // What can be no UIDVALIDITY is none that a server has: the folder counts as numbered anew.
        dest_epoch: row.dest_epoch.map(|epoch| u32::try_from(epoch).unwrap_or_default()),
        cursor,
    }
}

fn row(row: messages::LedgerRow) -> Result<LedgerRow, Fault> {
    Ok(LedgerRow {
        id: row.id,
        uid: narrow(row.uid)?,
        size: u64::try_from(row.size).unwrap_or_default(),
        internal_date: row.internal_date.parse::<InternalDate>().map_err(internal)?,
        flags: Flags::from(&*row.flags),
        state: row.state,
        dest_uid: row.dest_uid.map(narrow).transpose()?,
        digests: row.digests.map(|d| Digests {
            exact: Digest(d.exact),
            canonical: Digest(d.canonical),
            size: u64::try_from(d.bytes).unwrap_or_default(),
        }),
    })
}
