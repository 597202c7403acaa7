//! The gate of a job: the verdict, every check, who approved.

use crate::{
    components::{At, CheckBadge, GateBadge, Icon, PostButton, Shape},
    i18n::{Said, names},
    islands::dialog::DialogLink,
    pages::job::approve::ApproveForm,
    serverfns::gate::ApplyDns,
};
use gatepost_contract::{GateView, Job};
use gatepost_core::Actor;
use leptos::{prelude::*, server_fn::ServerFn};

/// The gate on the job's page.
#[component]
pub fn GatePanel(
    /// The job.
    job: Job,
    /// Its gate.
    gate: GateView,
    /// Who is looking.
    actor: Actor,
) -> AnyView {
    let checks = gate.checks.iter().map(|check| {
        view! {
            <li>
                <CheckBadge status=check.status/>
                <div><h3>{names::check(check.check_id)}</h3><p><Said text=check.message.clone()/></p></div>
            </li>
        }
    });
    let overridden = gate.override_reason.clone().map(|reason| {
        view! { <p class="notice warn"><Icon shape=Shape::Warn/><span><b>{t!(gate_panel.overridden)}</b>" "{reason}</span></p> }
    });
    let taken = gate.revoked_why.clone().map(|why| {
        view! {
            <p class="notice warn">
                <Icon shape=Shape::Warn/>
                <span>
                    <b>{t!(approval.taken_away)}</b>" "<Said text=why/>
                    {gate.revoked_at.clone().map(|at| view! { " · "<At at/> })}
                </span>
            </p>
        }
    });
    let approved = gate.approved_by.clone().map(|by| {
        let evidence = gate.signed.as_ref().and_then(|signed| signed.evidence_id);
        view! {
            <p class="approved">
                {t!(gate_panel.approved_by, who = by)}" "
                {evidence.map(|id| format!("{} ", t!(approval.signed_evidence, id = id.to_string())))}
                {gate.approved_at.clone().map(|at| view! { <At at/> })}
                {gate.approval_note.clone().map(|note| view! { <br/>{t!(approval.note_said)}" "{note} })}
            </p>
        }
    });
    let expires = gate.evidence_expires_at.clone().map(|at| {
        view! { <p class="approved">{t!(approval.expires)}" "<At at/></p> }
    });
    let open = gate.gate.dns_allowed();
    let may = actor.can_approve() && (gate.approvable || !open && actor.can_override());
    let approve = may.then(|| {
        let content = view! { <ApproveForm job=job.clone() gate=gate.clone() actor=actor.clone() dialog=true/> };
        let (text, class) = match (gate.approvable, open) {
            (true, false) => (t!(gate_panel.approve), "button primary"),
            (true, true) => (t!(approval.renew), "button"),
            (false, _) => (t!(gate_panel.override_), "button danger"),
        };
        view! {
            <DialogLink
                href=format!("/jobs/{}/approve", job.id)
                text=text.to_owned()
                class=class.to_owned()
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
            <p class="reason"><Said text=gate.reason.clone()/></p>
            {overridden}
            {taken}
            {approved}
            {expires}
            <ul class="checks">{checks.collect_view()}</ul>
            <div class="actions">{approve}{dns}</div>
            <p class="approved"><a href=format!("/jobs/{}/timeline?kind=gate", job.id)>{t!(approval.history)}</a></p>
        </section>
    }
    .into_any()
}
