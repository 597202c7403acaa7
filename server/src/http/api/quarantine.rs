//! The quarantine: messages that were refused, what they say, and how they are tried again.

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
use gatepost_contract::{
    JobId, MessageHeaders, MessageId, MessageState, Page, PageQuery, Residue, ResidueFilter, Retried, RetryMany,
    WaiveRequest,
};
use gatepost_core::Gatepost;
use http::{StatusCode, header};
use tokio_stream::wrappers::ReceiverStream;

/// List a job's quarantine
///
/// The residue that was refused, each with the server's own words.
#[utoipa::path(get, path = "/migration/jobs/{id}/quarantine", tag = "residue",
    params(("id" = i64, Path, description = "The job"), ResidueFilter, PageQuery),
    responses((status = 200, description = "Messages", body = Page<Residue>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Residue>>> {
    let filter = ResidueFilter { state: filter.state.or(Some(MessageState::Quarantined)), ..filter };
    Ok(Json(core.residue(&actor, id, filter, page).await?))
}

/// Try a class of refused messages again
///
/// They are pending, and for each mailbox a run is started that copies what it lacks: a delta, or a final after the MX
/// was changed. Line ends and NULs that a server would not take are mended on the way. With `expected_count` it is
/// refused when the number has changed since it was shown.
#[utoipa::path(post, path = "/migration/jobs/{id}/quarantine/retry", tag = "residue",
    params(("id" = i64, Path, description = "The job")), request_body = inline(Option<RetryMany>),
    responses((status = 202, description = "How many, and the runs", body = Retried),
        (status = 409, description = "`already_running`, `residue_changed` or `nothing_selected`")))]
pub async fn retry_many(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    OptionalJson(request): OptionalJson<RetryMany>,
) -> Answer<Accepted<Retried>> {
    Ok(Accepted(core.retry_many(&actor, id, request).await?))
}

/// Try a refused message again
#[utoipa::path(post, path = "/migration/quarantine/{id}/retry", tag = "residue",
    params(("id" = i64, Path, description = "The message of the residue")),
    responses((status = 202, description = "The run that copies it", body = Retried),
        (status = 409, description = "`already_running` or `not_quarantined`")))]
pub async fn retry(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MessageId>,
) -> Answer<Accepted<Retried>> {
    Ok(Accepted(core.retry_message(&actor, id).await?))
}

/// Waive a message
///
/// For ops leads and above: it is given up on purpose, and the reason is kept.
#[utoipa::path(post, path = "/migration/quarantine/{id}/waive", tag = "residue",
    params(("id" = i64, Path, description = "The message of the residue")), request_body = WaiveRequest,
    responses((status = 204, description = "It is waived")))]
pub async fn waive(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MessageId>,
    Json(request): Json<WaiveRequest>,
) -> Answer<StatusCode> {
    core.waive(&actor, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a message's headers
///
/// As lines of text, read from the source now; at most 64 KiB. Control characters, and those that turn text round or
/// take no place, stand as their names. Who reads them is in the audit log.
#[utoipa::path(get, path = "/migration/quarantine/{id}/headers", tag = "residue",
    params(("id" = i64, Path, description = "The message of the residue")),
    responses((status = 200, description = "The headers", body = MessageHeaders),
        (status = 502, description = "`source_failed` or `source_busy`: the old server did not deliver it")))]
pub async fn headers(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MessageId>,
) -> Answer<Json<MessageHeaders>> {
    Ok(Json(core.message_headers(&actor, id).await?))
}

/// Download a message
///
/// As the source delivers it, byte by byte. Who downloads it is in the audit log.
#[utoipa::path(get, path = "/migration/quarantine/{id}/message", tag = "residue",
    params(("id" = i64, Path, description = "The message of the residue")),
    responses((status = 200, description = "The message", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 502, description = "`source_failed` or `source_busy`: the old server did not deliver it")))]
pub async fn message(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MessageId>,
) -> Answer<Response> {
    let download = core.download_message(&actor, id).await?;
    let headers = [
        // Browsers take message/rfc822 for a web archive and would show it as a page.
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", download.file_name)),
        (header::CONTENT_LENGTH, download.size.to_string()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(download.body))).into_response())
}
