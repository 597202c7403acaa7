//! The Desk's tables: names taken, lists in pages, filters, order.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, job, mailbox, new_mailbox, store, sync, tenant, tried};
use gatepost_contract::{
    Check, CheckId, CheckStatus, EventId, EvidenceId, Gate, JobFilter, JobId, Level, PageQuery, Phase, Role, RunStatus,
    Scope, TenantId, TicketFilter, TicketId, UserId,
};
use gatepost_store::{
    Error, attachments, credentials, events,
    events::NewEvent,
    gate_checks, jobs,
    jobs::ApprovalRow,
    mailboxes::{self, Side},
    phase_history, reports, runs, sessions, settings, steps, tenants, tickets, tokens, users,
};

fn sorted(by: &str) -> PageQuery {
    PageQuery { sort: Some(by.into()), ..PageQuery::default() }
}

#[tokio::test]
async fn names_and_addresses_are_taken_in_any_case() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let id = tenant(&mut tx).await;
    let taken = tried!(tx, tenants::insert(&mut tx, "EXAMPLE ltd", NOW));
    assert!(matches!(taken, Err(Error::Exists { what: "tenant" })), "{taken:?}");
    let other = tenants::insert(&mut tx, "Other", NOW).await.unwrap();
    assert!(matches!(tried!(tx, tenants::rename(&mut tx, other, "example LTD", NOW)), Err(Error::Exists { .. })));
    tenants::rename(&mut tx, id, "EXAMPLE Ltd", NOW).await.unwrap();
    assert!(matches!(tenants::rename(&mut tx, TenantId(99), "x", NOW).await, Err(Error::Missing("tenant"))));
    users::insert(&mut tx, "ana@example.org", "Ana", Role::Technician, "h", NOW).await.unwrap();
    let taken = tried!(tx, users::insert(&mut tx, "ANA@example.org", "Ana", Role::Technician, "h", NOW));
    assert!(matches!(taken, Err(Error::Exists { what: "user" })), "{taken:?}");
    let job = job(&mut tx, "example.org").await;
    mailbox(&mut tx, job, "a@example.org").await;
    let taken = tried!(tx, mailboxes::insert(&mut tx, &new_mailbox(job, "A@example.org"), NOW));
    assert!(matches!(taken, Err(Error::Exists { what: "mailbox" })), "{taken:?}");
    let orphan = tried!(tx, mailboxes::insert(&mut tx, &new_mailbox(JobId(99), "a@example.org"), NOW));
    assert!(matches!(orphan, Err(Error::Missing("job"))), "{orphan:?}");
    assert_eq!(jobs::get(&mut tx, job).await.unwrap().unwrap().mailboxes, 1);
}

#[tokio::test]
async fn a_users_generation_rises_only_when_sessions_end() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let id = users::insert(&mut tx, "ana@example.org", "Ana", Role::SuperAdmin, "hash-1", NOW).await.unwrap();
    assert_eq!(users::active_admins(&mut tx).await.unwrap(), 1);
    users::update(&mut tx, id, "Ana B", Role::SuperAdmin, false, None, false, LATER).await.unwrap();
    let account = users::with_secrets(&mut tx, id).await.unwrap().unwrap();
    assert_eq!(
        (account.generation, account.password_hash.as_str(), account.user.name.as_str()),
        (0, "hash-1", "Ana B")
    );
    users::update(&mut tx, id, "Ana B", Role::OpsLead, true, Some("hash-2"), true, LATER).await.unwrap();
    let account = users::by_email(&mut tx, "Ana@Example.org").await.unwrap().unwrap();
    assert_eq!((account.generation, account.password_hash.as_str()), (1, "hash-2"));
    assert!(account.user.disabled && !format!("{account:?}").contains("hash-2"));
    assert_eq!(users::active_admins(&mut tx).await.unwrap(), 0);
    users::logged_in(&mut tx, id, LATER).await.unwrap();
    assert_eq!(users::get(&mut tx, id).await.unwrap().unwrap().last_login_at.as_deref(), Some(LATER));
    assert!(matches!(users::logged_in(&mut tx, UserId(9), LATER).await, Err(Error::Missing("user"))));
}

#[tokio::test]
async fn pages_and_orders_fit_together() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    for name in ["delta", "Alpha", "charlie", "Bravo", "echo"] {
        tenants::insert(&mut tx, name, NOW).await.unwrap();
    }
    for (sort, expected) in [
        (None, ["Alpha", "Bravo", "charlie", "delta", "echo"]),
        (Some("-name"), ["echo", "delta", "charlie", "Bravo", "Alpha"]),
        (Some("id"), ["delta", "Alpha", "charlie", "Bravo", "echo"]),
        (Some("-created_at"), ["echo", "Bravo", "charlie", "Alpha", "delta"]),
    ] {
        let mut seen = Vec::new();
        for page in 1..=3 {
            let query = PageQuery { page, per_page: 2, sort: sort.map(Into::into) };
            let page = tenants::list(&mut tx, &query).await.unwrap();
            assert_eq!((page.total, page.per_page, page.pages()), (5, 2, 3));
            seen.extend(page.items.into_iter().map(|t| t.name));
        }
        assert_eq!(seen, expected, "{sort:?}");
    }
    let beyond = tenants::list(&mut tx, &PageQuery { page: 99, ..PageQuery::default() }).await.unwrap();
    assert_eq!((beyond.items.len(), beyond.total), (0, 5));
    let Err(Error::Sort { allowed }) = tenants::list(&mut tx, &sorted("name; --")).await else { panic!("accepted") };
    assert_eq!(allowed, "id, name, created_at");
}

#[tokio::test]
async fn jobs_are_found_by_every_filter_and_wildcards_are_literal() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let first = job(&mut tx, "alpha.example").await;
    let second = job(&mut tx, "al_ha.example").await;
    let owner = tenant(&mut tx).await;
    let ticket = tickets::insert(&mut tx, owner, "Move 100% of alpha", "", "1", NOW).await.unwrap();
    let before = jobs::get(&mut tx, first).await.unwrap().unwrap();
    let settings = jobs::JobSettings {
        source_server_label: r"50% \o/ label".into(),
        notes: "n".into(),
        dest_imap_host: before.dest_imap_host,
        dest_imap_port: 143,
        dest_imap_security: gatepost_contract::Security::Starttls,
        dest_insecure_tls: true,
        ticket_id: Some(ticket),
    };
    jobs::update(&mut tx, first, &settings, LATER).await.unwrap();
    assert!(
        jobs::set_phase(&mut tx, first, Phase::Discovered, Phase::Failed, Some(Phase::Preflight), LATER).await.unwrap()
    );
    assert!(!jobs::set_phase(&mut tx, first, Phase::Discovered, Phase::Preflight, None, LATER).await.unwrap());
    let halfway = tried!(tx, jobs::set_phase(&mut tx, second, Phase::Discovered, Phase::Failed, None, LATER));
    assert!(matches!(halfway, Err(Error::Sql(_))), "a failed job names its phase");
    jobs::set_gate(&mut tx, second, Gate::Warning, NOW).await.unwrap();
    let q = |q: &str| JobFilter { q: Some(q.into()), ..JobFilter::default() };
    for (filter, expected) in [
        (JobFilter::default(), vec![first, second]),
        (JobFilter { domain: Some("alpha.example".into()), ..Default::default() }, vec![first]),
        (JobFilter { phase: Some(Phase::Failed), ..Default::default() }, vec![first]),
        (JobFilter { gate: Some(Gate::Warning), ..Default::default() }, vec![second]),
        (JobFilter { ticket_id: Some(ticket), ..Default::default() }, vec![first]),
        (JobFilter { tenant_id: Some(TenantId(77)), ..Default::default() }, vec![]),
        (q("ALPHA"), vec![first]),
        (q("l_h"), vec![second]),
        (q("50%"), vec![first]),
        (q("%"), vec![first]),
        (q(r"\O/"), vec![first]),
        (q("example ltd"), vec![first, second]),
        (q("ltd al_ha"), vec![second]),
        (q("' OR 1=1 --"), vec![]),
        (q("  "), vec![first, second]),
    ] {
        let page = jobs::list(&mut tx, &filter, &PageQuery::default()).await.unwrap();
        assert_eq!(page.items.iter().map(|j| j.id).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(page.total, i64::try_from(expected.len()).unwrap());
    }
    let by_domain = jobs::list(&mut tx, &JobFilter::default(), &sorted("domain")).await.unwrap();
    assert_eq!(by_domain.items[0].id, second);
    let overview = jobs::overview(&mut tx).await.unwrap();
    assert_eq!(overview.by_phase.len(), Phase::ALL.len());
    assert_eq!(overview.by_phase.iter().map(|(_, n)| n).sum::<i64>(), 2);
    assert_eq!(overview.by_gate, [(Gate::Blocked, 1), (Gate::Warning, 1), (Gate::ReadyForDns, 0)]);
    assert_eq!(overview.attention.iter().map(|j| j.id).collect::<Vec<_>>(), [first]);
    assert_eq!(overview.awaiting_approval.iter().map(|j| j.id).collect::<Vec<_>>(), [second]);
    assert_eq!(jobs::by_domain(&mut tx, "alpha.example").await.unwrap()[0].failed_phase, Some(Phase::Preflight));

    let shown = tickets::get(&mut tx, ticket).await.unwrap().unwrap().payload.unwrap();
    assert_eq!((shown.migration_job_id, shown.migration_phase), (first, Phase::Failed));
    for (words, total) in [("100%", 1), ("1_0", 0), ("alpha MOVE", 1), ("beta", 0)] {
        let filter = TicketFilter { q: Some(words.into()), ..Default::default() };
        assert_eq!(tickets::list(&mut tx, &filter, &PageQuery::default()).await.unwrap().total, total, "{words}");
    }
}

#[tokio::test]
async fn an_approval_names_its_user_and_can_be_taken_away() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let lead = users::insert(&mut tx, "lead@example.org", "Lead", Role::OpsLead, "h", NOW).await.unwrap();
    let approval = ApprovalRow {
        approved_by: lead,
        approved_at: LATER.into(),
        evidence_id: Some(EvidenceId(5)),
        signed: None,
        note: Some("fine".into()),
        override_reason: None,
    };
    assert_eq!(jobs::approval(&mut tx, job).await.unwrap(), None);
    assert!(jobs::approve(&mut tx, job, &approval, None, LATER).await.unwrap());
    assert_eq!(jobs::approval(&mut tx, job).await.unwrap(), Some(approval));
    let shown = jobs::get(&mut tx, job).await.unwrap().unwrap();
    assert_eq!((shown.approved_by, shown.approved_by_email.as_deref()), (Some(lead), Some("lead@example.org")));
    jobs::set_dns_cutover(&mut tx, job, LATER, LATER).await.unwrap();
    jobs::revoke_approval(&mut tx, job, "a check fails", LATER).await.unwrap();
    let shown = jobs::get(&mut tx, job).await.unwrap().unwrap();
    assert_eq!((shown.approved_by, shown.approved_at, shown.dns_cutover_at.as_deref()), (None, None, Some(LATER)));
}

#[tokio::test]
async fn tokens_are_found_by_hash_and_the_first_revocation_stays() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let scopes = [Scope::GateRead, Scope::DnsWrite];
    let id = tokens::insert(&mut tx, "wizard", "abc", &scopes, "1", Some(LATER), NOW).await.unwrap();
    tokens::used(&mut tx, id, NOW).await.unwrap();
    tokens::revoke(&mut tx, id, NOW).await.unwrap();
    tokens::revoke(&mut tx, id, LATER).await.unwrap();
    let token = tokens::by_hash(&mut tx, "abc").await.unwrap().unwrap();
    assert_eq!((token.id, token.scopes.as_slice(), token.revoked_at.as_deref()), (id, scopes.as_slice(), Some(NOW)));
    assert_eq!(tokens::by_hash(&mut tx, "ab").await.unwrap(), None);
    assert!(matches!(
        tried!(tx, tokens::insert(&mut tx, "x", "abc", &scopes, "1", None, NOW)),
        Err(Error::Exists { .. })
    ));
    assert_eq!(tokens::list(&mut tx, &PageQuery::default()).await.unwrap().items, [token]);
}

#[tokio::test]
async fn a_session_lasts_until_its_end() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    assert!(sessions::create(&mut tx, "a", b"1", 100).await.unwrap());
    assert!(!sessions::create(&mut tx, "a", b"2", 100).await.unwrap());
    assert_eq!(sessions::load(&mut tx, "a", 99).await.unwrap().unwrap().data, b"1");
    assert_eq!(sessions::load(&mut tx, "a", 100).await.unwrap(), None);
    sessions::save(&mut tx, "a", b"3", 200).await.unwrap();
    sessions::save(&mut tx, "b", b"4", 150).await.unwrap();
    assert_eq!(sessions::delete_expired(&mut tx, 150).await.unwrap(), 1);
    assert_eq!(sessions::load(&mut tx, "a", 150).await.unwrap().unwrap().data, b"3");
    sessions::delete(&mut tx, "a").await.unwrap();
    assert_eq!(sessions::load(&mut tx, "a", 150).await.unwrap(), None);
    settings::put(&mut tx, "k", "1", NOW).await.unwrap();
    settings::delete(&mut tx, "k").await.unwrap();
    assert_eq!(settings::get(&mut tx, "k").await.unwrap(), None);
}

#[tokio::test]
async fn secrets_go_with_their_mailbox_and_are_never_printed() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "a@example.org").await;
    credentials::put(&mut tx, "u-1", mailbox, b"sealed", None, NOW).await.unwrap();
    mailboxes::set_credentials(&mut tx, mailbox, Side::Dest, Some("u-1"), NOW).await.unwrap();
    let shown = mailboxes::get(&mut tx, mailbox).await.unwrap().unwrap();
    assert_eq!((shown.has_source_secret, shown.has_dest_secret), (false, true));
    assert_eq!(shown.folder_map["Lixo"], "Trash");
    let refs = mailboxes::refs(&mut tx, mailbox).await.unwrap().unwrap();
    assert_eq!((refs.source_credentials, refs.dest_credentials.as_deref()), (None, Some("u-1")));
    credentials::replace(&mut tx, "u-1", b"sealed anew").await.unwrap();
    let all = credentials::all(&mut tx).await.unwrap();
    assert!(all[0].secret_blob == b"sealed anew" && !format!("{all:?}").contains("sealed"));
    mailboxes::delete(&mut tx, mailbox).await.unwrap();
    assert_eq!(credentials::get(&mut tx, "u-1").await.unwrap(), None);
}

#[tokio::test]
async fn steps_and_log_of_a_run_keep_their_order() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "a@example.org").await;
    let run = runs::enqueue(&mut tx, &sync(job, mailbox), NOW).await.unwrap();
    let step = |position, status| steps::NewStep {
        position,
        kind: "folder".into(),
        name: format!("f{position}"),
        status,
        done: position,
        total: 10,
        bytes_done: 0,
        bytes_total: 0,
        note: None,
        started_at: Some(NOW.into()),
        finished_at: None,
    };
    for (position, status) in [(2, RunStatus::Queued), (1, RunStatus::Running), (1, RunStatus::Success)] {
        steps::put(&mut tx, run, &step(position, status)).await.unwrap();
    }
    steps::end_open(&mut tx, run, RunStatus::Failed, LATER).await.unwrap();
    let seen: Vec<_> = steps::list(&mut tx, run).await.unwrap().into_iter().map(|s| (s.position, s.status)).collect();
    assert_eq!(seen, [(1, RunStatus::Success), (2, RunStatus::Failed)]);

    let lines: Vec<_> = (0..120)
        .map(|n| NewEvent {
            at: NOW.into(),
            level: Level::Info,
            kind: "message".into(),
            message: format!("line {n}\0"),
        })
        .collect();
    events::add(&mut tx, run, &lines).await.unwrap();
    events::add(&mut tx, run, &[]).await.unwrap();
    let mut after: Option<EventId> = None;
    let mut read = Vec::new();
    loop {
        let page = events::list(&mut tx, run, after, 50).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        read.extend(page.into_iter().map(|e| e.message));
    }
    assert_eq!(read, (0..120).map(|n| format!("line {n}\u{fffd}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn checks_are_replaced_and_phases_are_added() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let check = |check_id, status, at: &str| Check { check_id, status, message: "m".into(), checked_at: at.into() };
    let first =
        [check(CheckId::ManualApproval, CheckStatus::Warn, NOW), check(CheckId::CountRatio, CheckStatus::Fail, NOW)];
    gate_checks::put(&mut tx, job, &first).await.unwrap();
    gate_checks::put(&mut tx, job, &[check(CheckId::CountRatio, CheckStatus::Pass, LATER)]).await.unwrap();
    let seen: Vec<_> =
        gate_checks::list(&mut tx, job).await.unwrap().into_iter().map(|c| (c.check_id, c.status)).collect();
    assert_eq!(seen, [(CheckId::CountRatio, CheckStatus::Pass), (CheckId::ManualApproval, CheckStatus::Warn)]);
    phase_history::add(&mut tx, job, Phase::Discovered, Phase::Preflight, "1", "started", NOW).await.unwrap();
    phase_history::add(&mut tx, job, Phase::Preflight, Phase::Failed, "worker", "failed", LATER).await.unwrap();
    let seen: Vec<_> = phase_history::list(&mut tx, job).await.unwrap().into_iter().map(|c| c.to).collect();
    assert_eq!(seen, [Phase::Preflight, Phase::Failed]);
}

#[tokio::test]
async fn reports_of_one_edition_that_were_looked_at_do_not_push_those_of_the_other_out() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let made = |edition: &str, digest: &str, attached: bool| reports::ReportRow {
        generated_at: NOW.into(),
        edition: edition.into(),
        evidence_id: None,
        digest: digest.into(),
        signature: "{}".into(),
        made_by: "1".into(),
        attached_at: attached.then(|| NOW.into()),
        automatic: false,
    };
    reports::add(&mut tx, job, &made("full", "f1", true)).await.unwrap();
    reports::add(&mut tx, job, &made("full", "f2", false)).await.unwrap();
    for digest in ["c1", "c2", "c3"] {
        reports::add(&mut tx, job, &made("customer", digest, false)).await.unwrap();
        reports::forget(&mut tx, job, "customer", 2).await.unwrap();
    }
    for (edition, digest, kept) in [
        ("full", "f1", true),
        ("full", "f2", true),
        ("customer", "c1", false),
        ("customer", "c2", true),
        ("customer", "c3", true),
    ] {
        assert_eq!(reports::find(&mut tx, job, edition, digest).await.unwrap().is_some(), kept, "{digest}");
    }
}

#[tokio::test]
async fn an_attachment_is_found_on_its_own_ticket_only() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let owner = tenant(&mut tx).await;
    let ticket = tickets::insert(&mut tx, owner, "Move", "", "1", NOW).await.unwrap();
    let other = tickets::insert(&mut tx, owner, "Other", "", "1", NOW).await.unwrap();
    let new = attachments::NewAttachment {
        name: "report.pdf",
        media_type: "application/pdf",
        digest: "d",
        content: b"\0\x01%PDF",
        created_by: "1",
    };
    let id = attachments::add(&mut tx, ticket, &new, NOW).await.unwrap();
    assert!(matches!(tried!(tx, attachments::add(&mut tx, TicketId(99), &new, NOW)), Err(Error::Missing("ticket"))));
    let (shown, content) = attachments::get(&mut tx, ticket, id).await.unwrap().unwrap();
    assert_eq!((shown.size, content.as_slice()), (6, b"\0\x01%PDF".as_slice()));
    assert_eq!(attachments::get(&mut tx, other, id).await.unwrap(), None);
    let held = (attachments::count(&mut tx, ticket).await.unwrap(), attachments::count(&mut tx, other).await.unwrap());
    assert_eq!(held, (1, 0));
    assert_eq!(tickets::get(&mut tx, ticket).await.unwrap().unwrap().attachments, [shown]);
    tickets::update(&mut tx, other, "Other", "b", "closed", LATER).await.unwrap();
    let closed = TicketFilter { status: Some("closed".into()), ..Default::default() };
    assert_eq!(tickets::list(&mut tx, &closed, &PageQuery::default()).await.unwrap().items[0].id, other);
    assert!(matches!(tickets::insert(&mut tx, TenantId(99), "x", "", "1", NOW).await, Err(Error::Missing("tenant"))));
}
