//! The residue of a job: what is missing, message by message and class by class, and what was given up.

use crate::{
    components::{
        Empty, JobTab, JobTabs, ListAddress, PageHead, StateBadge, Table, TallySum, count, head, head_actions,
        head_figure, load, page_query, param, size,
    },
    i18n::names,
    pages::job::{
        crumbs,
        residue_form::{self, Asked, FilterForm, WaiveForm},
        residue_rows::{Columns, residue_rows},
        waivers::Waivers,
    },
};
use gatepost_contract::{JobId, PageQuery, Residue, ResidueClass};
use leptos::prelude::*;

/// How many classes the page shows; the largest come first.
const CLASSES: usize = 30;
/// How many decisions the page shows; the newest come first.
const DECISIONS: u32 = 50;

/// The residue in pages.
#[component]
pub fn ShowResidue() -> AnyView {
    let id = param::<JobId>("id", "job");
    let asked = page_query();
    let filter = Asked::of_query();
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        let job = gatepost.get_job(&actor, id).await?;
        let mailboxes = gatepost.list_mailboxes(&actor, id).await?;
        let evidence = gatepost.evidence(&actor, id).await?;
        let page = gatepost.residue(&actor, id, filter.filter(), asked.clone()).await?;
        let classes = gatepost.residue_classes(&actor, id, filter.filter()).await?;
        let newest = PageQuery { per_page: DECISIONS, ..PageQuery::default() };
        let decisions = gatepost.waivers(&actor, id, newest).await?;
        let waivable = if actor.can_approve() { gatepost.waivable(&actor, id, filter.filter()).await? } else { 0 };
        let path = format!("/jobs/{id}/residue");
        let address = ListAddress::new(path.clone(), &asked, &filter.pairs());
        let list = if page.items.is_empty() {
            let text = if filter.is_empty() { t!(residue.none) } else { t!(residue.none_match) };
            view! { <Empty text/> }.into_any()
        } else {
            let columns =
                Columns { job: id, may_waive: actor.can_approve(), may_read: actor.can_manage(), quarantine: false };
            let pager = address.pager(&page);
            view! { {residue_rows(page.items, columns)} {pager} }.into_any()
        };
        let verified = evidence.mailboxes.iter().any(|m| m.read_at.is_some());
        let files = residue_form::downloads(id, &filter);
        let up = crumbs(&job);
        Ok(view! {
            <PageHead title=t!(residue.title).to_owned() up>
                {files}
            </PageHead>
            <JobTabs id current=JobTab::Residue/>
            <p class="lead">{t!(residue.lead)}</p>
            {verified.then(|| view! { <TallySum tally=evidence.totals/> })}
            <FilterForm path=path.clone() asked=filter.clone() mailboxes states=true/>
            {(waivable > 0).then(|| view! { <WaiveForm job=id asked=filter.clone() messages=waivable page="residue"/> })}
            <section aria-label=t!(residue.title)>{list}</section>
            {(classes.len() > 1).then(|| class_table(&path, classes))}
            {(decisions.total > 0).then(|| view! { <Waivers job=id decisions=decisions.items may_withdraw=actor.can_approve()/> })}
        }
        .into_any())
    })
}

/// The first messages that have not arrived, for the job's own page.
pub fn residue_table(job: JobId, residue: Vec<Residue>, may_waive: bool) -> AnyView {
    residue_rows(residue, Columns { job, may_waive, may_read: false, quarantine: false })
}

/// What stands in one folder, in one state, for one reason; each class leads to its messages.
pub fn class_table(path: &str, classes: Vec<ResidueClass>) -> AnyView {
    let heads = vec![
        head(t!(residue.folder)),
        head(t!(residue.state)),
        head(t!(residue.cause)),
        head_figure(t!(residue.messages)),
        head_figure(t!(residue.size)),
        head_actions(),
    ];
    let rows = classes.into_iter().take(CLASSES).map(|class| {
        let asked = Asked::of_class(&class);
        let of = format!("{} {}", class.email, class.folder);
        view! {
            <tr>
                <th scope="row" data-label=t!(residue.folder) class="path">
                    <span><bdi>{class.folder}</bdi><small>{class.email}</small></span>
                </th>
                <td data-label=t!(residue.state)><StateBadge state=class.state/></td>
                <td data-label=t!(residue.cause)>{class.cause_kind.map_or(t!(cause.unknown), names::cause)}</td>
                <td data-label=t!(residue.messages) class="num">{count(class.messages)}</td>
                <td data-label=t!(residue.size) class="num">{size(class.bytes)}</td>
                <td><a class="button small" href=asked.address(path)>{t!(residue.open_class)}<span class="hidden">" "{of}</span></a></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! {
        <section aria-labelledby="classes">
            <h2 id="classes">{t!(residue.classes)}</h2>
            <p class="hint">{t!(residue.classes_lead)}</p>
            <Table caption=t!(residue.classes).to_owned() heads rows/>
        </section>
    }
    .into_any()
}
