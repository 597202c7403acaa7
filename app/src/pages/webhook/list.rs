//! The list of webhooks with the form for a new one.

use super::{WebhookFields, badge, tags};
use crate::{
    components::{Empty, FormState, ListAddress, MaybeAt, PageHead, Table, count, head, head_figure, load, page_query},
    i18n::Said,
    serverfns::webhook::CreateWebhook,
};
use gatepost_contract::Webhook;
use leptos::{prelude::*, server_fn::ServerFn};

/// The list of webhooks.
#[component]
pub fn WebhookList() -> AnyView {
    let asked = page_query();
    load(|desk| async move {
        let page = desk.gatepost.list_webhooks(&desk.actor, asked.clone()).await?;
        let address = ListAddress::new("/webhooks", &asked, &[]);
        let state = FormState::of(CreateWebhook::url());
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(webhook.none)/> }.into_any()
        } else {
            let pager = address.pager(&page);
            let heads = vec![
                address.head("origin", t!(webhook.url)),
                head(t!(webhook.events)),
                head(t!(webhook.status)),
                address.head("last_attempt_at", t!(webhook.last_attempt)),
                head_figure(t!(webhook.waiting)),
            ];
            let rows = page.items.into_iter().map(row).collect_view().into_any();
            view! { <Table caption=t!(nav.webhooks).to_owned() heads rows/> {pager} }.into_any()
        };
        Ok(view! {
            <PageHead title=t!(nav.webhooks).to_owned()/>
            <p class="lead">{t!(webhook.lead)}</p>
            {list}
            <section class="sheet" aria-labelledby="new">
                <h2 id="new">{t!(webhook.new)}</h2>
                <form method="post" action=CreateWebhook::url() class="form">
                    <WebhookFields state webhook=None/>
                    <div class="submit"><button type="submit" class="button primary">{t!(webhook.create)}</button></div>
                </form>
            </section>
        }
        .into_any())
    })
}

fn row(webhook: Webhook) -> AnyView {
    let badge = badge(&webhook);
    let tags = tags(&webhook.events);
    let href = format!("/webhooks/{}", webhook.id);
    view! {
        <tr>
            <th scope="row" data-label=t!(webhook.url)>
                <a class="path" href=href>{webhook.origin}</a>
                {(!webhook.description.is_empty()).then(|| view! { <div class="note">{webhook.description}</div> })}
            </th>
            <td data-label=t!(webhook.events)>{tags}</td>
            <td data-label=t!(webhook.status)>
                {badge}
                {webhook.last_error.map(|error| view! { <div class="note bad"><Said text=error/></div> })}
            </td>
            <td data-label=t!(webhook.last_attempt)><MaybeAt at=webhook.last_attempt_at/></td>
            <td class="num" data-label=t!(webhook.waiting)>{count(webhook.waiting)}</td>
        </tr>
    }
    .into_any()
}
