//! A store with a tenant, a job and a mailbox.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part, and a test may fail")]

use gatepost_contract::{FolderId, JobId, MailboxId, RunType, Security, SourceType, TenantId, Tool};
use gatepost_store::{
    Conn, Store, folders, jobs,
    mailboxes::{self, NewMailboxRow},
    messages::NewMessage,
    runs::NewRun,
    tenants,
};
use std::collections::BTreeMap;

pub const NOW: &str = "2026-11-21T04:12:00.000Z";
pub const LATER: &str = "2026-11-21T05:00:00.000Z";

pub async fn store() -> Store {
    Store::in_memory().await.unwrap()
}

pub async fn tenant(conn: &mut Conn) -> TenantId {
    match tenants::by_name(conn, "Example Ltd").await.unwrap() {
        Some(tenant) => tenant.id,
        None => tenants::insert(conn, "Example Ltd", NOW).await.unwrap(),
    }
}

pub async fn job(conn: &mut Conn, domain: &str) -> JobId {
    let new = jobs::NewJobRow {
        tenant_id: tenant(conn).await,
        ticket_id: None,
        domain: domain.into(),
        source_server_label: "the old cPanel".into(),
        notes: String::new(),
        dest_imap_host: "imap.example".into(),
        dest_imap_port: 993,
        dest_imap_security: Security::Tls,
        dest_insecure_tls: false,
    };
    jobs::insert(conn, &new, NOW).await.unwrap()
}

pub fn new_mailbox(job_id: JobId, email: &str) -> NewMailboxRow {
    NewMailboxRow {
        job_id,
        email: email.into(),
        source_type: SourceType::Imap,
        tool: Tool::Native,
        source_host: Some("old.example".into()),
        source_port: Some(993),
        source_security: Some(Security::Tls),
        source_insecure_tls: false,
        source_user: None,
        source_admin: None,
        dest_user: None,
        dest_admin: None,
        path: None,
        folder_map: BTreeMap::from([("Lixo".into(), "Trash".into())]),
    }
}

pub async fn mailbox(conn: &mut Conn, job: JobId, email: &str) -> MailboxId {
    mailboxes::insert(conn, &new_mailbox(job, email), NOW).await.unwrap()
}

pub async fn folder(conn: &mut Conn, mailbox: MailboxId) -> FolderId {
    let plan = [folders::PlannedFolder { source_path: "INBOX".into(), dest_path: "INBOX".into(), special_use: None }];
    folders::place(conn, mailbox, &plan, NOW).await.unwrap()[0].id
}

pub fn message(uid: i64) -> NewMessage {
    NewMessage { uid, size: 100 + uid, internal_date: "2020-02-29T23:59:58-03:00".into(), flags: "\\Seen".into() }
}

pub const fn sync(job_id: JobId, mailbox_id: MailboxId) -> NewRun<'static> {
    NewRun {
        job_id,
        mailbox_id: Some(mailbox_id),
        run_type: RunType::Initial,
        tool: Tool::Native,
        triggered_by: "1",
        params_json: "{}",
    }
}
