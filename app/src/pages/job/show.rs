//! A job: where it stands, what to do next, and the proof.

use crate::{
    components::{
        At, Badge, Empty, Fact, GateBadge, Icon, JobTab, JobTabs, MailboxBadge, PageHead, Pauses, PhaseRail, Shape,
        Share, Table, Tone, count, head, head_figure, load, page_query, param, size,
    },
    i18n::{Said, names},
    pages::{
        job::{
            evidence::EvidenceSummary,
            gate::GatePanel,
            history::{PhaseHistory, audit_table, run_table},
            residue::residue_table,
            start::StartButtons,
        },
        mailbox::files::file_summary,
        run::live_run,
    },
};
use gatepost_contract::{
    AuditFilter, Job, JobId, JobPlan, Mailbox, PageQuery, Phase, ResidueFilter, Security, Upload, UploadState,
};
use leptos::prelude::*;

/// How many runs are followed at once: a browser keeps six connections to a server, and pages need one of them.
const FOLLOWED: usize = 3;

/// How many rows of residue the job's page shows.
const FIRST_ROWS: u32 = 5;

/// The job's page.
#[component]
pub fn ShowJob() -> AnyView {
    let id = param::<JobId>("id", "job");
    let asked = page_query();
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        // The runs before the job: a run that ends in between must not leave the job's buttons shut.
        let newest = PageQuery { page: asked.page, per_page: 20, sort: Some("-id".to_owned()) };
        let runs = gatepost.list_runs(&actor, id, newest).await?;
        let job = gatepost.get_job(&actor, id).await?;
        let mailboxes = gatepost.list_mailboxes(&actor, id).await?;
        let uploads = if mailboxes.iter().any(|one| one.source_type.is_file()) {
            gatepost.uploads_of_job(&actor, id).await?
        } else {
            Vec::new()
        };
        let gate = gatepost.gate_view(&actor, id).await?;
        let evidence = gatepost.evidence(&actor, id).await?;
        let first = PageQuery { per_page: FIRST_ROWS, ..PageQuery::default() };
        let residue = gatepost.residue(&actor, id, ResidueFilter::default(), first).await?;
        let phases = gatepost.phase_history(&actor, id).await?;
        let plan = gatepost.job_plan(&actor, id).await?;
        let audit = if actor.can_approve() {
            let filter = AuditFilter { job_id: Some(id), ..AuditFilter::default() };
            let last = PageQuery { per_page: 8, sort: Some("-id".to_owned()), ..PageQuery::default() };
            Some(gatepost.audit(&actor, filter, last).await?)
        } else {
            None
        };
        let mut live = Vec::new();
        for run in runs.items.iter().filter(|run| !run.status.is_final()).take(FOLLOWED) {
            live.push(live_run(gatepost.get_run(&actor, run.id).await?));
        }
        let arrived_of = t!(job.arrived_of, domain = job.domain.clone());
        let manage = actor.can_manage() && job.phase != Phase::Closed;
        let waiting = runs.items.iter().filter(|run| !run.status.is_final()).count();
        let verify_next = evidence.evidence_id.is_none();
        let address = crate::components::ListAddress::new(format!("/jobs/{id}"), &asked, &[]);
        let pager = (runs.pages() > 1).then(|| address.pager(&runs));
        let more = residue.total - residue.items.len() as i64;
        Ok(view! {
            <PageHead title=job.domain.clone() up=vec![("/jobs".to_owned(), t!(nav.jobs).to_owned())]>
                <GateBadge gate=job.migration_gate/>
                <span class="head-share"><Share value=job.sync_percent label=arrived_of/></span>
                {manage.then(|| view! { <a class="button small" href=format!("/jobs/{id}/edit")>{t!(job.edit)}</a> })}
            </PageHead>
            <JobTabs id current=JobTab::Overview/>
            <Pauses pauses=plan.pauses.clone()/>
            <PhaseRail phase=job.phase failed_phase=job.failed_phase/>
            <Warnings job=job.clone() mailboxes=mailboxes.clone() uploads=uploads.clone()/>
            {(!live.is_empty() || waiting > 0).then(|| view! {
                <section aria-labelledby="now">
                    <h2 id="now">{t!(job.now)}</h2>
                    <div class="lives">{live}</div>
                    <p class="why">{t!(job.waiting, count = count(waiting as i64))}</p>
                    <noscript><p><a class="button small" href=format!("/jobs/{id}")>{t!(form.reload)}</a></p></noscript>
                </section>
            })}
            <div class="columns main-side">
                <div>
                    <section aria-labelledby="mailboxes">
                        <div class="line">
                            <h2 id="mailboxes">{t!(job.mailboxes)}</h2>
                            {manage.then(|| view! {
                                <div class="actions">
                                    <a class="button small" href=format!("/jobs/{id}/mailboxes/new")>{t!(mailbox.new)}</a>
                                    <a class="button small" href=format!("/jobs/{id}/import")>{t!(mailbox.import)}</a>
                                    <a class="button small" href=format!("/jobs/{id}/discover")>{t!(discover.find)}</a>
                                    <a class="button small" href=format!("/jobs/{id}/logins")>{t!(logins.check)}</a>
                                </div>
                            })}
                        </div>
                        {mailbox_table(mailboxes, &uploads)}
                    </section>
                    {manage.then(|| view! {
                        <section aria-labelledby="start">
                            <h2 id="start">{t!(start.title)}</h2>
                            <StartButtons job=job.clone() verify_next/>
                        </section>
                    })}
                    {(!phases.is_empty()).then(|| view! {
                        <section aria-labelledby="phases">
                            <div class="line">
                                <h2 id="phases">{t!(job.phases)}</h2>
                                <a href=format!("/jobs/{id}/timeline")>{t!(tabs.timeline)}</a>
                            </div>
                            <PhaseHistory changes=phases/>
                        </section>
                    })}
                </div>
                <div>
                    <GatePanel job=job.clone() gate actor=actor.clone()/>
                    <JobFacts job plan/>
                </div>
            </div>
            <section aria-labelledby="evidence">
                <div class="line">
                    <h2 id="evidence">{t!(evidence.title)}</h2>
                    <a href=format!("/jobs/{id}/evidence")>{t!(evidence.all)}</a>
                </div>
                <EvidenceSummary evidence/>
            </section>
            <section aria-labelledby="residue">
                <h2 id="residue">{t!(residue.title)}</h2>
                {if residue.items.is_empty() {
                    view! { <Empty text=t!(residue.none)/> }.into_any()
                } else {
                    residue_table(id, residue.items, false)
                }}
                <p><a href=format!("/jobs/{id}/residue")>
                    {if more > 0 { t!(residue.more, count = count(more)) } else { t!(residue.all).to_owned() }}
                </a></p>
            </section>
            <section aria-labelledby="runs">
                <h2 id="runs">{t!(run.history)}</h2>
                {run_table(runs.items, manage)}
                {pager}
            </section>
            {audit.filter(|page| !page.items.is_empty()).map(|page| view! {
                <section aria-labelledby="audit">
                    <div class="line">
                        <h2 id="audit">{t!(nav.audit)}</h2>
                        <a href=format!("/audit?job_id={id}")>{t!(audit.all)}</a>
                    </div>
                    {audit_table(page.items)}
                </section>
            })}
        }
        .into_any())
    })
}

#[component]
fn JobFacts(job: Job, plan: JobPlan) -> AnyView {
    let schedule = format!("/jobs/{}/schedule", job.id);
    let next = match plan.next_at {
        Some(at) => view! { <a href=schedule><At at/></a> }.into_any(),
        None => view! { <a href=schedule>{t!(schedule.nothing_next)}</a> }.into_any(),
    };
    view! {
        <section class="facts-box" aria-labelledby="facts">
            <h2 id="facts">{t!(job.facts)}</h2>
            <dl class="facts">
                <Fact name=t!(job.tenant)>{job.tenant_name}</Fact>
                {job.ticket_id.map(|id| view! { <Fact name=t!(ticket.ticket)><a href=format!("/tickets/{id}")>"#"{id.to_string()}</a></Fact> })}
                {(!job.source_server_label.is_empty()).then(|| view! { <Fact name=t!(job.source_label)>{job.source_server_label}</Fact> })}
                <Fact name=t!(job.destination)>{format!("{}:{}", job.dest_imap_host, job.dest_imap_port)}" · "{names::security(job.dest_imap_security)}</Fact>
                <Fact name=t!(job.messages)>{format!("{} / {}", count(job.messages_dest), count(job.messages_source))}</Fact>
                <Fact name=t!(wave.next)>{next}</Fact>
                {plan.wave.map(|wave| view! { <Fact name=t!(wave.wave)><a href=format!("/waves/{}", wave.id)>{wave.name}</a></Fact> })}
                {job.dns_cutover_at.map(|at| view! { <Fact name=t!(job.dns_cutover)><At at/></Fact> })}
                <Fact name=t!(job.created)><At at=job.created_at/></Fact>
            </dl>
            {(!job.notes.is_empty()).then(|| view! { <h3>{t!(job.notes)}</h3><p class="prose">{job.notes}</p> })}
        </section>
    }
    .into_any()
}

/// What should not be overlooked: unverified certificates, connections in the clear, missing secrets, failures.
#[component]
fn Warnings(job: Job, mailboxes: Vec<Mailbox>, uploads: Vec<Upload>) -> impl IntoView {
    let mut warnings = Vec::new();
    if job.dest_insecure_tls {
        warnings.push(t!(warning.insecure, host = job.dest_imap_host.clone()));
    }
    if job.dest_imap_security == Security::Plain {
        warnings.push(t!(warning.plain, host = job.dest_imap_host.clone()));
    }
    let mut hosts: Vec<&Mailbox> = mailboxes.iter().filter(|mailbox| mailbox.source_host.is_some()).collect();
    hosts.sort_by(|a, b| a.source_host.cmp(&b.source_host));
    hosts.dedup_by(|a, b| {
        (&a.source_host, a.source_insecure_tls, a.source_security)
            == (&b.source_host, b.source_insecure_tls, b.source_security)
    });
    for mailbox in hosts {
        let host = mailbox.source_host.clone().unwrap_or_default();
        if mailbox.source_insecure_tls {
            warnings.push(t!(warning.insecure, host = host.clone()));
        }
        if mailbox.source_security == Some(Security::Plain) {
            warnings.push(t!(warning.plain, host = host));
        }
    }
    let has_file =
        |mailbox: &Mailbox| uploads.iter().any(|one| one.mailbox_id == mailbox.id && one.state != UploadState::Deleted);
    for mailbox in mailboxes.iter().filter(|mailbox| mailbox.source_type.is_file() && !has_file(mailbox)) {
        warnings.push(t!(files.waiting, email = mailbox.email.clone()));
    }
    let without = mailboxes.iter().filter(|mailbox| !mailbox.has_dest_secret).count();
    if without > 0 {
        warnings.push(t!(warning.no_dest_secret, count = count(without as i64)));
    }
    if job.phase == Phase::Failed {
        warnings.push(t!(warning.failed, phase = job.failed_phase.map(names::phase).unwrap_or_default()));
    }
    warnings.dedup();
    (!warnings.is_empty()).then(|| {
        let items = warnings.into_iter().map(|text| view! { <li><Icon shape=Shape::Warn/><span>{text}</span></li> });
        view! { <ul class="warnings" aria-label=t!(warning.label)>{items.collect_view()}</ul> }
    })
}

fn mailbox_table(mailboxes: Vec<Mailbox>, uploads: &[Upload]) -> AnyView {
    if mailboxes.is_empty() {
        return view! { <Empty text=t!(mailbox.none)/> }.into_any();
    }
    let heads = vec![
        head(t!(mailbox.email)),
        head(t!(mailbox.status)),
        head(t!(mailbox.source)),
        head_figure(t!(mailbox.messages)),
        head(t!(job.arrived)),
    ];
    let rows = mailboxes.into_iter().map(|mailbox| {
        let label = t!(job.arrived_of, domain = mailbox.email.clone());
        let files = mailbox.source_type.is_file().then(|| {
            let its: Vec<Upload> = uploads.iter().filter(|one| one.mailbox_id == mailbox.id).cloned().collect();
            file_summary(mailbox.id, &its)
        });
        view! {
            <tr>
                <th scope="row" data-label=t!(mailbox.email)><a href=format!("/mailboxes/{}", mailbox.id)>{mailbox.email}</a></th>
                <td data-label=t!(mailbox.status)>
                    <MailboxBadge status=mailbox.status/>
                    {mailbox.last_error.map(|error| view! { <p class="note bad"><Said text=error/></p> })}
                </td>
                <td data-label=t!(mailbox.source)>
                    <span>
                        {mailbox.source_host.unwrap_or_else(|| names::source_type(mailbox.source_type).to_owned())}
                        {files.map(|files| view! { " · " {files} })}
                    </span>
                    {mailbox.source_insecure_tls.then(|| view! { <Badge tone=Tone::Warn shape=Shape::Warn text=t!(server.insecure_short)/> })}
                </td>
                <td data-label=t!(mailbox.messages) class="num">
                    {format!("{} / {}", count(mailbox.messages_dest), count(mailbox.messages_source))}
                    <small>{size(mailbox.bytes_source)}</small>
                </td>
                <td data-label=t!(job.arrived)><Share value=mailbox.sync_percent label/></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(job.mailboxes).to_owned() heads rows/> }.into_any()
}
