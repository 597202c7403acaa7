//! Starting, cancelling and retrying runs.

use gatepost_contract::{JobId, Problem, RunId};
use leptos::prelude::*;

/// Looks at both servers.
#[server(prefix = "/api/fn", endpoint = "start_preflight")]
pub async fn start_preflight(job_id: JobId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.start_preflight(&desk.actor, job_id).await?;
    context::go(&format!("/jobs/{job_id}?notice=started"));
    Ok(())
}

/// Copies: `run_type` is `initial`, `delta` or `final`. With a mailbox, that one only.
#[server(prefix = "/api/fn", endpoint = "start_sync")]
pub async fn start_sync(job_id: JobId, run_type: String, #[server(default)] mailbox_id: String) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let run_type = fields.must("run_type", &run_type);
    let mailbox_ids = fields.maybe("mailbox_id", &mailbox_id).into_iter().collect();
    fields.done()?;
    let Some(run_type) = run_type else { return Err(Problem::internal()) };
    desk.gatepost.start_sync(&desk.actor, job_id, gatepost_contract::SyncRequest { run_type, mailbox_ids }).await?;
    context::go(&format!("/jobs/{job_id}?notice=started"));
    Ok(())
}

/// Re-reads both servers: `depth` is `quick`, `standard` or `deep`.
#[server(prefix = "/api/fn", endpoint = "start_verify")]
pub async fn start_verify(job_id: JobId, #[server(default)] depth: String) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let depth = fields.maybe("depth", &depth);
    fields.done()?;
    desk.gatepost
        .start_verify(&desk.actor, job_id, gatepost_contract::VerifyRequest { depth, ..Default::default() })
        .await?;
    context::go(&format!("/jobs/{job_id}?notice=started"));
    Ok(())
}

/// Ends a run cleanly.
#[server(prefix = "/api/fn", endpoint = "cancel_run")]
pub async fn cancel_run(run_id: RunId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.cancel_run(&desk.actor, run_id).await?;
    context::go(&format!("/runs/{run_id}?notice=cancelled"));
    Ok(())
}

/// Runs again what has failed or left something over.
#[server(prefix = "/api/fn", endpoint = "retry_run")]
pub async fn retry_run(run_id: RunId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let started = desk.gatepost.retry_run(&desk.actor, run_id).await?;
    let run = started.run_ids.first().copied().unwrap_or(run_id);
    context::go(&format!("/runs/{run}?notice=started"));
    Ok(())
}
