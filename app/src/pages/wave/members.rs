//! Who is in a wave: jobs as a whole, and mailboxes by themselves.

use crate::{
    components::{
        GateBadge, MailboxBadge, PhaseBadge, PostButton, Share, Table, count, head, head_actions, head_figure,
    },
    serverfns::wave::LeaveWave,
};
use gatepost_contract::{WaveId, WaveJob, WaveMailbox};
use leptos::{prelude::*, server_fn::ServerFn};

/// The jobs.
pub fn job_table(wave: WaveId, jobs: Vec<WaveJob>, may: bool) -> AnyView {
    if jobs.is_empty() {
        return ().into_any();
    }
    let heads = vec![
        head(t!(job.domain)),
        head(t!(job.phase)),
        head(t!(job.gate)),
        head_figure(t!(job.mailboxes)),
        head(t!(job.arrived)),
        head_actions(),
    ];
    let rows = jobs.into_iter().map(|job| {
        let label = t!(job.arrived_of, domain = job.domain.clone());
        let trouble = (job.in_trouble > 0)
            .then(|| view! { <span class="alarm">{t!(job.in_trouble, count = count(job.in_trouble))}</span> });
        let leave = (may && job.whole).then(|| {
            let fields = vec![("wave_id", wave.to_string()), ("job_ids[]", job.job_id.to_string())];
            view! { <PostButton action=LeaveWave::url() fields text=t!(wave.leave) of=job.domain.clone() class="small"/> }
        });
        view! {
            <tr>
                <th scope="row" data-label=t!(job.domain)>
                    <span><a href=format!("/jobs/{}", job.job_id)>{job.domain.clone()}</a>
                    {(!job.whole).then(|| view! { " "<span class="tag">{t!(wave.single)}</span> })}</span>
                </th>
                <td data-label=t!(job.phase)><PhaseBadge phase=job.phase/></td>
                <td data-label=t!(job.gate)><GateBadge gate=job.gate/></td>
                <td data-label=t!(job.mailboxes) class="num">{count(job.mailboxes)}{trouble}</td>
                <td data-label=t!(job.arrived)><Share value=job.percent label/></td>
                <td>{leave}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(wave.jobs).to_owned() heads rows/> }.into_any()
}

/// The mailboxes that are in it by themselves.
pub fn mailbox_table(wave: WaveId, mailboxes: Vec<WaveMailbox>, may: bool) -> AnyView {
    if mailboxes.is_empty() {
        return ().into_any();
    }
    let heads = vec![head(t!(mailbox.email)), head(t!(mailbox.status)), head(t!(job.arrived)), head_actions()];
    let rows = mailboxes.into_iter().map(|mailbox| {
        let label = t!(job.arrived_of, domain = mailbox.email.clone());
        let leave = may.then(|| {
            let fields = vec![("wave_id", wave.to_string()), ("mailbox_ids[]", mailbox.mailbox_id.to_string())];
            view! { <PostButton action=LeaveWave::url() fields text=t!(wave.leave) of=mailbox.email.clone() class="small"/> }
        });
        view! {
            <tr>
                <th scope="row" data-label=t!(mailbox.email)><a href=format!("/mailboxes/{}", mailbox.mailbox_id)>{mailbox.email.clone()}</a></th>
                <td data-label=t!(mailbox.status)><MailboxBadge status=mailbox.status/></td>
                <td data-label=t!(job.arrived)><Share value=mailbox.percent label/></td>
                <td>{leave}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <h3>{t!(wave.mailboxes)}</h3> <Table caption=t!(wave.mailboxes).to_owned() heads rows/> }.into_any()
}
