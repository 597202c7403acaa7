//! What happened to a job, in the order in which it happened.

use crate::{EvidenceId, RunId, TimelineKind};
use serde::{Deserialize, Serialize};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineEntry {
    /// When.
    pub at: String,
    /// What kind of event.
    pub kind: TimelineKind,
    /// What exactly, for programs: a run's type, or an action of the audit log such as `gate.approve`.
    pub action: String,
    /// By whom: an address, `token:NAME`, `worker` or `cli`.
    pub actor: String,
    /// What it was before: a phase, a verdict.
    pub from: Option<String>,
    /// What it became: a phase, a verdict, how a run ended.
    pub to: Option<String>,
    /// Why, or what came out of it, in a sentence.
    pub text: Option<String>,
    /// On what, where it is not the job itself: a mailbox's address, `message/9`.
    pub subject: Option<String>,
    /// The run.
    pub run_id: Option<RunId>,
    /// The evidence that it rests on.
    pub evidence_id: Option<EvidenceId>,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct TimelineFilter {
    /// Of this kind.
    #[serde(default)]
    pub kind: Option<TimelineKind>,
}
