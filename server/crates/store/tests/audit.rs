//! The audit log shows every tampering.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::NOW;
use gatepost_contract::{AuditFilter, AuditId, JobId, PageQuery};
use gatepost_store::{
    Conn, Store,
    audit::{self, Head, NewAudit},
};
use sqlx::AssertSqlSafe;

async fn append(tx: &mut Conn, n: usize) {
    append_by(tx, n, "lead@example.org").await;
}

async fn append_by(tx: &mut Conn, n: usize, actor: &str) {
    let subject = format!("job/{n}");
    let new = NewAudit {
        at: NOW,
        actor,
        action: if n.is_multiple_of(2) { "gate.approve" } else { "job.phase" },
        job_id: Some(JobId(7)),
        subject: &subject,
        before: Some(r#"{"gate":"warning"}"#),
        after: None,
        reason: Some("seen"),
    };
    assert_eq!(audit::append(tx, &new).await.unwrap(), AuditId(i64::try_from(n).unwrap() + 1));
}

async fn filled(rows: usize) -> Store {
    filled_by(rows, "lead@example.org").await
}

async fn filled_by(rows: usize, actor: &str) -> Store {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    for n in 0..rows {
        append_by(&mut tx, n, actor).await;
    }
    tx.commit().await.unwrap();
    store
}

/// As one who has the file and knows how to take the triggers away.
async fn tamper(store: &Store, statement: &str) {
    let mut tx = store.begin().await.unwrap();
    let guards = match tx.backend_name() {
        "SQLite" => "DROP TRIGGER audit_log_is_not_changed; DROP TRIGGER audit_log_is_not_shortened",
        _ => "ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_not_changed",
    };
    for text in [guards, statement] {
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What a verification says of the first row that is not in order.
async fn found(store: &Store, kept: Option<&str>) -> Option<(i64, String)> {
    let kept = kept.map(|kept| kept.parse::<Head>().unwrap());
    let report = audit::verify(&mut store.reader().await.unwrap(), kept.as_ref()).await.unwrap();
    report.first_bad.map(|(id, why)| (id.0, why))
}

#[tokio::test]
async fn an_untouched_log_is_whole_across_pages() {
    for rows in [0, 1, 1000, 2003] {
        let store = filled(rows).await;
        let report = audit::verify(&mut store.reader().await.unwrap(), None).await.unwrap();
        assert_eq!((report.rows, &report.first_bad), (i64::try_from(rows).unwrap(), &None));
        let conn = &mut *store.reader().await.unwrap();
        let last = audit::list(conn, &AuditFilter::default(), &PageQuery::default()).await.unwrap();
        assert_eq!(
            last.items.first().map(|row| (row.id.0, &row.hash)),
            (rows > 0).then_some((report.rows, &report.head))
        );
    }
}

const OTHER: &str = "'1111111111111111111111111111111111111111111111111111111111111111'";

#[tokio::test]
async fn a_change_of_any_field_is_found_where_it_was_made() {
    const CONTENT: &str = "its content does not fit its hash";
    const FOLLOWS: &str = "it does not follow the row before it";
    for (field, value, why) in [
        ("at", "'2027'", CONTENT),
        ("at", "at || ' '", CONTENT),
        ("actor", "'x'", CONTENT),
        ("actor", "upper(actor)", CONTENT),
        ("action", "'x'", CONTENT),
        ("job_id", "8", CONTENT),
        ("job_id", "NULL", CONTENT),
        ("subject", "'x'", CONTENT),
        ("before", "NULL", CONTENT),
        ("before", "'{\"gate\":\"blocked\"}'", CONTENT),
        ("before", "NULL, after = before", CONTENT),
        ("after", "''", CONTENT),
        ("after", "'{}'", CONTENT),
        ("reason", "NULL", CONTENT),
        ("reason", "reason || '.'", CONTENT),
        ("previous_hash", OTHER, FOLLOWS),
        ("hash", OTHER, CONTENT),
        // The same letters, parted otherwise.
        ("subject", "subject || 'g', action = substr(action, 2)", CONTENT),
        ("id", "99", "row 3 is missing"),
    ] {
        let store = filled(5).await;
        tamper(&store, &format!("UPDATE audit_log SET {field} = {value} WHERE id = 3")).await;
        let (id, said) = found(&store, None).await.expect(field);
        // A row that was given another number leaves its place empty.
        assert_eq!((id, said.as_str()), (if field == "id" { 4 } else { 3 }, why), "{field} = {value}");
    }
}

#[tokio::test]
async fn removed_added_and_moved_rows_are_found_and_named() {
    let swap = |a: i64, b: i64| {
        format!(
            "UPDATE audit_log SET id = CASE id WHEN {a} THEN -{b} ELSE -{a} END WHERE id IN ({a}, {b});
                 UPDATE audit_log SET id = -id WHERE id < 0"
        )
    };
    let copy = |from: i64, to: i64| {
        format!("INSERT INTO audit_log SELECT {to}, at, actor, action, job_id, subject, before, after, reason, hash, {OTHER}
                 FROM audit_log WHERE id = {from}")
    };
    let cases: Vec<(&str, String, i64, &str)> = vec![
        ("the first row removed", "DELETE FROM audit_log WHERE id = 1".into(), 2, "row 1 is missing"),
        ("one of the middle removed", "DELETE FROM audit_log WHERE id = 3".into(), 4, "row 3 is missing"),
        ("the last row removed", "DELETE FROM audit_log WHERE id = 5".into(), 5, "rows 5 to 5 were cut off the end"),
        ("two rows cut off", "DELETE FROM audit_log WHERE id > 3".into(), 4, "rows 4 to 5 were cut off the end"),
        ("all rows removed", "DELETE FROM audit_log".into(), 1, "rows 1 to 5 were cut off the end"),
        (
            "the first row removed, the others renumbered",
            "DELETE FROM audit_log WHERE id = 1; UPDATE audit_log SET id = id - 1".into(),
            1,
            "it does not follow the row before it",
        ),
        (
            "a middle row removed, the others renumbered",
            "DELETE FROM audit_log WHERE id = 3; UPDATE audit_log SET id = id - 1 WHERE id > 3".into(),
            3,
            "it does not follow the row before it",
        ),
        ("all rows renumbered", "UPDATE audit_log SET id = id + 100".into(), 101, "row 1 is missing"),
        ("a row before the first", "UPDATE audit_log SET id = -1 WHERE id = 1".into(), -1, "row 1 is missing"),
        ("two neighbours swapped", swap(2, 3), 2, "it does not follow the row before it"),
        ("the first and the last swapped", swap(1, 5), 1, "it does not follow the row before it"),
        ("a row added at the end", copy(5, 6), 6, "its content does not fit its hash"),
        (
            "a row added in the middle",
            format!(
                "UPDATE audit_log SET id = id + 1000 WHERE id > 3; {};
                     UPDATE audit_log SET id = id - 999 WHERE id > 1000",
                copy(3, 4)
            ),
            4,
            "its content does not fit its hash",
        ),
        (
            "the note of the newest row removed",
            "DELETE FROM settings WHERE key = 'audit_head'".into(),
            5,
            "the note of the newest row was removed",
        ),
        (
            "the note of the newest row spoiled",
            "UPDATE settings SET value = 'none' WHERE key = 'audit_head'".into(),
            5,
            "the note of the newest row was changed",
        ),
        (
            "the last row removed, the note removed with it",
            "DELETE FROM audit_log WHERE id = 5; DELETE FROM settings WHERE key = 'audit_head'".into(),
            4,
            "the note of the newest row was removed",
        ),
    ];
    for (name, statement, bad, why) in cases {
        let store = filled(5).await;
        tamper(&store, &statement).await;
        assert_eq!(found(&store, None).await, Some((bad, why.to_owned())), "{name}");
    }
}

#[tokio::test]
async fn a_row_that_follows_rightly_but_was_not_noted_is_found() {
    let store = filled(5).await;
    let noted: String =
        sqlx::query_scalar("SELECT value FROM settings").fetch_one(&mut *store.reader().await.unwrap()).await.unwrap();
    assert!(noted.starts_with("5:"), "{noted}");
    let mut tx = store.begin().await.unwrap();
    append(&mut tx, 5).await;
    sqlx::query("UPDATE settings SET value = $1").bind(&noted).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let why = "it was added behind row 5, the last that was noted";
    assert_eq!(found(&store, None).await, Some((6, why.to_owned())));
}

/// The whole log computed anew, which only a head that was kept elsewhere can show.
#[tokio::test]
async fn a_log_that_was_written_anew_is_shown_by_a_kept_head() {
    let old = filled(5).await;
    let report = audit::verify(&mut old.reader().await.unwrap(), None).await.unwrap();
    let kept = format!("5:{}", report.head);
    assert_eq!(found(&old, Some(&kept)).await, None);
    let mut tx = old.begin().await.unwrap();
    append(&mut tx, 5).await;
    tx.commit().await.unwrap();
    assert_eq!(found(&old, Some(&kept)).await, None, "the log has grown since");

    let other = filled_by(7, "mallory@example.org").await;
    assert_eq!(found(&other, None).await, None, "it is in order by itself");
    let why = "it is another row than the one whose hash was kept";
    assert_eq!(found(&other, Some(&kept)).await, Some((5, why.to_owned())));
    let shorter = filled(3).await;
    let why = "the log ends before row 5, whose hash was kept";
    assert_eq!(found(&shorter, Some(&kept)).await, Some((4, why.to_owned())));
}

#[test]
fn a_head_is_a_number_and_a_hash() {
    let hash = "a".repeat(64);
    for (text, fine) in [
        (format!("5:{hash}"), true),
        (format!(" 5:{} ", hash.to_uppercase()), true),
        (format!("0:{hash}"), false),
        (format!("-1:{hash}"), false),
        (format!("5:{}", &hash[1..]), false),
        (format!("5:{}g", &hash[1..]), false),
        (hash.clone(), false),
        (String::new(), false),
    ] {
        assert_eq!(text.parse::<Head>().is_ok(), fine, "{text:?}");
    }
    assert_eq!(format!("5:{hash}").parse::<Head>().unwrap().to_string(), format!("5:{hash}"));
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
        (AuditFilter { until: Some("2026-11-21T04:12:00.001Z".into()), ..Default::default() }, 4),
        (AuditFilter { until: Some("2026-11-21T04:12:00.000Z".into()), ..Default::default() }, 0),
    ] {
        assert_eq!(audit::list(conn, &filter, &PageQuery::default()).await.unwrap().total, total, "{filter:?}");
    }
}

#[tokio::test]
async fn the_rows_behind_a_row_are_read_in_order_until_none_is_left() {
    let store = filled(5).await;
    let conn = &mut *store.reader().await.unwrap();
    let filter = AuditFilter { action: Some("gate.approve".into()), ..Default::default() };
    let mut after = AuditId(0);
    let mut all = Vec::new();
    loop {
        let part = audit::following(conn, &filter, after, 2).await.unwrap();
        let Some(last) = part.last() else { break };
        assert!(part.len() <= 2);
        after = last.id;
        all.extend(part.into_iter().map(|row| row.id.0));
    }
    assert_eq!(all, [1, 3, 5]);
}
