//! A new ticket.

use crate::{
    components::{AreaField, FormState, PageHead, SelectField, TextField, load},
    serverfns::ticket::CreateTicket,
};
use gatepost_contract::PageQuery;
use leptos::{prelude::*, server_fn::ServerFn};

/// The form for a new ticket.
#[component]
pub fn NewTicket() -> AnyView {
    load(|desk| async move {
        let tenants = desk
            .gatepost
            .list_tenants(
                &desk.actor,
                PageQuery { per_page: 200, sort: Some("name".to_owned()), ..PageQuery::default() },
            )
            .await?;
        let state = FormState::of(CreateTicket::url());
        let options = std::iter::once((String::new(), t!(form.choose).to_owned()))
            .chain(tenants.items.into_iter().map(|tenant| (tenant.id.to_string(), tenant.name)))
            .collect();
        Ok(view! {
            <PageHead title=t!(ticket.new).to_owned() up=vec![("/tickets".to_owned(), t!(nav.tickets).to_owned())]/>
            <form method="post" action=CreateTicket::url() class="form">
                <SelectField state=state.clone() name="tenant_id" label=t!(job.tenant) options required=true/>
                <TextField state=state.clone() name="subject" label=t!(ticket.subject) required=true max=300/>
                <AreaField state name="body" label=t!(ticket.body) rows=8 max=20_000/>
                <div class="submit">
                    <button type="submit" class="button primary">{t!(ticket.create)}</button>
                    <a class="button quiet" href="/tickets">{t!(form.cancel)}</a>
                </div>
            </form>
        }
        .into_any())
    })
}
