//! Lists of mailboxes: looking at one, and storing what was looked at.

use gatepost_contract::{JobId, Problem, Secret};
use leptos::prelude::*;

/// Looks at a CSV text and shows what it holds; stores no mailbox.
#[server(prefix = "/api/fn", endpoint = "preview_import")]
pub async fn preview_import(job_id: JobId, csv: Secret) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let preview = desk.gatepost.preview_import(&desk.actor, job_id, csv.0.as_bytes()).await?;
    context::go(&format!("/jobs/{job_id}/import/{}", preview.id));
    Ok(())
}

/// Stores the mailboxes of a list that was looked at, all or none.
#[server(prefix = "/api/fn", endpoint = "store_import")]
pub async fn store_import(job_id: JobId, preview: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.import_previewed(&desk.actor, job_id, &preview).await?;
    context::go(&format!("/jobs/{job_id}?notice=imported"));
    Ok(())
}
