//! The audit log shows every tampering.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::NOW;
use gatepost_contract::{AuditFilter, AuditId, JobId, PageQuery};
use gatepost_store::{
    Store,
    audit::{self, NewAudit},
};
use sqlx::AssertSqlSafe;

async fn filled(rows: usize) -> Store {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    for n in 0..rows {
        let subject = format!("job/{n}");
        let new = NewAudit {
            at: NOW,
            actor: "lead@example.org",
            action: if n % 2 == 0 { "gate.approve" } else { "job.phase" },
            job_id: Some(JobId(7)),
            subject: &subject,
            before: Some(r#"{"gate":"warning"}"#),
            after: None,
            reason: Some("seen"),
        };
        assert_eq!(audit::append(&mut tx, &new).await.unwrap(), AuditId(i64::try_from(n).unwrap() + 1));
    }
    tx.commit().await.unwrap();
    store
}

/// As one who has the file and knows how to take the triggers away.
async fn tamper(store: &Store, statement: &str) {
    let mut tx = store.begin().await.unwrap();
    for text in ["DROP TRIGGER audit_log_is_not_changed", "DROP TRIGGER audit_log_is_not_shortened", statement] {
        sqlx::query(AssertSqlSafe(text.to_owned())).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_untouched_log_is_whole_across_pages() {
    let store = filled(2003).await;
    let report = audit::verify(&mut store.reader().await.unwrap()).await.unwrap();
    assert_eq!((report.rows, &report.first_bad), (2003, &None));
    let last =
        audit::list(&mut store.reader().await.unwrap(), &AuditFilter::default(), &PageQuery::default()).await.unwrap();
    assert_eq!(report.head, last.items[0].hash);
    assert_eq!((last.total, last.items[0].id), (2003, AuditId(2003)));
}

#[tokio::test]
async fn a_change_of_any_field_is_found_where_it_was_made() {
    let other = "'1111111111111111111111111111111111111111111111111111111111111111'";
    for (change, bad) in [
        ("UPDATE audit_log SET at = '2027' WHERE id = 3", 3),
        ("UPDATE audit_log SET actor = 'x' WHERE id = 3", 3),
        ("UPDATE audit_log SET action = 'x' WHERE id = 3", 3),
        ("UPDATE audit_log SET job_id = 8 WHERE id = 3", 3),
        ("UPDATE audit_log SET job_id = NULL WHERE id = 3", 3),
        ("UPDATE audit_log SET subject = 'x' WHERE id = 3", 3),
        ("UPDATE audit_log SET before = NULL WHERE id = 3", 3),
        ("UPDATE audit_log SET before = NULL, after = before WHERE id = 3", 3),
        ("UPDATE audit_log SET after = '' WHERE id = 3", 3),
        ("UPDATE audit_log SET reason = NULL WHERE id = 3", 3),
        (&format!("UPDATE audit_log SET previous_hash = {other} WHERE id = 3"), 3),
        (&format!("UPDATE audit_log SET hash = {other} WHERE id = 3"), 3),
        ("UPDATE audit_log SET subject = subject || 'j', action = 'ob.phase' WHERE id = 4", 4),
        ("UPDATE audit_log SET id = 99 WHERE id = 5", 99),
        ("UPDATE audit_log SET id = -1 WHERE id = 1", -1),
        ("DELETE FROM audit_log WHERE id = 1", 2),
        ("DELETE FROM audit_log WHERE id = 3", 4),
    ] {
        let store = filled(5).await;
        tamper(&store, change).await;
        let report = audit::verify(&mut store.reader().await.unwrap()).await.unwrap();
        assert_eq!(report.first_bad.map(|(id, _)| id), Some(AuditId(bad)), "{change}");
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_shorten_the_log() {
    let store = filled(2).await;
    for text in ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"] {
        let mut tx = store.begin().await.unwrap();
        let refused = sqlx::query(text).execute(&mut *tx).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let store = filled(4).await;
    let conn = &mut *store.reader().await.unwrap();
    for (filter, total) in [
        (AuditFilter { action: Some("gate.approve".into()), ..Default::default() }, 2),
        (AuditFilter { job_id: Some(JobId(8)), ..Default::default() }, 0),
        (AuditFilter { actor: Some("lead@example.org".into()), job_id: Some(JobId(7)), ..Default::default() }, 4),
        (AuditFilter { since: Some("2026-11-21T04:12:00.001Z".into()), ..Default::default() }, 0),
    ] {
        assert_eq!(audit::list(conn, &filter, &PageQuery::default()).await.unwrap().total, total, "{filter:?}");
    }
}
