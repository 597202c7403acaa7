//! The audit log.

use crate::{
    components::{Empty, FormState, ListAddress, PageHead, TextField, load, page_query, query, query_as},
    pages::job::history::audit_table,
};
use gatepost_contract::{AuditFilter, JobId};
use leptos::prelude::*;

/// The audit log, newest first.
#[component]
pub fn AuditLog() -> AnyView {
    let mut asked = page_query();
    asked.sort.get_or_insert_with(|| "-id".to_owned());
    let text = |name| Some(query(name)).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        job_id: query_as::<JobId>("job_id"),
        actor: text("actor"),
        action: text("action"),
        since: text("since"),
    };
    load(|desk| async move {
        let page = desk.gatepost.audit(&desk.actor, filter.clone(), asked.clone()).await?;
        let filters = [
            ("job_id", filter.job_id.map(|id| id.to_string()).unwrap_or_default()),
            ("actor", filter.actor.unwrap_or_default()),
            ("action", filter.action.unwrap_or_default()),
            ("since", filter.since.unwrap_or_default()),
        ];
        let address = ListAddress::new("/audit", &asked, &filters);
        let none = FormState::default();
        let [job, actor, action, since] = filters.map(|(_, value)| value);
        let pager = address.pager(&page);
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(audit.none)/> }.into_any()
        } else {
            audit_table(page.items)
        };
        Ok(view! {
            <PageHead title=t!(nav.audit).to_owned()/>
            <p class="lead">{t!(audit.lead)}</p>
            <form method="get" action="/audit" class="filters" role="search">
                <TextField state=none.clone() name="job_id" kind="number" label=t!(job.job) value=job filter=true min=1 max=u32::MAX/>
                <TextField state=none.clone() name="actor" label=t!(audit.actor) value=actor filter=true max=320/>
                <TextField state=none.clone() name="action" label=t!(audit.action) value=action filter=true max=100/>
                <TextField state=none name="since" kind="date" label=t!(audit.since) value=since filter=true/>
                <button type="submit" class="button">{t!(form.filter)}</button>
            </form>
            {list}
            {pager}
        }
        .into_any())
    })
}
