//! Changing a job's destination, label and notes.

use crate::{
    components::{AreaField, FormState, Hidden, PageHead, TextField, load, param},
    pages::job::{crumbs, new::DestinationFields},
    serverfns::job::UpdateJob,
};
use gatepost_contract::JobId;
use leptos::{prelude::*, server_fn::ServerFn};

/// The form that changes a job.
#[component]
pub fn EditJob() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let job = desk.gatepost.get_job(&desk.actor, id?).await?;
        let state = FormState::of(UpdateJob::url());
        let up = crumbs(&job);
        Ok(view! {
            <PageHead title=t!(job.edit).to_owned() up/>
            <form method="post" action=UpdateJob::url() class="form">
                <Hidden name="job_id" value=job.id.to_string()/>
                <TextField state=state.clone() name="source_server_label" label=t!(job.source_label) value=job.source_server_label max=200/>
                <DestinationFields
                    state=state.clone()
                    host=job.dest_imap_host
                    port=job.dest_imap_port.to_string()
                    security=job.dest_imap_security
                    insecure=job.dest_insecure_tls
                />
                <AreaField state name="notes" label=t!(job.notes) value=job.notes max=20_000/>
                <div class="submit">
                    <button type="submit" class="button primary">{t!(form.save)}</button>
                    <a class="button quiet" href=format!("/jobs/{}", job.id)>{t!(form.cancel)}</a>
                </div>
            </form>
        }
        .into_any())
    })
}
