//! How long the logs of runs are kept.
//!
//! A run's log is its lines in the database, its file below `logs/` and what its programs printed, beside that. They go
//! together, once nobody needs them any more. The run stays, with its steps and figures: the order of runs is what
//! evidence is judged by. What lies below `logs/` and belongs to no run of this database is left alone.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock};
use gatepost_contract::{Run, RunId};
use gatepost_store::{events, runs::logs as rows};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs::{self, ReadDir},
    io,
    path::{Path, PathBuf},
    time::{Duration as StdDuration, SystemTime},
};
use time::{Duration, OffsetDateTime};

/// How long it is rested between two rounds through all logs, and between two steps of a round.
const ROUND: StdDuration = StdDuration::from_secs(3600);
const STEP: StdDuration = StdDuration::from_secs(10);
/// So many files are looked at in a step.
const FILES: usize = 500;
/// So many lines of a run are forgotten in a transaction: whoever works has to write meanwhile.
const LINES: u32 = 5000;

/// The folder of the logs, as far as it was not gone through yet.
type Round = ReadDir;

/// What a step found of one run.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    bytes: u64,
    /// Something was written later than what is removed, or is no file.
    stays: bool,
}

/// Refuses where the log of a run was removed.
pub(crate) fn still_there(run: &Run) -> Result<()> {
    let Some(at) = &run.log_removed_at else { return Ok(()) };
    let ended = run.finished_at.as_deref().and_then(clock::parse);
    let kept = clock::parse(at).zip(ended).map_or(0, |(at, ended)| (at - ended).whole_days());
    let days = if kept == 1 { "a day".to_owned() } else { format!("{kept} days") };
    Err(Error::LogRemoved(format!(
        "The log of run {} was removed on {}, {days} after the run had ended (GATEPOST_LOG_RETENTION_DAYS). Its steps and \
         figures stay.",
        run.id,
        clock::to_the_minute(at)
    )))
}

impl Gatepost {
    /// Removes logs whose time is over, until the process is to end.
    pub(crate) async fn keep_logs(&self) {
        if self.config().log_retention_days == 0 {
            return;
        }
        let stopping = self.crew().stopping().clone();
        let mut round = None;
        loop {
            if let Err(error) = self.expire_some_logs(&mut round, OffsetDateTime::now_utc()).await {
                tracing::warn!(cause = ?error, "logs whose time is over could not be removed");
                round = None;
            }
            let rest = if round.is_some() { STEP } else { ROUND };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Removes the logs whose time is over at a moment: one round through all.
    pub async fn expire_logs(&self, now: OffsetDateTime) -> Result<()> {
        let mut round = None;
        loop {
            self.expire_some_logs(&mut round, now).await?;
            if round.is_none() {
                return Ok(());
            }
        }
    }

    /// One step of a round. There is another while there is a round.
    async fn expire_some_logs(&self, round: &mut Option<Round>, now: OffsetDateTime) -> Result<()> {
        let days = i64::try_from(self.config().log_retention_days).unwrap_or(i64::MAX);
        let Some(before) = Some(days).filter(|days| *days > 0).and_then(|days| now.checked_sub(Duration::days(days)))
        else {
            return Ok(());
        };
        let (folder, going_on) = (self.config().data_path.join("logs"), round.take());
        let listed = blocking(move || list(going_on, &folder, before.into())).await?;
        let (mut found, rest) = listed.map_err(Error::internal)?;
        *round = rest;
        found.retain(|_, found| !found.stays);
        self.remove_logs(found, before, now).await
    }

    /// Removes these runs' logs, of those that are needed no longer. The files go last: what is cut off before is found
    /// again by them.
    async fn remove_logs(
        &self,
        mut found: BTreeMap<RunId, Found>,
        before: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<()> {
        let asked: Vec<RunId> = found.keys().copied().collect();
        let before = clock::text(before);
        // Most have nothing to go: that is found out without keeping others from writing.
        if rows::disposable(&mut *self.store().reader().await?, &asked, &before).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.store().begin().await?;
        let over = rows::disposable(&mut tx, &asked, &before).await?;
        found.retain(|run, _| over.iter().any(|(id, _)| id == run));
        let fresh: Vec<RunId> = over.iter().filter(|(_, removed)| !removed).map(|(id, _)| *id).collect();
        let fresh = rows::set_removed(&mut tx, &fresh, &clock::text(now)).await?;
        if let (Some(first), Some(last)) = (fresh.first(), fresh.last()) {
            let of_these = || fresh.iter().filter_map(|run| found.get(run));
            let files: usize = of_these().map(|found| found.files.len()).sum();
            let bytes: u64 = of_these().map(|found| found.bytes).sum();
            let told =
                json!({"runs": fresh.len(), "first_run": first, "last_run": last, "files": files, "bytes": bytes});
            Entry::new(&Actor::Worker, "log.delete", "logs".into())
                .before(&told)
                .reason("the time was over for which logs are kept (GATEPOST_LOG_RETENTION_DAYS)")
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        for run in found.keys() {
            self.forget_lines(*run).await?;
            if self.crew().stopping().is_cancelled() {
                // Its files are found again.
                return Ok(());
            }
        }
        let files: Vec<PathBuf> = found.into_values().flat_map(|found| found.files).collect();
        blocking(move || files.iter().for_each(|path| erase(path))).await
    }

    async fn forget_lines(&self, run: RunId) -> Result<()> {
        loop {
            // What is lost of it in a loss of power is found again, too.
            let mut tx = self.store().begin_recoverable().await?;
            let gone = events::delete_some(&mut tx, run, LINES).await?;
            tx.commit().await?;
            // Another process may be at the same lines: only none is the end.
            if gone == 0 {
                return Ok(());
            }
        }
    }
}

/// The run of a log: of `run-7.log`, and of `run-7-imapsync.gz` and `run-7-imapsync.1.gz`.
fn run_of(name: &str) -> Option<RunId> {
    let rest = name.strip_prefix("run-")?;
    let (number, kind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
    let is_log = kind == ".log" || (kind.starts_with('-') && kind.ends_with(".gz"));
    // As it is written, and no other way.
    number.parse().ok().filter(|id: &i64| is_log && id.to_string() == number).map(RunId)
}

/// The next files of a round, by their runs, and the round if there may be more.
fn list(
    going_on: Option<Round>,
    folder: &Path,
    before: SystemTime,
) -> io::Result<(BTreeMap<RunId, Found>, Option<Round>)> {
    let mut found = BTreeMap::<RunId, Found>::new();
    let mut round = match going_on {
        Some(round) => round,
        None => match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((found, None)),
            other => other?,
        },
    };
    for _ in 0..FILES {
        let Some(entry) = round.next() else { return Ok((found, None)) };
        let entry = entry?;
        let Some(run) = entry.file_name().to_str().and_then(run_of) else { continue };
        // Of a link itself, not of what it leads to.
        let about = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let of_run = found.entry(run).or_default();
        if about.is_file() && about.modified()? < before {
            of_run.bytes += about.len();
            of_run.files.push(entry.path());
        } else {
            of_run.stays = true;
        }
    }
    Ok((found, Some(round)))
}

fn erase(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "a log could not be removed"),
    }
}

/// Does what waits for the disk where nobody else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

#[cfg(test)]
mod tests;
