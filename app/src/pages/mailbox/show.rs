//! A mailbox: its folders, and the form that changes it.

use super::{
    fields::{DestFields, SourceFields, ToolField},
    files::file_summary,
    find::{FindForm, Finding, Taken, findings, take_link},
};
use crate::{
    components::{
        Badge, Empty, Fact, FormState, Hidden, MailboxBadge, MaybeAt, PageHead, PostButton, Shape, Share, Table, Tone,
        count, head, head_figure, load, param, size,
    },
    i18n::{Said, names},
    pages::{
        job::{
            crumbs,
            schedule::{WaveChoice, wave_names},
        },
        oauth::mailbox::consent_fact,
    },
    serverfns::{
        mailbox::{DeleteMailbox, UpdateMailbox},
        run::StartSync,
    },
};
use gatepost_contract::{Folder, MailboxId, Phase, RunType};
use gatepost_gate::phase::run_allowed;
use leptos::{prelude::*, server_fn::ServerFn};

/// The mailbox's page.
#[component]
pub fn ShowMailbox() -> AnyView {
    let id = param::<MailboxId>("id", "mailbox");
    let asked = Finding::asked();
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost.clone(), desk.actor.clone(), id?);
        let mailbox = gatepost.get_mailbox(&actor, id).await?;
        let job = gatepost.get_job(&actor, mailbox.job_id).await?;
        let folders = gatepost.folders(&actor, id).await?;
        let of_job = gatepost.wave_of_job(&actor, job.id).await?;
        let wave = gatepost.wave_of_mailbox(&actor, id).await?.filter(|wave| Some(wave) != of_job.as_ref());
        let waves = if actor.can_manage() { wave_names(gatepost.waves(&actor).await?) } else { Vec::new() };
        let from_file = mailbox.source_type.is_file();
        let uploads = if from_file { gatepost.uploads_of(&actor, id).await? } else { Vec::new() };
        let consents = gatepost.mailbox_consents(&actor, id).await?;
        let consent = consent_fact(&mailbox, &consents);
        let state = FormState::of(UpdateMailbox::url());
        let found = if actor.can_manage() && !from_file { asked.found(&desk).await } else { None };
        let taken = asked.taken(found.as_ref());
        let user = taken.as_ref().and_then(|one| one.user_of(&mailbox.email)).unwrap_or_default();
        let here = format!("/mailboxes/{id}");
        let finding = asked.find.clone();
        let links = {
            let here = here.clone();
            move |one: &gatepost_contract::Proposal| take_link(&here, &finding, one, t!(discover.use_))
        };
        let proposals = found.filter(|_| taken.is_none()).map(|found| findings(found, links));
        let find_for = if asked.find.is_empty() { mailbox.email.clone() } else { asked.find.clone() };
        let asks = taken.is_none() && !from_file;
        let manage = actor.can_manage() && job.phase != Phase::Closed;
        let syncs = [RunType::Initial, RunType::Delta, RunType::Final]
            .into_iter()
            .filter(|run| manage && job.active_runs == 0 && run_allowed(job.phase, *run).is_ok())
            .map(|run| {
                let fields = vec![
                    ("job_id", job.id.to_string()),
                    ("run_type", run.to_string()),
                    ("mailbox_id", id.to_string()),
                ];
                view! { <PostButton action=StartSync::url() fields text=names::run_type(run) of=mailbox.email.clone() class="small"/> }
            })
            .collect_view();
        let secret = |stored| {
            if stored {
                view! { <Badge tone=Tone::Good shape=Shape::Lock text=t!(mailbox.stored)/> }
            } else {
                view! { <Badge tone=Tone::Warn shape=Shape::Warn text=t!(mailbox.missing)/> }
            }
        };
        let kind = names::source_type(mailbox.source_type);
        let source = match (&mailbox.source_host, mailbox.source_port) {
            (Some(host), Some(port)) => format!("{host}:{port} · {kind}"),
            (Some(host), None) => format!("{host} · {kind}"),
            _ => kind.to_owned(),
        };
        let label = t!(job.arrived_of, domain = mailbox.email.clone());
        Ok(view! {
            <PageHead title=mailbox.email.clone() up=crumbs(&job)>
                <MailboxBadge status=mailbox.status/>
                {from_file.then(|| view! { <a class="button small" href=format!("/mailboxes/{id}/files")>{t!(files.manage)}</a> })}
                {syncs}
            </PageHead>
            {mailbox.last_error.clone().map(|error| view! { <p class="notice bad"><Said text=error/></p> })}
            <dl class="facts wide">
                <Fact name=t!(mailbox.source)>{source}</Fact>
                {from_file.then(|| view! { <Fact name=t!(files.title)>{file_summary(id, &uploads)}</Fact> })}
                <Fact name=t!(run.tool)>{names::tool(mailbox.tool)}</Fact>
                {(!from_file).then(|| view! { <Fact name=t!(mailbox.source_secret)>{secret(mailbox.has_source_secret)}</Fact> })}
                {consent.map(|consent| view! { <Fact name=t!(consent.title)>{consent}</Fact> })}
                <Fact name=t!(mailbox.dest_secret)>{secret(mailbox.has_dest_secret)}</Fact>
                <Fact name=t!(mailbox.messages)>{format!("{} / {}", count(mailbox.messages_dest), count(mailbox.messages_source))}</Fact>
                <Fact name=t!(mailbox.size)>{format!("{} / {}", size(mailbox.bytes_dest), size(mailbox.bytes_source))}</Fact>
                <Fact name=t!(job.arrived)><Share value=mailbox.sync_percent label/></Fact>
            </dl>
            <section aria-labelledby="folders">
                <h2 id="folders">{t!(folder.title)}</h2>
                {folder_table(folders)}
                <p><a href=format!("/jobs/{}/residue?mailbox_id={id}", job.id)>{t!(residue.all)}</a></p>
            </section>
            <section aria-labelledby="wave">
                <h2 id="wave">{t!(wave.wave)}</h2>
                {of_job.filter(|_| wave.is_none()).map(|wave| view! {
                    <p>{t!(wave.by_job)}" "<a href=format!("/waves/{}", wave.id)>{wave.name}</a></p>
                })}
                <WaveChoice field="mailbox_id" subject=id.to_string() now=wave waves may=manage none=t!(wave.mailbox_in_none)/>
            </section>
            {manage.then(|| view! {
                <section aria-labelledby="change">
                    <h2 id="change">{t!(mailbox.change)}</h2>
                    {asks.then(|| view! { <FindForm action=here.clone() value=find_for.clone()/> })}
                    {proposals}
                    {taken.clone().map(|proposal| view! { <Taken proposal/> })}
                    <form method="post" action=UpdateMailbox::url() class="form">
                        <Hidden name="mailbox_id" value=id.to_string()/>
                        <ToolField state=state.clone() tool=mailbox.tool kinds=vec![mailbox.source_type]/>
                        {(!from_file).then(|| view! { <SourceFields state=state.clone() mailbox=Some(mailbox.clone()) proposal=taken proposed_user=user/> })}
                        <DestFields state mailbox=Some(mailbox.clone())/>
                        <div class="submit"><button type="submit" class="button primary">{t!(form.save)}</button></div>
                    </form>
                    <details class="confirm">
                        <summary class="button quiet">{t!(mailbox.delete)}</summary>
                        <p>{if from_file { t!(files.mailbox_delete_hint) } else { t!(mailbox.delete_hint) }}</p>
                        <PostButton action=DeleteMailbox::url() fields=vec![("mailbox_id", id.to_string()), ("job_id", job.id.to_string())] text=t!(mailbox.delete_confirm) class="danger"/>
                    </details>
                </section>
            })}
        }
        .into_any())
    })
}

fn folder_table(folders: Vec<Folder>) -> AnyView {
    if folders.is_empty() {
        return view! { <Empty text=t!(folder.none)/> }.into_any();
    }
    let heads = vec![
        head(t!(folder.source)),
        head(t!(folder.dest)),
        head_figure(t!(tally.arrived)),
        head_figure(t!(tally.pending)),
        head_figure(t!(tally.quarantined)),
        head_figure(t!(tally.waived)),
        head_figure(t!(tally.source)),
        head_figure(t!(mailbox.size)),
        head(t!(folder.visited)),
    ];
    let rows = folders.into_iter().map(|folder| {
        view! {
            <tr>
                <th scope="row" data-label=t!(folder.source) class="path">{folder.source_path}</th>
                <td data-label=t!(folder.dest) class="path">
                    {folder.dest_path}
                    {folder.special_use.map(|one| view! { <span class="tag">{names::special_use(one)}</span> })}
                </td>
                <td data-label=t!(tally.arrived) class="num">{count(folder.arrived)}</td>
                <td data-label=t!(tally.pending) class="num">{count(folder.pending)}</td>
                <td data-label=t!(tally.quarantined) class="num">{count(folder.quarantined)}</td>
                <td data-label=t!(tally.waived) class="num">{count(folder.waived)}</td>
                <td data-label=t!(tally.source) class="num total">{count(folder.messages)}</td>
                <td data-label=t!(mailbox.size) class="num">{size(folder.bytes)}</td>
                <td data-label=t!(folder.visited)><MaybeAt at=folder.visited_at/></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(folder.title).to_owned() heads rows class="figures"/> }.into_any()
}
