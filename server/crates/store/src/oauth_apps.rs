//! `oauth_apps`: applications that are registered with providers of OAuth 2. What is in a sealed secret is not known here.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Conditions, List, changed},
};
use gatepost_contract::{OauthAppId, OauthProof, OauthProvider, Page, PageQuery};
use sqlx::{
    Any,
    any::{AnyArguments, AnyRow},
    query::Query,
};
use std::fmt;

type Statement<'q> = Query<'q, Any, AnyArguments>;

const SELECT: &str = "SELECT a.*, (SELECT count(*) FROM oauth_consents c WHERE c.app_id = a.id) AS consents";

const LIST: List = List {
    select: SELECT,
    from: "oauth_apps a",
    count_from: "oauth_apps a",
    sorts: &[
        ("id", "a.id"),
        ("name", "lower(a.name)"),
        ("provider", "a.provider"),
        ("secret_expires_on", "a.secret_expires_on"),
        ("created_at", "a.created_at"),
    ],
    usual: "name",
    id: "a.id",
};

/// What is stored of an application and can be changed.
#[derive(Clone)]
pub struct AppRow {
    /// What people call it.
    pub name: String,
    /// With whom it is registered.
    pub provider: OauthProvider,
    /// Its id there.
    pub client_id: String,
    /// How it proves who it is.
    pub proof: OauthProof,
    /// What proves it, sealed.
    pub secret_blob: Option<Vec<u8>>,
    /// The certificate, where it proves itself by one.
    pub certificate: Option<String>,
    /// The directory that it asks.
    pub directory: Option<String>,
    /// Where people consent.
    pub authorize_url: Option<String>,
    /// Where tokens are given.
    pub token_url: Option<String>,
    /// Where codes for devices are given.
    pub device_url: Option<String>,
    /// Where tokens are given back.
    pub revoke_url: Option<String>,
    /// What is asked for.
    pub scopes: String,
    /// The mail servers that its tokens may be shown to.
    pub mail_hosts: Vec<String>,
    /// The day on which its secret ends.
    pub secret_expires_on: Option<String>,
}

impl fmt::Debug for AppRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppRow").field("name", &self.name).field("proof", &self.proof).finish_non_exhaustive()
    }
}

/// An application as it is stored.
#[derive(Clone, Debug)]
pub struct StoredApp {
    /// Its id.
    pub id: OauthAppId,
    /// What can be changed.
    pub row: AppRow,
    /// How many consents were asked for with it.
    pub consents: i64,
    /// Who registered it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A new one. [`Error::Exists`] where another has its name.
pub async fn insert(conn: &mut Conn, app: &AppRow, created_by: &str, now: &str) -> Result<OauthAppId> {
    let insert = sqlx::query(
        "INSERT INTO oauth_apps (name, client_id, proof, secret_blob, certificate, directory, authorize_url, token_url,
             device_url, revoke_url, scopes, mail_hosts, secret_expires_on, updated_at, provider, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $14) RETURNING id",
    );
    let row = changeable(insert, app, now)
        .bind(app.provider.as_str())
        .bind(created_by)
        .fetch_one(conn)
        .await
        .map_err(|e| Error::named(e, Error::Exists { what: "name" }, "application"))?;
    Ok(OauthAppId(row.integer("id")?))
}

/// Changes one. [`Error::Exists`] where another has its name. Its provider stays.
pub async fn update(conn: &mut Conn, id: OauthAppId, app: &AppRow, now: &str) -> Result<()> {
    let update = sqlx::query(
        "UPDATE oauth_apps SET name = $1, client_id = $2, proof = $3, secret_blob = $4, certificate = $5, directory = $6,
             authorize_url = $7, token_url = $8, device_url = $9, revoke_url = $10, scopes = $11, mail_hosts = $12,
             secret_expires_on = $13, updated_at = $14
         WHERE id = $15",
    );
    let result = changeable(update, app, now)
        .bind(id.0)
        .execute(conn)
        .await
        .map_err(|e| Error::named(e, Error::Exists { what: "name" }, "application"))?;
    changed(&result, "application")
}

/// Binds what can be changed, and when that is, as the first 14 parameters.
fn changeable<'q>(statement: Statement<'q>, app: &'q AppRow, now: &'q str) -> Statement<'q> {
    statement
        .bind(app.name.as_str())
        .bind(app.client_id.as_str())
        .bind(app.proof.as_str())
        .bind(app.secret_blob.as_deref())
        .bind(app.certificate.as_deref())
        .bind(app.directory.as_deref())
        .bind(app.authorize_url.as_deref())
        .bind(app.token_url.as_deref())
        .bind(app.device_url.as_deref())
        .bind(app.revoke_url.as_deref())
        .bind(app.scopes.as_str())
        .bind(app.mail_hosts.join(","))
        .bind(app.secret_expires_on.as_deref())
        .bind(now)
}

/// One of them.
pub async fn get(conn: &mut Conn, id: OauthAppId) -> Result<Option<StoredApp>> {
    let text = format!("{SELECT} FROM oauth_apps a WHERE a.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// All of them, in pages.
pub async fn list(conn: &mut Conn, page: &PageQuery) -> Result<Page<StoredApp>> {
    LIST.page(conn, &Conditions::default(), page, read).await
}

/// Forgets one that nobody has been asked to consent to.
pub async fn delete(conn: &mut Conn, id: OauthAppId) -> Result<()> {
    let result = sqlx::query("DELETE FROM oauth_apps WHERE id = $1").bind(id.0).execute(conn).await?;
    changed(&result, "application")
}

/// The sealed secrets, for a rotation of keys.
pub async fn sealed(conn: &mut Conn) -> Result<Vec<(OauthAppId, Vec<u8>)>> {
    let rows = sqlx::query("SELECT id, secret_blob FROM oauth_apps WHERE secret_blob IS NOT NULL ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok((OauthAppId(row.integer("id")?), row.bytes("secret_blob")?))).collect()
}

/// Seals one anew, for a rotation of keys, unless another was entered meanwhile; whether it was still the one that was
/// read.
pub async fn reseal(conn: &mut Conn, id: OauthAppId, read: &[u8], secret_blob: &[u8]) -> Result<bool> {
    let result = sqlx::query("UPDATE oauth_apps SET secret_blob = $2 WHERE id = $1 AND secret_blob = $3")
        .bind(id.0)
        .bind(secret_blob)
        .bind(read)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() > 0)
}

fn read(row: &AnyRow) -> Result<StoredApp> {
    let hosts = row.text("mail_hosts")?;
    Ok(StoredApp {
        id: OauthAppId(row.integer("id")?),
        row: AppRow {
            name: row.text("name")?,
            provider: row.name("provider")?,
            client_id: row.text("client_id")?,
            proof: row.name("proof")?,
            secret_blob: row.maybe_bytes("secret_blob")?,
            certificate: row.maybe_text("certificate")?,
            directory: row.maybe_text("directory")?,
            authorize_url: row.maybe_text("authorize_url")?,
            token_url: row.maybe_text("token_url")?,
            device_url: row.maybe_text("device_url")?,
            revoke_url: row.maybe_text("revoke_url")?,
            scopes: row.text("scopes")?,
            mail_hosts: hosts.split(',').filter(|host| !host.is_empty()).map(str::to_owned).collect(),
            secret_expires_on: row.maybe_text("secret_expires_on")?,
        },
        consents: row.integer("consents")?,
        created_by: row.text("created_by")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
    })
}
