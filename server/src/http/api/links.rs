//! Signed links to a job, and the badge that one kind of them opens.

use crate::http::{
    App,
    error::Answer,
    extract::{Created, Json, Paging, Path, host},
    identity::Caller,
    shared,
};
use axum::{extract::State, response::Response};
use gatepost_contract::{IssuedLink, JobId, LinkId, NewLink, Page, PageQuery, ShareLink};
use gatepost_core::Gatepost;
use http::{HeaderMap, StatusCode, request::Parts};

/// List a job's links
///
/// Without their tokens, the revoked and expired ones included.
#[utoipa::path(get, path = "/migration/jobs/{id}/links", tag = "links",
    params(("id" = i64, Path, description = "The job"), PageQuery),
    responses((status = 200, description = "A page of links", body = Page<ShareLink>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Paging(page): Paging,
) -> Answer<Json<Page<ShareLink>>> {
    Ok(Json(core.list_links(&actor, id, page).await?))
}

/// Make a link to a job
///
/// A `badge` shows the gate and nothing else; a `customer` link shows progress in plain words and the report. The
/// token is in this answer and nowhere else, with texts that are ready to be pasted.
#[utoipa::path(post, path = "/migration/jobs/{id}/links", tag = "links",
    params(("id" = i64, Path, description = "The job")), request_body = NewLink,
    responses((status = 201, description = "The link with its token", body = IssuedLink)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    headers: HeaderMap,
    Json(input): Json<NewLink>,
) -> Answer<Created<IssuedLink>> {
    let issued = core.create_link(&actor, id, input, host(&headers)).await?;
    Ok(Created(format!("/api/v1/migration/links/{}", issued.link.id), issued))
}

/// Revoke a link
///
/// Whoever uses it is refused at once.
#[utoipa::path(delete, path = "/migration/links/{id}", tag = "links", params(("id" = i64, Path, description = "The link")),
    responses((status = 204, description = "It is refused from now on")))]
pub async fn revoke(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<LinkId>) -> Answer<StatusCode> {
    core.revoke_link(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show a job's gate as a picture
///
/// For whoever has a `badge` link. A token that does not open it is answered with a neutral picture and 403, too many
/// of them with 429. The ETag follows the content.
#[utoipa::path(get, path = "/migration/jobs/{id}/badge.svg", tag = "links", security(()),
    params(("id" = i64, Path, description = "The job"), ("token" = String, Query, description = "The link's token"),
        ("lang" = Option<String>, Query, description = "`en` or `pt-BR`; what the browser prefers where left out"),
        ("theme" = Option<String>, Query, description = "`light`, `dark` or `auto`")),
    responses((status = 200, description = "The picture", body = String, content_type = "image/svg+xml"),
        (status = 304, description = "It has not changed"),
        (status = 403, description = "A neutral picture", body = String, content_type = "image/svg+xml")))]
pub async fn badge(State(app): State<App>, parts: Parts) -> Response {
    shared::badge(&app, &parts).await
}
