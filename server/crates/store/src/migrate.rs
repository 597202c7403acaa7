//! Bringing the schema up to date.
//!
//! A program that is older than the database refuses it: what it does not know it could only damage. Before an SQLite
//! file is changed it is copied, so that whoever wants the older program back has the file that it knows.

use crate::{
    Conn, Error, Result,
    dialect::{Dialect, Durability},
    open::{copy_file, path_error, percent_decode, percent_encode},
};
use sqlx::{
    AnyPool, Connection as _,
    migrate::{MigrateError, Migrator},
};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

static SQLITE: Migrator = sqlx::migrate!("../../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../../migrations/postgres");

/// Makes the changes that the database does not have yet.
pub(crate) async fn migrate(writer: &AnyPool, dialect: Dialect, url: &str) -> Result<()> {
    match dialect {
        Dialect::Postgres => POSTGRES.run(writer).await.map_err(explained),
        Dialect::Sqlite => {
            if let Some(version) = first_change(writer).await? {
                keep_copy(url, version).await?;
            }
            // sqlx takes no lock on SQLite: without one, two processes that start together would both migrate.
            let mut tx = writer.begin_with(dialect.begin(Durability::Answered)).await?;
            SQLITE.run(&mut *tx).await.map_err(explained)?;
            Ok(tx.commit().await?)
        }
    }
}

/// The number of the first change that a database lacks which has others already; none where it is new or up to date.
async fn first_change(writer: &AnyPool) -> Result<Option<i64>> {
    let known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    let has: i64 = sqlx::query_scalar(known).fetch_one(writer).await?;
    if has == 0 {
        return Ok(None);
    }
    let newest: Option<i64> = sqlx::query_scalar(NEWEST).fetch_one(writer).await?;
    Ok(newest.and_then(|newest| SQLITE.iter().map(|change| change.version).find(|version| *version > newest)))
}

/// The last change that a database has.
const NEWEST: &str = "SELECT max(version) FROM _sqlx_migrations";

async fn keep_copy(url: &str, version: i64) -> Result<()> {
    let path = url.strip_prefix("sqlite://").and_then(|rest| rest.split('?').next()).map(percent_decode);
    let path = path.unwrap_or_default();
    let beside = |suffix: String| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    // Several may start together, in one process too: each has a copy of its own until it is whole.
    static COPIES: AtomicU64 = AtomicU64::new(0);
    let own = format!("{}-{}", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed));
    let (kept, new) = (beside(format!(".before-{version:04}")), beside(format!(".before-{version:04}.{own}")));
    // Of an earlier start that was cut off in the middle of it.
    let _ = fs::remove_file(&new);
    let text = new.to_str().unwrap_or_default().to_owned();
    copy_file(url, &new, &text).await?;
    let mut copied = Conn::connect(&format!("sqlite://{}", percent_encode(&text))).await?;
    let newest: Option<i64> = sqlx::query_scalar(NEWEST).fetch_one(&mut copied).await?;
    copied.close().await?;
    if newest.is_none_or(|newest| newest >= version) {
        // Another process has brought it up to date meanwhile, and has kept what was before.
        return fs::remove_file(&new).map_err(|e| path_error(&new, e));
    }
    fs::rename(&new, &kept).map_err(|e| path_error(&kept, e))?;
    tracing::info!(copy = %kept.display(), "the database is brought up to date; as it was before, it is kept");
    Ok(())
}

fn explained(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::Newer { version },
        other => other.into(),
    }
}
