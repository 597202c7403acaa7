//! The gate of a job: the verdict, every check, the approval.

use crate::{
    components::{
        AreaField, At, CheckBadge, Fact, FormState, GateBadge, Hidden, Icon, PostButton, Shape, TallySum, TickField,
        count, percent,
    },
    i18n::names,
    islands::dialog::DialogLink,
    serverfns::gate::{ApplyDns, ApproveGate},
};
use gatepost_contract::{CheckStatus, GateView, Job, JobEvidence};
use gatepost_core::Actor;
use leptos::{prelude::*, server_fn::ServerFn};

/// The gate on the job's page.
#[component]
pub fn GatePanel(
    /// The job.
    job: Job,
    /// Its gate.
    gate: GateView,
    /// What was verified.
    evidence: JobEvidence,
    /// Who is looking.
    actor: Actor,
) -> AnyView {
    let checks = gate.checks.iter().map(|check| {
        view! {
            <li>
                <CheckBadge status=check.status/>
                <div><h3>{names::check(check.check_id)}</h3><p>{check.message.clone()}</p></div>
            </li>
        }
    });
    let overridden = gate.override_reason.clone().map(|reason| {
        view! { <p class="notice warn"><Icon shape=Shape::Warn/><span><b>{t!(gate_panel.overridden)}</b>" "{reason}</span></p> }
    });
    let approved = gate.approved_by.clone().map(|by| {
        view! {
            <p class="approved">
                {t!(gate_panel.approved_by, who = by)}" "
                {gate.approved_at.clone().map(|at| view! { <At at/> })}
            </p>
        }
    });
    let open = gate.gate.dns_allowed();
    let may = actor.can_approve() && !open && (gate.approvable || actor.can_override());
    let approve = may.then(|| {
        let content = view! { <ApproveForm job=job.clone() gate=gate.clone() evidence actor=actor.clone() dialog=true/> };
        view! {
            <DialogLink
                href=format!("/jobs/{}/approve", job.id)
                text=if gate.approvable { t!(gate_panel.approve).to_owned() } else { t!(gate_panel.override_).to_owned() }
                class=if gate.approvable { "button primary".to_owned() } else { "button danger".to_owned() }
                heading="approve-heading".to_owned()
            >
                {content.into_any()}
            </DialogLink>
        }
    });
    let dns = (open && job.dns_cutover_at.is_none() && actor.can_manage()).then(|| {
        let fields = vec![("job_id", job.id.to_string()), ("domain", job.domain.clone())];
        view! {
            <details class="confirm">
                <summary class="button">{t!(gate_panel.dns)}</summary>
                <p>{t!(gate_panel.dns_hint)}</p>
                <PostButton action=ApplyDns::url() fields text=t!(gate_panel.dns_confirm) class="primary"/>
            </details>
        }
    });
    view! {
        <section class=format!("gate-panel gate-{}", gate.gate) aria-labelledby="gate">
            <header>
                <h2 id="gate">{t!(gate_panel.title)}</h2>
                <GateBadge gate=gate.gate/>
            </header>
            <p class="reason">{gate.reason.clone()}</p>
            {overridden}
            {approved}
            <ul class="checks">{checks.collect_view()}</ul>
            <div class="actions">{approve}{dns}</div>
        </section>
    }
    .into_any()
}

/// What is signed, and the form that signs it.
#[component]
pub fn ApproveForm(
    /// The job.
    job: Job,
    /// Its gate.
    gate: GateView,
    /// What was verified.
    evidence: JobEvidence,
    /// Who signs.
    actor: Actor,
    /// Whether it stands in a dialog, which has its own heading and a button that closes it.
    dialog: bool,
) -> AnyView {
    let state = FormState::of(ApproveGate::url());
    let failing = gate.checks.iter().filter(|check| check.status == CheckStatus::Fail).map(|check| {
        view! { <li><b>{names::check(check.check_id)}</b>": "{check.message.clone()}</li> }
    });
    let failing = failing.collect_view();
    let overrides = !gate.approvable;
    view! {
        {dialog.then(|| view! { <h2 id="approve-heading">{t!(approve.title, domain = job.domain.clone())}</h2> })}
        <p>{if overrides { t!(approve.lead_override) } else { t!(approve.lead) }}</p>
        <dl class="facts">
            <Fact name=t!(approve.evidence)>{gate.evidence_id.map_or_else(|| "–".to_owned(), |id| format!("#{id}"))}</Fact>
            <Fact name=t!(approve.read_at)>{gate.evidence_at.clone().map(|at| view! { <At at/> })}</Fact>
            <Fact name=t!(approve.worst)>{evidence.worst_ratio.map_or_else(|| "–".to_owned(), |ratio| percent(ratio * 100.0))}</Fact>
            <Fact name=t!(approve.residue)>{count(evidence.totals.pending + evidence.totals.quarantined)}</Fact>
            <Fact name=t!(approve.waived)>{count(evidence.totals.waived)}</Fact>
        </dl>
        <TallySum tally=evidence.totals/>
        {overrides.then(|| view! { <div class="notice bad"><p><b>{t!(approve.failing)}</b></p><ul>{failing}</ul></div> })}
        <form method="post" action=ApproveGate::url() class="form">
            <Hidden name="job_id" value=job.id.to_string()/>
            <Hidden name="evidence_id" value=gate.evidence_id.map(|id| id.to_string()).unwrap_or_default()/>
            <AreaField state=state.clone() name="note" label=t!(approve.note) rows=2 max=2_000/>
            {(overrides && actor.can_override()).then(|| view! {
                <TickField state=state.clone() name="override_checks" label=t!(approve.override_) hint=t!(approve.override_hint)/>
                <AreaField state=state.clone() name="reason" label=t!(approve.reason) hint=t!(approve.reason_hint) rows=3 max=2_000/>
            })}
            <div class="submit">
                <button type="submit" class=if overrides { "button danger" } else { "button primary" }>
                    {if overrides { t!(approve.submit_override) } else { t!(approve.submit) }}
                </button>
                {if dialog {
                    view! { <button type="submit" formmethod="dialog" formnovalidate=true class="button quiet">{t!(form.cancel)}</button> }.into_any()
                } else {
                    view! { <a class="button quiet" href=format!("/jobs/{}", job.id)>{t!(form.cancel)}</a> }.into_any()
                }}
            </div>
        </form>
    }
    .into_any()
}
