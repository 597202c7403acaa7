//! The residue: what is missing, message by message, in pages, in classes and as a file.

use crate::http::{
    error::Answer,
    extract::{Json, Paging, Path, Query},
    identity::Caller,
    residue_file::{self, Format},
};
use axum::{extract::State, response::Response};
use gatepost_contract::{JobId, Page, PageQuery, Residue, ResidueClass, ResidueFilter};
use gatepost_core::Gatepost;

/// List a job's residue
///
/// Messages that have not arrived as they should, each with its cause and what to do.
#[utoipa::path(get, path = "/migration/jobs/{id}/residue", tag = "residue",
    params(("id" = i64, Path, description = "The job"), ResidueFilter, PageQuery),
    responses((status = 200, description = "Messages", body = Page<Residue>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Residue>>> {
    Ok(Json(core.residue(&actor, id, filter, page).await?))
}

/// List the classes of a job's residue
///
/// What stands in one folder, in one state, for one reason; the largest first, at most 500.
#[utoipa::path(get, path = "/migration/jobs/{id}/residue/classes", tag = "residue",
    params(("id" = i64, Path, description = "The job"), ResidueFilter),
    responses((status = 200, description = "Classes", body = Vec<ResidueClass>)))]
pub async fn classes(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
) -> Answer<Json<Vec<ResidueClass>>> {
    Ok(Json(core.residue_classes(&actor, id, filter).await?))
}

/// Download a job's residue as CSV
///
/// All of it, as it streams. Text that a spreadsheet would take for a formula begins with an apostrophe.
#[utoipa::path(get, path = "/migration/jobs/{id}/residue.csv", tag = "residue",
    params(("id" = i64, Path, description = "The job"), ResidueFilter),
    responses((status = 200, description = "One line for each message", body = String, content_type = "text/csv")))]
pub async fn csv(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
) -> Answer<Response> {
    Ok(residue_file::response(id, Format::Csv, core.whole_residue(&actor, id, filter).await?))
}

/// Download a job's residue as JSON
///
/// All of it, as it streams: an object with `job_id` and `items`.
#[utoipa::path(get, path = "/migration/jobs/{id}/residue.json", tag = "residue",
    params(("id" = i64, Path, description = "The job"), ResidueFilter),
    responses((status = 200, description = "Messages", body = Object, content_type = "application/json")))]
pub async fn json(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Query(filter): Query<ResidueFilter>,
) -> Answer<Response> {
    Ok(residue_file::response(id, Format::Json, core.whole_residue(&actor, id, filter).await?))
}
