//! The audit log.

use crate::http::{
    audit_file::{ExportFormat, rows},
    error::Answer,
    extract::{Json, Paging, Query},
    identity::Caller,
};
use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use gatepost_contract::{AuditEntry, AuditFilter, AuditId, AuditProof, Page, PageQuery};
use gatepost_core::Gatepost;
use serde::Deserialize;

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

/// How the log is exported.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// As what.
    #[serde(default)]
    #[param(inline)]
    pub format: ExportFormat,
}

/// Export the audit log
///
/// For ops leads and above; oldest first, as one stream. The rows of `jsonl` are whole, so that their chain can be
/// computed again elsewhere: each hash is BLAKE3 over the previous hash and the row's fields.
#[utoipa::path(get, path = "/audit/export", tag = "audit", params(AuditFilter, ExportQuery),
    responses((status = 200, description = "The log", content((String = "application/jsonl"), (String = "text/csv")))))]
pub async fn export(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(filter): Query<AuditFilter>,
    Query(query): Query<ExportQuery>,
) -> Answer<Response> {
    // The first rows are read before the answer begins, so that a refusal still is one.
    let first = core.audit_following(&actor, filter.clone(), AuditId(0)).await?;
    let (media_type, name) = match query.format {
        ExportFormat::Jsonl => ("application/jsonl; charset=utf-8", "attachment; filename=\"audit.jsonl\""),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
    };
    let body = Body::from_stream(rows(core, actor, filter, query.format, first));
    let headers = [(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

/// A head of the log that was kept elsewhere.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// `ID:HASH`: the row of that number must still have that hash.
    #[serde(default)]
    head: Option<String>,
}

/// Prove that the audit log is whole
///
/// For ops leads and above. Computes the chain of hashes again from the first row to the last; `broken` names the first
/// row that was changed, removed, added or moved. Keep `rows` and `head` elsewhere and give them as `head=ROWS:HEAD` to a
/// later verification.
#[utoipa::path(get, path = "/audit/verify", tag = "audit", params(VerifyQuery),
    responses((status = 200, description = "What was found", body = AuditProof)))]
pub async fn verify(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(query): Query<VerifyQuery>,
) -> Answer<Json<AuditProof>> {
    Ok(Json(core.verify_audit(&actor, query.head.as_deref()).await?))
}
