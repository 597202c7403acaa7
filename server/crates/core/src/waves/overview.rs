//! What moves, what is stuck, when it ends.

use super::known;
use crate::{Actor, Gatepost, Result, clock, jobs, pauses, schedules};
use gatepost_contract::{
    JobId, OccurrenceFilter, PageQuery, Pause, Run, RunStatus, Scope, TroubleKind, Wave, WaveId, WaveOverview,
    WaveProgress, WaveRef, WaveSummary, WaveTrouble, WavesOverview,
};
use gatepost_store::{
    Conn, jobs as job_rows, mailboxes, pauses as pause_rows,
    schedules::{self as schedule_rows, Owner},
    waves::{self as rows, progress},
};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// As many runs at work are shown.
const MOVING: i64 = 50;
/// As many mailboxes that are stuck.
const STUCK: i64 = 100;
/// As many mailboxes that are in a wave by themselves.
const SINGLE: i64 = 200;
/// As many runs are looked at for what they wait for.
const LOOKED_AT: i64 = 500;
/// Nothing is foretold beyond this.
const FURTHEST: Duration = Duration::days(3_650);

impl Gatepost {
    /// All waves at a glance, with what is in none.
    pub async fn waves(&self, actor: &Actor) -> Result<WavesOverview> {
        actor.read(Scope::JobsRead)?;
        let now = OffsetDateTime::now_utc();
        let mut conn = self.store().snapshot().await?;
        let mut of_waves = progress::all(&mut conn).await?;
        let pauses = pause_rows::list(&mut conn).await?;
        let mut waves = Vec::new();
        for wave in rows::list(&mut conn).await? {
            let mut progress = of_waves.remove(&Some(wave.id)).unwrap_or_default();
            foretell(&mut progress, now);
            let wave = complete_with(&mut conn, wave, &pauses, now).await?;
            let trouble = [gatepost_contract::MailboxStatus::Error, gatepost_contract::MailboxStatus::Quarantine];
            waves.push(WaveSummary {
                in_trouble: progress.by_status.iter().filter(|(s, _)| trouble.contains(s)).map(|(_, n)| n).sum(),
                next_at: self.next_of_wave(&mut conn, wave.id, now).await?,
                progress,
                wave,
            });
        }
        let mut without = of_waves.remove(&None).unwrap_or_default();
        foretell(&mut without, now);
        Ok(WavesOverview { waves, without, pauses })
    }

    /// One wave: what moves, what is stuck, when it ends.
    pub async fn wave(&self, actor: &Actor, id: WaveId) -> Result<WaveOverview> {
        actor.read(Scope::JobsRead)?;
        let now = OffsetDateTime::now_utc();
        let mut conn = self.store().snapshot().await?;
        let wave = known(&mut conn, id).await?;
        let wave = self.complete(&mut conn, wave).await?;
        let mut progress = progress::all(&mut conn).await?.remove(&Some(id)).unwrap_or_default();
        foretell(&mut progress, now);
        let moving = progress::moving(&mut conn, id, MOVING).await?;
        let (mut stuck, mut stuck_total) = progress::in_trouble(&mut conn, id, STUCK).await?;
        let waiting = waiting(&mut conn, id).await?;
        stuck_total += i64::try_from(waiting.len()).unwrap_or(i64::MAX);
        let room = usize::try_from(STUCK).unwrap_or(100).saturating_sub(stuck.len());
        stuck.extend(waiting.into_iter().take(room));
        let filter = OccurrenceFilter { wave_id: Some(id), ..OccurrenceFilter::default() };
        let newest = PageQuery { per_page: schedules::NEWEST, ..PageQuery::default() };
        Ok(WaveOverview {
            next_at: self.next_of_wave(&mut conn, id, now).await?,
            jobs: progress::jobs(&mut conn, id).await?,
            mailboxes: progress::single(&mut conn, id, SINGLE).await?,
            occurrences: schedule_rows::occurrences(&mut conn, &filter, &newest).await?.items,
            wave,
            progress,
            moving,
            stuck,
            stuck_total,
        })
    }

    /// The wave that a mailbox is in: its own, else its job's.
    pub async fn wave_of_mailbox(
        &self,
        actor: &Actor,
        mailbox: gatepost_contract::MailboxId,
    ) -> Result<Option<WaveRef>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        let known = mailboxes::get(&mut conn, mailbox).await?.ok_or(crate::Error::NotFound("mailbox"))?;
        match rows::of_mailbox(&mut conn, mailbox).await? {
            Some(own) => Ok(Some(own)),
            None => Ok(rows::of_job(&mut conn, known.job_id).await?),
        }
    }

    /// The wave that a job as a whole is in.
    pub async fn wave_of_job(&self, actor: &Actor, job: JobId) -> Result<Option<WaveRef>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        jobs::found(job_rows::get(&mut conn, job).await?)?;
        Ok(rows::of_job(&mut conn, job).await?)
    }

    /// A wave with its schedule and its pause.
    pub(super) async fn complete(&self, conn: &mut Conn, wave: Wave) -> Result<Wave> {
        let pauses = pause_rows::list(conn).await?;
        complete_with(conn, wave, &pauses, OffsetDateTime::now_utc()).await
    }
}

async fn complete_with(conn: &mut Conn, wave: Wave, pauses: &[Pause], now: OffsetDateTime) -> Result<Wave> {
    let schedule = schedule_rows::of(conn, Owner::Wave(wave.id)).await?;
    Ok(Wave {
        schedule: schedule.map(|row| schedules::view(row, now)),
        pause: pauses.iter().find(|pause| pause.wave_id == Some(wave.id)).cloned(),
        ..wave
    })
}

/// When nothing is left, at the speed of the runs at work.
fn foretell(progress: &mut WaveProgress, now: OffsetDateTime) {
    progress.eta_seconds = match progress {
        WaveProgress { mailboxes: 0, .. } => None,
        // Bytes are an estimate, messages are not: what was rewritten on arrival may weigh less.
        WaveProgress { messages_left: 0, running: 0, messages_source: 1.., .. } => Some(0),
        WaveProgress { bytes_per_second, bytes_left, .. } if *bytes_per_second > 0.0 => {
            Some((*bytes_left as f64 / *bytes_per_second).ceil() as i64)
        }
        _ => None,
    };
    let left = progress.eta_seconds.map(Duration::seconds).filter(|left| *left <= FURTHEST);
    progress.ends_at = left.and_then(|left| now.checked_add(left)).map(clock::text);
}

/// Mailboxes whose run waits: for a budget, a server, a place, or because of a pause.
async fn waiting(conn: &mut Conn, wave: WaveId) -> Result<Vec<WaveTrouble>> {
    let mut active = progress::active(conn, wave, LOOKED_AT).await?;
    pauses::explain(conn, &mut active).await?;
    let queued: Vec<_> = active.iter().filter(|run| run.status == RunStatus::Queued).map(|run| run.id).collect();
    let held: HashMap<_, _> = pause_rows::held(conn, &queued).await?.into_iter().collect();
    let trouble = |run: Run| {
        let why = run.progress.waiting?;
        let kind = match run.status {
            RunStatus::Queued if held.contains_key(&run.id) => TroubleKind::Paused,
            // It has its turn when another is done: that is no trouble.
            RunStatus::Queued => return None,
            _ => TroubleKind::Waiting,
        };
        let (mailbox_id, email) = (run.mailbox_id?, run.email.unwrap_or_default());
        Some(WaveTrouble { kind, job_id: run.job_id, domain: run.domain, mailbox_id, email, why, run_id: Some(run.id) })
    };
    Ok(active.into_iter().filter_map(trouble).collect())
}
