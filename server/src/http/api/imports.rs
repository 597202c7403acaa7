//! Mailboxes from files: the template, the preview, what is wrong, and storing what was looked at.

use crate::http::{
    csv,
    error::Answer,
    extract::{Csv, Json, Path, Query},
    identity::Caller,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gatepost_contract::{DiscoveryQuery, FieldError, ImportPreview, Imported, JobId, Problem};
use gatepost_core::Gatepost;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

/// Which template is wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TemplateQuery {
    /// A domain whose settings stand in the lines; only together with `take`.
    #[serde(default)]
    domain: Option<String>,
    /// Which of its proposals: `host:port:security`.
    #[serde(default)]
    take: Option<String>,
}

/// Get a template for an import
///
/// A CSV file with every column and a line for each usual case. Its example lines are refused as they are.
#[utoipa::path(get, path = "/migration/mailboxes/template.csv", tag = "mailboxes", params(TemplateQuery),
    responses((status = 200, description = "The file", body = String, content_type = "text/csv")))]
pub async fn template(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(query): Query<TemplateQuery>,
) -> Answer<Response> {
    let proposal = match (query.domain, query.take) {
        (Some(domain), Some(take)) => {
            let of = DiscoveryQuery { domain: Some(domain), email: None };
            Some(core.proposal(&actor, &of, &take).await?)
        }
        (None, None) => None,
        _ => return Err(Problem::field("take", "needs the domain, and the domain needs it").into()),
    };
    let text = core.import_template(&actor, proposal.as_ref()).await?;
    Ok(file("gatepost-mailboxes.csv", text))
}

/// Look at a file of mailboxes
///
/// The same file as for an import, at most 2 MB. No mailbox is stored. What it holds and what is wrong with each line is
/// told; the file is kept, sealed, for an hour, for whoever sent it.
#[utoipa::path(post, path = "/migration/jobs/{id}/mailboxes/preview", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job")),
    request_body(content((String = "text/csv"), (Vec<u8> = "multipart/form-data"))),
    responses((status = 200, description = "What it holds", body = ImportPreview)))]
pub async fn preview(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Csv(file): Csv,
) -> Answer<Json<ImportPreview>> {
    Ok(Json(core.preview_import(&actor, id, &file).await?))
}

/// Get a preview
///
/// As the job is now.
#[utoipa::path(get, path = "/migration/jobs/{id}/mailboxes/preview/{preview}", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job"), ("preview" = String, Path, description = "The preview")),
    responses((status = 200, description = "What the file holds", body = ImportPreview)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path((id, preview)): Path<(JobId, String)>,
) -> Answer<Json<ImportPreview>> {
    Ok(Json(core.import_preview(&actor, id, &preview).await?))
}

/// Store the mailboxes of a preview
///
/// All or none, and once.
#[utoipa::path(post, path = "/migration/jobs/{id}/mailboxes/preview/{preview}", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job"), ("preview" = String, Path, description = "The preview")),
    responses((status = 201, description = "What was stored", body = Imported)))]
pub async fn store(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path((id, preview)): Path<(JobId, String)>,
) -> Answer<Response> {
    let imported = core.import_previewed(&actor, id, &preview).await?;
    Ok((StatusCode::CREATED, Json(imported)).into_response())
}

/// Get what is wrong with a file
///
/// As CSV: line, column, message.
#[utoipa::path(get, path = "/migration/jobs/{id}/mailboxes/preview/{preview}/errors.csv", tag = "mailboxes",
    params(("id" = i64, Path, description = "The job"), ("preview" = String, Path, description = "The preview")),
    responses((status = 200, description = "The file", body = String, content_type = "text/csv")))]
pub async fn errors(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path((id, preview)): Path<(JobId, String)>,
) -> Answer<Response> {
    let preview = core.import_preview(&actor, id, &preview).await?;
    Ok(file("gatepost-import-errors.csv", written(&preview.errors)))
}

fn written(errors: &[FieldError]) -> String {
    let mut text = csv::line(&["line", "column", "message"]);
    for error in errors {
        let (place, column) = error.field.split_once(": ").unwrap_or((&error.field, ""));
        let line = place.strip_prefix("line ").unwrap_or_default();
        text.push_str(&csv::line(&[line, column, &error.message]));
    }
    text
}

fn file(name: &'static str, text: String) -> Response {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_lines_that_a_spreadsheet_can_sort() {
        let error = |field: &str, message: &str| FieldError { field: field.into(), message: message.into() };
        let text =
            written(&[error("line 12: email", "is no address, =1"), error("line 1", "is bad"), error("file", "x")]);
        assert_eq!(
            text,
            "\"line\",\"column\",\"message\"\r\n\"12\",\"email\",\"is no address, '=1\"\r\n\"1\",\"\",\"is bad\"\r\n\
             \"\",\"\",\"x\"\r\n"
        );
    }
}
