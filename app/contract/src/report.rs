//! Reports of a job, without their content.

use crate::{EvidenceId, JobId, TicketId};
use serde::{Deserialize, Serialize};

/// What the page of a job's reports shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportView {
    /// The job.
    pub job_id: JobId,
    /// Its domain.
    pub domain: String,
    /// The ticket that reports are attached to; none: attach the job to one first.
    pub ticket_id: Option<TicketId>,
    /// The evidence that a report made now would show.
    pub evidence_id: Option<EvidenceId>,
    /// The reports that were attached, newest first, at most 20.
    pub attached: Vec<AttachedReport>,
    /// Names the key that signs reports.
    pub key_id: String,
    /// The public key, in hexadecimal digits.
    pub public_key: String,
}

/// A report that was attached to a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttachedReport {
    /// When it was made. Everything in it is as it was then.
    pub generated_at: String,
    /// The evidence that it shows.
    pub evidence_id: Option<EvidenceId>,
    /// The SHA-256 of its JSON form.
    pub digest: String,
    /// By whom.
    pub made_by: String,
    /// Whether Gatepost attached it by itself when the job was verified.
    pub automatic: bool,
}

/// What to attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttachReport {
    /// The language of the PDF, `en` or `pt-BR`; English where left out.
    #[serde(default)]
    pub lang: Option<String>,
}
