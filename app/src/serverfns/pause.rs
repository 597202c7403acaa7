//! Letting things rest and go on.

use gatepost_contract::{PauseId, Problem};
use leptos::prelude::*;

/// Lets everything, a host, a wave or a job rest: `scope` says which.
#[server(prefix = "/api/fn", endpoint = "pause")]
pub async fn pause(
    scope: String,
    #[server(default)] job_id: String,
    #[server(default)] wave_id: String,
    #[server(default)] host: String,
    #[server(default)] reason: String,
    #[server(default)] next: String,
) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, text},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let scope = fields.must("scope", &scope);
    let (job_id, wave_id) = (fields.maybe("job_id", &job_id), fields.maybe("wave_id", &wave_id));
    fields.done()?;
    let Some(scope) = scope else { return Err(Problem::internal()) };
    let new = gatepost_contract::NewPause { scope, job_id, wave_id, host: text(&host), reason };
    desk.gatepost.pause(&desk.actor, new).await?;
    context::go_back(&next, "paused");
    Ok(())
}

/// Lets it go on.
#[server(prefix = "/api/fn", endpoint = "resume")]
pub async fn resume(pause_id: PauseId, #[server(default)] next: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.resume(&desk.actor, pause_id).await?;
    context::go_back(&next, "resumed");
    Ok(())
}
