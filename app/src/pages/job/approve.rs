//! The approval: exactly what is signed and what it allows, as a dialog and on a page of its own.

use crate::{
    components::{
        AreaField, At, Fact, FormState, Hidden, MaybeAt, PageHead, TallySum, TickField, count, load, param, percent,
    },
    i18n::{Said, names},
    pages::job::crumbs,
    serverfns::gate::ApproveGate,
};
use gatepost_contract::{CheckId, CheckStatus, GateFigures, GateView, Job, JobId, Problem, Tally};
use gatepost_core::Actor;
use leptos::{prelude::*, server_fn::ServerFn};

/// The approval of a job's gate.
#[component]
pub fn ApproveJob() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        if !desk.actor.can_approve() {
            return Err(Problem::new(403, "forbidden", t!(approve.forbidden)));
        }
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let gate = desk.gatepost.gate_view(&desk.actor, id).await?;
        let up = crumbs(&job);
        let title = title(&job, overrides(&gate));
        Ok(view! {
            <PageHead title up/>
            <div class="sheet"><ApproveForm job gate actor=desk.actor dialog=false/></div>
        }
        .into_any())
    })
}

/// What is signed, and the form that signs it.
#[component]
pub fn ApproveForm(
    /// The job.
    job: Job,
    /// Its gate.
    gate: GateView,
    /// Who signs.
    actor: Actor,
    /// Whether it stands in a dialog, which has its own heading and a button that closes it.
    dialog: bool,
) -> AnyView {
    let state = FormState::of(ApproveGate::url());
    let id = job.id;
    let checks = |status: CheckStatus| {
        let those = gate.checks.iter().filter(|c| c.status == status && c.check_id != CheckId::ManualApproval);
        let items = those.map(
            |check| view! { <li><b>{names::check(check.check_id)}</b>": "<Said text=check.message.clone()/></li> },
        );
        let items = items.collect_view();
        (!items.is_empty()).then_some(items)
    };
    let failing = checks(CheckStatus::Fail).map(|items| {
        view! { <div class="notice bad"><p><b>{t!(approve.failing)}</b></p><ul>{items}</ul></div> }
    });
    let accepted = checks(CheckStatus::Warn).map(|items| {
        view! { <div class="notice warn"><p><b>{t!(approval.warnings)}</b></p><ul>{items}</ul></div> }
    });
    let signed = gate.signed.as_ref().is_some_and(|signed| signed.evidence_id == gate.evidence_id);
    let overrides = overrides(&gate);
    // What the form can do: sign, override, or nothing, and then it says why.
    let shut = match (gate.approvable, signed, overrides && actor.can_override()) {
        (true, ..) | (_, false, true) => None,
        (_, true, _) => Some(t!(approval.already, who = gate.approved_by.clone().unwrap_or_default())),
        _ if overrides => Some(t!(approve.lead_override).to_owned()),
        _ => Some(format!("{} {}", t!(approval.not_now), gate.reason)),
    };
    let form = shut.is_none();
    let lead = shut.unwrap_or_else(|| if overrides { t!(approve.lead_override) } else { t!(approve.lead) }.to_owned());
    let allows = match overrides {
        true => t!(approval.allows_override, domain = job.domain.clone()),
        false => t!(approval.allows, domain = job.domain.clone()),
    };
    let (sum, table) = (tally(&gate.signs), figures(&gate.signs, gate.signed.as_ref()));
    let read_at = gate.signs.evidence_at.clone();
    let evidence = gate.evidence_id.map(|id| id.to_string()).unwrap_or_default();
    let number = gate.evidence_id.map_or_else(|| "–".to_owned(), |id| format!("#{id}"));
    view! {
        // It takes the focus, so that a long dialog opens at its beginning.
        {dialog.then(|| view! { <h2 id="approve-heading" tabindex="-1" autofocus=true>{title(&job, overrides)}</h2> })}
        <p>{lead}</p>
        {failing}
        <dl class="facts">
            <Fact name=t!(approve.evidence)>{number}</Fact>
            <Fact name=t!(approve.read_at)><MaybeAt at=read_at/></Fact>
            {gate.evidence_expires_at.clone().map(|at| view! { <Fact name=t!(approval.valid_until)><At at/></Fact> })}
        </dl>
        <p><b>{if form { t!(approval.signs) } else { t!(approval.figures) }}</b></p>
        <TallySum tally=sum/>
        {table}
        {accepted}
        <p>
            {t!(approval.read_more)}" "
            <a href=format!("/jobs/{id}/evidence")>{t!(approval.by_folder)}</a>", "
            <a href=format!("/jobs/{id}/residue")>{t!(approval.missing)}</a>", "
            <a href=format!("/jobs/{id}/quarantine")>{t!(approval.quarantine)}</a>
        </p>
        {form.then(|| view! {
            <p><b>{allows}</b></p>
            <form method="post" action=ApproveGate::url() class="form">
                <Hidden name="job_id" value=id.to_string()/>
                <Hidden name="evidence_id" value=evidence.clone()/>
                <AreaField state=state.clone() name="note" label=t!(approve.note) rows=2 max=2_000/>
                {overrides.then(|| view! {
                    <TickField state=state.clone() name="override_checks" label=t!(approve.override_) hint=t!(approve.override_hint)/>
                    <AreaField state=state.clone() name="reason" label=t!(approve.reason) hint=t!(approve.reason_hint) required=true rows=3 max=2_000/>
                })}
                <div class="submit">
                    <button type="submit" class=if overrides { "button danger" } else { "button primary" }>
                        {if overrides { t!(approve.submit_override) } else { t!(approve.submit) }}
                    </button>
                    {if dialog {
                        view! { <button type="submit" formmethod="dialog" formnovalidate=true class="button quiet">{t!(form.cancel)}</button> }.into_any()
                    } else {
                        view! { <a class="button quiet" href=format!("/jobs/{id}")>{t!(form.cancel)}</a> }.into_any()
                    }}
                </div>
            </form>
        })}
    }
    .into_any()
}

/// Whether only an override opens the gate: a check but the approval itself fails.
fn overrides(gate: &GateView) -> bool {
    let fails = |check: &gatepost_contract::Check| {
        check.status == CheckStatus::Fail && check.check_id != CheckId::ManualApproval
    };
    !gate.approvable && gate.checks.iter().any(fails)
}

fn title(job: &Job, overrides: bool) -> String {
    let domain = job.domain.clone();
    if overrides { t!(approve.title_override, domain = domain) } else { t!(approve.title, domain = domain) }
}

fn tally(figures: &GateFigures) -> Tally {
    Tally {
        source: figures.source,
        arrived: figures.arrived,
        pending: figures.pending,
        quarantined: figures.quarantined,
        waived: figures.waived,
    }
}

/// A figure's name, whether it is always shown, and where it stands.
type Row = (&'static str, bool, fn(&GateFigures) -> i64);

/// The figures to be signed, each with what was signed before, where it was another.
fn figures(now: &GateFigures, before: Option<&GateFigures>) -> AnyView {
    let share = |figures: &GateFigures| figures.worst_ratio.map_or_else(|| "–".to_owned(), |r| percent(r * 100.0));
    // What the sum above shows is repeated only where it has changed.
    let rows: [Row; 9] = [
        ("mailboxes", true, |f| f.mailboxes),
        ("pending", false, |f| f.pending),
        ("quarantined", false, |f| f.quarantined),
        ("waived", false, |f| f.waived),
        ("changed", true, |f| f.changed),
        ("misplaced", true, |f| f.misplaced),
        ("doubled", true, |f| f.doubled),
        ("rewritten", true, |f| f.rewritten),
        ("flags_lost", true, |f| f.flags_lost),
    ];
    let shares = std::iter::once(("worst_ratio", true, share(now), before.map(share)));
    let counts = rows
        .into_iter()
        .map(|(name, always, of)| (name, always, count(of(now)), before.map(|before| count(of(before)))));
    let items = shares.chain(counts).filter_map(|(name, always, now, before)| {
        let before = before.filter(|before| *before != now);
        (always || before.is_some()).then(|| {
            view! {
                <div class="fact">
                    <dt>{names::figure(name)}</dt>
                    <dd><b>{now}</b>{before.map(|before| format!(" ({} {before})", t!(approval.before)))}</dd>
                </div>
            }
        })
    });
    view! { <dl class="facts wide">{items.collect_view()}</dl> }.into_any()
}
