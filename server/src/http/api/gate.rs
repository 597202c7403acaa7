//! The gate: the verdict, the approval, and what the set-up wizard asks and reports.

use crate::http::{
    error::Answer,
    extract::{Json, OptionalJson, Paging, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{
    ApproveGate, GateAnswer, GateChange, GateView, JobId, Page, PageQuery, TimelineEntry, TimelineFilter,
};
use gatepost_core::Gatepost;
use serde::Deserialize;

/// Approve a job's gate
///
/// For ops leads and above, on the newest evidence; an override is for super admins and needs a reason. Give
/// `evidence_id` to sign what was looked at and nothing newer; the answer and the audit log say which evidence and which
/// figures were signed.
#[utoipa::path(post, path = "/migration/jobs/{id}/approve-gate", tag = "gate", params(("id" = i64, Path, description = "The job")),
    request_body = ApproveGate,
    responses((status = 200, description = "The gate as it is now", body = GateView),
        (status = 409, description = "`gate_checks_failed`, with the failing checks; `evidence_replaced`, with the \
            figures that have changed since; `already_approved`, with who and when; `no_evidence`")))]
pub async fn approve(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    OptionalJson(approval): OptionalJson<ApproveGate>,
) -> Answer<Json<GateView>> {
    Ok(Json(core.approve_gate(&actor, id, approval).await?))
}

/// Look at a job's gate
///
/// With every check and what an approval would sign.
#[utoipa::path(get, path = "/migration/jobs/{id}/gate", tag = "gate", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The gate", body = GateView)))]
pub async fn view(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<GateView>> {
    Ok(Json(core.gate_view(&actor, id).await?))
}

/// Look at the history of a job's gate
///
/// Every change of the verdict with its reason and its checks, oldest first.
#[utoipa::path(get, path = "/migration/jobs/{id}/gate/history", tag = "gate", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The changes", body = Vec<GateChange>)))]
pub async fn history(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<Vec<GateChange>>> {
    Ok(Json(core.gate_history(&actor, id).await?))
}

/// Read a job's timeline
///
/// Phases, verdicts, approvals, waivers, runs, DNS and reports in the order in which they happened, newest first.
/// For staff, not for tokens: it tells who decided what, and the reasons.
#[utoipa::path(get, path = "/migration/jobs/{id}/timeline", tag = "gate",
    params(("id" = i64, Path, description = "The job"), TimelineFilter, PageQuery),
    responses((status = 200, description = "The events", body = Page<TimelineEntry>)))]
pub async fn timeline(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<TimelineFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<TimelineEntry>>> {
    Ok(Json(core.timeline(&actor, id, filter, page).await?))
}

/// Which domain is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GateQuery {
    /// A domain name, in U-labels or A-labels.
    domain: String,
}

/// Ask the gate
///
/// For staff and for tokens with `gate:read`. Always 200 for a well-formed domain; an unknown one is `blocked` with the
/// reason `no_job`.
#[utoipa::path(get, path = "/migration/gate", tag = "gate", params(GateQuery),
    responses((status = 200, description = "The verdict", body = GateAnswer)))]
pub async fn answer(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(query): Query<GateQuery>,
) -> Answer<Json<GateAnswer>> {
    Ok(Json(core.gate_answer(&actor, &query.domain).await?))
}
