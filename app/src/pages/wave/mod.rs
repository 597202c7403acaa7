//! Waves: all at a glance, one with what moves and what is stuck, and who joins it.

pub mod join;
pub mod list;
mod members;
pub mod show;

use crate::{
    components::{AreaField, At, FormState, TextField, count, size},
    i18n::numbers,
};
use gatepost_contract::{Wave, WaveProgress};
use leptos::prelude::*;

/// The fields of a wave, new or not.
#[component]
fn WaveFields(state: FormState, wave: Option<Wave>) -> AnyView {
    let new = wave.is_none();
    let (name, notes, position, at_once, rate) = wave.map_or_else(Default::default, |wave| {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let rate = number(wave.bytes_per_second.map(|bytes| bytes.div_euclid(1_000).max(1)));
        (wave.name, wave.notes, wave.position.to_string(), number(wave.mailboxes_at_once), rate)
    });
    view! {
        <TextField state=state.clone() name="name" label=t!(wave.name) hint=t!(wave.name_hint) value=name required=true max=100/>
        <div class="row even">
            <TextField state=state.clone() name="mailboxes_at_once" kind="number" label=t!(wave.at_once) value=at_once min=1 max=1_000/>
            <TextField state=state.clone() name="bytes_per_second" kind="number" label=t!(wave.kilobytes) value=rate min=2 max=100_000_000/>
            {(!new).then(|| view! { <TextField state=state.clone() name="position" kind="number" label=t!(wave.position) value=position min=0 max=1_000_000/> })}
        </div>
        <p class="hint">{t!(wave.limits_hint)}</p>
        <AreaField state name="notes" label=t!(job.notes) value=notes rows=2 max=10_000/>
    }
    .into_any()
}

/// When a wave ends, or why nobody can say.
fn ends(progress: WaveProgress) -> AnyView {
    match (progress.messages_left, progress.eta_seconds, progress.ends_at) {
        _ if progress.messages_source == 0 => view! { <span class="none">{t!(wave.not_counted)}</span> }.into_any(),
        (0, ..) => view! { <span>{t!(dashboard.done)}</span> }.into_any(),
        (_, Some(seconds), Some(at)) => {
            view! { <span>{numbers().duration(seconds)}<small><At at/></small></span> }.into_any()
        }
        _ => view! { <span class="none">{t!(dashboard.stands_still)}</span> }.into_any(),
    }
}

/// What moves now: runs and their speed.
fn moves(progress: &WaveProgress) -> String {
    if progress.running == 0 && progress.queued == 0 {
        return "–".to_owned();
    }
    let mut text = t!(wave.moves, running = count(progress.running), queued = count(progress.queued));
    if progress.bytes_per_second >= 1.0 {
        text.push_str(" · ");
        text.push_str(&t!(dashboard.per_second, size = size(progress.bytes_per_second as i64)));
    }
    text
}
