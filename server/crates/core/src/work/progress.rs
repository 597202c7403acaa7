//! A run's onlooker: collects steps, progress and log lines, and writes them to the store and to the log file a few
//! times a second, so that copying never waits for bookkeeping.

use crate::{
    Gatepost, clock,
    meter::Count,
    pace::{self, Figures, Pace},
};
use gatepost_contract::{Level, Progress, RunId, RunStatus};
use gatepost_store::{events, runs, steps};
use gatepost_transfer::{Budget, Throttle, Watch};
use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often what has changed is written.
const WRITE_EVERY: Duration = Duration::from_millis(400);
/// Log lines beyond this many in one run are counted, not kept, in the database; the log file has them all.
const MAX_EVENTS: usize = 20_000;

/// The onlooker of one run.
pub(crate) struct RunWatch {
    run: RunId,
    worker: String,
    log_path: PathBuf,
    /// How fast bytes may pass: as the run's wave says.
    pub throttle: Arc<Throttle>,
    /// Where what it copies is counted, once its hosts are known.
    count: OnceLock<Count>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: Vec<StepState>,
    lines: Vec<Line>,
    written_lines: usize,
    dirty: bool,
    pace: Pace,
    /// What it waits for; over when anything is done again.
    waiting: Option<String>,
}

struct StepState {
    kind: &'static str,
    name: String,
    status: RunStatus,
    figures: Figures,
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
        Self { run, worker, log_path, throttle: Arc::default(), count: OnceLock::new(), state: Mutex::default() }
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
            state.waiting = None;
        }
    }

    /// What the run copies is counted here.
    pub fn count(&self, count: Count) {
        let _ = self.count.set(count);
    }

    /// The run is bound by these budgets, of the source and of the destination.
    pub fn bind(&self, source: Arc<Budget>, dest: Arc<Budget>) {
        self.state().pace.bind(source, dest);
    }

    /// What follows reads these files through, each of so many bytes.
    pub fn files(&self, files: &[(&str, u64)]) {
        let step = |(name, bytes): &(&str, u64)| {
            let figures = Figures { counted: true, begun: true, bytes_total: *bytes, ..Figures::default() };
            StepState::new("file", name, figures)
        };
        self.state().begin(files.iter().map(step).collect());
    }

    /// Forgets the steps: others follow that have nothing to do with them.
    pub async fn clear(&self, gatepost: &Gatepost) -> crate::Result<()> {
        self.flush(gatepost).await;
        self.state().begin(Vec::new());
        let mut tx = gatepost.store().begin().await?;
        steps::clear(&mut tx, self.run).await?;
        Ok(tx.commit().await?)
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
    fn new(kind: &'static str, name: &str, figures: Figures) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            status: RunStatus::Queued,
            figures,
            note: None,
            started_at: None,
            finished_at: None,
            dirty: true,
        }
    }

    fn row(&self, position: i64) -> steps::NewStep {
        steps::NewStep {
            position,
            kind: self.kind.into(),
            name: self.name.clone(),
            status: self.status,
            done: whole(self.figures.done),
            total: whole(self.figures.total),
            bytes_done: whole(self.figures.bytes_done),
            bytes_total: whole(self.figures.bytes_total),
            note: self.note.clone(),
            started_at: self.started_at.clone(),
            finished_at: self.finished_at.clone(),
        }
    }
}

impl State {
    /// Another stretch of work begins.
    fn begin(&mut self, steps: Vec<StepState>) {
        self.steps = steps;
        self.pace.restart();
        self.waiting = None;
        self.dirty = true;
    }

    fn progress(&mut self) -> Progress {
        let sum = pace::sum(self.steps.iter().map(|s| s.figures));
        self.pace.note(Instant::now(), &sum);
        let left = self.pace.left(&sum);
        Progress {
            done: whole(sum.done),
            total: whole(sum.total),
            bytes_done: whole(sum.bytes_done),
            bytes_total: whole(sum.bytes_total),
            bytes_per_second: self.pace.bytes_per_second(),
            eta_seconds: left.map(|left| whole(left.as_secs_f64().ceil() as u64)),
            waiting: self.waiting.clone(),
        }
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Watch for RunWatch {
    fn steps(&self, names: &[String]) {
        self.state().begin(names.iter().map(|name| StepState::new("folder", name, Figures::default())).collect());
    }

    fn expect(&self, step: usize, messages: u64) {
        self.step(step, |s| s.figures.expect(messages));
    }

    fn begin(&self, step: usize, messages: u64, bytes: u64) {
        self.step(step, |s| {
            s.status = RunStatus::Running;
            s.figures.begin(messages, bytes);
            s.started_at.get_or_insert_with(clock::now);
        });
    }

    fn done(&self, step: usize, messages: u64, bytes: u64) {
        self.step(step, |s| s.figures.add(messages, bytes));
    }

    fn copied(&self, messages: u64, bytes: u64) {
        if let Some(count) = self.count.get() {
            count.copied(messages, bytes);
        }
    }

    fn end(&self, step: usize, result: Result<Option<String>, String>) {
        self.step(step, |s| {
            s.finished_at = Some(clock::now());
            s.figures.counted = true;
            (s.status, s.note) = match result {
                Ok(note) => (RunStatus::Success, note),
                Err(note) => (RunStatus::Failed, Some(note)),
            };
        });
    }

    fn note(&self, level: Level, kind: &str, message: String) {
        let mut state = self.state();
        // A budget that is spent, and a server that wants to be left alone, say until when.
        if level == Level::Warn && matches!(kind, "budget" | "connection") {
            state.waiting = Some(message.clone());
            state.dirty = true;
        }
        // One step quieter than in the run's own log: what is wrong with a mailbox is nothing wrong with the server.
        match (level, kind) {
            (Level::Error, _) => tracing::warn!(about = kind, "{message}"),
            (Level::Warn, _) | (Level::Info, "run") => tracing::info!(about = kind, "{message}"),
            _ => tracing::debug!(about = kind, "{message}"),
        }
        state.lines.push(Line { at: clock::now(), level, kind: kind.to_owned(), message });
    }
}
