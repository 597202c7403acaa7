//! How far waves are: sums over mailboxes and runs, who moves and who is stuck.

use crate::{
    Conn, Result,
    read::{Columns, percent},
    runs,
    sql::Sql,
    waivers::GIVEN_UP,
};
use gatepost_contract::{
    JobId, MailboxId, MailboxStatus, Run, RunId, TroubleKind, WaveId, WaveJob, WaveMailbox, WaveProgress, WaveTrouble,
};
use std::collections::BTreeMap;

/// The wave of the mailbox `m` of the job `j`.
const WAVE: &str = "coalesce(m.wave_id, j.wave_id)";
/// Everything was copied or given up, by the last counts. What was refused and then given up leaves a mailbox in
/// quarantine by its status until its next run.
const COMPLETE: &str = "((m.status = 'ok' OR m.status = 'quarantine' AND g.messages > 0)
    AND m.messages_dest + coalesce(g.messages, 0) >= m.messages_source)";
/// Messages, and bytes, that are still to arrive.
const MESSAGES_LEFT: &str = "(m.messages_source - m.messages_dest - coalesce(g.messages, 0))";
const BYTES_LEFT: &str = "(m.bytes_source - m.bytes_dest - coalesce(g.bytes, 0))";

/// How far every wave is, and, under no wave, the mailboxes of open jobs that are in none. What follows from the speed is
/// left to the caller, who has a clock.
pub async fn all(conn: &mut Conn) -> Result<BTreeMap<Option<WaveId>, WaveProgress>> {
    let mut sql = Sql::new("SELECT ");
    sql.push(WAVE).push(" AS wave, m.status, count(*) AS mailboxes, CAST(sum(CASE WHEN ").push(COMPLETE).push(
        " THEN 1 ELSE 0 END) AS BIGINT) AS complete,
             CAST(sum(m.messages_source) AS BIGINT) AS messages_source,
             CAST(sum(m.messages_dest) AS BIGINT) AS messages_dest,
             CAST(coalesce(sum(g.messages), 0) AS BIGINT) AS messages_waived,
             CAST(coalesce(sum(g.bytes), 0) AS BIGINT) AS bytes_waived,
             CAST(sum(m.bytes_source) AS BIGINT) AS bytes_source, CAST(sum(m.bytes_dest) AS BIGINT) AS bytes_dest,
             ",
    );
    for (left, name) in [(MESSAGES_LEFT, "messages_left, "), (BYTES_LEFT, "bytes_left")] {
        sql.push("CAST(sum(CASE WHEN ").push(left).push(" > 0 THEN ").push(left);
        sql.push(" ELSE 0 END) AS BIGINT) AS ").push(name);
    }
    sql.push(" FROM migration_mailboxes m JOIN migration_jobs j ON j.id = m.job_id LEFT JOIN ").push(GIVEN_UP);
    sql.push(" g ON g.mailbox_id = m.id WHERE j.phase <> 'closed' OR ");
    sql.push(WAVE).push(" IS NOT NULL GROUP BY ").push(WAVE).push(", m.status");
    let mut found: BTreeMap<Option<WaveId>, WaveProgress> = BTreeMap::new();
    for row in &sql.query().fetch_all(&mut *conn).await? {
        let progress = found.entry(row.maybe_integer("wave")?.map(WaveId)).or_default();
        let mailboxes = row.integer("mailboxes")?;
        progress.by_status.push((row.name("status")?, mailboxes));
        progress.mailboxes += mailboxes;
        progress.complete += row.integer("complete")?;
        progress.messages_source += row.integer("messages_source")?;
        progress.messages_dest += row.integer("messages_dest")?;
        progress.bytes_source += row.integer("bytes_source")?;
        progress.bytes_dest += row.integer("bytes_dest")?;
        progress.messages_waived += row.integer("messages_waived")?;
        progress.bytes_waived += row.integer("bytes_waived")?;
        progress.messages_left += row.integer("messages_left")?;
        progress.bytes_left += row.integer("bytes_left")?;
    }
    let rows = sqlx::query(
        "SELECT wave_id, status, count(*) AS runs,
             CAST(sum(CASE WHEN run_type IN ('initial', 'delta', 'final') THEN bytes_per_second ELSE 0.0 END)
                 AS DOUBLE PRECISION) AS speed
         FROM migration_runs WHERE status IN ('queued', 'running') GROUP BY wave_id, status",
    )
    .fetch_all(conn)
    .await?;
    for row in &rows {
        let progress = found.entry(row.maybe_integer("wave_id")?.map(WaveId)).or_default();
        match row.text("status")?.as_str() {
            "running" => {
                progress.running += row.integer("runs")?;
                progress.bytes_per_second += row.real("speed")?;
            }
            _ => progress.queued += row.integer("runs")?,
        }
    }
    for progress in found.values_mut() {
        complete(progress);
    }
    Ok(found)
}

/// Every status once, and the share that has arrived.
fn complete(progress: &mut WaveProgress) {
    let known = std::mem::take(&mut progress.by_status);
    let count = |status| known.iter().filter(|(s, _)| *s == status).map(|(_, n)| n).sum();
    progress.by_status = MailboxStatus::ALL.iter().map(|status| (*status, count(*status))).collect();
    progress.percent = percent(progress.messages_dest, progress.messages_source);
}

/// The runs of a wave at work, oldest first.
pub async fn moving(conn: &mut Conn, wave: WaveId, most: i64) -> Result<Vec<Run>> {
    let mut sql = Sql::new(runs::LIST.select);
    sql.push(" FROM ").push(runs::LIST.from).push(" WHERE r.status = 'running' AND r.wave_id = ").bind(wave.0)?;
    sql.push(" ORDER BY r.id LIMIT ").bind(most)?;
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(runs::read).collect()
}

/// The mailboxes of a wave that are in trouble by their status, and how many there are.
pub async fn in_trouble(conn: &mut Conn, wave: WaveId, most: i64) -> Result<(Vec<WaveTrouble>, i64)> {
    let condition = |sql: &mut Sql| -> Result<()> {
        sql.push(" FROM migration_mailboxes m JOIN migration_jobs j ON j.id = m.job_id WHERE (m.wave_id = ");
        sql.bind(wave.0)?;
        sql.push(" OR m.wave_id IS NULL AND j.wave_id = ").bind(wave.0)?;
        sql.push(") AND m.status IN ('error', 'quarantine')");
        Ok(())
    };
    let mut count = Sql::new("SELECT count(*) AS n");
    condition(&mut count)?;
    let total = count.query().fetch_one(&mut *conn).await?.integer("n")?;
    let mut sql = Sql::new(
        "SELECT m.id, m.job_id, m.email, m.status, m.last_error, j.domain,
             (SELECT max(r.id) FROM migration_runs r WHERE r.mailbox_id = m.id AND r.finished_at IS NOT NULL) AS run",
    );
    condition(&mut sql)?;
    sql.push(" ORDER BY m.updated_at DESC, m.id LIMIT ").bind(most)?;
    let rows = sql.query().fetch_all(conn).await?;
    let found = rows.iter().map(|row| {
        let kind = match row.name::<MailboxStatus>("status")? {
            MailboxStatus::Quarantine => TroubleKind::Quarantine,
            _ => TroubleKind::Error,
        };
        let usual = match kind {
            TroubleKind::Quarantine => "Messages wait in quarantine.",
            _ => "The last run failed; its log says why.",
        };
        Ok(WaveTrouble {
            kind,
            job_id: JobId(row.integer("job_id")?),
            domain: row.text("domain")?,
            mailbox_id: MailboxId(row.integer("id")?),
            email: row.text("email")?,
            why: row.maybe_text("last_error")?.unwrap_or_else(|| usual.to_owned()),
            run_id: row.maybe_integer("run")?.map(RunId),
        })
    });
    Ok((found.collect::<Result<_>>()?, total))
}

/// The runs of a wave that are queued or running, oldest first, of mailboxes: who of them waits is for the caller to say.
pub async fn active(conn: &mut Conn, wave: WaveId, most: i64) -> Result<Vec<Run>> {
    let mut sql = Sql::new(runs::LIST.select);
    sql.push(" FROM ").push(runs::LIST.from);
    sql.push(" WHERE r.status IN ('queued', 'running') AND r.mailbox_id IS NOT NULL AND r.wave_id = ").bind(wave.0)?;
    sql.push(" ORDER BY r.id LIMIT ").bind(most)?;
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(runs::read).collect()
}

/// The jobs of a wave, with what is in it of each.
pub async fn jobs(conn: &mut Conn, wave: WaveId) -> Result<Vec<WaveJob>> {
    let mut sql = Sql::new("SELECT j.id, j.domain, j.phase, j.migration_gate, CASE WHEN j.wave_id = ");
    sql.bind(wave.0)?;
    sql.push(
        " THEN 1 ELSE 0 END AS whole, count(m.id) AS mailboxes,
             CAST(coalesce(sum(CASE WHEN m.status IN ('error', 'quarantine') THEN 1 ELSE 0 END), 0) AS BIGINT) AS troubled,
             CAST(coalesce(sum(m.messages_source), 0) AS BIGINT) AS messages_source,
             CAST(coalesce(sum(m.messages_dest), 0) AS BIGINT) AS messages_dest
         FROM migration_jobs j LEFT JOIN migration_mailboxes m ON m.job_id = j.id AND coalesce(m.wave_id, j.wave_id) = ",
    );
    sql.bind(wave.0)?;
    sql.push(" WHERE j.wave_id = ").bind(wave.0)?;
    sql.push(" OR j.id IN (SELECT s.job_id FROM migration_mailboxes s WHERE s.wave_id = ").bind(wave.0)?;
    sql.push(") GROUP BY j.id, j.domain, j.phase, j.migration_gate, j.wave_id ORDER BY j.domain, j.id");
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(WaveJob {
                job_id: JobId(row.integer("id")?),
                domain: row.text("domain")?,
                whole: row.truth("whole")?,
                phase: row.name("phase")?,
                gate: row.name("migration_gate")?,
                mailboxes: row.integer("mailboxes")?,
                in_trouble: row.integer("troubled")?,
                percent: percent(row.integer("messages_dest")?, row.integer("messages_source")?),
            })
        })
        .collect()
}

/// The mailboxes that are in a wave by themselves.
pub async fn single(conn: &mut Conn, wave: WaveId, most: i64) -> Result<Vec<WaveMailbox>> {
    let rows = sqlx::query(
        "SELECT id, job_id, email, status, sync_percent FROM migration_mailboxes WHERE wave_id = $1
         ORDER BY email, id LIMIT $2",
    )
    .bind(wave.0)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(WaveMailbox {
                mailbox_id: MailboxId(row.integer("id")?),
                job_id: JobId(row.integer("job_id")?),
                email: row.text("email")?,
                status: row.name("status")?,
                percent: row.real("sync_percent")?,
            })
        })
        .collect()
}
