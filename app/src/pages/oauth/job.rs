//! The consents of a job: those that serve all its mailboxes, and each mailbox's own.

use super::{
    card::{Around, AskFields, card, choices, consent_badge, no_app},
    taken_back::taken_back,
};
use crate::{
    components::{
        Empty, FormState, Hidden, Icon, JobTab, JobTabs, PageHead, PostButton, Shape, Table, TextField, head, load,
        param, query,
    },
    i18n::Said,
    pages::job::crumbs,
    serverfns::oauth::{AskJobConsent, ConfirmAccounts},
};
use gatepost_contract::{
    Consent, Job, JobId, Mailbox, MailboxSide, OauthApp, OauthProvider, PageQuery, Phase, SourceType,
    UnconfirmedAccounts,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn JobConsents() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let (gatepost, actor) = (desk.gatepost, desk.actor);
        let job = gatepost.get_job(&actor, id?).await?;
        let mailboxes = gatepost.list_mailboxes(&actor, job.id).await?;
        let consents = gatepost.job_consents(&actor, job.id).await?;
        let waiting = gatepost.unconfirmed_accounts(&actor, job.id).await?;
        let revocations = gatepost.job_revocations(&actor, job.id).await?;
        let every = PageQuery { per_page: gatepost_contract::MAX_PER_PAGE, ..PageQuery::default() };
        let apps = gatepost.list_oauth_apps(&actor, every, None).await?.items;
        let may = actor.can_approve() && job.phase != Phase::Closed;
        let (own, for_all): (Vec<Consent>, Vec<Consent>) =
            consents.into_iter().partition(|consent| consent.mailbox_id.is_some());
        let refused = (query("refused") == "1").then(|| {
            view! { <p class="notice bad" role="status"><Icon shape=Shape::Warn/>{t!(consent.refused)}</p> }
        });
        let table = mailbox_table(&mailboxes, &own, &for_all);
        let none = for_all.is_empty();
        let cards = for_all
            .into_iter()
            .map(|consent| {
                let client_id = apps.iter().find(|app| app.id == consent.app_id).map(|app| app.client_id.clone());
                card(consent, Around { may, account: None, client_id, issued: None })
            })
            .collect_view();
        Ok(view! {
            <PageHead title=t!(consent.tab).to_owned() up=crumbs(&job)/>
            <JobTabs id=job.id current=JobTab::Consents/>
            <p class="lead">{t!(consent.job_lead)}</p>
            {refused}
            {none.then(|| view! { <Empty text=t!(consent.none_for_all)/> })}
            {cards}
            {(!waiting.mailboxes.is_empty()).then(|| unconfirmed(job.id, waiting, may))}
            {if may { ask(&job, &apps, none, actor.can_approve()) } else { view! { <p class="why">{t!(consent.only_lead)}</p> }.into_any() }}
            <section aria-labelledby="mailboxes">
                <h2 id="mailboxes">{t!(consent.mailboxes)}</h2>
                {table}
            </section>
            {taken_back(revocations)}
        }
        .into_any())
    })
}

fn ask(job: &Job, apps: &[OauthApp], open: bool, registers: bool) -> AnyView {
    let choices = choices(apps, true);
    if choices.is_empty() {
        return no_app(registers);
    }
    let microsoft = apps.iter().any(|app| app.provider == OauthProvider::Microsoft);
    let state = FormState::of(AskJobConsent::url());
    let open = open || state.refused();
    let title = if open { t!(consent.ask) } else { t!(consent.ask_other) };
    view! {
        <details class="sheet" open=open>
            <summary>{title}</summary>
            <form method="post" action=AskJobConsent::url() class="form">
                <Hidden name="job_id" value=job.id.to_string()/>
                <AskFields state=state.clone() choices sides=vec![MailboxSide::Source, MailboxSide::Dest] microsoft/>
                <TextField state name="domain" label=t!(consent.domain_field) hint=t!(consent.domain_hint) value=job.domain.clone() max=253/>
                <div class="submit"><button type="submit" class="button primary">{t!(consent.ask_submit)}</button></div>
            </form>
        </details>
    }
    .into_any()
}

/// The accounts that wait to be confirmed.
fn unconfirmed(job: JobId, waiting: UnconfirmedAccounts, may: bool) -> AnyView {
    let rows: Vec<AnyView> = waiting
        .mailboxes
        .into_iter()
        .map(|one| {
            let href = format!("/mailboxes/{}", one.mailbox_id);
            let admins = one.admins.into_iter().map(|admin| view! { <div class="note">{admin}</div> }).collect_view();
            view! {
                <tr>
                    <th scope="row" data-label=t!(user.email)><a href=href>{one.email}</a></th>
                    <td data-label=t!(consent.from_account)>{one.source_account}</td>
                    <td data-label=t!(consent.to_account)>{one.dest_account}<div class="note">{one.dest}</div></td>
                    <td data-label=t!(consent.admins)>{admins}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let heads = [t!(user.email), t!(consent.from_account), t!(consent.to_account), t!(consent.admins)];
    let heads = heads.into_iter().map(head).collect();
    let fields = vec![("job_id", job.to_string()), ("seen", waiting.seen)];
    view! {
        <section aria-labelledby="unconfirmed">
            <h2 id="unconfirmed">{t!(consent.unconfirmed)}</h2>
            <p>{t!(consent.unconfirmed_lead)}</p>
            <Table caption=t!(consent.unconfirmed).to_owned() heads rows=rows.into_any()/>
            {may.then(|| view! { <p><PostButton action=ConfirmAccounts::url() fields text=t!(consent.confirm_accounts)/></p> })}
        </section>
    }
    .into_any()
}

fn mailbox_table(mailboxes: &[Mailbox], own: &[Consent], for_all: &[Consent]) -> AnyView {
    let of = |mailbox: &Mailbox| own.iter().filter(|one| one.mailbox_id == Some(mailbox.id)).collect::<Vec<_>>();
    let rows: Vec<AnyView> = mailboxes
        .iter()
        .filter_map(|mailbox| {
            let mine = of(mailbox);
            let oauth = mailbox.source_type == SourceType::ImapOauth;
            if mine.is_empty() && !oauth {
                return None;
            }
            let served = mine.is_empty() && for_all.iter().any(|one| one.side == MailboxSide::Source);
            let states = mine.iter().map(|one| {
                let error = one.error.clone().map(|error| view! { <div class="note bad"><Said text=error/></div> });
                view! { <div>{consent_badge(one.state)}" "{super::card::side_name(one.side)}{error}</div> }
            });
            let states = states.collect_view();
            let otherwise = mine.is_empty().then(|| if served { t!(consent.served) } else { t!(consent.none) });
            let href = format!("/mailboxes/{}/consent", mailbox.id);
            Some(
                view! {
                    <tr>
                        <th scope="row" data-label=t!(user.email)><a href=href>{mailbox.email.clone()}</a></th>
                        <td data-label=t!(consent.state)>{states}{otherwise}</td>
                    </tr>
                }
                .into_any(),
            )
        })
        .collect();
    if rows.is_empty() {
        return view! { <Empty text=t!(consent.mailboxes_none)/> }.into_any();
    }
    let heads = vec![head(t!(user.email)), head(t!(consent.state))];
    view! { <Table caption=t!(consent.mailboxes).to_owned() heads rows=rows.into_any()/> }.into_any()
}
