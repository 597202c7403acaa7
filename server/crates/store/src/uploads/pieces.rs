//! `migration_upload_pieces`: the digests of an upload's bytes as they arrived. Pieces follow each other without gaps from
//! the file's first byte on.

use crate::{Conn, Result, read::Columns, sql::Sql};
use gatepost_contract::UploadPiece;

/// So many fit into one statement of either database.
const AT_ONCE: usize = 1000;

/// Adds pieces. Those that were noted at the same places before are replaced.
pub async fn add(conn: &mut Conn, upload: &str, pieces: &[UploadPiece]) -> Result<()> {
    for some in pieces.chunks(AT_ONCE) {
        let mut sql = Sql::new("INSERT INTO migration_upload_pieces (upload_id, at, bytes, sha256) VALUES ");
        for (n, piece) in some.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(upload.to_owned())?;
            sql.push(", ").bind(piece.offset)?.push(", ").bind(piece.bytes)?.push(", ").bind(piece.sha256.clone())?;
            sql.push(")");
        }
        sql.push(" ON CONFLICT (upload_id, at) DO UPDATE SET bytes = excluded.bytes, sha256 = excluded.sha256");
        if some.len() == 1 { sql.query() } else { sql.query_once() }.execute(&mut *conn).await?;
    }
    Ok(())
}

/// The pieces from an offset on, in their order, at most so many.
pub async fn list(conn: &mut Conn, upload: &str, from: i64, limit: i64) -> Result<Vec<UploadPiece>> {
    let rows = sqlx::query(
        "SELECT at, bytes, sha256 FROM migration_upload_pieces WHERE upload_id = $1 AND at >= $2 ORDER BY at LIMIT $3",
    )
    .bind(upload)
    .bind(from)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(UploadPiece { offset: row.integer("at")?, bytes: row.integer("bytes")?, sha256: row.text("sha256")? })
        })
        .collect()
}

/// Where the last piece ends that ends at or before a length; 0 where there is none.
pub async fn end_within(conn: &mut Conn, upload: &str, length: i64) -> Result<i64> {
    // Without gaps the last by its beginning is the last by its end; read from behind, at most one piece is passed over.
    let end: Option<i64> = sqlx::query_scalar(
        "SELECT at + bytes FROM migration_upload_pieces WHERE upload_id = $1 AND at < $2 AND at + bytes <= $2
         ORDER BY at DESC LIMIT 1",
    )
    .bind(upload)
    .bind(length)
    .fetch_optional(conn)
    .await?;
    Ok(end.unwrap_or(0))
}

/// Forgets the pieces that begin at an offset or after it.
pub async fn delete_from(conn: &mut Conn, upload: &str, offset: i64) -> Result<()> {
    sqlx::query("DELETE FROM migration_upload_pieces WHERE upload_id = $1 AND at >= $2")
        .bind(upload)
        .bind(offset)
        .execute(conn)
        .await?;
    Ok(())
}
