//! Messages that have not arrived.

use gatepost_contract::{JobId, MessageId, Problem};
use leptos::prelude::*;

/// Gives a message up, with a reason.
#[server(prefix = "/api/fn", endpoint = "waive_message")]
pub async fn waive_message(job_id: JobId, message_id: MessageId, reason: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.waive(&desk.actor, message_id, gatepost_contract::WaiveRequest { reason }).await?;
    context::go(&format!("/jobs/{job_id}/residue?notice=waived"));
    Ok(())
}
