//! Databases of older versions: what was in them is in them afterwards, and as they were they are kept.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use gatepost_store::{Error, Store, jobs, mailboxes};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _, migrate::Migrator};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What somebody had when only the first five changes of the schema were known.
const ROWS: &str = "
    INSERT INTO tenants (id, name, created_at, updated_at)
        VALUES (1, 'Padaria São João', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z');
    INSERT INTO migration_jobs (id, tenant_id, domain, phase, dest_imap_host, dest_imap_port, dest_imap_security,
        created_at, updated_at, messages_source, messages_dest, mailboxes)
        VALUES (7, 1, 'exemplo.test', 'delta_sync', 'mail.exemplo.test', 993, 'tls', '2026-01-01T00:00:00Z',
        '2026-01-02T00:00:00Z', 3, 2, 1);
    INSERT INTO migration_mailboxes (id, job_id, email, source_type, source_host, status, created_at, updated_at)
        VALUES (9, 7, 'ana@exemplo.test', 'imap', 'old.exemplo.test', 'ok', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z');
    INSERT INTO migration_runs (id, job_id, mailbox_id, run_type, tool, status, queued_at, triggered_by)
        VALUES (3, 7, 9, 'initial', 'native', 'success', '2026-01-01T00:00:00Z', 'user:1');
    INSERT INTO migration_folders (id, mailbox_id, source_path, dest_path) VALUES (4, 9, 'Ações', 'Ações');
    INSERT INTO migration_messages (id, folder_id, uid, size, internal_date, flags, state, first_seen_at)
        VALUES (5, 4, 11, 100, '2026-01-01T00:00:00Z', '', 'pending', '2026-01-01T00:00:00Z'),
               (6, 4, 12, 2147483648, '2026-01-01T00:00:00Z', '', 'arrived', '2026-01-01T00:00:00Z');
    INSERT INTO migration_credentials (id, mailbox_id, secret_blob, created_at)
        VALUES ('c', 9, x'00ff10', '2026-01-01T00:00:00Z');";

async fn changes() -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations/sqlite");
    Migrator::new(folder).await.unwrap()
}

async fn connect(path: &Path) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap()
}

/// A database as the version that knew the changes up to this one left it.
async fn older(path: &Path, up_to: i64) -> BTreeMap<String, Vec<String>> {
    let mut known = changes().await;
    known.migrations = known.iter().filter(|change| change.version <= up_to).cloned().collect::<Vec<_>>().into();
    let mut conn = connect(path).await;
    known.run(&mut conn).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut conn).await.unwrap();
    let columns = columns(&mut conn).await;
    conn.close().await.unwrap();
    columns
}

/// Every table of ours with its columns.
async fn columns(conn: &mut AnyConnection) -> BTreeMap<String, Vec<String>> {
    let rows = sqlx::query(
        "SELECT m.name AS of_table, c.name AS of_column FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> '_sqlx_migrations' ORDER BY m.name, c.cid",
    );
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for row in rows.fetch_all(conn).await.unwrap() {
        found.entry(row.get("of_table")).or_default().push(row.get("of_column"));
    }
    found
}

/// What stands in these columns, row by row.
async fn content(path: &Path, columns: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let mut conn = connect(path).await;
    let mut found = BTreeMap::new();
    for (table, columns) in columns {
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        let sql = format!("SELECT {} FROM {table} ORDER BY 1", quoted.join(" || ' | ' || "));
        found.insert(table.clone(), sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap());
    }
    conn.close().await.unwrap();
    found
}

fn copies(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains(".before-")).collect()
}

#[tokio::test]
async fn every_older_database_is_brought_up_to_date_with_all_that_is_in_it() {
    let newest = changes().await.iter().map(|change| change.version).max().unwrap();
    assert!(newest > 5, "there is something to upgrade");
    for up_to in 5..newest {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.db");
        let columns = older(&path, up_to).await;
        let before = content(&path, &columns).await;
        assert_eq!(before["migration_messages"].len(), 2);

        let store = Store::open(path.to_str().unwrap()).await.unwrap();
        let mut conn = store.reader().await.unwrap();
        let job = jobs::by_domain(&mut conn, "exemplo.test").await.unwrap().remove(0);
        assert_eq!((job.id.0, job.messages_source), (7, 3));
        assert_eq!(mailboxes::list(&mut conn, job.id).await.unwrap()[0].email, "ana@exemplo.test");
        drop(conn);
        store.close().await;

        assert_eq!(content(&path, &columns).await, before, "from change {up_to}");
        let kept = copies(folder.path());
        let [kept] = kept.as_slice() else { panic!("one copy was made: {kept:?}") };
        assert_eq!(content(kept, &columns).await, before);
        let mode = std::os::unix::fs::PermissionsExt::mode(&kept.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);

        // Another start changes nothing, and makes no other copy.
        std::fs::remove_file(kept).unwrap();
        Store::open(path.to_str().unwrap()).await.unwrap().close().await;
        assert_eq!(copies(folder.path()), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn runs_of_before_that_left_everything_as_it_was_are_known_by_their_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    older(&path, 11).await;
    let runs = [
        ("delta", "success", r#"{"transferred":0,"adopted":0,"vanished":4,"imapsync":{"transferred":3}}"#, 1),
        ("final", "success", r#"{"transferred":0,"proof":{"quarantined":1}}"#, 1),
        ("initial", "success", r#"{"transferred":7}"#, 0),
        ("delta", "success", r#"{"flags_changed":1}"#, 0),
        ("delta", "success", r#"{"transferred":0,"resumed":true}"#, 0),
        ("delta", "partial", r#"{"transferred":0}"#, 0),
        ("delta", "failed", "{}", 0),
        ("delta", "success", "no JSON", 0),
        ("verify", "success", r#"{"depth":"quick","contradicted":[]}"#, 1),
        ("verify", "success", r#"{"depth":"quick","contradicted":["INBOX"]}"#, 0),
        ("verify", "success", r#"{"depth":"standard"}"#, 0),
        ("preflight", "success", "{}", 0),
    ];
    let mut conn = connect(&path).await;
    for (id, (run_type, status, stats, _)) in (100_i64..).zip(runs) {
        sqlx::query(
            "INSERT INTO migration_runs (id, job_id, mailbox_id, run_type, tool, status, stats_json, queued_at, triggered_by)
             VALUES ($1, 7, 9, $2, 'native', $3, $4, '2026-01-01T00:00:00Z', 'user:1')",
        )
        .bind(id)
        .bind(run_type)
        .bind(status)
        .bind(stats)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    conn.close().await.unwrap();
    Store::open(path.to_str().unwrap()).await.unwrap().close().await;
    let mut conn = connect(&path).await;
    let idle: Vec<i64> = sqlx::query_scalar("SELECT idle FROM migration_runs WHERE id >= 100 ORDER BY id")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    for ((run_type, status, stats, expect), idle) in runs.into_iter().zip(idle) {
        assert_eq!(idle, expect, "{run_type} {status} {stats}");
    }
}

#[tokio::test]
async fn the_copy_is_of_the_older_database_also_where_several_start_together() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.db");
        let columns = older(&path, 5).await;
        let before = content(&path, &columns).await;
        let url = path.to_str().unwrap();
        let (one, other, third) = tokio::join!(Store::open(url), Store::open(url), Store::open(url));
        for store in [one, other, third] {
            store.unwrap().close().await;
        }
        let kept = copies(folder.path());
        let [kept] = kept.as_slice() else { panic!("{kept:?}") };
        let mut conn = connect(kept).await;
        let newest: i64 =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        assert_eq!((newest, content(kept, &columns).await), (5, before));
    }
}

#[tokio::test]
async fn a_new_database_needs_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path().join("gatepost.db").to_str().unwrap()).await.unwrap();
    assert_eq!(copies(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    Store::open(path.to_str().unwrap()).await.unwrap().close().await;
    let mut conn = connect(&path).await;
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
         VALUES (9999, 'of another time', '2030-01-01', 1, x'00', 0)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    conn.close().await.unwrap();
    match Store::open(path.to_str().unwrap()).await {
        Err(error @ Error::Newer { version: 9999 }) => assert!(error.to_string().contains("newer version"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(copies(folder.path()), Vec::<PathBuf>::new());
}
