//! `webhook_receipts`: webhooks that came in with an id, so that the same one again changes nothing. Senders choose ids
//! for themselves: an id says something only beside its sender.

use crate::{Conn, Result};

/// The digest of the body that came with an id, if it came before.
pub async fn get(conn: &mut Conn, sender: &str, message_id: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("SELECT body_digest FROM webhook_receipts WHERE sender = $1 AND message_id = $2")
        .bind(sender)
        .bind(message_id)
        .fetch_optional(conn)
        .await?)
}

/// Notes that a webhook was taken; nothing happens where it was already. Those from before `forget` are forgotten.
pub async fn put(conn: &mut Conn, sender: &str, message_id: &str, digest: &str, now: &str, forget: &str) -> Result<()> {
    sqlx::query("DELETE FROM webhook_receipts WHERE received_at < $1").bind(forget).execute(&mut *conn).await?;
    sqlx::query(
        "INSERT INTO webhook_receipts (sender, message_id, body_digest, received_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (sender, message_id) DO NOTHING",
    )
    .bind(sender)
    .bind(message_id)
    .bind(digest)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
