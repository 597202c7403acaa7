//! OAuth 2: the applications, and the consents of a mailbox and of a job.

mod card;
pub mod job;
pub mod list;
pub mod mailbox;
pub mod show;
mod taken_back;

use crate::components::{AreaField, FormState, SelectField, TextField};
use gatepost_contract::{ConsentWay, OauthApp, OauthProof, OauthProvider};
use leptos::prelude::*;

fn provider_name(provider: OauthProvider) -> &'static str {
    match provider {
        OauthProvider::Microsoft => t!(oauth.microsoft),
        OauthProvider::Google => t!(oauth.google),
        OauthProvider::Custom => t!(oauth.custom),
    }
}

fn way_name(way: ConsentWay) -> &'static str {
    match way {
        ConsentWay::Code => t!(consent.way_code),
        ConsentWay::Device => t!(consent.way_device),
        ConsentWay::Client => t!(consent.way_client),
        ConsentWay::ServiceAccount => t!(consent.way_service),
    }
}

fn proof_name(proof: OauthProof) -> &'static str {
    match proof {
        OauthProof::Nothing => t!(oauth.proof_none),
        OauthProof::Secret => t!(oauth.proof_secret),
        OauthProof::Certificate => t!(oauth.proof_certificate),
        OauthProof::ServiceAccount => t!(oauth.proof_service_account),
    }
}

/// The fields of an application, new or not.
#[component]
fn AppFields(state: FormState, app: Option<OauthApp>) -> AnyView {
    let new = app.is_none();
    let custom = app.as_ref().is_none_or(|app| app.provider == OauthProvider::Custom);
    let stored = app.as_ref().is_some_and(|app| app.proof != OauthProof::Nothing);
    let providers = OauthProvider::ALL.iter().map(|one| (one.to_string(), provider_name(*one).to_owned())).collect();
    let text = |of: fn(&OauthApp) -> Option<String>| app.as_ref().and_then(of).unwrap_or_default();
    let hosts = app.as_ref().map(|app| app.mail_hosts.join("\n")).unwrap_or_default();
    let secret_hint = if stored { t!(oauth.secret_kept) } else { t!(oauth.secret_hint) };
    let refused = state.refused();
    let microsoft = app.as_ref().is_none_or(|app| app.provider == OauthProvider::Microsoft);
    view! {
        <TextField state=state.clone() name="name" label=t!(oauth.name) hint=t!(oauth.name_hint) value=text(|a| Some(a.name.clone())) required=true max=100/>
        {new.then(|| view! {
            <SelectField state=state.clone() name="provider" label=t!(oauth.provider) value=OauthProvider::Microsoft.as_str() options=providers required=true/>
        })}
        <TextField state=state.clone() name="client_id" label=t!(oauth.client_id) hint=t!(oauth.client_id_hint) value=text(|a| Some(a.client_id.clone())) max=300/>
        <TextField state=state.clone() name="client_secret" kind="password" label=t!(oauth.client_secret) hint=secret_hint max=8_000 autocomplete="new-password"/>
        {microsoft.then(|| view! {
            <TextField state=state.clone() name="directory" label=t!(oauth.directory) hint=t!(oauth.directory_hint) value=text(|a| a.directory.clone()) max=253/>
        })}
        <TextField state=state.clone() name="secret_expires_on" kind="date" label=t!(oauth.expires_on) hint=t!(oauth.expires_on_hint) value=text(|a| a.secret_expires_on.clone())/>
        <details open=refused>
            <summary>{t!(oauth.other_proof)}</summary>
            <AreaField state=state.clone() name="certificate" label=t!(oauth.certificate) rows=3 max=16_000/>
            <AreaField state=state.clone() name="private_key" label=t!(oauth.private_key) rows=3 max=16_000/>
            <AreaField state=state.clone() name="service_account" label=t!(oauth.service_account) hint=t!(oauth.service_account_hint) rows=3 max=16_000/>
        </details>
        {custom.then(|| view! {
            <details open=refused || !new>
                <summary>{t!(oauth.custom_fields)}</summary>
                <TextField state=state.clone() name="authorize_url" kind="url" label=t!(oauth.authorize_url) value=text(|a| a.authorize_url.clone()) max=2_000/>
                <TextField state=state.clone() name="token_url" kind="url" label=t!(oauth.token_url) value=text(|a| a.token_url.clone()) max=2_000/>
                <TextField state=state.clone() name="device_url" kind="url" label=t!(oauth.device_url) value=text(|a| a.device_url.clone()) max=2_000/>
                <TextField state=state.clone() name="revoke_url" kind="url" label=t!(oauth.revoke_url) value=text(|a| a.revoke_url.clone()) max=2_000/>
                <TextField state=state.clone() name="scopes" label=t!(oauth.scopes) hint=t!(oauth.scopes_hint) value=text(|a| Some(a.scopes.clone())) max=2_000/>
                <AreaField state name="mail_hosts" label=t!(oauth.mail_hosts) hint=t!(oauth.mail_hosts_hint) value=hosts rows=2 max=4_000/>
            </details>
        })}
    }
    .into_any()
}
