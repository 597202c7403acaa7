//! The names of waves, schedules and pauses in the language of the request.

use gatepost_contract::{DashboardRange, OccurrenceState, PauseScope, ScheduleScope, TroubleKind};

/// How far back a dashboard looks.
pub fn dashboard_range(range: DashboardRange) -> &'static str {
    match range {
        DashboardRange::Day => t!(dashboard.range_day),
        DashboardRange::Week => t!(dashboard.range_week),
        DashboardRange::Quarter => t!(dashboard.range_quarter),
    }
}

/// What became of a moment at which runs were due.
pub fn occurrence_state(state: OccurrenceState) -> &'static str {
    match state {
        OccurrenceState::Started => t!(schedule.started),
        OccurrenceState::Skipped => t!(schedule.skipped),
        OccurrenceState::Missed => t!(schedule.missed),
        OccurrenceState::Failed => t!(schedule.failed),
    }
}

/// Whose schedule it is.
pub fn schedule_scope(scope: ScheduleScope) -> &'static str {
    match scope {
        ScheduleScope::Default => t!(schedule.of_all),
        ScheduleScope::Wave => t!(wave.wave),
        ScheduleScope::Job => t!(job.job),
    }
}

/// Why a mailbox does not move.
pub fn trouble(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::Error => t!(wave.trouble_error),
        TroubleKind::Quarantine => t!(wave.trouble_quarantine),
        TroubleKind::Waiting => t!(wave.trouble_waiting),
        TroubleKind::Paused => t!(wave.trouble_paused),
    }
}

/// What rests.
pub fn pause_scope(scope: PauseScope) -> &'static str {
    match scope {
        PauseScope::Everything => t!(pause.everything),
        PauseScope::Host => t!(pause.host),
        PauseScope::Wave => t!(wave.wave),
        PauseScope::Job => t!(job.job),
    }
}
