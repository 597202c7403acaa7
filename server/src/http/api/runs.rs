//! Runs: starting, looking, cancelling, trying again.

use crate::http::{
    error::Answer,
    extract::{Accepted, Json, OptionalJson, Paging, Path, Query},
    identity::Caller,
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, stream};
use gatepost_contract::{
    Event, EventId, JobId, Page, PageQuery, Problem, Run, RunId, RunView, Started, SyncRequest, VerifyRequest,
};
use gatepost_core::Gatepost;
use http::header;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

/// Start a preflight
///
/// Looks at both servers of every mailbox and changes nothing.
#[utoipa::path(post, path = "/migration/jobs/{id}/preflight", tag = "runs", params(("id" = i64, Path, description = "The job")),
    responses((status = 202, description = "The runs", body = Started), (status = 409, description = "One is running already")))]
pub async fn preflight(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Accepted<Started>> {
    Ok(Accepted(core.start_preflight(&actor, id).await?))
}

/// Start a sync
#[utoipa::path(post, path = "/migration/jobs/{id}/sync", tag = "runs", params(("id" = i64, Path, description = "The job")),
    request_body = SyncRequest,
    responses((status = 202, description = "The runs", body = Started), (status = 409, description = "One is running already")))]
pub async fn sync(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(request): Json<SyncRequest>,
) -> Answer<Accepted<Started>> {
    Ok(Accepted(core.start_sync(&actor, id, request).await?))
}

/// Start a verification
///
/// Re-reads both servers; what it finds becomes the job's evidence.
#[utoipa::path(post, path = "/migration/jobs/{id}/verify", tag = "runs", params(("id" = i64, Path, description = "The job")),
    request_body = inline(Option<VerifyRequest>),
    responses((status = 202, description = "The runs", body = Started), (status = 409, description = "One is running already")))]
pub async fn verify(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    OptionalJson(request): OptionalJson<VerifyRequest>,
) -> Answer<Accepted<Started>> {
    Ok(Accepted(core.start_verify(&actor, id, request).await?))
}

/// List a job's runs
#[utoipa::path(get, path = "/migration/jobs/{id}/runs", tag = "runs",
    params(("id" = i64, Path, description = "The job"), PageQuery),
    responses((status = 200, description = "Runs, newest first", body = Page<Run>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Paging(page): Paging,
) -> Answer<Json<Page<Run>>> {
    Ok(Json(core.list_runs(&actor, id, page).await?))
}

/// Get a run with its steps
#[utoipa::path(get, path = "/migration/runs/{id}", tag = "runs", params(("id" = i64, Path, description = "The run")),
    responses((status = 200, description = "The run", body = RunView)))]
pub async fn get(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<RunId>) -> Answer<Json<RunView>> {
    Ok(Json(core.get_run(&actor, id).await?))
}

/// Where to go on in a log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Only lines after this id.
    #[serde(default)]
    #[param(value_type = Option<i64>)]
    after: Option<EventId>,
    /// 1 to 1000 lines; 200 where left out.
    #[serde(default)]
    limit: Option<u32>,
}

/// Read a run's log
#[utoipa::path(get, path = "/migration/runs/{id}/log", tag = "runs",
    params(("id" = i64, Path, description = "The run"), LogQuery),
    responses((status = 200, description = "Lines, oldest first", body = Vec<Event>),
        (status = 410, description = "The log was removed: its time was over")))]
pub async fn log(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
    Query(query): Query<LogQuery>,
) -> Answer<Json<Vec<Event>>> {
    let limit = query.limit.unwrap_or(200);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::field("limit", "must be from 1 to 1000").into());
    }
    Ok(Json(core.run_log(&actor, id, query.after, limit).await?))
}

/// Download the log of a run's external program
///
/// All that it printed, compressed. Subjects and addresses may stand in it: it is for staff.
#[utoipa::path(get, path = "/migration/runs/{id}/tool-log", tag = "runs", params(("id" = i64, Path, description = "The run")),
    responses((status = 200, description = "A gzip file", body = Vec<u8>, content_type = "application/gzip"),
        (status = 404, description = "No external program was at work"),
        (status = 410, description = "The log was removed: its time was over")))]
pub async fn tool_log(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<RunId>) -> Answer<Response> {
    let log = core.tool_log(&actor, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", log.name)),
    ];
    let pieces = stream::iter(log.pieces).flat_map(|file| ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Cancel a run
///
/// It ends cleanly; what was copied is recorded.
#[utoipa::path(post, path = "/migration/runs/{id}/cancel", tag = "runs", params(("id" = i64, Path, description = "The run")),
    responses((status = 200, description = "The run", body = Run)))]
pub async fn cancel(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<RunId>) -> Answer<Json<Run>> {
    Ok(Json(core.cancel_run(&actor, id).await?))
}

/// Try a run again
#[utoipa::path(post, path = "/migration/runs/{id}/retry", tag = "runs", params(("id" = i64, Path, description = "The run")),
    responses((status = 202, description = "The new run", body = Started)))]
pub async fn retry(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
) -> Answer<Accepted<Started>> {
    Ok(Accepted(core.retry_run(&actor, id).await?))
}
