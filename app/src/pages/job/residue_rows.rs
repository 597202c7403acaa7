//! Messages as rows: what a person knows them by, why they are missing, and what can be done with each.

use crate::{
    components::{At, FormState, Hidden, PostButton, StateBadge, Table, head, head_actions, head_figure, size},
    i18n::{Said, names},
    pages::job::residue_form::ReasonField,
    serverfns::residue::{RetryMessage, WaiveMessage},
};
use gatepost_contract::{JobId, MessageState, Residue};
use leptos::{prelude::*, server_fn::ServerFn};

/// What the rows offer.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// The job.
    pub job: JobId,
    /// Whether messages can be given up.
    pub may_waive: bool,
    /// Whether messages can be read and tried again.
    pub may_read: bool,
    /// Whether it is the quarantine's list.
    pub quarantine: bool,
}

/// A table of messages that have not arrived.
pub fn residue_rows(residue: Vec<Residue>, columns: Columns) -> AnyView {
    let mut heads = vec![
        head(t!(residue.message)),
        head(t!(residue.folder)),
        head(t!(residue.date)),
        head_figure(t!(residue.size)),
        head(t!(residue.cause)),
    ];
    if columns.may_waive || columns.may_read {
        heads.push(head_actions());
    }
    let caption = if columns.quarantine { t!(quarantine.title) } else { t!(residue.title) };
    let rows = residue.into_iter().map(|one| row(one, columns)).collect_view().into_any();
    view! { <Table caption=caption.to_owned() heads rows/> }.into_any()
}

fn row(one: Residue, columns: Columns) -> AnyView {
    let actions = (columns.may_waive || columns.may_read).then(|| view! { <td>{buttons(&one, columns)}</td> });
    // Subjects may be written from right to left: each stands for itself.
    let subject = match &one.subject {
        Some(subject) => view! { <bdi>{subject.clone()}</bdi> }.into_any(),
        None => view! { <span class="none">{t!(residue.no_subject)}</span> }.into_any(),
    };
    let header = one.message_id_header.clone().unwrap_or_else(|| t!(residue.no_message_id).to_owned());
    let waiver = one.waiver.as_ref().map(|waiver| {
        view! {
            <small>
                {t!(residue.waived_by, actor = waiver.actor.clone())}", "<At at=waiver.at.clone()/>": "{waiver.reason.clone()}
            </small>
        }
    });
    view! {
        <tr>
            <th scope="row" data-label=t!(residue.message) class="what">
                <span>
                    {subject}
                    {one.from.map(|from| view! { <small><bdi>{from}</bdi></small> })}
                    <small>{header}</small>
                </span>
            </th>
            <td data-label=t!(residue.folder) class="path">
                <span>
                    <bdi>{one.folder}</bdi>" · UID "{one.source_uid}
                    <small>{one.email}</small>
                </span>
            </td>
            <td data-label=t!(residue.date)>
                <span>
                    <At at=one.internal_date/>
                    <small>{t!(residue.first_seen)}" "<At at=one.first_seen_at/></small>
                </span>
            </td>
            <td data-label=t!(residue.size) class="num">{size(one.size)}</td>
            <td data-label=t!(residue.cause) class="note">
                <span>
                    <StateBadge state=one.state/>
                    {one.cause_kind.map(|kind| view! { <span class="tag">{names::cause(kind)}</span> })}
                    {one.fidelity.map(|fidelity| view! { <span class="tag">{names::fidelity(fidelity)}</span> })}
                    {one.cause.map(|cause| view! { <small><bdi><Said text=cause/></bdi></small> })}
                    {waiver}
                </span>
            </td>
            {actions}
        </tr>
    }
    .into_any()
}

fn buttons(one: &Residue, columns: Columns) -> AnyView {
    let id = one.message_id.to_string();
    let of = format!("{} UID {}", one.folder, one.source_uid);
    let job = columns.job;
    let read = columns.may_read.then(|| {
        let (page, of) = (format!("/jobs/{job}/messages/{id}"), of.clone());
        view! { <a class="button small" href=page>{t!(quarantine.headers)}<span class="hidden">" "{of}</span></a> }
    });
    let retry = (columns.may_read && one.state == MessageState::Quarantined).then(|| {
        let fields = vec![("job_id", job.to_string()), ("message_id", id.clone())];
        view! { <PostButton action=RetryMessage::url() fields text=t!(quarantine.retry) of=of.clone() class="small"/> }
    });
    let waive = (columns.may_waive && one.state != MessageState::Waived).then(|| waive_one(&id, columns));
    view! { <div class="actions">{read}{retry}</div>{waive} }.into_any()
}

fn waive_one(id: &str, columns: Columns) -> AnyView {
    let state = FormState::with(WaiveMessage::url(), "message_id", id);
    let refused = state.refused();
    let page = if columns.quarantine { "quarantine" } else { "residue" };
    view! {
        <details class="confirm" open=refused>
            <summary class="button small">{t!(residue.waive)}</summary>
            <form method="post" action=WaiveMessage::url() class="form">
                <Hidden name="job_id" value=columns.job.to_string()/>
                <Hidden name="message_id" value=id.to_owned()/>
                <Hidden name="page" value=page/>
                <ReasonField state name="reason" label=t!(residue.reason) of=id.to_owned() required=true/>
                <button type="submit" class="button small danger">{t!(residue.waive_confirm)}</button>
            </form>
        </details>
    }
    .into_any()
}
