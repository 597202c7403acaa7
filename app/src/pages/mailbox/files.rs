//! The files that a mailbox is filled from: adding them, and how each stands.

use crate::{
    components::{
        At, Badge, Empty, FormState, Hidden, PageHead, Shape, Share, Table, TextField, Tone, count, head, head_figure,
        load, param, size,
    },
    context,
    i18n::{Said, names, numbers},
    islands::upload::{Begun, UploadForm, UploadWords},
    pages::{job::crumbs, run::live_run},
    serverfns::upload::AddServerFile,
};
use gatepost_contract::{Mailbox, MailboxId, Phase, Problem, SourceType, Upload, UploadState};
use gatepost_core::UploadLimits;
use leptos::{prelude::*, server_fn::ServerFn};

/// How many readings of a file are followed at once: a browser keeps six connections to a server.
const FOLLOWED: usize = 2;

/// The page of a mailbox's files.
#[component]
pub fn MailboxFiles() -> AnyView {
    let id = param::<MailboxId>("id", "mailbox");
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        let mailbox = gatepost.get_mailbox(&actor, id).await?;
        if !mailbox.source_type.is_file() {
            return Err(Problem::not_found("page: this mailbox comes from a server"));
        }
        let job = gatepost.get_job(&actor, mailbox.job_id).await?;
        let uploads = gatepost.uploads_of(&actor, id).await?;
        let mut runs: Vec<_> = uploads.iter().filter(|one| one.state == UploadState::Stored).collect();
        runs.dedup_by_key(|one| one.run_id);
        let mut live = Vec::new();
        for run in runs.into_iter().filter_map(|one| one.run_id) {
            let view = gatepost.get_run(&actor, run).await?;
            if !view.run.status.is_final() && live.len() < FOLLOWED {
                live.push(live_run(view));
            }
        }
        let followed = live.len();
        let limits = gatepost.upload_limits();
        let manage = actor.can_manage() && job.phase != Phase::Closed;
        let lead = if job.phase == Phase::Closed { t!(files.lead_closed) } else { t!(files.lead) };
        let waiting = uploads.iter().any(|one| one.state == UploadState::Stored || is_being_checked(one));
        let mut up = crumbs(&job);
        up.push((format!("/mailboxes/{id}"), mailbox.email.clone()));
        Ok(view! {
            <PageHead title=t!(files.title).to_owned() up>
                <span class="tag">{names::source_type(mailbox.source_type)}</span>
            </PageHead>
            <p class="lead">{lead}</p>
            {(!live.is_empty()).then(|| view! { <section aria-label=t!(job.now)><div class="lives">{live}</div></section> })}
            {manage.then(|| view! {
                <section aria-labelledby="add">
                    <h2 id="add">{t!(files.add)}</h2>
                    {upload_form(&mailbox, &uploads, &limits, waiting && followed == 0)}
                    <ServerFileForm mailbox=id offered=limits.server_files/>
                </section>
            })}
            <section aria-labelledby="here">
                <h2 id="here">{t!(files.here)}</h2>
                {file_table(id, uploads)}
                {waiting.then(|| view! { <noscript><p><a class="button small" href=context::here()>{t!(form.reload)}</a></p></noscript> })}
            </section>
        }
        .into_any())
    })
}

/// Whether all its bytes are there and the server reads them back.
fn is_being_checked(upload: &Upload) -> bool {
    upload.state == UploadState::Receiving && upload.received == upload.bytes
}

fn upload_form(mailbox: &Mailbox, uploads: &[Upload], limits: &UploadLimits, waiting: bool) -> AnyView {
    let begun = uploads.iter().filter(|one| one.state == UploadState::Receiving && one.received < one.bytes);
    let begun = begun.map(|one| Begun { id: one.id.clone(), name: one.name.clone(), bytes: one.bytes }).collect();
    let most_bytes = i64::try_from(limits.max_bytes).unwrap_or(i64::MAX);
    let most = size(most_bytes);
    // Some programs write mbox files without an ending.
    let (hint, accept) = match mailbox.source_type {
        SourceType::Pst => (t!(upload.hint_pst, most = most.clone()), ".pst,.ost"),
        SourceType::Tgz => (t!(upload.hint_tgz, most = most.clone()), ".tgz,.gz,.tar"),
        SourceType::Eml => (t!(upload.hint_eml, most = most.clone()), ".zip,.tgz,.gz,.tar,.eml,.msg"),
        _ => (t!(upload.hint_mbox, most = most.clone()), ""),
    };
    let words = UploadWords {
        numbers: numbers(),
        choose: t!(upload.choose).to_owned(),
        hint,
        drop: t!(upload.drop).to_owned(),
        plain: t!(upload.plain).to_owned(),
        send: t!(upload.send).to_owned(),
        list: t!(upload.list).to_owned(),
        stages: [
            t!(upload.waiting),
            t!(upload.comparing),
            t!(upload.sending),
            t!(upload.retrying),
            t!(upload.finishing),
            t!(upload.paused),
            t!(upload.arrived),
            t!(upload.failed),
        ]
        .map(str::to_owned)
        .into(),
        pause: t!(upload.pause).to_owned(),
        go_on: t!(upload.go_on).to_owned(),
        again: t!(upload.again).to_owned(),
        discard: t!(upload.discard).to_owned(),
        to_go: t!(upload.to_go).to_owned(),
        went_on: t!(upload.went_on, done = "{}"),
        other_file: t!(upload.other_file).to_owned(),
        unreadable: t!(upload.unreadable).to_owned(),
        empty: t!(upload.empty).to_owned(),
        too_large: t!(upload.too_large, most = most),
        vanished: t!(upload.vanished).to_owned(),
        logged_out: t!(upload.logged_out).to_owned(),
        refused: t!(upload.refused).to_owned(),
        reload: t!(upload.reload).to_owned(),
        done: t!(upload.done).to_owned(),
    };
    let action = format!("/mailboxes/{}/files/send", mailbox.id);
    view! { <UploadForm mailbox=mailbox.id action accept=accept.to_owned() most=most_bytes begun waiting words/> }
        .into_any()
}

#[component]
fn ServerFileForm(mailbox: MailboxId, offered: bool) -> AnyView {
    if !offered {
        return view! { <p class="why">{t!(files.server_off)}</p> }.into_any();
    }
    let state = FormState::of(AddServerFile::url());
    let open = state.refused();
    view! {
        <details class="confirm" open=open>
            <summary class="button small">{t!(files.server)}</summary>
            <form method="post" action=AddServerFile::url() class="form">
                <Hidden name="mailbox_id" value=mailbox.to_string()/>
                <TextField state name="path" label=t!(files.path) hint=t!(files.server_hint) required=true max=4_000/>
                <div class="submit"><button type="submit" class="button primary">{t!(files.take)}</button></div>
            </form>
        </details>
    }
    .into_any()
}

/// How a file stands.
#[component]
pub fn UploadBadge(upload: Upload) -> AnyView {
    let (tone, shape) = match upload.state {
        UploadState::Receiving => (Tone::Warn, Shape::Waiting),
        UploadState::Stored => (Tone::Busy, Shape::Turning),
        UploadState::Ready => (Tone::Good, Shape::Check),
        UploadState::Refused => (Tone::Bad, Shape::Cross),
        UploadState::Deleted => (Tone::Quiet, Shape::Dash),
    };
    let text = if is_being_checked(&upload) { t!(upload.finishing) } else { names::upload_state(upload.state) };
    view! { <Badge tone shape text/> }.into_any()
}

/// How many files a mailbox has and what is wrong with them, as a link to them.
pub fn file_summary(mailbox: MailboxId, uploads: &[Upload]) -> AnyView {
    let number = |of: fn(&Upload) -> bool| uploads.iter().filter(|one| of(one)).count() as i64;
    let here = number(|one| one.state != UploadState::Deleted);
    let refused = number(|one| one.state == UploadState::Refused);
    let unfinished = number(|one| one.state == UploadState::Receiving);
    let text = match here {
        0 => t!(files.none).to_owned(),
        1 => t!(files.count_one).to_owned(),
        many => t!(files.count, count = count(many)),
    };
    view! {
        <a href=format!("/mailboxes/{mailbox}/files")>{text}</a>
        {(refused > 0).then(|| view! { <small class="trouble">{t!(files.refused_count, count = count(refused))}</small> })}
        {(unfinished > 0).then(|| view! { <small>{t!(files.unfinished_count, count = count(unfinished))}</small> })}
    }
    .into_any()
}

fn file_table(mailbox: MailboxId, uploads: Vec<Upload>) -> AnyView {
    if uploads.is_empty() {
        return view! { <Empty text=t!(files.none)/> }.into_any();
    }
    let heads = vec![
        head(t!(files.name)),
        head(t!(files.state)),
        head_figure(t!(files.size)),
        head_figure(t!(files.messages)),
        head(t!(files.brought)),
    ];
    let rows = uploads.into_iter().map(|upload| {
        let messages = upload.inspection.as_ref().map(|found| count(i64::try_from(found.messages).unwrap_or(i64::MAX)));
        let href = format!("/mailboxes/{mailbox}/files/{}", upload.id);
        view! {
            <tr>
                <th scope="row" data-label=t!(files.name) class="path"><a href=href><bdi>{upload.name.clone()}</bdi></a></th>
                <td data-label=t!(files.state)>
                    <UploadBadge upload=upload.clone()/>
                    {state_notes(&upload)}
                </td>
                <td data-label=t!(files.size) class="num">{size(upload.bytes)}</td>
                <td data-label=t!(files.messages) class="num">{messages.unwrap_or_else(|| "–".to_owned())}</td>
                <td data-label=t!(files.brought)><At at=upload.created_at/><small>{upload.created_by}</small></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(files.here).to_owned() heads rows/> }.into_any()
}

/// What a person should know of a file's state: why it is refused, how to go on, since when it is gone.
pub fn state_notes(upload: &Upload) -> AnyView {
    let unfinished = upload.state == UploadState::Receiving && !is_being_checked(upload);
    let share = upload.received as f64 / upload.bytes.max(1) as f64 * 100.0;
    let bad = if upload.state == UploadState::Deleted { "note" } else { "note bad" };
    let until = upload.expires_at.as_deref().map(crate::numbers::minute);
    view! {
        {upload.error.clone().map(|error| view! { <p class=bad><Said text=error/></p> })}
        {unfinished.then(|| view! {
            <Share value=share label=t!(files.received_of, name = upload.name.clone())/>
            <p class="note">{t!(files.received, done = size(upload.received), total = size(upload.bytes))}</p>
            <p class="note">{t!(files.resume_hint)}" "{until.map(|at| t!(files.expires, at = at))}</p>
        })}
        {(upload.state == UploadState::Deleted)
            .then(|| upload.deleted_at.as_deref().map(crate::numbers::minute))
            .flatten()
            .map(|at| view! { <p class="note">{t!(files.gone, at = at)}</p> })}
    }
    .into_any()
}
