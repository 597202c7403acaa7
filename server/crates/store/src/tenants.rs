//! `tenants`: the customers of the hosting provider.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Conditions, List, changed},
};
use gatepost_contract::{Page, PageQuery, Tenant, TenantId};
use sqlx::any::AnyRow;

const LIST: List = List {
    select: "SELECT id, name, created_at",
    from: "tenants",
    count_from: "tenants",
    sorts: &[("id", "id"), ("name", "lower(name)"), ("created_at", "created_at")],
    usual: "name",
    id: "id",
};

/// A new tenant. [`Error::Exists`] for a name that is taken, in any case.
pub async fn insert(conn: &mut Conn, name: &str, now: &str) -> Result<TenantId> {
    let id = sqlx::query_scalar("INSERT INTO tenants (name, created_at, updated_at) VALUES ($1, $2, $2) RETURNING id")
        .bind(name)
        .bind(now)
        .fetch_one(conn)
        .await
        .map_err(|e| Error::named(e, Error::Exists { what: "tenant" }, "tenant"))?;
    Ok(TenantId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: TenantId) -> Result<Option<Tenant>> {
    let row =
        sqlx::query("SELECT id, name, created_at FROM tenants WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// The one with this name, in any case.
pub async fn by_name(conn: &mut Conn, name: &str) -> Result<Option<Tenant>> {
    let row = sqlx::query("SELECT id, name, created_at FROM tenants WHERE lower(name) = lower($1)")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(read).transpose()
}

/// All of them, in pages.
pub async fn list(conn: &mut Conn, page: &PageQuery) -> Result<Page<Tenant>> {
    LIST.page(conn, &Conditions::default(), page, read).await
}

/// Gives one another name. [`Error::Exists`] for one that is taken.
pub async fn rename(conn: &mut Conn, id: TenantId, name: &str, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE tenants SET name = $2, updated_at = $3 WHERE id = $1")
        .bind(id.0)
        .bind(name)
        .bind(now)
        .execute(conn)
        .await
        .map_err(|e| Error::named(e, Error::Exists { what: "tenant" }, "tenant"))?;
    changed(&result, "tenant")
}

fn read(row: &AnyRow) -> Result<Tenant> {
    Ok(Tenant { id: TenantId(row.integer("id")?), name: row.text("name")?, created_at: row.text("created_at")? })
}
