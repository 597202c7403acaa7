//! The cutover of a job: the domain's DNS before, at and after the change of the MX, on one page.

use super::{crumbs, dns_records::DnsRecords};
use crate::{
    components::{
        At, Badge, Empty, Fact, FormState, GateBadge, Hidden, Icon, JobTab, JobTabs, MaybeAt, PageHead, PostButton,
        Shape, Table, TextField, Tone, count, head, head_figure, load, param,
    },
    i18n::{self, names},
    serverfns::cutover::{ReadDns, RecordCutover, UpdateCutover},
};
use gatepost_contract::{
    CutoverView, DnsFinding, DnsSnapshot, JobId, Phase, Propagation, RollbackSheet, Severity, Spread, TtlCountdown,
};
use gatepost_core::Actor;
use leptos::{prelude::*, server_fn::ServerFn};

/// The cutover.
#[component]
pub fn ShowCutover() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let cutover = desk.gatepost.cutover(&desk.actor, id).await?;
        let sheet = match &cutover.before {
            Some(_) => Some(desk.gatepost.rollback_sheet(&desk.actor, id).await?),
            None => None,
        };
        let up = crumbs(&job);
        let manage = desk.actor.can_manage() && job.phase != Phase::Closed;
        let read = cutover.latest.is_some();
        let button = manage.then(|| {
            let text = if read { t!(cutover.read_again) } else { t!(cutover.read) };
            let fields = vec![("job_id", id.to_string())];
            view! { <PostButton action=ReadDns::url() fields text class=if read { "" } else { "primary" }/> }
        });
        let latest = cutover.latest.clone();
        let settings = manage.then(|| view! { <Settings cutover=cutover.clone()/> });
        Ok(view! {
            <PageHead title=t!(cutover.title, domain = job.domain) up>{button}</PageHead>
            <JobTabs id current=JobTab::Cutover/>
            <p class="lead">{t!(cutover.lead)}</p>
            <Before cutover=cutover.clone()/>
            <TheChange cutover=cutover.clone() actor=desk.actor/>
            <After cutover=cutover.clone()/>
            {settings}
            <WayBack id sheet/>
            {latest.map(|snapshot| view! { <DnsRecords snapshot/> })}
        }
        .into_any())
    })
}

/// The MX hosts of a reading.
fn mx_of(snapshot: &DnsSnapshot) -> String {
    let hosts = gatepost_core::mx_hosts(snapshot);
    if hosts.is_empty() { "–".to_owned() } else { hosts.join(", ") }
}

/// Seconds, with the same in larger units beside them.
fn seconds(seconds: u32) -> String {
    let plain = t!(cutover.seconds, count = count(i64::from(seconds)));
    if seconds < 60 { plain } else { format!("{plain} ({})", i18n::numbers().duration(i64::from(seconds))) }
}

#[component]
fn Before(cutover: CutoverView) -> AnyView {
    let Some(latest) = cutover.latest else {
        return view! {
            <section aria-labelledby="before">
                <h2 id="before">{t!(cutover.before)}</h2>
                <Empty text=t!(cutover.unread)><p class="hint">{t!(cutover.read_hint)}</p></Empty>
            </section>
        }
        .into_any();
    };
    let asked = latest.resolvers.iter().filter(|resolver| resolver.not_asked.is_none());
    let asked: Vec<String> = asked.map(|resolver| resolver.name.clone()).collect();
    let findings = if cutover.findings.is_empty() {
        view! { <p class="notice good"><Icon shape=Shape::Check/>{t!(cutover.no_findings)}</p> }.into_any()
    } else {
        let items = cutover.findings.into_iter().map(finding).collect_view();
        view! { <ul class="checks">{items}</ul> }.into_any()
    };
    let applied = cutover.dns_cutover_at.is_some();
    let (present_mx, read_at) = (mx_of(&latest), latest.taken_at);
    let kept = cutover.before.map(|before| {
        let (old_mx, at) = (mx_of(&before), before.taken_at);
        view! {
            <Fact name=t!(cutover.kept_at)><At at/></Fact>
            <Fact name=t!(cutover.old_mx)>{old_mx}</Fact>
        }
    });
    view! {
        <section aria-labelledby="before">
            <h2 id="before">{t!(cutover.before)}</h2>
            <dl class="facts">
                <Fact name=t!(cutover.read_at)><At at=read_at/></Fact>
                {kept}
                <Fact name=t!(cutover.present_mx)>{present_mx}</Fact>
                {(!applied).then(|| cutover.ttl.map(countdown_before))}
                <Fact name=t!(cutover.asked)>{asked.join(", ")}</Fact>
            </dl>
            {findings}
        </section>
    }
    .into_any()
}

fn finding(finding: DnsFinding) -> AnyView {
    let (tone, shape) = match finding.severity {
        Severity::Info => (Tone::Quiet, Shape::Dot),
        Severity::Warning => (Tone::Warn, Shape::Warn),
        Severity::Problem => (Tone::Bad, Shape::Cross),
    };
    view! {
        <li>
            <Badge tone shape text=names::severity(finding.severity)/>
            <div><h3>{names::dns_finding(finding.kind)}</h3><p lang="en">{finding.sentence}</p></div>
        </li>
    }
    .into_any()
}

fn countdown_before(ttl: TtlCountdown) -> AnyView {
    view! {
        <Fact name=t!(cutover.ttl)>{seconds(ttl.ttl)}</Fact>
        {ttl.short_since.map(|at| view! { <Fact name=t!(cutover.short_since)><At at/></Fact> })}
        <Fact name=t!(cutover.if_now)><At at=ttl.old_gone_at/></Fact>
    }
    .into_any()
}

#[component]
fn TheChange(cutover: CutoverView, actor: Actor) -> AnyView {
    let content = match cutover.dns_cutover_at {
        Some(at) => view! {
            <p class="notice good"><Icon shape=Shape::Check/><span><b>{t!(cutover.was_changed)}</b>" "<At at/></span></p>
            <p>{t!(cutover.changed_hint)}</p>
        }
        .into_any(),
        None if !cutover.gate.dns_allowed() => view! {
            <p><GateBadge gate=cutover.gate/></p>
            <p class="reason">{cutover.gate_reason}</p>
            <p>{t!(cutover.shut)}</p>
        }
        .into_any(),
        None if actor.can_approve() => {
            let state = FormState::of(RecordCutover::url());
            view! {
                <p><GateBadge gate=cutover.gate/></p>
                <p>{t!(cutover.open)}</p>
                <form method="post" action=RecordCutover::url() class="form">
                    <Hidden name="job_id" value=cutover.job_id.to_string()/>
                    <Hidden name="domain" value=cutover.domain/>
                    <TextField state=state.clone() name="mx" label=t!(cutover.new_mx_one) hint=t!(cutover.new_mx_one_hint)
                        value=cutover.settings.new_mx.first().cloned().unwrap_or_default() max=253/>
                    <TextField state name="applied_at" label=t!(cutover.applied_at) hint=t!(cutover.applied_at_hint) max=40/>
                    <div class="submit"><button type="submit" class="button primary">{t!(cutover.apply)}</button></div>
                </form>
            }
            .into_any()
        }
        None => view! { <p><GateBadge gate=cutover.gate/></p><p>{t!(cutover.open_not_yours)}</p> }.into_any(),
    };
    view! { <section aria-labelledby="at"><h2 id="at">{t!(cutover.at)}</h2>{content}</section> }.into_any()
}

#[component]
fn After(cutover: CutoverView) -> AnyView {
    let applied = cutover.dns_cutover_at.is_some();
    if !applied {
        return view! {
            <section aria-labelledby="after">
                <h2 id="after">{t!(cutover.after)}</h2>
                <p class="hint">{t!(cutover.not_before_change)}</p>
            </section>
        }
        .into_any();
    }
    let countdown = cutover.ttl.map(|ttl| {
        let left = if ttl.seconds_left > 0 {
            t!(cutover.left, span = i18n::numbers().duration(ttl.seconds_left))
        } else {
            t!(cutover.gone).to_owned()
        };
        view! {
            <dl class="facts"><Fact name=t!(cutover.gone_at)><b><At at=ttl.old_gone_at/></b>" "<small>{left}</small></Fact></dl>
        }
    });
    let stragglers = cutover.stragglers;
    let by_hand = !stragglers.automatic;
    view! {
        <section aria-labelledby="after">
            <h2 id="after">{t!(cutover.after)}</h2>
            {countdown}
            {propagation_table(cutover.propagation)}
        </section>
        <section aria-labelledby="stragglers">
            <h2 id="stragglers">{t!(cutover.stragglers)}</h2>
            <p>{t!(cutover.stragglers_lead)}</p>
            <dl class="facts">
                <Fact name=t!(cutover.fetched)>{count(stragglers.messages)}</Fact>
                <Fact name=t!(cutover.newest)><MaybeAt at=stragglers.newest_at/></Fact>
                <Fact name=t!(cutover.last_run)><MaybeAt at=stragglers.last_run_at/></Fact>
                {(!by_hand).then(|| view! {
                    <Fact name=t!(cutover.next_run)><MaybeAt at=stragglers.next_run_at/></Fact>
                    <Fact name=t!(cutover.quiet_since)><MaybeAt at=stragglers.quiet_since/></Fact>
                    <Fact name=t!(cutover.quiet_until)><MaybeAt at=stragglers.quiet_until/></Fact>
                })}
            </dl>
            {by_hand.then(|| view! { <p class="hint">{t!(cutover.by_hand)}</p> })}
        </section>
    }
    .into_any()
}

fn propagation_table(all: Vec<Propagation>) -> AnyView {
    if all.is_empty() {
        return ().into_any();
    }
    let heads = vec![
        head(t!(cutover.resolver)),
        head(t!(cutover.gives)),
        head(t!(cutover.hosts)),
        head_figure(t!(cutover.may_keep)),
    ];
    let rows = all.into_iter().map(|one| {
        let (tone, shape) = match one.spread {
            Spread::New => (Tone::Good, Shape::Check),
            Spread::Old => (Tone::Warn, Shape::Waiting),
            Spread::Other => (Tone::Bad, Shape::Cross),
            Spread::Unknown => (Tone::Quiet, Shape::Dash),
        };
        let ttl = one.ttl.filter(|_| !one.authoritative);
        view! {
            <tr>
                <th scope="row" data-label=t!(cutover.resolver)>
                    {one.resolver}
                    {one.authoritative.then(|| view! { <small>{t!(cutover.own_server)}</small> })}
                </th>
                <td data-label=t!(cutover.gives)><Badge tone shape text=names::spread(one.spread)/></td>
                <td data-label=t!(cutover.hosts)>
                    {if one.hosts.is_empty() { "–".to_owned() } else { one.hosts.join(", ") }}
                    {one.note.map(|note| view! { <p class="note" lang="en">{note}</p> })}
                </td>
                <td data-label=t!(cutover.may_keep) class="num">{ttl.map_or_else(|| "–".to_owned(), seconds)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(cutover.after).to_owned() heads rows/> }.into_any()
}

#[component]
fn Settings(cutover: CutoverView) -> AnyView {
    let state = FormState::of(UpdateCutover::url());
    let open = state.refused();
    let settings = cutover.settings;
    let minutes = settings.straggler_minutes.map(|minutes| minutes.to_string()).unwrap_or_default();
    view! {
        <section aria-labelledby="settings">
            <h2 id="settings">{t!(cutover.settings)}</h2>
            <details open=open>
                <summary class="button">{t!(cutover.settings)}</summary>
                <form method="post" action=UpdateCutover::url() class="form">
                    <Hidden name="job_id" value=cutover.job_id.to_string()/>
                    <TextField state=state.clone() name="straggler_minutes" kind="number" label=t!(cutover.straggler_minutes)
                        hint=t!(cutover.straggler_minutes_hint) value=minutes min=5 max=1440/>
                    <TextField state=state.clone() name="quiet_hours" kind="number" label=t!(cutover.quiet_hours)
                        hint=t!(cutover.quiet_hours_hint) value=settings.quiet_hours.to_string() min=1 max=720 required=true/>
                    <TextField state=state.clone() name="new_mx" label=t!(cutover.new_mx) hint=t!(cutover.new_mx_hint)
                        value=settings.new_mx.join(" ") max=2_600/>
                    <TextField state name="dkim_selectors" label=t!(cutover.selectors) hint=t!(cutover.selectors_hint)
                        value=settings.dkim_selectors.join(" ") max=1_300/>
                    <div class="submit"><button type="submit" class="button primary">{t!(form.save)}</button></div>
                </form>
            </details>
        </section>
    }
    .into_any()
}

#[component]
fn WayBack(id: JobId, sheet: Option<RollbackSheet>) -> AnyView {
    let content = match sheet {
        None => view! { <p class="hint">{t!(cutover.rollback_none)}</p> }.into_any(),
        Some(sheet) => {
            let address = format!("/api/v1/migration/jobs/{id}/dns/rollback");
            view! {
                <p>{t!(cutover.rollback_lead)}</p>
                <pre class="sample" tabindex="0" aria-labelledby="rollback">{sheet.zone}</pre>
                <p class="actions">
                    <a class="button small" href=format!("{address}?format=zone") download="" rel="external">{t!(cutover.rollback_zone)}</a>
                    <a class="button small" href=address download="" rel="external">{t!(cutover.rollback_json)}</a>
                </p>
            }
            .into_any()
        }
    };
    view! { <section aria-labelledby="rollback"><h2 id="rollback">{t!(cutover.rollback)}</h2>{content}</section> }
        .into_any()
}
