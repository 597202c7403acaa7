//! Signed links to a job. A new link's token is shown once.

use gatepost_contract::{JobId, LinkId, Problem};
use leptos::prelude::*;

/// Makes a link. Its token waits in memory for the page that is shown next.
#[server(prefix = "/api/fn", endpoint = "create_link")]
pub async fn create_link(
    job_id: JobId,
    kind: String,
    #[server(default)] label: String,
    #[server(default)] days: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let (kind, days) = (fields.must("kind", &kind), fields.maybe("days", &days));
    fields.done()?;
    let Some(kind) = kind else { return Err(Problem::internal()) };
    let new = gatepost_contract::NewLink { kind, label, days };
    let host = context::host();
    let issued = desk.gatepost.create_link(&desk.actor, job_id, new, host.as_deref()).await?;
    issued::keep(&desk.actor, issued);
    context::go(&format!("/jobs/{job_id}/report?notice=created"));
    Ok(())
}

/// Refuses a link from now on.
#[server(prefix = "/api/fn", endpoint = "revoke_link")]
pub async fn revoke_link(link_id: LinkId, job_id: JobId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.revoke_link(&desk.actor, link_id).await?;
    context::go(&format!("/jobs/{job_id}/report?notice=link_revoked"));
    Ok(())
}

/// New links between the form that made them and the page that shows them.
#[cfg(feature = "ssr")]
pub mod issued {
    use crate::serverfns::once::Once;
    use gatepost_contract::{IssuedLink, JobId};
    use gatepost_core::Actor;

    static WAITING: Once<IssuedLink> = Once::new();

    fn key(actor: &Actor, job: JobId) -> String {
        format!("{job} {}", actor.label())
    }

    /// Keeps a link for the person who made it.
    pub fn keep(actor: &Actor, link: IssuedLink) {
        WAITING.keep(key(actor, link.link.job_id), link);
    }

    /// Hands it out, once, on the page of its job.
    pub fn take(actor: &Actor, job: JobId) -> Option<IssuedLink> {
        WAITING.take(&key(actor, job))
    }
}
