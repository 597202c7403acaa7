//! What can go wrong with the database. No secret stands in any of it.

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal or fault of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused a statement or does not answer.
    #[error("the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database was made by a later version of this program.
    #[error(
        "the database was written by a newer version of Gatepost (it has change {version} of the schema, which this \
         version does not know). Install that version again; or put back the copy that was made before the upgrade (the \
         database's name with .before- and a number), without what happened since"
    )]
    Newer {
        /// The first change that is not known here.
        version: i64,
    },
    /// A run for this mailbox is queued or running already.
    #[error("a run for this mailbox is queued or running already")]
    AlreadyRunning,
    /// Something with that name or address exists already.
    #[error("that {what} exists already")]
    Exists {
        /// What it is: `user`, `tenant`, `mailbox`, …
        what: &'static str,
    },
    /// The row that is to be changed, or that a new row refers to, does not exist.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// A list cannot be sorted like that.
    #[error("a list may be sorted by {allowed}, with - in front for the other direction")]
    Sort {
        /// What would have been right, comma separated.
        allowed: String,
    },
    /// A row holds what no version of this program writes.
    #[error("the column {column} cannot be read: {reason}")]
    Corrupt {
        /// Which column.
        column: &'static str,
        /// Why.
        reason: String,
    },
    /// The database's file or folder cannot be made or used.
    #[error("the database file {path}: {cause}")]
    Path {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// No backup can be made like this.
    #[error("{0}")]
    Backup(String),
}

impl Error {
    /// Names what an insert collided with, or what it referred to in vain.
    pub(crate) fn named(cause: sqlx::Error, exists: Self, missing: &'static str) -> Self {
        match &cause {
            sqlx::Error::Database(e) if e.is_unique_violation() => exists,
            sqlx::Error::Database(e) if e.is_foreign_key_violation() => Self::Missing(missing),
            _ => Self::Sql(cause),
        }
    }
}
