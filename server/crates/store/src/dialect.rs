//! What SQLite and PostgreSQL do not understand alike.

use crate::{Conn, Result};

/// Which database is behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub fn of_url(url: &str) -> Self {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") { Self::Postgres } else { Self::Sqlite }
    }

    pub fn of(conn: &Conn) -> Self {
        if conn.backend_name().eq_ignore_ascii_case("sqlite") { Self::Sqlite } else { Self::Postgres }
    }

    /// How a transaction that will write begins. SQLite takes the write lock at once, so that two processes queue for
    /// it instead of failing half-way through.
    pub const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// What every new connection is told first. FULL: a commit that was answered survives a power cut, for an approval
    /// and its audit row must. It costs one fsync for each transaction, and the ledger is written in batches.
    pub const fn setup(self, read_only: bool) -> &'static [&'static str] {
        match (self, read_only) {
            (Self::Postgres, _) => &[],
            (Self::Sqlite, false) => &[
                "PRAGMA busy_timeout = 10000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
            ],
            (Self::Sqlite, true) => {
                &["PRAGMA busy_timeout = 10000", "PRAGMA foreign_keys = ON", "PRAGMA query_only = ON"]
            }
        }
    }

    /// Behind a SELECT that picks a row to take: other workers pass over the row instead of waiting for it. In SQLite
    /// the transaction holds the only write lock already.
    pub const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}

/// Lets one transaction at a time extend the audit log's chain.
pub(crate) async fn lock_audit_log(conn: &mut Conn) -> Result<()> {
    if Dialect::of(conn) == Dialect::Postgres {
        sqlx::query("LOCK TABLE audit_log IN EXCLUSIVE MODE").execute(conn).await?;
    }
    Ok(())
}
