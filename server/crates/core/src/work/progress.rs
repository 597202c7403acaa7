//! A run's onlooker: collects steps, progress and log lines, and writes them to the store and to the log file a few
//! times a second, so that copying never waits for bookkeeping.

use crate::{Gatepost, clock};
use gatepost_contract::{Level, Progress, RunId, RunStatus};
use gatepost_store::{events, runs, steps};
use gatepost_transfer::Watch;
use std::{
    collections::VecDeque,
    io::Write,
    path::PathBuf,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often what has changed is written.
const WRITE_EVERY: Duration = Duration::from_millis(400);
/// The stretch of time that the speed is taken over.
const SPEED_WINDOW: Duration = Duration::from_secs(30);
/// Log lines beyond this many in one run are counted, not kept, in the database; the log file has them all.
const MAX_EVENTS: usize = 20_000;

/// The onlooker of one run.
pub(crate) struct RunWatch {
    run: RunId,
    worker: String,
    log_path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: Vec<StepState>,
    lines: Vec<Line>,
    written_lines: usize,
    dirty: bool,
    /// Messages and bytes to do in steps that have begun, and done so far.
    speed: VecDeque<(Instant, u64)>,
}

struct StepState {
    name: String,
    status: RunStatus,
    done: u64,
    total: u64,
    bytes_done: u64,
    bytes_total: u64,
    note: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    dirty: bool,
}

struct Line {
    at: String,
    level: Level,
    kind: String,
    message: String,
}

impl RunWatch {
    pub fn new(run: RunId, worker: String, log_path: PathBuf) -> Self {
        Self { run, worker, log_path, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn step(&self, step: usize, change: impl FnOnce(&mut StepState)) {
        let mut state = self.state();
        if let Some(step) = state.steps.get_mut(step) {
            change(step);
            step.dirty = true;
            state.dirty = true;
        }
    }

    /// Writes now and then until the work is through; it is not dropped in the middle of a write.
    pub async fn keep_writing(&self, gatepost: &Gatepost, through: &CancellationToken) {
        let mut tick = tokio::time::interval(WRITE_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !through.is_cancelled() {
            tokio::select! {
                _ = tick.tick() => {}
                () = through.cancelled() => {}
            }
            self.flush(gatepost).await;
        }
    }

    /// Writes what has changed. A failure is logged; the steps are written again with the next.
    pub async fn flush(&self, gatepost: &Gatepost) {
        let (changed, lines, progress) = {
            let mut state = self.state();
            if !state.dirty && state.lines.is_empty() {
                return;
            }
            state.dirty = false;
            let changed: Vec<steps::NewStep> = state
                .steps
                .iter_mut()
                .enumerate()
                .filter_map(|(n, s)| std::mem::take(&mut s.dirty).then(|| s.row(n as i64 + 1)))
                .collect();
            (changed, std::mem::take(&mut state.lines), state.progress())
        };
        self.append_to_file(&lines);
        if let Err(error) = self.write(gatepost, &changed, &lines, &progress).await {
            tracing::warn!(run = %self.run, %error, "the progress of a run could not be written");
            let mut state = self.state();
            state.steps.iter_mut().for_each(|step| step.dirty = true);
            state.dirty = true;
        }
        gatepost.changed(self.run);
    }

    async fn write(
        &self,
        gatepost: &Gatepost,
        changed: &[steps::NewStep],
        lines: &[Line],
        progress: &Progress,
    ) -> crate::Result<()> {
        let room = {
            let mut state = self.state();
            let room = MAX_EVENTS.saturating_sub(state.written_lines).min(lines.len());
            state.written_lines += room;
            room
        };
        let rows: Vec<events::NewEvent> = lines[..room]
            .iter()
            .map(|l| events::NewEvent {
                at: l.at.clone(),
                level: l.level,
                kind: l.kind.clone(),
                message: l.message.clone(),
            })
            .collect();
        let mut tx = gatepost.store().begin().await?;
        for step in changed {
            steps::put(&mut tx, self.run, step).await?;
        }
        if !rows.is_empty() {
            events::add(&mut tx, self.run, &rows).await?;
        }
        runs::progress(&mut tx, self.run, &self.worker, progress).await?;
        tx.commit().await?;
        Ok(())
    }

    fn append_to_file(&self, lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        let mut text = String::new();
        for line in lines {
            text.push_str(&format!(
                "{} {:5} {}: {}\n",
                line.at,
                line.level,
                line.kind,
                line.message.replace('\n', " ")
            ));
        }
        let written = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log_path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(run = %self.run, path = %self.log_path.display(), %error, "the log file could not be written");
        }
    }
}

impl StepState {
    fn row(&self, position: i64) -> steps::NewStep {
        steps::NewStep {
            position,
            kind: "folder".into(),
            name: self.name.clone(),
            status: self.status,
            done: whole(self.done),
            total: whole(self.total),
            bytes_done: whole(self.bytes_done),
            bytes_total: whole(self.bytes_total),
            note: self.note.clone(),
            started_at: self.started_at.clone(),
            finished_at: self.finished_at.clone(),
        }
    }
}

impl State {
    fn progress(&mut self) -> Progress {
        let sum = |f: fn(&StepState) -> u64| self.steps.iter().map(f).sum::<u64>();
        let (done, total) = (sum(|s| s.done), sum(|s| s.total));
        let (bytes_done, bytes_total) = (sum(|s| s.bytes_done), sum(|s| s.bytes_total));
        let now = Instant::now();
        self.speed.push_back((now, bytes_done));
        while self.speed.front().is_some_and(|(at, _)| now.duration_since(*at) > SPEED_WINDOW) {
            self.speed.pop_front();
        }
        let bytes_per_second = match self.speed.front() {
            Some((at, then)) if now.duration_since(*at) > Duration::from_millis(200) => {
                bytes_done.saturating_sub(*then) as f64 / now.duration_since(*at).as_secs_f64()
            }
            _ => 0.0,
        };
        // Only once every folder has been counted is there anything to foretell.
        let counted = self.steps.iter().all(|s| s.status != RunStatus::Queued);
        let eta_seconds = (counted && bytes_per_second > 1.0)
            .then(|| (bytes_total.saturating_sub(bytes_done) as f64 / bytes_per_second).ceil() as i64);
        Progress {
            done: whole(done),
            total: whole(total),
            bytes_done: whole(bytes_done),
            bytes_total: whole(bytes_total),
            bytes_per_second,
            eta_seconds,
        }
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Watch for RunWatch {
    fn steps(&self, names: &[String]) {
        let mut state = self.state();
        state.steps = names
            .iter()
            .map(|name| StepState {
                name: name.clone(),
                status: RunStatus::Queued,
                done: 0,
                total: 0,
                bytes_done: 0,
                bytes_total: 0,
                note: None,
                started_at: None,
                finished_at: None,
                dirty: true,
            })
            .collect();
        state.dirty = true;
    }

    fn expect(&self, step: usize, messages: u64) {
        self.step(step, |s| s.total = messages);
    }

    fn begin(&self, step: usize, messages: u64, bytes: u64) {
        self.step(step, |s| {
            s.status = RunStatus::Running;
            (s.done, s.bytes_done) = (0, 0);
            (s.total, s.bytes_total) = (messages, bytes);
            s.started_at.get_or_insert_with(clock::now);
        });
    }

    fn done(&self, step: usize, messages: u64, bytes: u64) {
        self.step(step, |s| {
            s.done += messages;
            s.bytes_done += bytes;
        });
    }

    fn end(&self, step: usize, result: Result<Option<String>, String>) {
        self.step(step, |s| {
            s.finished_at = Some(clock::now());
            (s.status, s.note) = match result {
                Ok(note) => (RunStatus::Success, note),
                Err(note) => (RunStatus::Failed, Some(note)),
            };
        });
    }

    fn note(&self, level: Level, kind: &str, message: String) {
        self.state().lines.push(Line { at: clock::now(), level, kind: kind.to_owned(), message });
    }
}
