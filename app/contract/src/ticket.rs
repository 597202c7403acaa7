//! Tickets and what hangs on them.

use crate::{AttachmentId, Gate, JobId, Phase, TenantId, TicketId};
use serde::{Deserialize, Serialize};

/// A ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// What it is about.
    pub subject: String,
    /// The text.
    pub body: String,
    /// `open` or `closed`.
    pub status: String,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// How its migration stands, where it has one.
    pub payload: Option<TicketPayload>,
    /// Files on it.
    pub attachments: Vec<Attachment>,
}

/// How a ticket's migration stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TicketPayload {
    /// The newest job of the ticket.
    pub migration_job_id: JobId,
    /// Its phase.
    pub migration_phase: Phase,
    /// Its gate.
    pub migration_gate: Gate,
    /// Arrived ÷ source messages over all mailboxes, 0 to 100.
    pub migration_sync_percent: f64,
}

/// A file on a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Its file name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: i64,
    /// When it was attached.
    pub created_at: String,
}

/// A new ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTicket {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// 1 to 300 characters.
    pub subject: String,
    /// Up to 20,000 characters.
    #[serde(default)]
    pub body: String,
}

/// What changes about a ticket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TicketPatch {
    /// A new subject.
    #[serde(default)]
    pub subject: Option<String>,
    /// A new text.
    #[serde(default)]
    pub body: Option<String>,
    /// `open` or `closed`.
    #[serde(default)]
    pub status: Option<String>,
}

/// Which tickets are wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct TicketFilter {
    /// Of this tenant.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// `open` or `closed`.
    #[serde(default)]
    pub status: Option<String>,
    /// Words of the subject.
    #[serde(default)]
    pub q: Option<String>,
}
