//! The audit log.

use crate::{AuditId, JobId};
use serde::{Deserialize, Serialize};

/// One row: who did what, when, what it was before and why. Rows are hash-chained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its place in the chain, from 1 without gaps.
    pub id: AuditId,
    /// When.
    pub at: String,
    /// Who: an address, `token:NAME`, `worker` or `cli`.
    pub actor: String,
    /// What: `gate.approve`, `job.phase`, …
    pub action: String,
    /// The job it concerns.
    pub job_id: Option<JobId>,
    /// On what: `job/7`, `mailbox/12`, …
    pub subject: String,
    /// What it was before, as JSON.
    pub before: Option<String>,
    /// What it became, as JSON.
    pub after: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The previous row's hash.
    pub previous_hash: String,
    /// This row's hash.
    pub hash: String,
}

/// Which rows are wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AuditFilter {
    /// Of this job.
    #[serde(default)]
    pub job_id: Option<JobId>,
    /// By this actor.
    #[serde(default)]
    pub actor: Option<String>,
    /// Of this action.
    #[serde(default)]
    pub action: Option<String>,
    /// At or after this time.
    #[serde(default)]
    pub since: Option<String>,
    /// Before this time; a day alone counts to its end.
    #[serde(default)]
    pub until: Option<String>,
}

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditProof {
    /// Rows that were checked, from the first.
    pub rows: i64,
    /// The hash of the last good row: written down elsewhere, it proves that nothing was computed anew later.
    pub head: String,
    /// The first row that is not as it was written.
    pub broken: Option<BrokenAudit>,
}

impl AuditProof {
    /// The end of the chain as `ID:HASH`, to be kept elsewhere and given to the next verification.
    #[must_use]
    pub fn kept(&self) -> String {
        format!("{}:{}", self.rows, self.head)
    }
}

/// A row that was changed, removed, added or moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BrokenAudit {
    /// Which.
    pub id: AuditId,
    /// How it shows.
    pub reason: String,
}
