//! The dashboard: what moved over time, what is at work now, and when it will be done.

use crate::{
    JobId,
    names::{UnknownName, names},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// How far back a dashboard looks.
    "range" DashboardRange {
        /// A day, in points of five minutes.
        Day = "24h",
        /// A week, in points of an hour.
        Week = "7d",
        /// Ninety days, in points of a day.
        Quarter = "90d",
    }
}

impl DashboardRange {
    /// Seconds between two points.
    #[must_use]
    pub const fn step_seconds(self) -> i64 {
        match self {
            Self::Day => 300,
            Self::Week => 3_600,
            Self::Quarter => 86_400,
        }
    }

    /// How many points there are.
    #[must_use]
    pub const fn points(self) -> i64 {
        match self {
            Self::Day => 288,
            Self::Week => 168,
            Self::Quarter => 90,
        }
    }
}

/// Which dashboard is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct DashboardQuery {
    /// `24h` where left out.
    #[serde(default)]
    pub range: Option<DashboardRange>,
}

/// What Gatepost did over a time, and what it has before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dashboard {
    /// How far back it looks.
    pub range: DashboardRange,
    /// When the first point begins.
    pub from: String,
    /// When it was asked for: the last point ends here or later.
    pub to: String,
    /// Seconds that a point covers.
    pub step_seconds: i64,
    /// Every point of the range, oldest first, also where nothing happened.
    pub points: Vec<DashboardPoint>,
    /// The sums of all points.
    pub totals: DashboardTotals,
    /// How things stand now.
    pub now: DashboardNow,
    /// Waves that are not done, the one that ends last first; at most 50.
    pub waves: Vec<WaveForecast>,
    /// Open jobs with messages still to copy, the one that ends last first; at most 50.
    pub jobs: Vec<JobForecast>,
    /// Hosts that moved most over the range, the busiest first; at most 20.
    pub hosts: Vec<HostLoad>,
}

/// What happened within one step of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DashboardPoint {
    /// When the step begins.
    pub at: String,
    /// False: no worker of Gatepost was running, so that zeros mean nothing.
    pub measured: bool,
    /// Messages that were copied.
    pub messages: i64,
    /// Bytes read from source servers.
    pub bytes_read: i64,
    /// Bytes written to destination servers.
    pub bytes_written: i64,
    /// Messages that went into quarantine, and runs that failed.
    pub errors: i64,
    /// The most runs that were at work at a time.
    pub running: i64,
    /// The most runs that were queued at a time.
    pub queued: i64,
}

/// The sums over a range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DashboardTotals {
    /// Messages that were copied.
    pub messages: i64,
    /// Bytes read from source servers.
    pub bytes_read: i64,
    /// Bytes written to destination servers.
    pub bytes_written: i64,
    /// Messages that went into quarantine, and runs that failed.
    pub errors: i64,
    /// Runs that ended with all done.
    pub runs_success: i64,
    /// Runs that ended with something left over.
    pub runs_partial: i64,
    /// Runs that could not do their work.
    pub runs_failed: i64,
}

/// How things stand at this moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DashboardNow {
    /// Runs that wait for a worker.
    pub queued: i64,
    /// Runs at work.
    pub running: i64,
    /// Those of them that wait for something: a host's budget, a busy mailbox, a pause.
    pub waiting: i64,
    /// What all open jobs have still to copy.
    pub forecast: Forecast,
}

/// What is still to be copied, at what rate, and how long that takes at this rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Forecast {
    /// Messages at the sources, by the last count.
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
    /// Runs at work on it.
    pub running: i64,
    /// Bytes in a second, of all runs at work together.
    pub bytes_per_second: f64,
    /// Seconds to go; none while nothing moves, or nothing is left.
    pub eta_seconds: Option<i64>,
    /// When that is.
    pub ends_at: Option<String>,
}

impl Forecast {
    /// 0 to 100, of messages; 100 where there are none.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.messages_source <= 0 {
            return 100.0;
        }
        (self.messages_dest as f64 / self.messages_source as f64 * 100.0).clamp(0.0, 100.0)
    }

    /// Messages that are still to arrive.
    #[must_use]
    pub const fn messages_left(&self) -> i64 {
        left(self.messages_source, self.messages_dest, self.messages_waived)
    }

    /// Bytes that are still to arrive.
    #[must_use]
    pub const fn bytes_left(&self) -> i64 {
        left(self.bytes_source, self.bytes_dest, self.bytes_waived)
    }
}

const fn left(source: i64, arrived: i64, waived: i64) -> i64 {
    let left = source.saturating_sub(arrived).saturating_sub(waived);
    if left > 0 { left } else { 0 }
}

/// When a wave will be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaveForecast {
    /// The wave's id.
    pub wave_id: i64,
    /// Its name.
    pub name: String,
    /// What it has before it.
    pub forecast: Forecast,
}

/// When a job will be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobForecast {
    /// The job's id.
    pub job_id: JobId,
    /// Its domain.
    pub domain: String,
    /// What it has before it.
    pub forecast: Forecast,
}

/// What a host moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostLoad {
    /// The host's name; empty for all hosts beyond those that are counted one by one.
    pub host: String,
    /// Bytes read from it.
    pub bytes_read: i64,
    /// Bytes written to it.
    pub bytes_written: i64,
}
