//! The cutover: its settings, and the word that the MX was changed, accepted only through an open gate.

mod inbound;

pub use inbound::SignedHeaders;

use crate::{
    Actor, Error, Gatepost, Result, audit::Entry, clock, gate::failing, jobs::found, validate, validate::Checker,
};
use gatepost_contract::{CutoverSettings, DnsApplied, DnsMoment, GateAnswer, Job, JobId, Phase, Scope};
use gatepost_store::{Conn, cutovers, gate_history, jobs, webhook_receipts};
use inbound::Receipt;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// How far clocks may differ.
const SKEW: Duration = Duration::minutes(5);
/// The most MX hosts and selectors of a job.
const MOST: usize = 10;

impl Gatepost {
    /// The wizard's word, or a person's, that the MX was changed. Accepted only through an open gate; saying it again
    /// changes nothing.
    pub async fn dns_applied(&self, actor: &Actor, request: DnsApplied) -> Result<GateAnswer> {
        may_apply(actor)?;
        self.apply_dns(actor, request, None).await
    }

    /// The same as a webhook. Where a secret is configured, the headers of Standard Webhooks must prove who sent it; a
    /// message that comes again with the same id gets the same answer and changes nothing.
    ///
    /// # Errors
    /// 401 for a signature that is missing, forged or stale; 409 for another message under an id that was used.
    pub async fn dns_applied_webhook(
        &self,
        actor: &Actor,
        headers: &SignedHeaders,
        body: &[u8],
        request: DnsApplied,
    ) -> Result<GateAnswer> {
        may_apply(actor)?;
        let secret = self.config().dns_webhook_secret.as_ref();
        let receipt = inbound::check(secret, headers, body, clock::seconds())?;
        self.apply_dns(actor, request, receipt).await
    }

    async fn apply_dns(&self, actor: &Actor, request: DnsApplied, receipt: Option<Receipt>) -> Result<GateAnswer> {
        let now = OffsetDateTime::now_utc();
        let mut checker = Checker::new();
        let domain = checker.domain("domain", &request.domain);
        let mx = request.mx.as_deref().filter(|mx| !mx.trim().is_empty()).map(|mx| mx_host(&mut checker, "mx", mx));
        let at = applied_at(&mut checker, request.applied_at.as_deref(), now);
        checker.finish()?;

        let sender = sender(actor);
        let known = {
            let mut conn = self.store().reader().await?;
            // Before all else: what came before gets its answer, however the gate stands by now.
            if let Some(receipt) = &receipt
                && receipt.taken_before(webhook_receipts::get(&mut conn, &sender, &receipt.id).await?)?
            {
                drop(conn);
                return self.answer(&domain).await;
            }
            jobs::by_domain(&mut conn, &domain).await?
        };
        let open: Vec<&Job> = known.iter().filter(|job| job.phase != Phase::Closed).collect();
        if let Some(later) = open.iter().find(|job| job.dns_cutover_at.is_none() && opened_after(job, at)) {
            let why = format!("lies before the job was opened ({})", later.created_at);
            return Err(Error::field("applied_at", why));
        }
        let done = !open.is_empty() && open.iter().all(|job| job.dns_cutover_at.is_some());
        let answer = self.answer(&domain).await?;
        if !done && (answer.job_id.is_none() || !answer.dns_allowed) {
            return Err(Error::Conflict {
                code: "gate_shut",
                detail: format!("The gate of {domain} is {}: {}", answer.gate, answer.reason),
                checks: answer.checks,
            });
        }
        let mut applied = Vec::new();
        let mut tx = self.store().begin().await?;
        if let Some(receipt) = &receipt
            && receipt.taken_before(webhook_receipts::get(&mut tx, &sender, &receipt.id).await?)?
        {
            return Ok(answer);
        }
        for job in jobs::by_domain(&mut tx, &domain).await?.into_iter().filter(|j| j.phase != Phase::Closed) {
            if job.dns_cutover_at.is_none() {
                self.apply_to_job(&mut tx, actor, &job, mx.as_deref(), at).await?;
                applied.push(job.id);
            }
        }
        if let Some(receipt) = &receipt {
            let forget = clock::text(now - inbound::REMEMBERED);
            webhook_receipts::put(&mut tx, &sender, &receipt.id, &receipt.digest, &clock::text(now), &forget).await?;
        }
        tx.commit().await?;
        for job in applied {
            self.read_dns_later(job, DnsMoment::Cutover, actor.label());
        }
        self.answer(&domain).await
    }

    async fn apply_to_job(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        job: &Job,
        mx: Option<&str>,
        at: OffsetDateTime,
    ) -> Result<()> {
        // Judged once more in the transaction that acts on it.
        let verdict = self.judge_job(tx, actor, job.id).await?;
        if !verdict.gate.dns_allowed() {
            return Err(Error::Conflict {
                code: "gate_shut",
                detail: verdict.reason.clone(),
                checks: failing(&verdict),
            });
        }
        let opened = gate_history::opened_at(tx, job.id).await?;
        if let Some(opened) = opened.as_deref().filter(|opened| before_opening(opened, at)) {
            let why = format!("lies before the gate opened ({opened}); leave it out to take the present time");
            return Err(Error::field("applied_at", why));
        }
        let (at, now) = (clock::text(at), clock::now());
        jobs::set_dns_cutover(tx, job.id, &at, &now).await?;
        if let Some(mx) = mx {
            let mut settings = settings_of(tx, job.id).await?;
            if settings.new_mx.is_empty() {
                settings.new_mx.push(mx.to_owned());
                cutovers::put_settings(tx, job.id, &settings, &now).await?;
            }
        }
        Entry::new(actor, "dns.applied", format!("job/{}", job.id))
            .job(job.id)
            .after(&json!({"mx": mx, "applied_at": at}))
            .write(tx)
            .await?;
        self.judge_job(tx, actor, job.id).await?;
        Ok(())
    }

    /// A job's settings for its cutover.
    pub async fn cutover_settings(&self, actor: &Actor, id: JobId) -> Result<CutoverSettings> {
        actor.read(Scope::JobsRead)?;
        settings_of(&mut *self.store().reader().await?, id).await
    }

    /// Writes them.
    pub async fn set_cutover_settings(
        &self,
        actor: &Actor,
        id: JobId,
        settings: CutoverSettings,
    ) -> Result<CutoverSettings> {
        actor.manage()?;
        let mut checker = Checker::new();
        if settings.straggler_minutes.is_some_and(|minutes| !(5..=1440).contains(&minutes)) {
            checker.error("straggler_minutes", "must be between 5 and 1440, or left out");
        }
        if !(1..=720).contains(&settings.quiet_hours) {
            checker.error("quiet_hours", "must be between 1 and 720");
        }
        let settings = CutoverSettings {
            new_mx: each(&mut checker, "new_mx", &settings.new_mx, |c, host| mx_host(c, "new_mx", host)),
            dkim_selectors: each(&mut checker, "dkim_selectors", &settings.dkim_selectors, selector),
            ..settings
        };
        checker.finish()?;
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        if job.phase == Phase::Closed {
            return Err(Error::conflict("closed", "The job is closed; nothing about it changes any more."));
        }
        let before = settings_of(&mut tx, id).await?;
        if before != settings {
            cutovers::put_settings(&mut tx, id, &settings, &clock::now()).await?;
            Entry::new(actor, "job.cutover_settings", format!("job/{id}"))
                .job(id)
                .before(&before)
                .after(&settings)
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(settings)
    }
}

pub(crate) async fn settings_of(conn: &mut Conn, id: JobId) -> Result<CutoverSettings> {
    cutovers::settings(conn, id).await?.ok_or(Error::NotFound("job"))
}

fn may_apply(actor: &Actor) -> Result<()> {
    if let Actor::Token { .. } = actor { actor.read(Scope::DnsWrite) } else { actor.approve() }
}

/// When the MX was changed: now where left out, not in the future beyond what clocks may differ.
fn applied_at(checker: &mut Checker, text: Option<&str>, now: OffsetDateTime) -> OffsetDateTime {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return now };
    match clock::parse(text) {
        Some(at) if at > now + SKEW => {
            checker.error("applied_at", format!("lies in the future; it is {} now", clock::text(now)));
            now
        }
        Some(at) => at,
        None => {
            checker.error("applied_at", "must be an RFC 3339 time such as 2026-11-21T04:12:00Z");
            now
        }
    }
}

/// To the second, because that is how exactly wizards tell the time.
fn opened_after(job: &Job, at: OffsetDateTime) -> bool {
    clock::parse(&job.created_at).is_some_and(|opened| at.unix_timestamp() < opened.unix_timestamp())
}

/// Whether a change of the MX is told to have been made while the gate was still shut.
fn before_opening(opened: &str, at: OffsetDateTime) -> bool {
    clock::parse(opened).is_some_and(|opened| at < opened - SKEW)
}

/// Whose ids of webhooks these are: a token's name may be given twice, its number not.
fn sender(actor: &Actor) -> String {
    match actor {
        Actor::Token { id, .. } => format!("token/{id}"),
        Actor::User { id, .. } => format!("user/{id}"),
        Actor::Worker | Actor::Cli => actor.label(),
    }
}

/// A host of an MX: a name, however it is written.
fn mx_host(checker: &mut Checker, field: &'static str, text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return checker.host(field, text);
    }
    validate::domain(text).unwrap_or_else(|_| {
        checker.error(field, "is no host name; write it as mx.example.com");
        text.to_owned()
    })
}

fn selector(checker: &mut Checker, text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let fine = (1..=120).contains(&text.len())
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    if !fine {
        checker.error("dkim_selectors", "must be names such as s1 or 2024-key, without ._domainkey and the domain");
    }
    text
}

fn each(
    checker: &mut Checker,
    field: &'static str,
    given: &[String],
    read: impl Fn(&mut Checker, &str) -> String,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in given.iter().filter(|text| !text.trim().is_empty()) {
        let one = read(checker, text);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    if all.len() > MOST {
        checker.error(field, format!("may have at most {MOST} entries; there are {}", all.len()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_change_may_be_left_out_but_not_lie_in_the_future() {
        let now = clock::parse("2026-11-21T10:00:00Z").unwrap();
        for (text, expect) in [
            (None, Some("2026-11-21T10:00:00.000Z")),
            (Some(""), Some("2026-11-21T10:00:00.000Z")),
            (Some("2026-11-21T06:30:00-03:00"), Some("2026-11-21T09:30:00.000Z")),
            (Some("2026-11-21T10:04:59Z"), Some("2026-11-21T10:04:59.000Z")),
            (Some("2026-11-21T10:05:01Z"), None),
            (Some("9999-12-31T23:59:59Z"), None),
            (Some("yesterday"), None),
            (Some("2026-11-21"), None),
        ] {
            let mut checker = Checker::new();
            let at = applied_at(&mut checker, text, now);
            let read = checker.finish().is_ok().then(|| clock::text(at));
            assert_eq!(read.as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn a_change_may_be_told_to_the_gates_opening_but_for_what_clocks_differ() {
        let opened = "2026-11-21T10:00:00.000Z";
        for (at, before) in [
            ("2026-11-21T10:00:00Z", false),
            ("2026-11-21T09:55:00Z", false),
            ("2026-11-21T09:54:59Z", true),
            ("2026-11-20T10:00:00Z", true),
        ] {
            assert_eq!(before_opening(opened, clock::parse(at).unwrap()), before, "{at}");
        }
    }

    #[test]
    fn mx_hosts_and_selectors_are_read_however_they_are_written() {
        let read = |text: &str| {
            let mut checker = Checker::new();
            let host = mx_host(&mut checker, "mx", text);
            checker.finish().ok().map(|()| host)
        };
        for (text, expect) in [
            (" MX1.Example.COM. ", Some("mx1.example.com")),
            ("mx.b\u{fc}cher.example", Some("mx.xn--bcher-kva.example")),
            ("10 mx.example.com", None),
            ("", None),
            ("mx example", None),
            ("\u{202e}mx.example", None),
        ] {
            assert_eq!(read(text).as_deref(), expect, "{text:?}");
        }
        for (text, fine) in [
            ("S1", true),
            ("2024-key", true),
            ("a.b", true),
            ("", false),
            ("a b", false),
            ("a..b", false),
            ("\u{fc}", false),
        ] {
            let mut checker = Checker::new();
            selector(&mut checker, text);
            assert_eq!(checker.finish().is_ok(), fine, "{text:?}");
        }
    }
}
