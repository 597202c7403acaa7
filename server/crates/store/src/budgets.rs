//! `host_usage` and `host_workers`: what hosts were asked for today, and by how many processes.

use crate::{Conn, Result, read::Columns};
use sqlx::Row;

/// Bytes of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Read from the host.
    pub downloaded: i64,
    /// Written to the host.
    pub uploaded: i64,
}

/// What everybody together has spent on a day (`YYYY-MM-DD`).
pub async fn usage(conn: &mut Conn, host: &str, day: &str) -> Result<Usage> {
    let row = sqlx::query("SELECT downloaded, uploaded FROM host_usage WHERE host = $1 AND day = $2")
        .bind(host)
        .bind(day)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(Usage::default()) };
    Ok(Usage { downloaded: row.integer("downloaded")?, uploaded: row.integer("uploaded")? })
}

/// What was spent on a day, by host, the most first.
pub async fn usage_of_day(conn: &mut Conn, day: &str) -> Result<Vec<(String, Usage)>> {
    let rows = sqlx::query(
        "SELECT host, downloaded, uploaded FROM host_usage WHERE day = $1 ORDER BY downloaded + uploaded DESC, host",
    )
    .bind(day)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let usage = Usage { downloaded: row.integer("downloaded")?, uploaded: row.integer("uploaded")? };
            Ok((row.text("host")?, usage))
        })
        .collect()
}

/// Adds to what was spent on a day; the new total.
pub async fn spend(conn: &mut Conn, host: &str, day: &str, more: Usage) -> Result<Usage> {
    let row = sqlx::query(
        "INSERT INTO host_usage (host, day, downloaded, uploaded) VALUES ($1, $2, $3, $4)
         ON CONFLICT (host, day) DO UPDATE SET downloaded = host_usage.downloaded + excluded.downloaded,
             uploaded = host_usage.uploaded + excluded.uploaded
         RETURNING downloaded, uploaded",
    )
    .bind(host)
    .bind(day)
    .bind(more.downloaded)
    .bind(more.uploaded)
    .fetch_one(conn)
    .await?;
    Ok(Usage { downloaded: row.integer("downloaded")?, uploaded: row.integer("uploaded")? })
}

/// Forgets the days before this one.
pub async fn forget_before(conn: &mut Conn, day: &str) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM host_usage WHERE day < $1").bind(day).execute(conn).await?.rows_affected())
}

/// Notes that a process works with a host at this time (seconds since 1970); how many have done so since `alive`.
pub async fn at_work(conn: &mut Conn, host: &str, worker: &str, now: i64, alive: i64) -> Result<i64> {
    sqlx::query(
        "INSERT INTO host_workers (host, worker, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (host, worker) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(host)
    .bind(worker)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query("SELECT count(*) FROM host_workers WHERE host = $1 AND seen_at >= $2")
        .bind(host)
        .bind(alive)
        .fetch_one(conn)
        .await?;
    Ok(row.try_get(0)?)
}

/// A process has nothing to do with a host any more. Processes that have died are forgotten along with it.
pub async fn gone(conn: &mut Conn, host: &str, worker: &str, alive: i64) -> Result<()> {
    sqlx::query("DELETE FROM host_workers WHERE host = $1 AND (worker = $2 OR seen_at < $3)")
        .bind(host)
        .bind(worker)
        .bind(alive)
        .execute(conn)
        .await?;
    Ok(())
}
