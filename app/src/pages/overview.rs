//! The overview: what needs a person now, and how the whole goes.

use crate::{
    components::{Empty, GateBadge, PageHead, Pauses, PhaseBadge, RunBadge, Share, count, load, query_as},
    i18n::names,
    pages::{dashboard::DashboardPanel, job::list::job_table},
};
use gatepost_contract::{DashboardQuery, Run};
use leptos::prelude::*;

/// The first page after a log-in.
#[component]
pub fn Overview() -> AnyView {
    let range = query_as("range");
    load(move |desk| async move {
        let overview = desk.gatepost.overview(&desk.actor).await?;
        let dashboard = desk.gatepost.dashboard(&desk.actor, DashboardQuery { range }).await?;
        let pauses = desk.gatepost.pauses(&desk.actor).await?;
        let none = overview.by_phase.iter().all(|(_, jobs)| *jobs == 0);
        let gates = overview.by_gate.into_iter().map(|(gate, jobs)| {
            view! { <li><a href=format!("/jobs?gate={gate}")><b>{count(jobs)}</b><GateBadge gate/></a></li> }
        });
        let phases = overview.by_phase.into_iter().map(|(phase, jobs)| {
            let class = if jobs == 0 { "zero" } else { "" };
            view! { <li class=class><a href=format!("/jobs?phase={phase}")><b>{count(jobs)}</b><PhaseBadge phase/></a></li> }
        });
        let running = overview.running.into_iter().map(|run| view! { <RunningRun run/> }).collect::<Vec<_>>();
        let attention = if overview.attention.is_empty() {
            view! { <Empty text=t!(overview.no_attention)/> }.into_any()
        } else {
            job_table(t!(overview.attention), overview.attention)
        };
        let approval = if overview.awaiting_approval.is_empty() {
            view! { <Empty text=t!(overview.no_approval)/> }.into_any()
        } else {
            job_table(t!(overview.approval), overview.awaiting_approval)
        };
        Ok(view! {
            <PageHead title=t!(nav.overview).to_owned()>
                <a class="button primary" href="/jobs/new">{t!(job.new)}</a>
            </PageHead>
            <Pauses pauses/>
            {none.then(|| view! {
                <section class="welcome">
                    <h2>{t!(overview.welcome)}</h2>
                    <p>{t!(overview.first_steps)}</p>
                    <p class="actions">
                        <a class="button" href="/tenants">{t!(nav.tenants)}</a>
                        <a class="button" href="/tickets/new">{t!(ticket.new)}</a>
                    </p>
                </section>
            })}
            <div class="columns">
                <section aria-labelledby="by-gate">
                    <h2 id="by-gate">{t!(overview.by_gate)}</h2>
                    <ul class="counts">{gates.collect_view()}</ul>
                </section>
                <section aria-labelledby="by-phase">
                    <h2 id="by-phase">{t!(overview.by_phase)}</h2>
                    <ul class="counts small">{phases.collect_view()}</ul>
                </section>
            </div>
            <section aria-labelledby="running">
                <h2 id="running">{t!(overview.running)}</h2>
                {if running.is_empty() {
                    view! { <Empty text=t!(overview.no_running)/> }.into_any()
                } else {
                    view! { <ul class="running">{running}</ul> }.into_any()
                }}
            </section>
            <section aria-labelledby="approval"><h2 id="approval">{t!(overview.approval)}</h2>{approval}</section>
            <section aria-labelledby="attention"><h2 id="attention">{t!(overview.attention)}</h2>{attention}</section>
            {(!none).then(|| view! { <DashboardPanel dashboard here="/"/> })}
        }
        .into_any())
    })
}

#[component]
fn RunningRun(run: Run) -> AnyView {
    let name = format!("{} · {}", names::run_type(run.run_type), run.email.as_deref().unwrap_or(&run.domain));
    view! {
        <li>
            <a href=format!("/runs/{}", run.id)>{name.clone()}</a>
            <RunBadge status=run.status/>
            <Share value=run.progress.percent() label=name/>
        </li>
    }
    .into_any()
}
