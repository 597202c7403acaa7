//! What happened to a job, in the order in which it happened.

use crate::{
    components::{
        At, Badge, Empty, FormState, JobTab, JobTabs, ListAddress, PageHead, SelectField, Shape, Tone, load,
        page_query, param, query_as,
    },
    i18n::{Said, names},
    pages::job::crumbs,
};
use gatepost_contract::{JobId, RunStatus, TimelineEntry, TimelineFilter, TimelineKind};
use leptos::prelude::*;

/// The timeline of a job, newest first.
#[component]
pub fn ShowTimeline() -> AnyView {
    let id = param::<JobId>("id", "job");
    let mut asked = page_query();
    asked.sort = None;
    let filter = TimelineFilter { kind: query_as("kind") };
    load(|desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let page = desk.gatepost.timeline(&desk.actor, id, filter.clone(), asked.clone()).await?;
        let path = format!("/jobs/{id}/timeline");
        let kind = filter.kind.map(|kind| kind.to_string()).unwrap_or_default();
        let address = ListAddress::new(path.clone(), &asked, &[("kind", kind.clone())]);
        let pager = address.pager(&page);
        let kinds = std::iter::once((String::new(), t!(form.any).to_owned()))
            .chain(TimelineKind::ALL.iter().map(|kind| (kind.to_string(), names::timeline_kind(*kind).to_owned())))
            .collect();
        let list = if page.items.is_empty() {
            let text = if filter.kind.is_some() { t!(timeline.none_found) } else { t!(timeline.none) };
            view! { <Empty text/> }.into_any()
        } else {
            let events = page.items.into_iter().map(event).collect_view();
            view! { <ol class="timeline">{events}</ol> }.into_any()
        };
        let up = crumbs(&job);
        Ok(view! {
            <PageHead title=t!(timeline.title, domain = job.domain) up/>
            <JobTabs id current=JobTab::Timeline/>
            <p class="lead">{t!(timeline.lead)}</p>
            <form method="get" action=path class="filters" role="search">
                <SelectField state=FormState::default() name="kind" label=t!(timeline.kind) value=kind options=kinds filter=true/>
                <button type="submit" class="button">{t!(form.filter)}</button>
            </form>
            {list}
            {pager}
        }
        .into_any())
    })
}

fn event(entry: TimelineEntry) -> AnyView {
    let (tone, shape) = look(&entry);
    let headline = headline(&entry);
    let headline = match entry.run_id {
        Some(run) => view! { <a href=format!("/runs/{run}")>{headline}</a> }.into_any(),
        None => view! { {headline} }.into_any(),
    };
    let evidence = entry.evidence_id.map(|id| t!(timeline.evidence, id = id.to_string()));
    view! {
        <li>
            <At at=entry.at/>
            <span><Badge tone shape text=names::timeline_kind(entry.kind)/>" "<b>{headline}</b>
                {entry.subject.map(|subject| format!(" · {subject}"))}" · "{entry.actor}
                {evidence.map(|evidence| format!(" · {evidence}"))}
            </span>
            {entry.text.map(|text| view! { <span class="note"><Said text/></span> })}
        </li>
    }
    .into_any()
}

/// How loud an event is: what shuts the gate or fails is seen first.
fn look(entry: &TimelineEntry) -> (Tone, Shape) {
    let to = entry.to.as_deref().unwrap_or_default();
    match (entry.kind, entry.action.as_str(), to) {
        (TimelineKind::Gate, _, "ready_for_dns") => (Tone::Good, Shape::Open),
        (TimelineKind::Gate, _, "warning") => (Tone::Warn, Shape::Waiting),
        (TimelineKind::Gate, ..) => (Tone::Bad, Shape::Shut),
        (TimelineKind::Approval, "gate.approve", _) => (Tone::Good, Shape::Check),
        (TimelineKind::Approval, "gate.revoke", _) => (Tone::Bad, Shape::Cross),
        (TimelineKind::Approval, ..) => (Tone::Warn, Shape::Warn),
        (TimelineKind::Run, _, "success") => (Tone::Good, Shape::Check),
        (TimelineKind::Run, _, "partial") => (Tone::Warn, Shape::Warn),
        (TimelineKind::Run, _, "failed") | (TimelineKind::Phase, _, "failed") => (Tone::Bad, Shape::Cross),
        (TimelineKind::Run, ..) => (Tone::Busy, Shape::Dot),
        (TimelineKind::Waiver, ..) => (Tone::Warn, Shape::Dash),
        (TimelineKind::Phase, ..) => (Tone::Quiet, Shape::Move),
        (TimelineKind::Dns | TimelineKind::Report, ..) => (Tone::Quiet, Shape::Dot),
    }
}

/// The event in a few words.
fn headline(entry: &TimelineEntry) -> String {
    let (from, to) = (entry.from.as_deref().unwrap_or_default(), entry.to.as_deref().unwrap_or_default());
    let between = |from: String, to: String| {
        if from == to { format!("{} {to}", t!(timeline.unchanged)) } else { format!("{from} → {to}") }
    };
    match entry.kind {
        TimelineKind::Phase => {
            let word = |text: &str| text.parse().map_or_else(|_| text.to_owned(), |p| names::phase(p).to_owned());
            between(word(from), word(to))
        }
        TimelineKind::Gate => {
            let word = |text: &str| text.parse().map_or_else(|_| text.to_owned(), |g| names::gate(g).to_owned());
            between(word(from), word(to))
        }
        TimelineKind::Run => {
            let what = entry.action.parse().map_or_else(|_| entry.action.clone(), |r| names::run_type(r).to_owned());
            match to.parse::<RunStatus>() {
                Ok(RunStatus::Running) | Err(_) => t!(timeline.began, what = what),
                Ok(status) => format!("{}: {}", t!(timeline.ended, what = what), names::run_status(status)),
            }
        }
        TimelineKind::Approval | TimelineKind::Waiver | TimelineKind::Dns | TimelineKind::Report => {
            action(&entry.action).map_or_else(|| entry.action.clone(), str::to_owned)
        }
    }
}

fn action(action: &str) -> Option<&'static str> {
    Some(match action {
        "gate.approve" => t!(timeline.approved),
        "gate.override" => t!(timeline.overridden),
        "gate.revoke" => t!(timeline.revoked),
        "message.waive" | "messages.waive" => t!(timeline.waived),
        "waiver.withdraw" => t!(timeline.withdrawn),
        "waiver.expire" => t!(timeline.expired),
        "dns.applied" => t!(timeline.dns_applied),
        "dns.read" | "dns.snapshot" => t!(timeline.dns_read),
        "link.create" => t!(timeline.link_created),
        "link.revoke" => t!(timeline.link_revoked),
        "report.attach" => t!(timeline.report_attached),
        _ => return None,
    })
}
