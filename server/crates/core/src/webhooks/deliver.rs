//! The loop that posts what is due. A delivery is taken with a lease, posted, and its end written down; a process that
//! dies in between posts it again after the lease, under the same message id.

use super::{attempt, attempt::Next, signature, subject};
use crate::{
    Actor, Error, Gatepost, Result,
    audit::Entry,
    clock,
    courier::{Letter, Reply, Undelivered},
};
use gatepost_contract::{DeliveryStatus, Problem, Secret, Webhook};
use gatepost_store::{webhook_deliveries, webhook_deliveries::Claimed, webhooks};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::task::JoinSet;

/// How many receivers are posted to at once; each of them by one delivery at a time.
const AT_ONCE: usize = 16;
/// Longer than a courier and the database may take together.
const LEASE: Duration = Duration::from_secs(60);
/// How often the loop looks for what is due.
const POLL: Duration = Duration::from_secs(1);
/// How long those under way may take when the process ends.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How long deliveries are kept after they have ended.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often older ones are looked for.
const TIDY: Duration = Duration::from_secs(3600);
/// What stands in for an answer that could not even be asked for.
const UNSEALED: &str = "The webhook's address and secret cannot be opened with the present keys. Enter the address again and \
                        replace the secret on the webhook's page.";

impl Gatepost {
    /// Posts everything that is due at a moment, each delivery once, and returns how many attempts were made. The
    /// workers do this all the time; tests and scripts bring a time of their own.
    ///
    /// # Errors
    /// Only for faults of the database: an attempt that fails is written down.
    pub async fn deliver_webhooks(&self, now: OffsetDateTime) -> Result<usize> {
        let mut under_way = JoinSet::new();
        let mut count = 0;
        loop {
            while under_way.len() < AT_ONCE
                && let Some(claimed) = self.claim_delivery(now).await?
            {
                self.set_out(&mut under_way, claimed, move || now);
            }
            match under_way.join_next().await {
                Some(ended) => ended.map_err(Error::internal)??,
                None => return Ok(count),
            }
            count += 1;
        }
    }

    /// Posts what is due until the workers stop.
    pub(crate) async fn carry_webhooks(&self) {
        let stopping = self.crew().stopping();
        let mut under_way = JoinSet::new();
        let mut tidied: Option<Instant> = None;
        while !stopping.is_cancelled() {
            if tidied.is_none_or(|at| at.elapsed() >= TIDY) {
                tidied = Some(Instant::now());
                logged(self.forget_old_deliveries().await);
            }
            while under_way.len() < AT_ONCE
                && let Some(claimed) = logged(self.claim_delivery(OffsetDateTime::now_utc()).await).flatten()
            {
                self.set_out(&mut under_way, claimed, OffsetDateTime::now_utc);
            }
            tokio::select! {
                Some(ended) = under_way.join_next() => drop(logged(ended.map_err(Error::internal).flatten())),
                () = tokio::time::sleep(POLL) => {}
                () = stopping.cancelled() => {}
            }
        }
        // What has not been answered by then is posted again when its lease has ended.
        let rest = async { while under_way.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, rest).await;
    }

    /// Begins an attempt as a task of its own: it goes on to write down its end, and to give the database's connection
    /// back, while this one waits for that connection.
    fn set_out(
        &self,
        under_way: &mut JoinSet<Result<()>>,
        claimed: Claimed,
        now: impl Fn() -> OffsetDateTime + Send + 'static,
    ) {
        let gatepost = self.clone();
        under_way.spawn(async move { gatepost.attempt(claimed, now).await });
    }

    async fn claim_delivery(&self, now: OffsetDateTime) -> Result<Option<Claimed>> {
        let (at, until) = (clock::text(now), clock::text(now + LEASE));
        if !webhook_deliveries::is_due(&mut *self.store().reader().await?, &at).await? {
            return Ok(None);
        }
        let mut tx = self.store().begin().await?;
        let claimed = webhook_deliveries::claim(&mut tx, &at, &until).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn attempt(&self, claimed: Claimed, now: impl Fn() -> OffsetDateTime) -> Result<()> {
        let begun = now();
        let (webhook, opened) = {
            let mut conn = self.store().reader().await?;
            // Deleted meanwhile: its deliveries went with it.
            let Some(webhook) = webhooks::get(&mut conn, claimed.webhook_id).await? else { return Ok(()) };
            (webhook, self.opened_webhook(&mut conn, claimed.webhook_id, &clock::text(begun)).await)
        };
        let timestamp = begun.unix_timestamp();
        let signed = |secret: &Secret| signature::sign(secret, &claimed.message_id, timestamp, &claimed.payload);
        let signed = logged(opened).map(|(url, secrets)| (url, secrets.iter().filter_map(signed).collect::<Vec<_>>()));
        let answer = match signed.filter(|(_, signatures)| !signatures.is_empty()) {
            None => Err(Undelivered(UNSEALED.to_owned())),
            Some((url, signatures)) => {
                let letter = Letter {
                    url: url.0,
                    message_id: claimed.message_id.clone(),
                    timestamp,
                    signature: signatures.join(" "),
                    body: claimed.payload.clone(),
                };
                self.courier().post(&letter).await
            }
        };
        self.write_down(&claimed, &webhook, &answer, now()).await
    }

    async fn write_down(
        &self,
        claimed: &Claimed,
        webhook: &Webhook,
        answer: &std::result::Result<Reply, Undelivered>,
        now: OffsetDateTime,
    ) -> Result<()> {
        let ended = attempt::judge(answer, claimed.attempt, now, rand::random());
        let (status, again) = match ended.next {
            Next::Delivered => (DeliveryStatus::Delivered, None),
            Next::Again(at) => (DeliveryStatus::Queued, Some(clock::text(at))),
            Next::GivenUp | Next::Gone => (DeliveryStatus::Failed, None),
        };
        let outcome = webhook_deliveries::Attempted {
            status,
            next_attempt_at: again.as_deref(),
            response_status: ended.response_status,
            error: ended.error.as_deref(),
        };
        let at = clock::text(now);
        let mut tx = self.store().begin().await?;
        if !webhook_deliveries::finish(&mut tx, claimed, &outcome, &at).await? {
            // Given up, deleted, or taken over by another process meanwhile.
            return Ok(());
        }
        webhooks::attempted(&mut tx, webhook.id, ended.error.as_deref(), &at).await?;
        if ended.next == Next::Gone && !webhook.disabled {
            webhooks::disable(&mut tx, webhook.id, &at).await?;
            webhook_deliveries::give_up(&mut tx, webhook.id, super::DISABLED).await?;
            Entry::new(&Actor::Worker, "webhook.disable", subject(webhook.id))
                .before(&super::noted(webhook))
                .reason("the receiver answered 410")
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        let (webhook, delivery, attempt) = (webhook.id.0, claimed.id.0, claimed.attempt);
        match &ended.error {
            None => tracing::debug!(webhook, delivery, attempt, "a webhook was delivered"),
            Some(_) if status == DeliveryStatus::Queued => {
                tracing::info!(
                    webhook,
                    delivery,
                    attempt,
                    response = ended.response_status,
                    "a webhook is tried again"
                );
            }
            Some(_) => tracing::warn!(webhook, delivery, attempt, response = ended.response_status, "a webhook failed"),
        }
        metrics::counter!("gatepost_webhook_attempts_total", "status" => status.as_str()).increment(1);
        Ok(())
    }

    async fn forget_old_deliveries(&self) -> Result<u64> {
        let before = clock::text(OffsetDateTime::now_utc() - KEPT);
        let mut tx = self.store().begin().await?;
        let count = webhook_deliveries::prune(&mut tx, &before).await?;
        tx.commit().await?;
        Ok(count)
    }
}

/// The value, or nothing and a line in the log.
fn logged<T>(result: Result<T>) -> Option<T> {
    result.map_err(Problem::from).ok()
}
