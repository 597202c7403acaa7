//! The gate: checks, verdict, approval.

use crate::{CheckId, CheckStatus, EvidenceId, Gate, JobId, Phase};
use serde::{Deserialize, Serialize};

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Check {
    /// Which.
    pub check_id: CheckId,
    /// How it came out.
    pub status: CheckStatus,
    /// Why, in one sentence.
    pub message: String,
    /// When it was last computed.
    pub checked_at: String,
}

/// What a set-up wizard is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateAnswer {
    /// The domain as it was understood.
    pub domain: String,
    /// The verdict.
    pub gate: Gate,
    /// Whether the MX may be changed: true for `ready_for_dns` alone.
    pub dns_allowed: bool,
    /// Why it is so, in one sentence; `no_job` for an unknown domain.
    pub reason: String,
    /// The job that decides.
    pub job_id: Option<JobId>,
    /// Its phase.
    pub phase: Option<Phase>,
    /// Every check.
    pub checks: Vec<Check>,
    /// Who approved.
    pub approved_by: Option<String>,
    /// When.
    pub approved_at: Option<String>,
    /// When the evidence was read.
    pub evidence_at: Option<String>,
    /// The reason of an override, where there is one.
    pub override_reason: Option<String>,
}

/// The figures that an approval signs: sums over all mailboxes under the newest evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateFigures {
    /// The evidence that they were read from.
    pub evidence_id: Option<EvidenceId>,
    /// When the oldest part of it was read.
    #[serde(default)]
    pub evidence_at: Option<String>,
    /// Mailboxes.
    #[serde(default)]
    pub mailboxes: i64,
    /// Messages at the source.
    #[serde(default)]
    pub source: i64,
    /// Proved at the destination.
    #[serde(default)]
    pub arrived: i64,
    /// Missing without an explanation.
    #[serde(default)]
    pub pending: i64,
    /// Refused, with a cause.
    #[serde(default)]
    pub quarantined: i64,
    /// Given up on purpose.
    #[serde(default)]
    pub waived: i64,
    /// With another body or date at the destination.
    #[serde(default)]
    pub changed: i64,
    /// Rebuilt by the destination.
    #[serde(default)]
    pub rewritten: i64,
    /// Without flags which the source has.
    #[serde(default)]
    pub flags_lost: i64,
    /// In another folder of the destination.
    #[serde(default)]
    pub misplaced: i64,
    /// In more than one copy in their folder.
    #[serde(default)]
    pub doubled: i64,
    /// Arrived ÷ source of the worst mailbox, 0 to 1; none while there is no mailbox.
    #[serde(default)]
    pub worst_ratio: Option<f64>,
}

/// A figure that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FigureChange {
    /// Its name in [`GateFigures`].
    pub figure: String,
    /// What it was when it was looked at.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub seen: serde_json::Number,
    /// What it is now.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub now: serde_json::Number,
}

/// One change of a job's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateChange {
    /// When.
    pub at: String,
    /// The verdict before.
    pub from: Gate,
    /// The verdict since.
    pub to: Gate,
    /// Why, in one sentence.
    pub reason: String,
    /// The evidence that it rests on.
    pub evidence_id: Option<EvidenceId>,
    /// Every check as it was then.
    pub checks: Vec<Check>,
    /// Whose act it followed from: an address, `token:NAME`, `worker` or `cli`.
    pub actor: String,
}

/// A job's gate with all that the approval dialog shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateView {
    /// The job.
    pub job_id: JobId,
    /// The verdict.
    pub gate: Gate,
    /// Why, in one sentence.
    pub reason: String,
    /// Every check.
    pub checks: Vec<Check>,
    /// What an approval would sign.
    pub evidence_id: Option<EvidenceId>,
    /// When that was read.
    pub evidence_at: Option<String>,
    /// Whether an approval would be accepted now.
    pub approvable: bool,
    /// The figures that an approval would sign.
    pub signs: GateFigures,
    /// From when on the evidence is too old to open the gate; none without evidence, and after the cutover.
    pub evidence_expires_at: Option<String>,
    /// Who approved.
    pub approved_by: Option<String>,
    /// When.
    pub approved_at: Option<String>,
    /// What the approver wrote.
    pub approval_note: Option<String>,
    /// The figures that were signed.
    pub signed: Option<GateFigures>,
    /// The reason of an override, where there is one.
    pub override_reason: Option<String>,
    /// When the last approval was taken away, while nobody has given another.
    pub revoked_at: Option<String>,
    /// Why it was.
    pub revoked_why: Option<String>,
}

/// An approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApproveGate {
    /// The evidence that the approver looked at; refused when it is no longer the newest.
    #[serde(default)]
    pub evidence_id: Option<EvidenceId>,
    /// A note for the audit log.
    #[serde(default)]
    pub note: Option<String>,
    /// True: open the gate in spite of failing checks.
    #[serde(default, rename = "override")]
    pub override_checks: bool,
    /// Why; needed for an override, 10 to 2,000 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The wizard's word that the MX was changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsApplied {
    /// The domain.
    pub domain: String,
    /// The new MX.
    #[serde(default)]
    pub mx: Option<String>,
    /// When, no earlier than the gate opened; now, where left out.
    #[serde(default)]
    pub applied_at: Option<String>,
}
