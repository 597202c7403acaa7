//! `migration_dns_snapshots`: a domain's DNS at several moments. What was read before the cutover is kept for the way
//! back; of the rest the newest.

use crate::{
    Conn, Error, Result,
    read::{Columns, parse},
};
use gatepost_contract::{DnsMoment, DnsSnapshot, DnsSnapshotId, JobId};
use sqlx::any::AnyRow;

/// How many readings of each moment are kept.
const KEPT: i64 = 50;

/// Stores a reading, and forgets the oldest where there are too many of its moment. The very first stays.
pub async fn insert(conn: &mut Conn, job: JobId, snapshot: &DnsSnapshot, mx_ttl: Option<u32>) -> Result<DnsSnapshotId> {
    let json =
        serde_json::to_string(snapshot).map_err(|e| Error::Corrupt { column: "dns_json", reason: e.to_string() })?;
    let id = sqlx::query_scalar(
        "INSERT INTO migration_dns_snapshots (job_id, taken_at, moment, taken_by, mx_ttl, dns_json)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
    )
    .bind(job.0)
    .bind(snapshot.taken_at.as_str())
    .bind(snapshot.moment.as_str())
    .bind(snapshot.taken_by.as_str())
    .bind(mx_ttl.map(i64::from))
    .bind(json)
    .fetch_one(&mut *conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "DNS reading" }, "job"))?;
    sqlx::query(
        "DELETE FROM migration_dns_snapshots WHERE job_id = $1 AND moment = $2
             AND id NOT IN (SELECT id FROM migration_dns_snapshots WHERE job_id = $1 AND moment = $2
                            ORDER BY id DESC LIMIT $3)
             AND id <> (SELECT min(id) FROM migration_dns_snapshots WHERE job_id = $1)",
    )
    .bind(job.0)
    .bind(snapshot.moment.as_str())
    .bind(KEPT)
    .execute(conn)
    .await?;
    Ok(DnsSnapshotId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: DnsSnapshotId) -> Result<Option<DnsSnapshot>> {
    let row = sqlx::query("SELECT id, dns_json FROM migration_dns_snapshots WHERE id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The newest of a job, whatever its moment.
pub async fn latest(conn: &mut Conn, job: JobId) -> Result<Option<DnsSnapshot>> {
    let row =
        sqlx::query("SELECT id, dns_json FROM migration_dns_snapshots WHERE job_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(job.0)
            .fetch_optional(conn)
            .await?;
    row.as_ref().map(read).transpose()
}

/// A reading without what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub id: DnsSnapshotId,
    /// When.
    pub at: String,
    /// Seen from the cutover.
    pub moment: DnsMoment,
    /// How long the MX could be kept, in seconds.
    pub mx_ttl: Option<u32>,
}

/// All of a job, newest first.
pub async fn list(conn: &mut Conn, job: JobId) -> Result<Vec<Taken>> {
    let rows = sqlx::query(
        "SELECT id, taken_at, moment, mx_ttl FROM migration_dns_snapshots WHERE job_id = $1 ORDER BY id DESC",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Taken {
                id: DnsSnapshotId(row.integer("id")?),
                at: row.text("taken_at")?,
                moment: parse("moment", &row.text("moment")?)?,
                mx_ttl: row.maybe_integer("mx_ttl")?.and_then(|ttl| u32::try_from(ttl).ok()),
            })
        })
        .collect()
}

fn read(row: &AnyRow) -> Result<DnsSnapshot> {
    let snapshot: DnsSnapshot = row.json("dns_json")?;
    Ok(DnsSnapshot { id: Some(DnsSnapshotId(row.integer("id")?)), ..snapshot })
}
