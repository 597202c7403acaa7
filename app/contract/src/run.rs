//! Runs, their steps and their log.

use crate::{EventId, JobId, Level, MailboxId, RunId, RunStatus, RunType, StepId, Tool};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One execution on a mailbox or a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The job.
    pub job_id: JobId,
    /// The job's domain.
    pub domain: String,
    /// The mailbox, or none for a run on the whole job.
    pub mailbox_id: Option<MailboxId>,
    /// The mailbox's address.
    pub email: Option<String>,
    /// What it does.
    pub run_type: RunType,
    /// With what.
    pub tool: Tool,
    /// How it stands.
    pub status: RunStatus,
    /// 0 success, 1 failed, 3 something left over, 130 cancelled; that of an external program otherwise.
    pub exit_code: Option<i64>,
    /// Figures by name: `transferred`, `errors`, `folders`, `bytes`, …
    pub stats: BTreeMap<String, serde_json::Value>,
    /// The closing sentence of the run.
    pub summary: Option<String>,
    /// When it was asked for.
    pub queued_at: String,
    /// When a worker took it.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// A user's id, or `worker`.
    pub triggered_by: String,
    /// When its log was removed, because its time was over; asking for it is answered with 410.
    #[serde(default)]
    pub log_removed_at: Option<String>,
    /// Progress while it runs.
    pub progress: Progress,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Messages done.
    pub done: i64,
    /// Messages to do; 0 while unknown.
    pub total: i64,
    /// Bytes done.
    pub bytes_done: i64,
    /// Bytes to do.
    pub bytes_total: i64,
    /// Bytes in a second, over the last half minute.
    pub bytes_per_second: f64,
    /// Seconds to go, where it can be told.
    pub eta_seconds: Option<i64>,
    /// What the run waits for and until when, while it waits.
    #[serde(default)]
    pub waiting: Option<String>,
}

impl Progress {
    /// 0 to 100, of messages, or of bytes while it reads a file whose messages nobody has counted; 0 while the total is
    /// unknown.
    #[must_use]
    pub fn percent(&self) -> f64 {
        let (done, total) = if self.total > 0 { (self.done, self.total) } else { (self.bytes_done, self.bytes_total) };
        if total <= 0 { 0.0 } else { (done as f64 / total as f64 * 100.0).clamp(0.0, 100.0) }
    }
}

/// One step of a run: a log-in, a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// Its place in the run, from 1.
    pub position: i64,
    /// What it is: `login`, `plan`, or `folder`.
    pub kind: String,
    /// A folder's path, or what else the step is about.
    pub name: String,
    /// How it stands.
    pub status: RunStatus,
    /// Messages done.
    pub done: i64,
    /// Messages to do.
    pub total: i64,
    /// Bytes done.
    pub bytes_done: i64,
    /// Bytes to do.
    pub bytes_total: i64,
    /// Why it failed, or what is worth knowing.
    pub note: Option<String>,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// A line of a run's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its id; ask for what comes after it.
    pub id: EventId,
    /// When.
    pub at: String,
    /// How loud.
    pub level: Level,
    /// What kind, for programs: `step`, `message`, `folder`, `connection`, `plan`, …
    pub kind: String,
    /// The sentence.
    pub message: String,
}

/// What a live view needs of a run, sent as it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// Its steps in order.
    pub steps: Vec<Step>,
}

/// Which runs to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SyncRequest {
    /// `initial`, `delta` or `final`.
    #[serde(rename = "type")]
    pub run_type: RunType,
    /// Only these mailboxes; all of the job where left out.
    #[serde(default)]
    pub mailbox_ids: Vec<MailboxId>,
}

/// How to verify.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyRequest {
    /// `standard` where left out.
    #[serde(default)]
    pub depth: Option<crate::Depth>,
    /// True: a deep verification reads every message, and not a sample.
    #[serde(default)]
    pub all: bool,
    /// How many of a hundred messages a deep verification reads, 0 to 100; 5 where left out. The first, the last and the
    /// largest of every folder, and 200 of a mailbox, are read in any case.
    #[serde(default)]
    pub sample_percent: Option<f64>,
    /// What decides which messages are in the sample: the same seed chooses the same ones again. The run's figures tell
    /// the one that was used.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Only these mailboxes; all of the job where left out.
    #[serde(default)]
    pub mailbox_ids: Vec<MailboxId>,
}

/// The runs that were started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Started {
    /// In the order of the mailboxes.
    pub run_ids: Vec<RunId>,
}
