//! A new job, on its own or from a ticket.

use crate::{
    components::{AreaField, FormState, Hidden, PageHead, SelectField, TextField, TickField, load, query_as},
    i18n::names,
    serverfns::job::CreateJob,
};
use gatepost_contract::{PageQuery, Security, TicketId};
use leptos::{prelude::*, server_fn::ServerFn};

/// The form for a new job.
#[component]
pub fn NewJob() -> AnyView {
    let ticket = query_as::<TicketId>("ticket_id");
    load(move |desk| async move {
        let ticket = match ticket {
            Some(id) => Some(desk.gatepost.get_ticket(&desk.actor, id).await?),
            None => None,
        };
        let tenants = desk
            .gatepost
            .list_tenants(
                &desk.actor,
                PageQuery { per_page: 200, sort: Some("name".to_owned()), ..PageQuery::default() },
            )
            .await?;
        let state = FormState::of(CreateJob::url());
        let config = desk.gatepost.config();
        let tenant = ticket.as_ref().map(|ticket| ticket.tenant_id.to_string()).unwrap_or_default();
        let options = std::iter::once((String::new(), t!(form.choose).to_owned()))
            .chain(tenants.items.into_iter().map(|tenant| (tenant.id.to_string(), tenant.name)))
            .collect();
        Ok(view! {
            <PageHead title=t!(job.new).to_owned() up=vec![("/jobs".to_owned(), t!(nav.jobs).to_owned())]/>
            {ticket.as_ref().map(|ticket| view! {
                <p class="lead">{t!(job.from_ticket)}" "<a href=format!("/tickets/{}", ticket.id)>{ticket.subject.clone()}</a></p>
            })}
            <form method="post" action=CreateJob::url() class="form">
                <Hidden name="ticket_id" value=ticket.as_ref().map(|ticket| ticket.id.to_string()).unwrap_or_default()/>
                <fieldset>
                    <legend>{t!(job.what)}</legend>
                    <TextField state=state.clone() name="domain" label=t!(job.domain) hint=t!(job.domain_hint) required=true max=253/>
                    <SelectField state=state.clone() name="tenant_id" label=t!(job.tenant) value=tenant options required=true/>
                    <TextField state=state.clone() name="source_server_label" label=t!(job.source_label) hint=t!(job.source_label_hint) max=200/>
                </fieldset>
                <DestinationFields
                    state=state.clone()
                    host=config.dest_imap_host.clone().unwrap_or_default()
                    port=config.dest_imap_port.map(|port| port.to_string()).unwrap_or_default()
                    security=config.dest_imap_security
                    insecure=false
                />
                <AreaField state name="notes" label=t!(job.notes) max=20_000/>
                <div class="submit">
                    <button type="submit" class="button primary">{t!(job.create)}</button>
                    <a class="button quiet" href="/jobs">{t!(form.cancel)}</a>
                </div>
            </form>
        }
        .into_any())
    })
}

/// The new server.
#[component]
pub fn DestinationFields(
    /// The form's state.
    state: FormState,
    /// Its host.
    host: String,
    /// Its port.
    port: String,
    /// How the connection to it is protected.
    security: Security,
    /// Whether its certificate goes unverified.
    insecure: bool,
) -> AnyView {
    view! {
        <fieldset>
            <legend>{t!(job.destination)}</legend>
            <div class="row">
                <TextField state=state.clone() name="dest_imap_host" label=t!(server.host) value=host required=true max=253/>
                <TextField state=state.clone() name="dest_imap_port" kind="number" label=t!(server.port) value=port min=1 max=65_535/>
                <SelectField state=state.clone() name="dest_imap_security" label=t!(server.security) value=security.to_string() options=security_options() required=true/>
            </div>
            <TickField state name="dest_insecure_tls" label=t!(server.insecure) hint=t!(server.insecure_hint) value=insecure/>
        </fieldset>
    }
    .into_any()
}

/// The ways to protect a connection.
pub fn security_options() -> Vec<(String, String)> {
    Security::ALL.iter().map(|one| (one.to_string(), names::security(*one).to_owned())).collect()
}
