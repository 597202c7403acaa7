//! The audit log.

use crate::http::{
    error::Answer,
    extract::{Json, Paging, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{AuditEntry, AuditFilter, Page, PageQuery};
use gatepost_core::Gatepost;

/// Read the audit log
///
/// For ops leads and above; newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditFilter, PageQuery),
    responses((status = 200, description = "Rows of the log", body = Page<AuditEntry>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(filter): Query<AuditFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<AuditEntry>>> {
    Ok(Json(core.audit(&actor, filter, page).await?))
}
