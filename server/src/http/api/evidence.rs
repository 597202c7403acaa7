//! Evidence and residue: what was proved, and what is missing, message by message.

use crate::http::{
    error::Answer,
    extract::{Json, Paging, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{
    JobEvidence, JobId, MessageId, MessageState, Page, PageQuery, Residue, ResidueFilter, WaiveRequest,
};
use gatepost_core::Gatepost;
use http::StatusCode;

/// Get a job's evidence
///
/// The latest of each mailbox, by folder.
#[utoipa::path(get, path = "/migration/jobs/{id}/verify", tag = "evidence", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The evidence", body = JobEvidence)))]
pub async fn latest(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<JobEvidence>> {
    Ok(Json(core.evidence(&actor, id).await?))
}

/// List a job's residue
///
/// Messages that have not arrived as they should, each with its cause.
#[utoipa::path(get, path = "/migration/jobs/{id}/residue", tag = "evidence",
    params(("id" = i64, Path, description = "The job"), ResidueFilter, PageQuery),
    responses((status = 200, description = "Messages", body = Page<Residue>)))]
pub async fn residue(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Residue>>> {
    Ok(Json(core.residue(&actor, id, filter, page).await?))
}

/// List a job's quarantine
///
/// The residue that was refused with a cause.
#[utoipa::path(get, path = "/migration/jobs/{id}/quarantine", tag = "evidence",
    params(("id" = i64, Path, description = "The job"), ResidueFilter, PageQuery),
    responses((status = 200, description = "Messages", body = Page<Residue>)))]
pub async fn quarantine(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Residue>>> {
    let filter = ResidueFilter { state: filter.state.or(Some(MessageState::Quarantined)), ..filter };
    Ok(Json(core.residue(&actor, id, filter, page).await?))
}

/// Waive a message
///
/// For ops leads and above: it is given up on purpose, and the reason is kept.
#[utoipa::path(post, path = "/migration/quarantine/{id}/waive", tag = "evidence",
    params(("id" = i64, Path, description = "The message of the residue")), request_body = WaiveRequest,
    responses((status = 204, description = "It is waived")))]
pub async fn waive(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MessageId>,
    Json(request): Json<WaiveRequest>,
) -> Answer<StatusCode> {
    core.waive(&actor, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
