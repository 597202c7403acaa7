//! Outgoing webhooks: the list with the form for a new one, and each with its deliveries.

pub mod list;
pub mod show;

use crate::{
    components::{Badge, FormState, Shape, TextField, TickField, Tone},
    i18n::names,
};
use gatepost_contract::{Webhook, WebhookEvent};
use leptos::prelude::*;

/// What can be chosen, with the name of its box.
const BOXES: [(WebhookEvent, &str); 4] = [
    (WebhookEvent::GateReady, "event_gate_ready"),
    (WebhookEvent::GateRevoked, "event_gate_revoked"),
    (WebhookEvent::RunFinished, "event_run_finished"),
    (WebhookEvent::PhaseChanged, "event_phase_changed"),
];

/// The fields of a webhook, new or not.
#[component]
fn WebhookFields(state: FormState, webhook: Option<Webhook>) -> AnyView {
    let error = state.error("events");
    let wrong = error.is_some();
    let new = webhook.is_none();
    let url_hint = if new { t!(webhook.url_hint) } else { t!(webhook.url_kept) };
    let (description, events) = match webhook {
        Some(webhook) => (webhook.description, webhook.events),
        None => (String::new(), BOXES.map(|(event, _)| event).to_vec()),
    };
    let boxes = BOXES.map(|(event, name)| {
        let value = events.contains(&event);
        view! { <TickField state=state.clone() name label=names::webhook_event(event) hint=event.as_str() value/> }
    });
    view! {
        <TextField state=state.clone() name="url" kind="url" label=t!(webhook.url) hint=url_hint required=new max=2_000/>
        <TextField state=state.clone() name="description" label=t!(webhook.description) hint=t!(webhook.description_hint) value=description max=200/>
        <fieldset id="field-events" tabindex="-1" aria-describedby=wrong.then_some("field-events-error")>
            <legend>{t!(webhook.events)}</legend>
            {boxes.collect_view()}
            {error.map(|error| view! { <p class="error" id="field-events-error">{error}</p> })}
        </fieldset>
    }
    .into_any()
}

/// How a webhook stands.
#[component]
fn WebhookBadge(disabled: bool, used: bool, failing: bool) -> AnyView {
    let (tone, shape, text) = match (disabled, used, failing) {
        (true, ..) => (Tone::Quiet, Shape::Dash, t!(webhook.disabled)),
        (_, _, true) => (Tone::Bad, Shape::Cross, t!(webhook.failing)),
        (_, true, _) => (Tone::Good, Shape::Check, t!(webhook.working)),
        _ => (Tone::Quiet, Shape::Dot, t!(webhook.unused)),
    };
    view! { <Badge tone shape text/> }.into_any()
}

/// The badge of a webhook.
fn badge(webhook: &Webhook) -> AnyView {
    let (used, failing) = (webhook.last_attempt_at.is_some(), webhook.last_error.is_some());
    view! { <WebhookBadge disabled=webhook.disabled used failing/> }.into_any()
}

/// Events as tags.
fn tags(events: &[WebhookEvent]) -> AnyView {
    let tags = events.iter().map(|event| view! { <div><span class="tag">{names::webhook_event(*event)}</span></div> });
    tags.collect_view().into_any()
}
