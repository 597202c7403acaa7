//! Webhooks. A new secret is shown once.

#![allow(clippy::too_many_arguments, reason = "a form has as many fields as it has")]

use gatepost_contract::{DeliveryId, Problem, WebhookId};
use leptos::prelude::*;

/// Makes a webhook. Its secret waits in memory for the page that is shown next.
#[server(prefix = "/api/fn", endpoint = "create_webhook")]
pub async fn create_webhook(
    url: String,
    #[server(default)] description: String,
    #[server(default)] event_gate_ready: String,
    #[server(default)] event_gate_revoked: String,
    #[server(default)] event_run_finished: String,
    #[server(default)] event_phase_changed: String,
) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let events = chosen([event_gate_ready, event_gate_revoked, event_run_finished, event_phase_changed])?;
    let new = gatepost_contract::NewWebhook { url, description, events };
    let issued = desk.gatepost.create_webhook(&desk.actor, new).await?;
    let id = issued.webhook.id;
    secret::keep(&desk.actor, id, issued.secret);
    context::go(&format!("/webhooks/{id}?notice=webhook_created"));
    Ok(())
}

/// Changes a webhook. An empty URL leaves the address as it is: pages cannot show it.
#[server(prefix = "/api/fn", endpoint = "update_webhook")]
pub async fn update_webhook(
    webhook_id: WebhookId,
    #[server(default)] url: String,
    #[server(default)] description: String,
    #[server(default)] event_gate_ready: String,
    #[server(default)] event_gate_revoked: String,
    #[server(default)] event_run_finished: String,
    #[server(default)] event_phase_changed: String,
    #[server(default)] disabled: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::ticked};
    let desk = context::desk()?;
    let events = chosen([event_gate_ready, event_gate_revoked, event_run_finished, event_phase_changed])?;
    let patch = gatepost_contract::WebhookPatch {
        url: Some(url).filter(|url| !url.trim().is_empty()),
        description: Some(description),
        events: Some(events),
        disabled: Some(ticked(&disabled)),
    };
    desk.gatepost.update_webhook(&desk.actor, webhook_id, patch).await?;
    context::go(&format!("/webhooks/{webhook_id}?notice=saved"));
    Ok(())
}

/// Forgets a webhook and its deliveries.
#[server(prefix = "/api/fn", endpoint = "delete_webhook")]
pub async fn delete_webhook(webhook_id: WebhookId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.delete_webhook(&desk.actor, webhook_id).await?;
    context::go("/webhooks?notice=webhook_deleted");
    Ok(())
}

/// Gives a webhook a new secret.
#[server(prefix = "/api/fn", endpoint = "replace_webhook_secret")]
pub async fn replace_webhook_secret(webhook_id: WebhookId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let issued = desk.gatepost.replace_webhook_secret(&desk.actor, webhook_id).await?;
    secret::keep(&desk.actor, webhook_id, issued.secret);
    context::go(&format!("/webhooks/{webhook_id}?notice=webhook_secret"));
    Ok(())
}

/// Sends a test.
#[server(prefix = "/api/fn", endpoint = "test_webhook")]
pub async fn test_webhook(webhook_id: WebhookId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.test_webhook(&desk.actor, webhook_id).await?;
    context::go(&format!("/webhooks/{webhook_id}?notice=webhook_tested"));
    Ok(())
}

/// Sends a delivery again.
#[server(prefix = "/api/fn", endpoint = "replay_delivery")]
pub async fn replay_delivery(delivery_id: DeliveryId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let queued = desk.gatepost.replay_delivery(&desk.actor, delivery_id).await?;
    context::go(&format!("/webhooks/{}?notice=webhook_replayed", queued.webhook_id));
    Ok(())
}

/// The events whose boxes were ticked, in the order of the boxes. REST takes none for all; a form says what it means.
#[cfg(feature = "ssr")]
fn chosen(boxes: [String; 4]) -> Result<Vec<gatepost_contract::WebhookEvent>, Problem> {
    use crate::{i18n, serverfns::input::ticked};
    use gatepost_contract::WebhookEvent::{GateReady, GateRevoked, PhaseChanged, RunFinished};
    let all = [GateReady, GateRevoked, RunFinished, PhaseChanged].into_iter().zip(boxes);
    let events: Vec<_> = all.filter(|(_, box_)| ticked(box_)).map(|(event, _)| event).collect();
    if events.is_empty() {
        i18n::provide();
        return Err(Problem::field("events", t!(webhook.no_event)));
    }
    Ok(events)
}

/// New secrets between the form that made them and the page that shows them.
#[cfg(feature = "ssr")]
pub mod secret {
    use crate::serverfns::once::Once;
    use gatepost_contract::{Secret, WebhookId};
    use gatepost_core::Actor;

    static WAITING: Once<Secret> = Once::new();

    fn key(actor: &Actor, id: WebhookId) -> String {
        format!("{id} {}", actor.label())
    }

    /// Keeps a secret for the person who made it.
    pub fn keep(actor: &Actor, id: WebhookId, secret: Secret) {
        WAITING.keep(key(actor, id), secret);
    }

    /// Hands it out, once.
    pub fn take(actor: &Actor, id: WebhookId) -> Option<Secret> {
        WAITING.take(&key(actor, id))
    }
}
