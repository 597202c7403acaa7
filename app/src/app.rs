//! The app: every route, and who may see which without a log-in.

use crate::{components::Frame, context, pages};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route, Router},
    path,
};

/// Pages that need no log-in.
const OPEN: [&str; 2] = ["/login", "/setup"];

/// All pages. Each is rendered whole before its first byte is sent, so that its status and redirects are right and
/// nothing is left for a script to fill in.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    send_to_login();
    let all = SsrMode::Async;
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Gatepost".to_owned() } else { format!("{title} · Gatepost") }/>
        <Router>
            <Frame>
                <FlatRoutes fallback=pages::not_found>
                    <Route path=path!("/") view=pages::overview::Overview ssr=all.clone()/>
                    <Route path=path!("/login") view=pages::session::LogInPage ssr=all.clone()/>
                    <Route path=path!("/setup") view=pages::session::SetUpPage ssr=all.clone()/>
                    <Route path=path!("/tickets") view=pages::ticket::list::TicketList ssr=all.clone()/>
                    <Route path=path!("/tickets/new") view=pages::ticket::new::NewTicket ssr=all.clone()/>
                    <Route path=path!("/tickets/:id") view=pages::ticket::show::ShowTicket ssr=all.clone()/>
                    <Route path=path!("/jobs") view=pages::job::list::JobList ssr=all.clone()/>
                    <Route path=path!("/jobs/new") view=pages::job::new::NewJob ssr=all.clone()/>
                    <Route path=path!("/jobs/:id") view=pages::job::show::ShowJob ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/edit") view=pages::job::edit::EditJob ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/mailboxes/new") view=pages::mailbox::new::NewMailbox ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/import") view=pages::mailbox::import::ImportMailboxes ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/import/:preview") view=pages::mailbox::preview::PreviewImport ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/discover") view=pages::job::discover::DiscoverServer ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/logins") view=pages::job::logins::ShowLogins ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/evidence") view=pages::job::evidence::ShowEvidence ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/residue") view=pages::job::residue::ShowResidue ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/quarantine") view=pages::job::quarantine::ShowQuarantine ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/messages/:message") view=pages::job::message::ShowMessage ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/timeline") view=pages::job::timeline::ShowTimeline ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/schedule") view=pages::job::schedule::ShowSchedule ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/report") view=pages::job::report::ShowReport ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/cutover") view=pages::job::cutover::ShowCutover ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/approve") view=pages::job::approve::ApproveJob ssr=all.clone()/>
                    <Route path=path!("/mailboxes/:id") view=pages::mailbox::show::ShowMailbox ssr=all.clone()/>
                    <Route path=path!("/mailboxes/:id/files") view=pages::mailbox::files::MailboxFiles ssr=all.clone()/>
                    <Route path=path!("/mailboxes/:id/files/:file") view=pages::mailbox::inspect::InspectFile ssr=all.clone()/>
                    <Route path=path!("/mailboxes/:id/consent") view=pages::oauth::mailbox::MailboxConsent ssr=all.clone()/>
                    <Route path=path!("/jobs/:id/consents") view=pages::oauth::job::JobConsents ssr=all.clone()/>
                    <Route path=path!("/settings/oauth") view=pages::oauth::list::OauthAppList ssr=all.clone()/>
                    <Route path=path!("/settings/oauth/:id") view=pages::oauth::show::ShowOauthApp ssr=all.clone()/>
                    <Route path=path!("/runs/:id") view=pages::run::ShowRun ssr=all.clone()/>
                    <Route path=path!("/waves") view=pages::wave::list::WaveList ssr=all.clone()/>
                    <Route path=path!("/waves/:id") view=pages::wave::show::ShowWave ssr=all.clone()/>
                    <Route path=path!("/waves/:id/join") view=pages::wave::join::JoinPage ssr=all.clone()/>
                    <Route path=path!("/schedules") view=pages::schedule::list::ScheduleList ssr=all.clone()/>
                    <Route path=path!("/tenants") view=pages::tenant::TenantList ssr=all.clone()/>
                    <Route path=path!("/audit") view=pages::audit::AuditLog ssr=all.clone()/>
                    <Route path=path!("/webhooks") view=pages::webhook::list::WebhookList ssr=all.clone()/>
                    <Route path=path!("/webhooks/:id") view=pages::webhook::show::ShowWebhook ssr=all.clone()/>
                    <Route path=path!("/users") view=pages::user::UserList ssr=all.clone()/>
                    <Route path=path!("/tokens") view=pages::token::TokenList ssr=all/>
                </FlatRoutes>
            </Frame>
        </Router>
    }
}

/// Sends somebody without a log-in to the log-in, which leads back here.
fn send_to_login() {
    let Some(path) = context::path() else { return };
    if context::actor().is_none() && !OPEN.contains(&path.as_str()) {
        let here = context::here();
        let next = if here == "/" { String::new() } else { format!("?next={}", context::encode(&here)) };
        context::header("location", &format!("/login{next}"));
        context::status(303);
    }
}
