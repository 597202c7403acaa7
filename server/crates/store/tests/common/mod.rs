//! A store with a tenant, a job and a mailbox.
//!
//! On SQLite; where `GATEPOST_TEST_DATABASE` names a PostgreSQL database (`postgres://…`) that may be filled with schemas
//! and thrown away, on that.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::unwrap_used,
    reason = "each test file uses a part, and may fail"
)]

use gatepost_contract::{FolderId, JobId, MailboxId, RunType, Security, SourceType, TenantId, Tool};
use gatepost_store::{
    Conn, Store, folders, jobs,
    mailboxes::{self, NewMailboxRow},
    messages::NewMessage,
    runs::NewRun,
    tenants,
};
use sqlx::{AssertSqlSafe, Connection as _};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};

pub const NOW: &str = "2026-11-21T04:12:00.000Z";
pub const LATER: &str = "2026-11-21T05:00:00.000Z";

pub async fn store() -> Store {
    match postgres().await {
        Some(url) => Store::open(&url).await.unwrap(),
        None => Store::in_memory().await.unwrap(),
    }
}

/// The URL of an empty place in the PostgreSQL database that the tests may use: a schema of its own.
pub async fn postgres() -> Option<String> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let url = std::env::var("GATEPOST_TEST_DATABASE").ok().filter(|url| !url.is_empty())?;
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("t{}_{}_{n}", UNIX_EPOCH.elapsed().unwrap().as_micros(), std::process::id());
    sqlx::any::install_default_drivers();
    let mut conn = Conn::connect(&url).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let and = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{and}options=-csearch_path%3D{schema}"))
}

/// Tries in a transaction what may be refused, and undoes that: PostgreSQL accepts nothing more after a refusal.
macro_rules! tried {
    ($tx:expr, $call:expr) => {{
        sqlx::query("SAVEPOINT tried").execute(&mut *$tx).await.unwrap();
        let told = $call.await;
        if told.is_err() {
            sqlx::query("ROLLBACK TO SAVEPOINT tried").execute(&mut *$tx).await.unwrap();
        }
        told
    }};
}
pub(crate) use tried;

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
