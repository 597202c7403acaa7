//! That the lists stay cheap: with 10,000 jobs and 50,000 runs, no page and no look at the queue goes through all runs.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use crate::{
    Conn, Store, jobs,
    messages::residue,
    runs::{self, history, logs},
    sql::Sql,
    timeline,
};
use gatepost_contract::{
    JobFilter, JobId, MailboxId, PageQuery, Phase, ResidueFilter, RunId, RunStatus, RunType, TimelineFilter,
};
use sqlx::{AssertSqlSafe, Row};
use std::time::{Duration, Instant};

const JOBS: i64 = 10_000;

/// Fills the tables by numbers: what stands in the columns matters little, how many rows there are does.
async fn filled() -> Store {
    let store = Store::in_memory().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for (table, rows) in [
        ("tenants (id, name, created_at, updated_at)", "SELECT i, 'Tenant ' || i, 't', 't' FROM n WHERE i <= 100"),
        (
            "migration_jobs (id, tenant_id, domain, phase, dest_imap_host, dest_imap_port, dest_imap_security,
                 created_at, updated_at, mailboxes, mailboxes_in_trouble)",
            "SELECT i, 1 + i % 100, 'domain' || i || '.example', CASE WHEN i % 3 = 0 THEN 'closed' ELSE 'delta_sync' END,
                 'imap.example', 993, 'tls', '2026-01-01', 'u' || (100000 + (i * 7919) % 10007), 1,
                 CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END FROM n",
        ),
        (
            "migration_mailboxes (id, job_id, email, source_type, created_at, updated_at)",
            "SELECT i, i, 'a@domain' || i || '.example', 'imap', 't', 't' FROM n",
        ),
        (
            "migration_runs (job_id, mailbox_id, run_type, tool, status, triggered_by, queued_at, finished_at)",
            "SELECT n.i, n.i, k.column1, 'native', 'success', '1', 't', 'f' FROM n,
                 (VALUES ('preflight'), ('initial'), ('delta'), ('verify'), ('delta')) AS k",
        ),
        ("migration_folders (mailbox_id, source_path, dest_path)", "SELECT i, 'INBOX', 'INBOX' FROM n"),
    ] {
        let text = format!(
            "INSERT INTO {table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) {rows}"
        );
        sqlx::query(AssertSqlSafe(text)).bind(JOBS).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    store
}

async fn plan(conn: &mut Conn, statement: Sql) -> String {
    let rows = statement.explained().query().fetch_all(conn).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn no_page_goes_through_all_runs_mailboxes_or_messages() {
    let store = filled().await;
    let conn = &mut *store.reader().await.unwrap();
    let page = PageQuery::default();
    let sorted = PageQuery { sort: Some("domain".into()), ..PageQuery::default() };
    let job = JobFilter { domain: Some("domain7.example".into()), ..JobFilter::default() };
    let phase = JobFilter { phase: Some(Phase::Verified), ..JobFilter::default() };
    let of_job = runs::RunFilter { job_id: Some(JobId(7)), ..Default::default() };
    let working = runs::RunFilter { status: Some(RunStatus::Running), ..Default::default() };
    let all_residue = residue::conditions(JobId(7), &ResidueFilter::default());
    let events = timeline::conditions(JobId(7), &TimelineFilter::default());
    for (what, statement) in [
        ("the timeline of a job", timeline::LIST.statement(&events, &page)),
        ("all jobs", jobs::LIST.statement(&jobs::conditions(&JobFilter::default()), &page)),
        ("all jobs by domain", jobs::LIST.statement(&jobs::conditions(&JobFilter::default()), &sorted)),
        ("jobs of a domain", jobs::LIST.statement(&jobs::conditions(&job), &page)),
        ("jobs in a phase", jobs::LIST.statement(&jobs::conditions(&phase), &page)),
        ("runs of a job", runs::LIST.statement(&runs::conditions(&of_job), &page)),
        ("runs at work", runs::LIST.statement(&runs::conditions(&working), &page)),
        ("residue of a job", residue::LIST.statement(&all_residue, &page)),
    ] {
        let plan = plan(conn, statement.unwrap()).await;
        for alias in ["r", "m", "b", "f", "u", "migration_phase_history", "migration_gate_history", "audit_log"] {
            assert!(!plan.lines().any(|l| l.trim() == format!("SCAN {alias}")), "{what}:\n{plan}");
        }
        // The timeline's own table, already of one job, is put in order.
        assert!(what.contains("timeline") || !plan.lines().any(|l| l.trim() == "SCAN t"), "{what}:\n{plan}");
        assert!(!plan.contains("SCAN j\n"), "{what} reads every job and sorts:\n{plan}");
        if what.starts_with("residue") {
            assert!(plan.contains("idx_migration_messages_residue"), "{what} reads every message:\n{plan}");
        }
    }
}

/// A gate asks these of every mailbox of its job: each must end at the first row of an index.
#[tokio::test]
async fn no_gate_goes_through_the_runs_or_messages_of_its_mailboxes() {
    let store = Store::in_memory().await.unwrap();
    let conn = &mut *store.reader().await.unwrap();
    let job = JobId(7);
    let mut amiss = Sql::default();
    amiss.push(residue::AMISS_OF_JOB);
    for (what, statement, indexes) in [
        (
            "what the runs come to",
            history::statement(job, &history::HISTORY).unwrap(),
            &["idx_migration_runs_mailbox", "idx_migration_runs_weighty"][..],
        ),
        (
            "who spoke last",
            history::statement(job, &history::LAST_WORD).unwrap(),
            &["idx_migration_runs_mailbox", "idx_migration_runs_weighty"],
        ),
        ("what is in motion", history::moving(job).unwrap(), &["idx_migration_runs_active"]),
        ("what is amiss", amiss, &["idx_migration_messages_residue"]),
    ] {
        let plan = plan(conn, statement).await;
        for index in indexes {
            assert!(plan.contains(index), "{what} without {index}:\n{plan}");
        }
        let scans = plan.lines().filter(|line| line.trim_start().starts_with("SCAN") && !line.contains("SCAN p"));
        assert_eq!(scans.collect::<Vec<_>>(), Vec::<&str>::new(), "{what}:\n{plan}");
        // Of an index that is asked in its own order, the first row is the answer.
        let sorts = what != "what is amiss" && plan.contains("TEMP B-TREE");
        assert!(!sorts, "{what}:\n{plan}");
        let by_type = plan.lines().filter(|line| line.contains("SEARCH x "));
        assert!(by_type.clone().all(|line| line.contains("run_type=?")), "{what}:\n{plan}");
    }
}

/// Every hour it is asked of all logs, some hundred at a time: only those runs and their mailboxes are looked at.
#[tokio::test]
async fn no_look_for_old_logs_goes_through_all_runs_or_messages() {
    let store = Store::in_memory().await.unwrap();
    let conn = &mut *store.reader().await.unwrap();
    let runs: Vec<RunId> = (1..=500).map(RunId).collect();
    let plan = plan(conn, logs::statement(&runs, "2026").unwrap()).await;
    assert!(!plan.contains("SCAN"), "{plan}");
    assert!(plan.contains("SEARCH r USING INTEGER PRIMARY KEY"), "{plan}");
    assert!(plan.contains("idx_migration_messages_residue"), "{plan}");
    assert!(plan.contains("SEARCH n USING COVERING INDEX idx_migration_runs_mailbox"), "{plan}");
}

/// The bound is wide, for a debug build on a busy machine; a scan of 50,000 runs for each of 50 jobs is far beyond it.
#[tokio::test]
async fn pages_of_jobs_and_runs_are_quick_with_ten_thousand_jobs() {
    let store = filled().await;
    let conn = &mut *store.reader().await.unwrap();
    for turn in 0..2 {
        let start = Instant::now();
        let page = jobs::list(conn, &JobFilter::default(), &PageQuery::default()).await.unwrap();
        let list = start.elapsed();
        assert_eq!((page.items.len(), page.total), (50, JOBS));

        let start = Instant::now();
        let words = JobFilter { q: Some("domain77 tenant".into()), ..JobFilter::default() };
        assert!(jobs::list(conn, &words, &PageQuery::default()).await.unwrap().total > 0);
        let search = start.elapsed();

        let start = Instant::now();
        jobs::get(conn, JobId(7)).await.unwrap().unwrap();
        let of_job = runs::RunFilter { job_id: Some(JobId(7)), ..Default::default() };
        assert_eq!(runs::list(conn, &of_job, &PageQuery::default()).await.unwrap().total, 5);
        runs::latest_finished(conn, MailboxId(7), &[RunType::Delta, RunType::Initial]).await.unwrap().unwrap();
        let page = start.elapsed();

        let start = Instant::now();
        let overview = jobs::overview(conn).await.unwrap();
        assert_eq!(overview.attention.len(), 14);
        let overview = start.elapsed();
        println!("turn {turn}: list {list:?}, search {search:?}, job page {page:?}, overview {overview:?}");
        assert!(list + page + overview < Duration::from_secs(2));
    }
}
