//! What happened to a job: its runs, its phases, its audit rows.

use crate::{
    components::{At, Empty, MaybeAt, PostButton, RunBadge, Share, Table, head},
    i18n::{Said, names, said},
    serverfns::run::RetryRun,
};
use gatepost_contract::{AuditEntry, PhaseChange, Run, RunStatus, RunType};
use leptos::{prelude::*, server_fn::ServerFn};

/// A table of runs, newest first.
pub fn run_table(runs: Vec<Run>, may_retry: bool) -> AnyView {
    if runs.is_empty() {
        return view! { <Empty text=t!(run.none)/> }.into_any();
    }
    let heads = vec![
        head(t!(run.run)),
        head(t!(mailbox.email)),
        head(t!(run.status)),
        head(t!(run.progress)),
        head(t!(run.started)),
        head(t!(run.summary)),
    ];
    let rows = runs.into_iter().map(|run| {
        let name = names::run_type(run.run_type);
        let again = may_retry && matches!(run.status, RunStatus::Failed | RunStatus::Partial);
        let whose = run.email.clone().unwrap_or_else(|| run.domain.clone());
        view! {
            <tr>
                <th scope="row" data-label=t!(run.run)><a href=format!("/runs/{}", run.id)>{name}" #"{run.id.to_string()}</a></th>
                <td data-label=t!(mailbox.email)>{whose.clone()}</td>
                <td data-label=t!(run.status)><RunBadge status=run.status/></td>
                <td data-label=t!(run.progress)>
                    {if run.progress.total > 0 {
                        view! { <Share value=run.progress.percent() label=format!("{name} {whose}")/> }.into_any()
                    } else {
                        view! { <span class="none">"–"</span> }.into_any()
                    }}
                </td>
                <td data-label=t!(run.started)>
                    <MaybeAt at=run.started_at/>
                    {run.finished_at.map(|at| view! { <small>{t!(run.finished)}" "<At at/></small> })}
                </td>
                <td data-label=t!(run.summary) class="note">
                    {run.summary.map(|summary| view! { <p><Said text=summary/></p> })}
                    {again.then(|| view! {
                        <PostButton action=RetryRun::url() fields=vec![("run_id", run.id.to_string())] text=t!(run.retry) of=format!("{name} {whose}") class="small"/>
                    })}
                </td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(run.history).to_owned() heads rows/> }.into_any()
}

/// The changes of a job's phase.
#[component]
pub fn PhaseHistory(changes: Vec<PhaseChange>) -> AnyView {
    let items = changes.into_iter().map(|change| {
        view! {
            <li>
                <At at=change.at/>
                <span><b>{names::phase(change.from)}" → "{names::phase(change.to)}</b>" · "{change.actor}</span>
                <span class="note">{reason(&change.reason)}</span>
            </li>
        }
    });
    view! { <ol class="timeline">{items.collect_view()}</ol> }.into_any()
}

/// What core says of a run that failed, after its name.
const FAILED: &str = " failed for every mailbox";

/// Why a phase changed: the run that began or failed, or a sentence.
fn reason(text: &str) -> String {
    match text.strip_suffix(" started").and_then(|run| run.parse::<RunType>().ok()) {
        Some(run) => t!(timeline.began, what = names::run_type(run)),
        None => match text.strip_suffix(FAILED).and_then(|run| run.parse::<RunType>().ok()) {
            Some(run) => said(&format!("{}{FAILED}", names::run_type(run))),
            None => said(text),
        },
    }
}

/// A change of more characters than this is folded.
const LONG_CHANGE: usize = 160;

/// Rows of the audit log.
pub fn audit_table(entries: Vec<AuditEntry>) -> AnyView {
    let heads = vec![
        head("#"),
        head(t!(audit.at)),
        head(t!(audit.actor)),
        head(t!(audit.action)),
        head(t!(audit.subject)),
        head(t!(audit.change)),
    ];
    let rows = entries.into_iter().map(|entry| {
        let change = match (entry.before, entry.after) {
            (Some(before), Some(after)) => format!("{before} → {after}"),
            (before, after) => after.or(before).unwrap_or_default(),
        };
        // A whole object is there to be opened, not to fill the page.
        let change = if change.chars().count() > LONG_CHANGE {
            let start: String = change.chars().take(LONG_CHANGE / 2).collect();
            view! { <details><summary>{start}"…"</summary>{change}</details> }.into_any()
        } else {
            view! { {change} }.into_any()
        };
        view! {
            <tr>
                <th scope="row" data-label="#" class="num" title=entry.hash>{entry.id.to_string()}</th>
                <td data-label=t!(audit.at)><At at=entry.at/></td>
                <td data-label=t!(audit.actor)>{entry.actor}</td>
                <td data-label=t!(audit.action)><code>{entry.action}</code></td>
                <td data-label=t!(audit.subject)>{entry.subject}</td>
                <td data-label=t!(audit.change) class="path">
                    {change}
                    {entry.reason.map(|reason| view! { <small><Said text=reason/></small> })}
                </td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(nav.audit).to_owned() heads rows/> }.into_any()
}
