//! The list of jobs, with filters, order and pages.

use crate::{
    components::{
        At, Empty, FormState, GateBadge, ListAddress, PageHead, PhaseBadge, SelectField, Share, Table, TextField,
        count, head, head_figure, load, page_query, query, query_as,
    },
    i18n::names,
};
use gatepost_contract::{Gate, Job, JobFilter, PageQuery, Phase};
use leptos::prelude::*;

/// The list of jobs.
#[component]
pub fn JobList() -> AnyView {
    let asked = page_query();
    let text = |name| Some(query(name)).filter(|text| !text.is_empty());
    let filter = JobFilter {
        domain: text("domain"),
        phase: query_as("phase"),
        gate: query_as("gate"),
        tenant_id: query_as("tenant_id"),
        ticket_id: query_as("ticket_id"),
        q: text("q"),
    };
    load(|desk| async move {
        let page = desk.gatepost.list_jobs(&desk.actor, filter.clone(), asked.clone()).await?;
        let tenants = desk
            .gatepost
            .list_tenants(
                &desk.actor,
                PageQuery { per_page: 200, sort: Some("name".to_owned()), ..PageQuery::default() },
            )
            .await?;
        let filters = [
            ("q", filter.q.clone().unwrap_or_default()),
            ("domain", filter.domain.clone().unwrap_or_default()),
            ("phase", filter.phase.map(|phase| phase.to_string()).unwrap_or_default()),
            ("gate", filter.gate.map(|gate| gate.to_string()).unwrap_or_default()),
            ("tenant_id", filter.tenant_id.map(|id| id.to_string()).unwrap_or_default()),
            ("ticket_id", filter.ticket_id.map(|id| id.to_string()).unwrap_or_default()),
        ];
        let filtered = filters.iter().any(|(_, value)| !value.is_empty());
        let address = ListAddress::new("/jobs", &asked, &filters);
        let any = || (String::new(), t!(form.any).to_owned());
        let phases = std::iter::once(any())
            .chain(Phase::ALL.iter().map(|phase| (phase.to_string(), names::phase(*phase).to_owned())))
            .collect();
        let gates = std::iter::once(any())
            .chain(Gate::ALL.iter().map(|gate| (gate.to_string(), names::gate(*gate).to_owned())))
            .collect();
        let tenants = std::iter::once(any())
            .chain(tenants.items.into_iter().map(|tenant| (tenant.id.to_string(), tenant.name)))
            .collect();
        let none = FormState::default();
        let [q, _, phase, gate, tenant, _] = filters.map(|(_, value)| value);
        let list = if page.items.is_empty() {
            view! {
                <Empty text=if filtered { t!(job.none_found) } else { t!(job.none) }>
                    <a class="button" href=if filtered { "/jobs" } else { "/jobs/new" }>
                        {if filtered { t!(form.clear) } else { t!(job.new) }}
                    </a>
                </Empty>
            }
            .into_any()
        } else {
            let pager = address.pager(&page);
            let heads = vec![
                address.head("domain", t!(job.domain)),
                head(t!(job.tenant)),
                address.head("phase", t!(job.phase)),
                address.head("migration_gate", t!(job.gate)),
                head_figure(t!(job.mailboxes)),
                head(t!(job.arrived)),
                address.head("updated_at", t!(job.updated)),
            ];
            let rows = page.items.into_iter().map(row).collect_view().into_any();
            view! { <Table caption=t!(nav.jobs).to_owned() heads rows class="names"/> {pager} }.into_any()
        };
        Ok(view! {
            <PageHead title=t!(nav.jobs).to_owned()>
                <a class="button primary" href="/jobs/new">{t!(job.new)}</a>
            </PageHead>
            <form method="get" action="/jobs" class="filters" role="search">
                <TextField state=none.clone() name="q" label=t!(form.search) value=q filter=true max=200/>
                <SelectField state=none.clone() name="phase" label=t!(job.phase) value=phase options=phases filter=true/>
                <SelectField state=none.clone() name="gate" label=t!(job.gate) value=gate options=gates filter=true/>
                <SelectField state=none name="tenant_id" label=t!(job.tenant) value=tenant options=tenants filter=true/>
                <button type="submit" class="button">{t!(form.filter)}</button>
            </form>
            {list}
        }
        .into_any())
    })
}

/// A table of jobs without order and pages.
pub fn job_table(caption: &'static str, jobs: Vec<Job>) -> AnyView {
    let heads = vec![
        head(t!(job.domain)),
        head(t!(job.tenant)),
        head(t!(job.phase)),
        head(t!(job.gate)),
        head_figure(t!(job.mailboxes)),
        head(t!(job.arrived)),
        head(t!(job.updated)),
    ];
    let rows = jobs.into_iter().map(row).collect_view().into_any();
    view! { <Table caption=caption.to_owned() heads rows class="names"/> }.into_any()
}

fn row(job: Job) -> AnyView {
    let trouble = (job.mailboxes_in_trouble > 0).then(|| {
        view! { <span class="alarm">{t!(job.in_trouble, count = count(job.mailboxes_in_trouble))}</span> }
    });
    let label = t!(job.arrived_of, domain = job.domain.clone());
    view! {
        <tr>
            <th scope="row" data-label=t!(job.domain)><a href=format!("/jobs/{}", job.id)>{job.domain}</a></th>
            <td data-label=t!(job.tenant)>{job.tenant_name}</td>
            <td data-label=t!(job.phase)><PhaseBadge phase=job.phase/></td>
            <td data-label=t!(job.gate)><GateBadge gate=job.migration_gate/></td>
            <td data-label=t!(job.mailboxes) class="num">{count(job.mailboxes)}{trouble}</td>
            <td data-label=t!(job.arrived)><Share value=job.sync_percent label/></td>
            <td data-label=t!(job.updated)><At at=job.updated_at/></td>
        </tr>
    }
    .into_any()
}
