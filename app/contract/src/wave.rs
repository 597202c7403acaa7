//! Waves: jobs and mailboxes that move together, with a schedule and limits of their own.

use crate::names::{UnknownName, names};
use crate::{Gate, JobId, MailboxId, MailboxStatus, Occurrence, Pause, Phase, Run, RunId, RunType, Schedule, WaveId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// Why a mailbox does not move.
    "trouble" TroubleKind {
        /// Its last run failed.
        Error = "error",
        /// Messages wait in quarantine.
        Quarantine = "quarantine",
        /// Its run waits for something: a host's budget, a server that wants to be left alone.
        Waiting = "waiting",
        /// A pause holds it.
        Paused = "paused",
    }
}

/// A wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Wave {
    /// Its id.
    pub id: WaveId,
    /// Its name.
    pub name: String,
    /// Free text.
    pub notes: String,
    /// Its place: runs of waves with a smaller one are begun first.
    pub position: i64,
    /// So many of its mailboxes are worked on at once at most.
    pub mailboxes_at_once: Option<i64>,
    /// So many bytes in a second at most, over all its runs.
    pub bytes_per_second: Option<i64>,
    /// How many jobs are in it as a whole.
    pub jobs: i64,
    /// How many mailboxes are in it: those of its jobs that are in no other wave, and those that are in it by themselves.
    pub mailboxes: i64,
    /// The schedule of its own, where it has one.
    pub schedule: Option<Schedule>,
    /// Its pause, while it rests.
    pub pause: Option<Pause>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A new wave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWave {
    /// Its name, 1 to 100 characters; no other wave has it.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub notes: String,
    /// Its place; behind the last where left out.
    #[serde(default)]
    pub position: Option<i64>,
    /// 1 to 1,000; no limit where left out.
    #[serde(default)]
    pub mailboxes_at_once: Option<i64>,
    /// At least 1,024; no limit where left out.
    #[serde(default)]
    pub bytes_per_second: Option<i64>,
    /// Jobs to put into it as a whole.
    #[serde(default)]
    pub job_ids: Vec<JobId>,
    /// Mailboxes to put into it by themselves.
    #[serde(default)]
    pub mailbox_ids: Vec<MailboxId>,
}

/// What changes about a wave: all of it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveSettings {
    /// Its name.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub notes: String,
    /// Its place; it stays where left out.
    #[serde(default)]
    pub position: Option<i64>,
    /// 1 to 1,000; no limit where left out.
    #[serde(default)]
    pub mailboxes_at_once: Option<i64>,
    /// At least 1,024; no limit where left out.
    #[serde(default)]
    pub bytes_per_second: Option<i64>,
}

/// Who joins and who leaves a wave. A job or a mailbox is in one wave at most: it leaves the other one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveMembers {
    /// Jobs that join as a whole.
    #[serde(default)]
    pub add_jobs: Vec<JobId>,
    /// Mailboxes that join by themselves.
    #[serde(default)]
    pub add_mailboxes: Vec<MailboxId>,
    /// Jobs that leave.
    #[serde(default)]
    pub remove_jobs: Vec<JobId>,
    /// Mailboxes that leave; they are in their job's wave again, where it is in one.
    #[serde(default)]
    pub remove_mailboxes: Vec<MailboxId>,
}

/// What runs of a wave to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveStart {
    /// `preflight`, `initial`, `delta`, `final` or `verify`.
    #[serde(rename = "type")]
    pub run_type: RunType,
}

/// What was started in a wave, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveStarted {
    /// The runs, by job and mailbox.
    pub run_ids: Vec<RunId>,
    /// Mailboxes that were left alone because a run of theirs is queued or running.
    pub busy: i64,
    /// Jobs of which none was started, and why.
    pub refused: Vec<WaveRefusal>,
}

/// Why no run of a job was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveRefusal {
    /// The job.
    pub job_id: JobId,
    /// Its domain.
    pub domain: String,
    /// The sentence.
    pub why: String,
}

/// How far a group of mailboxes is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveProgress {
    /// Mailboxes.
    pub mailboxes: i64,
    /// Of those, by status, every status once.
    pub by_status: Vec<(MailboxStatus, i64)>,
    /// Mailboxes of which everything was copied, but for what was given up on purpose.
    pub complete: i64,
    /// Messages at the sources, by the last counts.
    pub messages_source: i64,
    /// Messages that have arrived.
    pub messages_dest: i64,
    /// Messages given up on purpose: they are not waited for.
    pub messages_waived: i64,
    /// Bytes at the sources.
    pub bytes_source: i64,
    /// Bytes that have arrived.
    pub bytes_dest: i64,
    /// Bytes of the messages given up.
    pub bytes_waived: i64,
    /// Arrived ÷ source of the messages, 0 to 100.
    pub percent: f64,
    /// Messages that are still to arrive.
    pub messages_left: i64,
    /// Bytes that are still to arrive.
    pub bytes_left: i64,
    /// Runs at work.
    pub running: i64,
    /// Runs that wait.
    pub queued: i64,
    /// Bytes in a second, over the runs at work.
    pub bytes_per_second: f64,
    /// Seconds until nothing is left at this speed; none while nothing moves, 0 when nothing is left.
    pub eta_seconds: Option<i64>,
    /// When that is.
    pub ends_at: Option<String>,
}

/// A wave as the list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveSummary {
    /// The wave.
    pub wave: Wave,
    /// How far it is.
    pub progress: WaveProgress,
    /// How many of its mailboxes are in trouble.
    pub in_trouble: i64,
    /// When its runs start next by themselves.
    pub next_at: Option<String>,
}

/// All waves at a glance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WavesOverview {
    /// In their order.
    pub waves: Vec<WaveSummary>,
    /// Mailboxes of open jobs that are in no wave.
    pub without: WaveProgress,
    /// Every pause that lasts.
    pub pauses: Vec<Pause>,
}

/// One wave: what moves, what is stuck, when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveOverview {
    /// The wave.
    pub wave: Wave,
    /// How far it is.
    pub progress: WaveProgress,
    /// When its runs start next by themselves.
    pub next_at: Option<String>,
    /// What moves: runs at work, oldest first, at most fifty.
    pub moving: Vec<Run>,
    /// What is stuck, at most a hundred.
    pub stuck: Vec<WaveTrouble>,
    /// How many are stuck in all.
    pub stuck_total: i64,
    /// Its jobs, and those of which single mailboxes are in it.
    pub jobs: Vec<WaveJob>,
    /// Mailboxes that are in it by themselves, at most two hundred.
    pub mailboxes: Vec<WaveMailbox>,
    /// What its schedule did, newest first, at most twenty.
    pub occurrences: Vec<Occurrence>,
}

/// A mailbox of a wave that does not move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveTrouble {
    /// What kind.
    pub kind: TroubleKind,
    /// The job.
    pub job_id: JobId,
    /// Its domain.
    pub domain: String,
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its address.
    pub email: String,
    /// The sentence.
    pub why: String,
    /// The run that tells more, where there is one.
    pub run_id: Option<RunId>,
}

/// A job of a wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveJob {
    /// The job.
    pub job_id: JobId,
    /// Its domain.
    pub domain: String,
    /// Whether all of it is in the wave, and not only single mailboxes.
    pub whole: bool,
    /// Where it stands.
    pub phase: Phase,
    /// The verdict.
    pub gate: Gate,
    /// How many of its mailboxes are in the wave.
    pub mailboxes: i64,
    /// How many of those are in trouble.
    pub in_trouble: i64,
    /// Arrived ÷ source of those, 0 to 100.
    pub percent: f64,
}

/// A mailbox that is in a wave by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveMailbox {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// The job.
    pub job_id: JobId,
    /// Its address.
    pub email: String,
    /// How it stands.
    pub status: MailboxStatus,
    /// Arrived ÷ source, 0 to 100.
    pub percent: f64,
}
