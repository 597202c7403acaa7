//! The list of OAuth applications with the form for a new one.

use super::{AppFields, provider_name, way_name};
use crate::{
    components::{
        Badge, Empty, FormState, ListAddress, PageHead, Shape, Table, Tone, count, head, head_figure, load, page_query,
    },
    context,
    pages::oauth::card::{Redirect, consent_row},
    serverfns::oauth::CreateOauthApp,
};
use gatepost_contract::{Consent, OauthApp};
use leptos::{prelude::*, server_fn::ServerFn};

/// The list.
#[component]
pub fn OauthAppList() -> AnyView {
    let asked = page_query();
    load(|desk| async move {
        let host = context::host();
        let page = desk.gatepost.list_oauth_apps(&desk.actor, asked.clone(), host.as_deref()).await?;
        let ending = desk.gatepost.ending_consents(&desk.actor).await?;
        let redirect = desk.gatepost.oauth_redirect(host.as_deref());
        let address = ListAddress::new("/settings/oauth", &asked, &[]);
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(oauth.none)/> }.into_any()
        } else {
            let pager = address.pager(&page);
            let heads = vec![
                address.head("name", t!(oauth.name)),
                address.head("provider", t!(oauth.provider)),
                head(t!(oauth.ways)),
                address.head("secret_expires_on", t!(oauth.expires_on)),
                head_figure(t!(oauth.consents)),
            ];
            let rows = page.items.into_iter().map(row).collect_view().into_any();
            view! { <Table caption=t!(oauth.title).to_owned() heads rows/> {pager} }.into_any()
        };
        let form = desk.actor.can_approve().then(|| {
            let state = FormState::of(CreateOauthApp::url());
            view! {
                <section class="sheet" aria-labelledby="new">
                    <h2 id="new">{t!(oauth.new)}</h2>
                    <form method="post" action=CreateOauthApp::url() class="form">
                        <AppFields state app=None/>
                        <div class="submit"><button type="submit" class="button primary">{t!(oauth.create)}</button></div>
                    </form>
                </section>
            }
        });
        Ok(view! {
            <PageHead title=t!(oauth.title).to_owned()/>
            <p class="lead">{t!(oauth.lead)}</p>
            <Redirect address=redirect/>
            {list}
            {ending_section(ending)}
            {form}
        }
        .into_any())
    })
}

fn row(app: OauthApp) -> AnyView {
    let ways = app.ways.iter().map(|way| view! { <div>{way_name(*way)}</div> }).collect_view();
    let soon = app.secret_ends_soon;
    let href = format!("/settings/oauth/{}", app.id);
    view! {
        <tr>
            <th scope="row" data-label=t!(oauth.name)><a href=href>{app.name}</a></th>
            <td data-label=t!(oauth.provider)>{provider_name(app.provider)}</td>
            <td data-label=t!(oauth.ways)>{ways}</td>
            <td data-label=t!(oauth.expires_on)>
                {app.secret_expires_on.unwrap_or_else(|| "–".to_owned())}
                {soon.then(|| view! { <div><Badge tone=Tone::Warn shape=Shape::Warn text=t!(oauth.ends_soon_short)/></div> })}
            </td>
            <td class="num" data-label=t!(oauth.consents)>{count(app.consents)}</td>
        </tr>
    }
    .into_any()
}

fn ending_section(ending: Vec<Consent>) -> AnyView {
    let list = if ending.is_empty() {
        view! { <Empty text=t!(consent.ending_none)/> }.into_any()
    } else {
        let heads = vec![head(t!(consent.title)), head(t!(consent.state)), head(t!(consent.ends))];
        let rows = ending.into_iter().map(consent_row).collect_view().into_any();
        view! { <Table caption=t!(consent.ending).to_owned() heads rows/> }.into_any()
    };
    view! {
        <section aria-labelledby="ending">
            <h2 id="ending">{t!(consent.ending)}</h2>
            <p class="lead">{t!(consent.ending_lead)}</p>
            {list}
        </section>
    }
    .into_any()
}
