//! What hosts were asked for, and a database from before there were budgets.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW};
use gatepost_contract::{MailboxId, Progress, RunId};
use gatepost_store::{
    Store,
    budgets::{self, Usage},
    mailboxes, runs,
};
use sqlx::{Connection, migrate::Migrator};
use std::{fs, path::Path};

const TODAY: &str = "2026-11-21";

#[tokio::test]
async fn spending_adds_up_by_host_and_day() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    let down = |bytes| Usage { downloaded: bytes, uploaded: 0 };
    let up = |bytes| Usage { downloaded: 0, uploaded: bytes };
    assert_eq!(budgets::usage(&mut tx, "a", TODAY).await.unwrap(), Usage::default());
    assert_eq!(budgets::spend(&mut tx, "a", TODAY, down(5)).await.unwrap(), down(5));
    let both = Usage { downloaded: 5, uploaded: 7 };
    assert_eq!(budgets::spend(&mut tx, "a", TODAY, up(7)).await.unwrap(), both);
    budgets::spend(&mut tx, "b", TODAY, down(100)).await.unwrap();
    budgets::spend(&mut tx, "a", "2026-11-20", down(9)).await.unwrap();
    assert_eq!(budgets::usage(&mut tx, "a", TODAY).await.unwrap(), both);
    let today = budgets::usage_of_day(&mut tx, TODAY).await.unwrap();
    assert_eq!(today, [("b".to_owned(), down(100)), ("a".to_owned(), both)]);
    assert_eq!(budgets::forget_before(&mut tx, TODAY).await.unwrap(), 1);
    assert_eq!(budgets::usage(&mut tx, "a", TODAY).await.unwrap(), both);
}

#[tokio::test]
async fn only_those_count_that_were_heard_of_lately() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    for (host, worker, now, count) in [
        ("a", "x", 100, 1),
        ("a", "y", 110, 2),
        ("b", "x", 110, 1),
        ("a", "y", 120, 2),
        ("a", "y", 140, 1),
        ("a", "x", 141, 2),
    ] {
        let at_work = budgets::at_work(&mut tx, host, worker, now, now - 30).await.unwrap();
        assert_eq!(at_work, count, "{worker} at {now}");
    }
}

/// A database as the migrations up to this one left it.
async fn database_of(version: usize, file: &Path) -> sqlx::AnyConnection {
    sqlx::any::install_default_drivers();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations/sqlite");
    let old = tempfile::tempdir().unwrap();
    let mut names: Vec<_> = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in &names[..version] {
        fs::copy(path, old.path().join(path.file_name().unwrap())).unwrap();
    }
    let mut conn = sqlx::AnyConnection::connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    Migrator::new(old.path()).await.unwrap().run(&mut conn).await.unwrap();
    conn
}

#[tokio::test]
async fn a_database_from_before_budgets_and_administrators_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatepost.db");
    let mut old = database_of(2, &file).await;
    for text in [
        "INSERT INTO tenants (id, name, created_at, updated_at) VALUES (1, 'T', 't', 't')",
        "INSERT INTO migration_jobs (id, tenant_id, domain, dest_imap_host, dest_imap_port, dest_imap_security,
             created_at, updated_at) VALUES (1, 1, 'a.example', 'new.example', 993, 'tls', 't', 't')",
        "INSERT INTO migration_mailboxes (id, job_id, email, source_type, source_host, source_user, created_at,
             updated_at) VALUES (1, 1, 'ana@a.example', 'imap', 'old.example', 'ana', 't', 't')",
        "INSERT INTO migration_runs (id, job_id, mailbox_id, run_type, tool, status, triggered_by, queued_at, done)
             VALUES (1, 1, 1, 'initial', 'native', 'queued', '1', 't', 7)",
    ] {
        sqlx::query(text).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();

    let store = Store::open(file.to_str().unwrap()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let mailbox = mailboxes::get(&mut tx, MailboxId(1)).await.unwrap().unwrap();
    assert_eq!((mailbox.source_user.as_deref(), mailbox.source_admin, mailbox.dest_admin), (Some("ana"), None, None));
    let run = runs::get(&mut tx, RunId(1)).await.unwrap().unwrap();
    assert_eq!((run.progress.done, run.progress.waiting), (7, None));
    let usage = Usage { downloaded: 1, uploaded: 2 };
    assert_eq!(budgets::spend(&mut tx, "old.example", TODAY, usage).await.unwrap(), usage);
}

#[tokio::test]
async fn what_a_run_waits_for_is_shown_until_it_goes_on() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    let job = common::job(&mut tx, "a.example").await;
    let mailbox = common::mailbox(&mut tx, job, "ana@a.example").await;
    runs::enqueue(&mut tx, &common::sync(job, mailbox), NOW).await.unwrap();
    let run = runs::claim(&mut tx, "w", NOW, 1_000, 60, &[]).await.unwrap().unwrap().id;
    let waiting = |text: Option<&str>| Progress { waiting: text.map(str::to_owned), ..Progress::default() };
    for text in [Some("until 22:00 UTC"), None, Some("until 23:00 UTC")] {
        assert!(runs::progress(&mut tx, run, "w", &waiting(text)).await.unwrap());
        let shown = runs::get(&mut tx, run).await.unwrap().unwrap().progress.waiting;
        assert_eq!(shown.as_deref(), text);
    }
    let end = runs::Finish {
        status: gatepost_contract::RunStatus::Success,
        exit_code: Some(0),
        stats_json: "{}",
        summary: "done",
        idle: false,
    };
    assert!(runs::finish(&mut tx, run, "w", &end, LATER).await.unwrap());
    assert_eq!(runs::get(&mut tx, run).await.unwrap().unwrap().progress.waiting, None);
}

#[tokio::test]
async fn administrators_are_kept_and_can_be_taken_away() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    let job = common::job(&mut tx, "a.example").await;
    let mut new = common::new_mailbox(job, "ana@a.example");
    new.source_admin = Some("root".into());
    let id = mailboxes::insert(&mut tx, &new, NOW).await.unwrap();
    let stored = mailboxes::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((stored.source_admin.as_deref(), stored.dest_admin.as_deref()), (Some("root"), None));
    let settings = mailboxes::MailboxSettings {
        tool: new.tool,
        source_host: new.source_host,
        source_port: new.source_port,
        source_security: new.source_security,
        source_insecure_tls: false,
        source_user: None,
        source_admin: None,
        dest_user: None,
        dest_admin: Some("cyrus".into()),
        folder_map: new.folder_map,
    };
    mailboxes::update(&mut tx, id, &settings, LATER).await.unwrap();
    let stored = mailboxes::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((stored.source_admin.as_deref(), stored.dest_admin.as_deref()), (None, Some("cyrus")));
}
