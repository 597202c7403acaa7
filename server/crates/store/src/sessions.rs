//! `sessions`: the session layer's records. What stands in them is not known here.

use crate::{Conn, Result, read::Columns};
use std::fmt;

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// As the session layer wrote it.
    pub data: Vec<u8>,
    /// Seconds since 1970.
    pub expires_at: i64,
}

impl fmt::Debug for SessionRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRow").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A new session; false where the id is taken.
pub async fn create(conn: &mut Conn, id: &str, data: &[u8], expires_at: i64) -> Result<bool> {
    let result =
        sqlx::query("INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .bind(data)
            .bind(expires_at)
            .execute(conn)
            .await?;
    Ok(result.rows_affected() > 0)
}

/// Stores a session, new or known.
pub async fn save(conn: &mut Conn, id: &str, data: &[u8], expires_at: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at",
    )
    .bind(id)
    .bind(data)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// A session that has not ended.
pub async fn load(conn: &mut Conn, id: &str, now_seconds: i64) -> Result<Option<SessionRow>> {
    let row = sqlx::query("SELECT data, expires_at FROM sessions WHERE id = $1 AND expires_at > $2")
        .bind(id)
        .bind(now_seconds)
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok(SessionRow { data: row.bytes("data")?, expires_at: row.integer("expires_at")? })).transpose()
}

/// Ends one.
pub async fn delete(conn: &mut Conn, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// Clears away those that have ended, and says how many.
pub async fn delete_expired(conn: &mut Conn, now_seconds: i64) -> Result<u64> {
    let result = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now_seconds).execute(conn).await?;
    Ok(result.rows_affected())
}
