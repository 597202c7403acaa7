//! A consent as a card: how it stands, and what can be done about it.

use super::{provider_name, way_name};
use crate::{
    components::{
        At, Badge, Empty, Fact, FormState, Hidden, Icon, MaybeAt, PostButton, SelectField, Shape, TextField, Tone,
    },
    context,
    i18n::{Said, said},
    islands::copy::CopyButton,
    serverfns::oauth::{BeginDeviceConsent, CheckConsent, IssueConsentLink, WithdrawConsent},
};
use gatepost_contract::{Consent, ConsentState, ConsentWay, IssuedConsentLink, MailboxSide, OauthApp, OauthProvider};
use leptos::{prelude::*, server_fn::ServerFn};

/// What Google's console is told beside a service account's client id.
const GOOGLE_SCOPE: &str = "https://mail.google.com/";

/// How a consent stands.
pub fn consent_badge(state: ConsentState) -> AnyView {
    let (tone, shape, text) = match state {
        ConsentState::Pending => (Tone::Warn, Shape::Waiting, t!(consent.pending)),
        ConsentState::Valid => (Tone::Good, Shape::Check, t!(consent.valid)),
        ConsentState::Expired => (Tone::Bad, Shape::Cross, t!(consent.expired)),
        ConsentState::Revoked => (Tone::Bad, Shape::Cross, t!(consent.revoked)),
        ConsentState::Failed => (Tone::Bad, Shape::Cross, t!(consent.failed)),
    };
    view! { <Badge tone shape text/> }.into_any()
}

pub(super) fn side_name(side: MailboxSide) -> &'static str {
    match side {
        MailboxSide::Source => t!(consent.side_source),
        MailboxSide::Dest => t!(consent.side_dest),
    }
}

/// The address that a provider must know, to be copied.
#[component]
pub(super) fn Redirect(address: String) -> AnyView {
    view! {
        <section class="sheet" aria-labelledby="redirect">
            <div class="line">
                <h2 id="redirect">{t!(oauth.redirect)}</h2>
                <CopyButton target="redirect-address".to_owned() text=t!(oauth.copy).to_owned() done=t!(oauth.copied).to_owned() what=t!(oauth.redirect).to_owned()/>
            </div>
            <p>{t!(oauth.redirect_hint)}</p>
            <pre class="sample" id="redirect-address" tabindex="0" aria-label=t!(oauth.redirect)>{address}</pre>
        </section>
    }
    .into_any()
}

/// A consent in a list.
pub(super) fn consent_row(consent: Consent) -> AnyView {
    let name = consent.email.clone().or_else(|| consent.domain.clone()).unwrap_or_default();
    let badge = consent_badge(consent.state);
    view! {
        <tr>
            <th scope="row" data-label=t!(consent.title)>
                <a href=consent.path()>{name}</a>
                <div class="note">{consent.app_name}", "{side_name(consent.side)}</div>
            </th>
            <td data-label=t!(consent.state)>
                {badge}
                {consent.error.map(|error| view! { <div class="note bad"><Said text=error/></div> })}
            </td>
            <td data-label=t!(consent.ends)><MaybeAt at=consent.expires_at/></td>
        </tr>
    }
    .into_any()
}

/// What a card is told beside the consent.
pub(super) struct Around {
    /// Whether the person may do something about it.
    pub may: bool,
    /// The account that should consent.
    pub account: Option<String>,
    /// The client id that an administrator enters.
    pub client_id: Option<String>,
    /// A link that was made just now.
    pub issued: Option<IssuedConsentLink>,
}

/// The card.
pub(super) fn card(consent: Consent, around: Around) -> AnyView {
    let id = format!("consent-{}", consent.id);
    let labelled = id.clone();
    let granted = consent.granted_at.clone().zip(consent.granted_by.clone());
    let heading = format!("{} · {}", consent.app_name, side_name(consent.side));
    let badge = consent_badge(consent.state);
    let other = around.account.as_ref().zip(consent.account.as_ref());
    let other = other.is_some_and(|(wanted, given)| !wanted.eq_ignore_ascii_case(given));
    let error = consent.error.clone().map(|error| {
        let class = if consent.state == ConsentState::Valid { "notice warn" } else { "notice bad" };
        view! { <p class=class><Icon shape=Shape::Warn/><span><Said text=error/></span></p> }
    });
    view! {
        <section class="sheet" aria-labelledby=labelled>
            <div class="line"><h2 id=id>{heading}</h2>{badge}</div>
            {error}
            {other.then(|| view! { <p class="notice warn"><Icon shape=Shape::Warn/>{t!(consent.other_account)}</p> })}
            <dl class="facts wide">
                <Fact name=t!(oauth.provider)>{provider_name(consent.provider)}</Fact>
                <Fact name=t!(consent.way)>{way_name(consent.way)}</Fact>
                {consent.domain.clone().map(|domain| view! { <Fact name=t!(consent.domain)>{domain}</Fact> })}
                {consent.directory.clone().map(|directory| view! { <Fact name=t!(consent.directory)>{directory}</Fact> })}
                {consent.account.clone().map(|account| view! { <Fact name=t!(consent.account)>{account}</Fact> })}
                {granted.map(|(at, by)| view! { <Fact name=t!(consent.given)><At at/><small>{said(&by)}</small></Fact> })}
                {consent.refreshed_at.clone().map(|at| view! { <Fact name=t!(consent.refreshed)><At at/></Fact> })}
                {consent.expires_at.clone().map(|at| view! { <Fact name=t!(consent.ends)><At at/></Fact> })}
            </dl>
            {around.may.then(|| give(&consent, around))}
        </section>
    }
    .into_any()
}

/// The ways on: to give it, to try it, to take it back.
fn give(consent: &Consent, around: Around) -> AnyView {
    let way = match consent.way {
        ConsentWay::Code => in_browser(consent, around),
        ConsentWay::Device => code(consent),
        ConsentWay::Client => by_administrator(consent),
        ConsentWay::ServiceAccount => by_delegation(consent, around.client_id),
    };
    let fields = || vec![("consent_id", consent.id.to_string())];
    let tried = consent.way.is_for_all() || consent.granted_at.is_some();
    view! {
        {way}
        <div class="actions">
            {(consent.way == ConsentWay::Device).then(|| begin_code(consent))}
            {tried.then(|| view! { <PostButton action=CheckConsent::url() fields=fields() text=t!(consent.check)/> })}
            <details class="confirm">
                <summary class="button quiet">{t!(consent.withdraw)}</summary>
                <p>{t!(consent.withdraw_hint)}</p>
                <PostButton action=WithdrawConsent::url() fields=fields() text=t!(consent.withdraw_confirm) class="danger"/>
            </details>
        </div>
    }
    .into_any()
}

fn start_link(consent: &Consent, text: &'static str) -> AnyView {
    let class = if consent.state == ConsentState::Valid { "button" } else { "button primary" };
    view! { <p><a class=class href=format!("/oauth/start/{}", consent.id)>{text}</a></p> }.into_any()
}

fn in_browser(consent: &Consent, around: Around) -> AnyView {
    let text = if consent.granted_at.is_some() { t!(consent.go_again) } else { t!(consent.go) };
    let hint = around.account.map(|account| t!(consent.go_hint, account = account).to_string());
    let state = FormState::of(IssueConsentLink::url());
    let open = state.refused() || around.issued.is_some();
    let again = consent.link_until.is_some();
    if around.issued.is_some() {
        context::header("cache-control", "no-store");
    }
    view! {
        <p>{hint}</p>
        {start_link(consent, text)}
        {around.issued.map(issued)}
        <details open=open>
            <summary>{t!(consent.link)}</summary>
            <p>{t!(consent.link_hint)}</p>
            {consent.link_until.clone().map(|at| view! { <p class="note">{t!(consent.link_until)}" "<At at/></p> })}
            <form method="post" action=IssueConsentLink::url() class="form">
                <Hidden name="consent_id" value=consent.id.to_string()/>
                <TextField state name="days" kind="number" label=t!(consent.link_days) value="7" required=true min=1 max=30/>
                <div class="submit"><button type="submit" class="button">{if again { t!(consent.link_again) } else { t!(consent.link_make) }}</button></div>
            </form>
        </details>
    }
    .into_any()
}

fn issued(link: IssuedConsentLink) -> AnyView {
    let id = format!("consent-link-{}", link.consent_id);
    view! {
        <section class="notice good block" aria-labelledby="issued-link">
            <div class="line">
                <h3 id="issued-link">{t!(consent.issued)}</h3>
                <CopyButton target=id.clone() text=t!(oauth.copy).to_owned() done=t!(oauth.copied).to_owned() what=t!(consent.issued).to_owned()/>
            </div>
            <p>{t!(consent.issued_hint)}</p>
            <pre class="sample secret" id=id tabindex="0" aria-label=t!(consent.issued)>{link.url.0}</pre>
        </section>
    }
    .into_any()
}

fn begin_code(consent: &Consent) -> AnyView {
    let text = if consent.device.is_some() { t!(consent.device_again) } else { t!(consent.device_begin) };
    let fields = vec![("consent_id", consent.id.to_string())];
    let class = if consent.device.is_some() || consent.state == ConsentState::Valid { "" } else { "primary" };
    view! { <PostButton action=BeginDeviceConsent::url() fields text class/> }.into_any()
}

/// The code that was given, for as long as it can be used.
fn code(consent: &Consent) -> AnyView {
    let code = consent.device.clone().map(|device| {
        let here = consent.path();
        view! {
            <section class="notice block" aria-labelledby="code">
                <h3 id="code">{t!(consent.device_hint)}</h3>
                <p><a href=device.verification_url.clone() target="_blank" rel="noopener noreferrer">{device.verification_url.clone()}</a></p>
                <pre class="sample code" tabindex="0" aria-labelledby="code">{device.user_code}</pre>
                <p>{t!(consent.device_until)}" "<At at=device.expires_at/>". "{t!(consent.device_wait)}</p>
                <p><a class="button primary" href=here>{t!(consent.reload)}</a></p>
            </section>
        }
    });
    code.into_any()
}

fn by_administrator(consent: &Consent) -> AnyView {
    let domain = consent.domain.clone().unwrap_or_default();
    match consent.provider {
        OauthProvider::Microsoft => view! {
            <p>{t!(consent.go_admin_hint, domain = domain).to_string()}</p>
            {start_link(consent, t!(consent.go_admin))}
        }
        .into_any(),
        _ => view! { <p>{t!(consent.client_hint)}</p> }.into_any(),
    }
}

fn by_delegation(consent: &Consent, client_id: Option<String>) -> AnyView {
    if consent.provider != OauthProvider::Google {
        return view! { <p>{t!(consent.client_hint)}</p> }.into_any();
    }
    let domain = consent.domain.clone().unwrap_or_default();
    view! {
        <p>{t!(consent.service_hint, domain = domain).to_string()}</p>
        <dl class="facts wide">
            {client_id.map(|id| view! { <Fact name=t!(oauth.client_id)><span class="path">{id}</span></Fact> })}
            <Fact name=t!(oauth.scopes)><span class="path">{GOOGLE_SCOPE}</span></Fact>
        </dl>
    }
    .into_any()
}

/// The applications and ways to choose from.
pub(super) fn choices(apps: &[OauthApp], for_all: bool) -> Vec<(String, String)> {
    let of = |app: &OauthApp| {
        let ways = app.ways.iter().filter(|way| way.is_for_all() == for_all);
        ways.map(|way| (format!("{} {way}", app.id), format!("{} · {}", app.name, way_name(*way)))).collect::<Vec<_>>()
    };
    apps.iter().flat_map(of).collect()
}

/// There is nothing to choose from yet. The way to the applications is shown to those who may register one.
pub(super) fn no_app(registers: bool) -> AnyView {
    view! {
        <Empty text=t!(consent.no_app)>
            {registers.then(|| view! { <p><a class="button small" href="/settings/oauth">{t!(consent.no_app_link)}</a></p> })}
        </Empty>
    }
    .into_any()
}

/// The fields of a form that asks for a consent.
#[component]
pub(super) fn AskFields(
    state: FormState,
    choices: Vec<(String, String)>,
    sides: Vec<MailboxSide>,
    microsoft: bool,
) -> AnyView {
    let first = choices.first().map(|(value, _)| value.clone()).unwrap_or_default();
    let side = sides.first().copied().unwrap_or(MailboxSide::Source);
    let one = sides.len() < 2;
    let options = sides.into_iter().map(|side| (side.to_string(), side_name(side).to_owned())).collect();
    view! {
        <SelectField state=state.clone() name="choice" label=t!(consent.choice) value=first options=choices required=true/>
        {if one {
            view! { <Hidden name="side" value=side.to_string()/> }.into_any()
        } else {
            view! { <SelectField state=state.clone() name="side" label=t!(consent.side) value=side.to_string() options required=true/> }.into_any()
        }}
        {microsoft.then(|| view! { <TextField state name="directory" label=t!(consent.directory_field) hint=t!(consent.directory_hint) max=253/> })}
    }
    .into_any()
}
