//! How much there is of everything, for measurements and the dashboard: counts over whole tables, from their indexes.

use crate::{Conn, Result, dialect::Dialect, read::Columns, sql::Sql, waivers::GIVEN_UP};
use gatepost_contract::{Forecast, JobForecast, JobId};

/// Something by a state's name, and how many there are.
pub type Counts = Vec<(String, i64)>;

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Jobs by phase.
    pub jobs_by_phase: Counts,
    /// Jobs that are not closed, by gate.
    pub jobs_by_gate: Counts,
    /// Mailboxes by status.
    pub mailboxes: Counts,
    /// Runs that have not ended, by status.
    pub runs: Counts,
    /// Those of them at work that wait for something.
    pub waiting: i64,
    /// Pauses by scope.
    pub pauses: Counts,
    /// What became of the moments of schedules since a time.
    pub moments: Counts,
    /// Uploads by state.
    pub uploads: Counts,
    /// The bytes of uploads that are kept.
    pub upload_bytes: i64,
    /// Consents by state.
    pub consents: Counts,
    /// Bytes of the database.
    pub database_bytes: i64,
}

/// All of them; moments of schedules since `since`.
pub async fn all(conn: &mut Conn, since: &str) -> Result<Figures> {
    Ok(Figures {
        jobs_by_phase: counts(conn, "SELECT phase AS name, count(*) AS n FROM migration_jobs GROUP BY phase").await?,
        jobs_by_gate: counts(
            conn,
            "SELECT migration_gate AS name, count(*) AS n FROM migration_jobs WHERE phase <> 'closed'
             GROUP BY migration_gate",
        )
        .await?,
        mailboxes: counts(conn, "SELECT status AS name, count(*) AS n FROM migration_mailboxes GROUP BY status")
            .await?,
        runs: counts(
            conn,
            "SELECT status AS name, count(*) AS n FROM migration_runs WHERE status IN ('queued', 'running')
             GROUP BY status",
        )
        .await?,
        waiting: number(
            conn,
            "SELECT count(*) AS n FROM migration_runs WHERE status = 'running' AND waiting IS NOT NULL",
        )
        .await?,
        pauses: counts(conn, "SELECT scope AS name, count(*) AS n FROM migration_pauses GROUP BY scope").await?,
        moments: {
            let rows = sqlx::query(
                "SELECT state AS name, count(*) AS n FROM migration_schedule_runs WHERE decided_at >= $1 GROUP BY state",
            )
            .bind(since)
            .fetch_all(&mut *conn)
            .await?;
            rows.iter().map(|row| Ok((row.text("name")?, row.integer("n")?))).collect::<Result<_>>()?
        },
        uploads: counts(conn, "SELECT state AS name, count(*) AS n FROM migration_uploads GROUP BY state").await?,
        upload_bytes: number(
            conn,
            "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) AS n FROM migration_uploads WHERE state <> 'deleted'",
        )
        .await?,
        consents: counts(conn, "SELECT state AS name, count(*) AS n FROM oauth_consents GROUP BY state").await?,
        database_bytes: number(conn, Dialect::of(conn).database_bytes()).await?,
    })
}

/// What open jobs have still to copy, and how fast they do it. When that ends is for the caller to say, who has a clock.
pub async fn to_copy(conn: &mut Conn) -> Result<Vec<JobForecast>> {
    let mut sql = Sql::new(
        "SELECT j.id, j.domain, j.messages_source, j.messages_dest,
             CAST(coalesce(sum(m.bytes_source), 0) AS BIGINT) AS bytes_source,
             CAST(coalesce(sum(m.bytes_dest), 0) AS BIGINT) AS bytes_dest,
             CAST(coalesce(sum(g.messages), 0) AS BIGINT) AS messages_waived,
             CAST(coalesce(sum(g.bytes), 0) AS BIGINT) AS bytes_waived,
             (SELECT count(*) FROM migration_runs r WHERE r.job_id = j.id AND r.status = 'running') AS running,
             (SELECT CAST(coalesce(sum(r.bytes_per_second), 0) AS DOUBLE PRECISION) FROM migration_runs r
                 WHERE r.job_id = j.id AND r.status = 'running' AND r.run_type IN ('initial', 'delta', 'final')) AS speed
         FROM migration_jobs j LEFT JOIN migration_mailboxes m ON m.job_id = j.id LEFT JOIN ",
    );
    sql.push(GIVEN_UP).push(
        " g ON g.mailbox_id = m.id
         WHERE j.phase NOT IN ('closed', 'verified')
         GROUP BY j.id, j.domain, j.messages_source, j.messages_dest",
    );
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(JobForecast {
                job_id: JobId(row.integer("id")?),
                domain: row.text("domain")?,
                forecast: Forecast {
                    messages_source: row.integer("messages_source")?,
                    messages_dest: row.integer("messages_dest")?,
                    bytes_source: row.integer("bytes_source")?,
                    bytes_dest: row.integer("bytes_dest")?,
                    messages_waived: row.integer("messages_waived")?,
                    bytes_waived: row.integer("bytes_waived")?,
                    running: row.integer("running")?,
                    bytes_per_second: row.real("speed")?,
                    eta_seconds: None,
                    ends_at: None,
                },
            })
        })
        .collect()
}

async fn counts(conn: &mut Conn, statement: &'static str) -> Result<Counts> {
    let rows = sqlx::query(statement).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.integer("n")?))).collect()
}

async fn number(conn: &mut Conn, statement: &'static str) -> Result<i64> {
    sqlx::query(statement).fetch_one(conn).await?.integer("n")
}
