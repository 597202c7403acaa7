//! The check of all log-ins of a job.

use crate::http::{
    error::Answer,
    extract::{Json, Path},
    identity::Caller,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gatepost_contract::{JobId, LoginCounts, LoginReport, LoginRequest};
use gatepost_core::Gatepost;
use http::StatusCode;

/// Get how the log-ins of a job were found
///
/// Every mailbox with both of its servers, as they were checked last.
#[utoipa::path(get, path = "/migration/jobs/{id}/logins", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "All of them", body = LoginReport)))]
pub async fn report(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<LoginReport>> {
    Ok(Json(core.logins(&actor, id).await?))
}

/// Get how many log-ins of a job stand how
///
/// To be asked while a check goes on: `open` is 0 when it has ended.
#[utoipa::path(get, path = "/migration/jobs/{id}/logins/counts", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The numbers", body = LoginCounts)))]
pub async fn counts(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<LoginCounts>> {
    Ok(Json(core.logins(&actor, id).await?.counts))
}

/// Check the log-ins of a job
///
/// Asks for the check and returns at once; ask how they were found until none is open. Nothing is copied, and no run is
/// made. Of each host a few log-ins are tried at once; after five refusals in a row the rest of that host is held back.
#[utoipa::path(post, path = "/migration/jobs/{id}/check-logins", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")), request_body = LoginRequest,
    responses((status = 202, description = "How they stand", body = LoginReport)))]
pub async fn check(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(request): Json<LoginRequest>,
) -> Answer<Response> {
    let report = core.check_logins(&actor, id, &request).await?;
    Ok((StatusCode::ACCEPTED, Json(report)).into_response())
}
