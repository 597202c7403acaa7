//! Schedules: the list of all, and the parts that the pages of jobs and waves share.

pub mod list;

use crate::{
    components::{
        At, Badge, Empty, Fact, FormState, Shape, Table, TextField, TickField, Tone, count, head, head_figure,
    },
    i18n::{Said, wave_names},
};
use gatepost_contract::{Occurrence, OccurrenceState, Schedule, ScheduleMoment, ScheduleScope};
use leptos::prelude::*;

/// What a schedule says, and when it is due next.
#[component]
pub fn ScheduleFacts(
    /// The schedule.
    schedule: Schedule,
) -> AnyView {
    let (next, state) = (schedule.next.clone(), badge(&schedule));
    view! {
        <dl class="facts wide">
            <Fact name=t!(schedule.state)>{state}</Fact>
            <Fact name=t!(schedule.expression)><code>{schedule.expression}</code></Fact>
            <Fact name=t!(schedule.time_zone)>{schedule.time_zone}</Fact>
            <Fact name=t!(schedule.window)>{schedule.window.unwrap_or_else(|| t!(schedule.any_hour).to_owned())}</Fact>
            <Fact name=t!(schedule.jitter)>{t!(schedule.minutes, count = count(schedule.jitter_minutes))}</Fact>
            // The installation's comes from the configuration, and is as old as the process.
            {(schedule.scope != ScheduleScope::Default).then(|| view! { <Fact name=t!(schedule.changed)>{schedule.updated_by}", "<At at=schedule.updated_at/></Fact> })}
        </dl>
        {(!next.is_empty()).then(|| view! { <h3>{t!(schedule.next)}</h3> {moments(next)} })}
    }
    .into_any()
}

/// Moments by the clock of the schedule's zone, each with the same in UTC.
fn moments(moments: Vec<ScheduleMoment>) -> AnyView {
    let items = moments.into_iter().map(|moment| {
        view! { <li><b>{moment.local}</b><At at=moment.at/></li> }
    });
    view! { <ol class="moments">{items.collect_view()}</ol> }.into_any()
}

/// Whether a schedule starts anything.
pub fn badge(schedule: &Schedule) -> AnyView {
    if schedule.enabled {
        view! { <Badge tone=Tone::Good shape=Shape::Clock text=t!(schedule.on)/> }.into_any()
    } else {
        view! { <Badge tone=Tone::Quiet shape=Shape::Dash text=t!(schedule.off)/> }.into_any()
    }
}

/// The fields of a schedule, filled with one that exists.
#[component]
pub fn ScheduleFields(
    /// The form's state.
    state: FormState,
    /// What to begin with.
    schedule: Schedule,
    /// Whether it is somebody else's, to begin a new one with: that one shall start something.
    new: bool,
) -> AnyView {
    let Schedule { expression, time_zone, window, jitter_minutes, enabled, .. } = schedule;
    view! {
        <TextField state=state.clone() name="expression" label=t!(schedule.expression) hint=t!(schedule.expression_hint) value=expression required=true max=200/>
        <TextField state=state.clone() name="time_zone" label=t!(schedule.time_zone) hint=t!(schedule.time_zone_hint) value=time_zone max=64/>
        <TextField state=state.clone() name="window" label=t!(schedule.window) hint=t!(schedule.window_hint) value=window.unwrap_or_default() max=20/>
        <TextField state=state.clone() name="jitter_minutes" kind="number" label=t!(schedule.jitter) hint=t!(schedule.jitter_hint) value=jitter_minutes.to_string() min=0 max=720/>
        <TickField state name="enabled" label=t!(schedule.enabled) hint=t!(schedule.enabled_hint) value=enabled || new/>
    }
    .into_any()
}

/// What became of the moments at which runs were due.
pub fn occurrence_table(occurrences: Vec<Occurrence>) -> AnyView {
    if occurrences.is_empty() {
        return view! { <Empty text=t!(schedule.no_occurrences)/> }.into_any();
    }
    let heads = vec![
        head(t!(schedule.due)),
        head(t!(job.job)),
        head(t!(schedule.state)),
        head_figure(t!(schedule.runs)),
        head(t!(schedule.why)),
    ];
    let rows = occurrences.into_iter().map(|one| {
        let (tone, shape) = match one.state {
            OccurrenceState::Started => (Tone::Good, Shape::Check),
            OccurrenceState::Skipped => (Tone::Quiet, Shape::Dash),
            OccurrenceState::Missed => (Tone::Warn, Shape::Warn),
            OccurrenceState::Failed => (Tone::Bad, Shape::Cross),
        };
        let text = wave_names::occurrence_state(one.state);
        view! {
            <tr>
                <th scope="row" data-label=t!(schedule.due)><At at=one.due_at/></th>
                <td data-label=t!(job.job)><a href=format!("/jobs/{}/schedule", one.job_id)>{one.domain}</a></td>
                <td data-label=t!(schedule.state)><Badge tone shape text/></td>
                <td data-label=t!(schedule.runs) class="num">{count(one.runs)}</td>
                <td data-label=t!(schedule.why) class="note">{one.reason.map(|reason| view! { <Said text=reason/> })}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(schedule.occurrences).to_owned() heads rows/> }.into_any()
}
