//! Jobs.

use gatepost_contract::{JobId, Problem};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The form of a job, as text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobForm {
    /// The domain to move.
    pub domain: String,
    /// Whose it is.
    pub tenant_id: String,
    /// The ticket it belongs to.
    pub ticket_id: String,
    /// What the old server is called.
    pub source_server_label: String,
    /// The new server.
    pub dest_imap_host: String,
    /// Its port.
    pub dest_imap_port: String,
    /// How the connection to it is protected.
    pub dest_imap_security: String,
    /// Ticked: its certificate is not verified.
    pub dest_insecure_tls: String,
    /// Free text.
    pub notes: String,
}

/// Opens a job.
#[server(prefix = "/api/fn", endpoint = "create_job")]
pub async fn create_job(#[server(flatten)] form: JobForm) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, text, ticked},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let job = gatepost_contract::NewJob {
        domain: fields.must("domain", &form.domain).unwrap_or_default(),
        tenant_id: fields.must("tenant_id", &form.tenant_id),
        ticket_id: fields.maybe("ticket_id", &form.ticket_id),
        source_server_label: form.source_server_label,
        dest_imap_host: text(&form.dest_imap_host),
        dest_imap_port: fields.maybe("dest_imap_port", &form.dest_imap_port),
        dest_imap_security: fields.maybe("dest_imap_security", &form.dest_imap_security),
        dest_insecure_tls: ticked(&form.dest_insecure_tls),
        notes: form.notes,
        mailboxes: Vec::new(),
    };
    fields.done()?;
    let job = desk.gatepost.create_job(&desk.actor, job).await?;
    context::go(&format!("/jobs/{}?notice=created", job.id));
    Ok(())
}

/// Changes a job.
#[server(prefix = "/api/fn", endpoint = "update_job")]
pub async fn update_job(job_id: JobId, #[server(flatten)] form: JobForm) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, ticked},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let patch = gatepost_contract::JobPatch {
        source_server_label: Some(form.source_server_label),
        dest_imap_host: fields.must("dest_imap_host", &form.dest_imap_host),
        dest_imap_port: fields.must("dest_imap_port", &form.dest_imap_port),
        dest_imap_security: fields.must("dest_imap_security", &form.dest_imap_security),
        dest_insecure_tls: Some(ticked(&form.dest_insecure_tls)),
        notes: Some(form.notes),
        ticket_id: fields.maybe("ticket_id", &form.ticket_id),
        phase: None,
    };
    fields.done()?;
    desk.gatepost.update_job(&desk.actor, job_id, patch).await?;
    context::go(&format!("/jobs/{job_id}?notice=saved"));
    Ok(())
}

/// Closes a verified job.
#[server(prefix = "/api/fn", endpoint = "close_job")]
pub async fn close_job(job_id: JobId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let patch = gatepost_contract::JobPatch { phase: Some(gatepost_contract::Phase::Closed), ..Default::default() };
    desk.gatepost.update_job(&desk.actor, job_id, patch).await?;
    context::go(&format!("/jobs/{job_id}?notice=saved"));
    Ok(())
}
