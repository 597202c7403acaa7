//! Pauses: everything, a host, a wave or a job rests until somebody lets it go on. A pause is a row that handing out runs
//! looks at; runs at work see it at their next heartbeat, end at the next message and go back into the queue.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, validate::Checker, waves};
use gatepost_contract::{NewPause, Pause, PauseId, PauseScope, Phase, Run, RunId, RunStatus, Scope};
use gatepost_store::{
    Conn, jobs,
    pauses::{self, NewPauseRow},
    runs,
};
use std::collections::HashMap;

impl Gatepost {
    /// Every pause that lasts, the widest first.
    pub async fn pauses(&self, actor: &Actor) -> Result<Vec<Pause>> {
        actor.read(Scope::JobsRead)?;
        Ok(pauses::list(&mut *self.store().reader().await?).await?)
    }

    /// Lets something rest. For everything, for a host and for a wave of many jobs that takes an ops lead or a super admin.
    pub async fn pause(&self, actor: &Actor, new: NewPause) -> Result<Pause> {
        may(actor, new.scope)?;
        let mut checker = Checker::new();
        let reason = checker.text("reason", &new.reason, 0..=500, false);
        let host = match (new.scope, &new.host) {
            (PauseScope::Host, Some(host)) => Some(checker.host("host", host)),
            (PauseScope::Host, None) => {
                checker.error("host", "must name the host");
                None
            }
            _ => None,
        };
        let (job_id, wave_id) = (
            new.job_id.filter(|_| new.scope == PauseScope::Job),
            new.wave_id.filter(|_| new.scope == PauseScope::Wave),
        );
        if new.scope == PauseScope::Job && job_id.is_none() {
            checker.error("job_id", "must name the job");
        }
        if new.scope == PauseScope::Wave && wave_id.is_none() {
            checker.error("wave_id", "must name the wave");
        }
        checker.finish()?;
        let mut tx = self.store().begin().await?;
        if let Some(id) = job_id
            && found(jobs::get(&mut tx, id).await?)?.phase == Phase::Closed
        {
            return Err(Error::conflict("closed", "The job is closed: nothing of it runs any more."));
        }
        if let Some(id) = wave_id {
            waves::known(&mut tx, id).await?;
            waves::may_change(&mut tx, actor, id).await?;
        }
        let paused_by = actor.label();
        let row = NewPauseRow {
            scope: new.scope,
            job_id,
            wave_id,
            host: host.as_deref(),
            reason: &reason,
            paused_by: &paused_by,
        };
        let id = pauses::insert(&mut tx, &row, &clock::now()).await.map_err(|error| match error {
            gatepost_store::Error::Exists { .. } => Error::conflict("already_paused", "It is paused already."),
            other => other.into(),
        })?;
        let pause = pauses::get(&mut tx, id).await?.ok_or(Error::NotFound("pause"))?;
        write(&mut tx, actor, "pause.begin", &pause).await?;
        tx.commit().await?;
        tracing::warn!(scope = %pause.scope, subject = pause.subject, by = pause.paused_by, "paused");
        Ok(pause)
    }

    /// Lets it go on. What was held back is handed out again at once.
    pub async fn resume(&self, actor: &Actor, id: PauseId) -> Result<()> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let pause = pauses::get(&mut tx, id).await?.ok_or(Error::NotFound("pause"))?;
        may(actor, pause.scope)?;
        if let Some(wave) = pause.wave_id {
            waves::may_change(&mut tx, actor, wave).await?;
        }
        pauses::delete(&mut tx, id).await?;
        write(&mut tx, actor, "pause.end", &pause).await?;
        tx.commit().await?;
        tracing::info!(scope = %pause.scope, subject = pause.subject, by = actor.label(), "resumed");
        self.crew().wake();
        Ok(())
    }

    /// The sentence of the pause that holds a run back, if one does.
    pub(crate) async fn held_back(&self, run: RunId) -> Result<Option<String>> {
        let mut conn = self.store().reader().await?;
        if !pauses::any(&mut conn).await? {
            return Ok(None);
        }
        let Some(id) = pauses::holding(&mut conn, run).await? else { return Ok(None) };
        Ok(pauses::get(&mut conn, id).await?.map(|pause| sentence(&pause)))
    }
}

/// Says of runs that wait in the queue what they wait for, where it is a pause or a place in their wave.
pub(crate) async fn explain(conn: &mut Conn, all: &mut [Run]) -> Result<()> {
    let queued: Vec<RunId> = all.iter().filter(|run| run.status == RunStatus::Queued).map(|run| run.id).collect();
    if queued.is_empty() {
        return Ok(());
    }
    let mut why: HashMap<RunId, String> = HashMap::new();
    let now = gatepost_store::clock::seconds(conn).await?;
    for (run, wave) in runs::waiting_for_a_place(conn, &queued, now).await? {
        let most = wave.mailboxes_at_once.unwrap_or_default();
        let sentence =
            format!("The wave {} works on {most} mailboxes at once; this one waits for its turn.", wave.name);
        why.insert(run, sentence);
    }
    if pauses::any(conn).await? {
        let pauses: HashMap<PauseId, String> =
            pauses::list(conn).await?.iter().map(|pause| (pause.id, sentence(pause))).collect();
        for (run, pause) in pauses::held(conn, &queued).await? {
            if let Some(sentence) = pauses.get(&pause) {
                why.insert(run, sentence.clone());
            }
        }
    }
    for run in all.iter_mut().filter(|run| run.status == RunStatus::Queued) {
        run.progress.waiting = why.remove(&run.id);
    }
    Ok(())
}

/// What is paused, by whom, since when and why.
pub(crate) fn sentence(pause: &Pause) -> String {
    let what = match pause.scope {
        PauseScope::Everything => "Everything is".to_owned(),
        PauseScope::Host => format!("The host {} is", pause.subject),
        PauseScope::Wave => format!("The wave {} is", pause.subject),
        PauseScope::Job => "The job is".to_owned(),
    };
    let why = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason.trim_end_matches('.')) };
    format!("{what} paused by {} since {}{why}.", pause.paused_by, clock::to_the_minute(&pause.paused_at))
}

/// A technician pauses what a technician works on; what is everybody's takes more.
fn may(actor: &Actor, scope: PauseScope) -> Result<()> {
    actor.manage()?;
    match scope {
        PauseScope::Everything | PauseScope::Host if !matches!(actor, Actor::Cli) => actor.approve(),
        _ => Ok(()),
    }
}

async fn write(tx: &mut Conn, actor: &Actor, action: &'static str, pause: &Pause) -> Result<()> {
    let subject = match pause.scope {
        PauseScope::Everything => "everything".to_owned(),
        PauseScope::Host => format!("host/{}", pause.subject),
        PauseScope::Wave => format!("wave/{}", pause.wave_id.map_or(0, |id| id.0)),
        PauseScope::Job => format!("job/{}", pause.job_id.map_or(0, |id| id.0)),
    };
    let mut entry = Entry::new(actor, action, subject);
    if let Some(job) = pause.job_id {
        entry = entry.job(job);
    }
    if action == "pause.end" {
        entry = entry.before(pause);
    } else {
        entry = entry.after(pause).reason(pause.reason.clone());
    }
    entry.write(tx).await?;
    Ok(())
}
