//! The old server of a job: what its domain says of it.

use crate::{
    components::{PageHead, load, param},
    context::encode,
    pages::{
        job::crumbs,
        mailbox::find::{FindForm, Finding, findings, take_link},
    },
};
use gatepost_contract::JobId;
use leptos::prelude::*;

/// The page. It offers to search for the job's own domain.
#[component]
pub fn DiscoverServer() -> AnyView {
    let id = param::<JobId>("id", "job");
    let asked = Finding::asked();
    load(|desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let value = if asked.find.is_empty() { job.domain.clone() } else { asked.find.clone() };
        let found = asked.found(&desk).await;
        let new = format!("/jobs/{id}/mailboxes/new");
        let finding = asked.find.clone();
        let links = move |one: &gatepost_contract::Proposal| {
            let domain = finding.rsplit('@').next().unwrap_or(&finding);
            let template = format!(
                "/api/v1/migration/mailboxes/template.csv?domain={}&take={}",
                encode(domain),
                encode(&one.key())
            );
            view! {
                {take_link(&new, &finding, one, t!(discover.use_new))}
                " "
                <a class="button small" href=template download="gatepost-mailboxes.csv">{t!(discover.use_template)}</a>
            }
            .into_any()
        };
        Ok(view! {
            <PageHead title=t!(discover.title).to_owned() up=crumbs(&job)/>
            <FindForm action=format!("/jobs/{id}/discover") value/>
            {found.map(|found| findings(found, links))}
        }
        .into_any())
    })
}
