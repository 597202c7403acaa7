//! The fields of a mailbox, for a new one and for a change.

use super::ways::{WayFields, WayFieldsProps};
use crate::{
    components::{AreaField, FormState, SelectField, TextField, TickField},
    i18n::names,
    pages::job::new::security_options,
};
use gatepost_contract::{Mailbox, Proposal, Security, SourceType, Tool};
use leptos::prelude::*;

/// The kinds of sources that a mailbox can be copied from over the network.
pub fn source_options() -> Vec<(String, String)> {
    [SourceType::Imap, SourceType::ImapOauth, SourceType::Dovecot, SourceType::Zimbra]
        .map(|one| (one.to_string(), names::source_type(one).to_owned()))
        .into()
}

/// The kinds of files that a mailbox can be filled from.
pub fn file_options() -> Vec<(String, String)> {
    [
        (SourceType::Pst, t!(files.option_pst)),
        (SourceType::Mbox, t!(files.option_mbox)),
        (SourceType::Eml, t!(files.option_eml)),
        (SourceType::Tgz, t!(files.option_tgz)),
    ]
    .map(|(one, words)| (one.to_string(), words.to_owned()))
    .into()
}

/// What does the copying: what can be chosen for the kind of source, where that is known.
#[component]
pub fn ToolField(state: FormState, tool: Tool, kinds: Vec<SourceType>) -> AnyView {
    let fits = |one: &Tool| *one == tool || kinds.iter().any(|kind| one.reads(*kind));
    let options = Tool::ENGINES.into_iter().filter(fits).map(|one| (one.to_string(), names::tool(one).to_owned()));
    let files = kinds.iter().all(|kind| kind.is_file());
    let hint = if files { t!(files.tool_hint) } else { t!(engine.hint) };
    view! {
        <SelectField state name="tool" label=t!(run.tool) hint value=tool.to_string() options=options.collect() required=true/>
    }
    .into_any()
}

/// The old server, and the log-in there.
#[component]
pub fn SourceFields(
    /// The form's state.
    state: FormState,
    /// The mailbox that is changed.
    mailbox: Option<Mailbox>,
    /// Settings that were found and chosen: they stand in the fields before anything was typed.
    #[prop(optional_no_strip)]
    proposal: Option<Proposal>,
    /// The log-in name that goes with them.
    #[prop(optional, into)]
    proposed_user: String,
) -> AnyView {
    let stored = mailbox.as_ref().is_some_and(|mailbox| mailbox.has_source_secret);
    let port = mailbox.as_ref().and_then(|mailbox| mailbox.source_port).map(|port| port.to_string());
    let security = mailbox.as_ref().and_then(|mailbox| mailbox.source_security).unwrap_or(Security::Tls);
    let insecure = mailbox.as_ref().is_some_and(|mailbox| mailbox.source_insecure_tls);
    let host = mailbox.as_ref().and_then(|mailbox| mailbox.source_host.clone()).unwrap_or_default();
    let admin = mailbox.as_ref().and_then(|mailbox| mailbox.source_admin.clone()).unwrap_or_default();
    let ways = WayFields(WayFieldsProps { state: state.clone(), mailbox: mailbox.clone() });
    let user = mailbox.and_then(|mailbox| mailbox.source_user).unwrap_or_default();
    let (host, port, security, user) = match proposal {
        Some(found) => {
            let user = if proposed_user.is_empty() { user } else { proposed_user };
            (found.host, Some(found.port.to_string()), found.security, user)
        }
        None => (host, port, security, user),
    };
    let hint = if stored { t!(mailbox.secret_stored) } else { t!(mailbox.secret_hint) };
    view! {
        <fieldset>
            <legend>{t!(mailbox.old_server)}</legend>
            <div class="row">
                <TextField state=state.clone() name="source_host" label=t!(server.host) value=host required=true max=253/>
                <TextField state=state.clone() name="source_port" kind="number" label=t!(server.port) value=port.unwrap_or_default() min=1 max=65_535/>
                <SelectField state=state.clone() name="source_security" label=t!(server.security) value=security.to_string() options=security_options() required=true/>
            </div>
            <TickField state=state.clone() name="source_insecure_tls" label=t!(server.insecure) hint=t!(server.insecure_hint) value=insecure/>
            <div class="row">
                <TextField state=state.clone() name="source_user" label=t!(mailbox.user) hint=t!(mailbox.user_hint) value=user max=320/>
                <TextField state=state.clone() name="source_admin" label=t!(mailbox.admin) hint=t!(mailbox.admin_hint) value=admin max=320/>
            </div>
            <div class="row">
                <TextField state=state.clone() name="source_password" kind="password" label=t!(user.password) hint max=1_000 autocomplete="new-password"/>
                <TextField state name="source_oauth_token" kind="password" label=t!(mailbox.oauth_token) hint=t!(mailbox.oauth_hint) max=8_000 autocomplete="new-password"/>
            </div>
            {ways}
        </fieldset>
    }
    .into_any()
}

/// The new server's log-in, and where folders go.
#[component]
pub fn DestFields(state: FormState, mailbox: Option<Mailbox>) -> AnyView {
    let stored = mailbox.as_ref().is_some_and(|mailbox| mailbox.has_dest_secret);
    let user = mailbox.as_ref().and_then(|mailbox| mailbox.dest_user.clone()).unwrap_or_default();
    let admin = mailbox.as_ref().and_then(|mailbox| mailbox.dest_admin.clone()).unwrap_or_default();
    let map = mailbox.map(|mailbox| mailbox.folder_map).unwrap_or_default();
    let map: Vec<String> = map.into_iter().map(|(from, to)| format!("{from} = {to}")).collect();
    let hint = if stored { t!(mailbox.secret_stored) } else { t!(mailbox.secret_hint) };
    view! {
        <fieldset>
            <legend>{t!(mailbox.new_server)}</legend>
            <div class="row">
                <TextField state=state.clone() name="dest_user" label=t!(mailbox.user) hint=t!(mailbox.user_hint) value=user max=320/>
                <TextField state=state.clone() name="dest_admin" label=t!(mailbox.admin) hint=t!(mailbox.admin_hint) value=admin max=320/>
                <TextField state=state.clone() name="dest_password" kind="password" label=t!(user.password) hint max=1_000 autocomplete="new-password"/>
            </div>
            <AreaField state name="folder_map" label=t!(mailbox.folder_map) hint=t!(mailbox.folder_map_hint) value=map.join("\n") rows=3 max=20_000/>
        </fieldset>
    }
    .into_any()
}
