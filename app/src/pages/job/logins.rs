//! The check of all log-ins of a job, as a table.

use crate::{
    components::{At, Badge, Empty, PageHead, PostButton, Shape, Table, Tone, count, head, load, param, query},
    i18n::Said,
    islands::logins::{LoginProgress, LoginWords},
    pages::job::crumbs,
    serverfns::login_check::CheckLogins,
};
use gatepost_contract::{JobId, LoginCheck, LoginCounts, LoginReport, LoginState, MailboxLogins, Phase, SourceType};
use leptos::{prelude::*, server_fn::ServerFn};

/// The page.
#[component]
pub fn ShowLogins() -> AnyView {
    let id = param::<JobId>("id", "job");
    let trouble = query("show") == "trouble";
    load(move |desk| async move {
        let id = id?;
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let report = desk.gatepost.logins(&desk.actor, id).await?;
        let counts = report.counts;
        let may = desk.actor.can_manage() && job.phase != Phase::Closed && !report.mailboxes.is_empty();
        let check = move |only: &str, text: &'static str, class: &'static str| {
            let fields = vec![("job_id", id.to_string()), ("only", only.to_owned())];
            view! { <PostButton action=CheckLogins::url() fields text class/> }
        };
        let again = counts.bad + counts.held + counts.unchecked > 0 && counts.good + counts.bad + counts.held > 0;
        Ok(view! {
            <PageHead title=t!(logins.title).to_owned() up=crumbs(&job)>
                {(may && counts.open == 0).then(|| check("all", t!(logins.check_all), "small primary"))}
                {(may && counts.open == 0 && again).then(|| check("failed", t!(logins.check_failed), "small"))}
            </PageHead>
            <p class="lead">{t!(logins.lead)}</p>
            {summary(id, counts)}
            {table(id, report, trouble)}
        }
        .into_any())
    })
}

/// How far the check is, and how it went.
fn summary(id: JobId, counts: LoginCounts) -> AnyView {
    if counts.open > 0 {
        let words = LoginWords {
            at_work: t!(logins.at_work, open = "{open}", total = "{total}"),
            label: t!(logins.progress).to_owned(),
        };
        return view! {
            <section aria-label=t!(logins.progress)>
                <LoginProgress job=id counts words/>
                <noscript><p><a class="button small" href=format!("/jobs/{id}/logins")>{t!(form.reload)}</a></p></noscript>
            </section>
        }
        .into_any();
    }
    if counts.good + counts.bad + counts.held == 0 {
        return ().into_any();
    }
    let class = if counts.good == counts.total { "notice good" } else { "notice warn" };
    let mut sentences = vec![t!(logins.done, good = count(counts.good), total = count(counts.total))];
    if counts.bad > 0 {
        sentences.push(t!(logins.bad, count = count(counts.bad)));
    }
    if counts.held > 0 {
        sentences.push(t!(logins.held, count = count(counts.held)));
    }
    if counts.unchecked > 0 {
        sentences.push(t!(logins.unchecked, count = count(counts.unchecked)));
    }
    view! { <p class=class role="status">{sentences.join(" ")}</p> }.into_any()
}

fn table(id: JobId, report: LoginReport, trouble: bool) -> AnyView {
    if report.mailboxes.is_empty() {
        return view! { <Empty text=t!(logins.empty)/> }.into_any();
    }
    let filters = [(false, "", t!(logins.show_all)), (true, "?show=trouble", t!(logins.show_trouble))];
    let filters = filters.map(|(of, query, text)| {
        let here = (of == trouble).then_some("page");
        view! { <li><a href=format!("/jobs/{id}/logins{query}") aria-current=here>{text}</a></li> }
    });
    let heads = vec![head(t!(mailbox.email)), head(t!(logins.source)), head(t!(logins.dest))];
    let shown: Vec<MailboxLogins> = report.mailboxes.into_iter().filter(|one| !trouble || is_trouble(one)).collect();
    let empty = shown.is_empty();
    let rows = shown.into_iter().map(row).collect_view().into_any();
    view! {
        <nav class="tabs" aria-label=t!(logins.show)><ul>{filters.collect_view()}</ul></nav>
        {if empty {
            view! { <Empty text=t!(logins.no_trouble)/> }.into_any()
        } else {
            view! { <Table caption=t!(logins.title).to_owned() heads rows/> }.into_any()
        }}
    }
    .into_any()
}

fn is_trouble(one: &MailboxLogins) -> bool {
    let bad = |check: &Option<LoginCheck>| {
        check.as_ref().is_some_and(|check| matches!(check.state, LoginState::Bad | LoginState::Held))
    };
    bad(&one.source) || bad(&one.dest)
}

fn row(one: MailboxLogins) -> AnyView {
    let source_type = one.source_type;
    let source = one.source_server.unwrap_or_default();
    view! {
        <tr>
            <th scope="row" data-label=t!(mailbox.email)><a href=format!("/mailboxes/{}", one.mailbox_id)>{one.email}</a></th>
            <td data-label=t!(logins.source)>{cell(one.source, source, source_type, true)}</td>
            <td data-label=t!(logins.dest)>{cell(one.dest, one.dest_server, source_type, false)}</td>
        </tr>
    }
    .into_any()
}

fn cell(check: Option<LoginCheck>, server: String, kind: SourceType, source: bool) -> AnyView {
    let state = check.as_ref().map(|check| check.state);
    let (tone, shape, text) = match state {
        None if source && kind.is_file() => (Tone::Quiet, Shape::Dash, t!(logins.none)),
        None => (Tone::Quiet, Shape::Dot, t!(logins.unchecked_short)),
        Some(LoginState::Waiting) => (Tone::Quiet, Shape::Dot, t!(logins.waiting)),
        Some(LoginState::Checking) => (Tone::Busy, Shape::Turning, t!(logins.checking)),
        Some(LoginState::Good) => (Tone::Good, Shape::Check, t!(logins.good)),
        Some(LoginState::Bad) => (Tone::Bad, Shape::Cross, t!(logins.bad_short)),
        Some(LoginState::Held) => (Tone::Warn, Shape::Waiting, t!(logins.held_short)),
        Some(LoginState::None) => (Tone::Quiet, Shape::Dash, t!(logins.none)),
    };
    let Some(check) = check else {
        return view! { <span><Badge tone shape text/><small>{server}</small></span> }.into_any();
    };
    let good = check.folders.map(|folders| {
        let folders = t!(logins.folders, count = count(folders));
        match check.server.clone() {
            Some(server) => format!("{server}, {folders}"),
            None => folders,
        }
    });
    view! {
        <span>
            <Badge tone shape text/>
            {(check.unprotected && check.state == LoginState::Good).then(|| view! {
                " " <Badge tone=Tone::Warn shape=Shape::Warn text=t!(logins.unprotected)/>
            })}
            {check.sentence.map(|sentence| view! { <p class="note bad"><Said text=sentence/></p> })}
            {good.map(|good| view! { <small>{good}</small> })}
            <small>{server}{check.checked_at.map(|at| view! { " · " <At at/> })}</small>
        </span>
    }
    .into_any()
}
