//! A new mailbox of a job, filled from a server or from files.

use super::{
    fields::{DestFields, SourceFields, ToolField, file_options, source_options},
    find::{FindForm, Finding, Taken, findings, take_link},
};
use crate::{
    components::{FormState, Hidden, PageHead, SelectField, TextField, load, param, query},
    pages::job::crumbs,
    serverfns::mailbox::AddMailbox,
};
use gatepost_contract::{JobId, Proposal, SourceType, Tool};
use leptos::{prelude::*, server_fn::ServerFn};

/// The kinds of sources that the form offers.
fn kinds(from_file: bool) -> Vec<SourceType> {
    SourceType::ALL.iter().copied().filter(|kind| kind.is_file() == from_file).collect()
}

/// The form for a new mailbox.
#[component]
pub fn NewMailbox() -> AnyView {
    let id = param::<JobId>("id", "job");
    let from_file = query("from") == "file";
    let asked = Finding::asked();
    load(move |desk| async move {
        let job = desk.gatepost.get_job(&desk.actor, id?).await?;
        let state = FormState::of(AddMailbox::url());
        let found = if from_file { None } else { asked.found(&desk).await };
        let taken = asked.taken(found.as_ref());
        let address = asked.address();
        let user = taken.as_ref().and_then(|one| one.user_of(&address)).unwrap_or_default();
        let kind = match &taken {
            _ if from_file => SourceType::Pst,
            Some(one) => one.source_type,
            None => SourceType::Imap,
        };
        let here = format!("/jobs/{}/mailboxes/new", job.id);
        let finding = asked.find.clone();
        let links = {
            let here = here.clone();
            move |one: &Proposal| take_link(&here, &finding, one, t!(discover.use_))
        };
        let proposals = found.filter(|_| taken.is_none()).map(|found| findings(found, links));
        let tabs = [("", t!(files.from_server), !from_file), ("?from=file", t!(files.from_file), from_file)];
        let tabs = tabs.map(|(query, text, here)| {
            let href = format!("/jobs/{}/mailboxes/new{query}", job.id);
            view! { <li><a href=href aria-current=here.then_some("page")>{text}</a></li> }
        });
        Ok(view! {
            <PageHead title=t!(mailbox.new).to_owned() up=crumbs(&job)/>
            <nav class="tabs" aria-label=t!(files.from_label)><ul>{tabs.collect_view()}</ul></nav>
            {from_file.then(|| view! { <p class="lead">{t!(files.from_hint)}</p> })}
            {(!from_file && taken.is_none()).then(|| view! { <FindForm action=here.clone() value=asked.find.clone()/> })}
            {proposals}
            {taken.clone().map(|proposal| view! { <Taken proposal/> })}
            <form method="post" action=AddMailbox::url() class="form">
                <Hidden name="job_id" value=job.id.to_string()/>
                <div class="row">
                    <TextField state=state.clone() name="email" kind="email" label=t!(mailbox.email) value=address required=true max=320/>
                    <SelectField
                        state=state.clone()
                        name="source_type"
                        label=if from_file { t!(files.kind) } else { t!(mailbox.source_type) }
                        hint=if from_file { t!(files.kind_hint) } else { "" }
                        value=kind.to_string()
                        options=if from_file { file_options() } else { source_options() }
                        required=true
                    />
                </div>
                <ToolField state=state.clone() tool=Tool::Native kinds=kinds(from_file)/>
                {(!from_file).then(|| view! { <SourceFields state=state.clone() mailbox=None proposal=taken proposed_user=user/> })}
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
