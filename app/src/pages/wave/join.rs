//! Who joins a wave: jobs, found by a search, and single mailboxes of one job.

use crate::{
    components::{
        Empty, FormState, Hidden, ListAddress, MailboxBadge, PageHead, PhaseBadge, Table, TextField, count, head,
        head_figure, load, page_query, param, query, query_as,
    },
    serverfns::wave::JoinWave,
};
use gatepost_contract::{Job, JobFilter, JobId, Mailbox, PageQuery, Phase, WaveId};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn JoinPage() -> AnyView {
    let id = param::<WaveId>("id", "wave");
    let asked = PageQuery { sort: Some("domain".to_owned()), per_page: 100, ..page_query() };
    let words = query("q");
    let of = query_as::<JobId>("job_id");
    load(|desk| async move {
        let id = id?;
        let wave = desk.gatepost.wave(&desk.actor, id).await?.wave;
        let up = vec![("/waves".to_owned(), t!(nav.waves).to_owned()), (format!("/waves/{id}"), wave.name.clone())];
        let title = t!(wave.join_title, name = wave.name);
        let body = match of {
            Some(job) => {
                let job = desk.gatepost.get_job(&desk.actor, job).await?;
                let mailboxes = desk.gatepost.list_mailboxes(&desk.actor, job.id).await?;
                of_one_job(id, &job, mailboxes)
            }
            None => {
                let filter = JobFilter { q: Some(words.clone()).filter(|q| !q.is_empty()), ..JobFilter::default() };
                let page = desk.gatepost.list_jobs(&desk.actor, filter, asked.clone()).await?;
                let path = format!("/waves/{id}/join");
                let asked = PageQuery { sort: None, ..asked };
                let pager = ListAddress::new(path.clone(), &asked, &[("q", words.clone())]).pager(&page);
                view! {
                    <form method="get" action=path class="filters" role="search">
                        <TextField state=FormState::default() name="q" label=t!(form.search) value=words filter=true max=200/>
                        <button type="submit" class="button">{t!(form.filter)}</button>
                    </form>
                    {jobs(id, page.items)}
                    {pager}
                }
                .into_any()
            }
        };
        Ok(view! {
            <PageHead title up/>
            <p class="lead">{t!(wave.join_lead)}</p>
            {body}
        }
        .into_any())
    })
}

fn jobs(wave: WaveId, jobs: Vec<Job>) -> AnyView {
    if jobs.is_empty() {
        return view! { <Empty text=t!(job.none_found)/> }.into_any();
    }
    let heads = vec![
        head(t!(wave.choice)),
        head(t!(job.domain)),
        head(t!(job.phase)),
        head_figure(t!(job.mailboxes)),
        head(t!(wave.mailboxes)),
    ];
    let rows = jobs.into_iter().map(|job| {
        let closed = job.phase == Phase::Closed;
        let label = job.domain.clone();
        view! {
            <tr>
                <td data-label=t!(wave.choice)><input type="checkbox" name="job_ids[]" value=job.id.to_string() aria-label=label disabled=closed/></td>
                <th scope="row" data-label=t!(job.domain)><a href=format!("/jobs/{}", job.id)>{job.domain.clone()}</a></th>
                <td data-label=t!(job.phase)><PhaseBadge phase=job.phase/></td>
                <td data-label=t!(job.mailboxes) class="num">{count(job.mailboxes)}</td>
                <td data-label=t!(wave.mailboxes)>
                    <a href=format!("/waves/{wave}/join?job_id={}", job.id)>{t!(wave.single_choose)}<span class="hidden">" "{job.domain}</span></a>
                </td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    form(wave, view! { <Table caption=t!(nav.jobs).to_owned() heads rows/> }.into_any())
}

fn of_one_job(wave: WaveId, job: &Job, mailboxes: Vec<Mailbox>) -> AnyView {
    let back = format!("/waves/{wave}/join");
    let list = if mailboxes.is_empty() {
        view! { <Empty text=t!(mailbox.none)/> }.into_any()
    } else {
        let heads = vec![
            head(t!(wave.choice)),
            head(t!(mailbox.email)),
            head(t!(mailbox.status)),
            head_figure(t!(job.messages)),
        ];
        let rows = mailboxes.into_iter().map(|mailbox| {
            let label = mailbox.email.clone();
            view! {
                <tr>
                    <td data-label=t!(wave.choice)><input type="checkbox" name="mailbox_ids[]" value=mailbox.id.to_string() aria-label=label/></td>
                    <th scope="row" data-label=t!(mailbox.email)><a href=format!("/mailboxes/{}", mailbox.id)>{mailbox.email}</a></th>
                    <td data-label=t!(mailbox.status)><MailboxBadge status=mailbox.status/></td>
                    <td data-label=t!(job.messages) class="num">{count(mailbox.messages_source)}</td>
                </tr>
            }
        });
        let rows = rows.collect_view().into_any();
        form(wave, view! { <Table caption=t!(job.mailboxes).to_owned() heads rows/> }.into_any())
    };
    view! {
        <section aria-labelledby="of-job">
            <div class="line">
                <h2 id="of-job">{job.domain.clone()}</h2>
                <a href=back>{t!(wave.other_jobs)}</a>
            </div>
            {list}
        </section>
    }
    .into_any()
}

/// The boxes of a table, posted together.
fn form(wave: WaveId, table: AnyView) -> AnyView {
    view! {
        <form method="post" action=JoinWave::url() id="field-job-ids" tabindex="-1">
            <Hidden name="wave_id" value=wave.to_string()/>
            {table}
            <div class="submit after"><button type="submit" class="button primary">{t!(wave.join)}</button></div>
        </form>
    }
    .into_any()
}
