//! Stragglers: mail that senders with an old MX in their caches still bring to the old server after the cutover. It is
//! fetched by `final` runs until the old server has been quiet for long enough.

use crate::{Actor, Error, Gatepost, Result, clock};
use gatepost_contract::{
    CutoverSettings, DnsMoment, Job, JobId, MailboxId, Phase, RunStatus, RunType, Stragglers, SyncRequest,
};
use gatepost_store::{
    Conn,
    cutovers::{self, Straggling},
    evidence, mailboxes, runs,
};
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};

/// How often it is looked what is due.
const TICK: StdDuration = StdDuration::from_secs(5);
/// How many jobs' DNS is read at one tick.
const READ_AT_ONCE: i64 = 3;
/// After how many ticks gates that stand open are judged again: time alone shuts them.
const JUDGE_EVERY: u32 = 12;
/// How many of them at once; the next ones have their turn after that.
const JUDGED_AT_ONCE: i64 = 50;
/// The longest that is waited between two `final` runs.
const LONGEST_WAIT: Duration = Duration::days(1);
/// A time that lies further ahead was written by a clock that was wrong. Were it believed, nothing would be fetched until
/// it comes.
const TOO_FAR_AHEAD: Duration = Duration::hours(1);
/// How far the clocks of two machines may differ that read mailboxes of one job. What was read later than that from now
/// was read nobody knows when.
const CLOCKS_DIFFER: Duration = Duration::minutes(5);

impl Gatepost {
    /// Looks after cutovers until the process is to end.
    pub(crate) async fn tend(&self) {
        let stopping = self.crew().stopping().clone();
        let (mut ticks, mut judged) = (0_u32, JobId(0));
        loop {
            if ticks.is_multiple_of(JUDGE_EVERY) {
                judged = self.judge_open_gates(judged).await;
            }
            ticks = ticks.wrapping_add(1);
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
            (cutovers::straggling(&mut conn, &believed(now)).await?, cutovers::unread(&mut conn, READ_AT_ONCE).await?)
        };
        for one in straggling {
            // One job's trouble is no other's.
            if let Err(error) = self.fetch_when_due(&one, now).await {
                tracing::warn!(job = %one.job, %error, "stragglers could not be fetched");
            }
        }
        for job in unread {
            self.read_dns_later(job, DnsMoment::Before, Actor::Worker.label());
        }
        Ok(())
    }

    /// Judges the next gates that stand open, after this job; says where to go on. Evidence grows old without anybody
    /// asking, and those who are told of gates must hear of it.
    pub(crate) async fn judge_open_gates(&self, after: JobId) -> JobId {
        let open = async {
            let mut conn = self.store().reader().await?;
            Result::Ok(cutovers::open_gates(&mut conn, after, JUDGED_AT_ONCE).await?)
        };
        let open = open.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "open gates could not be looked for");
            Vec::new()
        });
        for job in &open {
            if let Err(error) = self.gate_view(&Actor::Worker, *job).await {
                tracing::warn!(%job, %error, "an open gate could not be judged");
            }
        }
        // After the last of them from the beginning.
        open.last().copied().unwrap_or(JobId(0))
    }

    async fn fetch_when_due(&self, one: &Straggling, now: OffsetDateTime) -> Result<()> {
        let last = last(&one.cutover_at, one.last_final_at.as_deref(), now);
        let is_due = |quiet| last.is_none_or(|last| due(last, one.minutes, quiet) <= now);
        if !is_due(None) {
            return Ok(());
        }
        let quiet = {
            let mut conn = self.store().reader().await?;
            quiet_of(&mut conn, one.job, Some(&one.cutover_at), one.quiet_hours).await?
        };
        if is_due(quiet.map(|(_, until)| until)) {
            self.fetch_stragglers(one.job, &one.cutover_at).await?;
        }
        Ok(())
    }

    async fn fetch_stragglers(&self, job: JobId, cutover: &str) -> Result<()> {
        let mailbox_ids = {
            let mut conn = self.store().reader().await?;
            still_fed(&mut conn, job, cutover).await?
        };
        if mailbox_ids.is_empty() {
            return Ok(());
        }
        let request = SyncRequest { run_type: RunType::Final, mailbox_ids };
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

/// Mailboxes to which mail may still come after the cutover and that no run waits for: those on servers. Nobody brings mail
/// to a file: it is read once more after the cutover, and then left alone.
async fn still_fed(conn: &mut Conn, job: JobId, cutover: &str) -> Result<Vec<MailboxId>> {
    let mut fed = Vec::new();
    let resting: Vec<_> = runs::active_for_job(conn, job).await?.into_iter().filter_map(|run| run.mailbox_id).collect();
    for mailbox in mailboxes::list(conn, job).await? {
        if resting.contains(&mailbox.id) {
            continue;
        }
        let read_once = mailbox.source_type.is_file() && {
            let last = runs::latest_finished(conn, mailbox.id, &[RunType::Final]).await?;
            let last = last.filter(|run| run.status != RunStatus::Failed);
            last.and_then(|run| run.finished_at).is_some_and(|at| at.as_str() >= cutover)
        };
        if !read_once {
            fed.push(mailbox.id);
        }
    }
    Ok(fed)
}

/// Whether the old server has been quiet for as long as the job wants, and every mailbox on it was read after that: what
/// was read earlier cannot tell of the time since. Without automatic fetching nobody looks often enough to tell, so the
/// proof alone decides; so it does where all mail comes from files.
pub(crate) async fn is_quiet(conn: &mut Conn, job: &Job, now: OffsetDateTime) -> Result<bool> {
    let Some(settings) = cutovers::settings(conn, job.id).await? else { return Ok(true) };
    if settings.straggler_minutes.is_none() {
        return Ok(true);
    }
    let all = mailboxes::list(conn, job.id).await?;
    let on_servers: Vec<MailboxId> = all.iter().filter(|m| !m.source_type.is_file()).map(|m| m.id).collect();
    if on_servers.is_empty() {
        return Ok(!all.is_empty());
    }
    let quiet = quiet_of(conn, job.id, job.dns_cutover_at.as_deref(), settings.quiet_hours).await?;
    // A clock that is ahead does not bring the end of the quiet hours nearer.
    let now = now.min(database_now(conn).await?);
    let Some((_, until)) = quiet.filter(|(_, until)| now >= *until) else { return Ok(false) };
    let read = evidence::for_job(conn, job.id).await?;
    let mut read = read.mailboxes.iter().filter(|m| on_servers.contains(&m.mailbox_id));
    let since = |at: OffsetDateTime| at >= until && at <= now + CLOCKS_DIFFER;
    Ok(read.all(|m| m.read_at.as_deref().and_then(clock::parse).is_some_and(since)))
}

/// The latest time that is believed, as the database writes it.
fn believed(now: OffsetDateTime) -> String {
    clock::text(now + TOO_FAR_AHEAD)
}

/// When the old server was last asked: by a `final`, or when the MX was changed. None where no clock that can be believed
/// has told of either.
fn last(cutover: &str, last_final: Option<&str>, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let known = [Some(cutover), last_final].into_iter().flatten().filter_map(clock::parse);
    known.filter(|at| *at <= now + TOO_FAR_AHEAD).max()
}

/// The database's clock: of those that write and read times here it is the one that all have in common.
async fn database_now(conn: &mut Conn) -> Result<OffsetDateTime> {
    let seconds = gatepost_store::clock::seconds(conn).await?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(Error::internal)
}

/// When a message of a job's sources was last seen for the first time; no later than now, whatever a clock has written
/// that was ahead.
async fn newest_seen(conn: &mut Conn, job: JobId) -> Result<Option<String>> {
    let now = clock::text(database_now(conn).await?);
    Ok(cutovers::newest_seen(conn, job).await?.map(|newest| newest.min(now)))
}

/// Keeps when the newest message was seen. A time that has not come yet would begin the quiet hours anew until it has:
/// the message was seen now at the latest, and that is written in its place.
pub(crate) async fn note_newest(conn: &mut Conn, job: JobId) -> Result<()> {
    let now = database_now(conn).await?;
    cutovers::settle_newest(conn, job, &clock::text(now + CLOCKS_DIFFER), &clock::text(now)).await?;
    Ok(cutovers::note_newest(conn, job).await?)
}

async fn quiet_of(
    conn: &mut Conn,
    job: JobId,
    cutover: Option<&str>,
    hours: i64,
) -> Result<Option<(OffsetDateTime, OffsetDateTime)>> {
    let told = cutovers::told_at(conn, job).await?;
    let newest = newest_seen(conn, job).await?;
    Ok(quiet(cutover, [told.as_deref(), newest.as_deref()], hours))
}

/// Since when the old server has been quiet and when that is long enough; none before the cutover. It begins no earlier
/// than the word of the cutover came and than its newest message was seen: nobody can tell quiet hours into the past.
fn quiet(
    cutover: Option<&str>,
    told_and_newest: [Option<&str>; 2],
    hours: i64,
) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let cutover = cutover.and_then(clock::parse)?;
    let since = told_and_newest.into_iter().flatten().filter_map(clock::parse).fold(cutover, OffsetDateTime::max);
    Some((since, since.checked_add(Duration::hours(hours)).unwrap_or(since)))
}

/// When the next `final` run is due after the last. Once the old server has been quiet for long enough, something else
/// keeps the job from its end (that server is off, a message is refused), and each wait is longer than the one before.
fn due(last: OffsetDateTime, minutes: i64, quiet_until: Option<OffsetDateTime>) -> OffsetDateTime {
    let over = quiet_until.map_or(Duration::ZERO, |until| last - until);
    last.saturating_add(over.min(LONGEST_WAIT).max(Duration::minutes(minutes)))
}

/// What is known of a job's stragglers.
pub(crate) async fn view(conn: &mut Conn, job: &Job, settings: &CutoverSettings) -> Result<Stragglers> {
    let automatic = settings.straggler_minutes.is_some();
    let Some(cutover) = job.dns_cutover_at.as_deref() else {
        return Ok(Stragglers { automatic, ..Stragglers::default() });
    };
    let fetched = cutovers::fetched(conn, job.id, cutover).await?;
    let newest = newest_seen(conn, job.id).await?;
    let quiet = quiet_of(conn, job.id, Some(cutover), settings.quiet_hours).await?;
    let waiting = matches!(job.phase, Phase::DnsCutover | Phase::FinalSync);
    let now = OffsetDateTime::now_utc();
    let last_final = cutovers::last_final_at(conn, job.id, &believed(now)).await?;
    let last = last(cutover, last_final.as_deref(), now);
    let next = settings.straggler_minutes.filter(|_| waiting);
    let next = next.map(|minutes| last.map_or(now, |last| due(last, minutes, quiet.map(|(_, until)| until))));
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
    fn the_old_server_is_quiet_since_the_cutover_its_word_or_its_newest_message_whichever_is_last() {
        let cutover = "2026-11-21T10:00:00.000Z";
        let later = Some("2026-11-21T12:30:00.000Z");
        for (told, newest, hours, since, until) in [
            (None, None, 24, "2026-11-21T10:00:00.000Z", "2026-11-22T10:00:00.000Z"),
            (None, Some("2026-11-20T08:00:00.000Z"), 1, "2026-11-21T10:00:00.000Z", "2026-11-21T11:00:00.000Z"),
            (None, later, 2, "2026-11-21T12:30:00.000Z", "2026-11-21T14:30:00.000Z"),
            (later, None, 2, "2026-11-21T12:30:00.000Z", "2026-11-21T14:30:00.000Z"),
            (later, Some("2026-11-21T11:00:00.000Z"), 2, "2026-11-21T12:30:00.000Z", "2026-11-21T14:30:00.000Z"),
            (Some("2026-11-21T09:58:00.000Z"), None, 1, "2026-11-21T10:00:00.000Z", "2026-11-21T11:00:00.000Z"),
        ] {
            let (from, to) = quiet(Some(cutover), [told, newest], hours).unwrap();
            assert_eq!((clock::text(from).as_str(), clock::text(to).as_str()), (since, until));
        }
        assert_eq!(quiet(None, [Some(cutover); 2], 1), None, "before the cutover it cannot be quiet");
    }

    #[test]
    fn a_run_is_due_so_long_after_the_last_and_ever_later_once_the_old_server_is_quiet() {
        let until = clock::parse("2026-11-21T09:00:00Z");
        for (last, minutes, quiet_until, expect) in [
            ("2026-11-21T10:00:00Z", 15, None, "2026-11-21T10:15:00.000Z"),
            ("2026-11-21T08:59:00Z", 15, until, "2026-11-21T09:14:00.000Z"),
            ("2026-11-21T09:14:00Z", 15, until, "2026-11-21T09:29:00.000Z"),
            ("2026-11-21T10:00:00Z", 15, until, "2026-11-21T11:00:00.000Z"),
            ("2026-11-21T11:00:00Z", 15, until, "2026-11-21T13:00:00.000Z"),
            ("2026-11-29T09:00:00Z", 15, until, "2026-11-30T09:00:00.000Z"),
        ] {
            let due = due(clock::parse(last).unwrap(), minutes, quiet_until);
            assert_eq!(clock::text(due), expect, "{last} {quiet_until:?}");
        }
    }

    #[test]
    fn a_time_far_ahead_is_not_when_the_old_server_was_last_asked() {
        let now = clock::parse("2026-11-21T12:00:00Z").unwrap();
        let (past, later, ahead) = ("2026-11-21T09:00:00.000Z", "2026-11-21T11:00:00.000Z", "2026-11-22T12:00:00.000Z");
        for (cutover, last_final, expect) in [
            (past, None, Some(past)),
            (past, Some(later), Some(later)),
            (later, Some(past), Some(later)),
            (past, Some(ahead), Some(past)),
            (ahead, Some(past), Some(past)),
            (ahead, Some(ahead), None),
            (ahead, None, None),
            ("2026-11-21T12:30:00.000Z", None, Some("2026-11-21T12:30:00.000Z")),
        ] {
            let asked = last(cutover, last_final, now).map(clock::text);
            assert_eq!(asked.as_deref(), expect, "{cutover} {last_final:?}");
        }
    }
}
