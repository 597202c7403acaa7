//! Evidence: what verification read on both sides.

use crate::{Depth, EvidenceId, FolderId, JobId, MailboxId, RunId, SpecialUse};
use serde::{Deserialize, Serialize};

/// The latest evidence of a job: one entry for each mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobEvidence {
    /// The job.
    pub job_id: JobId,
    /// Names the state of all mailboxes' evidence; an approval binds to it. None before every mailbox was verified.
    pub evidence_id: Option<EvidenceId>,
    /// When the newest of it was read.
    pub evidence_at: Option<String>,
    /// Sums over all mailboxes.
    pub totals: Tally,
    /// The worst mailbox's ratio, 0 to 1.
    pub worst_ratio: Option<f64>,
    /// By mailbox.
    pub mailboxes: Vec<MailboxEvidence>,
}

/// How the messages of a source add up: `arrived + pending + quarantined + waived = source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tally {
    /// Messages at the source.
    pub source: i64,
    /// Proved at the destination.
    pub arrived: i64,
    /// Missing without an explanation.
    pub pending: i64,
    /// Refused, with a cause.
    pub quarantined: i64,
    /// Given up on purpose.
    pub waived: i64,
}

impl Tally {
    /// Arrived ÷ source, 0 to 1; 1 for an empty source.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.source <= 0 { 1.0 } else { self.arrived as f64 / self.source as f64 }
    }

    /// Whether every source message has one place.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.arrived + self.pending + self.quarantined + self.waived == self.source
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.source += other.source;
        self.arrived += other.arrived;
        self.pending += other.pending;
        self.quarantined += other.quarantined;
        self.waived += other.waived;
    }
}

/// What verification read of one mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailboxEvidence {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its address.
    pub email: String,
    /// The run that read it; none while it was never verified.
    pub run_id: Option<RunId>,
    /// When.
    pub read_at: Option<String>,
    /// How thoroughly.
    pub depth: Option<Depth>,
    /// The sums.
    pub tally: Tally,
    /// Arrived ÷ source, 0 to 1.
    pub ratio: f64,
    /// By folder.
    pub folders: Vec<FolderEvidence>,
}

/// What verification read of one folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FolderEvidence {
    /// The folder.
    pub folder_id: Option<FolderId>,
    /// Its path at the source.
    pub source_path: String,
    /// Where it goes; none where it is not mapped.
    pub dest_path: Option<String>,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether both sides could be read.
    pub visited: bool,
    /// The sums.
    pub tally: Tally,
    /// Messages that the destination folder holds beside these.
    pub extra: i64,
    /// Re-read messages with another body, date or folder.
    pub changed: i64,
    /// Re-read messages that the server rebuilt.
    pub rewritten: i64,
    /// Messages that lack flags which the source has.
    pub flags_lost: i64,
    /// Messages that lie in another folder of the destination.
    #[serde(default)]
    pub misplaced: i64,
    /// Messages of which the destination folder holds more than one copy.
    #[serde(default)]
    pub doubled: i64,
    /// Bodies that were read again and digested.
    pub bodies_read: i64,
    /// What is worth knowing.
    pub note: Option<String>,
}
