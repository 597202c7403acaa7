//! Webhooks and their deliveries: who gets what, and who has it in hand.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, store};
use gatepost_contract::{DeliveryFilter, DeliveryId, DeliveryStatus, PageQuery, WebhookEvent, WebhookId};
use gatepost_store::{
    Conn,
    webhook_deliveries::{self, Attempted, NewDelivery},
    webhooks,
};

/// A lease that lasts from [`NOW`] past [`LATER`], and a time after it.
const LEASE: &str = "2026-11-21T06:00:00.000Z";
const AFTER: &str = "2026-11-21T06:00:00.001Z";

async fn webhook(conn: &mut Conn) -> WebhookId {
    let events = [WebhookEvent::GateReady, WebhookEvent::Test];
    let new = webhooks::NewWebhookRow {
        origin: "https://hooks.example",
        url_blob: b"sealed url",
        description: "",
        events: &events,
        secret_blob: b"sealed",
        created_by: "admin",
    };
    webhooks::insert(conn, &new, NOW).await.unwrap()
}

async fn queue(conn: &mut Conn, webhook_id: WebhookId, now: &str) -> DeliveryId {
    let new = NewDelivery {
        webhook_id,
        message_id: "msg_1",
        event: WebhookEvent::Test,
        job_id: None,
        payload: "{}",
        replay_of: None,
    };
    webhook_deliveries::insert(conn, &new, now).await.unwrap()
}

const fn ended(status: DeliveryStatus) -> Attempted<'static> {
    Attempted { status, next_attempt_at: None, response_status: Some(204), error: None }
}

#[tokio::test]
async fn each_receiver_has_one_delivery_in_hand_at_a_time_and_they_go_out_in_their_order() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let (one, two) = (webhook(&mut tx).await, webhook(&mut tx).await);
    let first = queue(&mut tx, one, NOW).await;
    let second = queue(&mut tx, one, NOW).await;
    let third = queue(&mut tx, two, NOW).await;
    queue(&mut tx, two, AFTER).await;
    let a = webhook_deliveries::claim(&mut tx, LATER, LEASE).await.unwrap().unwrap();
    let b = webhook_deliveries::claim(&mut tx, LATER, LEASE).await.unwrap().unwrap();
    assert_eq!((a.id, b.id), (first, third));
    assert!(webhook_deliveries::claim(&mut tx, LATER, LEASE).await.unwrap().is_none());
    assert!(webhook_deliveries::is_due(&mut tx, LATER).await.unwrap());
    assert!(webhook_deliveries::finish(&mut tx, &a, &ended(DeliveryStatus::Delivered), LATER).await.unwrap());
    let c = webhook_deliveries::claim(&mut tx, LATER, LEASE).await.unwrap().unwrap();
    assert_eq!(c.id, second);
    assert_eq!(webhooks::get(&mut tx, one).await.unwrap().unwrap().waiting, 1);
}

#[tokio::test]
async fn a_lease_that_has_ended_is_taken_over_and_the_late_end_counts_no_more() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let one = webhook(&mut tx).await;
    let id = queue(&mut tx, one, NOW).await;
    let dead = webhook_deliveries::claim(&mut tx, NOW, LEASE).await.unwrap().unwrap();
    assert!(webhook_deliveries::claim(&mut tx, LATER, LEASE).await.unwrap().is_none());
    let heir = webhook_deliveries::claim(&mut tx, AFTER, "2026-11-21T07:00:00.000Z").await.unwrap().unwrap();
    assert_eq!((heir.id, dead.attempt, heir.attempt), (id, 1, 2));
    assert!(!webhook_deliveries::finish(&mut tx, &dead, &ended(DeliveryStatus::Failed), AFTER).await.unwrap());
    assert!(webhook_deliveries::finish(&mut tx, &heir, &ended(DeliveryStatus::Delivered), AFTER).await.unwrap());
    let row = webhook_deliveries::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((row.status, row.delivered_at.as_deref()), (DeliveryStatus::Delivered, Some(AFTER)));
    assert!(!webhook_deliveries::is_due(&mut tx, AFTER).await.unwrap());
}

#[tokio::test]
async fn old_deliveries_are_forgotten_but_for_those_that_wait() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let one = webhook(&mut tx).await;
    queue(&mut tx, one, NOW).await;
    let done = webhook_deliveries::claim(&mut tx, NOW, LEASE).await.unwrap().unwrap();
    webhook_deliveries::finish(&mut tx, &done, &ended(DeliveryStatus::Delivered), NOW).await.unwrap();
    let waiting = queue(&mut tx, one, NOW).await;
    let young = queue(&mut tx, one, LATER).await;
    assert_eq!(webhook_deliveries::prune(&mut tx, NOW).await.unwrap(), 0);
    assert_eq!(webhook_deliveries::prune(&mut tx, LATER).await.unwrap(), 1);
    let filter = DeliveryFilter { status: Some(DeliveryStatus::Queued), ..DeliveryFilter::default() };
    let left = webhook_deliveries::list(&mut tx, one, &filter, &PageQuery::default()).await.unwrap();
    assert_eq!(left.items.iter().map(|d| d.id).collect::<Vec<_>>(), [young, waiting]);
    assert_eq!(webhook_deliveries::give_up(&mut tx, one, "because").await.unwrap(), 2);
    webhooks::delete(&mut tx, one).await.unwrap();
    assert_eq!(
        webhook_deliveries::list(&mut tx, one, &DeliveryFilter::default(), &PageQuery::default()).await.unwrap().total,
        0
    );
}

#[tokio::test]
async fn what_is_sealed_is_replaced_and_resealed_each_for_itself_and_not_printed() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let one = webhook(&mut tx).await;
    webhooks::replace_secret(&mut tx, one, b"newer", LATER, NOW).await.unwrap();
    let row = webhooks::sealed(&mut tx, one).await.unwrap().unwrap();
    assert_eq!((row.secret_blob.as_slice(), row.old_secret_blob.as_deref()), (&b"newer"[..], Some(&b"sealed"[..])));
    assert_eq!(row.old_secret_until.as_deref(), Some(LATER));
    let printed = format!("{row:?}");
    assert!(!printed.contains("110, 101") && !printed.contains("115, 101"), "{printed}");
    assert_eq!(row.url_blob, b"sealed url");
    webhooks::replace_url(&mut tx, one, "https://other.example", b"newer url", LATER).await.unwrap();
    let now = webhooks::get(&mut tx, one).await.unwrap().unwrap();
    assert_eq!((now.origin.as_str(), now.updated_at.as_str()), ("https://other.example", LATER));
    assert_eq!(webhooks::sealed(&mut tx, one).await.unwrap().unwrap().url_blob, b"newer url");
    let again = webhooks::SealedRow {
        url_blob: b"url again".into(),
        secret_blob: b"again".into(),
        old_secret_blob: None,
        old_secret_until: row.old_secret_until,
    };
    webhooks::reseal(&mut tx, one, &again).await.unwrap();
    assert_eq!(webhooks::all_sealed(&mut tx).await.unwrap(), [(one, again)]);
}
