//! The dashboard.

use crate::http::{
    error::Answer,
    extract::{Json, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{Dashboard, DashboardQuery};
use gatepost_core::Gatepost;

/// Read the dashboard
///
/// Messages, bytes and errors over time, how things stand now, and when waves and jobs will be done.
#[utoipa::path(get, path = "/metrics/dashboard", tag = "metrics", params(DashboardQuery),
    responses((status = 200, description = "The dashboard", body = Dashboard)))]
pub async fn read(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(query): Query<DashboardQuery>,
) -> Answer<Json<Dashboard>> {
    Ok(Json(core.dashboard(&actor, query).await?))
}
