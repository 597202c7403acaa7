//! One webhook: how it stands, its deliveries, its settings.

use super::{WebhookFields, badge, tags};
use crate::{
    components::{
        At, Badge, Empty, Fact, FormState, Hidden, ListAddress, MaybeAt, PageHead, PostButton, SelectField, Shape,
        Table, TickField, Tone, count, head, head_actions, head_figure, load, page_query, param, query_as,
    },
    context,
    i18n::{Said, names},
    serverfns::webhook::{DeleteWebhook, ReplaceWebhookSecret, ReplayDelivery, TestWebhook, UpdateWebhook, secret},
};
use gatepost_contract::{DeliveryFilter, DeliveryStatus, Page, Secret, Webhook, WebhookDelivery, WebhookId};
use leptos::{prelude::*, server_fn::ServerFn};

/// The webhook's page.
#[component]
pub fn ShowWebhook() -> AnyView {
    let id = param::<WebhookId>("id", "webhook");
    let asked = page_query();
    let filter = DeliveryFilter { status: query_as("status"), event: query_as("event") };
    load(|desk| async move {
        let id = id?;
        let webhook = desk.gatepost.get_webhook(&desk.actor, id).await?;
        let page = desk.gatepost.webhook_deliveries(&desk.actor, id, filter.clone(), asked.clone()).await?;
        let new = secret::take(&desk.actor, id);
        if new.is_some() {
            context::header("cache-control", "no-store");
        }
        let filters = [
            ("status", filter.status.map(|status| status.to_string()).unwrap_or_default()),
            ("event", filter.event.map(|event| event.to_string()).unwrap_or_default()),
        ];
        let address = ListAddress::new(format!("/webhooks/{id}"), &asked, &filters);
        let pager = (!page.items.is_empty()).then(|| address.pager(&page));
        let filtered = filter != DeliveryFilter::default();
        let test = vec![("webhook_id", id.to_string())];
        let badge = badge(&webhook);
        let title = if webhook.description.is_empty() { webhook.origin.clone() } else { webhook.description.clone() };
        let up = vec![("/webhooks".to_owned(), t!(nav.webhooks).to_owned())];
        Ok(view! {
            <PageHead title up>
                {badge}
                {(!webhook.disabled).then(|| view! { <PostButton action=TestWebhook::url() fields=test text=t!(webhook.test) class="primary"/> })}
            </PageHead>
            {new.map(|secret| view! { <NewSecret secret/> })}
            {webhook.last_error.clone().map(|error| view! { <p class="notice bad"><Said text=error/></p> })}
            <WebhookFacts webhook=webhook.clone()/>
            <section aria-labelledby="deliveries">
                <h2 id="deliveries">{t!(webhook.deliveries)}</h2>
                <p class="lead">{t!(webhook.deliveries_lead)}</p>
                <DeliveryFilters id filters/>
                <Deliveries page filtered/>
                {pager}
            </section>
            <Settings webhook/>
        }
        .into_any())
    })
}

#[component]
fn NewSecret(secret: Secret) -> AnyView {
    view! {
        <section class="notice good block" aria-labelledby="secret">
            <h2 id="secret">{t!(webhook.secret)}</h2>
            <p>{t!(webhook.secret_hint)}</p>
            <pre class="sample secret" tabindex="0">{secret.0}</pre>
        </section>
    }
    .into_any()
}

#[component]
fn WebhookFacts(webhook: Webhook) -> AnyView {
    let tags = tags(&webhook.events);
    view! {
        <dl class="facts wide">
            <Fact name=t!(webhook.url)>{webhook.origin}"/…"</Fact>
            <Fact name=t!(webhook.events)>{tags}</Fact>
            <Fact name=t!(webhook.last_attempt)><MaybeAt at=webhook.last_attempt_at/></Fact>
            <Fact name=t!(webhook.waiting)>{count(webhook.waiting)}</Fact>
            <Fact name=t!(webhook.created_by)>{webhook.created_by}", "<At at=webhook.created_at/></Fact>
            {webhook.old_secret_until.map(|until| view! { <Fact name=t!(webhook.old_until)><At at=until/></Fact> })}
        </dl>
    }
    .into_any()
}

#[component]
fn DeliveryFilters(id: WebhookId, filters: [(&'static str, String); 2]) -> AnyView {
    let none = FormState::default();
    let any = || (String::new(), t!(form.any).to_owned());
    let statuses = DeliveryStatus::ALL.iter().map(|status| (status.to_string(), status_badge(*status).2.to_owned()));
    let events = gatepost_contract::WebhookEvent::ALL.iter();
    let events = events.map(|event| (event.to_string(), names::webhook_event(*event).to_owned()));
    let [(_, status), (_, event)] = filters;
    let here = format!("/webhooks/{id}");
    let again = here.clone();
    view! {
        <form method="get" action=here class="filters" role="search">
            <SelectField state=none.clone() name="status" label=t!(webhook.status) value=status options=std::iter::once(any()).chain(statuses).collect() filter=true/>
            <SelectField state=none name="event" label=t!(webhook.event) value=event options=std::iter::once(any()).chain(events).collect() filter=true/>
            <button type="submit" class="button">{t!(form.filter)}</button>
            <a class="button quiet" href=again>{t!(webhook.reload)}</a>
        </form>
    }
    .into_any()
}

fn status_badge(status: DeliveryStatus) -> (Tone, Shape, &'static str) {
    match status {
        DeliveryStatus::Queued => (Tone::Busy, Shape::Waiting, t!(webhook.queued)),
        DeliveryStatus::Delivered => (Tone::Good, Shape::Check, t!(webhook.delivered)),
        DeliveryStatus::Failed => (Tone::Bad, Shape::Cross, t!(webhook.failed)),
    }
}

#[component]
fn Deliveries(page: Page<WebhookDelivery>, filtered: bool) -> AnyView {
    if page.items.is_empty() {
        return view! { <Empty text=if filtered { t!(webhook.no_match) } else { t!(webhook.no_deliveries) }/> }
            .into_any();
    }
    let heads = vec![
        head(t!(webhook.at)),
        head(t!(webhook.event)),
        head(t!(webhook.status)),
        head_figure(t!(webhook.attempts)),
        head(t!(webhook.answer)),
        head_actions(),
    ];
    let rows = page.items.into_iter().map(row).collect_view().into_any();
    view! { <Table caption=t!(webhook.deliveries).to_owned() heads rows/> }.into_any()
}

fn row(delivery: WebhookDelivery) -> AnyView {
    let (tone, shape, text) = status_badge(delivery.status);
    let event = names::webhook_event(delivery.event);
    let again = delivery.status != DeliveryStatus::Queued;
    let fields = vec![("delivery_id", delivery.id.to_string())];
    let of = format!("{event} #{}", delivery.id);
    let body = pretty(&delivery.payload);
    view! {
        <tr>
            <th scope="row" data-label=t!(webhook.at)><At at=delivery.created_at/></th>
            <td data-label=t!(webhook.event)>
                {event}
                {delivery.job_id.map(|job| view! { <div><a href=format!("/jobs/{job}")>{t!(job.job)}" #"{job.to_string()}</a></div> })}
                {delivery.replay_of.map(|old| view! { <div class="note">{t!(webhook.replay_of)}" #"{old.to_string()}</div> })}
            </td>
            <td data-label=t!(webhook.status)>
                <Badge tone shape text/>
                {delivery.next_attempt_at.map(|at| view! { <div class="note">{t!(webhook.next)}": "<At at/></div> })}
            </td>
            <td class="num" data-label=t!(webhook.attempts)>{count(delivery.attempts)}</td>
            <td data-label=t!(webhook.answer)>
                {delivery.response_status.map(|status| view! { <div>{status.to_string()}</div> })}
                {delivery.error.map(|error| view! { <div class="note bad"><Said text=error/></div> })}
                <details>
                    <summary>{t!(webhook.body)}<span class="hidden">" #"{delivery.id.to_string()}</span></summary>
                    <p class="note">{t!(webhook.message_id)}": "<code class="path">{delivery.message_id}</code></p>
                    <pre class="sample wrapped">{body}</pre>
                </details>
            </td>
            <td>{again.then(|| view! { <PostButton action=ReplayDelivery::url() fields text=t!(webhook.replay) of class="small"/> })}</td>
        </tr>
    }
    .into_any()
}

/// JSON over several lines; as it is where it is none.
fn pretty(payload: &str) -> String {
    serde_json::from_str::<serde_json::Value>(payload)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| payload.to_owned())
}

#[component]
fn Settings(webhook: Webhook) -> AnyView {
    let id = webhook.id.to_string();
    let state = FormState::of(UpdateWebhook::url());
    let field = || vec![("webhook_id", id.clone())];
    let (replace, delete) = (field(), field());
    let disabled = webhook.disabled;
    view! {
        <section class="sheet" aria-labelledby="change">
            <h2 id="change">{t!(webhook.change)}</h2>
            <form method="post" action=UpdateWebhook::url() class="form">
                <Hidden name="webhook_id" value=id.clone()/>
                <WebhookFields state=state.clone() webhook=Some(webhook)/>
                <TickField state name="disabled" label=t!(webhook.disable) hint=t!(webhook.disable_hint) value=disabled/>
                <div class="submit"><button type="submit" class="button primary">{t!(form.save)}</button></div>
            </form>
        </section>
        <section class="sheet row" aria-label=t!(webhook.secret)>
            <details class="confirm">
                <summary class="button">{t!(webhook.replace)}</summary>
                <p>{t!(webhook.replace_hint)}</p>
                <PostButton action=ReplaceWebhookSecret::url() fields=replace text=t!(webhook.replace_confirm)/>
            </details>
            <details class="confirm">
                <summary class="button">{t!(webhook.delete)}</summary>
                <p>{t!(webhook.delete_hint)}</p>
                <PostButton action=DeleteWebhook::url() fields=delete text=t!(webhook.delete_confirm) class="danger"/>
            </details>
        </section>
    }
    .into_any()
}
