//! `migration_run_events`: the log of a run, line by line.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Sql, clean},
};
use gatepost_contract::{Event, EventId, Level, RunId};

/// How many lines one statement stores.
const BATCH: usize = 50;

/// A line to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// When.
    pub at: String,
    /// How loud.
    pub level: Level,
    /// What kind, for programs.
    pub kind: String,
    /// The sentence.
    pub message: String,
}

/// Adds lines in this order.
pub async fn add(conn: &mut Conn, run: RunId, events: &[NewEvent]) -> Result<()> {
    for batch in events.chunks(BATCH) {
        let mut sql = Sql::new("INSERT INTO migration_run_events (run_id, at, level, kind, message) VALUES ");
        for (n, event) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(run.0)?;
            sql.push(", ").bind(event.at.as_str())?;
            sql.push(", ").bind(event.level.as_str())?;
            sql.push(", ").bind(event.kind.as_str())?;
            sql.push(", ").bind(clean(&event.message))?;
            sql.push(")");
        }
        // The texts that come again are those of one line and of a full batch.
        let query = if batch.len() == 1 || batch.len() == BATCH { sql.query() } else { sql.query_once() };
        query.execute(&mut *conn).await.map_err(|e| Error::named(e, Error::Exists { what: "event" }, "run"))?;
    }
    Ok(())
}

/// Forgets the oldest lines of a run, at most so many; says how many those were.
pub async fn delete_some(conn: &mut Conn, run: RunId, most: u32) -> Result<u64> {
    let result = sqlx::query(
        "DELETE FROM migration_run_events WHERE id IN
             (SELECT id FROM migration_run_events WHERE run_id = $1 ORDER BY id LIMIT $2)",
    )
    .bind(run.0)
    .bind(i64::from(most))
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// The lines after one, oldest first, at most `limit`; from the first, where no line is named.
pub async fn list(conn: &mut Conn, run: RunId, after: Option<EventId>, limit: u32) -> Result<Vec<Event>> {
    let rows = sqlx::query("SELECT * FROM migration_run_events WHERE run_id = $1 AND id > $2 ORDER BY id LIMIT $3")
        .bind(run.0)
        .bind(after.map_or(0, |e| e.0))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Event {
                id: EventId(row.integer("id")?),
                at: row.text("at")?,
                level: row.name("level")?,
                kind: row.text("kind")?,
                message: row.text("message")?,
            })
        })
        .collect()
}
