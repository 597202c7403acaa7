//! Consents that were taken back here, and whether their provider has followed.

use super::card::side_name;
use crate::components::{At, Badge, Shape, Table, Tone, head};
use gatepost_contract::{Revocation, RevocationState};
use leptos::prelude::*;

/// The table of them; nothing where there is none.
pub(super) fn taken_back(revocations: Vec<Revocation>) -> Option<AnyView> {
    if revocations.is_empty() {
        return None;
    }
    let rows = revocations.into_iter().map(row).collect_view().into_any();
    let heads = vec![head(t!(user.email)), head(t!(revocation.when)), head(t!(revocation.provider))];
    Some(
        view! {
            <section aria-labelledby="taken-back">
                <h2 id="taken-back">{t!(revocation.title)}</h2>
                <p>{t!(revocation.lead)}</p>
                <Table caption=t!(revocation.title).to_owned() heads rows/>
            </section>
        }
        .into_any(),
    )
}

fn row(one: Revocation) -> AnyView {
    let (tone, shape, text, hint) = match one.state {
        RevocationState::Waiting => (Tone::Warn, Shape::Waiting, t!(revocation.waiting), None),
        RevocationState::Confirmed => (Tone::Good, Shape::Check, t!(revocation.confirmed), None),
        RevocationState::GivenUp => {
            (Tone::Bad, Shape::Cross, t!(revocation.given_up), Some(t!(revocation.given_up_hint)))
        }
    };
    let next = one.next_try_at.filter(|_| one.tries > 0);
    view! {
        <tr>
            <th scope="row" data-label=t!(user.email)>
                {one.email}
                <div class="note">{one.app_name}", "{side_name(one.side)}</div>
            </th>
            <td data-label=t!(revocation.when)><At at=one.withdrawn_at/><div class="note">{one.withdrawn_by}</div></td>
            <td data-label=t!(revocation.provider)>
                <Badge tone shape text/>
                {one.settled_at.map(|at| view! { <div class="note"><At at/></div> })}
                {one.error.map(|error| view! { <div class="note bad">{error}</div> })}
                {next.map(|at| view! { <div class="note">{t!(revocation.next)}" "<At at/></div> })}
                {hint.map(|hint| view! { <div class="note">{hint}</div> })}
            </td>
        </tr>
    }
    .into_any()
}
