//! PostgreSQL's schema: the same as SQLite's, and reached from every earlier one. Left out unless
//! `GATEPOST_TEST_DATABASE` names a database.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use gatepost_store::{Conn, Store};
use sqlx::{AnyConnection, Connection as _, Row as _, migrate::Migrator};
use std::{collections::BTreeMap, path::Path};

// A key is never empty, and SQLite need not be told so.
const OF_SQLITE: &str = "SELECT m.name AS of_table, c.name AS of_column, c.type AS kind,
    CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 1 ELSE 0 END AS needed
    FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'";
const OF_POSTGRES: &str = "SELECT CAST(table_name AS TEXT) AS of_table, CAST(column_name AS TEXT) AS of_column,
    CAST(data_type AS TEXT) AS kind, CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END AS needed
    FROM information_schema.columns WHERE table_schema = current_schema()";
const INDEXES_OF_SQLITE: &str = "SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%'";
const INDEXES_OF_POSTGRES: &str = "SELECT CAST(indexname AS TEXT) AS name FROM pg_indexes
    WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'";

async fn changes(of: &str) -> Migrator {
    Migrator::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations").join(of)).await.unwrap()
}

/// An empty place, or a word on why the test is left out.
async fn place() -> Option<String> {
    let place = common::postgres().await;
    if place.is_none() {
        eprintln!("left out: GATEPOST_TEST_DATABASE names no PostgreSQL database");
    }
    place
}

/// What a column is called in PostgreSQL that SQLite calls so.
fn kind(sqlite: &str) -> &'static str {
    match sqlite {
        "INTEGER" => "bigint",
        "TEXT" => "text",
        "BLOB" => "bytea",
        "REAL" => "double precision",
        other => panic!("{other} is not agreed upon"),
    }
}

/// Every column of our tables, with its type and whether it may be empty.
async fn columns(conn: &mut Conn, statement: &'static str) -> BTreeMap<String, (String, bool)> {
    let mut found = BTreeMap::new();
    for row in sqlx::query(statement).fetch_all(conn).await.unwrap() {
        let (table, column): (String, String) = (row.get("of_table"), row.get("of_column"));
        if !table.starts_with("_sqlx") {
            let needed: i64 = row.get("needed");
            found.insert(format!("{table}.{column}"), (row.get("kind"), needed != 0));
        }
    }
    assert!(found.len() > 100, "{} columns", found.len());
    found
}

async fn names(conn: &mut Conn, statement: &'static str) -> Vec<String> {
    let mut names: Vec<String> = sqlx::query_scalar(statement).fetch_all(conn).await.unwrap();
    names.sort();
    names
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let Some(url) = place().await else { return };
    let (postgres, sqlite) = (Store::open(&url).await.unwrap(), Store::in_memory().await.unwrap());
    let (mut ours, mut theirs) = (postgres.reader().await.unwrap(), sqlite.reader().await.unwrap());
    let mut expected = columns(&mut theirs, OF_SQLITE).await;
    for (of, _) in expected.values_mut() {
        *of = kind(of).to_owned();
    }
    let found = columns(&mut ours, OF_POSTGRES).await;
    for (column, told) in &expected {
        assert_eq!(found.get(column), Some(told), "{column}");
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert_eq!(names(&mut ours, INDEXES_OF_POSTGRES).await, names(&mut theirs, INDEXES_OF_SQLITE).await);
}

#[tokio::test]
async fn the_schema_is_brought_up_to_date_from_every_earlier_one() {
    let all = changes("postgres").await;
    for newest in all.iter().map(|change| change.version) {
        let Some(url) = place().await else { return };
        let mut known = changes("postgres").await;
        known.migrations = all.iter().filter(|change| change.version <= newest).cloned().collect::<Vec<_>>().into();
        let mut conn = AnyConnection::connect(&url).await.unwrap();
        known.run(&mut conn).await.unwrap();
        let row = "INSERT INTO tenants (name, created_at, updated_at) VALUES ('Padaria São João', 't', 't')";
        sqlx::query(row).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let store = Store::open(&url).await.unwrap();
        let mut reader = store.reader().await.unwrap();
        let tenants = gatepost_store::tenants::by_name(&mut reader, "Padaria São João").await.unwrap();
        assert!(tenants.is_some(), "after change {newest}");
        let last: i64 =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut *reader).await.unwrap();
        assert_eq!(Some(last), all.iter().map(|change| change.version).max());
    }
}

#[tokio::test]
async fn processes_that_start_together_bring_the_schema_up_to_date_once() {
    let Some(url) = place().await else { return };
    let (one, other, third) = tokio::join!(Store::open(&url), Store::open(&url), Store::open(&url));
    for store in [one, other, third] {
        store.unwrap().ping().await.unwrap();
    }
}
