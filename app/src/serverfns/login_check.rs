//! The check of all log-ins of a job.

use gatepost_contract::{JobId, Problem};
use leptos::prelude::*;

/// Asks for the check; it goes on while the page shows how far it is.
#[server(prefix = "/api/fn", endpoint = "check_logins")]
pub async fn check_logins(job_id: JobId, only: String) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let only = fields.maybe("only", &only).unwrap_or(gatepost_contract::LoginChoice::All);
    fields.done()?;
    let request = gatepost_contract::LoginRequest { only, mailbox_ids: None };
    desk.gatepost.check_logins(&desk.actor, job_id, &request).await?;
    context::go(&format!("/jobs/{job_id}/logins"));
    Ok(())
}
