//! The ledger as the engine sees it: which source message became which destination message.
//!
//! Rows are written before the cursor moves past them, and `arrived` is written only after the destination has
//! acknowledged the message. What is in flight when a process dies is found again by looking at the destination
//! (see [`crate::copy`]), so nothing here needs to be undone.

use crate::{Digests, Fault, Flags, FolderPath, InternalDate, MessageMeta, UidSet};
use async_trait::async_trait;
use gatepost_contract::{CauseKind, Fidelity, FolderId, MessageId, MessageState, SpecialUse};

/// How a source says "nothing has changed since": its epoch and the position within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// UIDVALIDITY.
    pub epoch: u32,
    /// UIDNEXT: every UID below it is in the ledger.
    pub next_uid: u32,
    /// HIGHESTMODSEQ: every flag change up to it is in the ledger.
    pub modseq: Option<u64>,
}

/// A source folder with the place that the mapping gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedFolder {
    /// The folder's row.
    pub id: FolderId,
    /// Its path at the source.
    pub source: FolderPath,
    /// Its path at the destination.
    pub dest: FolderPath,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// The destination's UIDVALIDITY when the ledger's destination UIDs were written.
    pub dest_epoch: Option<u32>,
    /// How far the source was listed.
    pub cursor: Option<Cursor>,
}

/// What the ledger holds of one source message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The row.
    pub id: MessageId,
    /// Its UID at the source.
    pub uid: u32,
    /// Its size as listed.
    pub size: u64,
    /// When it was received.
    pub internal_date: InternalDate,
    /// Its flags at the last listing.
    pub flags: Flags,
    /// Where it stands.
    pub state: MessageState,
    /// Its UID at the destination.
    pub dest_uid: Option<u32>,
    /// What the source's bytes digest to, where they were read.
    pub digests: Option<Digests>,
}

/// A message that a listing found for the first time.
pub type NewMessage = MessageMeta;

/// A message that the destination acknowledged, or that was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its UID at the source.
    pub uid: u32,
    /// Its UID at the destination, where that is known.
    pub dest_uid: Option<u32>,
    /// What the source's bytes digest to.
    pub digests: Digests,
    /// Flags that the folder could not keep.
    pub dropped_flags: Flags,
    /// Found at the destination instead of sent there.
    pub adopted: bool,
}

/// A message that cannot be copied, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its UID at the source.
    pub uid: u32,
    /// The cause, for programs.
    pub kind: CauseKind,
    /// The cause, with the server's own words.
    pub cause: String,
}

/// What a verification found out about one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The row.
    pub id: MessageId,
    /// Where the message stands.
    pub state: MessageState,
    /// Its UID at the destination, where it was found.
    pub dest_uid: Option<u32>,
    /// Why it does not stand where it should, with what to do.
    pub cause: Option<String>,
    /// The same for programs.
    pub kind: Option<CauseKind>,
    /// How the copy compares, where it was looked at.
    pub fidelity: Option<Fidelity>,
    /// Why it is given up no longer, where it was: it is another message now, stands worse, or has arrived after all.
    pub waiver_over: Option<String>,
    /// Its size and date as listed now, where it is another message than the one that was first listed.
    pub listed: Option<(u64, InternalDate)>,
}

/// What the ledger holds of one source message, as a verification needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofRow {
    /// The row.
    pub id: MessageId,
    /// Its UID at the source.
    pub uid: u32,
    /// Its size as first listed.
    pub size: u64,
    /// When it was received, as first listed.
    pub internal_date: InternalDate,
    /// Its flags when they were last copied.
    pub flags: Flags,
    /// Where it stands.
    pub state: MessageState,
    /// Whether it is marked as waived while no waiver says by whom and why.
    pub unwaived: bool,
    /// Its UID at the destination.
    pub dest_uid: Option<u32>,
    /// Whether it has been copied once, wherever the copy is now.
    pub copied: bool,
    /// Whether a verification has read both sides of its folder since it was copied.
    pub proved: bool,
    /// How its copy compared when it was last looked at.
    pub fidelity: Option<Fidelity>,
    /// Why it does not stand where it should.
    pub cause: Option<String>,
    /// The same for programs.
    pub kind: Option<CauseKind>,
    /// Whether its headers have been kept.
    pub headed: bool,
}

/// The headers by which a person knows a message, decoded, without control characters, and cut where they are long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageHead {
    /// Its UID at the source.
    pub uid: u32,
    /// Message-Id, as it is.
    pub message_id: Option<String>,
    /// From.
    pub from: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Date, as it is.
    pub date: Option<String>,
}

/// How one folder's messages stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Messages in the ledger.
    pub messages: u64,
    /// Of them, those that have arrived.
    pub arrived: u64,
    /// Of them, those still to be copied.
    pub pending: u64,
    /// The bytes of those still to be copied, as listed.
    pub pending_bytes: u64,
}

/// The ledger of one mailbox. What grows with the mailbox is asked for in pages or as sets, so that a run's memory
/// does not.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records the plan: each source folder and its place; folders that have gone from the source are marked so.
    async fn place(&self, folders: &[(FolderPath, FolderPath, Option<SpecialUse>)])
    -> Result<Vec<PlacedFolder>, Fault>;

    /// The folders that were placed and are still at the source, in the order of the plan.
    async fn placed(&self) -> Result<Vec<PlacedFolder>, Fault>;

    /// How every placed folder stands, or only this one.
    async fn standing(&self, only: Option<FolderId>) -> Result<Vec<(FolderId, Standing)>, Fault>;

    /// Messages of the folder by ascending UID, from behind this one on, at most so many, as a verification needs them.
    /// A [`FaultKind::Damaged`](crate::FaultKind) where a row cannot be what it should be.
    async fn proofs(&self, folder: FolderId, after: Option<u32>, most: u32) -> Result<Vec<ProofRow>, Fault>;

    /// These messages of the folder, as far as the ledger has them, in no certain order.
    async fn rows_of(&self, folder: FolderId, uids: &[u32]) -> Result<Vec<LedgerRow>, Fault>;

    /// Messages still to be copied, by ascending row, from behind this row on, at most so many.
    async fn pending(&self, folder: FolderId, after: Option<MessageId>, most: u32) -> Result<Vec<LedgerRow>, Fault>;

    /// Messages that were acknowledged without a UID at the destination.
    async fn nameless(&self, folder: FolderId) -> Result<Vec<LedgerRow>, Fault>;

    /// Every UID of the folder at the source.
    async fn uids(&self, folder: FolderId) -> Result<UidSet, Fault>;

    /// Every UID at the destination that one of the folder's messages has.
    async fn dest_uids(&self, folder: FolderId) -> Result<UidSet, Fault>;

    /// Adds messages as pending; those that are there already stay as they are.
    async fn add(&self, folder: FolderId, messages: &[NewMessage]) -> Result<(), Fault>;

    /// These have arrived.
    async fn arrived(&self, folder: FolderId, arrivals: &[Arrival]) -> Result<(), Fault>;

    /// These were refused: quarantined, with their cause.
    async fn refused(&self, folder: FolderId, refusals: &[Refusal]) -> Result<(), Fault>;

    /// These could not be copied this time, and why. They are still to be copied.
    async fn hindered(&self, folder: FolderId, causes: &[Refusal]) -> Result<(), Fault>;

    /// These came to the source after the last copy: added as pending, with that as their cause.
    async fn came(&self, folder: FolderId, messages: &[NewMessage], cause: &str) -> Result<(), Fault>;

    /// Nothing is known any more of any copy of the folder's messages, and why.
    async fn unproved(&self, folder: FolderId, kind: CauseKind, cause: &str) -> Result<(), Fault>;

    /// The headers of messages that people will look at.
    async fn headed(&self, folder: FolderId, heads: &[MessageHead]) -> Result<(), Fault>;

    /// What is wrong with the ledger itself, in sentences: rows that belong nowhere, and the like. Never repaired in
    /// silence.
    async fn flaws(&self) -> Result<Vec<String>, Fault>;

    /// These are not at the source any more.
    async fn vanished(&self, folder: FolderId, uids: &[u32]) -> Result<(), Fault>;

    /// These carry other flags at the source now.
    async fn flags(&self, folder: FolderId, changes: &[(u32, Flags)]) -> Result<(), Fault>;

    /// The source's UIDs mean nothing any more: its rows are set aside, and a full listing follows.
    async fn new_source_epoch(&self, folder: FolderId) -> Result<(), Fault>;

    /// The destination's UIDs mean nothing any more: every arrived row of the folder is pending again.
    async fn new_dest_epoch(&self, folder: FolderId, epoch: u32) -> Result<(), Fault>;

    /// A verification has found these to stand otherwise than the ledger has it.
    async fn verified(&self, folder: FolderId, findings: &[Finding]) -> Result<(), Fault>;

    /// Everything up to this cursor is recorded; its history is kept.
    async fn advance(&self, folder: FolderId, cursor: Cursor) -> Result<(), Fault>;
}
