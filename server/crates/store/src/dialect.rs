//! What SQLite and PostgreSQL do not understand alike.

use crate::{Conn, Result};

/// Which database is behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a power cut may undo. In write-ahead mode the database stays consistent in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing that was answered: an approval and its audit row must last. Costs one fsync for each transaction.
    Answered,
    /// The last transactions: for the ledger, whose lost rows are found again by looking at the destination.
    Eventual,
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
    pub const fn begin(self, durability: Durability) -> &'static str {
        match (self, durability) {
            (Self::Sqlite, Durability::Answered) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
            (Self::Sqlite, Durability::Eventual) => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            (Self::Postgres, _) => "BEGIN",
        }
    }

    /// How a transaction begins that only looks, and sees one moment.
    pub const fn snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        }
    }

    /// What every new connection is told first.
    pub const fn setup(self, read_only: bool) -> &'static [&'static str] {
        match (self, read_only) {
            // Notices (a table that exists already) are of no use to anybody who reads the log.
            (Self::Postgres, false) => &["SET client_min_messages = warning"],
            (Self::Postgres, true) => &["SET client_min_messages = warning", "SET default_transaction_read_only = on"],
            (Self::Sqlite, false) => {
                &["PRAGMA busy_timeout = 10000", "PRAGMA journal_mode = WAL", "PRAGMA foreign_keys = ON"]
            }
            (Self::Sqlite, true) => {
                &["PRAGMA busy_timeout = 10000", "PRAGMA foreign_keys = ON", "PRAGMA query_only = ON"]
            }
        }
    }

    /// How large the database is: one row with the column `n`.
    pub const fn database_bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()",
            Self::Postgres => "SELECT pg_database_size(current_database()) AS n",
        }
    }

    /// The database's own clock, in seconds since 1970: one for all processes on it.
    pub const fn seconds(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT CAST(strftime('%s', 'now') AS INTEGER)",
            Self::Postgres => "SELECT CAST(extract(epoch FROM now()) AS BIGINT)",
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

    /// Behind a SELECT whose rows nobody else may take so until the transaction ends. In SQLite it holds the only write
    /// lock already.
    pub const fn lock_rows(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
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
