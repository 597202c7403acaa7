//! The database's own clock: one for all processes on it, however their machines' clocks differ.

use crate::{Conn, Result, dialect::Dialect};

/// Seconds since 1970.
pub async fn seconds(conn: &mut Conn) -> Result<i64> {
    Ok(sqlx::query_scalar(Dialect::of(conn).seconds()).fetch_one(conn).await?)
}
