//! Figures, times and bars.

use crate::{i18n::numbers, numbers::minute};
use gatepost_contract::Tally;
use leptos::prelude::*;

/// A whole number.
pub fn count(number: i64) -> String {
    numbers().count(number)
}

/// Bytes.
pub fn size(bytes: i64) -> String {
    numbers().size(bytes)
}

/// 0 to 100.
pub fn percent(percent: f64) -> String {
    numbers().percent(percent)
}

/// A moment in UTC.
#[component]
pub fn At(at: String) -> AnyView {
    let text = minute(&at);
    view! { <time datetime=at>{text}</time> }.into_any()
}

/// A moment, or a dash where there is none.
#[component]
pub fn MaybeAt(at: Option<String>) -> impl IntoView {
    match at {
        Some(at) => view! { <At at/> }.into_any(),
        None => view! { <span class="none">"–"</span> }.into_any(),
    }
}

/// How much of something has arrived, as a bar and a figure.
#[component]
pub fn Share(
    /// 0 to 100.
    value: f64,
    /// What it is the share of, for screen readers.
    label: String,
) -> AnyView {
    let class = if value >= 100.0 { "bar full" } else { "bar" };
    view! {
        <span class="share">
            <progress class=class max="100" value=format!("{value:.1}") aria-label=label></progress>
            <span class="figure">{percent(value)}</span>
        </span>
    }
    .into_any()
}

/// How a source's messages add up, so that anybody can check the sum.
#[component]
pub fn TallySum(tally: Tally) -> AnyView {
    let part = |class: &'static str, number: i64, label: &'static str| {
        view! { <span class=if number == 0 { "part zero" } else { class }><b>{count(number)}</b>" "{label}</span> }
    };
    view! {
        <p class="tally">
            {part("part good", tally.arrived, t!(tally.arrived))}<i>"+"</i>
            {part("part", tally.pending, t!(tally.pending))}<i>"+"</i>
            {part("part bad", tally.quarantined, t!(tally.quarantined))}<i>"+"</i>
            {part("part warn", tally.waived, t!(tally.waived))}<i>"="</i>
            {part("part total", tally.source, t!(tally.source))}
            {(!tally.adds_up()).then(|| view! { <strong class="alarm">{t!(tally.broken)}</strong> })}
        </p>
    }
    .into_any()
}

/// A name and what it stands for, in a `dl`.
#[component]
pub fn Fact(name: &'static str, children: Children) -> AnyView {
    view! { <div class="fact"><dt>{name}</dt><dd>{children()}</dd></div> }.into_any()
}
