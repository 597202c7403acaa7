//! The quarantine as a work list: what a server refused, its own words, and what can be done with one or all of it.

use crate::{
    components::{Empty, JobTab, JobTabs, ListAddress, PageHead, load, page_query, param},
    pages::job::{
        crumbs,
        residue::class_table,
        residue_form::{self, Asked, FilterForm, RetryForm, WaiveForm},
        residue_rows::{Columns, residue_rows},
    },
};
use gatepost_contract::{CauseKind, JobId};
use leptos::prelude::*;

/// The quarantine in pages.
#[component]
pub fn ShowQuarantine() -> AnyView {
    let id = param::<JobId>("id", "job");
    let asked = page_query();
    let filter = Asked::of_query().quarantined();
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        let job = gatepost.get_job(&actor, id).await?;
        let mailboxes = gatepost.list_mailboxes(&actor, id).await?;
        let page = gatepost.residue(&actor, id, filter.filter(), asked.clone()).await?;
        let classes = gatepost.residue_classes(&actor, id, filter.filter()).await?;
        let path = format!("/jobs/{id}/quarantine");
        let address = ListAddress::new(path.clone(), &asked, &filter.pairs());
        let total = page.total;
        let too_large = classes.iter().any(|class| class.cause_kind == Some(CauseKind::TooLarge));
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(quarantine.none)/> }.into_any()
        } else {
            let columns =
                Columns { job: id, may_waive: actor.can_approve(), may_read: actor.can_manage(), quarantine: true };
            let pager = address.pager(&page);
            view! { {residue_rows(page.items, columns)} {pager} }.into_any()
        };
        let files = (total > 0).then(|| residue_form::downloads(id, &filter));
        let up = crumbs(&job);
        Ok(view! {
            <PageHead title=t!(quarantine.title).to_owned() up>
                {files}
            </PageHead>
            <JobTabs id current=JobTab::Quarantine/>
            <p class="lead">{t!(quarantine.lead)}</p>
            {too_large.then(|| view! { <p class="hint">{t!(quarantine.too_large_hint)}</p> })}
            <FilterForm path=path.clone() asked=filter.clone() mailboxes states=false/>
            {(total > 0 && actor.can_manage()).then(|| view! {
                <div class="actions">
                    <RetryForm job=id asked=filter.clone() messages=total/>
                    <span class="hint">{t!(quarantine.retry_lead)}</span>
                </div>
            })}
            {(total > 0 && actor.can_approve()).then(|| view! {
                <WaiveForm job=id asked=filter.clone() messages=total page="quarantine"/>
            })}
            <section aria-label=t!(quarantine.title)>{list}</section>
            {(classes.len() > 1).then(|| class_table(&path, classes))}
        }
        .into_any())
    })
}
