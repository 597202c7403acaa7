//! What the runs of a job's mailboxes come to: of each mailbox the few by which evidence is judged. Indexes find them,
//! however many runs there are, so nothing lies outside of a window.
//!
//! Runs of one mailbox have their turn in the order of their ids ([`super::claim`]): which came before which is told by
//! these, and never by the clocks of two machines, or of one that was set.

use crate::{Conn, Result, pauses, read::Columns, sql::Sql};
use gatepost_contract::{JobId, MailboxId, RunId, RunStatus, RunType};
use serde_json::Value;
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A run that has begun, as those who judge it need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Which.
    pub id: RunId,
    /// What it did.
    pub run_type: RunType,
    /// How it stands or ended.
    pub status: RunStatus,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i64>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Its figures; none before it has ended.
    pub stats: BTreeMap<String, Value>,
}

/// What the runs of one mailbox come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The newest first copy that has ended.
    pub initial: Option<Past>,
    /// The newest delta or final that has ended.
    pub delta: Option<Past>,
    /// The newest copy that has begun and is not known to have left everything as it was: it may have ended, be at work,
    /// or wait in the queue to be taken up again.
    pub copied: Option<Past>,
    /// The newest verification after the mailbox's evidence that has compared with it what it counted.
    pub counted: Option<Past>,
}

/// What is asked for: the newest run `x` of the mailbox `b` of which this holds.
pub(crate) type Asked = (What, &'static str);

#[derive(Clone, Copy)]
pub(crate) enum What {
    Initial,
    Delta,
    Copied,
    Counted,
    Spoken,
}

// Each is about one type of run, so that the search ends at the first row of an index.
pub(crate) const HISTORY: [Asked; 7] = [
    (What::Initial, "x.run_type = 'initial' AND x.finished_at IS NOT NULL"),
    (What::Delta, "x.run_type = 'delta' AND x.finished_at IS NOT NULL"),
    (What::Delta, "x.run_type = 'final' AND x.finished_at IS NOT NULL"),
    (What::Copied, "x.run_type = 'initial' AND x.idle = 0 AND x.started_at IS NOT NULL"),
    (What::Copied, "x.run_type = 'delta' AND x.idle = 0 AND x.started_at IS NOT NULL"),
    (What::Copied, "x.run_type = 'final' AND x.idle = 0 AND x.started_at IS NOT NULL"),
    // In JSON a quotation mark within a text is escaped: this can be nothing but the name of a figure.
    (
        What::Counted,
        "x.run_type = 'verify' AND x.finished_at IS NOT NULL AND x.stats_json LIKE '%\"contradicted\":%'
             AND x.id > (SELECT e.run_id FROM migration_evidence e WHERE e.mailbox_id = b.id ORDER BY e.id DESC LIMIT 1)",
    ),
];

pub(crate) const LAST_WORD: [Asked; 4] = [
    (What::Spoken, "x.run_type = 'initial' AND x.started_at IS NOT NULL"),
    (What::Spoken, "x.run_type = 'delta' AND x.started_at IS NOT NULL"),
    (What::Spoken, "x.run_type = 'final' AND x.started_at IS NOT NULL"),
    (What::Spoken, "x.run_type = 'verify' AND x.idle = 0 AND x.started_at IS NOT NULL"),
];

/// What the runs of each mailbox of a job come to; a mailbox of which there is nothing to tell is left out.
pub async fn of_job(conn: &mut Conn, job: JobId) -> Result<HashMap<MailboxId, History>> {
    let mut all: HashMap<MailboxId, History> = HashMap::new();
    for (what, mailbox, run) in newest(conn, job, &HISTORY).await? {
        let history = all.entry(mailbox).or_default();
        let place = match what {
            What::Initial => &mut history.initial,
            What::Delta => &mut history.delta,
            What::Copied | What::Spoken => &mut history.copied,
            What::Counted => &mut history.counted,
        };
        put_newer(place, run);
    }
    Ok(all)
}

/// The run of each mailbox of a job that has said the last of it: the newest that has begun, whatever became of it, but
/// for looks at servers and files, and for counts that found nothing otherwise.
pub async fn last_words(conn: &mut Conn, job: JobId) -> Result<HashMap<MailboxId, Past>> {
    let mut all = HashMap::new();
    for (_, mailbox, run) in newest(conn, job, &LAST_WORD).await? {
        put_newer(all.entry(mailbox).or_insert(None), run);
    }
    Ok(all.into_iter().filter_map(|(mailbox, run)| Some((mailbox, run?))).collect())
}

/// The mailboxes of a job whose ledger is in motion: a run that writes it is at work, or will be taken up again by
/// itself. What rests under a pause is as final as it gets until somebody ends the pause.
pub async fn in_motion(conn: &mut Conn, job: JobId) -> Result<HashSet<MailboxId>> {
    let rows = moving(job)?.query().fetch_all(conn).await?;
    rows.iter().map(|row| Ok(MailboxId(row.integer("mailbox_id")?))).collect()
}

fn put_newer(place: &mut Option<Past>, run: Past) {
    if place.as_ref().is_none_or(|known| known.id < run.id) {
        *place = Some(run);
    }
}

async fn newest(conn: &mut Conn, job: JobId, asked: &[Asked]) -> Result<Vec<(What, MailboxId, Past)>> {
    let rows = statement(job, asked)?.query().fetch_all(conn).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let place = usize::try_from(row.integer("place")?).unwrap_or_default();
        if let Some((what, _)) = asked.get(place) {
            found.push((*what, MailboxId(row.integer("mailbox")?), read(row)?));
        }
    }
    Ok(found)
}

pub(crate) fn statement(job: JobId, asked: &[Asked]) -> Result<Sql> {
    let mut sql = Sql::new("");
    for (place, (_, condition)) in asked.iter().enumerate() {
        sql.push(if place == 0 { "" } else { " UNION ALL " });
        sql.push(&format!("SELECT CAST({place} AS BIGINT) AS place, b.id AS mailbox, r.id, r.run_type, r.status,"));
        sql.push(
            " r.exit_code, r.finished_at, r.stats_json FROM migration_mailboxes b JOIN migration_runs r ON r.id =",
        );
        sql.push(" (SELECT x.id FROM migration_runs x WHERE x.mailbox_id = b.id AND ").push(condition);
        sql.push(" ORDER BY x.id DESC LIMIT 1) WHERE b.job_id = ").bind(job.0)?;
    }
    Ok(sql)
}

pub(crate) fn moving(job: JobId) -> Result<Sql> {
    let mut sql = Sql::new("SELECT r.mailbox_id FROM migration_runs r WHERE r.job_id = ");
    sql.bind(job.0)?.push(" AND r.status IN ('queued', 'running') AND r.started_at IS NOT NULL");
    sql.push(" AND r.mailbox_id IS NOT NULL AND r.run_type <> 'pst_extract' AND NOT (r.status = 'queued'");
    sql.push(" AND EXISTS (SELECT 1 FROM migration_pauses p WHERE ").push(pauses::HOLDS).push("))");
    Ok(sql)
}

fn read(row: &AnyRow) -> Result<Past> {
    Ok(Past {
        id: RunId(row.integer("id")?),
        run_type: row.name("run_type")?,
        status: row.name("status")?,
        exit_code: row.maybe_integer("exit_code")?,
        finished_at: row.maybe_text("finished_at")?,
        stats: row.json("stats_json")?,
    })
}
