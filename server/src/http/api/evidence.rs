//! Evidence: what was proved.

use crate::http::{
    error::Answer,
    extract::{Json, Path},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{JobEvidence, JobId};
use gatepost_core::Gatepost;

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
