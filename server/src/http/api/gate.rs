//! The gate: the verdict, the approval, and what the set-up wizard asks and reports.

use crate::http::{
    error::Answer,
    extract::{Json, OptionalJson, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{ApproveGate, DnsApplied, GateAnswer, GateView, JobId};
use gatepost_core::Gatepost;
use serde::Deserialize;

/// Approve a job's gate
///
/// For ops leads and above, on the newest evidence; an override is for super admins and needs a reason.
#[utoipa::path(post, path = "/migration/jobs/{id}/approve-gate", tag = "gate", params(("id" = i64, Path, description = "The job")),
    request_body = ApproveGate,
    responses((status = 200, description = "The gate as it is now", body = GateView),
        (status = 409, description = "`gate_checks_failed`, with the failing checks")))]
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

/// Report that the MX was changed
///
/// For tokens with `dns:write`.
#[utoipa::path(post, path = "/migration/webhooks/dns-applied", tag = "gate", request_body = DnsApplied,
    responses((status = 200, description = "The verdict", body = GateAnswer), (status = 409, description = "The gate is shut")))]
pub async fn dns_applied(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(applied): Json<DnsApplied>,
) -> Answer<Json<GateAnswer>> {
    Ok(Json(core.dns_applied(&actor, applied).await?))
}
