//! Mailboxes of a job.

use crate::http::{
    error::Answer,
    extract::{Created, Csv, Json, Path},
    identity::Caller,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gatepost_contract::{Folder, Imported, JobId, Mailbox, MailboxId, MailboxPatch, NewMailbox};
use gatepost_core::Gatepost;
use http::StatusCode;

/// List a job's mailboxes
#[utoipa::path(get, path = "/migration/jobs/{id}/mailboxes", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "All of them", body = Vec<Mailbox>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<Vec<Mailbox>>> {
    Ok(Json(core.list_mailboxes(&actor, id).await?))
}

/// Add a mailbox
#[utoipa::path(post, path = "/migration/jobs/{id}/mailboxes", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")), request_body = NewMailbox,
    responses((status = 201, description = "The mailbox, without its secrets", body = Mailbox)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(input): Json<NewMailbox>,
) -> Answer<Created<Mailbox>> {
    let mailbox = core.add_mailbox(&actor, id, input).await?;
    Ok(Created(format!("/api/v1/migration/mailboxes/{}", mailbox.id), mailbox))
}

/// Import mailboxes
///
/// A CSV file of at most 2 MB whose first line names the columns, as the body or as the field `file` of a form. Every
/// bad line is reported with its number, and nothing is stored unless all lines are good.
#[utoipa::path(post, path = "/migration/jobs/{id}/mailboxes/import", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")),
    request_body(content((String = "text/csv"), (Vec<u8> = "multipart/form-data"))),
    responses((status = 201, description = "What was stored", body = Imported)))]
pub async fn import(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Csv(file): Csv,
) -> Answer<Response> {
    let imported = core.import_mailboxes(&actor, id, &file).await?;
    Ok((StatusCode::CREATED, Json(imported)).into_response())
}

/// Get a mailbox
#[utoipa::path(get, path = "/migration/mailboxes/{id}", tag = "mailboxes",
    params(("id" = i64, Path, description = "The mailbox")),
    responses((status = 200, description = "The mailbox, without its secrets", body = Mailbox)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
) -> Answer<Json<Mailbox>> {
    Ok(Json(core.get_mailbox(&actor, id).await?))
}

/// Change a mailbox
///
/// What is left out stays as it is; secrets can be written, never read.
#[utoipa::path(patch, path = "/migration/mailboxes/{id}", tag = "mailboxes",
    params(("id" = i64, Path, description = "The mailbox")), request_body = MailboxPatch,
    responses((status = 200, description = "The mailbox", body = Mailbox)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
    Json(patch): Json<MailboxPatch>,
) -> Answer<Json<Mailbox>> {
    Ok(Json(core.update_mailbox(&actor, id, patch).await?))
}

/// Remove a mailbox
#[utoipa::path(delete, path = "/migration/mailboxes/{id}", tag = "mailboxes",
    params(("id" = i64, Path, description = "The mailbox")),
    responses((status = 204, description = "It is gone from the job; no mail was touched")))]
pub async fn remove(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
) -> Answer<StatusCode> {
    core.delete_mailbox(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a mailbox's folders
///
/// With what the ledger holds of each.
#[utoipa::path(get, path = "/migration/mailboxes/{id}/folders", tag = "mailboxes",
    params(("id" = i64, Path, description = "The mailbox")),
    responses((status = 200, description = "Its folders", body = Vec<Folder>)))]
pub async fn folders(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
) -> Answer<Json<Vec<Folder>>> {
    Ok(Json(core.folders(&actor, id).await?))
}
