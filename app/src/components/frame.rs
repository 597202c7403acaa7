//! The frame around every page: skip link, navigation, content, and the account and choices after it.

use super::{Icon, Shape};
use crate::{
    components::Hidden,
    context,
    i18n::{self, Locale, names},
    islands::theme::{ThemeToggle, ThemeWords},
    serverfns::{preferences::SetLanguage, session::LogOut},
    shell,
};
use gatepost_core::Actor;
use leptos::{prelude::*, server_fn::ServerFn};

/// The frame. Without a log-in it has no navigation.
#[component]
pub fn Frame(children: Children) -> AnyView {
    let actor = context::actor();
    let class = if actor.is_some() { "frame" } else { "frame alone" };
    view! {
        <a class="skip" href="#main">{t!(nav.skip)}</a>
        <div class=class>
            <header class="side">
                <a class="brand" href="/">
                    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
                        <path d="M6 29V5M26 29V5M6 11h20M6 18h20M6 25h20M13 11v14M19 11v14"></path>
                    </svg>
                    "Gatepost"
                </a>
                {actor.clone().map(|actor| view! { <Navigation actor/> })}
            </header>
            <main id="main" tabindex="-1">{children()}</main>
            <footer class="choices" aria-label=t!(nav.choices)>
                {actor.map(|actor| view! { <Account actor/> })}
                <Language/>
                <ThemeToggle
                    now=shell::theme().to_owned()
                    here=context::here()
                    words=ThemeWords {
                        label: t!(theme.label).to_owned(),
                        auto: t!(theme.auto).to_owned(),
                        light: t!(theme.light).to_owned(),
                        dark: t!(theme.dark).to_owned(),
                    }
                />
            </footer>
        </div>
    }
    .into_any()
}

#[component]
fn Navigation(actor: Actor) -> AnyView {
    let path = context::path().unwrap_or_default();
    let mut items = vec![
        ("/", Shape::Home, t!(nav.overview)),
        ("/tickets", Shape::Ticket, t!(nav.tickets)),
        ("/jobs", Shape::Move, t!(nav.jobs)),
        ("/waves", Shape::Wave, t!(nav.waves)),
        ("/schedules", Shape::Clock, t!(nav.schedules)),
        ("/tenants", Shape::People, t!(nav.tenants)),
    ];
    if actor.can_approve() {
        items.push(("/audit", Shape::Scroll, t!(nav.audit)));
        items.push(("/settings/oauth", Shape::Lock, t!(nav.oauth)));
    }
    if actor.is_admin() {
        items.push(("/users", Shape::People, t!(nav.users)));
        items.push(("/tokens", Shape::Key, t!(nav.tokens)));
        items.push(("/webhooks", Shape::Bell, t!(nav.webhooks)));
    }
    let items = items.into_iter().map(|(href, shape, text)| {
        let within = path == href || (href != "/" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')));
        // A mailbox and a run belong to a job.
        let within = within || (href == "/jobs" && (path.starts_with("/mailboxes/") || path.starts_with("/runs/")));
        let current = within.then_some(if path == href { "page" } else { "true" });
        view! { <li><a href=href aria-current=current><Icon shape/>{text}</a></li> }
    });
    view! { <nav class="main-nav" aria-label=t!(nav.label)><ul>{items.collect_view()}</ul></nav> }.into_any()
}

#[component]
fn Account(actor: Actor) -> AnyView {
    let name = match &actor {
        Actor::User { name, .. } => name.clone(),
        other => other.label(),
    };
    view! {
        <div class="account">
            <p><b>{name}</b><span>{actor.role().map(names::role)}</span></p>
            <form method="post" action=LogOut::url() class="inline">
                <button type="submit" class="button quiet small"><Icon shape=Shape::Leave/>{t!(nav.log_out)}</button>
            </form>
        </div>
    }
    .into_any()
}

#[component]
fn Language() -> AnyView {
    let now = i18n::locale();
    let choices = [(Locale::en, "en", "English"), (Locale::pt_BR, "pt-BR", "Português")];
    view! {
        <form method="post" action=SetLanguage::url() class="segmented" aria-label=t!(nav.language)>
            <Hidden name="next" value=context::here()/>
            {choices
                .map(|(locale, code, text)| {
                    let pressed = if locale == now { "true" } else { "false" };
                    view! { <button type="submit" name="language" value=code lang=code aria-pressed=pressed>{text}</button> }
                })
                .collect_view()}
        </form>
    }
    .into_any()
}
