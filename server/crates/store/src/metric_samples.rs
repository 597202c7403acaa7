//! `metric_samples`: sums and highest values of stretches of time, to which every process adds.

use crate::{Conn, Result, read::Columns};
use std::collections::BTreeMap;

/// The length of a stretch, in seconds, as it is written.
pub const FINE: i64 = 300;
/// The length of those that old ones are folded into.
pub const COARSE: i64 = 3_600;

/// How values of a name come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// They are added.
    Sum,
    /// The highest counts.
    Highest,
}

/// A value of a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the stretch begins, in seconds since 1970.
    pub at: i64,
    /// What was counted.
    pub name: String,
    /// A host's name, or nothing.
    pub label: String,
    /// How much.
    pub value: i64,
}

/// Adds to a stretch of [`FINE`] that begins at this second, or of [`COARSE`].
pub async fn add(conn: &mut Conn, width: i64, sample: &Sample, fold: Fold) -> Result<()> {
    let statement = match fold {
        Fold::Sum => {
            "INSERT INTO metric_samples (at, width, name, label, value) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (at, width, name, label) DO UPDATE SET value = metric_samples.value + excluded.value"
        }
        Fold::Highest => {
            "INSERT INTO metric_samples (at, width, name, label, value) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (at, width, name, label) DO UPDATE SET value =
                 CASE WHEN excluded.value > metric_samples.value THEN excluded.value ELSE metric_samples.value END"
        }
    };
    sqlx::query(statement)
        .bind(sample.at)
        .bind(width)
        .bind(sample.name.as_str())
        .bind(sample.label.as_str())
        .bind(sample.value)
        .execute(conn)
        .await?;
    Ok(())
}

/// All values without a label from this second on, whatever the length of their stretches.
pub async fn since(conn: &mut Conn, from: i64) -> Result<Vec<Sample>> {
    let rows =
        sqlx::query("SELECT at, name, label, value FROM metric_samples WHERE at >= $1 AND label = '' ORDER BY at")
            .bind(from)
            .fetch_all(conn)
            .await?;
    rows.iter().map(read).collect()
}

/// The sums of a name by label from this second on, the largest first; those without a label are left out.
pub async fn by_label(conn: &mut Conn, from: i64, name: &str, most: i64) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query(
        "SELECT label, CAST(sum(value) AS BIGINT) AS value FROM metric_samples
         WHERE at >= $1 AND name = $2 AND label <> '' GROUP BY label ORDER BY 2 DESC, label LIMIT $3",
    )
    .bind(from)
    .bind(name)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.text("label")?, row.integer("value")?))).collect()
}

/// Folds the oldest hour of fine stretches that begin before this second; false where there are none. To be called in a
/// transaction: whoever deletes a row folds it, and nobody else does.
pub async fn fold_oldest(conn: &mut Conn, before: i64, how: impl Fn(&str) -> Fold) -> Result<bool> {
    let oldest: Option<i64> =
        sqlx::query_scalar("SELECT at FROM metric_samples WHERE width = $1 AND at < $2 ORDER BY at LIMIT 1")
            .bind(FINE)
            .bind(before)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(oldest) = oldest else { return Ok(false) };
    let hour = oldest - oldest.rem_euclid(COARSE);
    let rows = sqlx::query(
        "DELETE FROM metric_samples WHERE width = $1 AND at >= $2 AND at < $3 RETURNING at, name, label, value",
    )
    .bind(FINE)
    .bind(hour)
    .bind(hour + COARSE)
    .fetch_all(&mut *conn)
    .await?;
    let mut folded: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in &rows {
        let Sample { name, label, value, .. } = read(row)?;
        let fold = how(&name);
        let sum = folded.entry((name, label)).or_default();
        *sum = match fold {
            Fold::Sum => sum.saturating_add(value),
            Fold::Highest => (*sum).max(value),
        };
    }
    for ((name, label), value) in folded {
        let fold = how(&name);
        add(conn, COARSE, &Sample { at: hour, name, label, value }, fold).await?;
    }
    Ok(true)
}

/// Forgets what began before this second.
pub async fn forget_before(conn: &mut Conn, before: i64) -> Result<u64> {
    let result = sqlx::query("DELETE FROM metric_samples WHERE at < $1").bind(before).execute(conn).await?;
    Ok(result.rows_affected())
}

fn read(row: &sqlx::any::AnyRow) -> Result<Sample> {
    Ok(Sample {
        at: row.integer("at")?,
        name: row.text("name")?,
        label: row.text("label")?,
        value: row.integer("value")?,
    })
}
