//! Waves: jobs and mailboxes that move together, with a schedule and limits of their own. A mailbox is in its own wave,
//! else in its job's.
//!
//! A wave of more than [`MANY`] jobs is everybody's, as a host is: what would hold all of it back (its members, its
//! limits, its schedule, its pause, its removal) takes an ops lead, and so does making one so large. A technician who may
//! let a job rest must not by way of a wave let all of them rest.

mod overview;
mod speed;
#[cfg(test)]
mod tests;

pub(crate) use speed::Speeds;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, runs, validate::Checker};
use gatepost_contract::{
    JobId, MailboxId, NewWave, RunType, Wave, WaveId, WaveMembers, WaveRefusal, WaveSettings, WaveStart, WaveStarted,
};
use gatepost_store::{
    Conn, jobs, mailboxes,
    schedules::Owner,
    waves::{self as rows, WaveRow},
};
use std::collections::{BTreeMap, BTreeSet};

/// As many jobs and mailboxes join or leave at once.
const AT_ONCE: usize = 5_000;
/// A wave of more jobs than this, whole ones and those of single mailboxes, is everybody's.
pub(crate) const MANY: i64 = 50;

impl Gatepost {
    /// Makes a wave, with its members where they are given.
    pub async fn create_wave(&self, actor: &Actor, new: NewWave) -> Result<Wave> {
        actor.manage()?;
        let settings = WaveSettings {
            name: new.name,
            notes: new.notes,
            position: new.position,
            mailboxes_at_once: new.mailboxes_at_once,
            bytes_per_second: new.bytes_per_second,
        };
        let checked = checked(settings)?;
        let mut tx = self.store().begin().await?;
        let position = match checked.position {
            Some(position) => position,
            None => rows::next_position(&mut tx).await?,
        };
        let id = rows::insert(&mut tx, &checked.row(position), &actor.label(), &clock::now()).await?;
        let members = WaveMembers { add_jobs: new.job_ids, add_mailboxes: new.mailbox_ids, ..WaveMembers::default() };
        change_members(&mut tx, actor, id, &members).await?;
        let wave = known(&mut tx, id).await?;
        Entry::new(actor, "wave.create", format!("wave/{id}")).after(&wave).write(&mut tx).await?;
        tx.commit().await?;
        Ok(wave)
    }

    /// Changes what a person says of a wave. Runs at work follow a new limit of speed within seconds.
    pub async fn update_wave(&self, actor: &Actor, id: WaveId, settings: WaveSettings) -> Result<Wave> {
        actor.manage()?;
        let checked = checked(settings)?;
        let mut tx = self.store().begin().await?;
        let before = known(&mut tx, id).await?;
        may_change(&mut tx, actor, id).await?;
        rows::update(&mut tx, id, &checked.row(checked.position.unwrap_or(before.position)), &clock::now()).await?;
        let after = known(&mut tx, id).await?;
        let after = self.complete(&mut tx, after).await?;
        Entry::new(actor, "wave.update", format!("wave/{id}")).before(&before).after(&after).write(&mut tx).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(after)
    }

    /// Removes a wave with its schedule and its pause. Who was in it is in none, and goes on.
    pub async fn delete_wave(&self, actor: &Actor, id: WaveId) -> Result<()> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let before = known(&mut tx, id).await?;
        may_change(&mut tx, actor, id).await?;
        let now = clock::now();
        // First, so that the jobs which it was in force for are known to be under another one.
        gatepost_store::schedules::delete(&mut tx, Owner::Wave(id), &now).await?;
        rows::delete(&mut tx, id).await?;
        Entry::new(actor, "wave.delete", format!("wave/{id}")).before(&before).write(&mut tx).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(())
    }

    /// Lets jobs and mailboxes join and leave a wave. Where it, or one that they come from, is everybody's, that takes an
    /// ops lead.
    pub async fn change_wave_members(&self, actor: &Actor, id: WaveId, members: WaveMembers) -> Result<Wave> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        known(&mut tx, id).await?;
        change_members(&mut tx, actor, id, &members).await?;
        let wave = known(&mut tx, id).await?;
        let wave = self.complete(&mut tx, wave).await?;
        Entry::new(actor, "wave.members", format!("wave/{id}")).after(&members).write(&mut tx).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(wave)
    }

    /// Starts runs for every mailbox of a wave that is idle. What one job refuses does not keep the others.
    pub async fn start_wave(&self, actor: &Actor, id: WaveId, start: WaveStart) -> Result<WaveStarted> {
        actor.manage()?;
        let copies = [RunType::Preflight, RunType::Initial, RunType::Delta, RunType::Final, RunType::Verify];
        if !copies.contains(&start.run_type) {
            return Err(Error::field("type", "may be preflight, initial, delta, final or verify"));
        }
        let by_job = {
            let mut conn = self.store().reader().await?;
            known(&mut conn, id).await?;
            let mut by_job: BTreeMap<JobId, Vec<MailboxId>> = BTreeMap::new();
            for (job, mailbox) in rows::mailboxes(&mut conn, id).await? {
                by_job.entry(job).or_default().push(mailbox);
            }
            by_job
        };
        if by_job.is_empty() {
            return Err(Error::conflict(
                "no_mailboxes",
                "No mailbox is in the wave. Put jobs or mailboxes into it first.",
            ));
        }
        let mut started = WaveStarted::default();
        for (job, mailboxes) in by_job {
            match self.start_idle(actor, job, start.run_type, &mailboxes).await {
                Ok((run_ids, busy)) => {
                    started.run_ids.extend(run_ids);
                    started.busy += busy;
                }
                Err(Error::Conflict { detail, .. }) => {
                    let domain = self.get_job(&Actor::Worker, job).await?.domain;
                    started.refused.push(WaveRefusal { job_id: job, domain, why: detail });
                }
                Err(error) => return Err(error),
            }
        }
        self.crew().wake();
        Ok(started)
    }

    /// Starts runs for those of a job's mailboxes that are idle; which, and how many were not.
    async fn start_idle(
        &self,
        actor: &Actor,
        id: JobId,
        run_type: RunType,
        mailboxes: &[MailboxId],
    ) -> Result<(Vec<gatepost_contract::RunId>, i64)> {
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        let active = gatepost_store::runs::active_for_job(&mut tx, id).await?;
        let idle: Vec<MailboxId> = mailboxes
            .iter()
            .filter(|mailbox| !active.iter().any(|run| run.mailbox_id == Some(**mailbox)))
            .copied()
            .collect();
        let busy = i64::try_from(mailboxes.len() - idle.len()).unwrap_or(i64::MAX);
        if idle.is_empty() {
            return Ok((Vec::new(), busy));
        }
        runs::enter_by_run(&mut tx, actor, &job, run_type).await?;
        let params = runs::usual_params(run_type);
        let mut run_ids = Vec::with_capacity(idle.len());
        for mailbox in idle {
            run_ids.push(runs::enqueue(&mut tx, actor, id, mailbox, run_type, &params).await?);
        }
        tx.commit().await?;
        Ok((run_ids, busy))
    }
}

/// Puts a mailbox into the wave of this name, for those who name waves beside mailboxes.
///
/// # Errors
/// A sentence about the field `wave` where no wave has the name.
pub(crate) async fn join_by_name(tx: &mut Conn, mailbox: MailboxId, name: &str) -> Result<WaveId> {
    let Some(id) = rows::by_name(tx, name.trim()).await? else {
        return Err(Error::field("wave", format!("names no wave; there is none called {:?}", name.trim())));
    };
    rows::put_mailboxes(tx, Some(id), &[mailbox], &clock::now()).await?;
    rows::refresh_runs_of(tx, mailbox).await?;
    Ok(id)
}

pub(crate) async fn known(conn: &mut Conn, id: WaveId) -> Result<Wave> {
    rows::get(conn, id).await?.ok_or(Error::NotFound("wave"))
}

/// That somebody may change a wave, by how many jobs are in it.
pub(crate) async fn may_change(conn: &mut Conn, actor: &Actor, id: WaveId) -> Result<()> {
    if actor.can_approve() || *actor == Actor::Cli || rows::jobs_in(conn, id).await? <= MANY {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "A wave of more than {MANY} jobs is everybody's: only an ops lead or a super admin may change it."
    )))
}

async fn change_members(tx: &mut Conn, actor: &Actor, id: WaveId, members: &WaveMembers) -> Result<()> {
    let WaveMembers { add_jobs, add_mailboxes, remove_jobs, remove_mailboxes } = members;
    let mut checker = Checker::new();
    for (field, count) in [
        ("add_jobs", add_jobs.len()),
        ("add_mailboxes", add_mailboxes.len()),
        ("remove_jobs", remove_jobs.len()),
        ("remove_mailboxes", remove_mailboxes.len()),
    ] {
        if count > AT_ONCE {
            checker.error(field, format!("may name {AT_ONCE} at once"));
        }
    }
    checker.finish()?;
    let (whole, single) = rows::members(tx, id).await?;
    for job in add_jobs {
        if jobs::get(tx, *job).await?.is_none() {
            return Err(Error::field("add_jobs", format!("{job} is no job")));
        }
    }
    for mailbox in add_mailboxes {
        if mailboxes::get(tx, *mailbox).await?.is_none() {
            return Err(Error::field("add_mailboxes", format!("{mailbox} is no mailbox")));
        }
    }
    if let Some(job) = remove_jobs.iter().find(|job| !whole.contains(job)) {
        return Err(Error::field("remove_jobs", format!("{job} is not in this wave as a whole")));
    }
    if let Some(mailbox) = remove_mailboxes.iter().find(|mailbox| !single.iter().any(|(_, id)| id == *mailbox)) {
        return Err(Error::field("remove_mailboxes", format!("{mailbox} is not in this wave by itself")));
    }
    let mut concerned = BTreeSet::from([id.0]);
    for job in add_jobs {
        concerned.extend(rows::of_job(tx, *job).await?.map(|wave| wave.id.0));
    }
    for mailbox in add_mailboxes {
        concerned.extend(rows::of_mailbox(tx, *mailbox).await?.map(|wave| wave.id.0));
    }
    for wave in concerned {
        may_change(tx, actor, WaveId(wave)).await?;
    }
    let now = clock::now();
    rows::put_jobs(tx, None, remove_jobs, &now).await?;
    rows::put_mailboxes(tx, None, remove_mailboxes, &now).await?;
    rows::put_jobs(tx, Some(id), add_jobs, &now).await?;
    rows::put_mailboxes(tx, Some(id), add_mailboxes, &now).await?;
    // Not beyond what is a technician's either.
    may_change(tx, actor, id).await?;
    Ok(rows::refresh_runs(tx).await?)
}

/// What a person says of a wave, checked.
struct Checked {
    name: String,
    notes: String,
    position: Option<i64>,
    mailboxes_at_once: Option<i64>,
    bytes_per_second: Option<i64>,
}

impl Checked {
    fn row(&self, position: i64) -> WaveRow {
        WaveRow {
            name: self.name.clone(),
            notes: self.notes.clone(),
            position,
            mailboxes_at_once: self.mailboxes_at_once,
            bytes_per_second: self.bytes_per_second,
        }
    }
}

fn checked(settings: WaveSettings) -> Result<Checked> {
    let mut checker = Checker::new();
    let name = checker.text("name", &settings.name, 1..=100, false);
    let notes = checker.text("notes", &settings.notes, 0..=20_000, true);
    for (field, value, most) in
        [("position", settings.position, 1_000_000), ("mailboxes_at_once", settings.mailboxes_at_once, 1_000)]
    {
        if value.is_some_and(|value| !(1..=most).contains(&value)) {
            checker.error(field, format!("is a number from 1 to {most}"));
        }
    }
    if settings.bytes_per_second.is_some_and(|rate| rate < 1_024) {
        checker.error("bytes_per_second", "is at least 1024; leave it out for no limit");
    }
    checker.finish()?;
    Ok(Checked {
        name,
        notes,
        position: settings.position,
        mailboxes_at_once: settings.mailboxes_at_once,
        bytes_per_second: settings.bytes_per_second,
    })
}
