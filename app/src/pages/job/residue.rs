//! The residue of a job: what is missing, message by message, and its waivers.

use crate::{
    components::{
        AreaField, At, Empty, FormState, Hidden, ListAddress, PageHead, SelectField, StateBadge, Table, head,
        head_actions, head_figure, load, page_query, param, query_as, size,
    },
    i18n::names,
    pages::job::crumbs,
    serverfns::residue::WaiveMessage,
};
use gatepost_contract::{JobId, MailboxId, MessageState, Residue, ResidueFilter};
use leptos::{prelude::*, server_fn::ServerFn};

/// The residue in pages.
#[component]
pub fn ShowResidue() -> AnyView {
    let id = param::<JobId>("id", "job");
    let asked = page_query();
    let filter =
        ResidueFilter { mailbox_id: query_as::<MailboxId>("mailbox_id"), state: query_as::<MessageState>("state") };
    load(|desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let page = desk.gatepost.residue(&desk.actor, id, filter.clone(), asked.clone()).await?;
        let path = format!("/jobs/{id}/residue");
        let state = filter.state.map(|state| state.to_string()).unwrap_or_default();
        let mailbox = filter.mailbox_id.map(|id| id.to_string()).unwrap_or_default();
        let address =
            ListAddress::new(path.clone(), &asked, &[("state", state.clone()), ("mailbox_id", mailbox.clone())]);
        let options = std::iter::once((String::new(), t!(form.any).to_owned()))
            .chain(MessageState::ALL.iter().map(|one| (one.to_string(), names::message_state(*one).to_owned())))
            .collect();
        let up = crumbs(&job);
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(residue.none)/> }.into_any()
        } else {
            let pager = address.pager(&page);
            view! { {residue_table(id, page.items, desk.actor.can_approve())} {pager} }.into_any()
        };
        Ok(view! {
            <PageHead title=t!(residue.title).to_owned() up/>
            <p class="lead">{t!(residue.lead)}</p>
            <form method="get" action=path class="filters">
                {(!mailbox.is_empty()).then(|| view! { <Hidden name="mailbox_id" value=mailbox/> })}
                <SelectField state=FormState::default() name="state" label=t!(residue.state) value=state options filter=true/>
                <button type="submit" class="button">{t!(form.filter)}</button>
            </form>
            {list}
        }
        .into_any())
    })
}

/// A table of messages that have not arrived.
pub fn residue_table(job: JobId, residue: Vec<Residue>, may_waive: bool) -> AnyView {
    let mut heads = vec![
        head(t!(residue.state)),
        head(t!(mailbox.email)),
        head(t!(residue.message)),
        head(t!(residue.date)),
        head_figure(t!(residue.size)),
        head(t!(residue.cause)),
    ];
    if may_waive {
        heads.push(head_actions());
    }
    let rows = residue.into_iter().map(|one| row(job, one, may_waive)).collect_view().into_any();
    view! { <Table caption=t!(residue.title).to_owned() heads rows/> }.into_any()
}

fn row(job: JobId, one: Residue, may_waive: bool) -> AnyView {
    let id = one.message_id.to_string();
    let open = matches!(one.state, MessageState::Pending | MessageState::Quarantined);
    let state = FormState::with(WaiveMessage::url(), "message_id", &id);
    let refused = state.refused();
    let waive = may_waive.then(|| {
        view! {
            <td>
                {open.then(|| view! {
                    <details class="confirm" open=refused>
                        <summary class="button small">{t!(residue.waive)}</summary>
                        <form method="post" action=WaiveMessage::url() class="form">
                            <Hidden name="job_id" value=job.to_string()/>
                            <Hidden name="message_id" value=id/>
                            <WaiveReason state/>
                            <button type="submit" class="button small danger">{t!(residue.waive_confirm)}</button>
                        </form>
                    </details>
                })}
            </td>
        }
    });
    view! {
        <tr>
            <td data-label=t!(residue.state)>
                <StateBadge state=one.state/>
                {one.fidelity.map(|fidelity| view! { <span class="tag">{names::fidelity(fidelity)}</span> })}
            </td>
            <td data-label=t!(mailbox.email)>{one.email}</td>
            <td data-label=t!(residue.message) class="path">
                {one.folder}" · UID "{one.source_uid}
                <small>{one.message_id_header.unwrap_or_else(|| t!(residue.no_message_id).to_owned())}</small>
            </td>
            <td data-label=t!(residue.date)><At at=one.internal_date/></td>
            <td data-label=t!(residue.size) class="num">{size(one.size)}</td>
            <td data-label=t!(residue.cause)>{one.cause}</td>
            {waive}
        </tr>
    }
    .into_any()
}

#[component]
fn WaiveReason(state: FormState) -> AnyView {
    view! { <AreaField state name="reason" label=t!(residue.reason) hint=t!(approve.reason_hint) required=true rows=2 max=2_000/> }.into_any()
}
