//! Tickets.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, users::checked_page, validate::Checker};
use gatepost_contract::{
    Attachment, AttachmentId, NewTicket, Page, PageQuery, Ticket, TicketFilter, TicketId, TicketPatch,
};
use gatepost_store::{attachments, tenants, tickets};

impl Gatepost {
    /// Opens a ticket.
    pub async fn create_ticket(&self, actor: &Actor, new: NewTicket) -> Result<Ticket> {
        actor.manage()?;
        let mut checker = Checker::new();
        let subject = checker.text("subject", &new.subject, 1..=300, false);
        let body = checker.text("body", &new.body, 0..=20_000, true);
        checker.finish()?;
        let mut tx = self.store().begin().await?;
        if tenants::get(&mut tx, new.tenant_id).await?.is_none() {
            return Err(Error::field("tenant_id", "names no tenant"));
        }
        let id = tickets::insert(&mut tx, new.tenant_id, &subject, &body, &actor.label(), &clock::now()).await?;
        let ticket = tickets::get(&mut tx, id).await?.ok_or(Error::NotFound("ticket"))?;
        Entry::new(actor, "ticket.create", format!("ticket/{id}")).after(&ticket).write(&mut tx).await?;
        tx.commit().await?;
        Ok(ticket)
    }

    /// Lists tickets.
    pub async fn list_tickets(&self, actor: &Actor, filter: TicketFilter, page: PageQuery) -> Result<Page<Ticket>> {
        actor.staff()?;
        Ok(tickets::list(&mut *self.store().reader().await?, &filter, &checked_page(page)?).await?)
    }

    /// One ticket, with its migration's payload and its attachments.
    pub async fn get_ticket(&self, actor: &Actor, id: TicketId) -> Result<Ticket> {
        actor.staff()?;
        tickets::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("ticket"))
    }

    /// Changes a ticket.
    pub async fn update_ticket(&self, actor: &Actor, id: TicketId, patch: TicketPatch) -> Result<Ticket> {
        actor.manage()?;
        let mut checker = Checker::new();
        let subject = patch.subject.as_ref().map(|s| checker.text("subject", s, 1..=300, false));
        let body = patch.body.as_ref().map(|b| checker.text("body", b, 0..=20_000, true));
        if patch.status.as_ref().is_some_and(|s| s != "open" && s != "closed") {
            checker.error("status", "may be open or closed");
        }
        checker.finish()?;
        let mut tx = self.store().begin().await?;
        let before = tickets::get(&mut tx, id).await?.ok_or(Error::NotFound("ticket"))?;
        let (subject, body) =
            (subject.unwrap_or_else(|| before.subject.clone()), body.unwrap_or_else(|| before.body.clone()));
        let status = patch.status.unwrap_or_else(|| before.status.clone());
        tickets::update(&mut tx, id, &subject, &body, &status, &clock::now()).await?;
        let after = tickets::get(&mut tx, id).await?.ok_or(Error::NotFound("ticket"))?;
        Entry::new(actor, "ticket.update", format!("ticket/{id}")).before(&before).after(&after).write(&mut tx).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// A file on a ticket, with its content.
    pub async fn attachment(&self, actor: &Actor, ticket: TicketId, id: AttachmentId) -> Result<(Attachment, Vec<u8>)> {
        actor.staff()?;
        let found = attachments::get(&mut *self.store().reader().await?, ticket, id).await?;
        found.ok_or(Error::NotFound("attachment"))
    }
}
