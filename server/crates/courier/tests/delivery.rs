//! The whole way: an event, its row, the loop that posts, a receiver on this machine. Time is given, never waited for.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{ADMIN, Act, Got, LIMIT, Receiver, service, service_with, service_within, status};
use gatepost_contract::{
    AuditFilter, DeliveryFilter, DeliveryStatus, IssuedWebhook, NewJob, NewMailbox, NewWebhook, PageQuery, Secret,
    SecretInput, Security, SourceType, TenantInput, WebhookDelivery, WebhookEvent, WebhookId, WebhookPatch,
};
use gatepost_core::{Error, Gatepost};
use ring::hmac;
use std::time::Duration;
use time::OffsetDateTime;

/// The waits between ten attempts, as the documentation promises them.
const WAITS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

async fn hook(gatepost: &Gatepost, url: &str) -> IssuedWebhook {
    gatepost.create_webhook(ADMIN, NewWebhook { url: url.to_owned(), ..NewWebhook::default() }).await.unwrap()
}

/// All deliveries, the oldest first.
async fn deliveries(gatepost: &Gatepost, id: WebhookId) -> Vec<WebhookDelivery> {
    let page = PageQuery { per_page: 200, sort: Some("id".into()), ..PageQuery::default() };
    gatepost.webhook_deliveries(ADMIN, id, DeliveryFilter::default(), page).await.unwrap().items
}

/// A time after everything that is queued now has become due.
fn soon() -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::seconds(1)
}

/// Whether a receiver that knows the secret accepts a request, by code of its own.
fn is_signed(secret: &Secret, got: &Got) -> bool {
    let key = STANDARD.decode(secret.0.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = format!("{}.{}.{}", got.headers["webhook-id"], got.headers["webhook-timestamp"], got.body);
    got.headers["webhook-signature"]
        .split(' ')
        .filter_map(|part| part.strip_prefix("v1,"))
        .any(|signature| hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(signature).unwrap()).is_ok())
}

async fn audit(gatepost: &Gatepost) -> Vec<String> {
    let rows = gatepost.audit(ADMIN, AuditFilter::default(), PageQuery::default()).await.unwrap().items;
    rows.into_iter().rev().map(|row| row.action).filter(|action| action.starts_with("webhook.")).collect()
}

#[tokio::test]
async fn a_delivery_is_signed_with_the_secret_that_was_shown_once() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let issued = hook(&gatepost, &receiver.url()).await;
    let queued = gatepost.test_webhook(ADMIN, issued.webhook.id).await.unwrap();
    assert_eq!((queued.status, queued.event), (DeliveryStatus::Queued, WebhookEvent::Test));
    assert_eq!(gatepost.deliver_webhooks(soon()).await.unwrap(), 1);
    let got = &receiver.got()[0];
    assert!(is_signed(&issued.secret, got), "{got:?}");
    assert!(!is_signed(&Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()), got));
    assert_eq!(got.headers["webhook-id"], queued.message_id);
    let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!(body["type"], "webhook.test");
    assert!(body["timestamp"].is_string() && body["data"].is_object(), "{body}");
    let done = &deliveries(&gatepost, issued.webhook.id).await[0];
    assert_eq!((done.status, done.attempts, done.response_status), (DeliveryStatus::Delivered, 1, Some(204)));
    assert!(done.delivered_at.is_some() && done.next_attempt_at.is_none() && done.error.is_none());
    assert_eq!(gatepost.deliver_webhooks(soon()).await.unwrap(), 0, "it is done once");
    let shown = format!("{:?}", gatepost.get_webhook(ADMIN, issued.webhook.id).await.unwrap());
    assert!(!shown.contains(&issued.secret.0) && !format!("{issued:?}").contains(&issued.secret.0));
    assert_eq!(audit(&gatepost).await, ["webhook.create", "webhook.test"]);
}

#[tokio::test]
async fn what_happens_to_a_job_is_told_to_those_who_want_to_hear_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let (all, runs) = (Receiver::start().await, Receiver::start().await);
    let everything = hook(&gatepost, &all.url()).await.webhook;
    assert_eq!(everything.events.len(), 4);
    let only = NewWebhook { url: runs.url(), events: vec![WebhookEvent::RunFinished], ..NewWebhook::default() };
    gatepost.create_webhook(ADMIN, only).await.unwrap();
    let tenant = gatepost.create_tenant(ADMIN, TenantInput { name: "Example Ltd".into() }).await.unwrap();
    let secret = || Some(SecretInput { password: Some(Secret("x".into())), oauth_token: None });
    let mailbox = NewMailbox {
        source_host: Some("127.0.0.1".into()),
        source_security: Some(Security::Plain),
        source_secret: secret(),
        dest_secret: secret(),
        ..serde_json::from_value(serde_json::json!({"email": "ana@example.com", "source_type": SourceType::Imap}))
            .unwrap()
    };
    let new = NewJob {
        domain: "example.com".into(),
        tenant_id: Some(tenant.id),
        dest_imap_host: Some("127.0.0.1".into()),
        dest_imap_security: Some(Security::Plain),
        mailboxes: vec![mailbox],
        ..NewJob::default()
    };
    let job = gatepost.create_job(ADMIN, new).await.unwrap();
    let started = gatepost.start_preflight(ADMIN, job.id).await.unwrap();
    gatepost.cancel_run(ADMIN, started.run_ids[0]).await.unwrap();
    gatepost.deliver_webhooks(soon()).await.unwrap();
    let types = |receiver: &Receiver| -> Vec<String> {
        let body = |got: &Got| serde_json::from_str::<serde_json::Value>(&got.body).unwrap();
        receiver.got().iter().map(|got| body(got)["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(types(&all), ["migration.phase_changed", "migration.run_finished"]);
    assert_eq!(types(&runs), ["migration.run_finished"]);
    assert_eq!(all.got()[1].headers["webhook-id"], runs.got()[0].headers["webhook-id"], "one event has one id");
    assert_eq!(deliveries(&gatepost, everything.id).await[0].job_id, Some(job.id));
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_after_five_seconds_under_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let (gatepost, hurried) = (service(&dir).await, service_within(&dir, LIMIT).await);
    for (act, response) in [
        (status(500), Some(500)),
        (status(404), Some(404)),
        (status(302), Some(302)),
        (Act::Close, None),
        (Act::Reset, None),
        (Act::Hang, None),
    ] {
        let receiver = Receiver::start().await;
        receiver.then(act.clone());
        let first = if matches!(act, Act::Hang) { &hurried } else { &gatepost };
        let issued = hook(&gatepost, &receiver.url()).await;
        let id = issued.webhook.id;
        gatepost.test_webhook(ADMIN, id).await.unwrap();
        let now = soon();
        assert_eq!(first.deliver_webhooks(now).await.unwrap(), 1, "{act:?}");
        let failed = &deliveries(&gatepost, id).await[0];
        assert_eq!((failed.status, failed.response_status), (DeliveryStatus::Queued, response), "{act:?}");
        let webhook = gatepost.get_webhook(ADMIN, id).await.unwrap();
        assert_eq!((webhook.waiting, webhook.last_error), (1, failed.error.clone()), "{act:?}");
        assert!(failed.error.is_some() && failed.next_attempt_at.is_some(), "{failed:?}");
        let later = |seconds| now + time::Duration::seconds(seconds);
        assert_eq!(gatepost.deliver_webhooks(later(4)).await.unwrap(), 0, "{act:?}");
        assert_eq!(gatepost.deliver_webhooks(later(6)).await.unwrap(), 1, "{act:?}");
        let done = &deliveries(&gatepost, id).await[0];
        assert_eq!((done.status, done.attempts, &done.error), (DeliveryStatus::Delivered, 2, &None), "{act:?}");
        let webhook = gatepost.get_webhook(ADMIN, id).await.unwrap();
        assert_eq!((webhook.waiting, webhook.last_error), (0, None), "{act:?}");
        let got = receiver.got();
        assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
        assert_eq!(got[0].body, got[1].body);
        assert_ne!(got[0].headers["webhook-timestamp"], got[1].headers["webhook-timestamp"]);
        assert!(got.iter().all(|got| is_signed(&issued.secret, got)), "each attempt is signed for its own time");
    }
}

#[tokio::test]
async fn after_ten_attempts_over_three_days_it_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let id = hook(&gatepost, &receiver.url()).await.webhook.id;
    gatepost.test_webhook(ADMIN, id).await.unwrap();
    let mut now = soon();
    for wait in WAITS {
        receiver.then(status(503));
        assert_eq!(gatepost.deliver_webhooks(now).await.unwrap(), 1);
        let half = now + time::Duration::seconds(wait) / 2;
        assert_eq!(gatepost.deliver_webhooks(half).await.unwrap(), 0, "not before {wait} s");
        now += time::Duration::seconds(wait + wait / 10 + 1);
    }
    receiver.then(status(503));
    assert_eq!(gatepost.deliver_webhooks(now).await.unwrap(), 1);
    let failed = &deliveries(&gatepost, id).await[0];
    assert_eq!((failed.status, failed.attempts), (DeliveryStatus::Failed, 10));
    assert_eq!(gatepost.deliver_webhooks(now + time::Duration::days(30)).await.unwrap(), 0);
    assert_eq!(receiver.got().len(), 10);
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    receiver.then(Act::Say("HTTP/1.1 429 x\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n".into()));
    let id = hook(&gatepost, &receiver.url()).await.webhook.id;
    gatepost.test_webhook(ADMIN, id).await.unwrap();
    let now = soon();
    gatepost.deliver_webhooks(now).await.unwrap();
    assert_eq!(gatepost.deliver_webhooks(now + time::Duration::seconds(590)).await.unwrap(), 0);
    assert_eq!(gatepost.deliver_webhooks(now + time::Duration::seconds(601)).await.unwrap(), 1);
}

#[tokio::test]
async fn an_answer_of_410_disables_the_webhook_and_gives_up_what_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    receiver.then(status(410));
    let id = hook(&gatepost, &receiver.url()).await.webhook.id;
    for _ in 0..3 {
        gatepost.test_webhook(ADMIN, id).await.unwrap();
    }
    assert_eq!(gatepost.deliver_webhooks(soon()).await.unwrap(), 1);
    let webhook = gatepost.get_webhook(ADMIN, id).await.unwrap();
    assert!(webhook.disabled && webhook.waiting == 0, "{webhook:?}");
    let all = deliveries(&gatepost, id).await;
    assert!(all.iter().all(|d| d.status == DeliveryStatus::Failed), "{all:?}");
    assert_eq!(all[0].response_status, Some(410));
    assert!(all[2].error.as_ref().is_some_and(|e| e.contains("disabled")));
    assert_eq!(audit(&gatepost).await.last().unwrap(), "webhook.disable");
    for refused in [gatepost.test_webhook(ADMIN, id).await, gatepost.replay_delivery(ADMIN, all[2].id).await] {
        assert!(matches!(refused, Err(Error::Conflict { code: "disabled", .. })), "{refused:?}");
    }
    let enable = WebhookPatch { disabled: Some(false), ..WebhookPatch::default() };
    gatepost.update_webhook(ADMIN, id, enable).await.unwrap();
    gatepost.replay_delivery(ADMIN, all[2].id).await.unwrap();
    assert_eq!(gatepost.deliver_webhooks(soon()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_replay_is_a_delivery_of_its_own_with_the_same_id_and_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let id = hook(&gatepost, &receiver.url()).await.webhook.id;
    let first = gatepost.test_webhook(ADMIN, id).await.unwrap();
    let early = gatepost.replay_delivery(ADMIN, first.id).await;
    assert!(matches!(early, Err(Error::Conflict { code: "still_queued", .. })), "{early:?}");
    gatepost.deliver_webhooks(soon()).await.unwrap();
    let replay = gatepost.replay_delivery(ADMIN, first.id).await.unwrap();
    assert_eq!((replay.replay_of, replay.attempts), (Some(first.id), 0));
    assert_ne!(replay.id, first.id);
    gatepost.deliver_webhooks(soon()).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!((&got[0].body, &got[0].headers["webhook-id"]), (&got[1].body, &got[1].headers["webhook-id"]));
    assert_eq!(audit(&gatepost).await.last().unwrap(), "webhook.replay");
}

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_one_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let old = hook(&gatepost, &receiver.url()).await;
    let id = old.webhook.id;
    let new = gatepost.replace_webhook_secret(ADMIN, id).await.unwrap();
    assert_ne!(old.secret, new.secret);
    assert!(new.webhook.old_secret_until.is_some());
    for (hours, old_too) in [(0, true), (23, true), (25, false)] {
        gatepost.test_webhook(ADMIN, id).await.unwrap();
        gatepost.deliver_webhooks(soon() + time::Duration::hours(hours)).await.unwrap();
        let got = receiver.got();
        let last = got.last().unwrap();
        assert!(is_signed(&new.secret, last));
        assert_eq!(is_signed(&old.secret, last), old_too, "after {hours} hours");
    }
}

#[tokio::test]
async fn two_processes_do_not_post_the_same_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (service(&dir).await, service(&dir).await);
    let receiver = Receiver::start().await;
    let id = hook(&one, &receiver.url()).await.webhook.id;
    for _ in 0..20 {
        one.test_webhook(ADMIN, id).await.unwrap();
    }
    let now = soon();
    let posted = async |gatepost: &Gatepost| {
        let mut count = 0;
        while deliveries(gatepost, id).await.iter().any(|d| d.status == DeliveryStatus::Queued) {
            count += gatepost.deliver_webhooks(now).await.unwrap();
        }
        count
    };
    let (a, b) = tokio::join!(posted(&one), posted(&two));
    assert_eq!(a + b, 20);
    let mut ids: Vec<String> = receiver.got().iter().map(|got| got.headers["webhook-id"].clone()).collect();
    let order = ids.clone();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), order.len()), (20, 20));
    let queued: Vec<String> = deliveries(&one, id).await.into_iter().map(|d| d.message_id).collect();
    assert_eq!(order, queued, "they arrive in their order");
}

#[tokio::test]
async fn what_a_process_had_in_hand_when_it_died_is_posted_again_after_its_lease() {
    let dir = tempfile::tempdir().unwrap();
    let (dying, heir) = (service(&dir).await, service(&dir).await);
    let receiver = Receiver::start().await;
    receiver.then(Act::Hang);
    let id = hook(&heir, &receiver.url()).await.webhook.id;
    heir.test_webhook(ADMIN, id).await.unwrap();
    let now = soon();
    {
        let work = dying.deliver_webhooks(now);
        tokio::select! {
            _ = work => panic!("the receiver hangs"),
            () = receiver.wait_for(1) => {}
        }
    }
    drop(dying);
    assert_eq!(heir.deliver_webhooks(now + time::Duration::seconds(30)).await.unwrap(), 0, "it is leased");
    assert_eq!(heir.deliver_webhooks(now + time::Duration::seconds(61)).await.unwrap(), 1);
    let got = receiver.got();
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    assert_eq!(deliveries(&heir, id).await[0].status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.then(Act::Hang);
    let (first, second) = (hook(&gatepost, &slow.url()).await, hook(&gatepost, &quick.url()).await);
    for id in [first.webhook.id, first.webhook.id, second.webhook.id, second.webhook.id] {
        gatepost.test_webhook(ADMIN, id).await.unwrap();
    }
    let watching = async {
        quick.wait_for(2).await;
        slow.wait_for(1).await;
        assert_eq!(slow.got().len(), 1, "one at a time to each receiver");
        slow.release();
    };
    let (posted, ()) = tokio::join!(gatepost.deliver_webhooks(soon()), watching);
    assert_eq!(posted.unwrap(), 4);
}

#[tokio::test]
async fn the_workers_post_what_is_due_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let id = hook(&gatepost, &receiver.url()).await.webhook.id;
    gatepost.start_workers().await.unwrap();
    gatepost.test_webhook(ADMIN, id).await.unwrap();
    receiver.wait_for(1).await;
    tokio::time::timeout(Duration::from_secs(120), gatepost.shutdown()).await.expect("the loop ends");
    assert_eq!(deliveries(&gatepost, id).await[0].status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_host_that_the_settings_do_not_name_any_more_is_not_posted_to() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let gatepost = service(&dir).await;
    let id = hook(&gatepost, &receiver.url()).await.webhook.id;
    gatepost.test_webhook(ADMIN, id).await.unwrap();
    // What mail servers are allowed is no matter of webhooks.
    let strict =
        service_with(&dir, |config| config.allowed_hosts = std::mem::take(&mut config.webhook_allowed_hosts)).await;
    strict.deliver_webhooks(soon()).await.unwrap();
    let refused = &deliveries(&strict, id).await[0];
    assert_eq!((refused.status, receiver.got().len()), (DeliveryStatus::Queued, 0));
    assert!(refused.error.as_ref().is_some_and(|e| e.contains("GATEPOST_WEBHOOK_ALLOWED_HOSTS")), "{refused:?}");
    let new = NewWebhook { url: receiver.url(), ..NewWebhook::default() };
    assert!(matches!(strict.create_webhook(ADMIN, new).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn disabling_and_deleting_end_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let (off, gone) =
        (hook(&gatepost, &receiver.url()).await.webhook.id, hook(&gatepost, &receiver.url()).await.webhook.id);
    for id in [off, gone] {
        gatepost.test_webhook(ADMIN, id).await.unwrap();
    }
    let disable = WebhookPatch { disabled: Some(true), ..WebhookPatch::default() };
    gatepost.update_webhook(ADMIN, off, disable).await.unwrap();
    gatepost.delete_webhook(ADMIN, gone).await.unwrap();
    assert_eq!(gatepost.deliver_webhooks(soon()).await.unwrap(), 0);
    assert_eq!(deliveries(&gatepost, off).await[0].status, DeliveryStatus::Failed);
    assert!(matches!(gatepost.get_webhook(ADMIN, gone).await, Err(Error::NotFound("webhook"))));
    assert_eq!(receiver.got().len(), 0);
}

#[tokio::test]
async fn a_rotation_of_keys_takes_the_secrets_of_webhooks_along() {
    const OLD: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const NEW: &str = "hiFZ8dhxQvYtVNUZ6nFTQ7jeN5RVM3hvv1Hr9rLxJvY=";
    let dir = tempfile::tempdir().unwrap();
    let keys = |keys: &str| Some(Secret(keys.to_owned()));
    let receiver = Receiver::start().await;
    let before = service_with(&dir, |config| config.credentials_key = keys(OLD)).await;
    let issued = hook(&before, &receiver.url()).await;
    before.replace_webhook_secret(ADMIN, issued.webhook.id).await.unwrap();
    let both = service_with(&dir, |config| config.credentials_key = keys(&format!("{NEW},{OLD}"))).await;
    assert_eq!(both.rotate_vault(ADMIN).await.unwrap(), 1);
    assert_eq!(both.rotate_vault(ADMIN).await.unwrap(), 0);
    // With the new key alone: address and both secrets.
    let after = service_with(&dir, |config| config.credentials_key = keys(NEW)).await;
    after.test_webhook(ADMIN, issued.webhook.id).await.unwrap();
    after.deliver_webhooks(soon()).await.unwrap();
    assert!(is_signed(&issued.secret, &receiver.got()[0]), "the replaced secret, too");
    let lost = service_with(&dir, |config| config.credentials_key = keys(OLD)).await;
    lost.test_webhook(ADMIN, issued.webhook.id).await.unwrap();
    lost.deliver_webhooks(soon()).await.unwrap();
    let unsent = deliveries(&lost, issued.webhook.id).await.pop().unwrap();
    assert_eq!((unsent.status, receiver.got().len()), (DeliveryStatus::Queued, 1));
    assert!(unsent.error.is_some_and(|e| e.contains("secret cannot be opened")));
}

#[tokio::test]
async fn the_path_of_an_address_lies_nowhere_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let gatepost = service(&dir).await;
    let receiver = Receiver::start().await;
    let at = |path: &str| format!("http://{}/{path}", receiver.address);
    let planted = ["planted-first", "planted-second"];
    let issued = hook(&gatepost, &at(planted[0])).await;
    let id = issued.webhook.id;
    assert_eq!(issued.webhook.origin, format!("http://{}", receiver.address));
    gatepost.test_webhook(ADMIN, id).await.unwrap();
    gatepost.deliver_webhooks(soon()).await.unwrap();
    let patch = WebhookPatch { url: Some(at(planted[1])), ..WebhookPatch::default() };
    let printed = format!("{patch:?} {:?}", NewWebhook { url: at(planted[0]), ..NewWebhook::default() });
    let patched = gatepost.update_webhook(ADMIN, id, patch).await.unwrap();
    receiver.then(status(500));
    for _ in 0..2 {
        gatepost.test_webhook(ADMIN, id).await.unwrap();
        gatepost.deliver_webhooks(soon()).await.unwrap();
    }
    let unchanged = WebhookPatch { description: Some("the wizard".into()), ..WebhookPatch::default() };
    gatepost.update_webhook(ADMIN, id, unchanged).await.unwrap();
    gatepost.test_webhook(ADMIN, id).await.unwrap();
    gatepost.deliver_webhooks(soon()).await.unwrap();
    let lines: Vec<String> = receiver.got().into_iter().map(|got| got.line).collect();
    assert_eq!(lines[0], "POST /planted-first HTTP/1.1");
    assert!(lines.len() >= 3 && lines[1..].iter().all(|line| line == "POST /planted-second HTTP/1.1"), "{lines:?}");
    let listed = gatepost.list_webhooks(ADMIN, PageQuery::default()).await.unwrap();
    let shown = format!("{printed} {patched:?} {listed:?} {:?}", deliveries(&gatepost, id).await);
    assert!(!shown.contains("planted"), "{shown}");
    for file in std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"planted"), "{} holds it", file.display());
    }
}
