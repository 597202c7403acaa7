//! What every page has: its title, its heading, what happened just before, and what to show when it cannot be shown.

use super::{Icon, Shape, count, field_id, percent};
use crate::{
    context::{self, Desk},
    flash::Flash,
    i18n::{Said, names, said},
};
use gatepost_contract::Problem;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use std::{future::Future, str::FromStr};

/// Renders what a page loads, or why it cannot be shown, with the right status. Nothing without a log-in: the app
/// has sent the browser there already.
pub fn load<F>(page: impl FnOnce(Desk) -> F) -> AnyView
where
    F: Future<Output = Result<AnyView, Problem>> + Send + 'static,
{
    match context::desk() {
        Ok(desk) => {
            let page = page(desk);
            Suspend::new(async move { page.await.unwrap_or_else(refused) }).into_any()
        }
        Err(_) => ().into_any(),
    }
}

/// A page that cannot be shown.
pub fn refused(problem: Problem) -> AnyView {
    context::status(problem.status);
    let title = match problem.status {
        403 => t!(problem.forbidden),
        404 => t!(problem.not_found),
        429 => t!(problem.too_many),
        _ => t!(problem.internal),
    };
    view! {
        <Title text=title/>
        <section class="refused">
            <p class="status">{problem.status}</p>
            <h1>{title}</h1>
            <p><Said text=problem.detail/></p>
            <p><a class="button" href="/">{t!(problem.home)}</a></p>
        </section>
    }
    .into_any()
}

/// A part of the path; a malformed one is a thing that does not exist.
pub fn param<T: FromStr>(name: &str, what: &str) -> Result<T, Problem> {
    let text = use_params_map().with_untracked(|params| params.get(name));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Problem::not_found(what))
}

/// A value of the query; empty where it is not there.
pub fn query(name: &str) -> String {
    use_query_map().with_untracked(|query| query.get(name)).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// A value of the query that is one of a set; none where it is not there or makes no sense.
pub fn query_as<T: FromStr>(name: &str) -> Option<T> {
    query(name).parse().ok()
}

/// The page and order that a list is asked for.
pub fn page_query() -> gatepost_contract::PageQuery {
    let sort = query("sort");
    gatepost_contract::PageQuery {
        page: query_as("page").unwrap_or(1).max(1),
        sort: (!sort.is_empty()).then_some(sort),
        ..Default::default()
    }
}

/// The top of a page: where it is, its heading, its buttons, and what happened just before.
#[component]
pub fn PageHead(
    /// The page's title, which is also its heading.
    title: String,
    /// The pages above this one: address and name.
    #[prop(optional)]
    up: Vec<(String, String)>,
    /// Buttons and badges beside the heading.
    #[prop(optional)]
    children: Option<Children>,
) -> AnyView {
    let heading = title.clone();
    let up = (!up.is_empty()).then(|| {
        let links = up.into_iter().map(|(href, name)| view! { <li><a href=href>{name}</a></li> }).collect_view();
        view! { <nav class="crumbs" aria-label=t!(nav.crumbs)><ol>{links}</ol></nav> }
    });
    view! {
        <Title text=title/>
        <header class="page-head">
            {up}
            <div class="line">
                <h1>{heading}</h1>
                {children.map(|children| view! { <div class="actions">{children()}</div> })}
            </div>
        </header>
        <Happened/>
    }
    .into_any()
}

/// A refusal or a success of the form that was posted just before.
#[component]
pub fn Happened() -> AnyView {
    let refusal = Flash::current().map(|flash| view! { <Refusal problem=flash.problem/> });
    let notice = refusal.is_none().then(notice).flatten().map(|text| {
        view! { <p class="notice good" role="status"><Icon shape=Shape::Check/>{text}</p> }
    });
    view! { {refusal} {notice} }.into_any()
}

/// Why a form was refused. It takes the focus, so that it is read first.
#[component]
pub fn Refusal(problem: Problem) -> AnyView {
    let heading = match problem.status {
        400 | 422 => t!(problem.invalid),
        403 => t!(problem.forbidden),
        409 => t!(problem.conflict),
        429 => t!(problem.too_many),
        _ => t!(problem.refused),
    };
    let fields = (!problem.errors.is_empty()).then(|| {
        let items = problem.errors.iter().map(|error| {
            let href = format!("#{}", field_id(error.field.split('.').next().unwrap_or(&error.field)));
            let text = format!("{}: {}", names::field(&error.field), said(&error.message));
            if error.field.starts_with("line ") {
                view! { <li>{text}</li> }.into_any()
            } else {
                view! { <li><a href=href>{text}</a></li> }.into_any()
            }
        });
        view! { <ul>{items.collect_view()}</ul> }
    });
    // One wrong field is named as its label, not as programs know it.
    let detail = match problem.errors.as_slice() {
        [one] => format!("{}: {}", names::field(&one.field), said(&one.message)),
        _ => said(&problem.detail),
    };
    let checks = (!problem.checks.is_empty()).then(|| {
        let items = problem.checks.iter().map(|check| {
            view! { <li><b>{names::check(check.check_id)}</b>": "<Said text=check.message.clone()/></li> }
        });
        view! { <ul>{items.collect_view()}</ul> }
    });
    let changes = (!problem.changes.is_empty()).then(|| {
        let items = problem.changes.iter().map(|change| {
            let (seen, now) = (figure(&change.figure, &change.seen), figure(&change.figure, &change.now));
            view! { <li><b>{names::figure(&change.figure)}</b>": "{seen}" → "{now}</li> }
        });
        view! { <p>{t!(approval.changed_since)}":"</p><ul>{items.collect_view()}</ul> }
    });
    view! {
        <div class="notice bad" role="alert" tabindex="-1" autofocus=true id="refusal">
            <h2><Icon shape=Shape::Warn/>{heading}</h2>
            <p>{detail}</p>
            {fields}
            {checks}
            {changes}
        </div>
    }
    .into_any()
}

/// A figure of an approval, written as people read it.
fn figure(name: &str, value: &serde_json::Number) -> String {
    match value.as_i64() {
        Some(number) if name != "worst_ratio" => count(number),
        _ => percent(value.as_f64().unwrap_or(0.0) * 100.0),
    }
}

/// The text of `?notice=`; unknown ones are nothing.
fn notice() -> Option<&'static str> {
    Some(match query("notice").as_str() {
        "approved" => t!(notice.approved),
        "cancelled" => t!(notice.cancelled),
        "created" => t!(notice.created),
        "consent_asked" => t!(consent.notice_asked),
        "consent_checked" => t!(consent.notice_checked),
        "consent_code" => t!(consent.notice_code),
        "consent_withdrawn" => t!(consent.notice_withdrawn),
        "consented" => t!(consent.notice_given),
        "deleted" => t!(notice.deleted),
        "dns_applied" => t!(notice.dns_applied),
        "dns_read" => t!(notice.dns_read),
        "file_deleted" => t!(upload.deleted),
        "file_taken" => t!(upload.taken),
        "imported" => t!(notice.imported),
        "link_revoked" => t!(notice.link_revoked),
        "logged_out" => t!(notice.logged_out),
        "paused" => t!(notice.paused),
        "oauth_app_created" => t!(oauth.created),
        "oauth_app_deleted" => t!(oauth.deleted),
        "report_attached" => t!(notice.report_attached),
        "resumed" => t!(notice.resumed),
        "retried" => t!(notice.retried),
        "revoked" => t!(notice.revoked),
        "saved" => t!(notice.saved),
        "schedule_cleared" => t!(notice.schedule_cleared),
        "started" => t!(notice.started),
        "waived" => t!(notice.waived),
        "waived_many" => t!(notice.waived_many),
        "wave_created" => t!(notice.wave_created),
        "wave_deleted" => t!(notice.wave_deleted),
        "wave_joined" => t!(notice.wave_joined),
        "wave_left" => t!(notice.wave_left),
        "webhook_created" => t!(notice.webhook_created),
        "webhook_deleted" => t!(notice.webhook_deleted),
        "webhook_replayed" => t!(notice.webhook_replayed),
        "webhook_secret" => t!(notice.webhook_secret),
        "webhook_tested" => t!(notice.webhook_tested),
        "welcome" => t!(notice.welcome),
        "withdrawn" => t!(notice.withdrawn),
        _ => return None,
    })
}

/// The same as [`load`] for a page that needs no log-in.
pub fn load_open<F>(page: impl FnOnce(gatepost_core::Gatepost) -> F) -> AnyView
where
    F: Future<Output = Result<AnyView, Problem>> + Send + 'static,
{
    match context::gatepost() {
        Ok(gatepost) => {
            let page = page(gatepost);
            Suspend::new(async move { page.await.unwrap_or_else(refused) }).into_any()
        }
        Err(_) => ().into_any(),
    }
}
