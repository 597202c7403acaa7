//! `migration_jobs`: one domain's move. Which phase may follow which is not known here.

use crate::{
    Conn, Error, Result,
    read::{Columns, percent},
    runs,
    sql::{Conditions, List, Sql, changed, int},
};
use gatepost_contract::{
    EvidenceId, Gate, GateFigures, Job, JobFilter, JobId, Overview, Page, PageQuery, Phase, Security, TenantId,
    TicketId, UserId,
};
use sqlx::{Row, any::AnyRow};

/// How many jobs the overview shows of each kind.
const SHOWN: i64 = 20;

/// A new job.
#[derive(Clone, Debug)]
pub struct NewJobRow {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The ticket it was opened from.
    pub ticket_id: Option<TicketId>,
    /// The domain, lower case, A-labels.
    pub domain: String,
    /// What the old server is called.
    pub source_server_label: String,
    /// Free text.
    pub notes: String,
    /// The new server.
    pub dest_imap_host: String,
    /// Its port.
    pub dest_imap_port: u16,
    /// How the connection to it is protected.
    pub dest_imap_security: Security,
    /// True: its certificate is not verified.
    pub dest_insecure_tls: bool,
}

/// What a person may change about a job; all of it is written.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// What the old server is called.
    pub source_server_label: String,
    /// Free text.
    pub notes: String,
    /// The new server.
    pub dest_imap_host: String,
    /// Its port.
    pub dest_imap_port: u16,
    /// How the connection to it is protected.
    pub dest_imap_security: Security,
    /// True: its certificate is not verified.
    pub dest_insecure_tls: bool,
    /// The ticket it belongs to.
    pub ticket_id: Option<TicketId>,
}

/// An approval of the gate.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalRow {
    /// By whom.
    pub approved_by: UserId,
    /// When.
    pub approved_at: String,
    /// The evidence that was signed.
    pub evidence_id: Option<EvidenceId>,
    /// The figures that were signed; none where an older version stored the approval.
    pub signed: Option<GateFigures>,
    /// A note.
    pub note: Option<String>,
    /// The reason, where it overrides failing checks.
    pub override_reason: Option<String>,
}

/// An approval that was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: String,
    /// Why, as a part of a sentence.
    pub why: String,
}

// LEFT JOINs throughout: the jobs' own index gives the order, and counting can leave the others out.
const FROM: &str = "migration_jobs j LEFT JOIN tenants t ON t.id = j.tenant_id
    LEFT JOIN users u ON u.id = CAST(j.approved_by AS BIGINT)";

pub(crate) const LIST: List = List {
    select: "SELECT j.*, t.name AS tenant_name, u.email AS approved_by_email,
        (SELECT count(*) FROM migration_runs r WHERE r.job_id = j.id AND r.status IN ('queued', 'running')) AS active_runs",
    from: FROM,
    count_from: "migration_jobs j",
    sorts: &[
        ("id", "j.id"),
        ("domain", "j.domain"),
        ("phase", "j.phase"),
        ("gate", "j.migration_gate"),
        ("migration_gate", "j.migration_gate"),
        ("tenant_name", "lower(t.name)"),
        ("messages_source", "j.messages_source"),
        ("mailboxes", "j.mailboxes"),
        ("mailboxes_in_trouble", "j.mailboxes_in_trouble"),
        ("created_at", "j.created_at"),
        ("updated_at", "j.updated_at"),
    ],
    usual: "-updated_at",
    id: "j.id",
};

/// The same, counted with the tenant's name in reach.
const SEARCH: List = List { count_from: "migration_jobs j LEFT JOIN tenants t ON t.id = j.tenant_id", ..LIST };

/// A new job, in phase `discovered` with its gate `blocked`. [`Error::Missing`] for an unknown tenant or ticket.
pub async fn insert(conn: &mut Conn, new: &NewJobRow, now: &str) -> Result<JobId> {
    let id = sqlx::query_scalar(
        "INSERT INTO migration_jobs (tenant_id, ticket_id, domain, source_server_label, notes, dest_imap_host,
             dest_imap_port, dest_imap_security, dest_insecure_tls, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING id",
    )
    .bind(new.tenant_id.0)
    .bind(new.ticket_id.map(|t| t.0))
    .bind(new.domain.as_str())
    .bind(new.source_server_label.as_str())
    .bind(new.notes.as_str())
    .bind(new.dest_imap_host.as_str())
    .bind(i64::from(new.dest_imap_port))
    .bind(new.dest_imap_security.as_str())
    .bind(int(new.dest_insecure_tls))
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "job" }, "tenant or ticket"))?;
    Ok(JobId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: JobId) -> Result<Option<Job>> {
    let mut only = Conditions::default();
    only.integer("j.id = ?", Some(id.0));
    let row = LIST.statement(&only, &PageQuery::default())?.query().fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// Those that are wanted, in pages, last changed first unless asked otherwise.
pub async fn list(conn: &mut Conn, filter: &JobFilter, page: &PageQuery) -> Result<Page<Job>> {
    let wanted = conditions(filter);
    let list = if filter.q.is_some() { &SEARCH } else { &LIST };
    list.page(conn, &wanted, page, read).await
}

pub(crate) fn conditions(filter: &JobFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.text("j.domain = ?", filter.domain.as_deref());
    wanted.text("j.phase = ?", filter.phase.map(Phase::as_str));
    wanted.text("j.migration_gate = ?", filter.gate.map(Gate::as_str));
    wanted.integer("j.tenant_id = ?", filter.tenant_id.map(|t| t.0));
    wanted.integer("j.ticket_id = ?", filter.ticket_id.map(|t| t.0));
    wanted.words(
        r"(j.domain LIKE lower(?) ESCAPE '\' OR lower(j.source_server_label) LIKE lower(?) ESCAPE '\'
            OR lower(t.name) LIKE lower(?) ESCAPE '\')",
        filter.q.as_deref(),
    );
    wanted
}

/// Every job of a domain, whatever its phase, oldest first.
pub async fn by_domain(conn: &mut Conn, domain: &str) -> Result<Vec<Job>> {
    let mut only = Conditions::default();
    only.text("j.domain = ?", Some(domain));
    all(conn, &only, "id", i64::from(gatepost_contract::MAX_PER_PAGE)).await
}

/// Every job that is not closed, oldest first.
pub async fn open(conn: &mut Conn) -> Result<Vec<JobId>> {
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM migration_jobs WHERE phase <> 'closed' ORDER BY id").fetch_all(conn).await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// What the overview shows.
pub async fn overview(conn: &mut Conn) -> Result<Overview> {
    let rows =
        sqlx::query("SELECT phase, count(*) AS jobs FROM migration_jobs GROUP BY phase").fetch_all(&mut *conn).await?;
    let mut by_phase: Vec<(Phase, i64)> = Phase::ALL.iter().map(|phase| (*phase, 0)).collect();
    for row in &rows {
        let phase = row.name("phase")?;
        if let Some((_, count)) = by_phase.iter_mut().find(|(p, _)| *p == phase) {
            *count = row.integer("jobs")?;
        }
    }
    let rows = sqlx::query(
        "SELECT migration_gate, count(*) AS jobs FROM migration_jobs WHERE phase <> 'closed' GROUP BY migration_gate",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut by_gate: Vec<(Gate, i64)> = Gate::ALL.iter().map(|gate| (*gate, 0)).collect();
    for row in &rows {
        let gate = row.name("migration_gate")?;
        if let Some((_, count)) = by_gate.iter_mut().find(|(g, _)| *g == gate) {
            *count = row.integer("jobs")?;
        }
    }
    let running = runs::at_work(conn, gatepost_contract::MAX_PER_PAGE).await?;
    let mut troubled = Conditions::default();
    // Word for word the condition of idx_migration_jobs_attention.
    troubled.fixed("j.phase <> 'closed' AND (j.mailboxes_in_trouble > 0 OR j.phase = 'failed')");
    let attention = all(conn, &troubled, "-updated_at", SHOWN).await?;
    let mut waiting = Conditions::default();
    waiting.fixed("j.migration_gate = 'warning' AND j.approved_at IS NULL AND j.phase <> 'closed'");
    let awaiting_approval = all(conn, &waiting, "-updated_at", SHOWN).await?;
    Ok(Overview { by_phase, by_gate, running, attention, awaiting_approval })
}

async fn all(conn: &mut Conn, conditions: &Conditions, sort: &str, most: i64) -> Result<Vec<Job>> {
    let page = PageQuery { page: 1, per_page: u32::try_from(most).unwrap_or(u32::MAX), sort: Some(sort.to_owned()) };
    let rows = LIST.statement(conditions, &page)?.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Changes what a person may change.
pub async fn update(conn: &mut Conn, id: JobId, settings: &JobSettings, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_jobs SET source_server_label = $2, notes = $3, dest_imap_host = $4, dest_imap_port = $5,
             dest_imap_security = $6, dest_insecure_tls = $7, ticket_id = $8, updated_at = $9 WHERE id = $1",
    )
    .bind(id.0)
    .bind(settings.source_server_label.as_str())
    .bind(settings.notes.as_str())
    .bind(settings.dest_imap_host.as_str())
    .bind(i64::from(settings.dest_imap_port))
    .bind(settings.dest_imap_security.as_str())
    .bind(int(settings.dest_insecure_tls))
    .bind(settings.ticket_id.map(|t| t.0))
    .bind(now)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "job" }, "ticket"))?;
    changed(&result, "job")
}

/// Moves a job from one phase to another; false where it was not in the first any more. `failed_phase` is given with
/// `to = failed` and only then.
pub async fn set_phase(
    conn: &mut Conn,
    id: JobId,
    from: Phase,
    to: Phase,
    failed_phase: Option<Phase>,
    now: &str,
) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE migration_jobs SET phase = $3, failed_phase = $4, updated_at = $5 WHERE id = $1 AND phase = $2",
    )
    .bind(id.0)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(failed_phase.map(Phase::as_str))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Sets the verdict.
pub async fn set_gate(conn: &mut Conn, id: JobId, gate: Gate, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_jobs SET migration_gate = $2, updated_at = $3 WHERE id = $1")
        .bind(id.0)
        .bind(gate.as_str())
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "job")
}

/// The approval that a job carries.
pub async fn approval(conn: &mut Conn, id: JobId) -> Result<Option<ApprovalRow>> {
    let row = sqlx::query(
        "SELECT CAST(approved_by AS BIGINT) AS approver, approved_at, approved_evidence_id, approval_signed,
             approval_note, override_reason
         FROM migration_jobs WHERE id = $1 AND approved_by IS NOT NULL AND approved_at IS NOT NULL",
    )
    .bind(id.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let signed = row.maybe_text("approval_signed")?;
        Ok(ApprovalRow {
            approved_by: UserId(row.integer("approver")?),
            approved_at: row.text("approved_at")?,
            evidence_id: row.maybe_integer("approved_evidence_id")?.map(EvidenceId),
            signed: signed.is_some().then(|| row.json("approval_signed")).transpose()?,
            note: row.maybe_text("approval_note")?,
            override_reason: row.maybe_text("override_reason")?,
        })
    })
    .transpose()
}

/// Writes an approval over `former`, which is the time of the one that was seen; false where another was given
/// meanwhile.
pub async fn approve(
    conn: &mut Conn,
    id: JobId,
    approval: &ApprovalRow,
    former: Option<&str>,
    now: &str,
) -> Result<bool> {
    let signed = approval.signed.as_ref().map(serde_json::to_string).transpose();
    let signed = signed.map_err(|e| Error::Corrupt { column: "approval_signed", reason: e.to_string() })?;
    let result = sqlx::query(
        "UPDATE migration_jobs SET approved_by = $2, approved_at = $3, approved_evidence_id = $4, approval_signed = $5,
             approval_note = $6, override_reason = $7, approval_revoked_at = NULL, approval_revoked_why = NULL,
             updated_at = $8 WHERE id = $1 AND coalesce(approved_at, '') = $9",
    )
    .bind(id.0)
    .bind(approval.approved_by.to_string())
    .bind(approval.approved_at.as_str())
    .bind(approval.evidence_id.map(|e| e.0))
    .bind(signed)
    .bind(approval.note.as_deref())
    .bind(approval.override_reason.as_deref())
    .bind(now)
    .bind(former.unwrap_or_default())
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Takes the approval away and remembers why.
pub async fn revoke_approval(conn: &mut Conn, id: JobId, why: &str, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_jobs SET approved_by = NULL, approved_at = NULL, approved_evidence_id = NULL,
             approval_signed = NULL, approval_note = NULL, override_reason = NULL, approval_revoked_at = $2,
             approval_revoked_why = $3, updated_at = $2 WHERE id = $1",
    )
    .bind(id.0)
    .bind(now)
    .bind(why)
    .execute(conn)
    .await?;
    changed(&result, "job")
}

/// The approval that was taken away, while nobody has given another.
pub async fn revocation(conn: &mut Conn, id: JobId) -> Result<Option<Revocation>> {
    let row = sqlx::query(
        "SELECT approval_revoked_at, approval_revoked_why FROM migration_jobs
         WHERE id = $1 AND approval_revoked_at IS NOT NULL AND approval_revoked_why IS NOT NULL",
    )
    .bind(id.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(Revocation { at: row.text("approval_revoked_at")?, why: row.text("approval_revoked_why")? }))
        .transpose()
}

/// Notes when the MX was changed, as it was told, and that it was told now.
pub async fn set_dns_cutover(conn: &mut Conn, id: JobId, at: &str, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_jobs SET dns_cutover_at = $2, dns_cutover_told_at = $3, updated_at = $3 WHERE id = $1",
    )
    .bind(id.0)
    .bind(at)
    .bind(now)
    .execute(conn)
    .await?;
    changed(&result, "job")
}

/// Notes that something of the job has changed.
pub async fn touch(conn: &mut Conn, id: JobId, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_jobs SET updated_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "job")
}

/// Computes the sums over the job's mailboxes again. The functions of [`crate::mailboxes`] that change one of them
/// call it.
pub async fn refresh_sums(conn: &mut Conn, id: JobId) -> Result<()> {
    let row = sqlx::query(
        "SELECT count(*), CAST(coalesce(sum(messages_source), 0) AS BIGINT),
             CAST(coalesce(sum(messages_dest), 0) AS BIGINT),
             CAST(coalesce(sum(CASE WHEN status IN ('error', 'quarantine') THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM migration_mailboxes WHERE job_id = $1",
    )
    .bind(id.0)
    .fetch_one(&mut *conn)
    .await?;
    let mut sql = Sql::new("UPDATE migration_jobs SET mailboxes = ");
    sql.bind(row.try_get::<i64, _>(0)?)?;
    sql.push(", messages_source = ").bind(row.try_get::<i64, _>(1)?)?;
    sql.push(", messages_dest = ").bind(row.try_get::<i64, _>(2)?)?;
    sql.push(", mailboxes_in_trouble = ").bind(row.try_get::<i64, _>(3)?)?;
    sql.push(" WHERE id = ").bind(id.0)?;
    changed(&sql.query().execute(conn).await?, "job")
}

fn read(row: &AnyRow) -> Result<Job> {
    let approved_by = row.maybe_text("approved_by")?.map(|id| {
        id.parse().map_err(|_| Error::Corrupt { column: "approved_by", reason: "it is no user's id".into() })
    });
    let (messages_source, messages_dest) = (row.integer("messages_source")?, row.integer("messages_dest")?);
    Ok(Job {
        id: JobId(row.integer("id")?),
        tenant_id: TenantId(row.integer("tenant_id")?),
        tenant_name: row.text("tenant_name")?,
        ticket_id: row.maybe_integer("ticket_id")?.map(TicketId),
        domain: row.text("domain")?,
        phase: row.name("phase")?,
        failed_phase: row.maybe_name("failed_phase")?,
        migration_gate: row.name("migration_gate")?,
        source_server_label: row.text("source_server_label")?,
        dest_imap_host: row.text("dest_imap_host")?,
        dest_imap_port: row.port("dest_imap_port")?.unwrap_or_default(),
        dest_imap_security: row.name("dest_imap_security")?,
        dest_insecure_tls: row.truth("dest_insecure_tls")?,
        notes: row.text("notes")?,
        approved_by: approved_by.transpose()?,
        approved_by_email: row.maybe_text("approved_by_email")?,
        approved_at: row.maybe_text("approved_at")?,
        override_reason: row.maybe_text("override_reason")?,
        dns_cutover_at: row.maybe_text("dns_cutover_at")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
        mailboxes: row.integer("mailboxes")?,
        mailboxes_in_trouble: row.integer("mailboxes_in_trouble")?,
        messages_source,
        messages_dest,
        sync_percent: percent(messages_dest, messages_source),
        active_runs: row.integer("active_runs")?,
    })
}
