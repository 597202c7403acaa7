//! The audit log: its rows, its export, the proof that it is whole.

use crate::{
    components::{
        Empty, FormState, Icon, ListAddress, PageHead, Shape, TextField, count, load, page_query, query, query_as,
    },
    context::encode,
    pages::job::history::audit_table,
};
use gatepost_contract::{AuditFilter, AuditProof, JobId};
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
        until: text("until"),
    };
    let verify = query("verify") == "1";
    load(move |desk| async move {
        let page = desk.gatepost.audit(&desk.actor, filter.clone(), asked.clone()).await?;
        let proof = if verify { Some(desk.gatepost.verify_audit(&desk.actor, None).await?) } else { None };
        let filters = [
            ("job_id", filter.job_id.map(|id| id.to_string()).unwrap_or_default()),
            ("actor", filter.actor.unwrap_or_default()),
            ("action", filter.action.unwrap_or_default()),
            ("since", filter.since.unwrap_or_default()),
            ("until", filter.until.unwrap_or_default()),
        ];
        let address = ListAddress::new("/audit", &asked, &filters);
        let wanted: String = filters
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("&{name}={}", encode(value)))
            .collect();
        let export = |format: &str| format!("/api/v1/audit/export?format={format}{wanted}");
        let none = FormState::default();
        let (jsonl, csv) = (export("jsonl"), export("csv"));
        let [job, actor, action, since, until] = filters.map(|(_, value)| value);
        let pager = address.pager(&page);
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(audit.none)/> }.into_any()
        } else {
            audit_table(page.items)
        };
        Ok(view! {
            <PageHead title=t!(nav.audit).to_owned()>
                <a class="button small" href="/audit?verify=1">{t!(audit.verify)}</a>
            </PageHead>
            <p class="lead">{t!(audit.lead)}</p>
            {proof.map(|proof| view! { <Proof proof/> })}
            <form method="get" action="/audit" class="filters" role="search">
                <TextField state=none.clone() name="job_id" kind="number" label=t!(job.job) value=job filter=true min=1 max=u32::MAX/>
                <TextField state=none.clone() name="actor" label=t!(audit.actor) value=actor filter=true max=320/>
                <TextField state=none.clone() name="action" label=t!(audit.action) value=action filter=true max=100/>
                <TextField state=none.clone() name="since" kind="date" label=t!(audit.since) value=since filter=true/>
                <TextField state=none name="until" kind="date" label=t!(audit.until) value=until filter=true/>
                <button type="submit" class="button">{t!(form.filter)}</button>
            </form>
            {list}
            {pager}
            <p>
                {t!(audit.export)}" "
                <a href=jsonl download="audit.jsonl" rel="external">"JSON Lines"</a>", "
                <a href=csv download="audit.csv" rel="external">"CSV"</a>
            </p>
        }
        .into_any())
    })
}

/// Whether the chain of hashes is whole, and the head to keep.
#[component]
fn Proof(proof: AuditProof) -> AnyView {
    if let Some(broken) = proof.broken {
        let text = t!(audit.broken, id = broken.id.to_string(), why = broken.reason);
        return view! { <p class="notice bad" role="alert"><Icon shape=Shape::Cross/>{text}</p> }.into_any();
    }
    let kept = proof.kept();
    view! {
        <div class="notice good" role="status">
            <p><Icon shape=Shape::Check/>" "{t!(audit.whole, rows = count(proof.rows))}</p>
            <p>{t!(audit.head)}" "<code class="path">{kept}</code></p>
        </div>
    }
    .into_any()
}
