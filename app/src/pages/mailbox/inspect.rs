//! A file and what is in it, seen before anything is sent.

use super::{
    files::{UploadBadge, state_notes},
    inspect_folders::{folder_table, sample_lists},
};
use crate::{
    components::{
        AreaField, At, Empty, Fact, FormState, Hidden, Icon, ListAddress, PageHead, Shape, TickField, count, load,
        page_query, param, size,
    },
    i18n::{Said, names},
    pages::{job::crumbs, run::live_run},
    serverfns::upload::DeleteUpload,
};
use gatepost_contract::{
    Inspection, MailboxId, Page, PageQuery, Phase, Problem, Run, Upload, UploadOrigin, UploadState,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_params_map;

/// How many folders a page shows.
const FOLDERS: u32 = 100;

/// The page of a file.
#[component]
pub fn InspectFile() -> AnyView {
    let id = param::<MailboxId>("id", "mailbox");
    let file = use_params_map().with_untracked(|params| params.get("file")).unwrap_or_default();
    let asked = PageQuery { per_page: FOLDERS, ..page_query() };
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        let upload = gatepost.upload(&actor, &file).await?;
        if upload.mailbox_id != id {
            return Err(Problem::not_found("file"));
        }
        let mailbox = gatepost.get_mailbox(&actor, id).await?;
        let job = gatepost.get_job(&actor, upload.job_id).await?;
        let run = match upload.run_id {
            Some(run) => Some(gatepost.get_run(&actor, run).await?),
            None => None,
        };
        let read_by = run.as_ref().map(|view| view.run.clone()).filter(|run| run.status.is_final());
        let run = run.filter(|view| upload.state == UploadState::Stored && !view.run.status.is_final());
        let manage = actor.can_manage() && upload.state != UploadState::Deleted;
        let closed = job.phase == Phase::Closed;
        let mut up = crumbs(&job);
        up.push((format!("/mailboxes/{id}"), mailbox.email.clone()));
        up.push((format!("/mailboxes/{id}/files"), t!(files.title).to_owned()));
        let badge = upload.clone();
        let inside = match &upload.inspection {
            Some(found) => inside(&upload, found, &asked),
            None => view! { <Empty text=t!(inspect.not_yet)/> }.into_any(),
        };
        Ok(view! {
            <PageHead title=upload.name.clone() up>
                <UploadBadge upload=badge/>
            </PageHead>
            {notes(&upload)}
            {run.map(|view| view! { <section aria-label=t!(job.now)><div class="lives">{live_run(view)}</div></section> })}
            {facts(&upload, read_by)}
            {inside}
            {manage.then(|| view! { <DeleteForm upload=upload.clone() closed/> })}
        }
        .into_any())
    })
}

/// What stands above the facts: why it is refused, how to go on.
fn notes(upload: &Upload) -> AnyView {
    match upload.state {
        UploadState::Stored | UploadState::Ready => ().into_any(),
        UploadState::Refused => {
            view! { <p class="notice bad"><Icon shape=Shape::Cross/><span>{upload.error.clone().map(|error| view! { <Said text=error/> })}</span></p> }.into_any()
        }
        UploadState::Receiving | UploadState::Deleted => {
            view! { <div class="notice">{state_notes(upload)}</div> }.into_any()
        }
    }
}

fn facts(upload: &Upload, read_by: Option<Run>) -> AnyView {
    let found = upload.inspection.clone();
    let until = upload.expires_at.clone().filter(|_| upload.state != UploadState::Receiving);
    let (arrived, by) = (upload.created_at.clone(), upload.created_by.clone());
    let (bytes, origin, digest) = (upload.bytes, upload.origin, upload.sha256.clone());
    view! {
        <dl class="facts wide">
            {found.map(|found| view! {
                <Fact name=t!(inspect.format)>{found.format}</Fact>
                {found.encoding.map(|encoding| view! { <Fact name=t!(inspect.encoding)>{encoding}</Fact> })}
            })}
            <Fact name=t!(files.size)>{size(bytes)}</Fact>
            <Fact name=t!(inspect.origin)>{names::upload_origin(origin)}</Fact>
            <Fact name=t!(files.brought)><At at=arrived/>" · "{by}</Fact>
            {read_by.map(|run| {
                let name = format!("{} #{}", names::run_type(run.run_type), run.id);
                view! { <Fact name=t!(program.read_by)><a href=format!("/runs/{}", run.id)>{name}</a></Fact> }
            })}
            {until.map(|at| view! { <Fact name=t!(inspect.kept)><At at/></Fact> })}
            {digest.map(|digest| view! { <Fact name=t!(inspect.sha256)><code>{digest}</code></Fact> })}
        </dl>
    }
    .into_any()
}

fn figure(number: u64) -> String {
    count(i64::try_from(number).unwrap_or(i64::MAX))
}

fn bytes(number: u64) -> String {
    size(i64::try_from(number).unwrap_or(i64::MAX))
}

fn inside(upload: &Upload, found: &Inspection, asked: &PageQuery) -> AnyView {
    let (weight, largest) = (bytes(found.bytes), bytes(found.largest));
    // A message that cannot be read stays in the sum, with its cause.
    let peculiar = [
        (found.unreadable, t!(inspect.unreadable), t!(inspect.unreadable_hint)),
        (found.salvaged, t!(inspect.salvaged), t!(inspect.salvaged_hint)),
        (found.repeated, t!(inspect.repeated), t!(inspect.repeated_hint)),
        (found.overlapping, t!(inspect.overlapping), t!(inspect.overlapping_hint)),
    ];
    let peculiar = peculiar.into_iter().filter(|(number, ..)| *number > 0).map(|(number, name, hint)| {
        let number = figure(number);
        view! { <Fact name>{number}<small>{hint}</small></Fact> }
    });
    let peculiar = peculiar.collect_view();
    let first = (i64::from(asked.page) - 1) * i64::from(asked.per_page);
    let numbered = found.folders.iter().enumerate().skip(usize::try_from(first).unwrap_or_default());
    let page = Page {
        items: numbered.take(FOLDERS as usize).collect::<Vec<_>>(),
        total: found.folders.len() as i64,
        page: asked.page,
        per_page: asked.per_page,
    };
    let address = ListAddress::new(format!("/mailboxes/{}/files/{}", upload.mailbox_id, upload.id), asked, &[]);
    let pager = (page.pages() > 1).then(|| address.pager(&page));
    view! {
        {sentences(&found.losses, "bad", "losses", t!(inspect.losses), Some(t!(inspect.losses_hint)))}
        {sentences(&found.damage, "warn", "damage", t!(inspect.damage), None)}
        <section aria-labelledby="sum">
            <h2 id="sum">{t!(inspect.sum)}</h2>
            {sum(found)}
            <dl class="facts wide">
                <Fact name=t!(inspect.as_messages)>{weight}</Fact>
                <Fact name=t!(inspect.largest)>{largest}</Fact>
                {peculiar}
            </dl>
        </section>
        {others(upload, found)}
        <section aria-labelledby="folders">
            <h2 id="folders">{t!(inspect.folders)}</h2>
            {folder_table(&page.items)}
            {pager}
        </section>
        {sample_lists(&page.items)}
    }
    .into_any()
}

/// Everything in the file, so that anybody can check the sum.
fn sum(found: &Inspection) -> AnyView {
    let others = found.others.iter().filter(|(_, number)| **number > 0).map(|(kind, number)| {
        view! { <i>"+"</i><span class="part"><b>{figure(*number)}</b>" "{names::item_kind(kind).to_lowercase()}</span> }
    });
    view! {
        <p class="tally">
            <span class="part good"><b>{figure(found.messages)}</b>" "{t!(inspect.mail)}</span>
            {others.collect_view()}
            <i>"="</i>
            <span class="part total"><b>{figure(found.items)}</b>" "{t!(inspect.items)}</span>
        </p>
    }
    .into_any()
}

fn sentences(
    all: &[String],
    tone: &'static str,
    id: &'static str,
    title: &'static str,
    hint: Option<&'static str>,
) -> AnyView {
    if all.is_empty() {
        return ().into_any();
    }
    let sentences = all.iter().map(|sentence| view! { <li><Said text=sentence.clone()/></li> }).collect_view();
    view! {
        <section class=format!("notice {tone} block") aria-labelledby=id>
            <h2 id=id><Icon shape=Shape::Warn/>{title}</h2>
            {hint.map(|hint| view! { <p>{hint}</p> })}
            <ul>{sentences}</ul>
        </section>
    }
    .into_any()
}

fn others(upload: &Upload, found: &Inspection) -> AnyView {
    if found.others.values().all(|number| *number == 0) {
        return ().into_any();
    }
    let kinds = found.others.iter().filter(|(_, number)| **number > 0);
    let kinds = kinds.map(|(kind, number)| {
        let (name, number) = (names::item_kind(kind), figure(*number));
        view! { <Fact name>{number}</Fact> }
    });
    let there = found.has_items && upload.state != UploadState::Deleted;
    view! {
        <section aria-labelledby="others">
            <div class="line">
                <h2 id="others">{t!(inspect.others)}</h2>
                {there.then(|| {
                    let href = format!("/api/v1/uploads/{}/items", upload.id);
                    view! { <a class="button small" href=href download="">{t!(inspect.download)}</a> }
                })}
            </div>
            <p class="why">{t!(inspect.others_lead)}</p>
            <dl class="facts wide">{kinds.collect_view()}</dl>
        </section>
    }
    .into_any()
}

#[component]
fn DeleteForm(upload: Upload, closed: bool) -> AnyView {
    let state = FormState::with(DeleteUpload::url(), "upload_id", &upload.id);
    let hint = match upload.origin {
        UploadOrigin::Server => t!(files.delete_server_hint),
        UploadOrigin::Tus | UploadOrigin::Multipart => t!(files.delete_hint),
    };
    // Only a file that holds mail, and can be needed for a proof, needs a second word.
    let ask = upload.inspection.as_ref().is_some_and(|found| found.messages > 0) && !closed;
    let open = state.refused();
    view! {
        <details class="confirm" open=open>
            <summary class="button quiet">{t!(files.delete)}</summary>
            <p>{hint}</p>
            <form method="post" action=DeleteUpload::url() class="form">
                <Hidden name="upload_id" value=upload.id/>
                <Hidden name="mailbox_id" value=upload.mailbox_id.to_string()/>
                {ask.then(|| view! {
                    <TickField state=state.clone() name="force" label=t!(files.force) hint=t!(files.force_hint)/>
                    <AreaField state name="reason" label=t!(files.force_reason) hint=t!(files.force_reason_hint) rows=2 max=2_000/>
                })}
                <div class="submit"><button type="submit" class="button danger">{t!(files.delete_confirm)}</button></div>
            </form>
        </details>
    }
    .into_any()
}
