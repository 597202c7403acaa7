//! The approval on a page of its own: what the dialog shows, without JavaScript.

use crate::{
    components::{PageHead, load, param},
    pages::job::{crumbs, gate::ApproveForm},
};
use gatepost_contract::{JobId, Problem};
use leptos::prelude::*;

/// The approval of a job's gate.
#[component]
pub fn ApproveJob() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        if !desk.actor.can_approve() {
            return Err(Problem::new(403, "forbidden", t!(approve.forbidden)));
        }
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let gate = desk.gatepost.gate_view(&desk.actor, id).await?;
        let evidence = desk.gatepost.evidence(&desk.actor, id).await?;
        let up = crumbs(&job);
        let title = t!(approve.title, domain = job.domain.clone());
        Ok(view! {
            <PageHead title up/>
            <div class="sheet"><ApproveForm job gate evidence actor=desk.actor dialog=false/></div>
        }
        .into_any())
    })
}
