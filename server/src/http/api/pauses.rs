//! Pauses: everything, a host, a wave or a job rests until somebody lets it go on.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Path},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{NewPause, Pause, PauseId};
use gatepost_core::Gatepost;
use http::StatusCode;

/// List pauses
#[utoipa::path(get, path = "/migration/pauses", tag = "pauses",
    responses((status = 200, description = "Those that last, the widest first", body = Vec<Pause>)))]
pub async fn list(State(core): State<Gatepost>, Caller(actor): Caller) -> Answer<Json<Vec<Pause>>> {
    Ok(Json(core.pauses(&actor).await?))
}

/// Pause
///
/// Nothing new is begun; runs at work end cleanly at the next message and go back into the queue. Everything and a host
/// are paused by ops leads and super admins, a wave and a job by technicians too.
#[utoipa::path(post, path = "/migration/pauses", tag = "pauses", request_body = NewPause,
    responses((status = 201, description = "The pause", body = Pause),
        (status = 409, description = "`already_paused` or `closed`")))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewPause>,
) -> Answer<Created<Pause>> {
    let pause = core.pause(&actor, input).await?;
    Ok(Created("/api/v1/migration/pauses".to_owned(), pause))
}

/// Let it go on
#[utoipa::path(delete, path = "/migration/pauses/{id}", tag = "pauses", params(("id" = i64, Path, description = "The pause")),
    responses((status = 204, description = "It goes on")))]
pub async fn end(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<PauseId>) -> Answer<StatusCode> {
    core.resume(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
