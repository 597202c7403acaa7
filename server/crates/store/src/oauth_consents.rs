//! `oauth_consents`: who consented to what, and how that stands. Tokens are in `oauth_tokens`.

use crate::{Conn, Error, Result, read::Columns, sql::changed};
use gatepost_contract::{
    Consent, ConsentCode, ConsentId, ConsentState, ConsentWay, JobId, MailboxId, MailboxSide, OauthAppId,
};
use sqlx::{AssertSqlSafe, any::AnyRow};

const SELECT: &str = "SELECT c.*, a.name AS app_name, a.provider AS provider, m.email AS email,
         d.user_code AS user_code, d.verification_url AS verification_url, d.expires_at AS device_until,
         (SELECT max(t.refreshed_at) FROM oauth_tokens t WHERE t.consent_id = c.id) AS refreshed_at,
         (SELECT max(l.expires_at) FROM oauth_links l
          WHERE l.consent_id = c.id AND l.used_at IS NULL AND l.revoked_at IS NULL) AS link_until
     FROM oauth_consents c JOIN oauth_apps a ON a.id = c.app_id
         LEFT JOIN migration_mailboxes m ON m.id = c.mailbox_id
         LEFT JOIN oauth_devices d ON d.consent_id = c.id";

/// A consent that is to be asked for.
#[derive(Clone, Debug)]
pub struct NewConsentRow<'a> {
    /// With which application.
    pub app_id: OauthAppId,
    /// The job.
    pub job_id: JobId,
    /// The mailbox; none for all of the job.
    pub mailbox_id: Option<MailboxId>,
    /// For which server.
    pub side: MailboxSide,
    /// How it is to be given.
    pub way: ConsentWay,
    /// The domain of the accounts, for all of the job.
    pub domain: Option<&'a str>,
    /// The directory, where the application's is not meant.
    pub directory: Option<&'a str>,
    /// The new server that is known to whoever asks, for all of the job.
    pub dest: Option<&'a str>,
    /// Who asks for it.
    pub created_by: &'a str,
}

/// How a consent stands from now on.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The state.
    pub state: ConsentState,
    /// Why, where it is not as it should be.
    pub error: Option<&'a str>,
}

/// What a provider told as it gave tokens.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// The account that consented.
    pub account: Option<&'a str>,
    /// By whom it was brought here.
    pub granted_by: &'a str,
    /// When it ends by itself.
    pub expires_at: Option<&'a str>,
}

/// A new one. [`Error::Exists`] where the mailbox, or the job, has one for the same server.
pub async fn insert(conn: &mut Conn, new: &NewConsentRow<'_>, now: &str) -> Result<ConsentId> {
    let id = sqlx::query_scalar(
        "INSERT INTO oauth_consents (app_id, job_id, mailbox_id, side, way, domain, directory, dest, created_by,
             created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING id",
    )
    .bind(new.app_id.0)
    .bind(new.job_id.0)
    .bind(new.mailbox_id.map(|id| id.0))
    .bind(new.side.as_str())
    .bind(new.way.as_str())
    .bind(new.domain)
    .bind(new.directory)
    .bind(new.dest)
    .bind(new.created_by)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "consent" }, "application, job or mailbox"))?;
    Ok(ConsentId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: ConsentId, now: &str) -> Result<Option<Consent>> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE c.id = $1"))).bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(|row| read(row, now)).transpose()
}

/// All of a job: those that serve all its mailboxes first, then by the mailboxes' addresses.
pub async fn of_job(conn: &mut Conn, job: JobId, now: &str) -> Result<Vec<Consent>> {
    let text =
        format!("{SELECT} WHERE c.job_id = $1 ORDER BY CASE WHEN c.mailbox_id IS NULL THEN 0 ELSE 1 END, email, c.id");
    let rows = sqlx::query(AssertSqlSafe(text)).bind(job.0).fetch_all(conn).await?;
    rows.iter().map(|row| read(row, now)).collect()
}

/// What may open a mailbox: its own first, then those that serve all mailboxes of its job.
pub async fn of_mailbox(conn: &mut Conn, job: JobId, mailbox: MailboxId, now: &str) -> Result<Vec<Consent>> {
    let text = format!(
        "{SELECT} WHERE c.mailbox_id = $2 OR (c.job_id = $1 AND c.mailbox_id IS NULL)
         ORDER BY CASE WHEN c.mailbox_id IS NULL THEN 1 ELSE 0 END, c.side DESC, c.id"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(job.0).bind(mailbox.0).fetch_all(conn).await?;
    rows.iter().map(|row| read(row, now)).collect()
}

/// Those that end by themselves before a time, and those that stand no more, of jobs that are not closed; the first to
/// end first.
pub async fn ending(conn: &mut Conn, before: &str, most: u32, now: &str) -> Result<Vec<Consent>> {
    let text = format!(
        "{SELECT} JOIN migration_jobs j ON j.id = c.job_id
         WHERE j.phase <> 'closed' AND (c.state IN ('expired', 'revoked', 'failed')
             OR (c.state = 'valid' AND c.expires_at < $1))
         ORDER BY c.expires_at, c.id LIMIT $2"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(before).bind(i64::from(most)).fetch_all(conn).await?;
    rows.iter().map(|row| read(row, now)).collect()
}

/// Sets how one stands.
pub async fn stand(conn: &mut Conn, id: ConsentId, standing: Standing<'_>, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE oauth_consents SET state = $2, error = $3, updated_at = $4 WHERE id = $1")
        .bind(id.0)
        .bind(standing.state.as_str())
        .bind(standing.error.map(crate::sql::clean))
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "consent")
}

/// Sets how one stands that was not given, and has not ended, since it was read; whether that was so.
pub async fn stand_as_read(conn: &mut Conn, read: &Consent, standing: Standing<'_>, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE oauth_consents SET state = $2, error = $3, updated_at = $4
         WHERE id = $1 AND state = $5 AND coalesce(granted_at, '') = $6",
    )
    .bind(read.id.0)
    .bind(standing.state.as_str())
    .bind(standing.error.map(crate::sql::clean))
    .bind(now)
    .bind(read.state.as_str())
    .bind(read.granted_at.as_deref().unwrap_or_default())
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// The new server that is known to whoever asked for a consent, or confirmed it since.
pub async fn dest(conn: &mut Conn, id: ConsentId) -> Result<Option<String>> {
    let row = sqlx::query("SELECT dest FROM oauth_consents WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.map_or(Ok(None), |row| row.maybe_text("dest"))
}

/// Notes the new server for the consents that serve all mailboxes of a job.
pub async fn set_dest(conn: &mut Conn, job: JobId, dest: &str) -> Result<()> {
    sqlx::query("UPDATE oauth_consents SET dest = $2 WHERE job_id = $1 AND mailbox_id IS NULL")
        .bind(job.0)
        .bind(dest)
        .execute(conn)
        .await?;
    Ok(())
}

/// The digest of the accounts of a mailbox that were confirmed.
pub async fn confirmed(conn: &mut Conn, mailbox: MailboxId) -> Result<Option<String>> {
    let row = sqlx::query("SELECT oauth_confirmed FROM migration_mailboxes WHERE id = $1")
        .bind(mailbox.0)
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(None), |row| row.maybe_text("oauth_confirmed"))
}

/// Those of all mailboxes of a job that have one.
pub async fn confirmed_of_job(conn: &mut Conn, job: JobId) -> Result<Vec<(MailboxId, String)>> {
    let rows = sqlx::query(
        "SELECT id, oauth_confirmed FROM migration_mailboxes WHERE job_id = $1 AND oauth_confirmed IS NOT NULL",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((MailboxId(row.integer("id")?), row.text("oauth_confirmed")?))).collect()
}

/// Notes that the accounts of a mailbox were confirmed, by their digest.
pub async fn confirm(conn: &mut Conn, mailbox: MailboxId, digest: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_mailboxes SET oauth_confirmed = $2 WHERE id = $1")
        .bind(mailbox.0)
        .bind(digest)
        .execute(conn)
        .await?;
    changed(&result, "mailbox")
}

/// Whether an account has consented to an application, and tokens of that are kept here.
pub async fn is_held(conn: &mut Conn, app: OauthAppId, account: &str) -> Result<bool> {
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM oauth_consents c WHERE c.app_id = $1 AND lower(c.account) = lower($2)
             AND EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.consent_id = c.id)",
    )
    .bind(app.0)
    .bind(crate::sql::clean(account))
    .fetch_one(conn)
    .await?;
    Ok(held > 0)
}

/// Lets consents of owners end whose application has become another: what was given to it is forgotten, and what is on
/// its way. Those that were not given stay as they are.
pub async fn end_of_app(conn: &mut Conn, app: OauthAppId, why: &str, now: &str) -> Result<()> {
    for text in [
        "DELETE FROM oauth_tokens WHERE consent_id IN (SELECT id FROM oauth_consents WHERE app_id = $1)",
        "DELETE FROM oauth_requests WHERE consent_id IN (SELECT id FROM oauth_consents WHERE app_id = $1)",
        "DELETE FROM oauth_devices WHERE consent_id IN (SELECT id FROM oauth_consents WHERE app_id = $1)",
    ] {
        sqlx::query(text).bind(app.0).execute(&mut *conn).await?;
    }
    sqlx::query(
        "UPDATE oauth_consents SET state = 'expired', error = $2, updated_at = $3
         WHERE app_id = $1 AND mailbox_id IS NOT NULL AND granted_at IS NOT NULL",
    )
    .bind(app.0)
    .bind(crate::sql::clean(why))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody has consented.
pub async fn granted(conn: &mut Conn, id: ConsentId, granted: &Granted<'_>, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE oauth_consents SET state = 'valid', error = NULL, account = $2, granted_by = $3, granted_at = $4,
             expires_at = $5, updated_at = $4 WHERE id = $1",
    )
    .bind(id.0)
    .bind(granted.account.map(crate::sql::clean))
    .bind(granted.granted_by)
    .bind(now)
    .bind(granted.expires_at)
    .execute(conn)
    .await?;
    changed(&result, "consent")
}

/// Forgets one with its tokens, links and open requests.
pub async fn delete(conn: &mut Conn, id: ConsentId) -> Result<()> {
    let result = sqlx::query("DELETE FROM oauth_consents WHERE id = $1").bind(id.0).execute(conn).await?;
    changed(&result, "consent")
}

/// How many there are of each state in jobs that are not closed.
pub async fn count_by_state(conn: &mut Conn) -> Result<Vec<(ConsentState, i64)>> {
    let rows = sqlx::query(
        "SELECT c.state AS state, count(*) AS consents FROM oauth_consents c JOIN migration_jobs j ON j.id = c.job_id
         WHERE j.phase <> 'closed' GROUP BY c.state",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.name("state")?, row.integer("consents")?))).collect()
}

fn read(row: &AnyRow, now: &str) -> Result<Consent> {
    let device = match (row.maybe_text("user_code")?, row.maybe_text("verification_url")?) {
        (Some(user_code), Some(verification_url)) => {
            Some(ConsentCode { user_code, verification_url, expires_at: row.text("device_until")? })
        }
        _ => None,
    };
    Ok(Consent {
        id: ConsentId(row.integer("id")?),
        app_id: OauthAppId(row.integer("app_id")?),
        app_name: row.text("app_name")?,
        provider: row.name("provider")?,
        way: row.name("way")?,
        side: row.name("side")?,
        job_id: JobId(row.integer("job_id")?),
        mailbox_id: row.maybe_integer("mailbox_id")?.map(MailboxId),
        email: row.maybe_text("email")?,
        domain: row.maybe_text("domain")?,
        directory: row.maybe_text("directory")?,
        state: row.name("state")?,
        error: row.maybe_text("error")?,
        account: row.maybe_text("account")?,
        granted_by: row.maybe_text("granted_by")?,
        granted_at: row.maybe_text("granted_at")?,
        expires_at: row.maybe_text("expires_at")?,
        refreshed_at: row.maybe_text("refreshed_at")?,
        device,
        link_until: row.maybe_text("link_until")?.filter(|until| until.as_str() > now),
        created_by: row.text("created_by")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
    })
}
