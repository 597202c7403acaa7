//! The gate: its approval, and the word that the MX was changed.

use gatepost_contract::{JobId, Problem};
use leptos::prelude::*;

/// Approves the evidence that the form showed, or overrides failing checks with a reason.
#[server(prefix = "/api/fn", endpoint = "approve_gate")]
pub async fn approve_gate(
    job_id: JobId,
    #[server(default)] evidence_id: String,
    #[server(default)] note: String,
    #[server(default)] override_checks: String,
    #[server(default)] reason: String,
) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, text, ticked},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let approval = gatepost_contract::ApproveGate {
        evidence_id: fields.maybe("evidence_id", &evidence_id),
        note: text(&note),
        override_checks: ticked(&override_checks),
        reason: text(&reason),
    };
    fields.done()?;
    desk.gatepost.approve_gate(&desk.actor, job_id, approval).await?;
    context::go(&format!("/jobs/{job_id}?notice=approved"));
    Ok(())
}

/// Records that the domain's MX was changed.
#[server(prefix = "/api/fn", endpoint = "apply_dns")]
pub async fn apply_dns(job_id: JobId, domain: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let applied = gatepost_contract::DnsApplied { domain, mx: None, applied_at: None };
    desk.gatepost.dns_applied(&desk.actor, applied).await?;
    context::go(&format!("/jobs/{job_id}?notice=dns_applied"));
    Ok(())
}
