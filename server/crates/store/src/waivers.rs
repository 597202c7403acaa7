//! `migration_waivers`: messages given up on purpose. A row outlives its message.

use crate::{Conn, Error, Result, read::Columns};
use gatepost_contract::{MailboxId, MessageId};

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverRow {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// The ledger's row; it may be gone.
    pub message_id: MessageId,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
}

/// Notes a waiver; [`crate::messages::set_waived`] changes the message itself.
pub async fn add(
    conn: &mut Conn,
    mailbox: MailboxId,
    message: MessageId,
    actor: &str,
    reason: &str,
    now: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO migration_waivers (mailbox_id, message_id, actor, reason, at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(mailbox.0)
    .bind(message.0)
    .bind(actor)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "waiver" }, "mailbox"))?;
    Ok(())
}

/// All of a mailbox, oldest first.
pub async fn list(conn: &mut Conn, mailbox: MailboxId) -> Result<Vec<WaiverRow>> {
    let rows = sqlx::query("SELECT * FROM migration_waivers WHERE mailbox_id = $1 ORDER BY id")
        .bind(mailbox.0)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(WaiverRow {
                mailbox_id: MailboxId(row.integer("mailbox_id")?),
                message_id: MessageId(row.integer("message_id")?),
                actor: row.text("actor")?,
                reason: row.text("reason")?,
                at: row.text("at")?,
            })
        })
        .collect()
}
