//! What the gate looks at, as plain data that the caller has gathered.
//!
//! Sums are derived, never stored twice: a mailbox's tally is the sum of its folders' tallies.

use gatepost_contract::{CheckId, Depth, EvidenceId, GateFigures, MailboxId, SpecialUse, Tally};

/// Everything that the gate of one job depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// `MIGRATION_GATE_MIN_RATIO`, 0 to 1. Compared as a whole number of billionths; what is no number counts as 1.
    pub min_ratio: f64,
    /// How old the last delta may be, in seconds.
    pub delta_max_age_seconds: i64,
    /// How old the evidence of any mailbox may be, in seconds, until the MX was changed.
    pub evidence_max_age_seconds: i64,
    /// The present, in seconds since the same instant that [`DeltaFacts::finished_seconds`] and
    /// [`MailboxFacts::read_seconds`] count from.
    pub now_seconds: i64,
    /// The present as RFC 3339 text, copied into every check's `checked_at`.
    pub sampled_at: String,
    /// The job's mailboxes with their newest evidence.
    pub mailboxes: Vec<MailboxFacts>,
    /// Whether the initial sync of every mailbox has ended.
    pub initial_done: bool,
    /// The last delta (or final run) since the initial sync.
    pub last_delta: Option<DeltaFacts>,
    /// The newest evidence; none until every mailbox was verified.
    pub current_evidence: Option<EvidenceId>,
    /// When the oldest part of it was read, as text; it is only passed on.
    pub evidence_at: Option<String>,
    /// The approval that the job carries.
    pub approval: Option<Approval>,
    /// Why the last approval was taken away, while nobody has given another.
    pub revoked_why: Option<String>,
    /// Whether the MX was changed (`dns_cutover_at` is set).
    pub dns_cutover: bool,
}

/// One mailbox as the newest verification saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxFacts {
    /// Which.
    pub id: MailboxId,
    /// Its address.
    pub email: String,
    /// How thoroughly it was verified; none while it never was, or not since the last copy.
    pub depth: Option<Depth>,
    /// When that was, in seconds; none where it cannot be told.
    pub read_seconds: Option<i64>,
    /// Folders in which a quick look after that counted otherwise than the evidence says.
    pub contradicted: Vec<String>,
    /// Files of the mailbox that the evidence knows nothing of, each with why: `archive.pst could not be read`.
    pub left_out: Vec<String>,
    /// What files of the mailbox have lost, each with its file: `archive.pst: The file is cut short.`
    pub damaged: Vec<String>,
    /// Files that somebody removed before their mail was proved to have arrived, each with who and why.
    pub removed: Vec<String>,
    /// Whether the mailbox's own figures are the sum of its folders'.
    pub adds_up: bool,
    /// Every folder of the source.
    pub folders: Vec<FolderFacts>,
}

impl MailboxFacts {
    /// The sum over the folders.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.folders.iter().fold(Tally::default(), |sum, folder| Tally {
            source: sum.source.saturating_add(folder.tally.source),
            arrived: sum.arrived.saturating_add(folder.tally.arrived),
            pending: sum.pending.saturating_add(folder.tally.pending),
            quarantined: sum.quarantined.saturating_add(folder.tally.quarantined),
            waived: sum.waived.saturating_add(folder.tally.waived),
        })
    }
}

/// One folder as the newest verification saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFacts {
    /// Its path at the source.
    pub source_path: String,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether it has a place at the destination.
    pub mapped: bool,
    /// Whether both sides could be read.
    pub visited: bool,
    /// How its messages add up.
    pub tally: Tally,
    /// Re-read messages with another body or date.
    pub changed: i64,
    /// Re-read messages that the server rebuilt.
    pub rewritten: i64,
    /// Messages that lack flags which the source has.
    pub flags_lost: i64,
    /// Messages that lie in another folder of the destination.
    pub misplaced: i64,
    /// Messages of which the destination folder holds more than one copy.
    pub doubled: i64,
    /// What the ledger says of it now; none while a run is at work on the mailbox, whose rows are in motion.
    pub ledger: Option<LedgerFacts>,
}

impl FolderFacts {
    /// Messages in quarantine, by the evidence or by what runs have written since, whichever are more.
    #[must_use]
    pub fn quarantined(&self) -> i64 {
        self.ledger.map_or(self.tally.quarantined, |ledger| ledger.quarantined.max(self.tally.quarantined))
    }

    /// Messages missing without an explanation, the same way. A retry that makes them of refused ones adds none.
    #[must_use]
    pub fn pending(&self) -> i64 {
        let Some(ledger) = self.ledger else { return self.tally.pending };
        let read = self.tally.pending.saturating_add(self.tally.quarantined);
        read.max(ledger.pending.saturating_add(ledger.quarantined)).saturating_sub(self.quarantined())
    }

    /// Re-read messages with another body or date, the same way.
    #[must_use]
    pub fn changed(&self) -> i64 {
        self.ledger.map_or(self.changed, |ledger| ledger.changed.max(self.changed))
    }

    /// Messages that are amiss by the ledger beyond those that the evidence knows of.
    #[must_use]
    pub fn amiss_since(&self) -> i64 {
        let missing = |pending: i64, quarantined: i64| pending.saturating_add(quarantined);
        let grown = missing(self.pending(), self.quarantined())
            .saturating_sub(missing(self.tally.pending, self.tally.quarantined));
        grown.saturating_add(self.changed().saturating_sub(self.changed))
    }
}

/// What runs have written of one folder's messages, whether or not evidence came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerFacts {
    /// Still to be copied.
    pub pending: i64,
    /// Refused.
    pub quarantined: i64,
    /// Found with another body or date.
    pub changed: i64,
}

/// How the last delta ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaFacts {
    /// When it finished, in seconds; of several mailboxes the oldest counts.
    pub finished_seconds: i64,
    /// Whether it succeeded, for every mailbox.
    pub ended_well: bool,
    /// Messages that it left to be copied.
    pub pending: i64,
}

/// A person's word that the MX may be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The evidence that the person looked at.
    pub evidence_id: Option<EvidenceId>,
    /// The figures that the person signed; none where an older version stored the approval.
    pub signed: Option<GateFigures>,
    /// The figures of each mailbox in the evidence that the person looked at; empty where that is not known.
    pub signed_by_mailbox: Vec<(MailboxId, GateFigures)>,
    /// The checks that failed when it was given, where it is an override; none while they are not known.
    pub overridden: Option<Vec<CheckId>>,
    /// The written reason, where failing checks were overridden. A blank one overrides nothing.
    pub override_reason: Option<String>,
    /// Who, as people know them.
    pub by: String,
}

impl Approval {
    /// The reason of an override that was really given.
    #[must_use]
    pub fn overriding(&self) -> Option<&str> {
        self.override_reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty())
    }
}
