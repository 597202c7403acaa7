//! The evidence of a job: what verification read, by mailbox and folder.

use crate::{
    components::{
        Empty, JobTab, JobTabs, MaybeAt, PageHead, Table, TallySum, count, head, head_figure, load, param, percent,
    },
    i18n::{names, said},
    pages::job::crumbs,
};
use gatepost_contract::{Depth, FolderEvidence, JobEvidence, JobId, MailboxEvidence, Tally};
use leptos::prelude::*;

/// The whole evidence.
#[component]
pub fn ShowEvidence() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let evidence = desk.gatepost.evidence(&desk.actor, id).await?;
        let up = crumbs(&job);
        let mailboxes = evidence.mailboxes.iter().cloned().map(|mailbox| view! { <MailboxFolders mailbox/> });
        Ok(view! {
            <PageHead title=t!(evidence.title).to_owned() up/>
            <JobTabs id current=JobTab::Evidence/>
            <p class="lead">{t!(evidence.lead)}</p>
            <p class="hint">
                {t!(evidence.sum_rule)}" "<a href=format!("/jobs/{id}/residue")>{t!(evidence.see_residue)}</a>
            </p>
            <section aria-label=t!(evidence.by_mailbox)><EvidenceSummary evidence=evidence.clone()/></section>
            {mailboxes.collect_view()}
        }
        .into_any())
    })
}

/// The evidence by mailbox, with the sum.
#[component]
pub fn EvidenceSummary(evidence: JobEvidence) -> AnyView {
    if evidence.mailboxes.iter().all(|mailbox| mailbox.read_at.is_none()) {
        return view! { <Empty text=t!(evidence.none)/> }.into_any();
    }
    let mut heads = vec![head(t!(mailbox.email)), head(t!(evidence.read_at)), head(t!(start.depth))];
    heads.extend(tally_heads());
    heads.push(head_figure(t!(evidence.ratio)));
    let last = (evidence.mailboxes.len() > 1).then(|| {
        view! {
            <tr class="sum">
                <th scope="row" data-label=t!(mailbox.email)>{t!(evidence.total)}</th>
                <td></td>
                <td></td>
                {tally_cells(evidence.totals)}
                {ratio_cell(evidence.totals)}
            </tr>
        }
    });
    let rows = evidence.mailboxes.into_iter().map(|mailbox| {
        view! {
            <tr>
                <th scope="row" data-label=t!(mailbox.email)><a href=format!("/mailboxes/{}", mailbox.mailbox_id)>{mailbox.email}</a></th>
                <td data-label=t!(evidence.read_at)><MaybeAt at=mailbox.read_at/></td>
                <td data-label=t!(start.depth)>{mailbox.depth.map(short_depth)}</td>
                {tally_cells(mailbox.tally)}
                {ratio_cell(mailbox.tally)}
            </tr>
        }
    });
    let rows = view! { {rows.collect_view()} {last} }.into_any();
    view! {
        <TallySum tally=evidence.totals/>
        <Table caption=t!(evidence.by_mailbox).to_owned() heads rows class="figures"/>
    }
    .into_any()
}

fn tally_heads() -> [AnyView; 5] {
    [t!(tally.arrived), t!(tally.pending), t!(tally.quarantined), t!(tally.waived), t!(tally.source)].map(head_figure)
}

fn tally_cells(tally: Tally) -> AnyView {
    let broken = !tally.adds_up();
    view! {
        <td data-label=t!(tally.arrived) class="num">{count(tally.arrived)}</td>
        <td data-label=t!(tally.pending) class=trouble(tally.pending)>{count(tally.pending)}</td>
        <td data-label=t!(tally.quarantined) class=trouble(tally.quarantined)>{count(tally.quarantined)}</td>
        <td data-label=t!(tally.waived) class="num">{count(tally.waived)}</td>
        <td data-label=t!(tally.source) class="num total">
            {count(tally.source)}
            {broken.then(|| view! { <span class="alarm">{t!(tally.broken)}</span> })}
        </td>
    }
    .into_any()
}

fn ratio_cell(tally: Tally) -> AnyView {
    view! { <td data-label=t!(evidence.ratio) class="num">{percent(tally.ratio() * 100.0)}</td> }.into_any()
}

/// The depth without its explanation.
fn short_depth(depth: Depth) -> &'static str {
    let name = names::depth(depth);
    name.split_once(':').map_or(name, |(short, _)| short)
}

const fn trouble(number: i64) -> &'static str {
    if number > 0 { "num trouble" } else { "num" }
}

#[component]
fn MailboxFolders(mailbox: MailboxEvidence) -> AnyView {
    if mailbox.folders.is_empty() {
        return ().into_any();
    }
    let mut heads = vec![head(t!(residue.folder))];
    heads.extend(tally_heads());
    heads.extend(AMISS.map(|(name, _)| head_figure(name())));
    heads.push(head_figure(t!(evidence.extra)));
    heads.push(head(t!(evidence.notes)));
    let sum = sum_row(&mailbox);
    let rows = mailbox.folders.into_iter().map(folder_row).collect_view();
    let rows = view! { {rows} {sum} }.into_any();
    let id = format!("mailbox-{}", mailbox.mailbox_id);
    let caption = t!(evidence.folders_of, email = mailbox.email.clone());
    view! {
        <section aria-labelledby=id.clone()>
            <h2 id=id.clone()>{mailbox.email}</h2>
            <TallySum tally=mailbox.tally/>
            <Table caption heads rows class="figures"/>
        </section>
    }
    .into_any()
}

/// A column: its heading and what stands below it.
type Figure = (fn() -> &'static str, fn(&FolderEvidence) -> i64);

/// What is wrong with messages that are there.
const AMISS: [Figure; 3] = [
    (|| t!(evidence.changed_head), |folder| folder.changed),
    (|| t!(evidence.misplaced_head), |folder| folder.misplaced),
    (|| t!(evidence.doubled_head), |folder| folder.doubled),
];

/// The sum over a mailbox's folders, as they are shown above it.
fn sum_row(mailbox: &MailboxEvidence) -> AnyView {
    let mut tally = Tally::default();
    for folder in &mailbox.folders {
        tally += folder.tally;
    }
    let sum = |figure: fn(&FolderEvidence) -> i64| mailbox.folders.iter().map(figure).sum::<i64>();
    let amiss = AMISS
        .map(|(name, figure)| view! { <td data-label=name() class=trouble(sum(figure))>{count(sum(figure))}</td> });
    view! {
        <tr class="sum">
            <th scope="row" data-label=t!(residue.folder)>{t!(evidence.total)}</th>
            {tally_cells(tally)}
            {amiss.collect_view()}
            <td data-label=t!(evidence.extra) class="num">{count(sum(|folder| folder.extra))}</td>
            <td></td>
        </tr>
    }
    .into_any()
}

fn folder_row(folder: FolderEvidence) -> AnyView {
    let amiss = AMISS.map(|(name, figure)| {
        let number = figure(&folder);
        view! { <td data-label=name() class=trouble(number)>{count(number)}</td> }
    });
    let notes: Vec<String> = [
        (!folder.visited).then(|| t!(evidence.not_visited).to_owned()),
        (folder.rewritten > 0).then(|| t!(evidence.rewritten, count = count(folder.rewritten))),
        (folder.flags_lost > 0).then(|| t!(evidence.flags_lost, count = count(folder.flags_lost))),
        (folder.bodies_read > 0).then(|| t!(evidence.bodies_read, count = count(folder.bodies_read))),
        folder.note.as_deref().map(said),
    ]
    .into_iter()
    .flatten()
    .collect();
    view! {
        <tr>
            <th scope="row" data-label=t!(residue.folder) class="path">
                <span>
                    <bdi>{folder.source_path}</bdi>
                    {folder.special_use.map(|one| view! { <span class="tag">{names::special_use(one)}</span> })}
                    <small>"→ "<bdi>{folder.dest_path.unwrap_or_else(|| t!(folder.unmapped).to_owned())}</bdi></small>
                </span>
            </th>
            {tally_cells(folder.tally)}
            {amiss.collect_view()}
            <td data-label=t!(evidence.extra) class="num">{count(folder.extra)}</td>
            <td data-label=t!(evidence.notes) class="note">{notes.join(" · ")}</td>
        </tr>
    }
    .into_any()
}
