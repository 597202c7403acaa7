//! Outgoing webhooks: who is told of what, by super admins; the deliveries, their replay, a test.

mod address;
mod attempt;
mod deliver;
mod events;
mod signature;
#[cfg(test)]
mod tests;

pub use address::{may_connect, names_host};
pub(crate) use events::{gate_changed, phase_changed, run_finished};
pub(crate) use signature::sign;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, users::checked_page, validate::Checker};
use gatepost_contract::{
    DeliveryFilter, DeliveryId, DeliveryStatus, IssuedWebhook, NewWebhook, Page, PageQuery, Secret, Webhook,
    WebhookDelivery, WebhookEvent, WebhookId, WebhookPatch,
};
use gatepost_store::{Conn, webhook_deliveries, webhooks};
use gatepost_vault::Sealed;
use serde_json::{Value, json};
use std::time::Duration;
use url::{Host, Url};

/// Every event costs a row for each webhook: far more than anybody needs.
const MAX_WEBHOOKS: i64 = 50;
/// How long a replaced secret goes on signing.
const OLD_SECRET_SIGNS: Duration = Duration::from_secs(24 * 3600);
/// Why deliveries to a webhook that was disabled are not attempted.
const DISABLED: &str = "The webhook was disabled before this was delivered. Enable it, then replay.";

impl Gatepost {
    /// Lists webhooks, without their secrets and without what is secret of their addresses.
    pub async fn list_webhooks(&self, actor: &Actor, page: PageQuery) -> Result<Page<Webhook>> {
        actor.admin()?;
        Ok(webhooks::list(&mut *self.store().reader().await?, &checked_page(page)?).await?)
    }

    /// One webhook.
    pub async fn get_webhook(&self, actor: &Actor, id: WebhookId) -> Result<Webhook> {
        actor.admin()?;
        webhook(&mut *self.store().reader().await?, id).await
    }

    /// Makes a webhook. Its secret is in the answer and nowhere else.
    pub async fn create_webhook(&self, actor: &Actor, new: NewWebhook) -> Result<IssuedWebhook> {
        actor.admin()?;
        let mut checker = Checker::new();
        let url = self.checked_url(&mut checker, &new.url);
        let description = checker.text("description", &new.description, 0..=200, false);
        let events = if new.events.is_empty() { choosable() } else { checked_events(&mut checker, new.events) };
        checker.finish()?;
        let secret = signature::new_secret();
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        if webhooks::count(&mut tx).await? >= MAX_WEBHOOKS {
            return Err(Error::conflict("too_many", format!("There are {MAX_WEBHOOKS} webhooks already. Delete one.")));
        }
        let row = webhooks::NewWebhookRow {
            origin: &origin(&url),
            url_blob: &self.sealed(&url),
            description: &description,
            events: &events,
            secret_blob: &self.sealed(&secret.0),
            created_by: &actor.label(),
        };
        let id = webhooks::insert(&mut tx, &row, &now).await?;
        let webhook = webhook(&mut tx, id).await?;
        Entry::new(actor, "webhook.create", subject(id)).after(&noted(&webhook)).write(&mut tx).await?;
        tx.commit().await?;
        Ok(IssuedWebhook { webhook, secret })
    }

    /// Changes a webhook. What waits for one that is disabled is given up.
    pub async fn update_webhook(&self, actor: &Actor, id: WebhookId, patch: WebhookPatch) -> Result<Webhook> {
        actor.admin()?;
        let mut checker = Checker::new();
        let url = patch.url.as_ref().map(|url| self.checked_url(&mut checker, url));
        let description = patch.description.as_ref().map(|text| checker.text("description", text, 0..=200, false));
        let events = patch.events.map(|events| checked_events(&mut checker, events));
        checker.finish()?;
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let before = webhook(&mut tx, id).await?;
        let disabled = patch.disabled.unwrap_or(before.disabled);
        let description = description.unwrap_or_else(|| before.description.clone());
        let events = events.unwrap_or_else(|| before.events.clone());
        webhooks::update(&mut tx, id, &description, &events, disabled, &now).await?;
        if let Some(url) = &url {
            webhooks::replace_url(&mut tx, id, &origin(url), &self.sealed(url), &now).await?;
        }
        if disabled {
            webhook_deliveries::give_up(&mut tx, id, DISABLED).await?;
        }
        let after = webhook(&mut tx, id).await?;
        let mut entry = Entry::new(actor, "webhook.update", subject(id)).before(&noted(&before)).after(&noted(&after));
        if url.is_some() {
            entry = entry.reason("the address was entered anew");
        }
        entry.write(&mut tx).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Forgets a webhook and its deliveries.
    pub async fn delete_webhook(&self, actor: &Actor, id: WebhookId) -> Result<()> {
        actor.admin()?;
        let mut tx = self.store().begin().await?;
        let before = webhook(&mut tx, id).await?;
        webhooks::delete(&mut tx, id).await?;
        Entry::new(actor, "webhook.delete", subject(id)).before(&noted(&before)).write(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives a webhook a new secret. For a day deliveries carry the signatures of both, so that the receiver can change
    /// over without refusing any.
    pub async fn replace_webhook_secret(&self, actor: &Actor, id: WebhookId) -> Result<IssuedWebhook> {
        actor.admin()?;
        let secret = signature::new_secret();
        let until = clock::text(time::OffsetDateTime::now_utc() + OLD_SECRET_SIGNS);
        let mut tx = self.store().begin().await?;
        webhook(&mut tx, id).await?;
        webhooks::replace_secret(&mut tx, id, &self.sealed(&secret.0), &until, &clock::now()).await?;
        let webhook = webhook(&mut tx, id).await?;
        let after = json!({"old_secret_until": until});
        Entry::new(actor, "webhook.secret", subject(id)).after(&after).write(&mut tx).await?;
        tx.commit().await?;
        Ok(IssuedWebhook { webhook, secret })
    }

    /// Queues a message that only says that it is a test.
    pub async fn test_webhook(&self, actor: &Actor, id: WebhookId) -> Result<WebhookDelivery> {
        actor.admin()?;
        let now = clock::now();
        let data = json!({"message": "This is a test of the webhook.", "asked_by": actor.label()});
        let (message_id, payload) = (events::new_message_id(), events::payload(WebhookEvent::Test, &now, &data));
        let mut tx = self.store().begin().await?;
        enabled(&webhook(&mut tx, id).await?)?;
        let new = webhook_deliveries::NewDelivery {
            webhook_id: id,
            message_id: &message_id,
            event: WebhookEvent::Test,
            job_id: None,
            payload: &payload,
            replay_of: None,
        };
        let queued = webhook_deliveries::insert(&mut tx, &new, &now).await?;
        Entry::new(actor, "webhook.test", subject(id)).write(&mut tx).await?;
        let delivery = delivery(&mut tx, queued).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(delivery)
    }

    /// The deliveries to a webhook, the newest first.
    pub async fn webhook_deliveries(
        &self,
        actor: &Actor,
        id: WebhookId,
        filter: DeliveryFilter,
        page: PageQuery,
    ) -> Result<Page<WebhookDelivery>> {
        actor.admin()?;
        let page = checked_page(page)?;
        let mut conn = self.store().reader().await?;
        webhook(&mut conn, id).await?;
        Ok(webhook_deliveries::list(&mut conn, id, &filter, &page).await?)
    }

    /// Queues a delivery again: the same bytes under the same message id, so that a receiver that has it already can
    /// tell.
    pub async fn replay_delivery(&self, actor: &Actor, id: DeliveryId) -> Result<WebhookDelivery> {
        actor.admin()?;
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let old = delivery(&mut tx, id).await?;
        enabled(&webhook(&mut tx, old.webhook_id).await?)?;
        if old.status == DeliveryStatus::Queued {
            return Err(Error::conflict("still_queued", "This delivery is still waiting for its next attempt."));
        }
        let new = webhook_deliveries::NewDelivery {
            webhook_id: old.webhook_id,
            message_id: &old.message_id,
            event: old.event,
            job_id: old.job_id,
            payload: &old.payload,
            replay_of: Some(id),
        };
        let queued = webhook_deliveries::insert(&mut tx, &new, &now).await?;
        Entry::new(actor, "webhook.replay", subject(old.webhook_id))
            .after(&json!({"message_id": old.message_id, "event": old.event, "replay_of": id}))
            .write(&mut tx)
            .await?;
        let delivery = delivery(&mut tx, queued).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(delivery)
    }

    /// Seals the addresses and secrets of all webhooks anew with the first key. Returns how many webhooks needed it.
    pub(crate) async fn reseal_webhooks(&self, tx: &mut Conn) -> Result<u64> {
        let mut count = 0;
        for (id, mut row) in webhooks::all_sealed(tx).await? {
            let mut stale = false;
            for blob in [&mut row.url_blob, &mut row.secret_blob].into_iter().chain(&mut row.old_secret_blob) {
                if self.vault().needs_rotation(blob) {
                    *blob = self.vault().rotate(blob).map_err(|e| Error::conflict("vault", e.to_string()))?;
                    stale = true;
                }
            }
            if stale {
                webhooks::reseal(tx, id, &row).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn sealed(&self, text: &str) -> Vec<u8> {
        self.vault().seal(&Sealed::password(text.to_owned()))
    }

    fn unsealed(&self, blob: &[u8]) -> Result<Secret> {
        let sealed = self.vault().open(blob).map_err(Error::internal)?;
        let text = sealed.password.ok_or_else(|| Error::internal("a webhook's sealed part holds no text"))?;
        Ok(Secret(text.expose().to_owned()))
    }

    /// Where to post at a moment, and the secrets that sign, the present one first.
    async fn opened_webhook(&self, conn: &mut Conn, id: WebhookId, now: &str) -> Result<(Secret, Vec<Secret>)> {
        let row = webhooks::sealed(conn, id).await?.ok_or(Error::NotFound("webhook"))?;
        let mut secrets = vec![self.unsealed(&row.secret_blob)?];
        let old = row.old_secret_blob.filter(|_| row.old_secret_until.as_deref().is_some_and(|until| now < until));
        // One that was replaced because it cannot be opened any more holds up nothing.
        secrets.extend(old.and_then(|blob| self.unsealed(&blob).ok()));
        Ok((self.unsealed(&row.url_blob)?, secrets))
    }

    /// A URL that may be posted to, as far as that can be told without resolving its host. The courier looks at the
    /// addresses themselves each time.
    fn checked_url(&self, checker: &mut Checker, text: &str) -> String {
        let text = checker.text("url", text, 1..=2000, false);
        match check_url(&text, &self.config().webhook_allowed_hosts) {
            Ok(url) => url,
            Err(why) => {
                if !text.is_empty() {
                    checker.error("url", why);
                }
                text
            }
        }
    }
}

fn check_url(text: &str, allowed: &[String]) -> std::result::Result<String, String> {
    let url = Url::parse(text).map_err(|e| format!("is no URL ({e}); write it as https://hooks.example.com/path"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("must begin with https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or a password; every message is signed instead".into());
    }
    if url.fragment().is_some() {
        return Err("must not contain a fragment (#…)".into());
    }
    if url.port() == Some(0) {
        return Err("must not have port 0".into());
    }
    let (host, ip) = match url.host() {
        Some(Host::Domain(name)) => (name.to_owned(), None),
        Some(Host::Ipv4(ip)) => (ip.to_string(), Some(ip.into())),
        Some(Host::Ipv6(ip)) => (ip.to_string(), Some(ip.into())),
        None => return Err("must name a host".into()),
    };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let local = name == "localhost" || name.ends_with(".localhost");
    let refused = ip.map_or(local && !names_host(allowed, &host), |ip| !may_connect(allowed, &host, ip));
    if refused {
        return Err(format!(
            "leads to {host}, which is private or of this machine. If this is right, add it to \
             GATEPOST_WEBHOOK_ALLOWED_HOSTS."
        ));
    }
    if url.scheme() == "http" && !names_host(allowed, &host) {
        return Err(format!(
            "must begin with https://. Plain http is only for hosts that GATEPOST_WEBHOOK_ALLOWED_HOSTS names exactly, \
             and {host} is not one."
        ));
    }
    Ok(url.into())
}

/// What people can choose: all but the test, which goes to whom it is asked for.
fn choosable() -> Vec<WebhookEvent> {
    WebhookEvent::ALL.iter().copied().filter(|event| *event != WebhookEvent::Test).collect()
}

fn checked_events(checker: &mut Checker, mut events: Vec<WebhookEvent>) -> Vec<WebhookEvent> {
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        checker.error("events", "must name at least one event");
    }
    if events.contains(&WebhookEvent::Test) {
        checker.error("events", "must not contain webhook.test: it is sent when somebody asks for it");
    }
    events
}

async fn webhook(conn: &mut Conn, id: WebhookId) -> Result<Webhook> {
    webhooks::get(conn, id).await?.ok_or(Error::NotFound("webhook"))
}

async fn delivery(conn: &mut Conn, id: DeliveryId) -> Result<WebhookDelivery> {
    webhook_deliveries::get(conn, id).await?.ok_or(Error::NotFound("delivery"))
}

fn enabled(webhook: &Webhook) -> Result<()> {
    match webhook.disabled {
        true => Err(Error::conflict("disabled", "The webhook is disabled. Enable it first.")),
        false => Ok(()),
    }
}

fn subject(id: WebhookId) -> String {
    format!("webhook/{id}")
}

/// What the audit log keeps of a webhook.
fn noted(webhook: &Webhook) -> Value {
    json!({
        "receiver": webhook.origin,
        "description": webhook.description,
        "events": webhook.events,
        "disabled": webhook.disabled,
    })
}

/// A URL without its path and query.
fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
}
