//! A run: its steps, its figures, its log.

mod program;

use crate::{
    components::{At, Fact, MaybeAt, PageHead, PostButton, RunBadge, count, level_words, load, param, size},
    i18n::{Said, names, numbers, phrases_of},
    islands::{
        live::{LiveWords, RunLive},
        log::{LogViewer, LogWords},
    },
    pages::job::crumbs,
    serverfns::run::{CancelRun, RetryRun},
};
use gatepost_contract::{EventId, Run, RunId, RunStatus, RunView};
use leptos::{prelude::*, server_fn::ServerFn};

/// How many lines of the log the page begins with: the last of this many times [`LOG_PAGE`] lines.
const LOG_PAGE: u32 = 1_000;

/// The run's page.
#[component]
pub fn ShowRun() -> AnyView {
    let id = param::<RunId>("id", "run");
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        let view = gatepost.get_run(&actor, id).await?;
        let job = gatepost.get_job(&actor, view.run.job_id).await?;
        let mut lines = Vec::new();
        let mut after: Option<EventId> = None;
        // There is nothing to read where its time is over.
        while view.run.log_removed_at.is_none() {
            let more = gatepost.run_log(&actor, id, after, LOG_PAGE).await?;
            let Some(last) = more.last() else { break };
            after = Some(last.id);
            let whole = more.len() as u32 == LOG_PAGE;
            // Only the end of a long log is shown here; it is whole in the file.
            lines = more;
            if !whole {
                break;
            }
        }
        let run = view.run.clone();
        let name = format!("{} #{}", names::run_type(run.run_type), run.id);
        let live = !run.status.is_final();
        let manage = actor.can_manage();
        let whole_log =
            gatepost.has_tool_log(&actor, id).await?.then(|| format!("/api/v1/migration/runs/{id}/tool-log"));
        let of_mailbox = match run.mailbox_id {
            Some(mailbox) => Some(gatepost.get_mailbox(&actor, mailbox).await?.tool),
            None => None,
        };
        let again = manage && matches!(run.status, RunStatus::Failed | RunStatus::Partial);
        let words = LogWords {
            label: t!(log.label, run = name.clone()),
            level: t!(log.level).to_owned(),
            follow: t!(log.follow).to_owned(),
            levels: level_words(),
            empty: t!(log.empty).to_owned(),
        };
        let log = match run.log_removed_at.clone() {
            Some(at) => view! { <p class="hint">{t!(program.log_removed)}" "<At at/></p> }.into_any(),
            None => view! { <LogViewer run=id lines live words/> }.into_any(),
        };
        Ok(view! {
            <PageHead title=name up=crumbs(&job)>
                <RunBadge status=run.status/>
                {again.then(|| view! { <PostButton action=RetryRun::url() fields=vec![("run_id", id.to_string())] text=t!(run.retry) class="primary"/> })}
                {(live && manage).then(|| view! {
                    <details class="confirm">
                        <summary class="button">{t!(run.cancel)}</summary>
                        <p>{t!(run.cancel_hint)}</p>
                        <PostButton action=CancelRun::url() fields=vec![("run_id", id.to_string())] text=t!(run.cancel_confirm) class="danger"/>
                    </details>
                })}
            </PageHead>
            {run.summary.clone().map(|summary| view! { <p class=summary_class(run.status)><Said text=summary/></p> })}
            <RunFacts run=run.clone()/>
            {program::what_it_says(&run, of_mailbox, whole_log)}
            <section aria-labelledby="steps">
                <h2 id="steps">{t!(run.steps)}</h2>
                {live_run(view)}
                {live.then(|| view! { <noscript><p><a class="button small" href=format!("/runs/{id}")>{t!(form.reload)}</a></p></noscript> })}
            </section>
            <section aria-labelledby="log">
                <h2 id="log">{t!(log.title)}</h2>
                {log}
            </section>
        }
        .into_any())
    })
}

const fn summary_class(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Success => "notice good",
        RunStatus::Failed => "notice bad",
        RunStatus::Partial => "notice warn",
        RunStatus::Queued | RunStatus::Running => "notice",
    }
}

/// A figure of a run: its name in the data, its label, how it is written.
type Figure = (&'static str, &'static str, fn(i64) -> String);

#[component]
fn RunFacts(run: Run) -> AnyView {
    // What was done first, what is left over next, how much and how long last.
    let figures: [Figure; 8] = [
        ("transferred", t!(stats.transferred), count),
        ("already_there", t!(stats.already_there), count),
        ("residue", t!(stats.residue), count),
        ("quarantined", t!(stats.quarantined), count),
        ("errors", t!(stats.errors), count),
        ("folders", t!(stats.folders), count),
        ("bytes", t!(stats.bytes), size),
        ("seconds", t!(stats.seconds), |seconds| numbers().duration(seconds)),
    ];
    let stats = figures.into_iter().filter_map(|(name, label, shown)| {
        let value = run.stats.get(name)?;
        let number = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.round() as i64))?;
        Some(view! { <Fact name=label>{shown(number)}</Fact> })
    });
    let stats = stats.collect_view();
    view! {
        <dl class="facts wide">
            {run.email.map(|email| {
                let href = run.mailbox_id.map(|id| format!("/mailboxes/{id}"));
                view! { <Fact name=t!(mailbox.email)><a href=href>{email}</a></Fact> }
            })}
            <Fact name=t!(run.tool)>{names::tool(run.tool)}</Fact>
            <Fact name=t!(run.queued)><MaybeAt at=Some(run.queued_at)/></Fact>
            <Fact name=t!(run.started)><MaybeAt at=run.started_at/></Fact>
            <Fact name=t!(run.finished)><MaybeAt at=run.finished_at/></Fact>
            {run.exit_code.map(|code| view! { <Fact name=t!(run.exit_code)>{code}</Fact> })}
            {stats}
        </dl>
    }
    .into_any()
}

/// What a run says while it is at work, by the beginnings of the sentences' names.
const SPOKEN: [&str; 4] = ["part_", "pause_", "wave_turn", "net_"];

/// A run's progress, which lives in the browser.
pub fn live_run(view: RunView) -> AnyView {
    let words = LiveWords {
        numbers: numbers(),
        statuses: RunStatus::ALL.iter().map(|status| names::run_status(*status).to_owned()).collect(),
        messages: t!(live.messages).to_owned(),
        to_go: t!(live.to_go).to_owned(),
        counting: t!(live.counting).to_owned(),
        steps: t!(run.steps).to_owned(),
        login: t!(live.login).to_owned(),
        plan: t!(live.plan).to_owned(),
        phrases: phrases_of(&SPOKEN),
    };
    let run = &view.run;
    let title = format!("{} · {}", names::run_type(run.run_type), run.email.as_deref().unwrap_or(&run.domain));
    let href = format!("/runs/{}", run.id);
    view! { <RunLive view title href words/> }.into_any()
}
