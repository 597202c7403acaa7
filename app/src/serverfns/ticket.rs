//! Tickets.

use gatepost_contract::{Problem, TicketId};
use leptos::prelude::*;

/// Makes a ticket.
#[server(prefix = "/api/fn", endpoint = "create_ticket")]
pub async fn create_ticket(
    #[server(default)] tenant_id: String,
    subject: String,
    #[server(default)] body: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let tenant_id = fields.must("tenant_id", &tenant_id);
    fields.done()?;
    let Some(tenant_id) = tenant_id else { return Err(Problem::internal()) };
    let ticket = gatepost_contract::NewTicket { tenant_id, subject, body };
    let ticket = desk.gatepost.create_ticket(&desk.actor, ticket).await?;
    context::go(&format!("/tickets/{}?notice=created", ticket.id));
    Ok(())
}

/// Closes a ticket or opens it again.
#[server(prefix = "/api/fn", endpoint = "update_ticket")]
pub async fn update_ticket(ticket_id: TicketId, status: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let patch = gatepost_contract::TicketPatch { status: Some(status), ..Default::default() };
    desk.gatepost.update_ticket(&desk.actor, ticket_id, patch).await?;
    context::go(&format!("/tickets/{ticket_id}?notice=saved"));
    Ok(())
}
