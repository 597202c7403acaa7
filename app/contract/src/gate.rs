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
    /// Who approved.
    pub approved_by: Option<String>,
    /// When.
    pub approved_at: Option<String>,
    /// The reason of an override, where there is one.
    pub override_reason: Option<String>,
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
    /// When; now, where left out.
    #[serde(default)]
    pub applied_at: Option<String>,
}
