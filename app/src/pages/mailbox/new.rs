//! A new mailbox of a job.

use super::fields::{DestFields, SourceFields, source_options};
use crate::{
    components::{FormState, Hidden, PageHead, SelectField, TextField, load, param},
    pages::job::crumbs,
    serverfns::mailbox::AddMailbox,
};
use gatepost_contract::JobId;
use leptos::{prelude::*, server_fn::ServerFn};

/// The form for a new mailbox.
#[component]
pub fn NewMailbox() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let job = desk.gatepost.get_job(&desk.actor, id?).await?;
        let state = FormState::of(AddMailbox::url());
        Ok(view! {
            <PageHead title=t!(mailbox.new).to_owned() up=crumbs(&job)/>
            <form method="post" action=AddMailbox::url() class="form">
                <Hidden name="job_id" value=job.id.to_string()/>
                <div class="row">
                    <TextField state=state.clone() name="email" kind="email" label=t!(mailbox.email) required=true max=320/>
                    <SelectField state=state.clone() name="source_type" label=t!(mailbox.source_type) value="imap" options=source_options() required=true/>
                </div>
                <SourceFields state=state.clone() mailbox=None/>
                <DestFields state mailbox=None/>
                <div class="submit">
                    <button type="submit" class="button primary">{t!(mailbox.add)}</button>
                    <a class="button quiet" href=format!("/jobs/{}", job.id)>{t!(form.cancel)}</a>
                </div>
            </form>
        }
        .into_any())
    })
}
