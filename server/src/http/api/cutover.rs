//! The cutover: a domain's DNS before and after, its settings, the way back, and the word that the MX was changed.

use crate::http::{
    error::Answer,
    extract::{Json, Path, Query, SignedJson},
    identity::Caller,
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use gatepost_contract::{CutoverSettings, CutoverView, DnsApplied, GateAnswer, JobId, RollbackSheet};
use gatepost_core::{Gatepost, SignedHeaders};
use http::{HeaderMap, header};
use serde::Deserialize;

/// Look at a job's cutover
///
/// The old DNS values, the newest reading, what to look at, how far the change has spread, and stragglers.
#[utoipa::path(get, path = "/migration/jobs/{id}/dns", tag = "cutover", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The cutover", body = CutoverView)))]
pub async fn view(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<CutoverView>> {
    Ok(Json(core.cutover(&actor, id).await?))
}

/// Read a domain's DNS now
///
/// From every configured resolver and from the zone's own servers; takes up to half a minute. Before the cutover what was
/// read is kept as the old values.
#[utoipa::path(post, path = "/migration/jobs/{id}/dns", tag = "cutover", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The cutover with the new reading", body = CutoverView),
        (status = 409, description = "`no_resolvers`, `already_reading` or `closed`")))]
pub async fn read(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<CutoverView>> {
    Ok(Json(core.read_dns(&actor, id).await?))
}

/// Look at the settings of a job's cutover
#[utoipa::path(get, path = "/migration/jobs/{id}/dns/settings", tag = "cutover", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The settings", body = CutoverSettings)))]
pub async fn settings(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<CutoverSettings>> {
    Ok(Json(core.cutover_settings(&actor, id).await?))
}

/// Change the settings of a job's cutover
///
/// All of them are written: how often stragglers are fetched, how long the old server must be quiet, the new MX, DKIM
/// selectors.
#[utoipa::path(put, path = "/migration/jobs/{id}/dns/settings", tag = "cutover", params(("id" = i64, Path, description = "The job")),
    request_body = CutoverSettings, responses((status = 200, description = "The settings", body = CutoverSettings)))]
pub async fn set_settings(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(settings): Json<CutoverSettings>,
) -> Answer<Json<CutoverSettings>> {
    Ok(Json(core.set_cutover_settings(&actor, id, settings).await?))
}

/// How the rollback sheet is wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SheetQuery {
    /// `zone` for a zone file as text; JSON where left out.
    #[serde(default)]
    #[param(inline)]
    format: Option<SheetFormat>,
}

/// What a rollback sheet can be.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SheetFormat {
    /// An object.
    Json,
    /// A zone file.
    Zone,
}

/// How to put the old DNS values back
///
/// Only what differs from the newest reading; the rest stands in the zone file as comments.
#[utoipa::path(get, path = "/migration/jobs/{id}/dns/rollback", tag = "cutover",
    params(("id" = i64, Path, description = "The job"), SheetQuery),
    responses((status = 200, description = "The sheet", content((RollbackSheet = "application/json"), (String = "text/plain"))),
        (status = 404, description = "Nothing was read before the cutover")))]
pub async fn rollback(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(query): Query<SheetQuery>,
) -> Answer<Response> {
    let sheet = core.rollback_sheet(&actor, id).await?;
    if !matches!(query.format, Some(SheetFormat::Zone)) {
        return Ok(Json(sheet).into_response());
    }
    // A stored domain is of letters, digits, dots and hyphens.
    let disposition = format!("attachment; filename=\"{}.rollback.zone\"", sheet.domain);
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CONTENT_DISPOSITION, &disposition)];
    Ok((headers, sheet.zone).into_response())
}

/// Report that the MX was changed
///
/// For tokens with `dns:write`, through an open gate only; again, it changes nothing. Where `GATEPOST_DNS_WEBHOOK_SECRET`
/// is set, the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks are needed beside
/// the token; a `webhook-id` that comes again gets the same answer.
#[utoipa::path(post, path = "/migration/webhooks/dns-applied", tag = "cutover", request_body = DnsApplied,
    params(("webhook-id" = Option<String>, Header, description = "Names the message; the same again changes nothing"),
        ("webhook-timestamp" = Option<i64>, Header, description = "Seconds since 1970"),
        ("webhook-signature" = Option<String>, Header, description = "`v1,` and the signature, several separated by spaces")),
    responses((status = 200, description = "The verdict", body = GateAnswer),
        (status = 401, description = "The signature is missing, forged or stale"),
        (status = 409, description = "`gate_shut`, or `webhook_id_reused` for another message under the same id")))]
pub async fn dns_applied(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    headers: HeaderMap,
    applied: SignedJson<DnsApplied>,
) -> Answer<Json<GateAnswer>> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let signed = SignedHeaders {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    Ok(Json(core.dns_applied_webhook(&actor, &signed, &applied.bytes, applied.value).await?))
}
