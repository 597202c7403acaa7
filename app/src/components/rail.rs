//! The phases of a job as a rail of steps.

use super::{Icon, Shape};
use crate::i18n::names;
use gatepost_contract::Phase;
use leptos::prelude::*;

/// Where a job stands among the phases. A failed job shows the cross at the phase that failed.
#[component]
pub fn PhaseRail(phase: Phase, failed_phase: Option<Phase>) -> AnyView {
    let failed = phase == Phase::Failed;
    let stands = if failed { failed_phase } else { Some(phase) };
    let steps = Phase::ALL.iter().copied().filter(|step| *step != Phase::Failed).map(|step| {
        let (class, shape, word) = match stands {
            Some(here) if step == here && failed => ("step failed", Shape::Cross, t!(rail.failed)),
            Some(here) if step == here && here == Phase::Closed => ("step done here", Shape::Check, t!(rail.done)),
            Some(here) if step == here => ("step here", Shape::Dot, t!(rail.here)),
            Some(here) if step < here => ("step done", Shape::Check, t!(rail.done)),
            _ => ("step", Shape::Dot, t!(rail.ahead)),
        };
        let current = (stands == Some(step)).then_some("step");
        view! {
            <li class=class aria-current=current>
                <span class="mark"><Icon shape/></span>
                <span class="name">{names::phase(step)}</span>
                <span class="hidden">", "{word}</span>
            </li>
        }
    });
    view! { <ol class="rail" aria-label=t!(rail.label)>{steps.collect_view()}</ol> }.into_any()
}
