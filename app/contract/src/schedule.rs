//! Schedules: when runs start by themselves. One is in force for each mailbox: that of its own wave, else that of its
//! job, else that of its job's wave, else the installation's.

use crate::names::{UnknownName, names};
use crate::{JobId, OccurrenceId, Pause, ScheduleId, WaveId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// Whose schedule it is.
    "schedule scope" ScheduleScope {
        /// Of every job that has none of its own; it comes from the configuration.
        Default = "default",
        /// Of a wave.
        Wave = "wave",
        /// Of a job.
        Job = "job",
    }
}

names! {
    /// What became of a moment at which runs were due.
    "occurrence state" OccurrenceState {
        /// Runs were started.
        Started = "started",
        /// None was started, for a reason: the runs before were still at work, or it was paused.
        Skipped = "skipped",
        /// Gatepost was not at work then, and when it was again it was too late.
        Missed = "missed",
        /// They could not be started.
        Failed = "failed",
    }
}

/// When runs start by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Whose it is.
    pub scope: ScheduleScope,
    /// The job, where it is a job's.
    pub job_id: Option<JobId>,
    /// The wave, where it is a wave's.
    pub wave_id: Option<WaveId>,
    /// The job's domain or the wave's name; empty for the installation's.
    pub subject: String,
    /// Minute, hour, day of the month, month, day of the week.
    pub expression: String,
    /// The time zone in which it counts: `Europe/Lisbon`.
    pub time_zone: String,
    /// The hours of the day in which runs may start, in that zone: `20:00-06:00`.
    pub window: Option<String>,
    /// Each job starts up to so many minutes later, always as much later as the time before: not all at once.
    pub jitter_minutes: i64,
    /// False: nothing starts by itself.
    pub enabled: bool,
    /// The next moments, at most five, without what each job waits beyond them; none where it is not enabled.
    pub next: Vec<ScheduleMoment>,
    /// Who last changed it.
    pub updated_by: String,
    /// When.
    pub updated_at: String,
}

/// A moment at which runs are due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleMoment {
    /// In UTC.
    pub at: String,
    /// As clocks of the schedule's zone show it: `2026-11-21 18:00 WET`.
    pub local: String,
}

/// What a person says about a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleInput {
    /// Minute, hour, day of the month, month, day of the week: `0 */6 * * *`.
    pub expression: String,
    /// A name of the IANA database; that of the installation where left out.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `20:00-06:00`: the hours in which runs may start; any where left out.
    #[serde(default)]
    pub window: Option<String>,
    /// 0 to 720; 10 where left out.
    #[serde(default)]
    pub jitter_minutes: Option<i64>,
    /// False: nothing starts by itself.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

/// A moment at which runs were due, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Occurrence {
    /// Its id.
    pub id: OccurrenceId,
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The job.
    pub job_id: JobId,
    /// The job's domain.
    pub domain: String,
    /// When runs were due, by the schedule alone.
    pub due_at: String,
    /// When it was decided what becomes of it.
    pub decided_at: String,
    /// What became of it.
    pub state: OccurrenceState,
    /// Why, in a sentence, where there is something to say.
    pub reason: Option<String>,
    /// How many runs were started.
    pub runs: i64,
}

/// Which occurrences are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct OccurrenceFilter {
    /// Of this job.
    #[serde(default)]
    pub job_id: Option<JobId>,
    /// By the schedule of this wave.
    #[serde(default)]
    pub wave_id: Option<WaveId>,
    /// Of which this became.
    #[serde(default)]
    pub state: Option<OccurrenceState>,
}

/// What a job will do by itself, and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobPlan {
    /// The schedule that is in force for the job's mailboxes, but for those that are in a wave of their own.
    pub schedule: Schedule,
    /// The wave that the job as a whole is in.
    pub wave: Option<WaveRef>,
    /// When runs start next, with what this job waits beyond the moment of the schedule.
    pub next_at: Option<String>,
    /// Why nothing starts by itself, where that is so.
    pub idle: Option<String>,
    /// Pauses that hold runs of this job back: its own, its wave's, a host's, everything's.
    pub pauses: Vec<Pause>,
    /// The newest moments, newest first, at most twenty.
    pub occurrences: Vec<Occurrence>,
}

/// A wave by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveRef {
    /// Its id.
    pub id: WaveId,
    /// Its name.
    pub name: String,
}
