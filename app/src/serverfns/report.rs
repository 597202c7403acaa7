//! Reports on tickets.

use gatepost_contract::{JobId, Problem};
use leptos::prelude::*;

/// Makes a report and attaches it to the job's ticket.
#[server(prefix = "/api/fn", endpoint = "attach_report")]
pub async fn attach_report(job_id: JobId, #[server(default)] lang: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let lang = (!lang.is_empty()).then_some(lang);
    desk.gatepost.attach_report(&desk.actor, job_id, gatepost_contract::AttachReport { lang }).await?;
    context::go(&format!("/jobs/{job_id}/report?notice=report_attached"));
    Ok(())
}
