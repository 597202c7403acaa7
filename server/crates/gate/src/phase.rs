//! The one table of phases: which may follow which, and which run may start where.
//!
//! `discovered → preflight → initial_sync → delta_sync → cutover_ready → dns_cutover → final_sync → verified →
//! closed`. Every phase but `closed` may fail, and a retry returns to the phase that failed and to no other.
//! Staying in a phase (another preflight, another delta) is not a transition. This module does not know who asks,
//! nor whether the gate is open; it only says what is possible.

use gatepost_contract::{Phase, RunType};

/// One possible change of phase, with why it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What the phase is.
    pub from: Phase,
    /// What it becomes.
    pub to: Phase,
    /// What the change means, for the phase history.
    pub why: &'static str,
}

/// A phase or a run that is not possible now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhaseError {
    /// The table has no such row.
    #[error("A job in phase {from} cannot go to {to}; from {from} {possible}.")]
    NotPossible {
        /// What the phase is.
        from: Phase,
        /// What was asked for.
        to: Phase,
        /// What would be possible.
        possible: String,
    },
    /// The run may not start in this phase.
    #[error("The run {run} cannot start in phase {phase}: {instead}.")]
    RunNotPossible {
        /// The job's phase.
        phase: Phase,
        /// What was to be started.
        run: RunType,
        /// What to do instead.
        instead: &'static str,
    },
}

macro_rules! table {
    ($($from:ident => { $($to:ident: $why:literal),* $(,)? })+) => {
        /// What may follow a phase. Of `failed` this is empty: only a retry leads out of it, to the phase that failed.
        #[must_use]
        pub const fn next(from: Phase) -> &'static [Phase] {
            match from { $(Phase::$from => &[$(Phase::$to),*]),+ }
        }

        const fn why(from: Phase, to: Phase) -> Option<&'static str> {
            match (from, to) {
                $($((Phase::$from, Phase::$to) => Some($why),)*)+
                _ => None,
            }
        }
    };
}

table! {
    Discovered => {
        Preflight: "the servers are looked at",
        Failed: "the work of the phase failed",
    }
    Preflight => {
        InitialSync: "the first copy began",
        Failed: "the work of the phase failed",
    }
    InitialSync => {
        DeltaSync: "what is new since the first copy is fetched",
        Failed: "the work of the phase failed",
    }
    DeltaSync => {
        CutoverReady: "the gate was approved",
        Failed: "the work of the phase failed",
    }
    CutoverReady => {
        DnsCutover: "the MX was changed",
        // The MX still points to the old server, so mail keeps arriving there.
        DeltaSync: "the approval was taken away, or another delta is wanted before the cutover",
        Failed: "the work of the phase failed",
    }
    DnsCutover => {
        FinalSync: "stragglers are fetched from the old server",
        Failed: "the work of the phase failed",
    }
    FinalSync => {
        Verified: "the last verification found everything",
        Failed: "the work of the phase failed",
    }
    Verified => {
        Closed: "the job is done",
        // Senders may hold the old MX in their caches for days.
        FinalSync: "stragglers were seen at the old server later",
        Failed: "the work of the phase failed",
    }
    Closed => {}
    // A retry, see `transition`.
    Failed => {}
}

const RETRY: &str = "a retry returned to the phase that failed";

/// Whether a job may go from one phase to another. `failed_phase` is the phase that failed, and only counts in
/// phase `failed`.
#[must_use]
pub fn allowed(from: Phase, to: Phase, failed_phase: Option<Phase>) -> bool {
    transition(from, to, failed_phase).is_ok()
}

/// The change from one phase to another.
///
/// # Errors
/// [`PhaseError::NotPossible`] where the table has no such row, saying what would be possible.
pub fn transition(from: Phase, to: Phase, failed_phase: Option<Phase>) -> Result<Transition, PhaseError> {
    let why = match from {
        Phase::Failed => (returns_to(failed_phase) == Some(to)).then_some(RETRY),
        _ => why(from, to),
    };
    why.map(|why| Transition { from, to, why }).ok_or_else(|| PhaseError::NotPossible {
        from,
        to,
        possible: possible(from, failed_phase),
    })
}

/// Where a retry leads; a phase that cannot fail is no place to return to.
fn returns_to(failed_phase: Option<Phase>) -> Option<Phase> {
    failed_phase.filter(|phase| next(*phase).contains(&Phase::Failed))
}

fn possible(from: Phase, failed_phase: Option<Phase>) -> String {
    if from == Phase::Failed {
        return returns_to(failed_phase).map_or_else(
            || "there is no way on, because the phase that failed was not recorded".to_owned(),
            |phase| format!("a retry returns to {phase}"),
        );
    }
    match next(from).iter().map(|phase| phase.as_str()).collect::<Vec<_>>().as_slice() {
        [] => "nothing follows".to_owned(),
        [one] => format!("it may go to {one}"),
        [most @ .., last] => format!("it may go to {} or {last}", most.join(", ")),
    }
}

/// Whether a run may start in a phase, and which phase the job enters by it (none: it stays where it is).
///
/// | run | starts in | the job |
/// |---|---|---|
/// | preflight | discovered | enters preflight |
/// | preflight | every later open phase | stays: a second look |
/// | initial, pst_upload, tgz_import | preflight | enters initial_sync |
/// | the same | initial_sync, delta_sync | stays: the rest, or a mailbox that was added later |
/// | delta, final | initial_sync, cutover_ready | enters delta_sync |
/// | delta, final | delta_sync | stays; before the cutover a final run is a thorough delta |
/// | final | dns_cutover, verified | enters final_sync |
/// | final | final_sync | stays |
/// | verify | initial_sync to verified | stays |
/// | pst_extract, tgz_export | every open phase | stays: nothing reaches the destination by it |
/// | pst_extract | failed | stays: a file may be what puts the job right again |
///
/// # Errors
/// [`PhaseError::RunNotPossible`] everywhere else, with what to do instead.
pub fn run_allowed(phase: Phase, run: RunType) -> Result<Option<Phase>, PhaseError> {
    let refuse = |instead| Err(PhaseError::RunNotPossible { phase, run, instead });
    match phase {
        Phase::Closed => return refuse("the job is closed; open a new one for the domain"),
        // A file may be what puts the job right again.
        Phase::Failed if run == RunType::PstExtract => return Ok(None),
        Phase::Failed => return refuse("retry the job first, which returns it to the phase that failed"),
        _ => {}
    }
    match run {
        RunType::Preflight => Ok((phase == Phase::Discovered).then_some(Phase::Preflight)),
        RunType::PstExtract | RunType::TgzExport => Ok(None),
        RunType::Initial | RunType::PstUpload | RunType::TgzImport => match phase {
            Phase::Discovered => refuse("run a preflight first"),
            Phase::Preflight => Ok(Some(Phase::InitialSync)),
            Phase::InitialSync | Phase::DeltaSync => Ok(None),
            Phase::CutoverReady => refuse("the gate is open; run a delta, which copies what is missing"),
            _ => refuse("the MX was changed already; run a final, which copies what is missing"),
        },
        RunType::Delta | RunType::Final => match phase {
            Phase::Discovered => refuse("run a preflight and the initial copy first"),
            Phase::Preflight => refuse("run the initial copy first"),
            Phase::InitialSync | Phase::CutoverReady => Ok(Some(Phase::DeltaSync)),
            Phase::DeltaSync => Ok(None),
            _ if run == RunType::Delta => refuse("the MX was changed already; run a final instead"),
            Phase::FinalSync => Ok(None),
            _ => Ok(Some(Phase::FinalSync)),
        },
        RunType::Verify => match phase {
            Phase::Discovered | Phase::Preflight => refuse("nothing was copied yet; run the initial copy first"),
            _ => Ok(None),
        },
    }
}

#[cfg(test)]
mod tests;
