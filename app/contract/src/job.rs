//! Jobs: one domain's move.

use crate::{Gate, JobId, NewMailbox, Phase, Security, TenantId, TicketId, UserId};
use serde::{Deserialize, Serialize};

/// A job as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose domain it is.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// The ticket it was opened from.
    pub ticket_id: Option<TicketId>,
    /// The domain, lower case, A-labels.
    pub domain: String,
    /// Where it stands.
    pub phase: Phase,
    /// The phase that failed, while `phase` is `failed`.
    pub failed_phase: Option<Phase>,
    /// The verdict.
    pub migration_gate: Gate,
    /// What the old server is called, for people.
    pub source_server_label: String,
    /// The new server.
    pub dest_imap_host: String,
    /// Its port.
    pub dest_imap_port: u16,
    /// How the connection to it is protected.
    pub dest_imap_security: Security,
    /// True: the new server's certificate is not verified. Shown as a warning.
    pub dest_insecure_tls: bool,
    /// Free text.
    pub notes: String,
    /// Who approved the gate.
    pub approved_by: Option<UserId>,
    /// That person's address.
    pub approved_by_email: Option<String>,
    /// When.
    pub approved_at: Option<String>,
    /// The reason of an override, where the approval was one.
    pub override_reason: Option<String>,
    /// When the MX was changed.
    pub dns_cutover_at: Option<String>,
    /// When the job was opened.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// How many mailboxes it has.
    pub mailboxes: i64,
    /// How many of them are in status `error` or `quarantine`.
    pub mailboxes_in_trouble: i64,
    /// Messages at the source, by the last count.
    pub messages_source: i64,
    /// Messages that have arrived.
    pub messages_dest: i64,
    /// Arrived ÷ source, 0 to 100.
    pub sync_percent: f64,
    /// How many runs are queued or running.
    pub active_runs: i64,
}

/// A new job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewJob {
    /// The domain to move.
    pub domain: String,
    /// Whose it is.
    pub tenant_id: Option<TenantId>,
    /// The ticket it belongs to.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// What the old server is called, for people.
    #[serde(default)]
    pub source_server_label: String,
    /// The new server; the configured default where left out.
    #[serde(default)]
    pub dest_imap_host: Option<String>,
    /// Its port; the one of the security where left out.
    #[serde(default)]
    pub dest_imap_port: Option<u16>,
    /// `tls` where left out.
    #[serde(default)]
    pub dest_imap_security: Option<Security>,
    /// True: do not verify the new server's certificate.
    #[serde(default)]
    pub dest_insecure_tls: bool,
    /// Free text.
    #[serde(default)]
    pub notes: String,
    /// Mailboxes to add at once.
    #[serde(default)]
    pub mailboxes: Vec<NewMailbox>,
}

/// What changes about a job; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobPatch {
    /// A new label.
    #[serde(default)]
    pub source_server_label: Option<String>,
    /// Another new server.
    #[serde(default)]
    pub dest_imap_host: Option<String>,
    /// Its port.
    #[serde(default)]
    pub dest_imap_port: Option<u16>,
    /// How the connection to it is protected.
    #[serde(default)]
    pub dest_imap_security: Option<Security>,
    /// Whether its certificate goes unverified.
    #[serde(default)]
    pub dest_insecure_tls: Option<bool>,
    /// New notes.
    #[serde(default)]
    pub notes: Option<String>,
    /// Another ticket.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// `closed`, to close a verified job; nothing else may be set by hand.
    #[serde(default)]
    pub phase: Option<Phase>,
}

/// Which jobs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct JobFilter {
    /// This domain.
    #[serde(default)]
    pub domain: Option<String>,
    /// In this phase.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// With this verdict.
    #[serde(default)]
    pub gate: Option<Gate>,
    /// Of this tenant.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// Of this ticket.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// Words of the domain, the label or the tenant's name.
    #[serde(default)]
    pub q: Option<String>,
}

/// How many jobs there are of what kind, for the overview.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// Jobs by phase, every phase once.
    pub by_phase: Vec<(Phase, i64)>,
    /// Open jobs by gate, every gate once.
    pub by_gate: Vec<(Gate, i64)>,
    /// Runs at work now.
    pub running: Vec<crate::Run>,
    /// Jobs with a failed or quarantined mailbox, or in phase `failed`; newest first, at most 20.
    pub attention: Vec<Job>,
    /// Jobs that wait only for an approval; at most 20.
    pub awaiting_approval: Vec<Job>,
}

/// One change of a job's phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhaseChange {
    /// What it was.
    pub from: Phase,
    /// What it became.
    pub to: Phase,
    /// When.
    pub at: String,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
}
