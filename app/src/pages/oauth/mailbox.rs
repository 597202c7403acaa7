//! The consents of a mailbox.

use super::{
    card::{Around, AskFields, card, choices, consent_badge, no_app},
    taken_back::taken_back,
};
use crate::{
    components::{FormState, Hidden, Icon, PageHead, Shape, load, param, query},
    i18n::Said,
    pages::job::crumbs,
    serverfns::oauth::{AskMailboxConsent, issued},
};
use gatepost_contract::{
    Consent, Mailbox, MailboxId, MailboxSide, OauthApp, OauthProvider, PageQuery, Phase, SourceType,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn MailboxConsent() -> AnyView {
    let id = param::<MailboxId>("id", "mailbox");
    load(|desk| async move {
        let (gatepost, actor, id) = (desk.gatepost, desk.actor, id?);
        let mailbox = gatepost.get_mailbox(&actor, id).await?;
        let job = gatepost.get_job(&actor, mailbox.job_id).await?;
        let consents = gatepost.mailbox_consents(&actor, id).await?;
        let revocations = gatepost.mailbox_revocations(&actor, id).await?;
        let every = PageQuery { per_page: gatepost_contract::MAX_PER_PAGE, ..PageQuery::default() };
        let apps = gatepost.list_oauth_apps(&actor, every, None).await?.items;
        let may = actor.can_manage() && job.phase != Phase::Closed;
        let (own, for_all): (Vec<Consent>, Vec<Consent>) =
            consents.into_iter().partition(|consent| consent.mailbox_id.is_some());
        let has_own = |side| own.iter().any(|one| one.side == side);
        let served = for_all.iter().any(|one| !has_own(one.side) && serves(&mailbox, one.side));
        let waits = own.iter().any(|one| one.device.is_some());
        let refused = (query("refused") == "1").then(|| {
            view! { <p class="notice bad" role="status"><Icon shape=Shape::Warn/>{t!(consent.refused)}</p> }
        });
        let asked_before = !own.is_empty();
        let cards = own
            .into_iter()
            .map(|consent| {
                let account = account(&mailbox, consent.side).to_owned();
                let issued = issued::take(&actor, consent.id);
                card(consent, Around { may, account: Some(account), client_id: None, issued })
            })
            .collect_view();
        let mut up = crumbs(&job);
        up.push((format!("/mailboxes/{id}"), mailbox.email.clone()));
        let job_page = format!("/jobs/{}/consents", job.id);
        Ok(view! {
            <PageHead title=t!(consent.title).to_owned() up/>
            <p class="lead">{t!(consent.lead)}</p>
            {refused}
            {served.then(|| view! {
                <p class="notice good"><Icon shape=Shape::Check/><span>{t!(consent.served)}" "<a href=job_page.clone()>{t!(consent.see_job)}</a></span></p>
            })}
            {cards}
            {may.then(|| ask(&mailbox, &apps, asked_before && !waits, actor.can_approve()))}
            {taken_back(revocations)}
            <p><a href=job_page>{t!(consent.see_job)}</a></p>
        }
        .into_any())
    })
}

fn account(mailbox: &Mailbox, side: MailboxSide) -> &str {
    let named = match side {
        MailboxSide::Source => mailbox.source_user.as_deref(),
        MailboxSide::Dest => mailbox.dest_user.as_deref(),
    };
    named.unwrap_or(&mailbox.email)
}

fn serves(mailbox: &Mailbox, side: MailboxSide) -> bool {
    match side {
        MailboxSide::Source => mailbox.source_type == SourceType::ImapOauth,
        MailboxSide::Dest => !mailbox.has_dest_secret,
    }
}

fn ask(mailbox: &Mailbox, apps: &[OauthApp], before: bool, registers: bool) -> AnyView {
    let choices = choices(apps, false);
    if choices.is_empty() {
        return no_app(registers);
    }
    let sides = match mailbox.source_type {
        SourceType::ImapOauth => vec![MailboxSide::Source, MailboxSide::Dest],
        _ => vec![MailboxSide::Dest],
    };
    let microsoft = apps.iter().any(|app| app.provider == OauthProvider::Microsoft);
    let state = FormState::of(AskMailboxConsent::url());
    let open = !before || state.refused();
    let title = if before { t!(consent.ask_other) } else { t!(consent.ask) };
    view! {
        <details class="sheet" open=open>
            <summary>{title}</summary>
            {before.then(|| view! { <p>{t!(consent.ask_hint)}</p> })}
            <form method="post" action=AskMailboxConsent::url() class="form">
                <Hidden name="mailbox_id" value=mailbox.id.to_string()/>
                <AskFields state choices sides microsoft/>
                <div class="submit"><button type="submit" class="button primary">{t!(consent.ask_submit)}</button></div>
            </form>
        </details>
    }
    .into_any()
}

/// A mailbox's consents as a fact on its page, with the way to them; nothing for one that has nothing to do with OAuth.
pub fn consent_fact(mailbox: &Mailbox, consents: &[Consent]) -> Option<AnyView> {
    let serving = consents.iter().find(|one| one.side == MailboxSide::Source && serves(mailbox, one.side));
    let serving = serving.or_else(|| consents.iter().find(|one| one.side == MailboxSide::Dest));
    if serving.is_none() && mailbox.source_type != SourceType::ImapOauth {
        return None;
    }
    let wanting = serving.is_none_or(|one| one.state.is_wanting());
    let href = serving.map_or_else(|| format!("/mailboxes/{}/consent", mailbox.id), Consent::path);
    let text = if wanting { t!(consent.renew) } else { t!(consent.open) };
    let badge = serving.map(|one| consent_badge(one.state));
    let error =
        serving.and_then(|one| one.error.clone()).map(|error| view! { <div class="note bad"><Said text=error/></div> });
    Some(view! { {badge}" "<a href=href>{text}</a>{error} }.into_any())
}
