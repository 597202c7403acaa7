//! `tokens`: service tokens. Only the SHA-256 of a secret is known here.

use crate::{
    Conn, Error, Result,
    read::{Columns, parse},
    sql::{Conditions, List, changed},
};
use gatepost_contract::{Page, PageQuery, Scope, ServiceToken, TokenId};
use sqlx::any::AnyRow;

const LIST: List = List {
    select: "SELECT *",
    from: "tokens",
    count_from: "tokens",
    sorts: &[
        ("id", "id"),
        ("name", "lower(name)"),
        ("created_at", "created_at"),
        ("expires_at", "expires_at"),
        ("last_used_at", "last_used_at"),
    ],
    usual: "-id",
    id: "id",
};

/// A new token.
pub async fn insert(
    conn: &mut Conn,
    name: &str,
    secret_hash: &str,
    scopes: &[Scope],
    created_by: &str,
    expires_at: Option<&str>,
    now: &str,
) -> Result<TokenId> {
    let scopes: Vec<&str> = scopes.iter().map(|s| s.as_str()).collect();
    let id = sqlx::query_scalar(
        "INSERT INTO tokens (name, secret_hash, scopes, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
    )
    .bind(name)
    .bind(secret_hash)
    .bind(scopes.join(" "))
    .bind(created_by)
    .bind(now)
    .bind(expires_at)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "token" }, "token"))?;
    Ok(TokenId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: TokenId) -> Result<Option<ServiceToken>> {
    let row = sqlx::query("SELECT * FROM tokens WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// The one whose secret has this hash, revoked and expired ones included.
pub async fn by_hash(conn: &mut Conn, secret_hash: &str) -> Result<Option<ServiceToken>> {
    let row = sqlx::query("SELECT * FROM tokens WHERE secret_hash = $1").bind(secret_hash).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// All of them, in pages.
pub async fn list(conn: &mut Conn, page: &PageQuery) -> Result<Page<ServiceToken>> {
    LIST.page(conn, &Conditions::default(), page, read).await
}

/// Notes that one was used.
pub async fn used(conn: &mut Conn, id: TokenId, now: &str) -> Result<()> {
    let result =
        sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1").bind(id.0).bind(now).execute(conn).await?;
    changed(&result, "token")
}

/// Ends one; the first time stays.
pub async fn revoke(conn: &mut Conn, id: TokenId, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "token")
}

fn read(row: &AnyRow) -> Result<ServiceToken> {
    Ok(ServiceToken {
        id: TokenId(row.integer("id")?),
        name: row.text("name")?,
        scopes: row.text("scopes")?.split_whitespace().map(|s| parse("scopes", s)).collect::<Result<_>>()?,
        created_at: row.text("created_at")?,
        expires_at: row.maybe_text("expires_at")?,
        last_used_at: row.maybe_text("last_used_at")?,
        revoked_at: row.maybe_text("revoked_at")?,
    })
}
