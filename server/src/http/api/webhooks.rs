//! Outgoing webhooks.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{
    DeliveryFilter, DeliveryId, IssuedWebhook, NewWebhook, Page, PageQuery, Webhook, WebhookDelivery, WebhookId,
    WebhookPatch,
};
use gatepost_core::Gatepost;
use http::StatusCode;

/// List webhooks
///
/// For super admins.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", params(PageQuery),
    responses((status = 200, description = "Webhooks without their secrets", body = Page<Webhook>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Paging(page): Paging,
) -> Answer<Json<Page<Webhook>>> {
    Ok(Json(core.list_webhooks(&actor, page).await?))
}

/// Make a webhook
///
/// For super admins. Its URL is posted a JSON object `{type, timestamp, data}` for each event, signed by the Standard
/// Webhooks scheme: `webhook-signature` is HMAC-SHA256 over `webhook-id.webhook-timestamp.body`. What is not answered
/// with 2xx is tried ten times over three days; the same `webhook-id` may come more than once. 410 disables the
/// webhook. The secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, description = "The webhook with its secret", body = IssuedWebhook)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewWebhook>,
) -> Answer<Created<IssuedWebhook>> {
    let issued = core.create_webhook(&actor, input).await?;
    Ok(Created(format!("/api/v1/webhooks/{}", issued.webhook.id), issued))
}

/// Read a webhook
///
/// For super admins.
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", params(("id" = i64, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook without its secret", body = Webhook)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WebhookId>,
) -> Answer<Json<Webhook>> {
    Ok(Json(core.get_webhook(&actor, id).await?))
}

/// Change a webhook
///
/// For super admins. What is left out stays. What waits for a webhook that is disabled is given up.
#[utoipa::path(patch, path = "/webhooks/{id}", tag = "webhooks", request_body = WebhookPatch,
    params(("id" = i64, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook as it is now", body = Webhook)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WebhookId>,
    Json(input): Json<WebhookPatch>,
) -> Answer<Json<Webhook>> {
    Ok(Json(core.update_webhook(&actor, id, input).await?))
}

/// Delete a webhook
///
/// For super admins. Its deliveries go with it.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", params(("id" = i64, Path, description = "The webhook")),
    responses((status = 204, description = "It is told of nothing any more")))]
pub async fn remove(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WebhookId>,
) -> Answer<StatusCode> {
    core.delete_webhook(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace a webhook's secret
///
/// For super admins. For 24 hours deliveries carry the signatures of the new and of the old secret. The new one is in
/// this answer and nowhere else.
#[utoipa::path(post, path = "/webhooks/{id}/secret", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook with its new secret", body = IssuedWebhook)))]
pub async fn replace_secret(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WebhookId>,
) -> Answer<Json<IssuedWebhook>> {
    Ok(Json(core.replace_webhook_secret(&actor, id).await?))
}

/// Test a webhook
///
/// For super admins. Queues one `webhook.test`; how it went is seen at its deliveries.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook")),
    responses((status = 202, description = "The queued delivery", body = WebhookDelivery)))]
pub async fn test(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WebhookId>,
) -> Answer<(StatusCode, Json<WebhookDelivery>)> {
    Ok((StatusCode::ACCEPTED, Json(core.test_webhook(&actor, id).await?)))
}

/// List a webhook's deliveries
///
/// For super admins. They are kept for 30 days.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook"), DeliveryFilter, PageQuery),
    responses((status = 200, description = "Deliveries, the newest first", body = Page<WebhookDelivery>)))]
pub async fn deliveries(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<WebhookId>,
    Query(filter): Query<DeliveryFilter>,
    Paging(page): Paging,
) -> Answer<Json<Page<WebhookDelivery>>> {
    Ok(Json(core.webhook_deliveries(&actor, id, filter, page).await?))
}

/// Replay a delivery
///
/// For super admins. Queues the same body under the same `webhook-id` once more.
#[utoipa::path(post, path = "/webhooks/deliveries/{id}/replay", tag = "webhooks",
    params(("id" = i64, Path, description = "The delivery")),
    responses((status = 202, description = "The queued delivery", body = WebhookDelivery)))]
pub async fn replay(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<DeliveryId>,
) -> Answer<(StatusCode, Json<WebhookDelivery>)> {
    Ok((StatusCode::ACCEPTED, Json(core.replay_delivery(&actor, id).await?)))
}
