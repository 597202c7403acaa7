//! The preflight's report: plain data, in bytes and seconds.

use super::has;
use crate::mapping::{Mapped, Rule};
use crate::{FolderPath, Limits, Quota, RemoteFolder};
use gatepost_contract::SpecialUse;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many oversize messages a report names; it counts all of them.
pub const OVERSIZE_LISTED: usize = 200;

/// What the preflight found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreflightReport {
    /// Whether the first copy can start: there is no error.
    pub ok: bool,
    /// The old server.
    pub source: SideReport,
    /// The new server.
    pub dest: SideReport,
    /// Capabilities that matter for a copy.
    pub capabilities: Vec<Capability>,
    /// What is copied, and where to.
    pub folders: Vec<PlannedFolder>,
    /// Source folders that are not copied.
    pub left: Vec<LeftOut>,
    /// Messages to copy.
    pub messages: u64,
    /// Their bytes, as the source states them.
    pub bytes: u64,
    /// The largest of them.
    pub largest: u64,
    /// How many are larger than the destination takes.
    pub oversize_total: u64,
    /// The first [`OVERSIZE_LISTED`] of these.
    pub oversize: Vec<Oversize>,
    /// How many of the messages the destination seems to hold already, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<u64>,
    /// Whether it fits, where the destination tells its quota.
    pub space: Option<Space>,
    /// How long the first copy may take.
    pub duration: Option<Duration>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What must be cured first, with what to do.
    pub errors: Vec<String>,
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideReport {
    /// What it calls itself.
    pub server: Option<String>,
    /// The largest message that it takes.
    pub append_limit: Option<u64>,
    /// In use.
    pub quota_used: Option<u64>,
    /// At most.
    pub quota_limit: Option<u64>,
}

impl SideReport {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            server: limits.server.clone(),
            append_limit: limits.append_limit,
            quota_used: limits.quota.map(|q| q.used),
            quota_limit: limits.quota.map(|q| q.limit),
        }
    }
}

/// A capability and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Its name.
    pub name: String,
    /// Whether the source has it.
    pub source: bool,
    /// Whether the destination has it.
    pub dest: bool,
    /// What it does for a copy.
    pub meaning: String,
}

pub(super) fn capabilities(source: &Limits, dest: &Limits) -> Vec<Capability> {
    [
        ("UIDPLUS", "the destination tells where each message was stored"),
        ("LITERAL+", "messages are sent without waiting for leave"),
        ("LITERAL-", "small messages are sent without waiting for leave"),
        ("MULTIAPPEND", "many messages are stored in one go"),
        ("CONDSTORE", "changed flags are found without reading all of them"),
        ("SPECIAL-USE", "the server says which folder is Sent, Drafts, Trash, Junk and Archive"),
        ("QUOTA", "the server tells how much room is left"),
        ("APPENDLIMIT", "the server tells how large a message may be"),
    ]
    .into_iter()
    .map(|(name, meaning)| {
        // APPENDLIMIT may carry its value (RFC 7889 section 2).
        let there = |limits: &Limits| has(limits, name) || (name == "APPENDLIMIT" && limits.append_limit.is_some());
        Capability { name: name.to_owned(), source: there(source), dest: there(dest), meaning: meaning.to_owned() }
    })
    .collect()
}

/// A source folder with its place and its figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFolder {
    /// Its path at the source.
    pub source: FolderPath,
    /// Where it goes; `None` where there is no plan.
    pub dest: Option<FolderPath>,
    /// Which rule decided.
    pub rule: Option<Rule>,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether the destination has that folder already.
    pub exists: bool,
    /// Whether it could be opened and listed.
    pub readable: bool,
    /// Its messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest of them.
    pub largest: u64,
    /// How many of them the destination's folder seems to hold already, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<u64>,
}

impl PlannedFolder {
    pub(super) fn of(mapped: &Mapped) -> Self {
        Self {
            dest: Some(mapped.dest.clone()),
            rule: Some(mapped.rule),
            special_use: mapped.special_use,
            exists: mapped.exists,
            ..Self::unplaced(&mapped.source)
        }
    }

    pub(super) fn unplaced(folder: &RemoteFolder) -> Self {
        Self {
            source: folder.path.clone(),
            dest: None,
            rule: None,
            special_use: folder.special_use,
            exists: false,
            readable: true,
            messages: 0,
            bytes: 0,
            largest: 0,
            present: None,
        }
    }
}

/// A source folder that is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path.
    pub source: FolderPath,
    /// Why.
    pub reason: String,
}

/// A message that is larger than the destination takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oversize {
    /// Its folder at the source.
    pub folder: FolderPath,
    /// Its UID there.
    pub uid: u32,
    /// Its size.
    pub size: u64,
}

/// Room at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// What the source holds.
    pub needed: u64,
    /// The same with a twentieth more, for what arrives meanwhile and for what the server adds.
    pub needed_with_margin: u64,
    /// In use at the destination.
    pub used: u64,
    /// What is left there.
    pub free: u64,
}

impl Space {
    pub(super) fn of(quota: Quota, needed: u64) -> Self {
        Self {
            needed,
            needed_with_margin: needed.saturating_add(needed / 20),
            used: quota.used,
            free: quota.limit.saturating_sub(quota.used),
        }
    }
}

/// A range of time, and the sample that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duration {
    /// At the best.
    pub low_seconds: u64,
    /// At the worst, on the same line.
    pub high_seconds: u64,
    /// Messages that were fetched to measure.
    pub sample_messages: u64,
    /// Their bytes.
    pub sample_bytes: u64,
    /// How long they took, in milliseconds.
    pub sample_millis: u64,
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |seconds: u64| match seconds {
            0..60 => format!("{seconds} s"),
            60..3600 => format!("{} min", seconds.div_ceil(60)),
            _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        };
        write!(f, "{} to {}", words(self.low_seconds), words(self.high_seconds))
    }
}
