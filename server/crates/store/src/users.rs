//! `users`: who works at the Desk.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Conditions, List, changed, int},
};
use gatepost_contract::{Page, PageQuery, Role, User, UserId};
use sqlx::any::AnyRow;
use std::fmt;

/// A user with what a log-in needs.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// What may be shown.
    pub user: User,
    /// The password's hash, as argon2 writes it.
    pub password_hash: String,
    /// Raised when older sessions and JWTs end.
    pub generation: i64,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

const LIST: List = List {
    select: "SELECT *",
    from: "users",
    count_from: "users",
    sorts: &[
        ("id", "id"),
        ("email", "lower(email)"),
        ("name", "lower(name)"),
        ("role", "role"),
        ("created_at", "created_at"),
        ("last_login_at", "last_login_at"),
    ],
    usual: "email",
    id: "id",
};

/// A new user. [`Error::Exists`] for an address that is taken, in any case.
pub async fn insert(
    conn: &mut Conn,
    email: &str,
    name: &str,
    role: Role,
    password_hash: &str,
    now: &str,
) -> Result<UserId> {
    let id = sqlx::query_scalar(
        "INSERT INTO users (email, name, role, password_hash, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5) RETURNING id",
    )
    .bind(email)
    .bind(name)
    .bind(role.as_str())
    .bind(password_hash)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "user" }, "user"))?;
    Ok(UserId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: UserId) -> Result<Option<User>> {
    Ok(with_secrets(conn, id).await?.map(|account| account.user))
}

/// One of them, with what a log-in needs.
pub async fn with_secrets(conn: &mut Conn, id: UserId) -> Result<Option<Account>> {
    let row = sqlx::query("SELECT * FROM users WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read_account).transpose()
}

/// The one with this address, in any case, with what a log-in needs.
pub async fn by_email(conn: &mut Conn, email: &str) -> Result<Option<Account>> {
    let row =
        sqlx::query("SELECT * FROM users WHERE lower(email) = lower($1)").bind(email).fetch_optional(conn).await?;
    row.as_ref().map(read_account).transpose()
}

/// All of them, in pages.
pub async fn list(conn: &mut Conn, page: &PageQuery) -> Result<Page<User>> {
    LIST.page(conn, &Conditions::default(), page, read).await
}

/// How many there are.
pub async fn count(conn: &mut Conn) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(conn).await?)
}

/// How many super admins may log in.
pub async fn active_admins(conn: &mut Conn) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM users WHERE role = 'super_admin' AND disabled = 0")
        .fetch_one(conn)
        .await?)
}

/// Changes one. `password_hash` stays where it is `None`; `ends_sessions` raises the generation.
#[expect(clippy::too_many_arguments, reason = "the columns that may change, each once")]
pub async fn update(
    conn: &mut Conn,
    id: UserId,
    name: &str,
    role: Role,
    disabled: bool,
    password_hash: Option<&str>,
    ends_sessions: bool,
    now: &str,
) -> Result<()> {
    let result = sqlx::query(
        "UPDATE users SET name = $2, role = $3, disabled = $4, password_hash = coalesce($5, password_hash),
             generation = generation + $6, updated_at = $7 WHERE id = $1",
    )
    .bind(id.0)
    .bind(name)
    .bind(role.as_str())
    .bind(int(disabled))
    .bind(password_hash)
    .bind(int(ends_sessions))
    .bind(now)
    .execute(conn)
    .await?;
    changed(&result, "user")
}

/// Notes a log-in.
pub async fn logged_in(conn: &mut Conn, id: UserId, now: &str) -> Result<()> {
    let result =
        sqlx::query("UPDATE users SET last_login_at = $2 WHERE id = $1").bind(id.0).bind(now).execute(conn).await?;
    changed(&result, "user")
}

fn read(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: UserId(row.integer("id")?),
        email: row.text("email")?,
        name: row.text("name")?,
        role: row.name("role")?,
        disabled: row.truth("disabled")?,
        created_at: row.text("created_at")?,
        last_login_at: row.maybe_text("last_login_at")?,
    })
}

fn read_account(row: &AnyRow) -> Result<Account> {
    Ok(Account { user: read(row)?, password_hash: row.text("password_hash")?, generation: row.integer("generation")? })
}
