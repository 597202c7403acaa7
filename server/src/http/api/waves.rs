//! Waves: jobs and mailboxes that move together.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Path},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{
    NewWave, Schedule, ScheduleInput, Wave, WaveId, WaveMembers, WaveOverview, WaveSettings, WaveStart, WaveStarted,
    WavesOverview,
};
use gatepost_core::Gatepost;
use http::StatusCode;

/// Look at all waves
///
/// What moves, what is stuck and when it ends, for each wave and for the mailboxes of open jobs that are in none; and
/// every pause that lasts.
#[utoipa::path(get, path = "/migration/waves", tag = "waves",
    responses((status = 200, description = "The waves in their order", body = WavesOverview)))]
pub async fn list(State(core): State<Gatepost>, Caller(actor): Caller) -> Answer<Json<WavesOverview>> {
    Ok(Json(core.waves(&actor).await?))
}

/// Make a wave
///
/// A job or a mailbox is in one wave at most: it leaves the one that it was in.
#[utoipa::path(post, path = "/migration/waves", tag = "waves", request_body = NewWave,
    responses((status = 201, description = "The wave", body = Wave),
        (status = 409, description = "`exists`: another wave has the name")))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewWave>,
) -> Answer<Created<Wave>> {
    let wave = core.create_wave(&actor, input).await?;
    Ok(Created(format!("/api/v1/migration/waves/{}", wave.id), wave))
}

/// Look at a wave
#[utoipa::path(get, path = "/migration/waves/{id}", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    responses((status = 200, description = "What moves, what is stuck, when it ends", body = WaveOverview)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaveId>,
) -> Answer<Json<WaveOverview>> {
    Ok(Json(core.wave(&actor, id).await?))
}

/// Change a wave
///
/// All of it is written. Runs at work follow a new limit of speed within seconds; a smaller number of mailboxes at once
/// ends none of them.
#[utoipa::path(put, path = "/migration/waves/{id}", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    request_body = WaveSettings, responses((status = 200, description = "The wave", body = Wave)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaveId>,
    Json(input): Json<WaveSettings>,
) -> Answer<Json<Wave>> {
    Ok(Json(core.update_wave(&actor, id, input).await?))
}

/// Remove a wave
///
/// With its schedule and its pause. Who was in it is in none, and goes on.
#[utoipa::path(delete, path = "/migration/waves/{id}", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    responses((status = 204, description = "It is removed")))]
pub async fn remove(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<WaveId>) -> Answer<StatusCode> {
    core.delete_wave(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put jobs and mailboxes into a wave, and take them out
#[utoipa::path(post, path = "/migration/waves/{id}/members", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    request_body = WaveMembers, responses((status = 200, description = "The wave", body = Wave)))]
pub async fn members(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaveId>,
    Json(input): Json<WaveMembers>,
) -> Answer<Json<Wave>> {
    Ok(Json(core.change_wave_members(&actor, id, input).await?))
}

/// Start runs of a wave
///
/// For every mailbox of it that is idle. A job that cannot start such a run is named with the reason and does not keep the
/// others.
#[utoipa::path(post, path = "/migration/waves/{id}/start", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    request_body = WaveStart,
    responses((status = 202, description = "What was started and what was not", body = WaveStarted),
        (status = 409, description = "`no_mailboxes`")))]
pub async fn start(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaveId>,
    Json(input): Json<WaveStart>,
) -> Answer<(StatusCode, Json<WaveStarted>)> {
    Ok((StatusCode::ACCEPTED, Json(core.start_wave(&actor, id, input).await?)))
}

/// Give a wave a schedule
#[utoipa::path(put, path = "/migration/waves/{id}/schedule", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    request_body = ScheduleInput, responses((status = 200, description = "The schedule", body = Schedule),
        (status = 422, description = "The expression never comes, comes too often or cannot be read")))]
pub async fn set_schedule(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaveId>,
    Json(input): Json<ScheduleInput>,
) -> Answer<Json<Schedule>> {
    Ok(Json(core.set_wave_schedule(&actor, id, input).await?))
}

/// Take a wave's schedule away
///
/// Its jobs are under their own again, or under the installation's.
#[utoipa::path(delete, path = "/migration/waves/{id}/schedule", tag = "waves", params(("id" = i64, Path, description = "The wave")),
    responses((status = 204, description = "It is removed"), (status = 409, description = "`no_schedule`")))]
pub async fn clear_schedule(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WaveId>,
) -> Answer<StatusCode> {
    core.clear_wave_schedule(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
