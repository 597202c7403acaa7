//! What was given up on purpose: by whom, why, and what of it still stands.

use crate::{
    components::{At, FormState, Hidden, Table, count, head, head_actions},
    i18n::names,
    pages::job::residue_form::ReasonField,
    serverfns::residue::WithdrawWaiver,
};
use gatepost_contract::{JobId, WaiverDecision};
use leptos::{prelude::*, server_fn::ServerFn};

/// The decisions of a job, newest first.
#[component]
pub fn Waivers(
    /// The job.
    job: JobId,
    /// The decisions.
    decisions: Vec<WaiverDecision>,
    /// Whether they can be taken back.
    may_withdraw: bool,
) -> AnyView {
    let mut heads = vec![
        head(t!(waiver.at)),
        head(t!(waiver.actor)),
        head(t!(waiver.covers)),
        head(t!(waiver.place)),
        head(t!(waiver.reason)),
    ];
    if may_withdraw {
        heads.push(head_actions());
    }
    let rows = decisions.into_iter().map(|one| row(job, one, may_withdraw)).collect_view().into_any();
    view! {
        <section aria-labelledby="waivers">
            <h2 id="waivers">{t!(waiver.title)}</h2>
            <Table caption=t!(waiver.title).to_owned() heads rows/>
        </section>
    }
    .into_any()
}

fn row(job: JobId, one: WaiverDecision, may_withdraw: bool) -> AnyView {
    let covers = t!(waiver.covers_of, standing = count(one.standing), messages = count(one.messages));
    let place = one.email.unwrap_or_else(|| t!(waiver.several, count = count(one.mailboxes)));
    let ended = one.expired_at.zip(one.expired_why).map(|(at, why)| {
        view! { <small>{t!(waiver.ended)}" "<At at/>": "<bdi>{why}</bdi></small> }
    });
    let withdraw = may_withdraw.then(|| {
        let form = (one.standing > 0).then(|| withdraw_form(job, &one.id.to_string()));
        view! { <td>{form}</td> }
    });
    view! {
        <tr>
            <th scope="row" data-label=t!(waiver.at)><At at=one.at/></th>
            <td data-label=t!(waiver.actor)>{one.actor}</td>
            <td data-label=t!(waiver.covers)><span>{covers}{ended}</span></td>
            <td data-label=t!(waiver.place) class="path">
                <span>
                    {place}
                    {one.folder.map(|folder| view! { <small><bdi>{folder}</bdi></small> })}
                    {one.cause_kind.map(|kind| view! { <span class="tag">{names::cause(kind)}</span> })}
                </span>
            </td>
            <td data-label=t!(waiver.reason) class="note"><bdi>{one.reason}</bdi></td>
            {withdraw}
        </tr>
    }
    .into_any()
}

fn withdraw_form(job: JobId, id: &str) -> AnyView {
    let state = FormState::with(WithdrawWaiver::url(), "waiver_id", id);
    let refused = state.refused();
    view! {
        <details class="confirm" open=refused>
            <summary class="button small">{t!(waiver.withdraw)}</summary>
            <form method="post" action=WithdrawWaiver::url() class="form">
                <p>{t!(waiver.withdraw_lead)}</p>
                <Hidden name="job_id" value=job.to_string()/>
                <Hidden name="waiver_id" value=id.to_owned()/>
                <ReasonField state name="why" label=t!(waiver.reason) of=id.to_owned()/>
                <button type="submit" class="button small danger">{t!(waiver.withdraw_confirm)}</button>
            </form>
        </details>
    }
    .into_any()
}
