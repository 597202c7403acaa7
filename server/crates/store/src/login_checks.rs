//! `login_checks`: the last check of each log-in of a mailbox, and those that wait for theirs.

use crate::{
    Conn, Result,
    read::Columns,
    sql::{clean, int},
};
use gatepost_contract::{JobId, LoginCheck, LoginState, MailboxId, MailboxSide};

/// A log-in that is to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCheck {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Which of its servers.
    pub side: MailboxSide,
    /// The server, lower case.
    pub host: String,
    /// Waiting, or none where there is nothing to log in to.
    pub state: LoginState,
}

/// A log-in that a worker has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedCheck {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Which of its servers.
    pub side: MailboxSide,
    /// Its job.
    pub job_id: JobId,
    /// The server, lower case.
    pub host: String,
    /// When it was asked for: a later request is another check.
    pub requested_at: String,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// Good, bad or held.
    pub state: LoginState,
    /// What is wrong and what to do.
    pub sentence: Option<&'a str>,
    /// The kind of fault.
    pub kind: Option<&'a str>,
    /// Whether nothing protected the connection.
    pub unprotected: bool,
    /// Folders that were shown.
    pub folders: Option<i64>,
    /// What the server calls itself.
    pub server: Option<&'a str>,
    /// How long it took.
    pub milliseconds: Option<i64>,
}

/// Asks for a check. One that is at work already is left to its end.
pub async fn request(conn: &mut Conn, job: JobId, new: &NewCheck, by: &str, now: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO login_checks (mailbox_id, side, job_id, host, state, requested_at, requested_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (mailbox_id, side) DO UPDATE SET host = excluded.host, state = excluded.state, sentence = NULL,
             kind = NULL, unprotected = 0, folders = NULL, server = NULL, milliseconds = NULL, checked_at = NULL,
             requested_at = excluded.requested_at, requested_by = excluded.requested_by, worker = NULL,
             lease_until = NULL
         WHERE login_checks.state <> 'checking'",
    )
    .bind(new.mailbox_id.0)
    .bind(new.side.as_str())
    .bind(job.0)
    .bind(new.host.as_str())
    .bind(new.state.as_str())
    .bind(now)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes log-ins that wait, or whose worker has died: the longest asked for first, of each host no more than `of_host`
/// together with those at work there.
pub async fn claim(
    conn: &mut Conn,
    worker: &str,
    now: i64,
    lease_until: i64,
    most: i64,
    of_host: i64,
) -> Result<Vec<ClaimedCheck>> {
    let rows = sqlx::query(
        "UPDATE login_checks SET state = 'checking', worker = $1, lease_until = $2
         WHERE (state = 'waiting' OR (state = 'checking' AND lease_until < $3))
           AND (mailbox_id, side) IN (
             SELECT mailbox_id, side FROM (
                 SELECT mailbox_id, side, requested_at,
                        row_number() OVER (PARTITION BY host ORDER BY requested_at, mailbox_id, side) AS place,
                        (SELECT count(*) FROM login_checks b
                         WHERE b.host = c.host AND b.state = 'checking' AND b.lease_until >= $3) AS busy
                 FROM login_checks c WHERE state = 'waiting' OR (state = 'checking' AND lease_until < $3)
             ) turns WHERE place + busy <= $4 ORDER BY requested_at, mailbox_id, side LIMIT $5
           )
         RETURNING mailbox_id, side, job_id, host, requested_at",
    )
    .bind(worker)
    .bind(lease_until)
    .bind(now)
    .bind(of_host)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ClaimedCheck {
                mailbox_id: MailboxId(row.integer("mailbox_id")?),
                side: row.name("side")?,
                job_id: JobId(row.integer("job_id")?),
                host: row.text("host")?,
                requested_at: row.text("requested_at")?,
            })
        })
        .collect()
}

/// Whether any log-in waits or is at work.
pub async fn any_open(conn: &mut Conn) -> Result<bool> {
    let one: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM login_checks WHERE state IN ('waiting', 'checking') LIMIT 1")
            .fetch_optional(conn)
            .await?;
    Ok(one.is_some())
}

/// Writes down what came of a check, unless it was taken from this worker or asked for anew meanwhile.
pub async fn finish(
    conn: &mut Conn,
    check: &ClaimedCheck,
    worker: &str,
    outcome: &Outcome<'_>,
    now: &str,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE login_checks SET state = $1, sentence = $2, kind = $3, unprotected = $4, folders = $5, server = $6,
             milliseconds = $7, checked_at = $8, worker = NULL, lease_until = NULL
         WHERE mailbox_id = $9 AND side = $10 AND worker = $11 AND requested_at = $12 AND state = 'checking'",
    )
    .bind(outcome.state.as_str())
    .bind(outcome.sentence.map(clean))
    .bind(outcome.kind)
    .bind(int(outcome.unprotected))
    .bind(outcome.folders)
    .bind(outcome.server.map(clean))
    .bind(outcome.milliseconds)
    .bind(now)
    .bind(check.mailbox_id.0)
    .bind(check.side.as_str())
    .bind(worker)
    .bind(check.requested_at.as_str())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives back what a worker has taken and not finished.
pub async fn hand_back(conn: &mut Conn, worker: &str) -> Result<()> {
    sqlx::query(
        "UPDATE login_checks SET state = 'waiting', worker = NULL, lease_until = NULL
         WHERE state = 'checking' AND worker = $1",
    )
    .bind(worker)
    .execute(conn)
    .await?;
    Ok(())
}

/// How the last `most` log-ins of this job at a host ended since it was asked for, the newest first: the kind of fault,
/// or nothing for one that was good.
pub async fn last_at(
    conn: &mut Conn,
    job: JobId,
    host: &str,
    requested_at: &str,
    most: i64,
) -> Result<Vec<Option<String>>> {
    let rows = sqlx::query(
        "SELECT kind FROM login_checks WHERE job_id = $1 AND host = $2 AND requested_at >= $3
             AND state IN ('good', 'bad')
         ORDER BY checked_at DESC, mailbox_id DESC LIMIT $4",
    )
    .bind(job.0)
    .bind(host)
    .bind(requested_at)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| row.maybe_text("kind")).collect()
}

/// Holds back what waits for a host, and says why. How many that are.
pub async fn hold(conn: &mut Conn, job: JobId, host: &str, sentence: &str, now: &str) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE login_checks SET state = 'held', sentence = $1, checked_at = $2
         WHERE job_id = $3 AND host = $4 AND state = 'waiting'",
    )
    .bind(sentence)
    .bind(now)
    .bind(job.0)
    .bind(host)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The checks of a job, by mailbox.
pub async fn of_job(conn: &mut Conn, job: JobId) -> Result<Vec<(MailboxId, MailboxSide, LoginCheck)>> {
    let rows = sqlx::query(
        "SELECT mailbox_id, side, state, sentence, kind, unprotected, folders, server, milliseconds, requested_at,
                checked_at
         FROM login_checks WHERE job_id = $1 ORDER BY mailbox_id, side",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let check = LoginCheck {
                state: row.name::<LoginState>("state")?,
                sentence: row.maybe_text("sentence")?,
                kind: row.maybe_text("kind")?,
                unprotected: row.truth("unprotected")?,
                folders: row.maybe_integer("folders")?,
                server: row.maybe_text("server")?,
                milliseconds: row.maybe_integer("milliseconds")?,
                requested_at: row.text("requested_at")?,
                checked_at: row.maybe_text("checked_at")?,
            };
            Ok((MailboxId(row.integer("mailbox_id")?), row.name("side")?, check))
        })
        .collect()
}

/// Forgets what was found of a mailbox: its settings have changed.
pub async fn forget_mailbox(conn: &mut Conn, mailbox: MailboxId) -> Result<()> {
    sqlx::query("DELETE FROM login_checks WHERE mailbox_id = $1").bind(mailbox.0).execute(conn).await?;
    Ok(())
}

/// Forgets what was found of one side of all mailboxes of a job.
pub async fn forget_side(conn: &mut Conn, job: JobId, side: MailboxSide) -> Result<()> {
    sqlx::query("DELETE FROM login_checks WHERE job_id = $1 AND side = $2")
        .bind(job.0)
        .bind(side.as_str())
        .execute(conn)
        .await?;
    Ok(())
}
