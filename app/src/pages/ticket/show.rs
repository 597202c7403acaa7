//! A ticket: its text, its files, and how its migration stands.

use crate::{
    components::{
        At, Empty, Fact, GateBadge, PageHead, PhaseBadge, PostButton, Share, Table, head, head_figure, load, param,
        size,
    },
    pages::{job::list::job_table, ticket::list::status_word},
    serverfns::ticket::UpdateTicket,
};
use gatepost_contract::{Attachment, JobFilter, PageQuery, TicketId, TicketPayload};
use leptos::{prelude::*, server_fn::ServerFn};

/// The ticket's page.
#[component]
pub fn ShowTicket() -> AnyView {
    let id = param::<TicketId>("id", "ticket");
    load(|desk| async move {
        let id = id?;
        let ticket = desk.gatepost.get_ticket(&desk.actor, id).await?;
        let filter = JobFilter { ticket_id: Some(id), ..JobFilter::default() };
        let jobs = desk.gatepost.list_jobs(&desk.actor, filter, PageQuery::default()).await?;
        let open = ticket.status != "closed";
        let manage = desk.actor.can_manage();
        let gate = ticket.payload.as_ref().map(|payload| payload.migration_gate);
        let (next, next_text) = if open { ("closed", t!(ticket.close)) } else { ("open", t!(ticket.reopen)) };
        Ok(view! {
            <PageHead title=ticket.subject up=vec![("/tickets".to_owned(), t!(nav.tickets).to_owned())]>
                {gate.map(|gate| view! { <GateBadge gate/> })}
                {manage.then(|| view! {
                    <PostButton action=UpdateTicket::url() fields=vec![("ticket_id", id.to_string()), ("status", next.to_owned())] text=next_text class="small"/>
                    <a class="button primary" href=format!("/jobs/new?ticket_id={id}")>{t!(ticket.open_job)}</a>
                })}
            </PageHead>
            <div class="columns main-side">
                <div>
                    <section aria-labelledby="text">
                        <h2 id="text">{t!(ticket.body)}</h2>
                        <p class="prose">{if ticket.body.is_empty() { "–".to_owned() } else { ticket.body }}</p>
                    </section>
                    <section aria-labelledby="jobs">
                        <h2 id="jobs">{t!(nav.jobs)}</h2>
                        {if jobs.items.is_empty() {
                            view! { <Empty text=t!(ticket.no_job)/> }.into_any()
                        } else {
                            job_table(t!(nav.jobs), jobs.items)
                        }}
                    </section>
                    <section aria-labelledby="files">
                        <h2 id="files">{t!(ticket.attachments)}</h2>
                        {attachments(id, ticket.attachments)}
                    </section>
                </div>
                <div>
                    {ticket.payload.map(|payload| view! { <Payload payload/> })}
                    <section class="facts-box" aria-labelledby="facts">
                        <h2 id="facts">{t!(ticket.ticket)}" #"{id.to_string()}</h2>
                        <dl class="facts">
                            <Fact name=t!(job.tenant)>{ticket.tenant_name}</Fact>
                            <Fact name=t!(ticket.status)>{status_word(&ticket.status)}</Fact>
                            <Fact name=t!(job.created)><At at=ticket.created_at/></Fact>
                            <Fact name=t!(job.updated)><At at=ticket.updated_at/></Fact>
                        </dl>
                    </section>
                </div>
            </div>
        }
        .into_any())
    })
}

/// The migration as the ticket carries it, with the names that other programs read.
#[component]
fn Payload(payload: TicketPayload) -> AnyView {
    let json = serde_json::to_string_pretty(&payload).unwrap_or_default();
    view! {
        <section class=format!("gate-panel gate-{}", payload.migration_gate) aria-labelledby="payload">
            <header><h2 id="payload">{t!(ticket.payload)}</h2><GateBadge gate=payload.migration_gate/></header>
            <dl class="facts">
                <Fact name=t!(job.job)><a href=format!("/jobs/{}", payload.migration_job_id)>"#"{payload.migration_job_id.to_string()}</a></Fact>
                <Fact name=t!(job.phase)><PhaseBadge phase=payload.migration_phase/></Fact>
                <Fact name=t!(job.arrived)><Share value=payload.migration_sync_percent label=t!(job.arrived).to_owned()/></Fact>
            </dl>
            <details><summary>{t!(ticket.payload_json)}</summary><pre class="sample" tabindex="0">{json}</pre></details>
        </section>
    }
    .into_any()
}

fn attachments(ticket: TicketId, files: Vec<Attachment>) -> AnyView {
    if files.is_empty() {
        return view! { <Empty text=t!(ticket.no_attachments)/> }.into_any();
    }
    let heads = vec![head(t!(ticket.file)), head_figure(t!(mailbox.size)), head(t!(job.created))];
    let rows = files.into_iter().map(|file| {
        let name = file.name.clone();
        let href = format!("/api/v1/tickets/{ticket}/attachments/{}", file.id);
        view! {
            <tr>
                <th scope="row" data-label=t!(ticket.file)><a href=href download=name>{file.name}</a></th>
                <td data-label=t!(mailbox.size) class="num">{size(file.size)}</td>
                <td data-label=t!(job.created)><At at=file.created_at/></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(ticket.attachments).to_owned() heads rows/> }.into_any()
}
