//! The buttons that start a job's runs, each with the reason where it cannot be pressed.

use crate::{
    components::{Hidden, PostButton, field_id},
    i18n::names,
    serverfns::{
        job::CloseJob,
        run::{StartPreflight, StartSync, StartVerify},
    },
};
use gatepost_contract::{Depth, Gate, Job, Phase, RunType};
use gatepost_gate::phase::run_allowed;
use leptos::{prelude::*, server_fn::ServerFn};

/// The runs of a job in the order of a migration. The one that comes next is the loudest.
#[component]
pub fn StartButtons(
    /// The job.
    job: Job,
    /// Whether nothing was verified since the last copy.
    verify_next: bool,
) -> AnyView {
    let next = next_run(job.phase, verify_next);
    let id = job.id.to_string();
    let items = [RunType::Preflight, RunType::Initial, RunType::Delta, RunType::Verify, RunType::Final].map(|run| {
        let look = if next == Some(run) { "primary" } else { "" };
        let button = match reason(&job, run) {
            Some(reason) => view! {
                <button type="button" class="button" disabled=true aria-describedby=format!("why-{run}")>{names::run_type(run)}</button>
                <p class="why" id=format!("why-{run}")>{reason}</p>
            }
            .into_any(),
            None => match run {
                RunType::Preflight => view! {
                    <PostButton action=StartPreflight::url() fields=vec![("job_id", id.clone())] text=names::run_type(run) class=look/>
                    <p class="why">{t!(start.preflight)}</p>
                }
                .into_any(),
                RunType::Verify => view! { <VerifyForm job=id.clone() look/> }.into_any(),
                _ => view! {
                    <PostButton action=StartSync::url() fields=vec![("job_id", id.clone()), ("run_type", run.to_string())] text=names::run_type(run) class=look/>
                    <p class="why">{explanation(run)}</p>
                }
                .into_any(),
            },
        };
        view! { <li>{button}</li> }
    });
    let close = (job.phase == Phase::Verified).then(|| {
        view! {
            <li>
                <PostButton action=CloseJob::url() fields=vec![("job_id", job.id.to_string())] text=t!(job.close)/>
                <p class="why">{t!(start.close)}</p>
            </li>
        }
    });
    let items = items.collect_view();
    let hint = next.is_none().then(|| by_hand(&job)).flatten().map(|text| view! { <p class="lead">{text}</p> });
    view! { {hint} <ul class="starts">{items}{close}</ul> }.into_any()
}

#[component]
fn VerifyForm(job: String, look: &'static str) -> AnyView {
    let options = Depth::ALL.iter().map(|depth| {
        view! { <option value=depth.as_str() selected=*depth == Depth::Standard>{names::depth(*depth)}</option> }
    });
    view! {
        <form method="post" action=StartVerify::url() class="inline">
            <Hidden name="job_id" value=job/>
            <button type="submit" class=format!("button {look}")>{names::run_type(RunType::Verify)}</button>
            <label class="hidden" for=field_id("depth")>{t!(start.depth)}</label>
            <select id=field_id("depth") name="depth">{options.collect_view()}</select>
        </form>
        <p class="why">{t!(start.verify)}</p>
    }
    .into_any()
}

fn explanation(run: RunType) -> &'static str {
    match run {
        RunType::Initial => t!(start.initial),
        RunType::Delta => t!(start.delta),
        _ => t!(start.final_),
    }
}

/// Why a run cannot start now. Whether it can is said by the table of phases alone; the words are ours.
fn reason(job: &Job, run: RunType) -> Option<&'static str> {
    if run_allowed(job.phase, run).is_err() {
        return Some(match (job.phase, run) {
            (Phase::Closed, _) => t!(why.closed),
            (Phase::Failed, _) => t!(why.failed),
            (Phase::Discovered, _) => t!(why.preflight_first),
            (Phase::Preflight, _) => t!(why.initial_first),
            (Phase::CutoverReady, _) => t!(why.delta_instead),
            _ => t!(why.final_instead),
        });
    }
    if job.mailboxes == 0 {
        return Some(t!(why.no_mailboxes));
    }
    (job.active_runs > 0).then(|| t!(why.running))
}

/// What comes next where it is no run.
fn by_hand(job: &Job) -> Option<&'static str> {
    match (job.phase, job.migration_gate) {
        (Phase::DeltaSync | Phase::FinalSync, Gate::Blocked) => Some(t!(start.work_residue)),
        (Phase::DeltaSync | Phase::CutoverReady, Gate::Warning) => Some(t!(start.approve_next)),
        _ => None,
    }
}

/// Which run a migration needs next.
fn next_run(phase: Phase, verify_next: bool) -> Option<RunType> {
    match phase {
        Phase::Discovered => Some(RunType::Preflight),
        Phase::Preflight => Some(RunType::Initial),
        Phase::InitialSync => Some(RunType::Delta),
        Phase::DeltaSync if verify_next => Some(RunType::Verify),
        Phase::DnsCutover => Some(RunType::Final),
        Phase::FinalSync => Some(RunType::Verify),
        _ => None,
    }
}
