//! Schedules: when deltas start by themselves.

use crate::http::{
    error::Answer,
    extract::{Json, Paging, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{
    JobId, JobPlan, Occurrence, OccurrenceFilter, Page, PageQuery, Schedule, ScheduleInput, ScheduleMoment,
};
use gatepost_core::Gatepost;

/// List schedules
///
/// The installation's, those of waves, those of jobs, each with its next moments.
#[utoipa::path(get, path = "/migration/schedules", tag = "schedules",
    responses((status = 200, description = "All of them", body = Vec<Schedule>)))]
pub async fn list(State(core): State<Gatepost>, Caller(actor): Caller) -> Answer<Json<Vec<Schedule>>> {
    Ok(Json(core.schedules(&actor).await?))
}

/// Try a schedule
///
/// Its next moments, without storing anything.
#[utoipa::path(post, path = "/migration/schedules/preview", tag = "schedules", request_body = ScheduleInput,
    responses((status = 200, description = "The next moments, at most five", body = Vec<ScheduleMoment>),
        (status = 422, description = "The expression never comes, comes too often or cannot be read")))]
pub async fn preview(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<ScheduleInput>,
) -> Answer<Json<Vec<ScheduleMoment>>> {
    Ok(Json(core.preview_schedule(&actor, input).await?))
}

/// List what became of the moments at which runs were due
///
/// Each is `started`, `skipped` (the runs before were still at work, or it was paused), `missed` (Gatepost was not at work
/// then and it was too late to catch up) or `failed`.
#[utoipa::path(get, path = "/migration/schedules/occurrences", tag = "schedules", params(OccurrenceFilter, PageQuery),
    responses((status = 200, description = "Moments, newest first", body = Page<Occurrence>)))]
pub async fn occurrences(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(filter): Query<OccurrenceFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Occurrence>>> {
    Ok(Json(core.occurrences(&actor, filter, page).await?))
}

/// Look at what a job does by itself
#[utoipa::path(get, path = "/migration/jobs/{id}/schedule", tag = "schedules", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The schedule in force, its wave, its pauses, what was due", body = JobPlan)))]
pub async fn of_job(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<JobPlan>> {
    Ok(Json(core.job_plan(&actor, id).await?))
}

/// Give a job a schedule of its own
#[utoipa::path(put, path = "/migration/jobs/{id}/schedule", tag = "schedules", params(("id" = i64, Path, description = "The job")),
    request_body = ScheduleInput, responses((status = 200, description = "What the job does now", body = JobPlan),
        (status = 422, description = "The expression never comes, comes too often or cannot be read")))]
pub async fn set(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(input): Json<ScheduleInput>,
) -> Answer<Json<JobPlan>> {
    Ok(Json(core.set_job_schedule(&actor, id, input).await?))
}

/// Take a job's own schedule away
///
/// That of its wave is in force again, or the installation's.
#[utoipa::path(delete, path = "/migration/jobs/{id}/schedule", tag = "schedules", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "What the job does now", body = JobPlan),
        (status = 409, description = "`no_schedule`")))]
pub async fn clear(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<JobPlan>> {
    Ok(Json(core.clear_job_schedule(&actor, id).await?))
}
