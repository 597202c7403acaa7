//! A job's report: to download, to attach, to check; and the links to it.

use super::{crumbs, links::links_section};
use crate::{
    components::{
        At, Empty, Fact, FormState, Hidden, Icon, JobTab, JobTabs, PageHead, SelectField, Shape, Table, head, load,
        page_query, param,
    },
    i18n::{Locale, locale},
    serverfns::report::AttachReport,
};
use gatepost_contract::{AttachedReport, JobId, ReportView, TicketId};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn ShowReport() -> AnyView {
    let (id, asked) = (param::<JobId>("id", "job"), page_query());
    load(|desk| async move {
        let job = desk.gatepost.get_job(&desk.actor, id?).await?;
        let reports = desk.gatepost.report_view(&desk.actor, job.id).await?;
        let links = links_section(&desk, job.id, asked).await?;
        let may = desk.actor.can_manage();
        Ok(view! {
            <PageHead title=t!(tabs.report).to_owned() up=crumbs(&job)/>
            <JobTabs id=job.id current=JobTab::Report/>
            {downloads(&reports)}
            {on_ticket(&reports, may)}
            {key(&reports)}
            {links}
        }
        .into_any())
    })
}

fn downloads(reports: &ReportView) -> AnyView {
    let below = format!("/api/v1/migration/jobs/{}/report", reports.job_id);
    let unproved = reports.evidence_id.is_none().then(|| {
        view! { <p class="notice warn"><Icon shape=Shape::Warn/>{t!(report.unproved)}</p> }
    });
    view! {
        <section class="sheet" aria-labelledby="report">
            <h2 id="report">{t!(report.title)}</h2>
            <p class="lead">{t!(report.lead)}</p>
            {unproved}
            <p class="actions">
                <a class="button primary" href=format!("{below}.pdf?lang=en") hreflang="en" download="">{t!(report.pdf_english)}</a>
                <a class="button primary" href=format!("{below}.pdf?lang=pt-BR") hreflang="pt-BR" download="">{t!(report.pdf_portuguese)}</a>
                <a class="button" href=format!("{below}.json") download="">{t!(report.json)}</a>
                <a class="button quiet" href=format!("{below}.json.sig") download="">{t!(report.signature)}</a>
            </p>
        </section>
    }
    .into_any()
}

fn on_ticket(reports: &ReportView, may: bool) -> AnyView {
    let job = reports.job_id;
    let form = match reports.ticket_id {
        None => view! {
            <p>{t!(report.no_ticket)}</p>
            <p class="actions"><a class="button" href=format!("/jobs/{job}/edit")>{t!(report.edit_job)}</a></p>
        }
        .into_any(),
        Some(_) if !may => ().into_any(),
        Some(_) => {
            let state = FormState::of(AttachReport::url());
            let languages = vec![("en".to_owned(), "English".to_owned()), ("pt-BR".to_owned(), "Português".to_owned())];
            view! {
                <p class="lead">{t!(report.ticket_lead)}</p>
                <form method="post" action=AttachReport::url() class="form" aria-labelledby="on-ticket">
                    <Hidden name="job_id" value=job.to_string()/>
                    <SelectField state name="lang" label=t!(report.language) value=language() options=languages required=true/>
                    <div class="submit"><button type="submit" class="button">{t!(report.attach)}</button></div>
                </form>
            }
            .into_any()
        }
    };
    let open = reports.ticket_id.map(|id| {
        view! { <a class="button small" href=format!("/tickets/{id}")>{t!(report.open_ticket)}</a> }
    });
    view! {
        <section class="sheet" aria-labelledby="on-ticket">
            <div class="line"><h2 id="on-ticket">{t!(report.ticket)}</h2>{open}</div>
            {form}
        </section>
        {attached(reports.ticket_id, &reports.attached)}
    }
    .into_any()
}

fn language() -> &'static str {
    match locale() {
        Locale::en => "en",
        Locale::pt_BR => "pt-BR",
    }
}

fn attached(ticket: Option<TicketId>, reports: &[AttachedReport]) -> AnyView {
    if reports.is_empty() {
        return ticket.map(|_| view! { <Empty text=t!(report.none)/> }).into_any();
    }
    let heads = vec![head(t!(report.made)), head(t!(report.by)), head(t!(report.evidence)), head(t!(report.digest))];
    let rows = reports.iter().map(|report| {
        let by = if report.automatic { t!(report.automatic).to_owned() } else { report.made_by.clone() };
        let evidence = report.evidence_id.map_or_else(|| "–".to_owned(), |id| id.to_string());
        let short: String = report.digest.chars().take(16).collect();
        view! {
            <tr>
                <th scope="row" data-label=t!(report.made)><At at=report.generated_at.clone()/></th>
                <td data-label=t!(report.by)>{by}</td>
                <td data-label=t!(report.evidence)>{evidence}</td>
                <td data-label=t!(report.digest)><code title=report.digest.clone()>{short}"…"</code></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! {
        <section aria-labelledby="attached">
            <h2 id="attached">{t!(report.attached)}</h2>
            <Table caption=t!(report.attached).to_owned() heads rows/>
        </section>
    }
    .into_any()
}

fn key(reports: &ReportView) -> AnyView {
    let command = format!("gatepost report verify {}.pdf --key {}", reports.domain, reports.public_key);
    let (public_key, key_id) = (reports.public_key.clone(), reports.key_id.clone());
    view! {
        <section class="sheet" aria-labelledby="check">
            <h2 id="check">{t!(report.check)}</h2>
            <p class="lead">{t!(report.check_lead)}</p>
            <dl class="facts wide">
                <Fact name=t!(report.key)><code>{public_key}</code></Fact>
                <Fact name=t!(report.key_id)><code>{key_id}</code></Fact>
            </dl>
            <pre class="sample wrap" tabindex="0" aria-label=t!(report.command)>{command}</pre>
        </section>
    }
    .into_any()
}
