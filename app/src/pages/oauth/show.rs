//! One OAuth application: what it is, how it is changed.

use super::{AppFields, card::Redirect, proof_name, provider_name, way_name};
use crate::{
    components::{At, Fact, FormState, Hidden, Icon, PageHead, PostButton, Shape, count, load, param},
    context,
    serverfns::oauth::{DeleteOauthApp, UpdateOauthApp},
};
use gatepost_contract::{OauthApp, OauthAppId};
use leptos::{prelude::*, server_fn::ServerFn};

/// The application's page.
#[component]
pub fn ShowOauthApp() -> AnyView {
    let id = param::<OauthAppId>("id", "application");
    load(|desk| async move {
        let app = desk.gatepost.get_oauth_app(&desk.actor, id?, context::host().as_deref()).await?;
        let up = vec![("/settings/oauth".to_owned(), t!(oauth.title).to_owned())];
        let warning = app.secret_ends_soon.then(|| {
            view! { <p class="notice warn"><Icon shape=Shape::Warn/>{t!(oauth.ends_soon)}</p> }
        });
        let change = desk.actor.can_approve().then(|| change(app.clone()));
        Ok(view! {
            <PageHead title=app.name.clone() up/>
            {warning}
            <Redirect address=app.redirect_url.clone()/>
            {facts(app)}
            {change}
        }
        .into_any())
    })
}

fn facts(app: OauthApp) -> AnyView {
    let ways = app.ways.iter().map(|way| view! { <div>{way_name(*way)}</div> }).collect_view();
    let hosts = app.mail_hosts.into_iter().map(|host| view! { <div class="path">{host}</div> }).collect_view();
    view! {
        <dl class="facts wide">
            <Fact name=t!(oauth.provider)>{provider_name(app.provider)}</Fact>
            <Fact name=t!(oauth.client_id)><span class="path">{app.client_id}</span></Fact>
            <Fact name=t!(oauth.secret)>{proof_name(app.proof)}</Fact>
            <Fact name=t!(oauth.ways)>{ways}</Fact>
            <Fact name=t!(oauth.mail_hosts)>{hosts}</Fact>
            {app.secret_expires_on.map(|day| view! { <Fact name=t!(oauth.expires_on)>{day}</Fact> })}
            <Fact name=t!(oauth.consents)>{count(app.consents)}</Fact>
            <Fact name=t!(webhook.created_by)>{app.created_by}", "<At at=app.created_at/></Fact>
        </dl>
    }
    .into_any()
}

fn change(app: OauthApp) -> AnyView {
    let id = app.id;
    let state = FormState::of(UpdateOauthApp::url());
    view! {
        <section class="sheet" aria-labelledby="change">
            <h2 id="change">{t!(oauth.change)}</h2>
            <form method="post" action=UpdateOauthApp::url() class="form">
                <Hidden name="app_id" value=id.to_string()/>
                <AppFields state app=Some(app)/>
                <div class="submit"><button type="submit" class="button primary">{t!(form.save)}</button></div>
            </form>
            <details class="confirm">
                <summary class="button quiet">{t!(oauth.delete)}</summary>
                <p>{t!(oauth.delete_hint)}</p>
                <PostButton action=DeleteOauthApp::url() fields=vec![("app_id", id.to_string())] text=t!(oauth.delete_confirm) class="danger"/>
            </details>
        </section>
    }
    .into_any()
}
