//! Files that are sources of mailboxes: tus 1.0 for those that come in pieces, a form for those that come at once, and
//! paths for those that lie on the server already.

mod form;
mod meter;
mod tus;

pub use form::{FileForm, take_form};
pub use tus::{announce, discover, offset, overridden};

use crate::http::{
    error::{Answer, Refusal},
    extract::{Created, Json, Path, Query},
    identity::Caller,
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use gatepost_contract::{JobId, MailboxId, Problem, ServerFile, Upload, UploadPiece};
use gatepost_core::{Gatepost, MAX_PIECES};
use http::{StatusCode, header};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use tus::Tus;

/// Begin a resumable upload
///
/// tus 1.0 with the extensions creation, creation-with-upload, termination, checksum (sha256, sha1) and expiration;
/// `OPTIONS /uploads` tells so. `Upload-Metadata` has `mailbox_id` and `filename`, and may have `sha256`, the digest of
/// the whole file in hex. `HEAD /uploads/{id}` answers how far it is.
#[utoipa::path(post, path = "/uploads", tag = "uploads",
    params(("Tus-Resumable" = String, Header, description = "`1.0.0`"),
        ("Upload-Length" = i64, Header, description = "Bytes of the file"),
        ("Upload-Metadata" = String, Header, description = "`mailbox_id`, `filename` and `sha256`, each with its value in Base64"),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the body, where there is one")),
    request_body(content = inline(Option<Vec<u8>>), content_type = "application/offset+octet-stream"),
    responses((status = 201, description = "`Location` is where its bytes go"),
        (status = 409, description = "`already_uploaded`, `not_a_file_mailbox`, `too_many_files`, `too_many_unfinished` or `closed`"),
        (status = 412, description = "`tus_version`"), (status = 413, description = "`too_large`"),
        (status = 460, description = "`checksum_mismatch`"), (status = 507, description = "`no_space`, with the figures")))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    _: Tus,
    new: tus::Creation,
    request: axum::extract::Request,
) -> Answer<Response> {
    tus::create(&core, &actor, new, request).await
}

/// Add bytes to an upload
///
/// What a broken connection has brought stays; with `Upload-Checksum` a body counts whole or not at all. Several requests
/// cannot write at once.
#[utoipa::path(patch, path = "/uploads/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "`1.0.0`"),
        ("Upload-Offset" = i64, Header, description = "Where the bytes begin: what HEAD answers"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha256` or `sha1`, and the digest of the body in Base64")),
    request_body(content = inline(Vec<u8>), content_type = "application/offset+octet-stream"),
    responses((status = 204, description = "`Upload-Offset` is how far it is"),
        (status = 409, description = "`wrong_offset`, or `complete`"), (status = 410, description = "`deleted`"),
        (status = 423, description = "`locked`: another request writes to it"),
        (status = 460, description = "`checksum_mismatch`"), (status = 507, description = "`no_space`")))]
pub async fn append(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    _: Tus,
    Path(id): Path<String>,
    request: axum::extract::Request,
) -> Answer<Response> {
    tus::append(&core, &actor, &id, request).await
}

/// Get a file
#[utoipa::path(get, path = "/uploads/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The file")),
    responses((status = 200, description = "How it stands, and what is in it once it was read through", body = Upload)))]
pub async fn get(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<String>) -> Answer<Json<Upload>> {
    Ok(Json(core.upload(&actor, &id).await?))
}

/// Whether it is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Removal {
    /// True: also a file that holds mail, though it is not proved that all of that arrived.
    #[serde(default)]
    force: bool,
    /// Why; required with `force`. The gate shows it where the file's mail was not proved.
    #[serde(default)]
    reason: Option<String>,
}

/// Remove a file
///
/// Its bytes are deleted; a file of the server stays where it is. One that holds mail is needed until its job is verified;
/// the gate warns of one that was removed before, until the same bytes come again.
#[utoipa::path(delete, path = "/uploads/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The file"), Removal),
    responses((status = 204, description = "It is gone"), (status = 410, description = "`deleted`, before"),
        (status = 409, description = "`copied_from`: only by force, with a reason; `already_running`"),
        (status = 423, description = "`locked`")))]
pub async fn remove(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(removal): Query<Removal>,
) -> Answer<StatusCode> {
    let early = removal.force.then(|| removal.reason.unwrap_or_default());
    core.delete_upload(&actor, &id, early.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which pieces are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PieceRange {
    /// From this offset on.
    #[serde(default)]
    from: i64,
    /// At most so many; 10,000 where left out, which is also the most.
    limit: Option<i64>,
}

/// List the pieces of an upload
///
/// As they arrived, without gaps, each with its SHA-256: one for each body, cut at 8 MiB. Who has the file compares them
/// before going on with it.
#[utoipa::path(get, path = "/uploads/{id}/pieces", tag = "uploads",
    params(("id" = String, Path, description = "The file"), PieceRange),
    responses((status = 200, description = "Pieces in their order", body = Vec<UploadPiece>)))]
pub async fn pieces(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(range): Query<PieceRange>,
) -> Answer<Json<Vec<UploadPiece>>> {
    Ok(Json(core.upload_pieces(&actor, &id, range.from, range.limit.unwrap_or(MAX_PIECES)).await?))
}

/// Download what is no mail in a file
///
/// Contacts as vCard, appointments and tasks as iCalendar, notes as text, in the file's folders. Who downloads it is in
/// the audit log.
#[utoipa::path(get, path = "/uploads/{id}/items", tag = "uploads",
    params(("id" = String, Path, description = "The file")),
    responses((status = 200, description = "A zip", body = Vec<u8>, content_type = "application/zip")))]
pub async fn items(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<String>) -> Answer<Response> {
    let (file, name) = core.upload_items(&actor, &id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((headers, body).into_response())
}

/// List a mailbox's files
///
/// What was found in them is here without the folders; each file by itself has them.
#[utoipa::path(get, path = "/migration/mailboxes/{id}/uploads", tag = "uploads",
    params(("id" = i64, Path, description = "The mailbox")),
    responses((status = 200, description = "All of them, deleted ones included", body = Vec<Upload>)))]
pub async fn of_mailbox(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
) -> Answer<Json<Vec<Upload>>> {
    Ok(Json(core.uploads_of(&actor, id).await?))
}

/// List a job's files
///
/// What was found in them is here without the folders; each file by itself has them.
#[utoipa::path(get, path = "/migration/jobs/{id}/uploads", tag = "uploads",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "Those of all its mailboxes", body = Vec<Upload>)))]
pub async fn of_job(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<Vec<Upload>>> {
    Ok(Json(core.uploads_of_job(&actor, id).await?))
}

/// What the form of an upload holds.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes the form, which is read as it comes")]
pub struct UploadForm {
    /// The mailbox whose mail the file holds.
    mailbox_id: i64,
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The SHA-256 of the file in hex, where it is known.
    sha256: Option<String>,
}

/// Upload a file in one request
///
/// The fields may be in any order. Of a form that breaks off nothing is kept; for large files and bad lines there is the
/// resumable upload.
#[utoipa::path(post, path = "/migration/jobs/{id}/upload-pst", tag = "uploads",
    params(("id" = i64, Path, description = "The job")),
    request_body(content = inline(UploadForm), content_type = "multipart/form-data"),
    responses((status = 201, description = "The file", body = Upload),
        (status = 409, description = "`already_uploaded`, `not_a_file_mailbox`, `too_many_files` or `closed`"),
        (status = 413, description = "`too_large`"), (status = 507, description = "`no_space`, with the figures")))]
pub async fn upload_form(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    form: FileForm,
) -> Answer<Created<Upload>> {
    let uploads = take_form(&core, &actor, id, None, form).await?;
    let Some(upload) = uploads.into_iter().next() else {
        return Err(Problem::field("file", "is missing").into());
    };
    Ok(Created(format!("/api/v1/uploads/{}", upload.id), upload))
}

/// Use a file of the server
///
/// A file or folder below the one that GATEPOST_IMPORT_PATH opens. It is read where it lies, and stays there.
#[utoipa::path(post, path = "/migration/mailboxes/{id}/server-files", tag = "uploads",
    params(("id" = i64, Path, description = "The mailbox")), request_body = ServerFile,
    responses((status = 201, description = "The file", body = Upload),
        (status = 404, description = "`server_files_off`: no folder is open"),
        (status = 409, description = "`already_uploaded`, `not_a_file_mailbox`, `too_many_files` or `closed`")))]
pub async fn server_file(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
    Json(file): Json<ServerFile>,
) -> Answer<Created<Upload>> {
    let upload = core.add_server_file(&actor, id, file).await?;
    Ok(Created(format!("/api/v1/uploads/{}", upload.id), upload))
}

/// A refusal that only the shape of a request can earn.
fn refusal(status: u16, code: &str, detail: &str) -> Refusal {
    Problem::new(status, code, detail).into()
}
