//! Tickets and the files on them.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path, Query},
    identity::Caller,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gatepost_contract::{AttachmentId, NewTicket, Page, PageQuery, Ticket, TicketFilter, TicketId, TicketPatch};
use gatepost_core::Gatepost;
use http::{HeaderValue, header};

/// List tickets
#[utoipa::path(get, path = "/tickets", tag = "tickets", params(TicketFilter, PageQuery),
    responses((status = 200, description = "Tickets", body = Page<Ticket>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(filter): Query<TicketFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<Ticket>>> {
    Ok(Json(core.list_tickets(&actor, filter, page).await?))
}

/// Open a ticket
#[utoipa::path(post, path = "/tickets", tag = "tickets", request_body = NewTicket,
    responses((status = 201, description = "The ticket", body = Ticket)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewTicket>,
) -> Answer<Created<Ticket>> {
    let ticket = core.create_ticket(&actor, input).await?;
    Ok(Created(format!("/api/v1/tickets/{}", ticket.id), ticket))
}

/// Get a ticket
///
/// With its payload, which says how its migration stands, and its attachments.
#[utoipa::path(get, path = "/tickets/{id}", tag = "tickets", params(("id" = i64, Path, description = "The ticket")),
    responses((status = 200, description = "The ticket", body = Ticket)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<TicketId>,
) -> Answer<Json<Ticket>> {
    Ok(Json(core.get_ticket(&actor, id).await?))
}

/// Change a ticket
#[utoipa::path(patch, path = "/tickets/{id}", tag = "tickets", params(("id" = i64, Path, description = "The ticket")),
    request_body = TicketPatch, responses((status = 200, description = "The ticket", body = Ticket)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<TicketId>,
    Json(patch): Json<TicketPatch>,
) -> Answer<Json<Ticket>> {
    Ok(Json(core.update_ticket(&actor, id, patch).await?))
}

/// Download a ticket's file
#[utoipa::path(get, path = "/tickets/{id}/attachments/{attachment_id}", tag = "tickets",
    params(("id" = i64, Path, description = "The ticket"), ("attachment_id" = i64, Path, description = "The file")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn attachment(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path((id, attachment_id)): Path<(TicketId, AttachmentId)>,
) -> Answer<Response> {
    let (attachment, content) = core.attachment(&actor, id, attachment_id).await?;
    let mut response = content.into_response();
    let kind = HeaderValue::from_str(&attachment.media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    if let Ok(disposition) = HeaderValue::from_str(&disposition(&attachment.name)) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// Always a download, never a page of ours; the name as RFC 6266 and RFC 8187 write it.
fn disposition(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition("relatório \"1\"\r\n.pdf"),
            "attachment; filename*=UTF-8''relat%C3%B3rio%20%221%22%0D%0A.pdf"
        );
    }
}
