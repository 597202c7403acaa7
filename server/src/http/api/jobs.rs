//! Jobs.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{Job, JobFilter, JobId, JobPatch, NewJob, Overview, Page, PageQuery, PhaseChange};
use gatepost_core::Gatepost;

/// List jobs
#[utoipa::path(get, path = "/migration/jobs", tag = "jobs", params(JobFilter, PageQuery),
    responses((status = 200, description = "Jobs", body = Page<Job>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(filter): Query<JobFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Job>>> {
    Ok(Json(core.list_jobs(&actor, filter, page).await?))
}

/// Open a job
///
/// Mailboxes may come with it; either all of it is stored or nothing.
#[utoipa::path(post, path = "/migration/jobs", tag = "jobs", request_body = NewJob,
    responses((status = 201, description = "The job", body = Job)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewJob>,
) -> Answer<Created<Job>> {
    let job = core.create_job(&actor, input).await?;
    Ok(Created(format!("/api/v1/migration/jobs/{}", job.id), job))
}

/// Get a job
#[utoipa::path(get, path = "/migration/jobs/{id}", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job)))]
pub async fn get(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<JobId>) -> Answer<Json<Job>> {
    Ok(Json(core.get_job(&actor, id).await?))
}

/// Change a job
///
/// What is left out stays as it is. Of the phases only `closed` can be set by hand.
#[utoipa::path(patch, path = "/migration/jobs/{id}", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    request_body = JobPatch, responses((status = 200, description = "The job", body = Job)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(patch): Json<JobPatch>,
) -> Answer<Json<Job>> {
    Ok(Json(core.update_job(&actor, id, patch).await?))
}

/// Count jobs by phase and gate
///
/// With what runs now and what needs attention.
#[utoipa::path(get, path = "/migration/overview", tag = "jobs",
    responses((status = 200, description = "The overview", body = Overview)))]
pub async fn overview(State(core): State<Gatepost>, Caller(actor): Caller) -> Answer<Json<Overview>> {
    Ok(Json(core.overview(&actor).await?))
}

/// Read a job's phase history
#[utoipa::path(get, path = "/migration/jobs/{id}/phases", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "Changes of phase, oldest first", body = Vec<PhaseChange>)))]
pub async fn phases(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<Vec<PhaseChange>>> {
    Ok(Json(core.phase_history(&actor, id).await?))
}
