//! Waivers: messages that are given up on purpose, and taken back.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{JobId, Page, PageQuery, WaiveMany, WaiverDecision, WaiverId};
use gatepost_core::Gatepost;
use http::StatusCode;
use serde::Deserialize;

/// List a job's waivers
///
/// One entry for each decision, newest first, with how many messages it still covers.
#[utoipa::path(get, path = "/migration/jobs/{id}/waivers", tag = "residue",
    params(("id" = i64, Path, description = "The job"), PageQuery),
    responses((status = 200, description = "Decisions", body = Page<WaiverDecision>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Paging(page): Paging,
) -> Answer<Json<Page<WaiverDecision>>> {
    Ok(Json(core.waivers(&actor, id, page).await?))
}

/// Waive a class of messages
///
/// For ops leads and above: all that match are given up on purpose, for one reason. Refused when they are not as many
/// as `expected_count` says, so that nobody waives what was not shown.
#[utoipa::path(post, path = "/migration/jobs/{id}/waivers", tag = "residue",
    params(("id" = i64, Path, description = "The job")), request_body = WaiveMany,
    responses((status = 201, description = "The decision", body = WaiverDecision),
        (status = 409, description = "`residue_changed` with the present number, `nothing_selected` or `already_running`")))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(request): Json<WaiveMany>,
) -> Answer<Created<WaiverDecision>> {
    let decision = core.waive_many(&actor, id, request).await?;
    Ok(Created(format!("/api/v1/migration/waivers/{}", decision.id), decision))
}

/// Get the decision that a waiver belongs to
#[utoipa::path(get, path = "/migration/waivers/{id}", tag = "residue", params(("id" = i64, Path, description = "The waiver")),
    responses((status = 200, description = "The decision", body = WaiverDecision)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaiverId>,
) -> Answer<Json<WaiverDecision>> {
    Ok(Json(core.waiver(&actor, id).await?))
}

/// How a waiver is taken back.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Withdrawal {
    /// True: all that were given with it.
    #[serde(default)]
    batch: Option<bool>,
    /// Why, at most 2,000 characters.
    #[serde(default)]
    reason: Option<String>,
}

/// Take a waiver back
///
/// For ops leads and above: the message stands again where it stood before.
#[utoipa::path(delete, path = "/migration/waivers/{id}", tag = "residue",
    params(("id" = i64, Path, description = "The waiver"), Withdrawal),
    responses((status = 204, description = "It is taken back"), (status = 409, description = "`not_standing`: it has ended already")))]
pub async fn withdraw(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaiverId>,
    Query(how): Query<Withdrawal>,
) -> Answer<StatusCode> {
    core.withdraw_waiver(&actor, id, how.batch.unwrap_or(false), how.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
