//! Pauses: what rests until somebody lets it go on. Nothing new is begun, and what runs ends cleanly at the next message
//! and goes back into the queue.

use crate::names::{UnknownName, names};
use crate::{JobId, PauseId, WaveId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// What rests.
    "pause scope" PauseScope {
        /// Every run of every job.
        Everything = "everything",
        /// Every run that works with a mail host, as source or as destination.
        Host = "host",
        /// Every run of a wave.
        Wave = "wave",
        /// Every run of a job.
        Job = "job",
    }
}

/// One pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pause {
    /// Its id.
    pub id: PauseId,
    /// What rests.
    pub scope: PauseScope,
    /// The job, where it is one.
    pub job_id: Option<JobId>,
    /// The wave, where it is one.
    pub wave_id: Option<WaveId>,
    /// The host, where it is one.
    pub host: Option<String>,
    /// The job's domain, the wave's or the host's name; empty for everything.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Who paused it: an address, `cli`.
    pub paused_by: String,
    /// When.
    pub paused_at: String,
    /// How many runs are held back by it, or are about to end because of it.
    pub runs: i64,
}

/// A new pause. One of the ids, or the host, is given as the scope says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPause {
    /// What is to rest.
    pub scope: PauseScope,
    /// The job, for the scope `job`.
    #[serde(default)]
    pub job_id: Option<JobId>,
    /// The wave, for the scope `wave`.
    #[serde(default)]
    pub wave_id: Option<WaveId>,
    /// The host's name, for the scope `host`.
    #[serde(default)]
    pub host: Option<String>,
    /// Why; at most 500 characters. Everybody sees it while it lasts.
    #[serde(default)]
    pub reason: String,
}
