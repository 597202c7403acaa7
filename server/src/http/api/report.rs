//! Reports: the signed document, its signature, the paper, and both on the job's ticket.

use crate::http::{
    error::Answer,
    extract::{Json, OptionalJson, Path, Query},
    identity::Caller,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use gatepost_contract::{AttachReport, AttachedReport, JobId, ReportView};
use gatepost_core::{Gatepost, ReportData};
use gatepost_report::{Lang, ReportKey, SignatureFile};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

/// The digest of a body (RFC 9530).
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// The Ed25519 signature over the body, base64.
const SIGNATURE: HeaderName = HeaderName::from_static("x-gatepost-signature");
/// Names the key of the signature.
const KEY_ID: HeaderName = HeaderName::from_static("x-gatepost-key-id");

/// How the paper is written.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PaperQuery {
    /// `en` or `pt-BR`; English where left out.
    #[serde(default)]
    pub lang: Option<String>,
}

/// Which signature is wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignatureQuery {
    /// The SHA-256 of the report, in hexadecimal digits, or the beginning of it; the newest report where left out.
    #[serde(default)]
    pub digest: Option<String>,
}

/// Look at a job's reports
///
/// Which were attached to the ticket, and the key that signs them.
#[utoipa::path(get, path = "/migration/jobs/{id}/report", tag = "report", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "What is known of its reports", body = ReportView)))]
pub async fn view(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<ReportView>> {
    Ok(Json(core.report_view(&actor, id).await?))
}

/// Attach a report to the job's ticket
///
/// Made now: the JSON document, its detached signature, and the PDF.
#[utoipa::path(post, path = "/migration/jobs/{id}/report", tag = "report", params(("id" = i64, Path, description = "The job")),
    request_body = AttachReport,
    responses((status = 201, description = "The report that was attached", body = AttachedReport),
        (status = 409, description = "`no_ticket`: the job belongs to none; `ticket_full`: it holds 60 files already")))]
pub async fn attach(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    OptionalJson(request): OptionalJson<AttachReport>,
) -> Answer<(StatusCode, Json<AttachedReport>)> {
    Ok((StatusCode::CREATED, Json(core.attach_report(&actor, id, request).await?)))
}

/// Download a job's report as JSON
///
/// As it is now, by the schema at `/report.schema.json`, in its canonical bytes. Every download is another document,
/// because it says when it was made; `Repr-Digest`, `X-Gatepost-Signature` and `X-Gatepost-Key-Id` are of these bytes.
#[utoipa::path(get, path = "/migration/jobs/{id}/report.json", tag = "report", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The report", body = Object)))]
pub async fn document(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<JobId>) -> Answer<Response> {
    let data = core.report(&actor, id).await?;
    Ok(signed(data))
}

fn signed(data: ReportData) -> Response {
    let name = format!("{}.json", data.file_stem());
    let digest = BASE64_STANDARD.encode(bytes_of(&data.signature.digest));
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, disposition(&name)),
        (REPR_DIGEST, format!("sha-256=:{digest}:")),
        (SIGNATURE, data.signature.signature),
        (KEY_ID, data.signature.key_id),
    ];
    (headers, data.document).into_response()
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let pair = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..digits.len()).step_by(2).filter_map(pair).collect()
}

/// Core names its files by letters, digits, dots, hyphens and underscores alone.
fn disposition(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}

/// Download the signature of a report
///
/// Of one that was downloaded before.
#[utoipa::path(get, path = "/migration/jobs/{id}/report.json.sig", tag = "report",
    params(("id" = i64, Path, description = "The job"), SignatureQuery),
    responses((status = 200, description = "The detached signature", body = SignatureFile)))]
pub async fn signature(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(query): Query<SignatureQuery>,
) -> Answer<Response> {
    let signature = core.report_signature(&actor, id, query.digest.as_deref()).await?;
    let name = format!("report-job-{id}.json.sig");
    Ok(([(header::CONTENT_DISPOSITION, disposition(&name))], axum::Json(signature)).into_response())
}

/// Download a job's report as PDF
///
/// As it is now. The JSON document that it shows and its signature are attached to the file.
#[utoipa::path(get, path = "/migration/jobs/{id}/report.pdf", tag = "report",
    params(("id" = i64, Path, description = "The job"), PaperQuery),
    responses((status = 200, description = "The report", body = Vec<u8>, content_type = "application/pdf")))]
pub async fn paper(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(query): Query<PaperQuery>,
) -> Answer<Response> {
    let lang = match &query.lang {
        Some(tag) => tag.parse::<Lang>().map_err(|why| gatepost_contract::Problem::field("lang", why))?,
        None => Lang::default(),
    };
    let (name, content) = core.report_pdf(&actor, id, lang).await?;
    let mut response = content.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition(&name)) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// The JSON Schema of reports
///
/// For anybody. Draft 2020-12; version 1.
#[utoipa::path(get, path = "/report.schema.json", tag = "report", security(()),
    responses((status = 200, description = "The schema", body = Object, content_type = "application/schema+json")))]
pub async fn schema() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/schema+json"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, gatepost_report::schema().to_string()).into_response()
}

/// The public key of reports
///
/// For anybody: whoever was given a report checks it against this key, with `gatepost report verify` or with openssl.
#[utoipa::path(get, path = "/report-key", tag = "report", security(()),
    responses((status = 200, description = "The key", body = ReportKey)))]
pub async fn key(State(core): State<Gatepost>) -> Answer<Json<ReportKey>> {
    Ok(Json(core.report_key()?))
}
