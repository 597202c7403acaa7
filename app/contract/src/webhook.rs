//! Outgoing webhooks: who is told of what, and each telling.

use crate::{DeliveryId, DeliveryStatus, JobId, Secret, WebhookEvent, WebhookId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An address that is told of events. Its secret is never read again, nor is its URL: at many receivers the path is the
/// password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where events are posted, without path and query: `https://hooks.example.com`.
    pub origin: String,
    /// What it is for.
    pub description: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// True: it is told of nothing. A receiver that answers 410 is disabled.
    pub disabled: bool,
    /// Until when deliveries are signed with the secret before the present one, too.
    pub old_secret_until: Option<String>,
    /// How many deliveries wait for their first or next attempt.
    pub waiting: i64,
    /// When something was last posted to it.
    pub last_attempt_at: Option<String>,
    /// Why the last attempt failed; nothing after one that succeeded.
    pub last_error: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A new webhook. Its URL is not printed.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// An https URL. Plain http, private and loopback addresses only for hosts that
    /// GATEPOST_WEBHOOK_ALLOWED_HOSTS names.
    pub url: String,
    /// What it is for; at most 200 characters.
    #[serde(default)]
    pub description: String,
    /// What it is told of; everything where left out. `webhook.test` cannot be chosen.
    #[serde(default)]
    pub events: Vec<WebhookEvent>,
}

/// What changes about a webhook; what is left out stays. Its URL is not printed.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookPatch {
    /// A new address.
    #[serde(default)]
    pub url: Option<String>,
    /// A new description.
    #[serde(default)]
    pub description: Option<String>,
    /// What it is told of from now on.
    #[serde(default)]
    pub events: Option<Vec<WebhookEvent>>,
    /// Whether it is told of nothing. What still waits for it is given up.
    #[serde(default)]
    pub disabled: Option<bool>,
}

impl fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, description, events } = self;
        let mut shown = f.debug_struct("NewWebhook");
        shown.field("description", description).field("events", events).finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhookPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, description, events, disabled } = self;
        let mut shown = f.debug_struct("WebhookPatch");
        shown.field("description", description).field("events", events).field("disabled", disabled);
        shown.finish_non_exhaustive()
    }
}

/// A webhook on the one occasion on which its secret is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedWebhook {
    /// What is stored about it.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// `whsec_` and the key in Base64, as libraries for Standard Webhooks take it.
    pub secret: Secret,
}

/// One event on its way to one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub webhook_id: WebhookId,
    /// The `webhook-id` header: the same for every attempt and every replay.
    pub message_id: String,
    /// What happened.
    pub event: WebhookEvent,
    /// The job it happened to.
    pub job_id: Option<JobId>,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was attempted.
    pub attempts: i64,
    /// When it is attempted next.
    pub next_attempt_at: Option<String>,
    /// The HTTP status of the last answer.
    pub response_status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it happened.
    pub created_at: String,
    /// When it was last attempted.
    pub attempted_at: Option<String>,
    /// When it was taken.
    pub delivered_at: Option<String>,
    /// The delivery that this one repeats.
    pub replay_of: Option<DeliveryId>,
    /// The body that is posted.
    pub payload: String,
}

/// Which deliveries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct DeliveryFilter {
    /// How they stand.
    #[serde(default)]
    pub status: Option<DeliveryStatus>,
    /// What happened.
    #[serde(default)]
    pub event: Option<WebhookEvent>,
}
