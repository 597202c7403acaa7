//! `audit_log`: append-only and hash-chained.
//!
//! A row's hash is BLAKE3 over its id, its fields and the hash of the row before it; each field is written with its
//! length in front, so that no two different rows are written alike. Changing, removing or inserting a row anywhere
//! but at the end breaks the chain there. The newest row's id and hash stand in `settings` too, written in the same
//! transaction, so that rows cut off the end, or put there by another hand, are found as well. What only a
//! [`Head`] kept somewhere else can show is that all of it, the setting included, was computed anew.

use crate::{
    Conn, Error, Result,
    dialect::lock_audit_log,
    read::Columns,
    settings,
    sql::{Conditions, List, Sql},
};
use gatepost_contract::{AuditEntry, AuditFilter, AuditId, JobId, Page, PageQuery};
use sqlx::any::AnyRow;
use std::{cmp::Ordering, fmt, str::FromStr};

/// What the first row has as the hash before it.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How many rows a verification reads at once.
const PAGE: i64 = 1000;
/// Where the newest row's id and hash stand.
const HEAD: &str = "audit_head";

/// A row to append.
#[derive(Clone, Copy, Debug)]
pub struct NewAudit<'a> {
    /// When.
    pub at: &'a str,
    /// Who.
    pub actor: &'a str,
    /// What.
    pub action: &'a str,
    /// The job it concerns.
    pub job_id: Option<JobId>,
    /// On what.
    pub subject: &'a str,
    /// What it was before, as JSON.
    pub before: Option<&'a str>,
    /// What it became, as JSON.
    pub after: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Where a chain ends: a row and its hash. As text `ID:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The row.
    pub id: AuditId,
    /// Its hash.
    pub hash: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.hash)
    }
}

impl FromStr for Head {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (id, hash) = text.trim().split_once(':').ok_or(())?;
        let fine = hash.len() == GENESIS.len() && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let id = id.parse().map(AuditId).map_err(|_| ())?;
        if fine && id.0 > 0 { Ok(Self { id, hash: hash.to_ascii_lowercase() }) } else { Err(()) }
    }
}

/// What a verification of the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// How many rows are in order, from the first.
    pub rows: i64,
    /// The hash of the last row that is in order; 64 zeros for an empty log.
    pub head: String,
    /// The first row that is not in order, and why.
    pub first_bad: Option<(AuditId, String)>,
}

const LIST: List = List {
    select: "SELECT *",
    from: "audit_log",
    count_from: "audit_log",
    sorts: &[("id", "id"), ("at", "at")],
    usual: "-id",
    id: "id",
};

/// Appends a row. Call it within the transaction of the change that it tells of.
pub async fn append(conn: &mut Conn, new: &NewAudit<'_>) -> Result<AuditId> {
    lock_audit_log(conn).await?;
    let last =
        sqlx::query("SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1").fetch_optional(&mut *conn).await?;
    let (id, previous) = match last {
        Some(row) => (row.integer("id")? + 1, row.text("hash")?),
        None => (1, GENESIS.to_owned()),
    };
    let hash = hash(id, new, &previous);
    sqlx::query(
        "INSERT INTO audit_log (id, at, actor, action, job_id, subject, before, after, reason, previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(new.at)
    .bind(new.actor)
    .bind(new.action)
    .bind(new.job_id.map(|j| j.0))
    .bind(new.subject)
    .bind(new.before)
    .bind(new.after)
    .bind(new.reason)
    .bind(previous)
    .bind(hash.as_str())
    .execute(&mut *conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "audit row" }, "job"))?;
    let head = Head { id: AuditId(id), hash };
    settings::put(conn, HEAD, &head.to_string(), new.at).await?;
    Ok(head.id)
}

/// The rows that are wanted, in pages, newest first unless asked otherwise.
pub async fn list(conn: &mut Conn, filter: &AuditFilter, page: &PageQuery) -> Result<Page<AuditEntry>> {
    LIST.page(conn, &conditions(filter), page, read).await
}

/// Those of the rows that are wanted which follow a row, oldest first, at most `count`: for reading all of a log
/// without holding it.
pub async fn following(conn: &mut Conn, filter: &AuditFilter, after: AuditId, count: u32) -> Result<Vec<AuditEntry>> {
    let mut wanted = conditions(filter);
    wanted.integer("id > ?", Some(after.0));
    let mut sql = Sql::new("SELECT * FROM audit_log");
    wanted.write(&mut sql)?;
    sql.push(" ORDER BY id LIMIT ").bind(i64::from(count))?;
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

fn conditions(filter: &AuditFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.integer("job_id = ?", filter.job_id.map(|j| j.0));
    wanted.text("actor = ?", filter.actor.as_deref());
    wanted.text("action = ?", filter.action.as_deref());
    wanted.text("at >= ?", filter.since.as_deref());
    wanted.text("at < ?", filter.until.as_deref());
    wanted
}

/// Computes the whole chain again, page by page, and stops at the first row that is not in order. `kept` is a head that
/// was written down elsewhere: the row of that id must still have that hash.
pub async fn verify(conn: &mut Conn, kept: Option<&Head>) -> Result<AuditReport> {
    let mut report = AuditReport { rows: 0, head: GENESIS.to_owned(), first_bad: None };
    // From below any id, so that a row before the first one is seen too.
    let mut after = i64::MIN;
    // Whether the end was seen once already. A row that is being written meanwhile comes with its new head, so a head
    // beyond the end has to be looked at twice.
    let mut ended = false;
    loop {
        let rows = sqlx::query("SELECT * FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *conn)
            .await?;
        for row in &rows {
            let entry = read(row)?;
            after = entry.id.0;
            if let Some(why) = fault(&entry, report.rows + 1, &report.head, kept) {
                report.first_bad = Some((entry.id, why));
                return Ok(report);
            }
            report.rows += 1;
            report.head = entry.hash;
        }
        if !rows.is_empty() {
            ended = false;
            continue;
        }
        let stored = settings::get(conn, HEAD).await?;
        let head = stored.as_deref().map(str::parse::<Head>);
        match head {
            Some(Ok(head)) if head.id.0 > report.rows && !ended => {
                ended = true;
                continue;
            }
            Some(Ok(head)) => report.first_bad = end_fault(&report, &head),
            Some(Err(())) => {
                report.first_bad = Some((AuditId(report.rows), "the note of the newest row was changed".into()));
            }
            None if report.rows > 0 => {
                report.first_bad = Some((AuditId(report.rows), "the note of the newest row was removed".into()));
            }
            None => {}
        }
        if let Some(kept) = kept.filter(|kept| kept.id.0 > report.rows && report.first_bad.is_none()) {
            let why = format!("the log ends before row {}, whose hash was kept", kept.id);
            report.first_bad = Some((AuditId(report.rows + 1), why));
        }
        return Ok(report);
    }
}

/// What the end of a chain that is in order by itself says against the note of its newest row.
fn end_fault(report: &AuditReport, head: &Head) -> Option<(AuditId, String)> {
    let next = AuditId(report.rows.saturating_add(1));
    match head.id.0.cmp(&report.rows) {
        Ordering::Greater => Some((next, format!("rows {next} to {} were cut off the end", head.id))),
        Ordering::Less => {
            Some((AuditId(head.id.0 + 1), format!("it was added behind row {}, the last that was noted", head.id)))
        }
        Ordering::Equal if head.hash != report.head => {
            Some((head.id, "it is another row than the one that was noted as the newest".into()))
        }
        Ordering::Equal => None,
    }
}

fn fault(entry: &AuditEntry, expected: i64, previous: &str, kept: Option<&Head>) -> Option<String> {
    if entry.id.0 != expected {
        return Some(format!("row {expected} is missing"));
    }
    if kept.is_some_and(|kept| kept.id == entry.id && kept.hash != entry.hash) {
        return Some("it is another row than the one whose hash was kept".into());
    }
    if entry.previous_hash != previous {
        return Some("it does not follow the row before it".into());
    }
    let row = NewAudit {
        at: &entry.at,
        actor: &entry.actor,
        action: &entry.action,
        job_id: entry.job_id,
        subject: &entry.subject,
        before: entry.before.as_deref(),
        after: entry.after.as_deref(),
        reason: entry.reason.as_deref(),
    };
    (hash(entry.id.0, &row, previous) != entry.hash).then(|| "its content does not fit its hash".into())
}

fn hash(id: i64, row: &NewAudit<'_>, previous: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let job = row.job_id.map(|j| j.0.to_string());
    let id = id.to_string();
    let fields = [
        Some(previous),
        Some(id.as_str()),
        Some(row.at),
        Some(row.actor),
        Some(row.action),
        job.as_deref(),
        Some(row.subject),
        row.before,
        row.after,
        row.reason,
    ];
    for field in fields {
        match field {
            None => hasher.update(&[0]),
            Some(text) => hasher.update(&[1]).update(&(text.len() as u64).to_be_bytes()).update(text.as_bytes()),
        };
    }
    hasher.finalize().to_hex().to_string()
}

fn read(row: &AnyRow) -> Result<AuditEntry> {
    Ok(AuditEntry {
        id: AuditId(row.integer("id")?),
        at: row.text("at")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        job_id: row.maybe_integer("job_id")?.map(JobId),
        subject: row.text("subject")?,
        before: row.maybe_text("before")?,
        after: row.maybe_text("after")?,
        reason: row.maybe_text("reason")?,
        previous_hash: row.text("previous_hash")?,
        hash: row.text("hash")?,
    })
}
