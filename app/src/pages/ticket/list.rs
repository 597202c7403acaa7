//! The list of tickets.

use crate::components::{
    At, Empty, FormState, GateBadge, ListAddress, PageHead, PhaseBadge, SelectField, Table, TextField, head, load,
    page_query, percent, query,
};
use gatepost_contract::{Ticket, TicketFilter};
use leptos::prelude::*;

/// The list of tickets.
#[component]
pub fn TicketList() -> AnyView {
    let asked = page_query();
    let (q, status) = (query("q"), query("status"));
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let filter = TicketFilter { tenant_id: None, status: text(&status), q: text(&q) };
    load(|desk| async move {
        let page = desk.gatepost.list_tickets(&desk.actor, filter, asked.clone()).await?;
        let filtered = !q.is_empty() || !status.is_empty();
        let address = ListAddress::new("/tickets", &asked, &[("q", q.clone()), ("status", status.clone())]);
        let none = FormState::default();
        let options = vec![
            (String::new(), t!(form.any).to_owned()),
            ("open".to_owned(), t!(ticket.open).to_owned()),
            ("closed".to_owned(), t!(ticket.closed).to_owned()),
        ];
        let list = if page.items.is_empty() {
            view! {
                <Empty text=if filtered { t!(ticket.none_found) } else { t!(ticket.none) }>
                    <a class="button" href="/tickets/new">{t!(ticket.new)}</a>
                </Empty>
            }
            .into_any()
        } else {
            let pager = address.pager(&page);
            let heads = vec![
                address.head("subject", t!(ticket.subject)),
                head(t!(job.tenant)),
                head(t!(ticket.status)),
                head(t!(job.gate)),
                head(t!(job.phase)),
                head(t!(job.arrived)),
                address.head("updated_at", t!(job.updated)),
            ];
            let rows = page.items.into_iter().map(row).collect_view().into_any();
            view! { <Table caption=t!(nav.tickets).to_owned() heads rows/> {pager} }.into_any()
        };
        Ok(view! {
            <PageHead title=t!(nav.tickets).to_owned()>
                <a class="button primary" href="/tickets/new">{t!(ticket.new)}</a>
            </PageHead>
            <form method="get" action="/tickets" class="filters" role="search">
                <TextField state=none.clone() name="q" label=t!(form.search) value=q filter=true max=200/>
                <SelectField state=none name="status" label=t!(ticket.status) value=status options filter=true/>
                <button type="submit" class="button">{t!(form.filter)}</button>
            </form>
            {list}
        }
        .into_any())
    })
}

/// A ticket's status in words.
pub fn status_word(status: &str) -> &'static str {
    if status == "closed" { t!(ticket.closed) } else { t!(ticket.open) }
}

fn row(ticket: Ticket) -> AnyView {
    let payload = ticket.payload;
    view! {
        <tr>
            <th scope="row" data-label=t!(ticket.subject)><a href=format!("/tickets/{}", ticket.id)>{ticket.subject}</a></th>
            <td data-label=t!(job.tenant)>{ticket.tenant_name}</td>
            <td data-label=t!(ticket.status)>{status_word(&ticket.status)}</td>
            <td data-label=t!(job.gate)>{payload.as_ref().map(|payload| view! { <GateBadge gate=payload.migration_gate/> })}</td>
            <td data-label=t!(job.phase)>{payload.as_ref().map(|payload| view! { <PhaseBadge phase=payload.migration_phase/> })}</td>
            <td data-label=t!(job.arrived) class="num">{payload.map(|payload| percent(payload.migration_sync_percent))}</td>
            <td data-label=t!(job.updated)><At at=ticket.updated_at/></td>
        </tr>
    }
    .into_any()
}
