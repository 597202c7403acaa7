//! Stragglers: mail that senders with an old MX in their caches still bring to the old server after the cutover. It is
//! fetched by `final` runs until the old server has been quiet for long enough.

use crate::{Actor, Error, Gatepost, Result, clock};
use gatepost_contract::{CutoverSettings, DnsMoment, Job, JobId, Phase, RunType, Stragglers, SyncRequest};
use gatepost_store::{Conn, cutovers};
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};

/// How often it is looked what is due.
const TICK: StdDuration = StdDuration::from_secs(5);
/// How many jobs' DNS is read at one tick.
const READ_AT_ONCE: i64 = 3;

impl Gatepost {
    /// Looks after cutovers until the process is to end.
    pub(crate) async fn tend(&self) {
        let stopping = self.crew().stopping().clone();
        loop {
            if let Err(error) = self.tend_cutovers(OffsetDateTime::now_utc()).await {
                tracing::warn!(%error, "cutovers could not be looked after");
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Starts the `final` runs that are due at a moment, and reads the DNS of jobs that are about to be cut over and
    /// whose old values nobody has kept yet.
    pub async fn tend_cutovers(&self, now: OffsetDateTime) -> Result<()> {
        let (straggling, unread) = {
            let mut conn = self.store().reader().await?;
            (cutovers::straggling(&mut conn).await?, cutovers::unread(&mut conn, READ_AT_ONCE).await?)
        };
        for one in straggling {
            let last = one.last_final_at.as_deref().unwrap_or(&one.cutover_at);
            if due(last, one.minutes).is_none_or(|due| due <= now) {
                self.fetch_stragglers(one.job).await?;
            }
        }
        for job in unread {
            self.read_dns_later(job, DnsMoment::Before, Actor::Worker.label());
        }
        Ok(())
    }

    async fn fetch_stragglers(&self, job: JobId) -> Result<()> {
        let request = SyncRequest { run_type: RunType::Final, mailbox_ids: Vec::new() };
        match self.start_sync(&Actor::Worker, job, request).await {
            Ok(started) => {
                tracing::info!(%job, runs = started.run_ids.len(), "fetching stragglers");
                Ok(())
            }
            // Somebody was quicker, or the job went on meanwhile.
            Err(Error::Conflict { detail, .. }) => {
                tracing::debug!(%job, detail, "stragglers are not fetched now");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the old server has been quiet for as long as the job wants. Without automatic fetching nobody looks often
/// enough to tell, so the proof alone decides.
pub(crate) async fn is_quiet(conn: &mut Conn, job: &Job, now: OffsetDateTime) -> Result<bool> {
    let Some(settings) = cutovers::settings(conn, job.id).await? else { return Ok(true) };
    if settings.straggler_minutes.is_none() {
        return Ok(true);
    }
    let newest = cutovers::newest_seen(conn, job.id).await?;
    Ok(quiet(job.dns_cutover_at.as_deref(), newest.as_deref(), settings.quiet_hours)
        .is_none_or(|(_, until)| now >= until))
}

/// Since when the old server has been quiet and when that is long enough; none before the cutover.
fn quiet(cutover: Option<&str>, newest: Option<&str>, hours: i64) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let cutover = cutover.and_then(clock::parse)?;
    let since = newest.and_then(clock::parse).map_or(cutover, |newest| newest.max(cutover));
    Some((since, since.checked_add(Duration::hours(hours)).unwrap_or(since)))
}

fn due(last: &str, minutes: i64) -> Option<OffsetDateTime> {
    clock::parse(last)?.checked_add(Duration::minutes(minutes))
}

/// What is known of a job's stragglers.
pub(crate) async fn view(conn: &mut Conn, job: &Job, settings: &CutoverSettings) -> Result<Stragglers> {
    let automatic = settings.straggler_minutes.is_some();
    let Some(cutover) = job.dns_cutover_at.as_deref() else {
        return Ok(Stragglers { automatic, ..Stragglers::default() });
    };
    let fetched = cutovers::fetched(conn, job.id, cutover).await?;
    let newest = cutovers::newest_seen(conn, job.id).await?;
    let quiet = quiet(Some(cutover), newest.as_deref(), settings.quiet_hours);
    let waiting = matches!(job.phase, Phase::DnsCutover | Phase::FinalSync);
    let last = fetched.last_run_at.as_deref().unwrap_or(cutover);
    let next = settings.straggler_minutes.filter(|_| waiting).and_then(|minutes| due(last, minutes));
    Ok(Stragglers {
        automatic,
        messages: fetched.messages,
        newest_at: newest.filter(|newest| newest.as_str() > cutover),
        last_run_at: fetched.last_run_at,
        next_run_at: next.map(clock::text),
        quiet_since: quiet.map(|(since, _)| clock::text(since)),
        quiet_until: quiet.map(|(_, until)| clock::text(until)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_server_is_quiet_since_the_cutover_or_since_its_newest_message() {
        let cutover = "2026-11-21T10:00:00.000Z";
        for (newest, hours, since, until) in [
            (None, 24, "2026-11-21T10:00:00.000Z", "2026-11-22T10:00:00.000Z"),
            (Some("2026-11-20T08:00:00.000Z"), 1, "2026-11-21T10:00:00.000Z", "2026-11-21T11:00:00.000Z"),
            (Some("2026-11-21T12:30:00.000Z"), 2, "2026-11-21T12:30:00.000Z", "2026-11-21T14:30:00.000Z"),
        ] {
            let (from, to) = quiet(Some(cutover), newest, hours).unwrap();
            assert_eq!((clock::text(from).as_str(), clock::text(to).as_str()), (since, until));
        }
        assert_eq!(quiet(None, Some(cutover), 1), None, "before the cutover it cannot be quiet");
    }

    #[test]
    fn a_run_is_due_so_long_after_the_last() {
        assert_eq!(due("2026-11-21T10:00:00Z", 15).map(clock::text).as_deref(), Some("2026-11-21T10:15:00.000Z"));
        assert_eq!(due("never", 15), None);
    }
}
