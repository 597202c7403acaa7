//! `migration_waivers`: messages given up on purpose. A row outlives its message, and its own end: it says when and
//! why it expired. A waiver covers a message as it was when it was given.

use crate::{
    Conn, Result, audit,
    messages::{Selection, residue},
    read::Columns,
    sql::{Conditions, List, Sql},
};
use gatepost_contract::{
    CauseKind, Fidelity, FolderId, JobId, MailboxId, MessageId, MessageState, Page, PageQuery, WaiverDecision, WaiverId,
};
use serde_json::json;
use sqlx::any::AnyRow;

/// Who gives up, and why.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// What the waivers have in common; no other decision has it.
    pub batch: &'a str,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: &'a str,
}

/// Messages of one folder that became waived, or ceased to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The job.
    pub job: JobId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The folder.
    pub folder: FolderId,
    /// Where they stand without the waiver.
    pub state: MessageState,
    /// How their copies compare.
    pub fidelity: Option<Fidelity>,
    /// Why they are residue.
    pub cause_kind: Option<CauseKind>,
    /// How many.
    pub messages: i64,
}

/// Messages and bytes by mailbox that are given up now: what nobody waits for any more. To be joined as a table.
pub(crate) const GIVEN_UP: &str = "(SELECT f.mailbox_id, count(*) AS messages, CAST(sum(g.size) AS BIGINT) AS bytes
         FROM migration_messages g JOIN migration_folders f ON f.id = g.folder_id
         WHERE g.state = 'waived' AND f.gone_at IS NULL
             AND g.id IN (SELECT message_id FROM migration_waivers WHERE expired_at IS NULL)
         GROUP BY f.mailbox_id)";

/// Gives messages up, and says which. Whoever is waived already is left alone.
pub async fn add(conn: &mut Conn, selection: &Selection, decision: &Decision<'_>) -> Result<Vec<Moved>> {
    let mut sql = Sql::new(
        "INSERT INTO migration_waivers (mailbox_id, message_id, cause_kind, size, internal_date, former_state,
             actor, reason, at, batch)
         SELECT b.id, m.id, m.cause_kind, m.size, m.internal_date, m.state, ",
    );
    sql.bind(decision.actor)?.push(", ").bind(decision.reason)?;
    sql.push(", ").bind(decision.at)?.push(", ").bind(decision.batch)?;
    sql.push(" FROM ").push(residue::LIST.count_from);
    selection.conditions().write(&mut sql)?;
    sql.query().execute(&mut *conn).await?;
    let mut batch = Conditions::default();
    batch.text("w.batch = ?", Some(decision.batch));
    let moved = moved(conn, &batch, FORMER).await?;
    sqlx::query(
        "UPDATE migration_messages SET state = 'waived'
         WHERE id IN (SELECT message_id FROM migration_waivers WHERE batch = $1)",
    )
    .bind(decision.batch)
    .execute(conn)
    .await?;
    Ok(moved)
}

/// Takes waivers back: those of a whole decision, or one alone. The messages stand again where they stood before, or are
/// pending where their copy has gone meanwhile; says which. Nothing happens to waivers that have ended already.
pub async fn withdraw(conn: &mut Conn, which: &Withdrawn<'_>, why: &str, now: &str) -> Result<Vec<Moved>> {
    let wanted = which.conditions();
    let moved = moved(conn, &wanted, STANDS).await?;
    restore(conn, &wanted).await?;
    end(conn, &wanted, why, now).await?;
    Ok(moved)
}

/// Which waivers are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn<'a> {
    /// This one.
    One(WaiverId),
    /// All that were given at once.
    Batch(&'a str),
}

impl Withdrawn<'_> {
    fn conditions(&self) -> Conditions {
        let mut wanted = Conditions::default();
        match self {
            Self::One(id) => wanted.integer("w.id = ?", Some(id.0)),
            Self::Batch(batch) => wanted.text("w.batch = ?", Some(batch)),
        }
        wanted
    }
}

/// Ends the waivers of a message that has changed since, or that arrived after all: it stands again where it stood
/// before. Writes the audit row. False where no waiver covered it.
pub async fn expire(conn: &mut Conn, message: MessageId, why: &str, now: &str) -> Result<bool> {
    Ok(expire_all(conn, &[message], why, now).await? > 0)
}

/// The same for several messages and one reason; one audit row for each mailbox. Says how many waivers ended.
pub async fn expire_all(conn: &mut Conn, messages: &[MessageId], why: &str, now: &str) -> Result<u64> {
    let mut ended = 0;
    for part in messages.chunks(PART) {
        let mut wanted = Conditions::default();
        wanted.among("w.message_id", part.iter().map(|m| m.0));
        let mut sql = Sql::new(
            "SELECT b.job_id, b.id AS mailbox_id, count(*) AS messages, min(w.message_id) AS first
             FROM migration_waivers w JOIN migration_mailboxes b ON b.id = w.mailbox_id",
        );
        let mut standing = wanted.clone();
        standing.fixed(STANDING);
        standing.write(&mut sql)?;
        sql.push(" GROUP BY b.job_id, b.id ORDER BY b.id");
        let rows = sql.query_once().fetch_all(&mut *conn).await?;
        if rows.is_empty() {
            continue;
        }
        restore(conn, &wanted).await?;
        ended += end(conn, &wanted, why, now).await?;
        for row in &rows {
            let count = row.integer("messages")?;
            let subject = match count {
                1 => format!("message/{}", row.integer("first")?),
                _ => format!("mailbox/{}", row.integer("mailbox_id")?),
            };
            let entry = audit::NewAudit {
                at: now,
                actor: "worker",
                action: "waiver.expire",
                job_id: Some(JobId(row.integer("job_id")?)),
                subject: &subject,
                before: Some(&json!({"waived": count}).to_string()),
                after: None,
                reason: Some(why),
            };
            audit::append(conn, &entry).await?;
        }
    }
    Ok(ended)
}

/// How many messages one statement names.
const PART: usize = 256;

/// Ends the waivers of a mailbox that cover nothing any more: their message has gone from the source, arrived after
/// all, or is not the one that was waived. Says how many ended.
pub async fn settle(conn: &mut Conn, mailbox: MailboxId, now: &str) -> Result<u64> {
    let rows = sqlx::query(
        "SELECT w.message_id, CASE WHEN m.id IS NULL THEN 0 WHEN m.state <> 'waived' THEN 1 ELSE 2 END AS kind
         FROM migration_waivers w LEFT JOIN migration_messages m ON m.id = w.message_id
         WHERE w.mailbox_id = $1 AND w.expired_at IS NULL
             AND (m.id IS NULL OR m.state <> 'waived' OR m.size <> w.size OR m.internal_date <> w.internal_date)
         ORDER BY w.id",
    )
    .bind(mailbox.0)
    .fetch_all(&mut *conn)
    .await?;
    let mut kinds: [Vec<MessageId>; 3] = Default::default();
    for row in &rows {
        let kind = usize::try_from(row.integer("kind")?).unwrap_or_default().min(2);
        kinds[kind].push(MessageId(row.integer("message_id")?));
    }
    let reasons = [
        "The message is not at the source any more.",
        "The message arrived after all.",
        "The message has changed since it was waived.",
    ];
    let mut ended = 0;
    for (messages, why) in kinds.iter().zip(reasons) {
        ended += expire_all(conn, messages, why, now).await?;
    }
    Ok(ended)
}

/// The decisions of a job, newest first.
pub async fn decisions(conn: &mut Conn, job: JobId, page: &PageQuery) -> Result<Page<WaiverDecision>> {
    let mut wanted = Conditions::default();
    wanted.integer("d.job_id = ?", Some(job.0));
    DECISIONS.page(conn, &wanted, page, decision).await
}

/// The decision that a waiver belongs to, with its job.
pub async fn get(conn: &mut Conn, id: WaiverId) -> Result<Option<(JobId, WaiverDecision)>> {
    let key: Option<String> =
        sqlx::query_scalar("SELECT coalesce(batch, CAST(id AS TEXT)) FROM migration_waivers WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *conn)
            .await?;
    let mut wanted = Conditions::default();
    wanted.text("d.decision = ?", Some(key.as_deref().unwrap_or_default()));
    let row = DECISIONS.statement(&wanted, &PageQuery::default())?.query().fetch_optional(conn).await?;
    row.map(|row| Ok((JobId(row.integer("job_id")?), decision(&row)?))).transpose()
}

/// The first waiver of a decision.
pub async fn first_of(conn: &mut Conn, batch: &str) -> Result<Option<WaiverId>> {
    let id: Option<i64> = sqlx::query_scalar("SELECT min(id) FROM migration_waivers WHERE batch = $1")
        .bind(batch)
        .fetch_one(conn)
        .await?;
    Ok(id.map(WaiverId))
}

const DECISIONS: List = List {
    select: "SELECT d.*",
    from: DECIDED,
    count_from: DECIDED,
    sorts: &[("id", "d.id"), ("at", "d.at"), ("messages", "d.messages"), ("standing", "d.standing")],
    usual: "-id",
    id: "d.id",
};

const DECIDED: &str = "(SELECT coalesce(w.batch, CAST(w.id AS TEXT)) AS decision, b.job_id, min(w.id) AS id,
        min(w.batch) AS batch, min(w.actor) AS actor, min(w.reason) AS reason, min(w.at) AS at, count(*) AS messages,
        CAST(sum(CASE WHEN w.expired_at IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS standing,
        count(DISTINCT b.id) AS mailboxes, CASE WHEN count(DISTINCT b.id) = 1 THEN min(b.email) END AS email,
        CASE WHEN count(DISTINCT f.id) = 1 AND count(f.id) = count(*) THEN min(f.source_path) END AS folder,
        CASE WHEN count(DISTINCT w.cause_kind) = 1 AND count(w.cause_kind) = count(*) THEN min(w.cause_kind) END
            AS cause_kind,
        max(w.expired_at) AS expired_at, max(w.expired_why) AS expired_why
    FROM migration_waivers w JOIN migration_mailboxes b ON b.id = w.mailbox_id
        LEFT JOIN migration_messages m ON m.id = w.message_id LEFT JOIN migration_folders f ON f.id = m.folder_id
    GROUP BY coalesce(w.batch, CAST(w.id AS TEXT)), b.job_id) d";

const STANDING: &str = "w.expired_at IS NULL";

/// Where a message stood when it was waived; rows from before this was kept are judged by their copy.
const FORMER: &str = "coalesce(w.former_state, CASE WHEN m.fidelity = 'changed' THEN 'arrived' ELSE 'pending' END)";

/// Where it stands without the waiver: what had arrived and has no copy any more, as it was last read, is pending.
const STANDS: &str = "CASE WHEN m.dest_uid IS NULL AND coalesce(w.former_state,
        CASE WHEN m.fidelity = 'changed' THEN 'arrived' ELSE 'pending' END) = 'arrived' THEN 'pending'
    ELSE coalesce(w.former_state, CASE WHEN m.fidelity = 'changed' THEN 'arrived' ELSE 'pending' END) END";

/// What these waivers cover now, and where it stands by this expression.
async fn moved(conn: &mut Conn, wanted: &Conditions, stands: &'static str) -> Result<Vec<Moved>> {
    let mut sql = Sql::new("SELECT b.job_id, b.id AS mailbox_id, m.folder_id, ");
    sql.push(stands).push(
        " AS state, m.fidelity, m.cause_kind, count(*) AS messages
          FROM migration_waivers w JOIN migration_messages m ON m.id = w.message_id
          JOIN migration_mailboxes b ON b.id = w.mailbox_id",
    );
    let mut standing = wanted.clone();
    standing.fixed(STANDING);
    standing.write(&mut sql)?;
    sql.push(" GROUP BY b.job_id, b.id, m.folder_id, ").push(stands).push(", m.fidelity, m.cause_kind");
    sql.push(" ORDER BY b.id, m.folder_id, state");
    let rows = sql.query_once().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Moved {
                job: JobId(row.integer("job_id")?),
                mailbox: MailboxId(row.integer("mailbox_id")?),
                folder: FolderId(row.integer("folder_id")?),
                state: row.name("state")?,
                fidelity: row.maybe_name("fidelity")?,
                cause_kind: row.maybe_name("cause_kind")?,
                messages: row.integer("messages")?,
            })
        })
        .collect()
}

/// The messages that these waivers cover stand again where they stood.
async fn restore(conn: &mut Conn, wanted: &Conditions) -> Result<()> {
    let mut sql = Sql::new("UPDATE migration_messages SET state = v.state FROM (SELECT w.message_id, max(");
    sql.push(STANDS).push(") AS state FROM migration_waivers w JOIN migration_messages m ON m.id = w.message_id");
    let mut standing = wanted.clone();
    standing.fixed(STANDING);
    standing.write(&mut sql)?;
    sql.push(
        " GROUP BY w.message_id) AS v WHERE migration_messages.id = v.message_id AND migration_messages.state = 'waived'",
    );
    sql.query_once().execute(conn).await?;
    Ok(())
}

async fn end(conn: &mut Conn, wanted: &Conditions, why: &str, now: &str) -> Result<u64> {
    let mut sql = Sql::new("UPDATE migration_waivers SET expired_at = ");
    sql.bind(now)?.push(", expired_why = ").bind(crate::sql::clean(why))?;
    sql.push(" WHERE id IN (SELECT w.id FROM migration_waivers w");
    let mut standing = wanted.clone();
    standing.fixed(STANDING);
    standing.write(&mut sql)?;
    sql.push(")");
    Ok(sql.query_once().execute(conn).await?.rows_affected())
}

fn decision(row: &AnyRow) -> Result<WaiverDecision> {
    Ok(WaiverDecision {
        id: WaiverId(row.integer("id")?),
        batch: row.maybe_text("batch")?,
        actor: row.text("actor")?,
        reason: row.text("reason")?,
        at: row.text("at")?,
        messages: row.integer("messages")?,
        standing: row.integer("standing")?,
        mailboxes: row.integer("mailboxes")?,
        email: row.maybe_text("email")?,
        folder: row.maybe_text("folder")?,
        cause_kind: row.maybe_name("cause_kind")?,
        expired_at: row.maybe_text("expired_at")?,
        expired_why: row.maybe_text("expired_why")?,
    })
}
